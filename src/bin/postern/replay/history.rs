//! An identity's requests, one after the other, through the core.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use postern::config::Route;
use postern::policy::RouteTable;
use postern::risk::explain::explain;
use postern::risk::observation::{Event, Observation, Outcome};
use postern::risk::profile::Profile;
use postern::risk::score::score;
use postern::risk::settings::{Reaction, Settings};

use super::traffic::Request;

/// A request when it was judged.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub request: &'a Request,
    pub profile: &'a Profile,
    /// How it was judged.
    pub settings: &'a Settings,
    pub score: u8,
    pub reaction: Reaction,
}

impl Moment<'_> {
    /// What the score is made of.
    pub fn why(&self) -> String {
        let signals = self.profile.signals(self.settings);
        explain(self.profile, &signals, self.settings)
    }
}

/// Takes an identity's requests, in the order of time, and shows each when it is judged.
///
/// As in the filter: what a route says otherwise is for judging its requests alone, and one that is
/// denied has no outcome.
pub fn replay(
    requests: &[Request],
    own: &Settings,
    routes: &RouteTable<Route>,
    mut see: impl FnMut(&Moment<'_>),
) {
    let mut profile = Profile::default();
    let mut under_way: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for request in requests {
        while let Some(Reverse((end, which))) = under_way.peek().copied()
            && end <= request.time
        {
            under_way.pop();
            if let Some(outcome) = outcomes.get(which) {
                take(&mut profile, end, Event::Outcome(*outcome), own);
            }
        }
        if under_way.is_empty() {
            outcomes.clear();
        }
        take(
            &mut profile,
            request.time,
            Event::Arrival(request.arrival),
            own,
        );
        let here = request.route.and_then(|place| {
            let route = routes.route(usize::try_from(place).ok()?)?;
            Some(own.with(route.risk.as_deref()?))
        });
        let settings = here.as_ref().unwrap_or(own);
        let score = score(&profile.signals(settings), settings);
        let reaction = settings.reaction(score);
        see(&Moment {
            request,
            profile: &profile,
            settings,
            score,
            reaction,
        });
        if let (Some(outcome), false) = (request.outcome, reaction.denied) {
            under_way.push(Reverse((request.end, outcomes.len())));
            outcomes.push(outcome);
        }
    }
}

/// The second that the core counts a time in.
pub fn second(millis: u64) -> u32 {
    u32::try_from(millis / 1000).unwrap_or(u32::MAX)
}

fn take(profile: &mut Profile, time: u64, event: Event, settings: &Settings) {
    let second = second(time);
    profile.begin(second);
    profile.observe(&Observation { second, event }, settings);
}
