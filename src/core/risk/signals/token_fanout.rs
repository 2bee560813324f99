//! One token on several networks: a stolen one.

use super::Row;
use super::field::{OCCURRENCE, weight};
use super::memory::{Circumstances, Remembers};
use super::tokens::{RecentTokens, Spread};
use crate::risk::arithmetic::{ONE, raise, times};
use crate::risk::observation::Arrival;
use crate::risk::settings::Settings;

/// How much it says that a token goes to a network that the identity did not use the day before: not
/// enough to hold back whoever moves, enough to do so where the route and the hour are new as well.
pub(in crate::risk) const MOVED: u32 = ONE / 8 * 5;

pub(super) const ROW: Row = Row {
    name: "token_fanout",
    doc: "One token on several networks.",
    form: OCCURRENCE,
    fields: &[weight(60)],
    level: None,
    sentence: None,
    held: "one of its tokens came from several networks",
};

/// Where its tokens are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenPlaces {
    /// Its tokens.
    pub recent: RecentTokens,
    /// Whether one was on several networks in this window.
    pub shared: bool,
    /// How usual that is, in parts of 255.
    pub shared_own: u8,
}

impl Remembers for TokenPlaces {
    fn arrive(&mut self, arrival: &Arrival, circumstances: &Circumstances) -> u32 {
        let (Some(network), Some(token)) = (arrival.network, arrival.token) else {
            return 0;
        };
        let spread = self.recent.see(token, network >> 16, circumstances.second);
        self.shared |= spread == Spread::Several;
        strength(spread, self.shared_own, circumstances.was_here)
    }

    fn close(&mut self, second: u32) {
        self.recent.close(second);
    }

    fn advance(&mut self, from: u32, to: u32, _: &Settings) -> u32 {
        self.recent.advance(from, to);
        0
    }

    fn learn(&mut self, lesson: u32) {
        if std::mem::take(&mut self.shared) {
            let mut own = u16::from(self.shared_own);
            raise(&mut own, 255, lesson);
            self.shared_own = u8::try_from(own).unwrap_or(u8::MAX);
        }
    }

    fn forget_own(&mut self, faded: u8) {
        self.shared_own = self.shared_own.saturating_sub(faded);
    }

    fn forget_moment(&mut self) {
        self.recent.forget_moment();
    }
}

/// How strong it is that a token is there, given how usual that is in parts of 255, and whether the
/// identity used the network the day before.
fn strength(spread: Spread, usual: u8, was_here: bool) -> u32 {
    let usual = u32::from(usual).saturating_mul(ONE / 255);
    let unusual = ONE.saturating_sub(usual);
    match spread {
        Spread::Several => unusual,
        Spread::Moved if !was_here => times(unusual, MOVED),
        Spread::One | Spread::Moved => 0,
    }
}
