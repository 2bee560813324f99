//! What is legal in a configuration, and dangerous.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `rules` | the rules' names, and what they are about |
//! | `issuers`, `keys`, `trust_domains`, `clients` | who may call |
//! | `routes`, `open`, `around`, `reach` | what may be called |
//! | `limits`, `rest` | the other sections |

mod around;
mod clients;
mod issuers;
mod keys;
mod limits;
mod open;
mod reach;
mod rest;
mod routes;
mod rules;
mod trust_domains;

use postern_core::caller::clients::Day;
use postern_core::config::wire::{self, Field, List};
use postern_core::config::{Config, Finding};
use postern_core::gate::Route;

pub use rules::{ERROR, RULES, level};

/// A configuration, as it is understood and as it is written.
struct Policy<'a> {
    config: &'a Config,
    /// For what is not in what it compiles to: whether something was said that is the default as
    /// well, how networks were written before they were put together, and patterns, which are
    /// compiled to what only finds.
    written: &'a wire::Config,
    today: Day,
}

/// Everything that is worth a look, with what the core says itself.
pub fn findings(config: &Config, written: &wire::Config, today: Day) -> Vec<Finding> {
    let policy = Policy {
        config,
        written,
        today,
    };
    let mut found = Found(config.warnings.clone());
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

struct Found(Vec<Finding>);

impl Found {
    fn add(
        &mut self,
        rule: &'static str,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: &'static str,
    ) {
        let severity = level(rule);
        self.0
            .push(Finding::new(rule, severity, place, problem, remedy));
    }
}

/// The elements of a list, of which none is wrong where the document was taken.
fn elements<T>(list: &List<T>) -> impl Iterator<Item = &T> {
    list.given().into_iter().flatten().filter_map(Field::given)
}

impl Policy<'_> {
    /// The workloads that the route at that place lets in, as they are written.
    fn workloads(&self, route: usize) -> impl Iterator<Item = &String> {
        let route = elements(&self.written.routes).nth(route);
        let allow = route.and_then(|route| route.allow.given());
        allow.into_iter().flat_map(|allow| elements(&allow.spiffe))
    }

    /// Every route that needs an identity, with its place.
    fn protected(&self) -> impl Iterator<Item = (usize, &Route)> {
        let routes = self.config.settings.routes.iter().enumerate();
        let routes = routes.map(|(index, (_, route))| (index, route));
        routes.filter(|(_, route)| !route.public)
    }
}
