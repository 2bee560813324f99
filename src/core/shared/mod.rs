//! What the workers of a proxy share: values in the host's shared data, changed behind
//! compare-and-swap.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `probe` | what the host makes of compare-and-swap, found out when a worker begins |
//! | `secret` | the seed that all workers key their hashes with |
//! | `values` | values by their names |
//! | `cells` | numbered values, and where in them something is |
//! | `shelf` | numbered values of one kind, lent to one decision at a time |
//!
//! This room alone knows what absent, secret and cell mean on which host. What a value says is its
//! owner's: nothing here reads one. Names and layouts outlive a configuration, so that what a
//! running proxy has stored is found again.

mod cells;
mod probe;
mod secret;
mod shelf;
mod values;

pub use cells::{CellPlace, Cells, OwnCells, Version};
pub use shelf::{Lent, Shelf};
pub use values::Values;

use crate::crypto::keyed::Seed;
use crate::host::Host;
use probe::Absent;

/// What this worker found of shared data when it began.
#[derive(Clone, Copy)]
pub struct Sharing {
    /// None where nothing is shared.
    absent: Option<Absent>,
    /// Whether the workers have one secret.
    is_keyed: bool,
    secret: Seed,
}

impl Sharing {
    /// Finds out what the host can do, and takes up the secret that its workers share. Where it has
    /// no shared data, or none that compares, each worker is by itself.
    #[must_use]
    pub fn find(host: &dyn Host) -> Self {
        let absent = probe::absent(host);
        let shared = absent.and_then(|absent| secret::shared(host, absent));
        Self {
            absent,
            is_keyed: shared.is_some(),
            secret: shared.unwrap_or_else(|| secret::own(host)),
        }
    }

    /// Whether workers share shelves, which takes a secret: those who have none in common would look
    /// for one thing in many places.
    #[must_use]
    pub fn has_shelves(&self) -> bool {
        self.is_keyed
    }

    /// The seed that all workers share who share shelves.
    #[must_use]
    pub fn secret(&self) -> Seed {
        self.secret
    }

    /// The values by their names, for as long as the host answers.
    #[must_use]
    pub fn values<'a>(&self, host: &'a dyn Host) -> Values<'a> {
        Values::new(host, self.absent)
    }

    /// A shelf of values whose names begin like that, with at most 26 bytes.
    #[must_use]
    pub fn shelf(&self, prefix: &'static str) -> Shelf {
        Shelf::new(self.absent.filter(|_| self.is_keyed), prefix)
    }
}
