//! Whether a known caller may: what each condition came to.

use postern_core::gate::Route;
use postern_core::gate::steps::permission::{conditions, facts};
use postern_core::gate::steps::{Seen, Verdict};
use postern_core::jose::Scope;
use postern_core::policy::Condition;

use crate::text::printable;

/// One condition of a route, and whether it holds of a request.
pub struct Checked {
    pub name: String,
    pub held: bool,
    /// Whether it is about a body that is counted as it comes.
    streamed: bool,
}

/// The names of the conditions of a route, as they are told of.
pub fn names(route: &Route) -> Vec<String> {
    let scopes = &route.allow.scopes;
    let has_scopes = !(scopes.all.is_empty() && scopes.any.is_empty() && scopes.none.is_empty());
    let scopes = has_scopes.then(|| "allow.scopes".to_owned());
    let mut names: Vec<String> = scopes.into_iter().collect();
    names.extend(conditions(&route.allow).map(|condition| condition.to_string()));
    let when = route.when.conditions().iter().enumerate();
    names.extend(when.map(|(place, condition)| of_when(place, condition)));
    names
}

fn of_when(place: usize, condition: &Condition) -> String {
    format!("when[{place}] {condition}")
}

/// The conditions that a step asked, to the first that does not hold.
pub fn checked(seen: &Seen<'_, '_>) -> Vec<Checked> {
    let all = match seen.step {
        "scopes" => vec![("allow.scopes".to_owned(), is_passed(seen), false)],
        "allow" => each_of_allow(seen)
            .into_iter()
            .map(|(name, held)| (name, held.is_ok(), false))
            .collect(),
        "when" => each_of_when(seen)
            .into_iter()
            .map(|(name, held, streamed)| (name, held.is_ok(), streamed))
            .collect(),
        _ => Vec::new(),
    };
    let mut came = true;
    let asked = all
        .into_iter()
        .take_while(|(_, held, _)| std::mem::replace(&mut came, *held));
    asked
        .map(|(name, held, streamed)| Checked {
            name,
            held,
            streamed,
        })
        .collect()
}

/// Takes note that more of a body came than a condition lets through.
pub fn outgrown(conditions: &mut [Checked]) {
    for condition in conditions.iter_mut().filter(|condition| condition.streamed) {
        condition.held = false;
    }
}

fn is_passed(seen: &Seen<'_, '_>) -> bool {
    *seen.verdict == Verdict::Passed
}

/// Who the caller is registered as.
pub fn client(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    let clients = &seen.judge.config.callers.clients;
    let Some(caller) = &seen.case.caller else {
        return;
    };
    let own = caller.registration().and_then(|place| clients.get(place));
    says.push(match own {
        Some(client) => {
            let owner = client.owner.as_deref().unwrap_or("nobody named");
            let ends = client
                .expires
                .map_or("without end".to_owned(), |day| format!("until {day}"));
            let (name, owner) = (&client.name, printable(owner));
            format!("\"{name}\", registered {ends}; owner: {owner}")
        }
        None if clients.unregistered => "is not registered; whoever is not may call".to_owned(),
        None => "is not registered; whoever is not may not call".to_owned(),
    });
}

/// What the token is bound to.
pub fn proof(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    let caller = seen.case.caller.as_ref();
    if let Some(caller) = caller.filter(|_| seen.case.token.is_some()) {
        says.push(match caller.claims().confirmation() {
            Some(_) => "the token is bound to a key".to_owned(),
            None => "the token is bound to nothing".to_owned(),
        });
    }
}

/// What scopes are asked for, and which were granted.
pub fn scopes(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    let (Some(matched), Some(caller)) = (seen.case.matched, &seen.case.caller) else {
        return;
    };
    let rule = &matched.route.allow.scopes;
    let parts = [
        ("all of", &rule.all),
        ("one of", &rule.any),
        ("none of", &rule.none),
    ];
    let asked = parts.iter().filter(|(_, list)| !list.is_empty());
    let asked: Vec<String> = asked
        .map(|(word, list)| format!("{word} {}", listed(list)))
        .collect();
    let granted = match caller.scope_line() {
        "" => "none".to_owned(),
        scopes => printable(scopes),
    };
    says.push(format!(
        "asks for {}; granted: {granted}",
        asked.join(" and ")
    ));
}

fn listed(scopes: &[Scope]) -> String {
    let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    scopes.join(" ")
}

/// Which conditions of `allow` hold.
pub fn allow(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    says.extend(
        each_of_allow(seen)
            .into_iter()
            .map(|(name, held)| told(&name, held)),
    );
}

fn each_of_allow(seen: &Seen<'_, '_>) -> Vec<(String, Result<(), String>)> {
    let (Some(matched), Some(caller)) = (seen.case.matched, &seen.case.caller) else {
        return Vec::new();
    };
    let each = conditions(&matched.route.allow).map(|condition| {
        let held = condition.check(seen.judge, caller, &seen.case.presented);
        let held = held.map_err(|refusal| refusal.denial().detail.to_string());
        (condition.to_string(), held)
    });
    each.collect()
}

/// Which conditions of `when` hold.
pub fn when(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    for (name, held, streamed) in each_of_when(seen) {
        says.push(if streamed {
            format!("{name} is counted as the body comes")
        } else {
            told(&name, held)
        });
    }
}

fn each_of_when(seen: &Seen<'_, '_>) -> Vec<(String, Result<(), String>, bool)> {
    let facts = facts(seen.judge, seen.request, seen.case);
    let (Some(matched), Ok(facts)) = (seen.case.matched, facts) else {
        return Vec::new();
    };
    let each = matched.route.when.conditions().iter().enumerate();
    let each = each.map(|(place, condition)| {
        let held = condition
            .check(&facts)
            .map_err(|why| why.detail.to_string());
        let is_body = condition.body_bytes_max().is_some();
        let streamed = is_body && seen.request.body_bytes.is_none();
        (of_when(place, condition), held, streamed)
    });
    each.collect()
}

fn told(name: &str, held: Result<(), String>) -> String {
    match held {
        Ok(()) => format!("{name} holds"),
        Err(why) => format!("{name} does not hold: {why}"),
    }
}
