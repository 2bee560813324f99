//! A network that the identity was not seen on.

use super::Row;
use super::field::{OCCURRENCE, weight};

pub(super) const ROW: Row = Row {
    name: "new_source",
    doc: "A network that the identity was not seen on.",
    form: OCCURRENCE,
    fields: &[weight(15)],
    level: None,
    sentence: None,
    held: "it came from a network that it was not known on",
};
