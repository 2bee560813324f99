//! Instants of suites and tokens that are told from now: `now`, `now+5m`, `now-2h`.

use std::time::{Duration, SystemTime};

use clap::Args;
use postern_core::base::{Now, spoken};
use serde_json::Value;

use crate::failure::Failure;
use crate::instant;

/// What is taken for an instant.
pub const ACCEPTED: &str =
    "now, now+5m or now-2h (s, m, h, d), or RFC 3339 text such as 2026-03-02T10:00:00Z";

/// When it is: the one place where the tool looks at a clock, and how it is told not to.
#[derive(Args)]
pub struct Clock {
    /// The instant that counts as the present: RFC 3339, or now+5m; the machine's if left out.
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
}

impl Clock {
    /// The present.
    ///
    /// # Errors
    ///
    /// What was given is no instant.
    pub fn now(&self) -> Result<Now, Failure> {
        let present = present();
        let given = self.time.as_deref();
        given
            .map_or(Some(present), |text| read(text, present))
            .ok_or_else(|| Failure(format!("--time: {ACCEPTED} is needed")))
    }
}

/// The instant that the clock of this machine shows.
fn present() -> Now {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Now::default().after(since.unwrap_or_default())
}

/// Reads an instant, told from `now` or in full; none for what is none.
pub fn read(text: &str, now: Now) -> Option<Now> {
    if let Some(instant) = relative(text, now) {
        return Some(instant);
    }
    let millis = instant::of_text(text)?;
    Some(Now::default().after(Duration::from_millis(millis)))
}

/// Reads `90s`, `5m`, `12h` and `7d`.
pub fn span(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = plain.then(|| digits.parse().ok())??;
    Some(Duration::from_secs(count.checked_mul(unit)?))
}

/// The value with every text that tells an instant from now as a NumericDate, at any depth.
pub fn dated(value: &Value, now: Now) -> Value {
    match value {
        Value::String(text) => {
            relative(text, now).map_or_else(|| value.clone(), |at| at.secs().into())
        }
        Value::Array(values) => values.iter().map(|value| dated(value, now)).collect(),
        Value::Object(members) => {
            let dated = members
                .iter()
                .map(|(name, value)| (name.clone(), dated(value, now)));
            Value::Object(dated.collect())
        }
        other => other.clone(),
    }
}

/// How far an instant is from now, for people: `3m 20s ago`, `in 2h`.
pub fn distance(instant: Now, now: Now) -> String {
    // Tokens tell whole seconds, so that parts of one would make 4m 59s of 5m.
    let [instant, now] = [instant, now].map(|at| Now::from_secs(at.secs()));
    if instant > now {
        format!("in {}", spoken(instant.since(now)))
    } else {
        format!("{} ago", spoken(now.since(instant)))
    }
}

fn relative(text: &str, now: Now) -> Option<Now> {
    let rest = text.strip_prefix("now")?;
    if rest.is_empty() {
        return Some(now);
    }
    if let Some(ahead) = rest.strip_prefix('+') {
        return span(ahead).map(|ahead| now.after(ahead));
    }
    let behind = span(rest.strip_prefix('-')?)?;
    let nanos = u64::try_from(behind.as_nanos()).unwrap_or(u64::MAX);
    Some(Now::from_nanos(now.nanos().saturating_sub(nanos)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOON: Now = Now::from_secs(1_772_445_600);

    #[test]
    fn instants_are_told_from_now_or_in_full() {
        let cases = [
            ("now", Some(1_772_445_600)),
            ("now+5m", Some(1_772_445_900)),
            ("now-1d", Some(1_772_359_200)),
            ("2026-03-02T10:00:01Z", Some(1_772_445_601)),
            ("now+5", None),
            ("now5m", None),
            ("now+-5m", None),
            ("now+99999999999999999999d", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, NOON).map(Now::secs), expected, "{text}");
        }
        let claims = json!({"exp": "now+1h", "a": ["now", "nowhere"]});
        let expected = json!({"exp": 1_772_449_200, "a": [1_772_445_600, "nowhere"]});
        assert_eq!(dated(&claims, NOON), expected);
    }

    #[test]
    fn distances_say_which_way() {
        assert_eq!(distance(NOON.after(Duration::from_secs(60)), NOON), "in 1m");
    }
}
