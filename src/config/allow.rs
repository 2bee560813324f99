//! Who may call a route.

use serde_json::Value;

use super::list::{Empty, elements, required, texts};
use super::names::claim_path;
use super::place::Place;
use super::wire::{self, Field, List};
use crate::jose::Excerpt;
use crate::policy::{ClaimCondition, Scalar, Scope, ScopeRule};

/// Who may call; everything must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allow {
    /// The places in the configuration of the issuers whose tokens are taken; none for any.
    pub issuers: Option<Vec<usize>>,
    /// The scopes that are needed.
    pub scopes: ScopeRule,
    /// What claims must be.
    pub claims: Vec<ClaimCondition>,
}

impl Allow {
    /// `issuers` are the names that may be referred to; none where they are not known.
    pub(super) fn compile(
        wire: &Field<wire::Allow>,
        place: &Place<'_>,
        issuers: Option<&[String]>,
    ) -> Self {
        let Some(wire) = wire.optional(place) else {
            return Self::default();
        };
        let restricted = !wire.issuers.is_absent();
        let named = issuer_places(&wire.issuers, &place.member("issuers"), issuers);
        Self {
            issuers: restricted.then_some(named),
            scopes: scopes(&wire.scopes, &place.member("scopes")),
            claims: claims(&wire.claims, &place.member("claims")),
        }
    }
}

fn issuer_places(list: &List<String>, place: &Place<'_>, issuers: Option<&[String]>) -> Vec<usize> {
    let mut places = Vec::new();
    for (index, name) in elements(list, place, Empty::Refused) {
        let place = place.element(index);
        let (Some(name), Some(issuers)) = (name.optional(&place), issuers) else {
            continue;
        };
        match issuers.iter().position(|issuer| issuer == name) {
            Some(at) if places.contains(&at) => place.error("is listed twice; once is enough"),
            Some(at) => places.push(at),
            None => place.error(no_issuer(name, issuers)),
        }
    }
    places
}

fn no_issuer(name: &str, issuers: &[String]) -> String {
    let name = Excerpt::of(name);
    if issuers.is_empty() {
        return format!("no issuer is named {name}; there are none");
    }
    let issuers = issuers.join(", ");
    format!("no issuer is named {name}; issuers are: {issuers}")
}

fn scopes(wire: &Field<wire::Scopes>, place: &Place<'_>) -> ScopeRule {
    let Some(wire) = wire.optional(place) else {
        return ScopeRule::default();
    };
    let list = |list: &_, name| texts(list, &place.member(name), Empty::Allowed, Scope::parse);
    let rule = ScopeRule {
        all: list(&wire.all, "all"),
        any: list(&wire.any, "any"),
        none: list(&wire.none, "none"),
    };
    let none = place.member("none");
    for (index, scope) in rule.none.iter().enumerate() {
        if rule.all.contains(scope) || rule.any.contains(scope) {
            let place = none.element(index);
            place.error("is asked for in all or any as well; a scope is in one of them");
        }
    }
    rule
}

fn claims(list: &List<wire::Claim>, place: &Place<'_>) -> Vec<ClaimCondition> {
    let compiled = elements(list, place, Empty::Refused);
    let compiled = compiled.filter_map(|(index, claim)| {
        let place = place.element(index);
        let wire = claim.optional(&place)?;
        let claim = required(&wire.claim, &place.member("claim"), "a claim", claim_path);
        let one_of = scalars(&wire.one_of, &place.member("in"));
        Some(ClaimCondition {
            claim: claim?,
            one_of,
        })
    });
    compiled.collect()
}

fn scalars(list: &List<Value>, place: &Place<'_>) -> Vec<Scalar> {
    let needed = "a list of texts, numbers or booleans";
    if list.required(place, needed).is_none() {
        return Vec::new();
    }
    let mut scalars = Vec::new();
    for (index, value) in elements(list, place, Empty::Refused) {
        let place = place.element(index);
        let Some(value) = value.optional(&place) else {
            continue;
        };
        match Scalar::of(value) {
            Some(scalar) if scalars.contains(&scalar) => {
                place.error("is listed twice; once is enough");
            }
            Some(scalar) => scalars.push(scalar),
            None => place.error("is no text, number or boolean; one of these is needed"),
        }
    }
    scalars
}
