//! A route that the identity did not use before.

use super::Row;
use super::field::{OCCURRENCE, weight};

pub(super) const ROW: Row = Row {
    name: "new_route",
    doc: "A route that the identity did not use before.",
    form: OCCURRENCE,
    fields: &[weight(15)],
    level: None,
    sentence: None,
    held: "it used a route that it had not used before",
};
