//! SPIFFE trust domains.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bounds::whole_number;
use super::finding::{Finding, Rule};
use super::issuer::clock_skew;
use super::keys::{compile_bundle_remote, note_skipped};
use super::list::{Empty, elements, note_unique, required, texts};
use super::mistake::{Mistake, Wrong};
use super::names;
use super::place::Place;
use super::wire::{self, Field, List};
use crate::base::{Cidr, CidrSet, DomainId, Listed};
use crate::caller::settings::{Domain, JwtSvid, TrustedProxies, X509Svid};
use crate::jose::Audiences;
use crate::keys::{Document, KeySource, Reading};
use crate::spiffe::{self, Bundle, BundleKeys, Chain, SpiffePattern, Which};

/// The domains, and what `x-forwarded-client-cert` looks like. None only where an error was noted.
pub(super) fn compile_all(
    domains: &List<wire::TrustDomain>,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<(Listed<DomainId, Domain>, Chain)> {
    let (mut names, mut compiled) = (BTreeMap::new(), Vec::new());
    let mut chain: Option<(Chain, String)> = None;
    for (index, domain) in elements(domains, place, Empty::Refused) {
        let place = place.element(index);
        let domain = domain.optional(&place);
        compiled.push(domain.and_then(|domain| {
            note_unique(&mut names, &domain.name, &place.member("name"));
            note_chain(&mut chain, domain, &place);
            compile(domain, &place, warnings)
        }));
    }
    let chain = chain.map_or(Chain::default(), |(chain, _)| chain);
    Some((compiled.into_iter().collect::<Option<_>>()?, chain))
}

/// A proxy writes one field for all domains, so what it looks like must be the same in all.
fn note_chain(seen: &mut Option<(Chain, String)>, wire: &wire::TrustDomain, place: &Place<'_>) {
    let Field::Given(xfcc) = &wire.xfcc else {
        return;
    };
    let place = place.member("xfcc");
    let (number, element) = (place.member("elements"), place.member("element"));
    let elements = whole_number(&xfcc.elements, &number, 1..=16);
    let elements = elements.and_then(|elements| usize::try_from(elements).ok());
    let chain = Chain {
        elements: elements.unwrap_or(Chain::default().elements),
        which: match xfcc.element.optional(&element) {
            Some(wire::Element::First) => Which::First,
            Some(wire::Element::Last) | None => Which::Last,
        },
    };
    let Some((first, at)) = seen else {
        *seen = Some((chain, place.to_string()));
        return;
    };
    let differs = |place: &Place<'_>, member: &str| {
        place.error(
            Mistake::Conflict,
            format_args!("is not what {at}.{member} is"),
            "proxies write one field for all domains, so one of the two is needed in all",
        );
    };
    if first.elements != chain.elements {
        differs(&number, "elements");
    }
    if first.which != chain.which {
        differs(&element, "element");
    }
}

fn compile(
    wire: &wire::TrustDomain,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<Domain> {
    let needed = "a trust domain such as prod.example";
    let name = required(&wire.name, &place.member("name"), needed, |name| {
        spiffe::TrustDomain::parse(name).map_err(|_| {
            Wrong::malformed(
                "is no trust domain",
                "1 to 255 of a-z, 0-9, \".\", \"_\" and \"-\" are accepted",
            )
        })
    });
    if wire.jwt_svid.is_absent() && wire.x509_svid.is_absent() {
        place.error(
            Mistake::WrongChoice,
            "takes no identity document",
            "jwt_svid or x509_svid is needed",
        );
    }
    let jwt = place.member("jwt_svid");
    let jwt_svid = wire.jwt_svid.optional(&jwt);
    let jwt_svid = jwt_svid.map(|wire| JwtSvid::compile(wire, &jwt, warnings));
    let xfcc = place.member("xfcc");
    let proxies = wire.xfcc.optional(&xfcc);
    let proxies = proxies.map(|wire| TrustedProxies::compile(wire, &xfcc));
    let x509 = place.member("x509_svid");
    let x509_svid = wire.x509_svid.optional(&x509);
    let x509_svid = x509_svid.map(|wire| X509Svid::compile(wire, &x509, proxies.clone(), warnings));
    let read = matches!(&x509_svid, Some(Some(svid)) if svid.xfcc.is_some());
    if proxies.is_some() && !read {
        warnings.push(Finding::warning(
            Rule::IDLE_XFCC,
            &xfcc,
            "is never looked at; x509_svid.from is neither xfcc nor either",
        ));
    }
    let name = name?;
    Some(Domain {
        id: format!("spiffe://{name}"),
        name,
        jwt_svid: all_or_none(jwt_svid)?,
        x509_svid: all_or_none(x509_svid)?,
    })
}

/// What is there must have been compiled.
fn all_or_none<T>(compiled: Option<Option<T>>) -> Option<Option<T>> {
    match compiled {
        None => Some(None),
        Some(compiled) => compiled.map(Some),
    }
}

impl JwtSvid {
    fn compile(
        wire: &wire::JwtSvid,
        place: &Place<'_>,
        warnings: &mut Vec<Finding>,
    ) -> Option<Self> {
        let audiences_place = place.member("audiences");
        let needed = "a list of audiences";
        wire.audiences.required(&audiences_place, needed);
        let audiences = texts(
            &wire.audiences,
            &audiences_place,
            Empty::Refused,
            names::identifier,
        );
        let bundle = bundle(&wire.bundle, &place.member("bundle"), warnings);
        let forward = wire.forward.optional(&place.member("forward"));
        Some(Self {
            audiences: Audiences::OneOf(audiences),
            clock_skew: clock_skew(&wire.clock_skew, &place.member("clock_skew")),
            bundle: bundle?,
            forward: forward.copied().unwrap_or_default(),
        })
    }
}

fn bundle(
    wire: &Field<wire::Bundle>,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<KeySource> {
    let wire = wire.required(place, "an object with inline or remote")?;
    match (&wire.inline, &wire.remote) {
        (Field::Absent, Field::Absent) => {
            place.error(
                Mistake::WrongChoice,
                "has no source",
                "one of inline and remote is needed",
            );
            None
        }
        (document, Field::Absent) => {
            let place = place.member("inline");
            inline(document.optional(&place)?, &place, warnings)
        }
        (Field::Absent, remote) => {
            let place = place.member("remote");
            compile_bundle_remote(remote.optional(&place)?, &place)
        }
        _ => {
            place.error(
                Mistake::WrongChoice,
                "has both inline and remote",
                "exactly one is needed",
            );
            None
        }
    }
}

fn inline(document: &Value, place: &Place<'_>, warnings: &mut Vec<Finding>) -> Option<KeySource> {
    let bundle = match Bundle::from_json(document) {
        Ok(bundle) => bundle,
        Err(error) => {
            place.error(
                Mistake::UnusableKeys,
                format_args!("is not taken: {error}"),
                "a SPIFFE bundle is needed",
            );
            return None;
        }
    };
    note_skipped(bundle.warnings(), place, warnings);
    match bundle.keys() {
        BundleKeys::Usable(_) => {}
        BundleKeys::NoneForJwt => warnings.push(Finding::warning(
            Rule::NO_JWT_KEYS,
            place,
            "has no key for JWT-SVIDs, so that none is taken",
        )),
        BundleKeys::Revoked => warnings.push(Finding::warning(
            Rule::NO_KEYS,
            place,
            "has no keys, which revokes the trust domain",
        )),
    }
    let bundle = Document::Bundle(bundle);
    Some(KeySource::inline(bundle, &Reading::Bundle, document))
}

impl X509Svid {
    fn compile(
        wire: &wire::X509Svid,
        place: &Place<'_>,
        xfcc: Option<Option<TrustedProxies>>,
        warnings: &mut Vec<Finding>,
    ) -> Option<Self> {
        let from = wire
            .from
            .required(&place.member("from"), "tls, xfcc or either");
        let validated = place.member("validated");
        let always = wire.validated.optional(&validated);
        let always_validated = matches!(always, Some(wire::Validated::Always));
        if always_validated {
            warnings.push(Finding::warning(
                Rule::ALWAYS_VALIDATED,
                &validated,
                "every certificate that the proxy lets through counts as valid",
            ));
        }
        let (tls, read) = match from? {
            wire::SvidFrom::Tls => (true, false),
            wire::SvidFrom::Xfcc => (false, true),
            wire::SvidFrom::Either => (true, true),
        };
        let xfcc = match (read, xfcc) {
            (false, _) => None,
            (true, None) => {
                place.error(
                    Mistake::UnmetNeed,
                    "reads x-forwarded-client-cert and says nobody is believed",
                    "xfcc with trusted_peers or trusted_cidrs is needed beside it",
                );
                return None;
            }
            (true, Some(xfcc)) => Some(xfcc?),
        };
        Some(Self {
            tls,
            xfcc,
            always_validated,
        })
    }
}

impl TrustedProxies {
    fn compile(wire: &wire::Xfcc, place: &Place<'_>) -> Option<Self> {
        let (peers, cidrs) = (&wire.trusted_peers, &wire.trusted_cidrs);
        if peers.is_absent() && cidrs.is_absent() {
            place.error(
                Mistake::WrongChoice,
                "believes nobody",
                "trusted_peers or trusted_cidrs is needed",
            );
            return None;
        }
        let peers = patterns(peers, &place.member("trusted_peers"));
        let networks = place.member("trusted_cidrs");
        let networks = texts(cidrs, &networks, Empty::Refused, Cidr::parse);
        Some(Self {
            peers: peers.iter().collect(),
            networks: CidrSet::new(networks),
        })
    }
}

/// Patterns of SPIFFE IDs.
pub(super) fn patterns(list: &List<String>, place: &Place<'_>) -> Vec<SpiffePattern> {
    texts(list, place, Empty::Refused, SpiffePattern::parse)
}

/// What routes may refer to of each trust domain; none where they cannot be read at all.
pub(super) fn offers(domains: &List<wire::TrustDomain>) -> Option<Vec<Offer>> {
    let offer = |domain: &Field<wire::TrustDomain>| match domain {
        Field::Given(domain) => Offer {
            name: match &domain.name {
                Field::Given(name) => name.clone(),
                _ => String::new(),
            },
            jwt: !domain.jwt_svid.is_absent(),
            x509: !domain.x509_svid.is_absent(),
        },
        _ => Offer::default(),
    };
    match domains {
        Field::Absent => Some(Vec::new()),
        Field::Wrong(_) => None,
        Field::Given(domains) => Some(domains.iter().map(offer).collect()),
    }
}

/// What a trust domain has to offer to routes.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    /// Its name, as it is written.
    pub name: String,
    /// Whether it has JWT-SVIDs.
    pub jwt: bool,
    /// Whether it has X.509-SVIDs.
    pub x509: bool,
}
