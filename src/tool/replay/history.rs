//! An identity's requests, one after the other, through the core.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use postern_core::base::{ClientId, Id as _, RouteId};
use postern_core::config::Config;
use postern_core::risk::explain::explain;
use postern_core::risk::observation::{Observation, Phase};
use postern_core::risk::profile::Profile;
use postern_core::risk::score::score;
use postern_core::risk::settings::{Reaction, Settings};

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

/// How callers are judged: everybody, and those of clients and on routes that say otherwise.
pub struct Judge<'a> {
    config: &'a Config,
    everybody: &'a Settings,
    clients: HashMap<ClientId, Settings>,
}

impl<'a> Judge<'a> {
    pub fn new(config: &'a Config, everybody: &'a Settings) -> Self {
        let clients = config.settings.callers.clients.all().each();
        let clients =
            clients.filter_map(|(id, client)| Some((id, everybody.with(client.risk.as_deref()?))));
        Self {
            clients: clients.collect(),
            config,
            everybody,
        }
    }

    /// How a client is judged; with none, or one that says nothing, as everybody.
    pub fn own(&self, client: Option<ClientId>) -> &Settings {
        client
            .and_then(|id| self.clients.get(&id))
            .unwrap_or(self.everybody)
    }

    /// How it is judged on a route, where that says otherwise; the client's word counts more.
    fn here(&self, client: Option<ClientId>, route: Option<u32>) -> Option<Settings> {
        let route = self
            .config
            .settings
            .routes
            .route(RouteId::at(usize::try_from(route?).ok()?))?;
        let judged = self.everybody.with(route.risk.as_deref()?);
        let client = client.and_then(|id| {
            self.config
                .settings
                .callers
                .clients
                .get(id)?
                .risk
                .as_deref()
        });
        Some(client.map_or_else(|| judged.clone(), |own| judged.with(own)))
    }
}

/// Takes an identity's requests, in the order of time, and shows each when it is judged.
///
/// As in the filter: what a route says otherwise is for judging its requests alone, one that was
/// refused for what it asked is only scored, and one that is denied has no outcome.
pub fn replay(requests: &[Request], judge: &Judge<'_>, mut see: impl FnMut(&Moment<'_>)) {
    let mut profile = Profile::default();
    let mut under_way: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    for (place, request) in requests.iter().enumerate() {
        while let Some(Reverse((end, which))) = under_way.peek().copied()
            && end <= request.time
        {
            under_way.pop();
            if let Some(ended) = requests.get(which)
                && let Some(outcome) = ended.outcome
            {
                let own = judge.own(ended.client());
                take(&mut profile, end, Phase::Ending(outcome), own);
            }
        }
        let own = judge.own(request.client());
        let arrival = Phase::Arrival(request.arrival);
        take(&mut profile, request.time, arrival, own);
        let here = judge.here(request.client(), request.route);
        let settings = here.as_ref().unwrap_or(own);
        let score = score(&profile.signals(settings), settings);
        let reaction = settings.reaction(if request.arrival.refused { 0 } else { score });
        see(&Moment {
            request,
            profile: &profile,
            settings,
            score,
            reaction,
        });
        if request.outcome.is_some() && !reaction.denied {
            under_way.push(Reverse((request.end, place)));
        }
    }
}

/// The second that the core counts a time in.
pub fn second(millis: u64) -> u32 {
    u32::try_from(millis / 1000).unwrap_or(u32::MAX)
}

fn take(profile: &mut Profile, time: u64, phase: Phase, settings: &Settings) {
    let second = second(time);
    profile.begin(second, settings);
    profile.observe(&Observation { second, phase }, settings);
}
