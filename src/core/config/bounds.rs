//! Bounds on durations and sizes.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::decimal::decimal;
use super::mistake::Mistake;
use super::place::Place;
use super::quantity::{Size, Span};
use super::wire::Field;

/// A duration that is not zero.
pub(super) fn nonzero_span(field: &Field<Span>, place: &Place<'_>) -> Option<Duration> {
    let span = field.optional(place)?;
    if span.0.is_zero() {
        place.error(
            Mistake::OutOfRange,
            "is zero",
            "a longer duration is needed",
        );
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
    given_span(field, place, bounds).unwrap_or(default)
}

/// A duration within bounds.
pub(super) fn given_span(
    field: &Field<Span>,
    place: &Place<'_>,
    bounds: RangeInclusive<Duration>,
) -> Option<Duration> {
    let span = field.optional(place)?;
    if !bounds.contains(&span.0) {
        let (least, most) = (Span(*bounds.start()), Span(*bounds.end()));
        place.error(
            Mistake::OutOfRange,
            format_args!("is {span}"),
            format_args!("{least} to {most} is accepted"),
        );
    }
    Some(span.0)
}

/// A size within bounds, of something that is in memory.
pub(super) fn size(
    field: &Field<Size>,
    place: &Place<'_>,
    bounds: RangeInclusive<u64>,
) -> Option<usize> {
    usize::try_from(bytes(field, place, bounds)?).ok()
}

/// A number of bytes within bounds.
pub(super) fn bytes(
    field: &Field<Size>,
    place: &Place<'_>,
    bounds: RangeInclusive<u64>,
) -> Option<u64> {
    let size = field.optional(place)?;
    if !bounds.contains(&size.0) {
        let (least, most) = (Size(*bounds.start()), Size(*bounds.end()));
        place.error(
            Mistake::OutOfRange,
            format_args!("is {size}"),
            format_args!("{least} to {most} is accepted"),
        );
    }
    Some(size.0)
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
        place.error(
            Mistake::OutOfRange,
            format_args!("is {number}"),
            format_args!("{least} to {most} is accepted"),
        );
    }
    Some(number)
}

/// A number within bounds; none where it is not.
pub(super) fn number_within(
    field: &Field<f64>,
    place: &Place<'_>,
    bounds: RangeInclusive<u16>,
) -> Option<f64> {
    let number = *field.optional(place)?;
    let (least, most) = bounds.into_inner();
    if (f64::from(least)..=f64::from(most)).contains(&number) {
        return Some(number);
    }
    let number = decimal(number);
    place.error(
        Mistake::OutOfRange,
        format_args!("is {number}"),
        format_args!("{least} to {most} is accepted"),
    );
    None
}
