//! Where buckets are kept: numbered values, each changed behind compare-and-swap.

use std::collections::BTreeMap;

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

/// The place could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// Numbered values that several workers may change at once.
pub trait Cells {
    /// The value of that number, empty where there is none, and its version.
    ///
    /// # Errors
    /// [`Unavailable`] where the place cannot be read.
    fn read(&mut self, cell: u32) -> Result<(Vec<u8>, Version), Unavailable>;

    /// Stores a value if it is still of that version; answers whether it did.
    ///
    /// # Errors
    /// [`Unavailable`] where the place cannot be written.
    fn write(&mut self, cell: u32, value: &[u8], version: Version) -> Result<bool, Unavailable>;
}

/// Values of one worker alone; there are as many as there are numbers in use.
#[derive(Clone, Debug, Default)]
pub struct OwnCells(BTreeMap<u32, (Vec<u8>, u64)>);

impl Cells for OwnCells {
    fn read(&mut self, cell: u32) -> Result<(Vec<u8>, Version), Unavailable> {
        let (value, changes) = self.0.get(&cell).cloned().unwrap_or_default();
        Ok((value, Version::Own(changes)))
    }

    // Nobody else writes here, but one request may have read a bucket for two of its limits.
    fn write(&mut self, cell: u32, value: &[u8], version: Version) -> Result<bool, Unavailable> {
        let (held, changes) = self.0.entry(cell).or_default();
        let same = version == Version::Own(*changes);
        if same {
            value.clone_into(held);
            *changes = changes.wrapping_add(1);
        }
        Ok(same)
    }
}
