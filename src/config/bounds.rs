//! Bounds on durations and sizes.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::place::Place;
use super::quantity::{Size, Span};
use super::wire::Field;

/// A duration that is not zero.
pub(super) fn nonzero_span(field: &Field<Span>, place: &Place<'_>) -> Option<Duration> {
    let span = field.optional(place)?;
    if span.0.is_zero() {
        place.error("is zero; a longer duration is needed");
    }
    Some(span.0)
}

/// A duration within bounds, or the default.
pub(super) fn span(
    field: &Field<Span>,
    place: &Place<'_>,
    bounds: RangeInclusive<Duration>,
    default: Duration,
) -> Duration {
    let Some(span) = field.optional(place) else {
        return default;
    };
    if !bounds.contains(&span.0) {
        let (least, most) = (Span(*bounds.start()), Span(*bounds.end()));
        place.error(format_args!("is {span}; {least} to {most} is accepted"));
    }
    span.0
}

/// A size within bounds.
pub(super) fn size(
    field: &Field<Size>,
    place: &Place<'_>,
    bounds: RangeInclusive<u64>,
) -> Option<usize> {
    let size = field.optional(place)?;
    if !bounds.contains(&size.0) {
        let (least, most) = (Size(*bounds.start()), Size(*bounds.end()));
        place.error(format_args!("is {size}; {least} to {most} is accepted"));
    }
    usize::try_from(size.0).ok()
}

/// A whole number within bounds.
pub(super) fn whole_number(
    field: &Field<u64>,
    place: &Place<'_>,
    bounds: RangeInclusive<u64>,
) -> Option<u64> {
    let number = *field.optional(place)?;
    if !bounds.contains(&number) {
        let (least, most) = bounds.into_inner();
        place.error(format_args!("is {number}; {least} to {most} is accepted"));
    }
    Some(number)
}
