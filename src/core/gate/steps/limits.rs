//! How much a caller may.

use super::case::{Case, Checked, Learned, StepOutcome, Verdict};
use super::request::Request;
use super::state::{COUNTED, State};
use crate::decision::Denial;
use crate::gate::judge::Judge;
use crate::limits::{Charged, CountedBy, RouteLimits};

/// Every limit of the route has room, and is charged.
pub(super) fn limits<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
    state: &mut State<'_>,
) -> StepOutcome<'a> {
    match charge(judge, request, case, state) {
        Ok((charged, verdict)) => StepOutcome {
            learned: Learned::Charged(charged),
            verdict: verdict.map_or_else(Verdict::from, |()| Verdict::Passed),
        },
        Err(verdict) => Checked::Err(verdict).into(),
    }
}

fn charge(
    judge: &Judge<'_>,
    request: &Request<'_>,
    case: &Case<'_>,
    state: &mut State<'_>,
) -> Result<(Charged, Result<(), Denial>), Verdict> {
    let (config, route, caller) = (judge.config, case.route()?, case.caller()?);
    if route.limits.is_empty() {
        return Err(Verdict::NotAsked);
    }
    let counters = state.counters.as_mut();
    let counters = counters.ok_or(Verdict::NotJudged(COUNTED))?;
    let subject = CountedBy {
        caller,
        issuer: config.callers.name_of(caller.signatory()),
        route: &route.name,
        view: &request.view(case.query()?),
    };
    let risk = case.risk.as_ref();
    let limits = RouteLimits {
        all: &config.limits,
        own: &route.limits,
        factor: risk.map_or(1, |risk| risk.reaction.factor),
    };
    Ok(counters.charge(limits, &subject, judge.now()))
}
