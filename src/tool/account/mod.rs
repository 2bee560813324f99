//! A decision step by step: what the filter's own gate decided, and what each check saw.
//!
//! The verdict is the gate's. Beside it every check is made here once more, with the same functions
//! of the core, so that those that the gate never came to are told of too; where the first of them
//! that fails is not the gate's reason, the account says so.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `route` | path and route, and why that one |
//! | `credential` | from the header field to a caller |
//! | `permission` | client, proof, scopes, allow, when |
//! | `change` | what would have to be otherwise |
//! | `write` | its forms |

mod change;
mod credential;
mod permission;
mod route;
mod write;

use std::rc::Rc;

use postern_core::base::Now;
use postern_core::caller::certificate::{Presented, Surroundings};
use postern_core::caller::{Caller, Judge, Known, Refusal};
use postern_core::config::Config;
use postern_core::crypto::Pure;
use postern_core::decision::{Denial, Reason};
use postern_core::gate::Route;
use postern_core::gate::decide::{check_connection, check_method, check_upstream};
use postern_core::keys::ring::Ring;
use postern_core::proof::Connection;
use postern_core::request::split_target;
use postern_core::request::{Headers, RequestView};

use crate::certificate::Certificate;
use crate::trial::{Answer, Asked};

pub use permission::names as conditions;
pub use write::{json, text};

/// The steps of a decision, in their order.
const STEPS: [&str; 11] = [
    "path",
    "route",
    "source",
    "credential",
    "client",
    "proof",
    "scopes",
    "allow",
    "when",
    "risk",
    "limits",
];

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
}

/// One condition of a route, and whether it holds of a request.
pub struct Checked {
    pub step: &'static str,
    pub name: String,
    pub held: Result<(), String>,
}

/// A decision step by step.
pub struct Account {
    pub reason: String,
    pub detail: String,
    pub status: u16,
    pub mode: String,
    pub identity: Option<String>,
    pub steps: Vec<Step>,
    pub change: Option<String>,
    /// The reason that the checks made here come to, where it is not the gate's.
    pub disagreement: Option<String>,
    /// The place of the route.
    pub route: Option<usize>,
    /// The place of the registered client.
    pub client: Option<usize>,
    /// The conditions of the route, as far as they could be judged.
    pub checks: Vec<Checked>,
}

/// What a decision was made of.
struct Inquiry<'a> {
    config: &'a Config,
    headers: &'a Headers,
    asked: &'a Asked,
    judge: Judge<'a>,
}

/// What the steps found out, each in its turn.
#[derive(Default)]
struct Findings {
    says: Vec<(&'static str, Vec<String>)>,
    asked: Vec<&'static str>,
    first: Option<(&'static str, Denial)>,
    later: Vec<&'static str>,
    checks: Vec<Checked>,
}

impl Findings {
    fn say(&mut self, step: &'static str, what: impl Into<String>) {
        match self.says.iter_mut().find(|(name, _)| *name == step) {
            Some((_, says)) => says.push(what.into()),
            None => self.says.push((step, vec![what.into()])),
        }
    }

    fn ask(&mut self, step: &'static str) {
        if !self.asked.contains(&step) {
            self.asked.push(step);
        }
    }

    fn fail(&mut self, step: &'static str, denial: Denial) {
        self.ask(step);
        if self.first.is_none() {
            self.first = Some((step, denial));
        } else {
            self.later.push(step);
        }
    }
}

/// Gives account of what the gate answered.
pub fn of(config: &Config, asked: &Asked, answer: &Answer) -> Account {
    let fields = asked.fields.iter();
    let headers = Headers::new(fields.map(|(name, value)| (name.as_str(), value.as_str())));
    let ring = Ring::default();
    let judge = Judge {
        settings: &config.settings.callers,
        ring: &ring,
        crypto: &Pure,
        now: asked.now,
    };
    let inquiry = Inquiry {
        config,
        headers: &headers,
        asked,
        judge,
    };
    let mut findings = Findings::default();
    let (route, caller) = inquiry.walk(&mut findings);
    account(config, answer, asked, findings, route, caller.as_deref())
}

fn account(
    config: &Config,
    answer: &Answer,
    asked: &Asked,
    mut findings: Findings,
    route: Option<usize>,
    caller: Option<&Caller>,
) -> Account {
    let reason = Reason::ALL
        .iter()
        .find(|reason| reason.code() == answer.reason());
    let failed = reason.and_then(|reason| failing_step(*reason, findings.first.as_ref()));
    late(config, answer, route, &mut findings);
    let own = findings.first.as_ref().map(|(_, denial)| denial.reason);
    // What depends on others' requests, or on the body that follows, is the gate's to say.
    let ours = reason.copied().filter(|reason| is_judged_here(*reason));
    let body = own.is_none() && failed == Some("when");
    let disagreement = (own != ours && !body && (ours.is_some() || reason.is_none()))
        .then(|| own.map_or("allowed", Reason::code).to_owned());
    let change = reason.map(|reason| change::of(*reason, answer, config));
    Account {
        reason: answer.reason().to_owned(),
        detail: answer.detail().to_owned(),
        status: answer
            .reply
            .as_ref()
            .map_or(asked.status, |reply| reply.status),
        mode: answer.text("/unmapped/mode").to_owned(),
        identity: caller.map(|caller| caller.identity().to_owned()),
        steps: steps(&findings, failed),
        change,
        disagreement,
        route,
        client: caller.and_then(Caller::registration),
        checks: findings.checks,
    }
}

/// Says of risk and limits what the event says.
fn late(config: &Config, answer: &Answer, route: Option<usize>, findings: &mut Findings) {
    if let Some(score) = answer.event.pointer("/risk_score") {
        let why = answer.text("/risk_details");
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        findings.ask("risk");
        findings.say("risk", format!("score {score}{why}"));
    }
    let route = route.and_then(|place| config.settings.routes.route(place));
    let route = route.filter(|route| !route.public);
    for limit in route.iter().flat_map(|route| &route.limits) {
        let Some(limit) = config.settings.limits.get(*limit) else {
            continue;
        };
        findings.ask("limits");
        let refused = answer.text("/unmapped/limit") == limit.name;
        let word = if refused { ": used up" } else { "" };
        findings.say("limits", format!("{}{word}", limit.name));
    }
}

fn steps(findings: &Findings, failed: Option<&'static str>) -> Vec<Step> {
    let mut reached = true;
    let mut steps = Vec::new();
    for name in STEPS {
        let says = findings.says.iter().find(|(step, _)| *step == name);
        let mut says = says.map(|(_, says)| says.clone()).unwrap_or_default();
        let outcome = if failed == Some(name) {
            reached = false;
            Outcome::Failed
        } else if !reached {
            if findings.later.contains(&name) {
                says.push("would fail as well".to_owned());
            }
            Outcome::NotReached
        } else if findings.asked.contains(&name) {
            Outcome::Passed
        } else {
            Outcome::NotAsked
        };
        steps.push(Step {
            name,
            outcome,
            says,
        });
    }
    steps
}

/// The step that refuses for a reason; where it could be several, the one that was found to fail.
fn failing_step(reason: Reason, found: Option<&(&'static str, Denial)>) -> Option<&'static str> {
    if let Some((step, denial)) = found
        && denial.reason == reason
    {
        return Some(*step);
    }
    Some(match reason {
        Reason::PathAmbiguous | Reason::ConnectionAmbiguous => "path",
        Reason::MethodAmbiguous | Reason::RouteUnknown | Reason::UpstreamMismatch => "route",
        Reason::SourceThrottled => "source",
        Reason::ClientUnregistered
        | Reason::ClientSuspended
        | Reason::ClientExpired
        | Reason::SourceNotAllowed => "client",
        Reason::ProofMissing | Reason::ProofInvalid | Reason::ProofReplayed => "proof",
        Reason::ScopeMissing => "scopes",
        Reason::NotAllowed | Reason::DelegationDenied => "allow",
        Reason::ContextDenied | Reason::QueryAmbiguous => "when",
        Reason::RiskDenied => "risk",
        Reason::RateLimited | Reason::QuotaExceeded | Reason::LimitsUnavailable => "limits",
        Reason::HostUnavailable | Reason::ConfigInvalid => return None,
        Reason::CredentialMissing
        | Reason::CredentialAmbiguous
        | Reason::CredentialMalformed
        | Reason::IssuerUnknown
        | Reason::AlgorithmNotAllowed
        | Reason::KeyUnknown
        | Reason::SignatureInvalid
        | Reason::KeyAmbiguous
        | Reason::TypeMismatch
        | Reason::TokenExpired
        | Reason::TokenNotYetValid
        | Reason::TokenLifetimeExceeded
        | Reason::AudienceMismatch
        | Reason::ClaimMissing
        | Reason::TokenRevoked
        | Reason::KeysUnavailable
        | Reason::SvidInvalid
        | Reason::TrustDomainUnknown => "credential",
    })
}

const fn is_judged_here(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::SourceThrottled
            | Reason::RiskDenied
            | Reason::RateLimited
            | Reason::QuotaExceeded
            | Reason::LimitsUnavailable
            | Reason::HostUnavailable
            | Reason::ConfigInvalid
    )
}

impl Inquiry<'_> {
    /// Walks through every step that can be judged; the place of the route, and the caller.
    fn walk(&self, findings: &mut Findings) -> (Option<usize>, Option<Rc<Caller>>) {
        let target = self.headers.only(":path").unwrap_or_default();
        let (raw, query) = split_target(target);
        let Some(path) = route::path(raw, findings) else {
            return (None, None);
        };
        if route::method(self.text(":method"), findings).is_none() {
            return (None, None);
        }
        let Some((place, route)) = route::find(self, &path, findings) else {
            return (None, None);
        };
        if let Err(denial) = check_connection(self.headers, &self.config.settings) {
            findings.say("path", denial.detail.clone());
            findings.fail("path", denial);
            return (Some(place), None);
        }
        let chosen = || self.asked.upstream.clone().map(String::into_bytes);
        if let Err(denial) = check_upstream(route, chosen) {
            findings.fail("route", denial);
        }
        if route.public {
            findings.say(
                "route",
                "public: no credential is asked for, and nothing else is checked",
            );
            return (Some(place), None);
        }
        let Ok(query) = query.map(std::str::from_utf8).transpose() else {
            findings.fail(
                "path",
                Denial::new(Reason::PathAmbiguous, "the query is not UTF-8"),
            );
            return (Some(place), None);
        };
        if let Err(denial) = check_method(self.text(":method"), query, &self.config.settings) {
            findings.say("path", denial.detail.clone());
            findings.fail("path", denial);
            return (Some(place), None);
        }
        let known = &mut Known::default();
        let around = Surroundings {
            headers: self.headers,
            peer: self
                .asked
                .source
                .filter(|peer| peer.port() != 0)
                .map(|peer| peer.ip()),
            connection: self,
        };
        let presented = Presented::of(&self.judge, known, around);
        let caller = credential::find(self, route, &presented, query, findings);
        if let Some(caller) = &caller {
            let view = self.view(query);
            permission::check(self, route, caller, &presented, &view, findings);
        }
        (Some(place), caller)
    }

    fn view<'v>(&'v self, query: Option<&'v str>) -> RequestView<'v> {
        RequestView {
            method: self.text(":method"),
            authority: self.text(":authority"),
            query,
            headers: self.headers,
            source: self.source(),
            body_bytes: self.text("content-length").parse().ok(),
        }
    }

    fn text(&self, name: &str) -> &str {
        let value = self.asked.fields.iter().find(|(own, _)| own == name);
        value.map_or("", |(_, value)| value.as_str())
    }

    /// The caller's address, behind the proxies that are trusted.
    fn source(&self) -> Option<std::net::IpAddr> {
        let peer = self.asked.source?.ip();
        let forwarded = self.config.settings.source.forwarded.as_ref();
        Some(forwarded.map_or(peer, |forwarded| forwarded.caller(peer, self.headers)))
    }

    fn now(&self) -> Now {
        self.asked.now
    }
}

impl Connection for Inquiry<'_> {
    fn peer_certificate_sha256(&self) -> Option<[u8; 32]> {
        self.asked
            .certificate
            .as_ref()
            .map(|certificate| certificate.sha256)
    }

    fn peer_certificate(&self) -> Option<Vec<u8>> {
        let certificate: Option<&Certificate> = self.asked.certificate.as_ref();
        certificate.map(|certificate| certificate.pem.clone())
    }

    fn peer_certificate_validated(&self) -> bool {
        self.asked.certificate.is_some()
    }
}

fn denial(refusal: Refusal) -> Denial {
    match refusal {
        Refusal::Denied(denial) | Refusal::Keys(_, denial) => denial,
    }
}

/// The name of a route, quoted.
fn quoted(route: &Route) -> String {
    format!("\"{}\"", route.name)
}
