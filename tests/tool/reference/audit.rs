//! The page of audit events.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use postern_core::audit::forms::ocsf;
use postern_core::audit::{Beside, LimitNames, Outcome, Record, Registration, RiskNote, Who};
use postern_core::base::Now;
use postern_core::decision::{Mode, Reason};
use postern_core::keys::ring::Freshness;
use serde_json::Value;

use super::page::Page;

/// 2026-03-02, 10:00 UTC.
const TIME: u64 = 1_772_445_600_000_000_000;

#[test]
fn every_member_of_an_event_is_on_its_page() {
    let records = [everything(), example(), nothing(), undecided()];
    let events: Vec<_> = records
        .iter()
        .map(|record| members(&event(record)))
        .collect();
    let all: BTreeSet<_> = events.iter().flatten().cloned().collect();
    let is_always = |place: &String| events.iter().all(|event| event.contains(place));
    let found: BTreeMap<_, _> = all
        .into_iter()
        .map(|place| (place.clone(), is_always(&place)))
        .collect();
    let rows = Page::open("audit.md").table("## Every member");
    let told: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1] == "always"))
        .collect();
    assert_eq!(told, found);
}

#[test]
fn the_example_is_an_event_as_it_is_written() {
    let event = format!("\n```json\n{:#}\n```\n", event(&example()));
    Page::open("audit.md").has_between(
        "<!-- made by tests/reference -->\n",
        "\n<!-- end -->",
        &event,
    );
}

/// The places of all members; `[]` is any entry of a list.
fn members(event: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(event, String::new(), &mut found);
    found
}

fn collect(value: &Value, place: String, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            let dot = if place.is_empty() { "" } else { "." };
            collect(member, format!("{place}{dot}{name}"), found);
        }),
        Value::Array(entries) => entries
            .iter()
            .for_each(|entry| collect(entry, format!("{place}[]"), found)),
        _ => {
            found.insert(place);
        }
    }
}

fn event(record: &Record<'_>) -> Value {
    serde_json::from_str(&ocsf::line(record)).expect("an event is JSON")
}

/// What a request leaves of which nothing is known but that it was one.
fn nothing() -> Record<'static> {
    Record {
        time: Now::from_nanos(TIME),
        end: Now::from_nanos(TIME),
        outcome: Outcome::Denied(Reason::RouteUnknown),
        detail: "",
        mode: Mode::Enforce,
        route: None,
        who: None,
        registration: None,
        beside: None,
        forwarded_by: None,
        purpose: None,
        keys: None,
        risk: None,
        limits: LimitNames::default(),
        source: None,
        // One that OCSF does not list.
        method: "PATCH",
        host: "",
        path: "",
        path_bytes: None,
        user_agent: None,
        request_id: None,
        status: None,
        request_bytes: 0,
        response_bytes: 0,
    }
}

fn undecided() -> Record<'static> {
    Record {
        outcome: Outcome::Undecided,
        ..nothing()
    }
}

fn example() -> Record<'static> {
    Record {
        end: Now::from_nanos(TIME + 3_000_000),
        outcome: Outcome::Denied(Reason::RateLimited),
        detail: "the rate \"per-client\" is used up for 600 ms",
        route: Some("read-orders"),
        who: Some(Who {
            identity: "corp/batch-7",
            issuer: "corp",
            proven: "jwt",
            client: Some("billing-batch"),
            token: Some("t-1"),
            scopes: "orders.read",
        }),
        registration: Some(Registration {
            owner: Some("payments@corp.example"),
            purpose: Some("nightly invoicing"),
            days_left: Some(335),
        }),
        keys: Some(Freshness {
            version: 4,
            age: 212,
            failure: None,
        }),
        risk: Some(RiskNote {
            score: 12,
            details: "",
        }),
        limits: LimitNames {
            refused_by: Some("per-client"),
            observed: Vec::new(),
        },
        source: Some(SocketAddr::from(([10, 20, 0, 7], 43_210))),
        method: "GET",
        host: "api.example",
        path: "/v1/orders/7",
        user_agent: Some("billing/2.1"),
        request_id: Some("7d3f6c7e-4a4e-4f3b-9a55-0d6a4f5d9d11"),
        status: Some(429),
        ..nothing()
    }
}

fn everything() -> Record<'static> {
    Record {
        beside: Some(Beside {
            identity: "spiffe://prod.example/ns/pay/sa/batch",
            proven: "x509_svid_xfcc",
        }),
        forwarded_by: Some("spiffe://prod.example/ingress"),
        purpose: Some("invoicing"),
        path_bytes: Some(2048),
        keys: Some(Freshness {
            version: 4,
            age: 4000,
            failure: Some("no_answer"),
        }),
        risk: Some(RiskNote {
            score: 65,
            details: "spread 0.82: about 812 different resources",
        }),
        limits: LimitNames {
            refused_by: Some("per-client"),
            observed: vec!["daily"],
        },
        ..example()
    }
}
