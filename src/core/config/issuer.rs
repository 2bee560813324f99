//! Issuers of JWTs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bounds::nonzero_span;
use super::finding::{Finding, Rule};
use super::keys;
use super::list::{Empty, elements, note_unique, required, text, texts};
use super::mistake::{Mistake, Wrong};
use super::names::{self, claim_path};
use super::place::Place;
use super::quantity::Span;
use super::wire::{self, Field, List};
use crate::base::{IssuerId, Listed};
use crate::caller::settings::{ClaimHeader, Issuer};
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::jose::{Audiences, ClaimPath, TokenProfile};

const DEFAULT_SKEW: Duration = Duration::from_secs(30);
const MAX_SKEW: Duration = Duration::from_secs(300);

/// None only where an error was noted. Credentials come in the header `credential`.
pub(super) fn compile_all(
    issuers: &List<wire::Issuer>,
    place: &Place<'_>,
    credential: &str,
    warnings: &mut Vec<Finding>,
) -> Option<Listed<IssuerId, Issuer>> {
    let mut seen = SeenOnce::default();
    let mut compiled = Vec::new();
    for (index, issuer) in elements(issuers, place, Empty::Refused) {
        let place = place.element(index);
        let issuer = issuer.optional(&place);
        compiled.push(issuer.and_then(|issuer| {
            seen.note(issuer, &place);
            compile(issuer, &place, credential, warnings)
        }));
    }
    compiled.into_iter().collect()
}

/// What may be there once only: the name and the `iss`, and where each was first.
#[derive(Default)]
struct SeenOnce {
    names: BTreeMap<String, String>,
    issuers: BTreeMap<String, String>,
}

impl SeenOnce {
    fn note(&mut self, issuer: &wire::Issuer, place: &Place<'_>) {
        note_unique(&mut self.names, &issuer.name, &place.member("name"));
        note_unique(&mut self.issuers, &issuer.issuer, &place.member("issuer"));
    }
}

fn compile(
    wire: &wire::Issuer,
    place: &Place<'_>,
    credential: &str,
    warnings: &mut Vec<Finding>,
) -> Option<Issuer> {
    let name = required(&wire.name, &place.member("name"), "a name", names::name);
    let iss = "the exact `iss` of its tokens";
    let issuer = required(
        &wire.issuer,
        &place.member("issuer"),
        iss,
        names::identifier,
    );
    let audiences = audiences(&wire.audiences, &wire.any_audience, place, warnings);
    let algorithms = algorithms(&wire.algorithms, &place.member("algorithms"));
    let iss = issuer.as_deref().unwrap_or_default();
    let demands = keys::Demands {
        algorithms,
        large_rsa: large_rsa(&wire.lenient, &place.member("lenient")),
    };
    let keys = keys::compile(&wire.keys, &place.member("keys"), iss, demands, warnings);
    let profile = wire.profile.optional(&place.member("profile"));
    let clock_skew = clock_skew(&wire.clock_skew, &place.member("clock_skew"));
    let max_lifetime = nonzero_span(&wire.max_lifetime, &place.member("max_lifetime"));
    let (scope_claims, client_claims) = claim_names(&wire.claims, &place.member("claims"));
    let forward = wire.forward.optional(&place.member("forward"));
    let claim_headers = place.member("claim_headers");
    let claim_headers = claim_headers_of(&wire.claim_headers, &claim_headers, credential);
    Some(Issuer {
        name: name?,
        issuer: issuer?,
        audiences,
        keys: keys?,
        algorithms,
        profile: profile.map_or(TokenProfile::Jwt, |profile| match profile {
            wire::Profile::Jwt => TokenProfile::Jwt,
            wire::Profile::AtJwt => TokenProfile::AtJwt,
        }),
        clock_skew,
        max_lifetime,
        scope_claims,
        client_claims,
        forward: forward.copied().unwrap_or_default(),
        claim_headers,
    })
}

fn audiences(
    names: &List<String>,
    any: &Field<bool>,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Audiences {
    let any_place = place.member("any_audience");
    let (listed, missing) = (!names.is_absent(), any.is_absent());
    let any = any.optional(&any_place).copied();
    let (any, denied) = (any == Some(true), any == Some(false));
    let names = texts(
        names,
        &place.member("audiences"),
        Empty::Refused,
        names::identifier,
    );
    match (listed, any) {
        (true, true) => any_place.error(
            Mistake::WrongChoice,
            "is true beside audiences",
            "give one of the two",
        ),
        (false, false) if missing => place.member("audiences").error(
            Mistake::MissingField,
            "is missing",
            "the audiences of its tokens are needed, or any_audience: true",
        ),
        (false, false) if denied => {
            any_place.error(
                Mistake::WrongChoice,
                "is false, and there are no audiences",
                "give one of the two",
            );
        }
        (_, false) => {}
        (false, true) => {
            warnings.push(Finding::warning(
                Rule::ANY_AUDIENCE,
                &any_place,
                "tokens for every audience are taken",
            ));
            return Audiences::Any;
        }
    }
    Audiences::OneOf(names)
}

fn algorithms(names: &List<String>, place: &Place<'_>) -> AlgorithmSet {
    if names.is_absent() {
        return AlgorithmSet::asymmetric();
    }
    let listed = texts(names, place, Empty::Refused, |name| {
        Algorithm::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = Algorithm::ALL.iter().map(|a| a.name()).collect();
            let remedy = format!("algorithms are: {}", names.join(", "));
            Wrong::new(Mistake::UnknownWord, "is no algorithm", remedy)
        })
    });
    let secrets = listed
        .iter()
        .filter(|algorithm| algorithm.is_symmetric())
        .count();
    if secrets > 0 && secrets < listed.len() {
        place.error(
            Mistake::Conflict,
            "mixes HS with others",
            "an issuer has shared secrets or public keys, not both",
        );
    }
    listed.into_iter().collect()
}

/// Whether the one leniency that there is was asked for.
fn large_rsa(lenient: &List<wire::Lenient>, place: &Place<'_>) -> bool {
    let words = elements(lenient, place, Empty::Refused);
    let words = words.map(|(index, word)| word.optional(&place.element(index)));
    let words: Vec<_> = words.collect();
    words
        .iter()
        .any(|word| matches!(word, Some(wire::Lenient::LargeRsa)))
}

pub(super) fn clock_skew(field: &Field<Span>, place: &Place<'_>) -> Duration {
    let Some(skew) = field.optional(place) else {
        return DEFAULT_SKEW;
    };
    if skew.0 > MAX_SKEW {
        place.error(
            Mistake::OutOfRange,
            format_args!("is {skew}"),
            format_args!("at most {} is accepted", Span(MAX_SKEW)),
        );
    }
    skew.0
}

fn claim_names(
    field: &Field<wire::ClaimNames>,
    place: &Place<'_>,
) -> (Vec<ClaimPath>, Vec<ClaimPath>) {
    let (scope, client) = match field.optional(place) {
        Some(names) => (&names.scope, &names.client),
        None => (&Field::Absent, &Field::Absent),
    };
    (
        claim_paths(scope, &place.member("scope"), &["scope", "scp"]),
        claim_paths(client, &place.member("client"), &["client_id", "azp"]),
    )
}

fn claim_paths(list: &List<String>, place: &Place<'_>, default: &[&str]) -> Vec<ClaimPath> {
    if list.is_absent() {
        return default
            .iter()
            .filter_map(|name| ClaimPath::parse(name).ok())
            .collect();
    }
    texts(list, place, Empty::Refused, claim_path)
}

fn claim_headers_of(
    headers: &Field<BTreeMap<String, Field<String>>>,
    place: &Place<'_>,
    credential: &str,
) -> Vec<ClaimHeader> {
    let headers = headers.optional(place).into_iter().flatten();
    let compiled = headers.filter_map(|(name, claim)| {
        let place = place.member(name);
        let claim = text(claim, &place, claim_path);
        let header = names::claim_header(name, credential);
        let header = header.map_err(|wrong| place.wrong(&wrong)).ok();
        Some(ClaimHeader {
            header: header?,
            claim: claim?,
        })
    });
    compiled.collect()
}
