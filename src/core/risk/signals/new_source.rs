//! A network that the identity was not seen on.

use super::Row;
use super::familiar::Familiar;
use super::field::{OCCURRENCE, weight};
use super::memory::{Circumstances, Remembers};
use crate::risk::observation::Arrival;
use crate::risk::settings::Settings;

pub(super) const ROW: Row = Row {
    name: "new_source",
    doc: "A network that the identity was not seen on.",
    form: OCCURRENCE,
    fields: &[weight(15)],
    level: None,
    sentence: None,
    held: "it came from a network that it was not known on",
};

/// The networks that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownNetworks(pub Familiar<u128>);

impl KnownNetworks {
    /// Whether the network was used in the memory before this one, which does not change within a
    /// second, whatever comes first in it.
    #[must_use]
    pub const fn was_here(&self, network: u64) -> bool {
        self.0.before & bit(network) != 0
    }
}

impl Remembers for KnownNetworks {
    fn arrive(&mut self, arrival: &Arrival, _: &Circumstances) -> u32 {
        let network = arrival.network.map(bit);
        network.map_or(0, |bit| self.0.note(bit))
    }

    fn advance(&mut self, from: u32, to: u32, settings: &Settings) -> u32 {
        self.0.advance(from, to, settings);
        0
    }
}

const fn bit(network: u64) -> u128 {
    1 << ((network >> 8) & 127)
}
