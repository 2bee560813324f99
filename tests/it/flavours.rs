//! Stories that are not told of hosts without shared data, each of which begins with why.

use postern_testkit::memory::Flavour;
use std::cell::Cell;

pub const FETCHES: &str = "each worker fetches for itself";
pub const COUNTS: &str = "each worker counts for itself";
pub const LEARNS: &str = "each worker learns for itself";
pub const VERIFIES: &str = "each worker verifies for itself";
pub const FORGETS: &str = "nothing outlives a worker";
pub const LOOKS: &str = "the story looks at what is shared";

thread_local!(static TOLD: Cell<bool> = const { Cell::new(false) });

/// Ends a story there of which a host of its flavour is an exception.
macro_rules! apart {
    ($why:ident: $story:ident) => {
        if crate::flavours::is_apart(FLAVOUR, crate::flavours::$why, $story) {
            return;
        }
    };
}

/// Whether a story does not hold on a host of that flavour; one that does is no exception.
pub fn is_apart(flavour: Flavour, why: &str, story: fn()) -> bool {
    if flavour != Flavour::None || TOLD.get() {
        return false;
    }
    // Under Node a story that fails ends them all.
    if cfg!(not(target_family = "wasm")) {
        TOLD.set(true);
        let told = std::panic::catch_unwind(story);
        TOLD.set(false);
        assert!(told.is_err(), "it holds, though {why}");
    }
    true
}
