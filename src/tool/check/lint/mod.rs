//! What is legal in a configuration, and dangerous.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `rules` | the rules' names, and what they are about |
//! | `noted` | what the core says itself |
//! | `issuers`, `keys`, `trust_domains`, `clients` | who may call |
//! | `routes`, `open`, `around`, `reach` | what may be called |
//! | `limits`, `rest` | the other sections |

mod around;
mod clients;
mod issuers;
mod keys;
mod limits;
mod noted;
mod open;
mod reach;
mod rest;
mod routes;
mod rules;
mod trust_domains;

use postern_core::caller::clients::Day;
use postern_core::config::Config;
use postern_core::gate::Route;
use serde_json::Value;

pub use rules::{ERROR, NOTES, RULES};

/// What is worth a look: its rule, its place, and after a semicolon what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub rule: &'static str,
    pub path: String,
    pub message: String,
}

/// A configuration, as it is written and as it is understood.
struct Policy<'a> {
    config: &'a Config,
    value: &'a Value,
    today: Day,
}

/// Everything that is worth a look.
pub fn warnings(config: &Config, value: &Value, today: Day) -> Vec<Warning> {
    let policy = Policy {
        config,
        value,
        today,
    };
    let mut found = Found(Vec::new());
    noted::look(&policy, &mut found);
    issuers::look(&policy, &mut found);
    trust_domains::look(&policy, &mut found);
    clients::look(&policy, &mut found);
    routes::look(&policy, &mut found);
    open::look(&policy, &mut found);
    around::look(&policy, &mut found);
    reach::look(&policy, &mut found);
    limits::look(&policy, &mut found);
    rest::look(&policy, &mut found);
    found.0
}

struct Found(Vec<Warning>);

impl Found {
    fn add(&mut self, rule: &'static str, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Warning {
            rule,
            path: path.into(),
            message: message.into(),
        });
    }
}

impl Policy<'_> {
    /// What is written at a JSON pointer.
    fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// The texts that are listed at a JSON pointer.
    fn texts(&self, pointer: &str) -> impl Iterator<Item = &str> {
        let list = self.at(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Every route that needs an identity, with its place.
    fn protected(&self) -> impl Iterator<Item = (usize, &Route)> {
        let routes = self.config.settings.routes.iter().enumerate();
        let routes = routes.map(|(index, (_, route))| (index, route));
        routes.filter(|(_, route)| !route.public)
    }
}
