//! `hours`: it is one of these hours of the day and days of the week, in UTC.

use std::borrow::Cow;
use std::fmt;

use super::kind::{ConditionKind, Facts, denied};
use crate::base::{Now, WrongText};
use crate::decision::Denial;

const MINUTES_A_DAY: u64 = 24 * 60;

/// A daily window in UTC: from the first minute up to, not including, the last; it may wrap
/// midnight. A window that wraps belongs to the day on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: u64,
    to: u64,
    days: Weekdays,
}

impl Hours {
    /// Parses `08:00-18:00`; `24:00` is the end of the day. Holds on those days only.
    ///
    /// # Errors
    ///
    /// A [`HoursError`] where the text is no window, or an empty one.
    pub fn parse(window: &str, days: Weekdays) -> Result<Self, HoursError> {
        let (from, to) = window.split_once('-').ok_or(HoursError::Invalid)?;
        let from = minute_of_day(from).filter(|&from| from < MINUTES_A_DAY);
        let from = from.ok_or(HoursError::Invalid)?;
        let to = minute_of_day(to).ok_or(HoursError::Invalid)?;
        if from == to {
            return Err(HoursError::Empty);
        }
        Ok(Self { from, to, days })
    }

    /// Whether the instant is in the window.
    #[must_use]
    pub fn contains(&self, now: Now) -> bool {
        let minutes = now.secs() / 60;
        let (day, minute) = (minutes / MINUTES_A_DAY, minutes % MINUTES_A_DAY);
        if self.from < self.to {
            return self.days.contains(day) && (self.from..self.to).contains(&minute);
        }
        let began_today = minute >= self.from && self.days.contains(day);
        let yesterday = day.checked_sub(1);
        let began_yesterday = minute < self.to && yesterday.is_some_and(|d| self.days.contains(d));
        began_today || began_yesterday
    }
}

impl ConditionKind for Hours {
    fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        if self.contains(facts.now) {
            return Ok(());
        }
        Err(denied("this is outside the allowed hours"))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hours")
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// These days.
    #[must_use]
    pub fn of(days: &[Weekday]) -> Self {
        Self(days.iter().fold(0, |bits, &day| bits | bit(day as u64)))
    }

    /// Whether the day is one of them; `day` counts from 1970-01-01, a Thursday.
    fn contains(self, day: u64) -> bool {
        self.0 & bit((day % 7).saturating_add(3) % 7) != 0
    }
}

fn bit(weekday: u64) -> u8 {
    u32::try_from(weekday)
        .ok()
        .and_then(|at| 1_u8.checked_shl(at))
        .unwrap_or(0)
}

/// Why a text is no daily window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoursError {
    /// It is not `HH:MM-HH:MM`.
    Invalid,
    /// It begins and ends at the same minute.
    Empty,
}

impl fmt::Display for HoursError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "is no daily window",
            Self::Empty => "begins and ends at the same minute",
        })
    }
}

impl WrongText for HoursError {
    fn remedy(&self) -> Cow<'static, str> {
        let remedy = match self {
            Self::Invalid => "a window in UTC is \"08:00-18:00\"",
            Self::Empty => "the whole day is \"00:00-24:00\"",
        };
        remedy.into()
    }
}

impl std::error::Error for HoursError {}

/// The minute of `HH:MM`, up to `24:00`.
fn minute_of_day(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let minutes = two_digits(minutes).filter(|&minutes| minutes < 60)?;
    let total = two_digits(hours)?.checked_mul(60)?.checked_add(minutes)?;
    (total <= MINUTES_A_DAY).then_some(total)
}

fn two_digits(text: &str) -> Option<u64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23, a Monday, 00:00 UTC.
    const MONDAY: u64 = 1_795_392_000;

    fn at(day: u64, time: &str) -> Now {
        Now::from_secs(MONDAY + day * 86_400 + minute_of_day(time).unwrap() * 60)
    }

    #[test]
    fn a_window_holds_its_first_minute_and_not_its_last() {
        let hours = Hours::parse("08:00-18:00", Weekdays::ALL).unwrap();
        for (time, inside) in [
            ("07:59", false),
            ("08:00", true),
            ("17:59", true),
            ("18:00", false),
        ] {
            assert_eq!(hours.contains(at(0, time)), inside, "{time}");
        }
        assert!(hours.contains(Now::from_nanos(at(0, "18:00").nanos() - 1)));
    }

    #[test]
    fn a_window_that_wraps_belongs_to_the_day_on_which_it_begins() {
        let hours = Hours::parse("22:00-06:00", Weekdays::of(&[Weekday::Fri])).unwrap();
        for (day, time, inside) in [
            (4, "21:59", false),
            (4, "22:00", true),
            (5, "05:59", true),
            (5, "06:00", false),
            (4, "05:00", false),
            (5, "22:00", false),
        ] {
            assert_eq!(hours.contains(at(day, time)), inside, "{day} {time}");
        }
    }

    #[test]
    fn the_whole_day_is_written_with_24_00() {
        let hours =
            Hours::parse("00:00-24:00", Weekdays::of(&[Weekday::Mon, Weekday::Sun])).unwrap();
        let held: Vec<bool> = (0..7).map(|day| hours.contains(at(day, "23:59"))).collect();
        assert_eq!(held, [true, false, false, false, false, false, true]);
    }

    #[test]
    fn the_first_day_of_the_epoch_has_no_yesterday() {
        let hours = Hours::parse("22:00-06:00", Weekdays::ALL).unwrap();
        assert!(!hours.contains(Now::from_secs(0)));
    }

    #[test]
    fn refuses_what_is_no_window() {
        for text in [
            "",
            "8-18",
            "8:00-18:00",
            "08:00",
            "08:00-18:60",
            "08:00-24:01",
            "24:00-08:00",
            "+8:00-09:00",
            "08:00-18:00-19:00",
        ] {
            assert_eq!(
                Hours::parse(text, Weekdays::ALL),
                Err(HoursError::Invalid),
                "{text}"
            );
        }
        assert_eq!(
            Hours::parse("08:00-08:00", Weekdays::ALL),
            Err(HoursError::Empty)
        );
    }
}
