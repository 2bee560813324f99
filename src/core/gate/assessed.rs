//! How unusual a request is for its caller.
//!
//! Pure, as [`decide`](super::decide) is, which says in which order this is asked.

use super::decide::Arrival;
use crate::base::Now;
use crate::caller::Caller;
use crate::decision::{Denial, Reason};
use crate::gate::settings::{Route, Settings};
use crate::policy::Matched;
use crate::request::NormalPath;
use crate::risk::observation;
use crate::risk::watch::{Assessment, Desk, Subject};
use crate::shared::Place;

/// A request of a known caller.
#[derive(Clone, Copy)]
pub(super) struct Visit<'a> {
    pub config: &'a Settings,
    pub caller: &'a Caller,
    pub matched: Matched<'a, Route>,
    pub path: &'a NormalPath,
    pub arrival: &'a Arrival<'a>,
    /// Whether it was refused for what it asked.
    pub refused: bool,
    pub now: Now,
}

/// Takes note of a request, and says what it comes to.
pub(super) fn assess(desk: &mut Desk<'_>, visit: &Visit<'_>) -> Assessment {
    let watch = &*desk.watch;
    let route = watch.route(&visit.matched.route.name);
    let mut values = visit.matched.parameters(visit.path).into_iter().peekable();
    let resource = values
        .peek()
        .is_some()
        .then(|| watch.resource(route, values.map(|(_, value)| value)));
    let arrival = observation::Arrival {
        network: visit.arrival.source.map(|source| watch.network(source)),
        token: visit.caller.token_mark().map(|mark| watch.token(mark)),
        resource,
        route,
        refused: visit.refused,
    };
    let place = watch.place(visit.caller.identity());
    let mut subject = subject(visit.config, visit.caller, place);
    subject.here = visit.matched.route.risk.as_deref();
    let mut assessment = desk.arrive(subject, arrival, visit.now);
    if visit.refused {
        // It goes no further: there is nothing left to do about its score.
        assessment.reaction = desk.settings.reaction(0);
    }
    assessment
}

/// Whose the profile at a place is, for its own sake.
pub(super) fn subject<'a>(config: &'a Settings, caller: &Caller, place: Place) -> Subject<'a> {
    let own = |client: usize| Some((client, config.callers.clients.get(client)?.risk.as_deref()?));
    Subject {
        place,
        own: caller.registration().and_then(own),
        here: None,
    }
}

/// Refuses what is to be refused.
pub(super) fn check(assessment: &Assessment) -> Result<(), Denial> {
    if !assessment.reaction.denied {
        return Ok(());
    }
    let (score, why) = (assessment.score, &assessment.details);
    let detail = format!("the caller's risk is {score}: {why}");
    Err(Denial::new(Reason::RiskDenied, detail))
}
