//! A sentence for each signal, for audit.

use super::arithmetic::{OCTAVE, ONE, times};
use super::profile::{Profile, RATE_SCALES, VOLUME_SCALES};
use super::score::{self, Signals};
use super::settings::{Number, Settings, Signal};
use super::sketch::count;

/// Below this a signal adds less than one to a score.
const SILENT: u32 = ONE / 100;

/// What the score is made of: the signals that add to it, the strongest first, each with its
/// strength from 0 to 1 and a sentence.
#[must_use]
pub fn explain(profile: &Profile, signals: &Signals, settings: &Settings) -> String {
    let levels = score::levels(profile, settings);
    let all = Signal::ALL.into_iter().zip(signals.iter().zip(levels));
    let mut parts: Vec<(u32, Signal, u32, bool)> = Vec::new();
    for (signal, (strength, level)) in all {
        let strength = (*strength).min(ONE);
        let share = times(settings.of(Number::Weight(signal)), strength);
        if share >= SILENT {
            // A sort would be 5 KB of the module.
            let stronger = parts.iter().take_while(|part| part.0 >= share).count();
            parts.insert(stronger, (share, signal, strength, level > 0));
        }
    }
    let mut text = String::new();
    for (_, signal, strength, now) in parts {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(signal.as_str());
        text.push(' ');
        text.push_str(&hundredths(strength));
        text.push_str(": ");
        text.push_str(&sentence(signal, now, profile, settings));
    }
    text
}

fn sentence(signal: Signal, now: bool, profile: &Profile, settings: &Settings) -> String {
    match (signal, now) {
        (Signal::Spread, true) => spread(profile),
        (Signal::RateShift, true) => {
            let (scale, excess) = score::rate_excess(profile, settings);
            let over = over(RATE_SCALES.get(scale), settings);
            format!(
                "requests at about {} times its own most {over}",
                ratio(excess)
            )
        }
        (Signal::VolumeShift, true) => {
            let (scale, excess) = score::volume_excess(profile, settings);
            let over = over(VOLUME_SCALES.get(scale), settings);
            format!(
                "response bytes at about {} times its own most {over}",
                ratio(excess)
            )
        }
        (Signal::Failures, true) => {
            let share = score::failures(profile, settings);
            of_hundred("answers were errors", share, profile.failures.own)
        }
        (Signal::Denials, true) => {
            let share = score::refusals(profile, settings);
            of_hundred("requests were refused", share, profile.refusals.own)
        }
        (Signal::SourceFanout, true) => {
            format!(
                "it calls from about {} networks at once, far more than ever",
                count(profile.around)
            )
        }
        (other, _) => held(other).to_owned(),
    }
}

/// What is said where the signal is an event, or only what is left of a level.
const fn held(signal: Signal) -> &'static str {
    match signal {
        Signal::Spread => "it used far more different resources, a while ago",
        Signal::RateShift => "it sent far more requests than ever, a while ago",
        Signal::VolumeShift => "it was sent far more bytes than ever, a while ago",
        Signal::Failures => "its requests failed, a while ago",
        Signal::Denials => "its requests were refused, a while ago",
        Signal::NewSource => "it came from a network that it was not known on",
        Signal::SourceFanout => "it called from far more networks at once, a while ago",
        Signal::TokenFanout => "one of its tokens came from several networks",
        Signal::NewRoute => "it used a route that it had not used before",
        Signal::OddHour => "it calls at an hour of the day at which it did not before",
    }
}

fn spread(profile: &Profile) -> String {
    let found = profile.resources.estimate();
    if !profile.knows_resources() {
        return format!("about {found} different resources, and it is not known yet");
    }
    format!("about {found} different resources, far more than ever in a window")
}

fn of_hundred(what: &str, share: Option<u8>, own: u8) -> String {
    let percent = |share: u8| u32::from(share).saturating_mul(100) >> 8;
    let (share, own) = (percent(share.unwrap_or_default()), percent(own));
    format!("{share} of 100 {what}, usually at most {own}")
}

fn over(scale: Option<&u32>, settings: &Settings) -> &'static str {
    let half_life = settings.of(Number::HalfLife);
    match scale.map(|scale| (*scale).min(half_life)) {
        Some(..=1) => "over a second",
        Some(..=8) => "over some seconds",
        Some(..=60) => "over a minute",
        _ => "over some minutes",
    }
}

/// Two to the power of a logarithm, rounded down.
fn ratio(log: u16) -> u32 {
    let (whole, part) = (log / OCTAVE, log & 255);
    let mantissa = u32::from(part).saturating_add(256);
    mantissa
        .checked_shl(u32::from(whole).min(20))
        .unwrap_or_default()
        >> 8
}

/// A strength as `0.42`.
fn hundredths(strength: u32) -> String {
    let hundredths = strength.saturating_mul(100).saturating_add(ONE / 2) >> 16;
    let (whole, rest) = (
        hundredths / 100,
        hundredths.checked_rem(100).unwrap_or_default(),
    );
    format!("{whole}.{rest:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(hundredths(0), "0.00");
        assert_eq!(hundredths(ONE), "1.00");
        assert_eq!(hundredths(65_535), "1.00");
        assert_eq!(hundredths(27_525), "0.42");
        assert_eq!(
            (ratio(0), ratio(256), ratio(405), ratio(917)),
            (1, 2, 3, 12)
        );
    }

    #[test]
    fn what_adds_most_comes_first_and_what_adds_nothing_not_at_all() {
        let mut profile = Profile::default();
        let settings = Settings::default();
        profile.held[Signal::NewSource as usize] = 65_535;
        profile.held[Signal::TokenFanout as usize] = 65_535;
        profile.held[Signal::OddHour as usize] = 100;
        let text = explain(&profile, &profile.signals(&settings), &settings);
        assert_eq!(
            text,
            "token_fanout 1.00: one of its tokens came from several networks; \
             new_source 1.00: it came from a network that it was not known on"
        );
    }
}
