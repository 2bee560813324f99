//! What requests change.

use crate::caller::{Known, Memory};
use crate::limits::Counters;
use crate::risk::watch::Desk;

/// What a step needs that counts.
pub(super) const COUNTED: &str = "a request that comes to it, since it counts";

/// What requests change.
pub struct State<'s> {
    /// What is remembered of tokens.
    pub memory: Memory<'s>,
    /// What limits and failures are counted with; none where nothing is to be counted.
    pub counters: Option<Counters<'s>>,
    /// What is known of callers; none where risk is not asked.
    pub desk: Option<Desk<'s>>,
}

impl<'s> State<'s> {
    /// What was lent out, lent on.
    pub fn of(
        memory: &'s mut Memory<'_>,
        counters: &'s mut Counters<'_>,
        desk: Option<&'s mut Desk<'_>>,
    ) -> Self {
        Self {
            memory: memory.lend(),
            counters: Some(Counters {
                limiter: counters.limiter,
                cells: &mut *counters.cells,
            }),
            desk: desk.map(|desk| Desk {
                watch: desk.watch,
                cells: &mut *desk.cells,
                settings: desk.settings,
                keeping: desk.keeping,
            }),
        }
    }

    /// A state of which nothing is left.
    pub(super) fn aside(known: &'s mut Known) -> Self {
        Self {
            memory: Memory::own(known),
            counters: None,
            desk: None,
        }
    }

    pub(super) fn is_aside(&self) -> bool {
        self.counters.is_none()
    }
}
