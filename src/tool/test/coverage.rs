//! What the steps of a suite have exercised, and on which sides.

use std::collections::BTreeMap;

use postern_core::base::{ClientId, LimitId, Listed, RouteId};
use postern_core::config::Config;
use postern_core::gate::Route;

use crate::explain::permission::names;
use crate::explain::told::Account;

/// Whether each side of something was seen.
#[derive(Clone, Copy, Default)]
pub struct Sides {
    pub held: bool,
    pub failed: bool,
}

/// A kind, the words for its two sides, and what there is of it.
pub type Kind<'c> = (&'static str, [&'static str; 2], &'c [(String, Sides)]);

/// What there is to exercise, by kind and name.
pub struct Coverage {
    pub routes: Listed<RouteId, (String, Sides)>,
    pub conditions: Vec<(String, Sides)>,
    pub limits: Listed<LimitId, (String, Sides)>,
    pub clients: Listed<ClientId, (String, Sides)>,
    /// By their names, the places of a route's among all.
    conditions_of: Listed<RouteId, BTreeMap<String, usize>>,
}

impl Coverage {
    /// Nothing is exercised yet.
    pub fn new(config: &Config) -> Self {
        let side = |name: &String| (name.clone(), Sides::default());
        let clients = config.settings.callers.clients.all().iter();
        let mut coverage = Self {
            routes: config
                .settings
                .routes
                .iter()
                .map(|(_, route)| of_route(route))
                .collect(),
            conditions: Vec::new(),
            limits: config
                .settings
                .limits
                .iter()
                .map(|limit| side(&limit.name))
                .collect(),
            clients: clients.map(|client| side(&client.name)).collect(),
            conditions_of: Listed::default(),
        };
        for (_, route) in config.settings.routes.iter() {
            coverage.add(route);
        }
        coverage
    }

    fn add(&mut self, route: &Route) {
        let mut places = BTreeMap::new();
        for name in names(route) {
            places.insert(name.clone(), self.conditions.len());
            let name = format!("{}: {name}", route.name);
            self.conditions.push((name, Sides::default()));
        }
        self.conditions_of.push(places);
    }

    /// Takes note of a step: only what the gate came to counts.
    pub fn note(&mut self, account: &Account) {
        let (allowed, told) = (account.reason == "allowed", &account.told);
        let Some(route) = told.route else {
            return;
        };
        mark(self.routes.get_mut(route), allowed);
        if let Some(client) = told.client {
            mark(self.clients.get_mut(client), allowed);
        }
        for checked in &told.conditions {
            let places = self.conditions_of.get(route);
            if let Some(place) = places.and_then(|places| places.get(&checked.name)) {
                mark(self.conditions.get_mut(*place), checked.held);
            }
        }
        for (limit, had_room) in &told.limits {
            mark(self.limits.get_mut(*limit), *had_room);
        }
    }
}

// Of a public route nothing is refused, so that there is no other side to see.
fn of_route(route: &Route) -> (String, Sides) {
    let sides = Sides {
        held: false,
        failed: route.public,
    };
    (route.name.clone(), sides)
}

fn mark(entry: Option<&mut (String, Sides)>, held: bool) {
    if let Some((_, sides)) = entry {
        sides.held |= held;
        sides.failed |= !held;
    }
}

impl Coverage {
    /// Every kind, with the words for its two sides.
    pub fn kinds(&self) -> [Kind<'_>; 4] {
        [
            ("routes", ["allowed", "denied"], &self.routes),
            ("conditions", ["held", "failed"], &self.conditions),
            ("limits", ["kept", "used up"], &self.limits),
            ("clients", ["allowed", "denied"], &self.clients),
        ]
    }
}

impl Sides {
    /// Whether both were seen.
    pub const fn both(self) -> bool {
        self.held && self.failed
    }
}
