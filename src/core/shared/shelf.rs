//! Numbered values of one kind, in the host's shared data; in this worker's own once it refuses.

use super::probe::Absent;
use super::{Cells, OwnCells, Values, Version};
use crate::host::Host;

/// Numbered values of one kind, lent to one decision at a time.
pub struct Shelf {
    /// None where each worker has its own.
    absent: Option<Absent>,
    /// How the names of the values begin.
    prefix: &'static str,
    own: OwnCells,
}

/// The values of a shelf while a decision has them.
pub struct Lent<'a> {
    values: Values<'a>,
    prefix: &'static str,
    own: &'a mut OwnCells,
}

impl Shelf {
    pub(super) fn new(absent: Option<Absent>, prefix: &'static str) -> Self {
        Self {
            absent,
            prefix,
            own: OwnCells::default(),
        }
    }

    /// Whether the workers shared these values when this one began.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.absent.is_some()
    }

    /// Lends the values out.
    pub fn lend<'a>(&'a mut self, host: &'a dyn Host) -> Lent<'a> {
        Lent {
            values: Values::new(host, self.absent),
            prefix: self.prefix,
            own: &mut self.own,
        }
    }
}

impl Cells for Lent<'_> {
    fn read(&mut self, cell: u32) -> (Vec<u8>, Version) {
        let shared = self.values.read(Name::new(self.prefix, cell).as_str());
        shared.unwrap_or_else(|| self.own.read(cell))
    }

    fn write(&mut self, cell: u32, value: &[u8], version: Version) -> bool {
        if !self.values.are_shared() {
            return self.own.write(cell, value, version);
        }
        let name = Name::new(self.prefix, cell);
        self.values.write(name.as_str(), value, version)
    }

    fn is_shared(&self) -> bool {
        self.values.are_shared()
    }
}

/// The name of a value in shared data: a prefix and the value's number.
struct Name {
    text: [u8; Self::BYTES],
    bytes: usize,
}

impl Name {
    const BYTES: usize = 32;
    const DIGITS: u32 = 6;

    /// Of a prefix of at most 26 bytes.
    fn new(prefix: &str, cell: u32) -> Self {
        let digits = (0..Self::DIGITS).rev().map(|place| {
            let digit = (cell >> place.saturating_mul(4)) & 15;
            char::from_digit(digit, 16).map_or(b'0', |digit| u8::try_from(digit).unwrap_or(b'0'))
        });
        let mut name = Self {
            text: [0; Self::BYTES],
            bytes: 0,
        };
        for (to, from) in name.text.iter_mut().zip(prefix.bytes().chain(digits)) {
            *to = from;
            name.bytes = name.bytes.saturating_add(1);
        }
        name
    }

    fn as_str(&self) -> &str {
        let text = self.text.get(..self.bytes).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Now;
    use crate::memory::{Call, Flavour, MemoryHost, SharedData};
    use crate::shared::Sharing;

    const CELL: u32 = 0x00ab_cdef;

    fn lent(flavour: Flavour) -> (Shelf, MemoryHost, SharedData) {
        let shared = SharedData::of(flavour);
        let host = MemoryHost::with_shared(Now::default(), &shared);
        (
            Sharing::find(&host).shelf("postern.limits.1."),
            host,
            shared,
        )
    }

    #[test]
    fn a_value_is_made_changed_and_never_changed_by_whoever_has_not_seen_it() {
        for flavour in [Flavour::Envoy, Flavour::Strict, Flavour::None] {
            let (mut shelf, host, shared) = lent(flavour);
            let mut cells = shelf.lend(&host);
            let (nothing, first) = cells.read(CELL);
            assert!(nothing.is_empty());
            assert!(cells.write(CELL, b"one", first), "{flavour:?}");
            assert!(!cells.write(CELL, b"other", first), "{flavour:?}");
            let (one, second) = cells.read(CELL);
            assert_eq!(one, b"one");
            assert!(cells.write(CELL, b"two", second), "{flavour:?}");
            assert!(!cells.write(CELL, b"other", second), "{flavour:?}");
            assert_eq!(cells.read(CELL).0, b"two");
            let expected = (flavour != Flavour::None).then(|| b"two".to_vec());
            assert_eq!(shared.bytes("postern.limits.1.abcdef"), expected);
        }
    }

    #[test]
    fn a_host_that_refuses_is_asked_again_by_the_next_decision() {
        for call in [Call::Shared, Call::SetShared] {
            let (mut shelf, host, _) = lent(Flavour::Envoy);
            host.refuse(call);
            let mut cells = shelf.lend(&host);
            let (_, version) = cells.read(CELL);
            let written = cells.write(CELL, b"own", version);
            assert_eq!(written, call == Call::Shared, "it has to be read anew");
            assert!(!cells.is_shared());
            let (_, version) = cells.read(CELL);
            assert!(cells.write(CELL, b"own", version));
            host.permit(call);
            assert!(shelf.lend(&host).read(CELL).0.is_empty());
        }
    }
}
