//! Time as data: an instant is an argument, never asked for.

use std::time::Duration;

/// An instant: nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now(u64);

impl Now {
    /// The last instant that there is.
    pub const MAX: Self = Self(u64::MAX);

    /// Makes an instant from nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Makes an instant from seconds since the Unix epoch; too far ahead is the last instant.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The instant `duration` later; too far ahead is the last instant.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// How long ago `earlier` was; zero when it is ahead (a clock that jumped back).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A span in its two largest units, for people: `3m 20s`.
#[must_use]
pub fn spoken(span: Duration) -> String {
    let secs = span.as_secs();
    let parts = [
        (secs / 86_400, 'd'),
        (secs / 3600 % 24, 'h'),
        (secs / 60 % 60, 'm'),
        (secs % 60, 's'),
    ];
    let told = parts.iter().skip_while(|(count, _)| *count == 0).take(2);
    let told = told.filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, unit)| format!("{count}{unit}")).collect();
    if told.is_empty() {
        "0s".to_owned()
    } else {
        told.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spoken_in_two_units() {
        let spoken = |secs| spoken(Duration::from_secs(secs));
        assert_eq!(
            [0, 59, 3600, 3661, 90_000].map(spoken),
            ["0s", "59s", "1h", "1h 1m", "1d 1h"]
        );
    }
}
