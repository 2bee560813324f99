//! Things that are known for a while, and how much it says that one is new.

use std::ops::{BitAnd, BitOr};

use crate::risk::arithmetic::{ONE, windows};
use crate::risk::settings::{Number, Settings};

/// Things that are known for a while, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Familiar<B> {
    /// In this memory.
    pub now: B,
    /// In the one before it in which anything was seen.
    pub before: B,
    /// How many new ones there were lately.
    pub new: u8,
}

impl<B> Familiar<B>
where
    B: Copy + Default + PartialEq + BitOr<Output = B> + BitAnd<Output = B>,
{
    /// Takes note of something; answers how strong it is that it is new.
    pub(super) fn note(&mut self, bit: B) -> u32 {
        let is_known = (self.now | self.before) & bit != B::default();
        self.now = self.now | bit;
        if is_known {
            return 0;
        }
        let strength = novelty(self.new);
        self.new = self.new.saturating_add(1);
        strength
    }

    /// Goes on to a second; where another memory begins, what nothing was added to is kept.
    pub(super) fn advance(&mut self, from: u32, to: u32, settings: &Settings) {
        if windows(from, to, settings.of(Number::Memory)) == 0 {
            return;
        }
        if self.now != B::default() {
            self.before = std::mem::take(&mut self.now);
        }
        self.new /= 2;
    }
}

/// How strong something new is: the more there were lately, the less one more says.
fn novelty(lately: u8) -> u32 {
    let share = ONE.checked_div(u32::from(lately).saturating_add(1));
    share.unwrap_or_default()
}
