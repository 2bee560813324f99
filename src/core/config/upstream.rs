//! What goes on to the upstream.

use serde_json::Value;

use super::finding::{Finding, Rule};
use super::list::{Empty, texts};
use super::place::Place;
use super::reader::Wire;
use super::wire::{self, Field};
use crate::base::fold;

/// Fields by which some upstreams take another method or another path than the request's: Symfony,
/// Rails, Rack, Express and ASP.NET the first, Symfony, Zend and IIS's URL Rewrite the second.
const OVERRIDES: &[&str] = &[
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
    kept: Vec<&'static str>,
}

impl Upstream {
    pub(super) fn compile(
        wire: &Field<wire::Upstream>,
        place: &Place<'_>,
        warnings: &mut Vec<Finding>,
    ) -> Self {
        let place_of_overrides = place.member("overrides");
        let kept = wire.optional(place).and_then(|wire| {
            let value = wire.overrides.optional(&place_of_overrides)?;
            kept(value, &place_of_overrides)
        });
        let kept = kept.unwrap_or_default();
        if !kept.is_empty() {
            warnings.push(Finding::warning(
                Rule::KEPT_OVERRIDES,
                &place_of_overrides,
                "an upstream may be told another method or path than was decided about",
            ));
        }
        Self { kept }
    }

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

fn all() -> impl Iterator<Item = &'static str> {
    OVERRIDES.iter().copied().chain([METHOD_PARAMETER])
}

/// None only where an error was noted.
fn kept(value: &Value, place: &Place<'_>) -> Option<Vec<&'static str>> {
    if value.is_object() {
        let wire = wire::KeptOverrides::read(value, place);
        let wire = wire.map_err(|error| place.error(error)).ok()?;
        let place = place.member("keep");
        wire.keep.required(&place, "a list of what is kept")?;
        return Some(texts(&wire.keep, &place, Empty::Refused, |name| {
            all().find(|known| *known == name).ok_or_else(|| {
                let names: Vec<&str> = all().collect();
                format!("is none of them; they are: {}", names.join(", "))
            })
        }));
    }
    match wire::Overrides::read(value, place) {
        Ok(wire::Overrides::Remove) => Some(Vec::new()),
        Ok(wire::Overrides::Keep) => Some(all().collect()),
        Err(error) => {
            place.error(format_args!(
                "{error}, or names such as {{keep: [x-forwarded-prefix]}}"
            ));
            None
        }
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
