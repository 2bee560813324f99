//! One token on several networks: a stolen one.

use super::Row;
use super::field::{OCCURRENCE, weight};
use crate::risk::arithmetic::{ONE, times};
use crate::risk::tokens::Spread;

/// How much it says that a token goes to a network that the identity did not use the day before: not
/// enough to hold back whoever moves, enough to do so where the route and the hour are new as well.
pub const MOVED: u32 = ONE / 8 * 5;

pub(super) const ROW: Row = Row {
    name: "token_fanout",
    doc: "One token on several networks.",
    form: OCCURRENCE,
    fields: &[weight(60)],
    level: None,
    sentence: None,
    held: "one of its tokens came from several networks",
};

/// How strong it is that a token is there, given how usual that is in parts of 255, and whether the
/// identity used the network the day before.
pub fn strength(spread: Spread, usual: u8, was_here: bool) -> u32 {
    let usual = u32::from(usual).saturating_mul(ONE / 255);
    let unusual = ONE.saturating_sub(usual);
    match spread {
        Spread::Several => unusual,
        Spread::Moved if !was_here => times(unusual, MOVED),
        Spread::One | Spread::Moved => 0,
    }
}
