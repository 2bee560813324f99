//! Who may call a route.

use serde_json::Value;

use super::list::{Empty, elements, references, required, texts};
use super::names::claim_path;
use super::place::Place;
use super::wire::{self, Field, List};
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
        let named = references(&wire.issuers, &place.member("issuers"), issuers, "issuer");
        Self {
            issuers: restricted.then_some(named),
            scopes: scopes(&wire.scopes, &place.member("scopes")),
            claims: claims(&wire.claims, &place.member("claims")),
        }
    }
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
