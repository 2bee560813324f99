//! What a signal that is an occurrence remembers of an identity.

use crate::risk::observation::Arrival;
use crate::risk::settings::Settings;

/// What becomes of what is remembered; a signal says only what concerns it. Answers are how strong
/// it is, in parts of `ONE`, of an identity that is known.
pub(super) trait Remembers {
    /// Takes note of a request.
    fn arrive(&mut self, _: &Arrival, _: &Circumstances) -> u32 {
        0
    }

    /// Ends a second.
    fn close(&mut self, _second: u32) {}

    /// Goes on from one second, zero before the first, to a later one.
    fn advance(&mut self, _from: u32, _to: u32, _: &Settings) -> u32 {
        0
    }

    /// Learns from a window which is over, in parts of `ONE`.
    fn learn(&mut self, _lesson: u32) {}

    /// What is learned fades by so much.
    fn forget_own(&mut self, _faded: u8) {}

    /// Forgets what belongs to this moment: the clock was set back.
    fn forget_moment(&mut self) {}
}

/// What is known of a request beside what was seen of it.
pub struct Circumstances {
    /// The second as of which it counts.
    pub second: u32,
    /// Whether the identity used its network the day before.
    pub was_here: bool,
}
