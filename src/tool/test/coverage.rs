//! What the steps of a suite have exercised, and on which sides.

use std::collections::BTreeMap;

use postern_core::config::Config;
use postern_core::gate::Route;

use crate::account::{self, Account, Checked, Outcome, Step};
use crate::trial::Answer;

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
    pub routes: Vec<(String, Sides)>,
    pub conditions: Vec<(String, Sides)>,
    pub limits: Vec<(String, Sides)>,
    pub clients: Vec<(String, Sides)>,
    conditions_of: Vec<BTreeMap<String, usize>>,
}

impl Coverage {
    /// Nothing is exercised yet.
    pub fn new(config: &Config) -> Self {
        let side = |name: &String| (name.clone(), Sides::default());
        let clients = (0..).map_while(|place| config.settings.callers.clients.get(place));
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
            conditions_of: Vec::new(),
        };
        for (_, route) in config.settings.routes.iter() {
            coverage.add(route);
        }
        coverage
    }

    fn add(&mut self, route: &Route) {
        let mut places = BTreeMap::new();
        for name in account::conditions(route) {
            places.insert(name.clone(), self.conditions.len());
            let name = format!("{}: {name}", route.name);
            self.conditions.push((name, Sides::default()));
        }
        self.conditions_of.push(places);
    }

    /// Takes note of a step: only what the gate came to counts.
    pub fn note(&mut self, account: &Account, answer: &Answer) {
        let allowed = answer.reason() == "allowed";
        let Some(place) = account.route else {
            return;
        };
        mark(self.routes.get_mut(place), allowed);
        if let Some(client) = account.client {
            mark(self.clients.get_mut(client), allowed);
        }
        for checked in &account.checks {
            self.note_condition(place, account, checked);
        }
        self.note_limits(account, answer);
    }

    fn note_condition(&mut self, route: usize, account: &Account, checked: &Checked) {
        let step = account.steps.iter().find(|step| step.name == checked.step);
        let came = match step.map(|step| step.outcome) {
            Some(Outcome::Passed) => true,
            // Of a step that failed, what comes before the first condition that does not hold.
            Some(Outcome::Failed) => {
                let own = account
                    .checks
                    .iter()
                    .filter(|other| other.step == checked.step);
                let before = own.take_while(|other| other.name != checked.name);
                before.into_iter().all(|other| other.held.is_ok())
            }
            _ => false,
        };
        let places = self.conditions_of.get(route);
        let place = places.and_then(|places| places.get(&checked.name).copied());
        if let (true, Some(place)) = (came, place) {
            mark(self.conditions.get_mut(place), checked.held.is_ok());
        }
    }

    fn note_limits(&mut self, account: &Account, answer: &Answer) {
        let came = |step: &&Step| {
            step.name == "limits" && matches!(step.outcome, Outcome::Passed | Outcome::Failed)
        };
        let Some(step) = account.steps.iter().find(came) else {
            return;
        };
        let refused = answer.text("/unmapped/limit");
        for (name, sides) in &mut self.limits {
            let named = step.says.iter().any(|says| is_of(says, name));
            if refused == name.as_str() {
                sides.failed = true;
            } else if named {
                sides.held = true;
            }
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

/// Whether a text is a name, or a name and what follows it.
fn is_of(text: &str, name: &str) -> bool {
    let rest = text.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
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
