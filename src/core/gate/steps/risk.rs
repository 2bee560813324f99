//! How unusual a request is for its caller.

use super::case::{Case, Checked, Learned, StepOutcome, Verdict};
use super::permission;
use super::request::Request;
use super::state::{COUNTED, State};
use crate::base::ClientId;
use crate::caller::{Caller, Refusal};
use crate::decision::{Denial, Reason};
use crate::gate::judge::Judge;
use crate::gate::settings::{Route, Settings};
use crate::policy::Matched;
use crate::request::NormalPath;
use crate::risk::observation;
use crate::risk::watch::{Assessment, Desk, Subject};
use crate::shared::CellPlace;

/// The request is as this caller's always are, or not unusual enough to be refused.
pub(super) fn risk<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
    state: &mut State<'_>,
) -> StepOutcome<'a> {
    let Some(desk) = &mut state.desk else {
        return Checked::Err(absent(judge, state)).into();
    };
    let visit = match Visit::of(judge, request, case, false) {
        Ok(visit) => visit,
        Err(verdict) => return Checked::Err(verdict).into(),
    };
    let assessment = visit.assess(desk);
    let verdict = check(&assessment).map_or_else(Verdict::from, |()| Verdict::Passed);
    StepOutcome {
        learned: Learned::Risk(assessment),
        verdict,
    }
}

/// Why nobody is judged by what is usual.
fn absent(judge: &Judge<'_>, state: &State<'_>) -> Verdict {
    if judge.config.risk.is_some() && state.is_aside() {
        Verdict::NotJudged(COUNTED)
    } else {
        Verdict::NotAsked
    }
}

fn check(assessment: &Assessment) -> Result<(), Denial> {
    if !assessment.reaction.denied {
        return Ok(());
    }
    let (score, why) = (assessment.score, &assessment.details);
    let detail = format!("the caller's risk is {score}: {why}");
    Err(Denial::new(Reason::RiskDenied, detail))
}

/// Takes note of a request that was refused for what its caller asked, and says what that comes to.
///
/// Whoever does not prove a token its own is not its caller, whatever else it is refused for: what a
/// thief does must not count against the owner. A request that keys or its body are wanted for is decided
/// again.
pub(super) fn refused<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
    refusal: &Refusal,
    desk: &mut Desk<'_>,
) -> Option<Assessment> {
    let is_decided_again = case.unread.is_some() || matches!(refusal, Refusal::Keys(..));
    if case.risk.is_some() || is_decided_again {
        return None;
    }
    let visit = Visit::of(judge, request, case, true).ok()?;
    let is_caller = case.proven || permission::proof(judge, request, case).is_ok();
    is_caller.then(|| visit.assess(desk))
}

/// A request of a known caller.
#[derive(Clone, Copy)]
struct Visit<'c> {
    caller: &'c Caller,
    matched: Matched<'c, Route>,
    path: &'c NormalPath,
    judge: &'c Judge<'c>,
    request: &'c Request<'c>,
    /// Whether it was refused for what it asked.
    refused: bool,
}

impl<'c> Visit<'c> {
    fn of(
        judge: &'c Judge<'_>,
        request: &'c Request<'_>,
        case: &'c Case<'_>,
        refused: bool,
    ) -> Result<Self, Verdict> {
        Ok(Self {
            caller: case.caller()?,
            matched: case.matched()?,
            path: case.path()?,
            judge,
            request,
            refused,
        })
    }

    fn assess(&self, desk: &mut Desk<'_>) -> Assessment {
        let watch = &*desk.watch;
        let route = watch.route(&self.matched.route.name);
        let mut values = self.matched.parameters(self.path).into_iter().peekable();
        let resource = values
            .peek()
            .is_some()
            .then(|| watch.resource(route, values.map(|(_, value)| value)));
        let arrival = observation::Arrival {
            network: self.request.source.map(|source| watch.network(source)),
            token: self.caller.token_mark().map(|mark| watch.token(mark)),
            resource,
            route,
            refused: self.refused,
        };
        let place = watch.place(self.caller.identity());
        let mut subject = subject(self.judge.config, self.caller, place);
        subject.here = self.matched.route.risk.as_deref();
        let mut assessment = desk.arrive(subject, arrival, self.judge.now());
        if self.refused {
            // It goes no further: there is nothing left to do about its score.
            assessment.reaction = desk.settings.reaction(0);
        }
        assessment
    }
}

/// Whose the profile at a place is, for its own sake.
pub fn subject<'a>(config: &'a Settings, caller: &Caller, place: CellPlace) -> Subject<'a> {
    let own =
        |client: ClientId| Some((client, config.callers.clients.get(client)?.risk.as_deref()?));
    Subject {
        place,
        own: caller.registration().and_then(own),
        here: None,
    }
}
