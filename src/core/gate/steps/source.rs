//! Where a request comes from: who keeps failing is turned away.

use std::net::IpAddr;

use super::case::{Case, Checked, Learned, StepOutcome, Verdict};
use super::request::Request;
use super::state::{COUNTED, State};
use crate::base::Now;
use crate::decision::{Denial, Mode, Reason};
use crate::gate::judge::Judge;
use crate::limits::Counters;
use crate::limits::pressure::Look;

/// The source had not failed too often when this worker last looked, a moment ago at most.
pub(super) fn source<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    state: &mut State<'_>,
) -> StepOutcome<'a> {
    look(judge, request, state, Look::Glance)
}

/// The source has not failed too often as it is now: a signature is about to be checked.
pub(super) fn pressure<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
    state: &mut State<'_>,
) -> StepOutcome<'a> {
    match case.new_token() {
        Ok(_) => look(judge, request, state, Look::Exact),
        Err(verdict) => Checked::Err(verdict).into(),
    }
}

fn look<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    state: &mut State<'_>,
    look: Look,
) -> StepOutcome<'a> {
    if judge.config.source.pressure.is_none() {
        return Checked::Err(Verdict::NotAsked).into();
    }
    let Some(counters) = &mut state.counters else {
        return Checked::Err(Verdict::NotJudged(COUNTED)).into();
    };
    let (learned, verdict) = match pressed(judge, request, counters, look) {
        None => (Learned::Nothing, Verdict::Passed),
        Some(Ok(())) => (Learned::Pressed, Verdict::Passed),
        Some(Err(denial)) => (Learned::Pressed, denial.into()),
    };
    StepOutcome { learned, verdict }
}

/// None where the source has not failed too often; else whether that is enforced.
pub(super) fn pressed(
    judge: &Judge<'_>,
    request: &Request<'_>,
    counters: &mut Counters<'_>,
    look: Look,
) -> Option<Result<(), Denial>> {
    let pressure = judge.config.source.pressure.as_ref()?;
    let (source, now) = (request.source, judge.now());
    let until = counters.throttled(pressure, source, look, now)?;
    Some(match pressure.mode {
        Mode::Enforce => Err(throttled(source, until, now)),
        Mode::Observe => Ok(()),
    })
}

/// The denial of a source that has failed too often.
pub fn throttled(source: Option<IpAddr>, until: Now, now: Now) -> Denial {
    let wait = until.since(now);
    let detail = match source {
        Some(_) => "too many requests from this address failed to authenticate",
        None => "too many requests of which no address is known failed to authenticate",
    };
    Denial::new(Reason::SourceThrottled, detail).after(wait)
}
