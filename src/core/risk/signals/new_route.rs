//! A route that the identity did not use before.

use super::Row;
use super::familiar::Familiar;
use super::field::{OCCURRENCE, weight};
use super::memory::{Circumstances, Remembers};
use crate::risk::observation::Arrival;
use crate::risk::settings::Settings;

pub(super) const ROW: Row = Row {
    name: "new_route",
    doc: "A route that the identity did not use before.",
    form: OCCURRENCE,
    fields: &[weight(15)],
    level: None,
    sentence: None,
    held: "it used a route that it had not used before",
};

/// The routes that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownRoutes(pub Familiar<u32>);

impl Remembers for KnownRoutes {
    fn arrive(&mut self, arrival: &Arrival, _: &Circumstances) -> u32 {
        self.0.note(1 << (arrival.route & 31))
    }

    fn advance(&mut self, from: u32, to: u32, settings: &Settings) -> u32 {
        self.0.advance(from, to, settings);
        0
    }
}
