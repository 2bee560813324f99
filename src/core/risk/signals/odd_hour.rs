//! An hour of the day at which the identity never calls.

use super::Row;
use super::field::{FieldForm, FieldKind, FieldPart, SignalField, weight};
use crate::risk::arithmetic::ONE;

/// As many as an identity's state holds.
const DAYS: u64 = 15;

pub(super) const ROW: Row = Row {
    name: "odd_hour",
    doc: "An hour of the day at which the identity never calls.",
    form: FieldForm {
        name: "OddHour",
        doc: "A signal of calls at an unusual hour.",
    },
    fields: &[
        weight(15),
        SignalField {
            name: "days",
            doc: "How many days an identity is seen on before its hours are judged.",
            part: FieldPart::AtLeast,
            kind: FieldKind::Count(DAYS),
            default: 5,
        },
    ],
    level: None,
    sentence: None,
    held: "it calls at an hour of the day at which it did not before",
};

/// How strong it is to call at an hour, given on how many of all days it and those around it were
/// used.
pub fn strength(used: [u32; 3], days: u32) -> u32 {
    let used = used
        .iter()
        .fold(0_u32, |sum, days| sum.saturating_add(*days));
    // Used on every fourth day is usual.
    let usual = used.saturating_mul(4).saturating_mul(ONE).checked_div(days);
    ONE.saturating_sub(usual.unwrap_or_default())
}
