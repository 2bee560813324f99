//! The report for programs.

use postern_core::risk::settings::{Action, Deed};
use serde_json::{Value, json};

use super::curve::Span;
use super::report::{Report, Shown};
use super::totals::Tally;
use crate::instant;

/// Writes the report as one JSON object.
pub fn write(report: &Report<'_>) -> String {
    let (counts, span) = (&report.counts, report.span);
    let tens = report.scores.tens();
    let tens = tens.into_iter().map(|(from, requests, identities)| {
        json!({"from": from, "requests": requests, "identities": identities})
    });
    let shown = report.shown.iter().map(|shown| identity(shown, span));
    let document = json!({
        "lines": {
            "read": counts.lines,
            "no_events": counts.others,
            "wrong": counts.wrong,
            "without_identity": counts.anonymous,
            "not_judged": counts.unjudged,
            "out_of_order": counts.out_of_order,
        },
        "requests": report.requests,
        "identities": report.identities,
        "first": instant::text(span.first),
        "last": instant::text(span.last),
        "actions": actions(&report.actions),
        "scores": tens.collect::<Vec<_>>(),
        "shown": shown.collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn identity(shown: &Shown<'_>, span: Span) -> Value {
    let totals = &shown.totals;
    let called = shown.curve.iter().filter(|point| point.called);
    let curve = called.map(|point| {
        let time = instant::text(span.begin(point.slot));
        json!({"time": time, "score": point.score})
    });
    json!({
        "identity": shown.identity,
        "client": shown.client,
        "own_actions": shown.own_actions.as_deref().map(actions),
        "requests": totals.requests,
        "highest": {
            "score": totals.highest.score,
            "time": instant::text(totals.highest.time),
            "why": totals.highest.why,
        },
        "tagged": tally(totals.tagged),
        "throttled": tally(totals.throttled),
        "denied": tally(totals.denied),
        "score_over_time": curve.collect::<Vec<_>>(),
    })
}

fn tally(tally: Tally) -> Value {
    json!({"requests": tally.requests, "first": tally.first.map(instant::text)})
}

fn actions(actions: &[Action]) -> Value {
    let actions = actions.iter().map(|action| match action.deed {
        Deed::Tag => json!({"at": action.at, "do": "tag"}),
        Deed::Throttle(factor) => json!({"at": action.at, "do": "throttle", "factor": factor}),
        Deed::Deny => json!({"at": action.at, "do": "deny"}),
    });
    actions.collect()
}
