//! What a gate runs on.

use crate::audit;
use crate::base::{LimitId, Listed, fold};
use crate::caller;
use crate::decision::{Mode, Responses};
use crate::limits::{Limit, Slots};
use crate::policy::{Allow, Forwarded, RouteTable, When};
use crate::proof::Demand;
use crate::risk::settings::{Override, Scoring};

/// What a gate runs on: sound, and compiled for use.
#[derive(Debug)]
pub struct Settings {
    /// Whether refusals are enforced where a route does not say.
    pub mode: Mode,
    /// What callers are told from.
    pub callers: caller::settings::Settings,
    /// What requests are let through.
    pub routes: RouteTable<Route>,
    /// How much callers may, in the order of the document.
    pub limits: Listed<LimitId, Limit>,
    /// Where limits are counted.
    pub counters: Slots,
    /// How callers are judged by what they do; none where they are not.
    pub risk: Option<Scoring>,
    /// Where callers come from, and what those are told that keep failing.
    pub source: Source,
    /// What is written of decisions.
    pub audit: audit::Settings,
    /// What a refused caller is told.
    pub responses: Responses,
    /// What goes on to the upstream.
    pub upstream: Upstream,
}

impl Settings {
    /// Whether refusals are enforced on that route.
    #[must_use]
    pub fn mode_of(&self, route: &Route) -> Mode {
        route.mode.unwrap_or(self.mode)
    }
}

/// What the requests of a route need.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// How audit refers to it; unique.
    pub name: String,
    /// Whether no credential is needed; then `allow` and `when` are empty.
    pub public: bool,
    /// The proxy's clusters that its requests may be sent to; empty is any.
    pub upstreams: Vec<String>,
    /// Who may call.
    pub allow: Allow,
    /// What else must hold of a request.
    pub when: When,
    /// The limits that its requests are charged to.
    pub limits: Vec<LimitId>,
    /// What tokens must be bound to.
    pub proof: Demand,
    /// How its requests are judged in another way than others.
    pub risk: Option<Box<Override>>,
    /// Whether refusals are enforced; none is as for the whole document.
    pub mode: Option<Mode>,
}

/// Where callers come from, and what those are told that keep failing.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which proxies are believed about it; none where the connection alone counts.
    pub forwarded: Option<Forwarded>,
    /// What failures are charged to; none where they are not counted.
    pub pressure: Option<Limit>,
}

/// Fields by which some upstreams take another method or another path than the request's: Symfony,
/// Rails, Rack, Express and ASP.NET the first, Symfony, Zend and IIS's URL Rewrite the second.
pub const OVERRIDES: &[&str] = &[
    "x-forwarded-prefix",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

/// The query parameter that does so.
pub const METHOD_PARAMETER: &str = "_method";

/// What goes on to the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// What of all that tells an upstream another method or path is kept.
    pub kept: Vec<&'static str>,
}

impl Upstream {
    /// Whether a field is taken out of requests, since it tells some upstreams another method or path.
    #[must_use]
    pub fn removes(&self, name: &[u8]) -> bool {
        let mut names = OVERRIDES.iter();
        names.any(|own| fold::same_kind(name, own.as_bytes()) && !self.keeps(own))
    }

    /// Whether one of them is kept.
    #[must_use]
    pub fn keeps(&self, name: &str) -> bool {
        self.kept.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_another_method_or_path_is_removed_under_any_name() {
        let upstream = Upstream::default();
        for name in ["x-http-method-override", "X_Original.URL", "x-rewrite-url"] {
            assert!(upstream.removes(name.as_bytes()), "{name}");
        }
        for name in ["x-forwarded-for", "x-forwarded-host", "x-original-urls"] {
            assert!(!upstream.removes(name.as_bytes()), "{name}");
        }
        let some = Upstream {
            kept: vec!["x-original-url"],
        };
        assert!(!some.removes(b"x_original_url") && some.removes(b"x-rewrite-url"));
    }
}
