//! What became of an identity's requests.

use super::history::Moment;

/// The highest score of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Highest {
    pub score: u8,
    /// When it was first reached, in milliseconds since the epoch.
    pub time: u64,
    /// What it is made of; empty where that is nothing to speak of.
    pub why: String,
}

/// How many requests there were of a kind, and when the first came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub requests: u64,
    pub first: Option<u64>,
}

/// What became of an identity's requests; each counts once, for the most that was done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub requests: u64,
    pub highest: Highest,
    pub tagged: Tally,
    pub throttled: Tally,
    pub denied: Tally,
}

impl Totals {
    /// Takes note of a request.
    pub fn see(&mut self, moment: &Moment<'_>) {
        let time = moment.request.time;
        if self.requests == 0 || moment.score > self.highest.score {
            self.highest = Highest {
                score: moment.score,
                time,
                why: moment.why(),
            };
        }
        self.requests = self.requests.saturating_add(1);
        let tally = match moment.reaction {
            reaction if reaction.denied => &mut self.denied,
            reaction if reaction.factor > 1 => &mut self.throttled,
            reaction if reaction.tagged => &mut self.tagged,
            _ => return,
        };
        tally.requests = tally.requests.saturating_add(1);
        tally.first.get_or_insert(time);
    }
}
