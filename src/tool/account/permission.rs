//! Whether a known caller may: every check, whether or not an earlier one failed.

use postern_core::caller::Caller;
use postern_core::caller::certificate::Presented;
use postern_core::decision::{Denial, Reason};
use postern_core::gate::Route;
use postern_core::jose::Scope;
use postern_core::policy::{ClaimCondition, Condition, Facts};
use postern_core::proof;
use postern_core::proof::Demand;
use postern_core::request::RequestView;
use postern_core::spiffe::Signatory;

use super::{Checked, Findings, Inquiry, denial};
use crate::moment;
use crate::text::printable;

/// The names of the conditions of a route, as they are told of.
pub fn names(route: &Route) -> Vec<String> {
    let allow = &route.allow;
    let scopes = &allow.scopes;
    let has_scopes = !(scopes.all.is_empty() && scopes.any.is_empty() && scopes.none.is_empty());
    let parts = [
        (has_scopes, "allow.scopes"),
        (allow.issuers.is_some(), "allow.issuers"),
        (allow.clients.is_some(), "allow.clients"),
        (allow.same_workload, "allow.same_workload"),
        (allow.spiffe.is_some(), "allow.spiffe"),
    ];
    let parts = parts.iter().filter(|(there, _)| *there);
    let mut names: Vec<String> = parts.map(|(_, name)| (*name).to_owned()).collect();
    let claims = allow.claims.iter().enumerate();
    names.extend(claims.map(|(index, condition)| of_claim(index, condition)));
    let when = route.when.conditions().iter().enumerate();
    names.extend(when.map(|(index, condition)| of_context(index, condition)));
    names
}

fn of_claim(index: usize, condition: &ClaimCondition) -> String {
    format!("allow.claims[{index}] {}", condition.claim.as_str())
}

fn of_context(index: usize, condition: &Condition) -> String {
    format!("when[{index}] {}", described(condition))
}

/// Makes every check.
pub fn check(
    inquiry: &Inquiry<'_>,
    route: &Route,
    caller: &Caller,
    presented: &Presented,
    view: &RequestView<'_>,
    findings: &mut Findings,
) {
    client(inquiry, caller, view, findings);
    bound(inquiry, route, caller, presented, findings);
    scopes(route, caller, findings);
    allow(inquiry, route, caller, presented, findings);
    beside(inquiry, route, caller, presented, view, findings);
    when(inquiry, route, caller, view, findings);
}

fn client(inquiry: &Inquiry<'_>, caller: &Caller, view: &RequestView<'_>, findings: &mut Findings) {
    let clients = &inquiry.config.settings.callers.clients;
    let own = caller.registration().and_then(|place| clients.get(place));
    findings.ask("client");
    match own {
        Some(client) => {
            let owner = client.owner.as_deref().unwrap_or("nobody named");
            let ends = client
                .expires
                .map_or("without end".to_owned(), |day| format!("until {day}"));
            let name = &client.name;
            findings.say(
                "client",
                format!("\"{name}\", registered {ends}; owner: {}", printable(owner)),
            );
        }
        None => {
            let word = if clients.unregistered {
                "may call"
            } else {
                "may not call"
            };
            findings.say(
                "client",
                format!("is not registered; whoever is not {word}"),
            );
            if !clients.unregistered {
                let detail = format!("{} is no registered client", caller.identity());
                findings.fail("client", Denial::new(Reason::ClientUnregistered, detail));
            }
        }
    }
    registrations(inquiry, caller, view, findings);
}

fn registrations(
    inquiry: &Inquiry<'_>,
    caller: &Caller,
    view: &RequestView<'_>,
    findings: &mut Findings,
) {
    let header = inquiry.config.settings.audit.purpose_header.as_deref();
    let purpose = header.and_then(|name| inquiry.headers.sole(name).one());
    for client in inquiry
        .config
        .settings
        .callers
        .clients
        .each(caller.registrations())
    {
        if let Err(denial) = client.check(view.source, purpose, inquiry.now()) {
            findings.say("client", denial.detail.clone());
            findings.fail("client", denial);
        }
    }
}

fn bound(
    inquiry: &Inquiry<'_>,
    route: &Route,
    caller: &Caller,
    presented: &Presented,
    findings: &mut Findings,
) {
    let clients = inquiry
        .config
        .settings
        .callers
        .clients
        .each(caller.registrations());
    let needed = clients.fold(route.proof, |needed, client| needed.max(client.proof));
    let is_bound = caller.claims().confirmation().is_some();
    if is_bound || needed != Demand::None {
        findings.ask("proof");
        let word = if is_bound {
            "is bound to a key"
        } else {
            "is bound to nothing"
        };
        findings.say("proof", format!("the token {word}"));
    }
    let checked = proof::check(caller.claims().raw(), || presented.sha256(inquiry));
    let unbound = needed != Demand::None && !caller.is_certificate_bound();
    let missing =
        "the token must be bound to the certificate of its sender (cnf.x5t#S256), and is not";
    let checked = checked.and_then(|()| {
        let denial = || Denial::new(Reason::ProofMissing, missing);
        if unbound { Err(denial()) } else { Ok(()) }
    });
    if let Err(denial) = checked {
        findings.say("proof", denial.detail.clone());
        findings.fail("proof", denial);
    }
}

fn scopes(route: &Route, caller: &Caller, findings: &mut Findings) {
    let rule = &route.allow.scopes;
    let parts = [
        ("all of", &rule.all),
        ("one of", &rule.any),
        ("none of", &rule.none),
    ];
    let asked = parts.iter().filter(|(_, list)| !list.is_empty());
    let asked: Vec<String> = asked
        .map(|(word, list)| format!("{word} {}", listed(list)))
        .collect();
    if asked.is_empty() {
        return;
    }
    let granted = caller.scope_line();
    let granted = if granted.is_empty() { "none" } else { granted };
    findings.ask("scopes");
    findings.say(
        "scopes",
        format!(
            "asks for {}; granted: {}",
            asked.join(" and "),
            printable(granted)
        ),
    );
    let held = rule.check(caller.scopes());
    findings.checks.push(Checked {
        step: "scopes",
        name: "allow.scopes".to_owned(),
        held: held.clone().map_err(|missing| missing.to_string()),
    });
    if let Err(missing) = held {
        findings.say("scopes", missing.to_string());
        findings.fail(
            "scopes",
            Denial::new(Reason::ScopeMissing, missing.to_string()),
        );
    }
}

fn listed(scopes: &[Scope]) -> String {
    let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    scopes.join(" ")
}

/// The checks of `allow` beside scopes, in the order of the gate.
fn allow(
    inquiry: &Inquiry<'_>,
    route: &Route,
    caller: &Caller,
    presented: &Presented,
    findings: &mut Findings,
) {
    let allow = &route.allow;
    let config = inquiry.config;
    if let Some(issuers) = &allow.issuers {
        let held =
            matches!(caller.signatory(), Signatory::Issuer(place) if issuers.contains(&place));
        let name = config.settings.callers.name_of(caller.signatory());
        judged(
            findings,
            "allow.issuers",
            held.then_some(())
                .ok_or(format!("the issuer is \"{name}\"")),
        );
    }
    if let Some(clients) = &allow.clients {
        let held = caller
            .registration()
            .is_some_and(|place| clients.contains(&place));
        judged(
            findings,
            "allow.clients",
            held.then_some(())
                .ok_or("this client is not listed".to_owned()),
        );
    }
    if allow.same_workload {
        let sender = presented
            .caller()
            .ok()
            .flatten()
            .and_then(|sender| sender.workload());
        let held = caller.workload().is_some() && sender == caller.workload();
        let why = "the certificate is not of the workload that the token names";
        judged(
            findings,
            "allow.same_workload",
            held.then_some(()).ok_or(why.to_owned()),
        );
    }
    if let Some(patterns) = &allow.spiffe {
        let workload = match caller.workload() {
            Some(workload) if allow.issuers.is_none() => Ok(Some(workload)),
            _ => presented
                .caller()
                .map(|caller| caller.and_then(|caller| caller.workload())),
        };
        match workload {
            Ok(Some(workload)) => {
                let held = patterns.matches(workload);
                let why = format!("the workload is {}", workload.as_str());
                judged(findings, "allow.spiffe", held.then_some(()).ok_or(why));
            }
            Ok(None) => judged(
                findings,
                "allow.spiffe",
                Err("the caller is no workload".to_owned()),
            ),
            Err(refusal) => {
                let denial = denial(refusal);
                findings.say("allow", denial.detail.clone());
                findings.fail("allow", denial);
            }
        }
    }
    for (index, condition) in allow.claims.iter().enumerate() {
        let held = condition.check(caller.claims().raw());
        let name = of_claim(index, condition);
        judged(
            findings,
            &name,
            held.map_err(|mismatch| format!("the claim {mismatch}")),
        );
    }
}

fn judged(findings: &mut Findings, name: &str, held: Result<(), String>) {
    findings.ask("allow");
    match &held {
        Ok(()) => findings.say("allow", format!("{name} holds")),
        Err(why) => {
            findings.say("allow", format!("{name} does not hold: {why}"));
            findings.fail("allow", Denial::new(Reason::NotAllowed, why.clone()));
        }
    }
    let (step, name) = ("allow", name.to_owned());
    findings.checks.push(Checked { step, name, held });
}

/// The caller by whose certificate the route is opened beside a token is checked as well.
fn beside(
    inquiry: &Inquiry<'_>,
    route: &Route,
    caller: &Caller,
    presented: &Presented,
    view: &RequestView<'_>,
    findings: &mut Findings,
) {
    let allow = &route.allow;
    let by_certificate = allow.same_workload
        || allow.spiffe.is_some() && (allow.issuers.is_some() || caller.workload().is_none());
    if by_certificate && let Some(sender) = presented.caller().ok().flatten() {
        let header = inquiry.config.settings.audit.purpose_header.as_deref();
        let purpose = header.and_then(|name| inquiry.headers.sole(name).one());
        for client in inquiry
            .config
            .settings
            .callers
            .clients
            .each(sender.registrations())
        {
            if let Err(denial) = client.check(view.source, purpose, inquiry.now()) {
                findings.say("allow", format!("of the certificate: {}", denial.detail));
                findings.fail("allow", denial);
            }
        }
    }
}

fn when(
    inquiry: &Inquiry<'_>,
    route: &Route,
    caller: &Caller,
    view: &RequestView<'_>,
    findings: &mut Findings,
) {
    let issued = caller.claims().issued_at();
    let facts = Facts {
        request: *view,
        now: inquiry.now(),
        token_age: issued.map(|iat| inquiry.now().since(iat.instant())),
    };
    for (index, condition) in route.when.conditions().iter().enumerate() {
        let name = of_context(index, condition);
        // A body that was not declared is counted as it comes.
        let streamed = match (condition, view.body_bytes, inquiry.asked.body_bytes) {
            (Condition::BodyBytesMax(max), None, bytes) if bytes > *max => {
                Some(format!("more than {max} bytes of body came"))
            }
            _ => None,
        };
        let held = condition.check(&facts);
        findings.ask("when");
        match (&held, &streamed) {
            (Ok(()), None) => findings.say("when", format!("{name} holds")),
            (Ok(()), Some(why)) => findings.say("when", format!("{name} does not hold: {why}")),
            (Err(why), _) => {
                findings.say("when", format!("{name} does not hold: {why}"));
                findings.fail("when", why.clone().into());
            }
        }
        let held = held
            .map_err(|why| why.to_string())
            .and(streamed.map_or(Ok(()), Err));
        findings.checks.push(Checked {
            step: "when",
            name,
            held,
        });
    }
}

fn described(condition: &Condition) -> String {
    match condition {
        Condition::QueryIn { name, values, .. } => format!("query {name} in {}", values.join(", ")),
        Condition::QueryRange { name, .. } => format!("query {name} within its range"),
        Condition::HeaderIn { name, values, .. } => {
            format!("header {name} in {}", values.join(", "))
        }
        Condition::Source(networks) => {
            let networks: Vec<String> = networks
                .networks()
                .iter()
                .map(ToString::to_string)
                .collect();
            format!("source in {}", networks.join(", "))
        }
        Condition::Hours(_) => "hours".to_owned(),
        Condition::BodyBytesMax(max) => format!("body_bytes_max {max}"),
        Condition::TokenAgeMax(max) => format!("token_age_max {}", moment::spoken(*max)),
    }
}
