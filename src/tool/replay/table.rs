//! The report as plain text in 120 columns.

use std::fmt::Write as _;

use postern_core::risk::settings::{Action, Deed};

use super::curve::{Point, Span};
use super::report::{Report, Shown};
use super::totals::Tally;
use super::traffic::Counts;
use crate::instant;
use crate::text::{printable, wrapped};

const WIDTH: usize = 120;
/// What is below an identity's line stands in from the left.
const INDENT: usize = 4;
/// The columns that the score over time takes.
const COLUMNS: u64 = 96;
/// What the columns right of the identity take.
const NUMBERS: usize = 68;

/// Writes the report. What cannot fail is not asked.
pub fn write(report: &Report<'_>) -> String {
    let mut text = String::new();
    head(&mut text, report);
    let _ = writeln!(text, "\nSCORE      REQUESTS  IDENTITIES (BY THEIR HIGHEST)");
    for (from, requests, identities) in report.scores.tens() {
        let to = if from == 90 {
            100
        } else {
            from.saturating_add(9)
        };
        let _ = writeln!(text, "{from:>2} - {to:<3} {requests:>9}  {identities:>10}");
    }
    let width = WIDTH.saturating_sub(NUMBERS);
    let _ = writeln!(
        text,
        "\n{:<width$}{:>10}{:>9}  {:<20}{:>8}{:>11}{:>8}",
        "IDENTITY", "REQUESTS", "HIGHEST", "WHEN", "TAGGED", "THROTTLED", "DENIED"
    );
    for shown in &report.shown {
        person(&mut text, shown, report.span);
    }
    let rest = report.identities.saturating_sub(report.shown.len());
    if rest > 0 {
        let _ = writeln!(text, "\n{rest} more identities are not shown.");
    }
    text
}

/// How many lines came to what, as words.
pub fn lines(counts: &Counts) -> String {
    let mut words = format!("{} lines read", counts.lines);
    for (count, what) in [
        (counts.others, "are no events"),
        (counts.wrong, "are wrong"),
        (counts.anonymous, "are of requests without an identity"),
        (
            counts.unjudged,
            "are of requests that are not judged (no route or a public one, or given up early)",
        ),
    ] {
        if count > 0 {
            let _ = write!(words, ", {count} {what}");
        }
    }
    words
}

/// What is done from which score on, as words.
pub fn actions(actions: &[Action]) -> String {
    if actions.is_empty() {
        return "nothing is done about any score".to_owned();
    }
    let words = actions.iter().map(|Action { at, deed }| match deed {
        Deed::Tag => format!("tag from {at}"),
        Deed::Throttle(factor) => format!("throttle (cost times {factor}) from {at}"),
        Deed::Deny => format!("deny from {at}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn head(text: &mut String, report: &Report<'_>) {
    let (first, last) = (report.span.first, report.span.last);
    let sentences = [
        format!("{}.", lines(&report.counts)),
        format!(
            "{} requests of {} identities, from {} to {}.",
            report.requests,
            report.identities,
            instant::text(first),
            instant::text(last)
        ),
        format!("Actions: {}.", actions(&report.actions)),
    ];
    for sentence in sentences {
        below(text, 0, &sentence);
    }
}

fn person(text: &mut String, shown: &Shown<'_>, span: Span) {
    let totals = &shown.totals;
    let width = WIDTH.saturating_sub(NUMBERS);
    let mut identity = printable(shown.identity);
    text.push('\n');
    if identity.chars().count() > width {
        below(text, 0, &identity);
        identity.clear();
    }
    let _ = writeln!(
        text,
        "{identity:<width$}{:>10}{:>9}  {:<20}{:>8}{:>11}{:>8}",
        totals.requests,
        totals.highest.score,
        instant::text(totals.highest.time),
        totals.tagged.requests,
        totals.throttled.requests,
        totals.denied.requests
    );
    if let Some(own) = &shown.own_actions {
        let client = printable(shown.client.unwrap_or_default());
        below(text, INDENT, &format!("client {client}: {}", actions(own)));
    }
    below(
        text,
        INDENT,
        &format!("score over time  {}", digits(&shown.curve, span)),
    );
    let firsts = firsts(&[
        ("tagged", totals.tagged),
        ("throttled", totals.throttled),
        ("denied", totals.denied),
    ]);
    if !firsts.is_empty() {
        below(text, INDENT, &format!("first {firsts}"));
    }
    if !totals.highest.why.is_empty() {
        below(text, INDENT, &totals.highest.why);
    }
}

fn firsts(tallies: &[(&str, Tally)]) -> String {
    let firsts = tallies.iter().filter_map(|(what, tally)| {
        let first = instant::text(tally.first?);
        Some(format!("{what} {first}"))
    });
    firsts.collect::<Vec<_>>().join(", ")
}

/// The tens of the highest score in each part of the time; a dot where there were no requests.
fn digits(curve: &[Point], span: Span) -> String {
    let columns = span.slots.min(COLUMNS);
    let mut highest: Vec<Option<u8>> = (0..columns).map(|_| None).collect();
    for point in curve.iter().filter(|point| point.called) {
        let column = point.slot.saturating_mul(columns).checked_div(span.slots);
        let column = column.and_then(|column| usize::try_from(column).ok());
        if let Some(place) = column.and_then(|column| highest.get_mut(column)) {
            *place = (*place).max(Some(point.score));
        }
    }
    let digit = |score: u8| char::from_digit(u32::from(score / 10).min(9), 10).unwrap_or('?');
    let digits = highest.into_iter().map(|score| score.map_or('.', digit));
    digits.collect()
}

fn below(text: &mut String, indent: usize, sentence: &str) {
    for line in wrapped(sentence, WIDTH.saturating_sub(indent)) {
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
}
