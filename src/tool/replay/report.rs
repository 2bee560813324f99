//! What is told of whom.

use std::cmp::Reverse;

use postern_core::base::ClientId;
use postern_core::config::Config;
use postern_core::risk::settings::{Action, Settings};

use super::curve::{Pen, Point, Span};
use super::history::{Judge, replay};
use super::totals::Totals;
use super::traffic::{Counts, Request, Traffic};
use crate::failure::Failure;
use crate::text::printable;

/// Who is to be shown.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub identity: Option<&'a str>,
    pub top: usize,
}

/// What a replay came to.
pub struct Report<'a> {
    pub counts: Counts,
    pub span: Span,
    pub requests: usize,
    pub identities: usize,
    /// What is done from which score on, in the order of the scores.
    pub actions: Vec<Action>,
    pub scores: Scores,
    /// Those that are shown, the highest score first.
    pub shown: Vec<Shown<'a>>,
}

/// By each score: how many requests had it, and for how many identities it was the highest.
pub struct Scores([(u64, u64); 101]);

/// What is told of an identity.
pub struct Shown<'a> {
    pub identity: &'a str,
    /// The name of the first client that it came by.
    pub client: Option<&'a str>,
    /// What is done about it, where its client says otherwise.
    pub own_actions: Option<Vec<Action>>,
    pub totals: Totals,
    pub curve: Vec<Point>,
}

impl<'a> Report<'a> {
    /// Replays all requests, and those of who is shown again to draw their curves.
    pub fn new(
        config: &'a Config,
        settings: &Settings,
        traffic: &'a Traffic<'a>,
        wanted: Wanted<'_>,
    ) -> Result<Self, Failure> {
        let judge = Judge::new(config, settings);
        let mut scores = Scores([(0, 0); 101]);
        let mut all = Vec::new();
        let groups = traffic
            .requests
            .chunk_by(|one, other| one.person == other.person);
        for requests in groups {
            let mut totals = Totals::default();
            replay(requests, &judge, |moment| {
                totals.see(moment);
                scores.count(moment.score, 1, 0);
            });
            scores.count(totals.highest.score, 0, 1);
            all.push((requests, totals));
        }
        let identities = all.len();
        let name = |requests: &[Request]| person(traffic, requests).map_or("", |(name, _)| name);
        if let Some(wanted) = wanted.identity {
            all.retain(|(requests, _)| name(requests) == wanted);
            if all.is_empty() {
                return Err(Failure(format!(
                    "--identity {}: none of the requests is of that identity; one of the {identities} \
                     that there are is needed, as it is written in audit",
                    printable(wanted)
                )));
            }
        }
        all.sort_by_cached_key(|(requests, totals)| {
            let order = (
                totals.highest.score,
                totals.denied.requests,
                totals.requests,
            );
            (Reverse(order), name(requests))
        });
        all.truncate(wanted.top);
        let span = span(&traffic.requests);
        let shown = all.into_iter().map(|(requests, totals)| {
            let id = client(traffic, requests);
            let own = judge.own(id);
            let mut pen = Pen::new(span, own);
            replay(requests, &judge, |moment| pen.see(moment));
            let registered = id.and_then(|id| config.settings.callers.clients.get(id));
            let differs = own.actions() != settings.actions();
            Shown {
                identity: name(requests),
                client: registered.map(|client| client.name.as_str()),
                own_actions: differs.then(|| sorted(own.actions())),
                totals,
                curve: pen.lift(),
            }
        });
        Ok(Self {
            shown: shown.collect(),
            counts: traffic.counts,
            span,
            requests: traffic.requests.len(),
            identities,
            actions: sorted(settings.actions()),
            scores,
        })
    }
}

impl Scores {
    fn count(&mut self, score: u8, requests: u64, identities: u64) {
        if let Some((all, highest)) = self.0.get_mut(usize::from(score)) {
            *all = all.saturating_add(requests);
            *highest = highest.saturating_add(identities);
        }
    }

    /// By each ten scores, the last of which is 90 to 100: the lowest score, requests, identities.
    pub fn tens(&self) -> Vec<(u8, u64, u64)> {
        let mut tens: Vec<(u8, u64, u64)> = (0..10_u8)
            .map(|ten| (ten.saturating_mul(10), 0, 0))
            .collect();
        for (score, (requests, identities)) in self.0.iter().enumerate() {
            if let Some(ten) = tens.get_mut((score / 10).min(9)) {
                ten.1 = ten.1.saturating_add(*requests);
                ten.2 = ten.2.saturating_add(*identities);
            }
        }
        tens
    }
}

fn person<'t>(
    traffic: &'t Traffic<'_>,
    requests: &[Request],
) -> Option<(&'t str, Option<ClientId>)> {
    let place = usize::try_from(requests.first()?.person).ok()?;
    let person = traffic.people.get(place)?;
    Some((person.identity.as_str(), person.client))
}

fn client(traffic: &Traffic<'_>, requests: &[Request]) -> Option<ClientId> {
    person(traffic, requests)?.1
}

fn span(requests: &[Request]) -> Span {
    let times = || requests.iter().map(|request| request.time);
    Span::new(
        times().min().unwrap_or_default(),
        times().max().unwrap_or_default(),
    )
}

fn sorted(actions: &[Action]) -> Vec<Action> {
    let mut actions = actions.to_vec();
    actions.sort_by_key(|action| action.at);
    actions
}
