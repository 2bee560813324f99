//! Numbered values, each changed behind compare-and-swap, and where in them something is.

use std::collections::BTreeMap;

use crate::crypto::keyed::Fingerprint;

/// Where in numbered values something is that has a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellPlace {
    /// The number of the value.
    pub cell: u32,
    /// What tells it from the others there.
    pub key: u64,
}

impl CellPlace {
    /// The place among `cells` values.
    #[must_use]
    pub fn of(hash: Fingerprint, cells: u32) -> Self {
        let cell = hash.low().checked_rem(u64::from(cells)).unwrap_or_default();
        Self {
            cell: u32::try_from(cell).unwrap_or_default(),
            key: hash.high(),
        }
    }
}

/// What a stored value was when it was read; a change has to name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// There was none.
    Absent,
    /// There was one, of that number.
    Number(u32),
    /// It was this worker's own, changed that many times.
    Own(u64),
}

/// Numbered values that several workers may change at once.
pub trait Cells {
    /// The value of that number, empty where there is none, and its version.
    fn read(&mut self, cell: u32) -> (Vec<u8>, Version);

    /// Stores a value if it is still of that version; answers whether it did.
    fn write(&mut self, cell: u32, value: &[u8], version: Version) -> bool;

    /// Whether what is stored here counts for all workers.
    fn is_shared(&self) -> bool;
}

/// Values of one worker alone; there are as many as there are numbers in use.
#[derive(Clone, Debug, Default)]
pub struct OwnCells(BTreeMap<u32, (Vec<u8>, u64)>);

impl Cells for OwnCells {
    fn read(&mut self, cell: u32) -> (Vec<u8>, Version) {
        let (value, changes) = self.0.get(&cell).cloned().unwrap_or_default();
        (value, Version::Own(changes))
    }

    // Nobody else writes here, but one decision may have read a value twice before it writes.
    fn write(&mut self, cell: u32, value: &[u8], version: Version) -> bool {
        let (held, changes) = self.0.entry(cell).or_default();
        let same = version == Version::Own(*changes);
        if same {
            value.clone_into(held);
            *changes = changes.wrapping_add(1);
        }
        same
    }

    fn is_shared(&self) -> bool {
        false
    }
}
