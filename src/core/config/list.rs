//! Lists of texts, each parsed into something that cannot be wrong.

use std::collections::BTreeMap;
use std::iter::Enumerate;
use std::slice;

use super::mistake::{Mistake, Wrong};
use super::place::Place;
use super::wire::{Field, List};
use crate::base::{Excerpt, Id};

/// Whether a list may be given without entries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// It means the same as no list.
    Allowed,
    /// Somebody forgot something.
    Refused,
}

/// Every element, with its place; none where there is no list. Says so where an empty one is.
pub(super) fn elements<'w, T>(
    list: &'w List<T>,
    place: &Place<'_>,
    empty: Empty,
) -> Enumerate<slice::Iter<'w, Field<T>>> {
    let elements = list.optional(place);
    if empty == Empty::Refused && elements.is_some_and(Vec::is_empty) {
        place.error(
            Mistake::EmptyList,
            "is empty",
            "at least one entry is needed",
        );
    }
    elements.map_or(&[][..], Vec::as_slice).iter().enumerate()
}

/// Parses every text of a list; says what is wrong with each, and which is there twice.
pub(super) fn texts<T: PartialEq, E: Into<Wrong>>(
    list: &List<String>,
    place: &Place<'_>,
    empty: Empty,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let mut parsed = Vec::new();
    for (index, element) in elements(list, place, empty) {
        let place = place.element(index);
        let Some(value) = text(element, &place, &parse) else {
            continue;
        };
        if parsed.contains(&value) {
            place.error(Mistake::Duplicate, "is listed twice", "once is enough");
        } else {
            parsed.push(value);
        }
    }
    parsed
}

/// Parses a text; the error of `parse` goes on from the text, such as `is no host; …`.
pub(super) fn text<T, E: Into<Wrong>>(
    field: &Field<String>,
    place: &Place<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let text = field.optional(place)?;
    let parsed = parse(text).map_err(Into::into);
    parsed
        .map_err(|wrong: Wrong| refuse(text, &wrong, place))
        .ok()
}

#[cold]
fn refuse(text: &str, wrong: &Wrong, place: &Place<'_>) {
    let wrong = wrong.value();
    let problem = format_args!("{} {}", Excerpt::of(text), wrong.problem);
    place.error(wrong.mistake, problem, &wrong.remedy);
}

/// Parses a text that must be there.
pub(super) fn required<T, E: Into<Wrong>>(
    field: &Field<String>,
    place: &Place<'_>,
    needed: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    field.required(place, needed)?;
    text(field, place, parse)
}

/// The names of all things of a kind as they are written, for those who refer to them; none where
/// the list of them cannot be read at all.
pub(super) fn names<T>(list: &List<T>, name: impl Fn(&T) -> &Field<String>) -> Option<Vec<String>> {
    let written = |thing: &Field<T>| match thing {
        Field::Given(thing) => match name(thing) {
            Field::Given(name) => name.clone(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    match list {
        Field::Absent => Some(Vec::new()),
        Field::Wrong(_) => None,
        Field::Given(things) => Some(things.iter().map(written).collect()),
    }
}

/// The ids of what a list refers to by name, among `known` things of that kind; says which are not
/// there. Where nothing is known every name is passed over.
pub(super) fn references<I: Id + PartialEq>(
    list: &List<String>,
    place: &Place<'_>,
    known: Option<&[String]>,
    kind: &str,
) -> Vec<I> {
    let mut ids = Vec::new();
    for (index, name) in elements(list, place, Empty::Refused) {
        let place = place.element(index);
        let (Some(name), Some(known)) = (name.optional(&place), known) else {
            continue;
        };
        match known.iter().position(|known| known == name).map(I::at) {
            Some(id) if ids.contains(&id) => {
                place.error(Mistake::Duplicate, "is listed twice", "once is enough")
            }
            Some(id) => ids.push(id),
            None => place.wrong(&unknown(name, known, kind)),
        }
    }
    ids
}

/// What is wrong with a name that nothing of a kind has.
pub(super) fn unknown(name: &str, known: &[String], kind: &str) -> Wrong {
    let remedy = if known.is_empty() {
        "there are none".to_owned()
    } else {
        format!("{kind}s are: {}", known.join(", "))
    };
    let problem = format!("no {kind} is named {}", Excerpt::of(name));
    Wrong::new(Mistake::UnknownName, problem, remedy)
}

/// Notes where a text is; says so where it was there before.
pub(super) fn note_unique(
    seen: &mut BTreeMap<String, String>,
    field: &Field<String>,
    place: &Place<'_>,
) {
    let Field::Given(text) = field else {
        return;
    };
    match seen.get(text) {
        Some(first) => place.error(
            Mistake::Duplicate,
            format_args!("is the same as {first}"),
            "each needs its own",
        ),
        None => {
            seen.insert(text.clone(), place.to_string());
        }
    }
}
