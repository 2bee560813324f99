//! One identity's requests, judged one after the other as the gate would.

use std::collections::BTreeMap;

use postern_core::risk::observation::{Answered, Arrival, Ending, Observation, Phase};
use postern_core::risk::profile::Profile;
use postern_core::risk::score;
use postern_core::risk::settings::Settings;

use super::random::hash;

/// A request, before anything of it is hashed.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub second: u32,
    pub network: u64,
    pub token: u64,
    pub route: u64,
    pub item: Option<u64>,
    pub refused: bool,
    pub status: u16,
    pub bytes: u64,
    /// How many seconds it takes.
    pub takes: u32,
    pub hostile: bool,
}

impl Request {
    fn arrival(&self) -> Arrival {
        Arrival {
            network: Some(hash(&[1, self.network])),
            token: Some(hash(&[2, self.token])),
            resource: self.item.map(|item| hash(&[3, self.route, item])),
            route: hash(&[4, self.route]),
            refused: self.refused,
        }
    }

    fn outcome(&self) -> Ending {
        Ending {
            answer: Answered::of_status(self.status),
            bytes: self.bytes,
        }
    }
}

/// An identity, and its requests that have not ended.
#[derive(Clone, Default)]
pub struct Run {
    pub profile: Profile,
    pending: BTreeMap<u32, Vec<Ending>>,
}

impl Run {
    /// Judges a request, and lets it go on unless it is denied; answers the score.
    pub fn take(&mut self, request: &Request, settings: &Settings) -> u8 {
        while let Some(entry) = self.pending.first_entry()
            && *entry.key() <= request.second
        {
            let (second, outcomes) = entry.remove_entry();
            for outcome in outcomes {
                self.observe(second, Phase::Ending(outcome), settings);
            }
        }
        let second = request.second;
        self.profile.begin(second, settings);
        self.observe(second, Phase::Arrival(request.arrival()), settings);
        let score = score::score(&self.profile.signals(settings), settings);
        if !settings.reaction(score).denied && !request.refused {
            let ends = second + request.takes;
            if request.takes == 0 {
                self.observe(second, Phase::Ending(request.outcome()), settings);
            } else {
                self.pending
                    .entry(ends)
                    .or_default()
                    .push(request.outcome());
            }
        }
        score
    }

    fn observe(&mut self, second: u32, phase: Phase, settings: &Settings) {
        self.profile
            .observe(&Observation { second, phase }, settings);
    }
}
