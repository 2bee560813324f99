//! Governed clients.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::list::{Empty, elements, note_unique, required, text, texts};
use super::mistake::{Mistake, Wrong};
use super::names;
use super::place::Place;
use super::risk::{self, Of};
use super::trust_domain::Offer;
use super::wire::{self, Field, List};
use crate::base::{Cidr, CidrSet, ClientId, Id as _, IssuerId, Listed};
use crate::caller::clients::{Client, Clients, Day, Match};
use crate::proof::Demand;
use crate::spiffe::SpiffePattern;

/// What clients may refer to; none where that is not known.
#[derive(Clone, Copy)]
pub(super) struct ClientNames<'a> {
    pub issuers: Option<&'a [String]>,
    pub trust_domains: Option<&'a [Offer]>,
    /// Whether requests can declare a purpose.
    pub purpose: bool,
    pub risk: risk::KnownRisk<'a>,
}

pub(super) fn compile_all(
    clients: &List<wire::Client>,
    unregistered: Option<&wire::Unregistered>,
    place: &Place<'_>,
    known: ClientNames<'_>,
    warnings: &mut Vec<Finding>,
) -> Clients {
    let allowed = match unregistered {
        Some(wire::Unregistered::Allow) => true,
        Some(wire::Unregistered::Deny) => false,
        None => clients.is_absent(),
    };
    let mut all = Clients::new(known.issuers.map_or(0, <[_]>::len), allowed);
    let (mut names, mut places) = (BTreeMap::new(), Listed::<ClientId, _>::default());
    for (index, client) in elements(clients, place, Empty::Refused) {
        let place = place.element(index);
        let Some(client) = client.optional(&place) else {
            continue;
        };
        note_unique(&mut names, &client.name, &place.member("name"));
        let Some((client, matching)) = compile(client, &place, known, warnings) else {
            continue;
        };
        places.push(index);
        if let Err(other) = all.insert(client, matching) {
            let other = places.get(other).filter(|other| **other != index);
            let other = other.map_or_else(
                || "another client's".to_owned(),
                |at| format!("clients[{at}].match"),
            );
            place.member("match").error(
                Mistake::Duplicate,
                format_args!("is the same as {other}"),
                "each needs its own",
            );
        }
    }
    all
}

fn compile(
    wire: &wire::Client,
    place: &Place<'_>,
    known: ClientNames<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<(Client, Match)> {
    let name = required(&wire.name, &place.member("name"), "a name", names::name);
    let matching = matching(&wire.matching, &place.member("match"), known);
    let expires = text(&wire.expires, &place.member("expires"), |day| {
        Day::parse(day)
            .ok_or_else(|| Wrong::malformed("is no day", "a day such as 2027-01-31 is accepted"))
    });
    let purposes = place.member("purposes");
    if !wire.purposes.is_absent() && !known.purpose {
        purposes.error(
            Mistake::UnmetNeed,
            "cannot be declared by requests",
            "audit.purpose_header is needed",
        );
    }
    let declared = texts(&wire.purposes, &purposes, Empty::Refused, names::note);
    let networks = place.member("sources");
    let networks = texts(&wire.sources, &networks, Empty::Refused, Cidr::parse);
    let state = wire.state.optional(&place.member("state"));
    let client = Client {
        owner: text(&wire.owner, &place.member("owner"), names::note),
        purpose: text(&wire.purpose, &place.member("purpose"), names::note),
        purposes: (!wire.purposes.is_absent()).then_some(declared),
        expires,
        suspended: matches!(state, Some(wire::ClientState::Suspended)),
        sources: (!wire.sources.is_absent()).then(|| CidrSet::new(networks)),
        proof: proof(&wire.proof, &place.member("proof")),
        risk: risk::otherwise(
            &wire.risk,
            &place.member("risk"),
            known.risk,
            Of::Client,
            warnings,
        ),
        name: name?,
    };
    Some((client, matching?))
}

/// What tokens must be bound to; nothing where it is not said.
pub(super) fn proof(wire: &Field<wire::Proof>, place: &Place<'_>) -> Demand {
    match wire.optional(place) {
        Some(wire::Proof::Mtls) => Demand::Mtls,
        Some(wire::Proof::None) | None => Demand::None,
    }
}

fn matching(
    wire: &Field<wire::ClientMatch>,
    place: &Place<'_>,
    known: ClientNames<'_>,
) -> Option<Match> {
    let needed = "an object with issuer and client, issuer and subject, or spiffe";
    let wire = wire.required(place, needed)?;
    let (client, subject, spiffe) = (&wire.client, &wire.subject, &wire.spiffe);
    let given = |field: &Field<String>| usize::from(!field.is_absent());
    if given(client)
        .saturating_add(given(subject))
        .saturating_add(given(spiffe))
        != 1
    {
        place.error(
            Mistake::WrongChoice,
            "has none or several of client, subject and spiffe",
            "exactly one is needed",
        );
        return None;
    }
    let issuer_place = place.member("issuer");
    if !spiffe.is_absent() {
        if !wire.issuer.is_absent() {
            issuer_place.error(
                Mistake::MisplacedField,
                "signs for no workload",
                "remove it, or spiffe",
            );
        }
        return workload(spiffe, &place.member("spiffe"), known).map(Match::Workload);
    }
    let issuer = wire.issuer.required(&issuer_place, "the name of an issuer");
    let issuer = issuer.and_then(|name| {
        let issuers = known.issuers?;
        let at = issuers.iter().position(|known| known == name);
        let at = at.map(IssuerId::at);
        if at.is_none() {
            issuer_place.wrong(&super::list::unknown(name, issuers, "issuer"));
        }
        at
    });
    if !client.is_absent() {
        let client = text(client, &place.member("client"), names::identifier);
        return Some(Match::Client(issuer?, client?));
    }
    let subject = text(subject, &place.member("subject"), names::identifier);
    Some(Match::Subject(issuer?, subject?))
}

fn workload(
    field: &Field<String>,
    place: &Place<'_>,
    known: ClientNames<'_>,
) -> Option<SpiffePattern> {
    let pattern = text(field, place, SpiffePattern::parse)?;
    super::allow::check_offered(
        &pattern,
        known.trust_domains,
        super::allow::Needs::ANY,
        place,
    );
    Some(pattern)
}
