//! A sentence for each signal, for audit.

use super::arithmetic::{ONE, times};
use super::profile::Profile;
use super::score::{self, Signals};
use super::settings::{Number, Settings};
use super::signals::Signal;

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
    let row = signal.row();
    match row.sentence {
        Some(sentence) if now => sentence(profile, settings),
        _ => row.held.to_owned(),
    }
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
