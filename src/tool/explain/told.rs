//! What is told of a decision: its own steps, as the gate made them, each with what it saw.

use postern_core::base::{ClientId, LimitId, RouteId};
use postern_core::caller::Caller;
use postern_core::decision::{Denial, Reason};
use postern_core::gate::Settings;
use postern_core::gate::steps::{Seen, Verdict, Watch};

use super::permission::Checked;
use super::{change, credential, permission, route};
use crate::trial::{Answer, Asked};

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    /// An earlier step failed.
    NotReached,
    /// Nothing asks for it.
    NotAsked,
}

/// One step of a decision.
pub struct Step {
    pub name: &'static str,
    pub outcome: Outcome,
    pub says: Vec<String>,
    /// Why it refuses.
    pub denial: Option<Denial>,
}

/// A decision step by step, taken down while it is made.
#[derive(Default)]
pub struct Told {
    /// Whether the token only stands in for claims.
    given_claims: bool,
    pub steps: Vec<Step>,
    /// The place of the route.
    pub route: Option<RouteId>,
    /// The place of the registered client.
    pub client: Option<ClientId>,
    pub identity: Option<String>,
    /// The conditions of the route that were asked, to the first that does not hold.
    pub conditions: Vec<Checked>,
    /// The places of the limits that were asked, and whether each had room.
    pub limits: Vec<(LimitId, bool)>,
}

/// A decision step by step, and what became of the request.
pub struct Account {
    pub reason: String,
    pub detail: String,
    pub status: u16,
    pub mode: String,
    pub change: Option<String>,
    pub told: Told,
}

impl Watch for Told {
    fn begin(&mut self) {
        let given_claims = self.given_claims;
        *self = Self {
            given_claims,
            ..Self::default()
        };
    }

    fn saw(&mut self, seen: &Seen<'_, '_>) {
        if seen.decides {
            self.note(seen);
        }
        let denial = match seen.verdict {
            Verdict::Refused(refusal) => Some(refusal.denial()),
            _ => None,
        };
        let mut says: Vec<String> = denial
            .map(|denial| denial.detail.to_string())
            .into_iter()
            .collect();
        self.add(seen, &mut says);
        if denial.is_some() && !seen.decides {
            says.push("would fail as well".to_owned());
        }
        let outcome = match seen.verdict {
            Verdict::NotAsked => Outcome::NotAsked,
            _ if !seen.decides => Outcome::NotReached,
            Verdict::Passed | Verdict::Ended => Outcome::Passed,
            Verdict::Refused(_) | Verdict::NotJudged(_) | Verdict::NeedsBody(_) => Outcome::Failed,
        };
        self.steps.push(Step {
            name: seen.step,
            outcome,
            says,
            denial: denial.cloned(),
        });
    }
}

impl Told {
    /// Nothing yet of what is asked.
    pub fn of(asked: &Asked) -> Self {
        Self {
            given_claims: asked.given_claims,
            ..Self::default()
        }
    }

    /// Takes down what the request itself came to.
    fn note(&mut self, seen: &Seen<'_, '_>) {
        let case = seen.case;
        self.route = case.matched.map(|matched| matched.id);
        if let Some(caller) = case.caller.as_deref() {
            self.client = Caller::registration(caller);
            self.identity = Some(caller.identity().to_owned());
        }
        if !matches!(seen.verdict, Verdict::Passed | Verdict::Refused(_)) {
            return;
        }
        self.conditions.extend(permission::checked(seen));
        if seen.step == "limits" {
            let limits = case
                .matched
                .iter()
                .flat_map(|matched| &matched.route.limits);
            let refused = case.charged.refused_by;
            self.limits = limits
                .map(|limit| (*limit, refused != Some(*limit)))
                .collect();
        }
    }

    /// Adds what a step says beside its refusal.
    fn add(&self, seen: &Seen<'_, '_>, says: &mut Vec<String>) {
        match seen.verdict {
            Verdict::NotAsked => return,
            Verdict::NotJudged(needed) => {
                says.push(format!("cannot be judged without {needed}"));
                // What a token says is worth knowing even where nobody can tell whose it is.
                if seen.step != "claims" {
                    return;
                }
            }
            Verdict::NeedsBody(_) => says.push("cannot be judged without the body".to_owned()),
            Verdict::Passed | Verdict::Ended | Verdict::Refused(_) => {}
        }
        match seen.step {
            "path" => route::path(seen, says),
            "method" => route::method(seen, says),
            "route" => route::route(seen, says),
            "public" => {
                says.push("no credential is asked for, and nothing else is checked".to_owned());
            }
            "source" | "pressure" if seen.case.pressed => {
                says.push("the source has failed too often".to_owned());
            }
            "credential" => credential::credential(seen, self.given_claims, says),
            "known" => credential::known(seen, says),
            "signature" if !self.given_claims => credential::signature(seen, says),
            "claims" => credential::claims(seen, says),
            "client" => permission::client(seen, says),
            "proof" => permission::proof(seen, says),
            "scopes" => permission::scopes(seen, says),
            "allow" => permission::allow(seen, says),
            "when" => permission::when(seen, says),
            "risk" => risk(seen, says),
            "limits" => limits(seen, says),
            _ => {}
        }
    }

    /// Gives account of what the gate answered.
    pub fn account(mut self, config: &Settings, asked: &Asked, answer: &Answer) -> Account {
        let reasons = Reason::ALL.iter().copied();
        let reason = reasons
            .into_iter()
            .find(|one| one.code() == answer.reason());
        if let Some(reason) = reason {
            self.end(reason, answer.detail());
        }
        Account {
            reason: answer.reason().to_owned(),
            detail: answer.detail().to_owned(),
            status: answer
                .reply
                .as_ref()
                .map_or(asked.status, |reply| reply.status),
            mode: answer.text("/unmapped/mode").to_owned(),
            change: reason.map(|reason| change::of(reason, answer, config)),
            told: self,
        }
    }

    /// Says of a refusal that came behind the steps which of them it belongs to: the body grew too
    /// long as it came, or the failure was the last that its source had.
    fn end(&mut self, reason: Reason, detail: &str) {
        let failed = |step: &&mut Step| step.outcome == Outcome::Failed;
        if let Some(step) = self.steps.iter_mut().find(failed) {
            let own = step.denial.as_ref().map(|denial| denial.reason);
            if own != Some(reason) {
                step.says.push(format!("{}: {detail}", reason.code()));
            }
        } else if reason == Reason::ContextDenied
            && let Some(step) = self.steps.iter_mut().find(|step| step.name == "when")
        {
            step.outcome = Outcome::Failed;
            step.says.push(detail.to_owned());
            permission::outgrown(&mut self.conditions);
        }
    }
}

fn risk(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    if let (Some(risk), Verdict::Passed) = (&seen.case.risk, seen.verdict) {
        let why = if risk.details.is_empty() {
            String::new()
        } else {
            format!(": {}", risk.details)
        };
        says.push(format!("score {}{why}", risk.score));
    }
}

fn limits(seen: &Seen<'_, '_>, says: &mut Vec<String>) {
    let charged = &seen.case.charged;
    let places = seen
        .case
        .matched
        .iter()
        .flat_map(|matched| &matched.route.limits);
    for place in places {
        let Some(limit) = seen.judge.config.limits.get(*place) else {
            continue;
        };
        let word = if charged.refused_by == Some(*place) {
            ": used up"
        } else if charged.observed.contains(place) {
            ": used up, and only observed"
        } else {
            ""
        };
        says.push(format!("{}{word}", limit.name));
    }
}
