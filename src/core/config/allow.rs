//! Who may call a route.

use serde_json::Value;

use super::list::{Empty, elements, references, required, texts};
use super::mistake::{Mistake, Wrong};
use super::names::claim_path;
use super::place::Place;
use super::route::RouteNames;
use super::trust_domain::{Offer, patterns};
use super::wire::{self, Field, List};
use crate::base::{ClientId, Excerpt};
use crate::jose::Scope;
use crate::policy::{Allow, ClaimCondition, Scalar, ScopeRule};
use crate::spiffe::SpiffePattern;

pub(super) fn compile(
    wire: &Field<wire::Allow>,
    place: &Place<'_>,
    known: RouteNames<'_>,
) -> Allow {
    let (issuers, domains) = (known.issuers, known.trust_domains);
    let Some(wire) = wire.optional(place) else {
        return Allow::default();
    };
    let restricted = !wire.issuers.is_absent();
    let named = references(&wire.issuers, &place.member("issuers"), issuers, "issuer");
    let same_workload = place.member("same_workload");
    let same = wire.same_workload.optional(&same_workload) == Some(&true);
    if same && restricted {
        same_workload.error(
            Mistake::MisplacedField,
            "needs a JWT-SVID, which no issuer signs",
            "remove it, or issuers",
        );
    } else if same && domains.is_some_and(|domains| !domains.iter().any(|d| d.jwt && d.x509)) {
        same_workload.error(
            Mistake::UnmetNeed,
            "can never hold",
            "a trust domain with both jwt_svid and x509_svid is needed",
        );
    }
    let needs = Needs {
        jwt: same,
        x509: same || restricted,
    };
    let workloads = place.member("spiffe");
    let patterns = patterns(&wire.spiffe, &workloads);
    for (index, pattern) in patterns.iter().enumerate() {
        check_offered(pattern, domains, needs, &workloads.element(index));
    }
    Allow {
        issuers: restricted.then_some(named),
        spiffe: (!wire.spiffe.is_absent()).then(|| patterns.iter().collect()),
        clients: (!wire.clients.is_absent())
            .then(|| clients(&wire.clients, &place.member("clients"), known)),
        same_workload: same,
        scopes: scopes(&wire.scopes, &place.member("scopes")),
        claims: claims(&wire.claims, &place.member("claims")),
    }
}

fn clients(list: &List<String>, place: &Place<'_>, known: RouteNames<'_>) -> Vec<ClientId> {
    let mut places = Vec::new();
    for (index, name) in elements(list, place, Empty::Refused) {
        let place = place.element(index);
        let Some(name) = name.optional(&place) else {
            continue;
        };
        let Some(at) = known.clients.id_of(name) else {
            place.error(
                Mistake::UnknownName,
                format_args!("no client is named {}", Excerpt::of(name)),
                "a name of one in clients is needed",
            );
            continue;
        };
        match places.binary_search(&at) {
            Ok(_) => place.error(Mistake::Duplicate, "is listed twice", "once is enough"),
            Err(to) => places.insert(to, at),
        }
    }
    places
}

/// What a route needs of the trust domains that it names.
#[derive(Clone, Copy)]
pub(super) struct Needs {
    jwt: bool,
    x509: bool,
}

impl Needs {
    /// Either kind of document.
    pub(super) const ANY: Self = Self {
        jwt: false,
        x509: false,
    };
}

/// Says so where a pattern can never match, since its domain offers no such document.
pub(super) fn check_offered(
    pattern: &SpiffePattern,
    domains: Option<&[Offer]>,
    needs: Needs,
    place: &Place<'_>,
) {
    let Some(domains) = domains else {
        return;
    };
    let name = pattern.trust_domain().as_str();
    let offer = domains.iter().find(|offer| offer.name == name);
    match offer {
        None => {
            let names: Vec<&str> = domains.iter().map(|offer| offer.name.as_str()).collect();
            let names = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            place.error(
                Mistake::UnknownName,
                format_args!("is of {name}, which is no configured trust domain"),
                format_args!("trust_domains are: {names}"),
            );
        }
        Some(offer) if needs.x509 && !offer.x509 => place.error(
            Mistake::UnmetNeed,
            format_args!("needs an X.509-SVID here, and {name} has none"),
            "x509_svid is needed in that trust domain",
        ),
        Some(offer) if needs.jwt && !offer.jwt => place.error(
            Mistake::UnmetNeed,
            format_args!("needs a JWT-SVID here, and {name} has none"),
            "jwt_svid is needed in that trust domain",
        ),
        Some(_) => {}
    }
}

fn scopes(wire: &Field<wire::Scopes>, place: &Place<'_>) -> ScopeRule {
    let Some(wire) = wire.optional(place) else {
        return ScopeRule::default();
    };
    // Empty lists beside one that asks for something say that they ask for nothing; where nothing
    // is asked for, somebody forgot something.
    let asks = |list: &List<String>| matches!(list, Field::Given(scopes) if !scopes.is_empty());
    let empty = if asks(&wire.all) || asks(&wire.any) {
        Empty::Allowed
    } else {
        Empty::Refused
    };
    let list = |list: &_, name| texts(list, &place.member(name), empty, scope);
    let rule = ScopeRule {
        all: list(&wire.all, "all"),
        any: list(&wire.any, "any"),
        none: list(&wire.none, "none"),
    };
    let none = place.member("none");
    for (index, scope) in rule.none.iter().enumerate() {
        if rule.all.contains(scope) || rule.any.contains(scope) {
            let place = none.element(index);
            place.error(
                Mistake::Conflict,
                "is asked for in all or any as well",
                "a scope is in one of them",
            );
        }
    }
    rule
}

fn scope(text: &str) -> Result<Scope, Wrong> {
    Scope::parse(text).map_err(|_| Wrong::malformed("is no scope", Scope::FORM))
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
                place.error(Mistake::Duplicate, "is listed twice", "once is enough");
            }
            Some(scalar) => scalars.push(scalar),
            None => place.error(
                Mistake::WrongType,
                "is no text, number or boolean",
                "one of these is needed",
            ),
        }
    }
    scalars
}
