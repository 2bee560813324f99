//! The decision: a pure function of configuration, request, memory and instant.
//!
//! Which checks are made, and in which order, is [`mod@super::steps`].

use std::net::IpAddr;
use std::rc::Rc;

use super::steps::{self, Case, Request, State, Step, Unread, Watch, throttled};
use crate::base::{KeyOwnerId, Now, RouteId};
use crate::caller::certificate::Forwarding;
use crate::caller::identity::Proven;
use crate::caller::{Caller, Refusal, Wanted};
use crate::crypto::Work;
use crate::decision::{Denial, Mode, Reason};
use crate::gate::judge::Judge;
use crate::gate::settings::Settings;
use crate::limits::{Charged, Counters};
use crate::risk::watch::Assessment;

/// What was decided, and what was learned on the way.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Allow, or deny for a reason.
    pub verdict: Result<(), Denial>,
    /// Whether a denial is enforced.
    pub mode: Mode,
    /// The matched route.
    pub route: Option<RouteId>,
    /// Whose keys judged the token.
    pub judged_by: Option<KeyOwnerId>,
    /// What its signature cost, and might have.
    pub work: Work,
    /// The caller, once its credential was verified.
    pub caller: Option<Rc<Caller>>,
    /// Whose X.509-SVID came beside the caller's token.
    pub beside: Option<Rc<Caller>>,
    /// The trusted proxy that forwarded the caller's certificate.
    pub forwarded_by: Option<String>,
    /// What becomes of `x-forwarded-client-cert`.
    pub forwarding: Forwarding,
    /// Keys that could change the verdict, if they were fetched.
    pub wanted: Option<Wanted>,
    /// How much of the body could change the verdict, if it were read.
    pub unread: Option<Unread>,
    /// How unusual the request is for its caller; none where that is not asked.
    pub risk: Option<Assessment>,
    /// What was charged.
    pub charged: Charged,
    /// Whether the source would have been turned away, if that were enforced.
    pub pressed: bool,
    /// Whether a token that was sent to a public route goes on.
    pub passes_on: bool,
}

impl Decision {
    /// A decision about a request of which nothing was learned.
    #[must_use]
    pub fn bare(verdict: Result<(), Denial>, mode: Mode) -> Self {
        Self {
            verdict,
            mode,
            route: None,
            judged_by: None,
            work: Work::default(),
            caller: None,
            beside: None,
            forwarded_by: None,
            forwarding: Forwarding::default(),
            wanted: None,
            unread: None,
            risk: None,
            charged: Charged::default(),
            pressed: false,
            passes_on: false,
        }
    }
}

/// Decides a request: `Decision = f(&Config, &Request, &mut State, Now)`.
///
/// The configuration, the keys in force and the instant are in `judge`; `watch` is shown each of the
/// `steps`.
pub fn decide<'a, W: Watch>(
    steps: &'static [Step],
    judge: &Judge<'a>,
    request: &Request<'a>,
    state: &mut State<'_>,
    watch: &mut W,
) -> Decision {
    let (mut case, verdict) = steps::walk(steps, judge, request, state, watch);
    if let Err(refusal) = &verdict
        && let Some(assessment) = steps::note_refused(judge, request, state, &case, refusal)
    {
        case.risk = Some(assessment);
    }
    let (verdict, wanted) = match verdict {
        Ok(()) => (Ok(()), None),
        Err(Refusal::Denied(denial)) => (Err(denial), None),
        Err(Refusal::Keys(wanted, denial)) => (Err(denial), Some(wanted)),
    };
    decision(judge.config, case, verdict, wanted)
}

fn decision(
    config: &Settings,
    case: Case<'_>,
    verdict: Result<(), Denial>,
    wanted: Option<Wanted>,
) -> Decision {
    let by_token = |caller: &Rc<Caller>| matches!(caller.proven(), Proven::Jwt | Proven::JwtSvid);
    let is_by_token = case.caller.as_ref().is_some_and(by_token);
    let presented = case.presented;
    let beside = presented.caller().ok().flatten().filter(|_| is_by_token);
    Decision {
        verdict,
        mode: case
            .matched
            .map_or(config.mode, |matched| config.mode_of(matched.route)),
        route: case.matched.map(|matched| matched.id),
        judged_by: case.judged_by,
        work: case.work,
        beside: beside.map(Rc::clone),
        caller: case.caller,
        forwarded_by: presented.forwarded_by,
        forwarding: presented.forwarding,
        wanted,
        unread: case.unread,
        risk: case.risk,
        charged: case.charged,
        pressed: case.pressed,
        passes_on: case.passes_on,
    }
}

/// Charges a refusal to the source it came from, if it is one that could be repeated to guess or to
/// wear the gate out; a source that has no failures left is told that instead. Requests of which no
/// source is known are charged as one.
///
/// What is charged is the price of the signatures that were checked for it, and one failure at least.
/// Whoever sends no credential is told to send one, and is not charged for it.
pub fn charge_failure(
    config: &Settings,
    counters: &mut Counters<'_>,
    source: Option<IpAddr>,
    now: Now,
    decision: &mut Decision,
) {
    let (Some(pressure), Err(denial)) = (&config.source.pressure, &decision.verdict) else {
        return;
    };
    let failed = denial.reason.status() == 401 || denial.reason == Reason::CredentialAmbiguous;
    if !failed || denial.reason == Reason::CredentialMissing {
        return;
    }
    let Some(until) = counters.failed(pressure, source, decision.work, now) else {
        return;
    };
    decision.pressed = true;
    if pressure.mode == Mode::Enforce {
        decision.verdict = Err(throttled(source, until, now));
        // As where the source is turned away before its token is looked at.
        decision.judged_by = None;
    }
}
