//! What several sentences say.

use crate::risk::arithmetic::OCTAVE;
use crate::risk::settings::{Number, Settings};

/// How much more of something there is, at the scale of that half-life.
pub(super) fn of_times(
    what: &str,
    excess: u16,
    scale: Option<&u32>,
    settings: &Settings,
) -> String {
    let (times, over) = (ratio(excess), over(scale, settings));
    format!("{what} at about {times} times its own most {over}")
}

/// What share there is of something, and the own usual one.
pub(super) fn of_hundred(what: &str, share: Option<u8>, own: u8) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_written_as_people_read_them() {
        assert_eq!(
            (ratio(0), ratio(256), ratio(405), ratio(917)),
            (1, 2, 3, 12)
        );
    }
}
