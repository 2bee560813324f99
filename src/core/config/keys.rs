//! Where an issuer's keys come from.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::bounds::span;
use super::finding::Finding;
use super::list::required;
use super::mistake::Mistake;
use super::names;
use super::place::Place;
use super::quantity::Span;
use super::wire::{self, Field};
use crate::base::WrongText;
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::jose::{JwkError, KeyRules, KeySet, KeySetError, KeyUse, SkippedKey};
use crate::keys::schedule::Periods;
use crate::keys::uri::HttpUri;
use crate::keys::{Document, KeySource, Location, Reading, Remote};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// What an issuer's section says of its keys.
#[derive(Clone, Copy)]
pub(super) struct Demands {
    /// The algorithms they may be used with.
    pub algorithms: AlgorithmSet,
    /// Whether RSA keys may have more than 4096 bits.
    pub large_rsa: bool,
}

/// None only where an error was noted. The keys are those of the issuer with this `iss`.
pub(super) fn compile(
    keys: &Field<wire::Keys>,
    place: &Place<'_>,
    iss: &str,
    demands: Demands,
    warnings: &mut Vec<Finding>,
) -> Option<KeySource> {
    let keys = keys.required(place, "an object with inline, remote or discovery")?;
    let exponent_3 = keys
        .allow_rsa_exponent_3
        .optional(&place.member("allow_rsa_exponent_3"));
    let rules = rules(exponent_3.copied().unwrap_or_default(), demands);
    match (&keys.inline, &keys.remote, &keys.discovery) {
        (Field::Absent, Field::Absent, Field::Absent) => {
            place.error(
                Mistake::WrongChoice,
                "has no source",
                "one of inline, remote and discovery is needed",
            );
            None
        }
        (inline, Field::Absent, Field::Absent) => {
            let place = place.member("inline");
            let document = inline.required(&place, "a JWK Set")?;
            let keys = key_set(document, &rules, &place, warnings)?;
            Some(of_document(keys, rules, document))
        }
        _ if !rules
            .algorithms
            .intersection(AlgorithmSet::symmetric())
            .is_empty() =>
        {
            place.error(
                Mistake::Conflict,
                "has shared secrets fetched, which whoever can fetch them could sign with",
                "with HS algorithms inline is needed",
            );
            None
        }
        (Field::Absent, remote, Field::Absent) => compile_remote(
            remote.optional(&place.member("remote"))?,
            &place.member("remote"),
            "the address of a JWK Set, such as https://idp.example/jwks.json",
            Reading::KeySet(rules),
        ),
        (Field::Absent, Field::Absent, discovery) => {
            let place = place.member("discovery");
            compile_discovery(
                discovery.optional(&place)?,
                &place,
                iss,
                Reading::KeySet(rules),
            )
        }
        _ => {
            place.error(
                Mistake::WrongChoice,
                "has several of inline, remote and discovery",
                "exactly one is needed",
            );
            None
        }
    }
}

// A set of algorithms with an error in it says nothing about the keys.
fn rules(allow_rsa_exponent_3: bool, demands: Demands) -> KeyRules {
    let Demands {
        algorithms,
        large_rsa,
    } = demands;
    let asymmetric = AlgorithmSet::asymmetric();
    KeyRules {
        algorithms: if algorithms.is_empty() {
            asymmetric
        } else {
            algorithms
        },
        allow_rsa_exponent_3,
        allow_large_rsa: large_rsa,
        key_use: KeyUse::Signature,
    }
}

fn of_document(keys: KeySet, rules: KeyRules, document: &Value) -> KeySource {
    KeySource::inline(Document::KeySet(keys), &Reading::KeySet(rules), document)
}

/// The bundle endpoint of a trust domain. None only where an error was noted.
pub(super) fn compile_bundle_remote(wire: &wire::Remote, place: &Place<'_>) -> Option<KeySource> {
    let what = "the address of a SPIFFE bundle such as https://spire.example/bundle";
    compile_remote(wire, place, what, Reading::Bundle)
}

fn compile_remote(
    wire: &wire::Remote,
    place: &Place<'_>,
    what: &str,
    reading: Reading,
) -> Option<KeySource> {
    let cluster = required(
        &wire.cluster,
        &place.member("cluster"),
        CLUSTER,
        names::cluster,
    );
    let uri = required(&wire.uri, &place.member("uri"), what, HttpUri::parse);
    let timing = Timing::compile(
        [
            &wire.timeout,
            &wire.refresh,
            &wire.max_stale,
            &wire.cooldown,
            &wire.wait,
        ],
        place,
    );
    Some(timing.remote(Location::Document(uri?), cluster?, Vec::new(), reading))
}

fn compile_discovery(
    wire: &wire::Discovery,
    place: &Place<'_>,
    iss: &str,
    reading: Reading,
) -> Option<KeySource> {
    let cluster = required(
        &wire.cluster,
        &place.member("cluster"),
        CLUSTER,
        names::cluster,
    );
    let authorities = authorities(&wire.authorities, &place.member("authorities"));
    let timing = Timing::compile(
        [
            &wire.timeout,
            &wire.refresh,
            &wire.max_stale,
            &wire.cooldown,
            &wire.wait,
        ],
        place,
    );
    // An issuer with an error of its own is not worth another one.
    let metadata = HttpUri::parse(iss);
    if let (Err(error), false) = (&metadata, iss.is_empty()) {
        place.error(
            Mistake::Malformed,
            format_args!("cannot find the metadata: the issuer {error}"),
            error.remedy(),
        );
    }
    Some(timing.remote(
        Location::Metadata(metadata.ok()?),
        cluster?,
        authorities,
        reading,
    ))
}

const CLUSTER: &str = "the name of one of the proxy's clusters";

fn authorities(
    field: &Field<BTreeMap<String, Field<String>>>,
    place: &Place<'_>,
) -> Vec<(String, String)> {
    let mut listed = Vec::new();
    for (authority, cluster) in field.optional(place).into_iter().flatten() {
        let place = place.member(authority);
        if HttpUri::parse(&format!("https://{authority}")).is_err() || authority.contains('/') {
            place.error(
                Mistake::Malformed,
                "is no authority",
                "a host with any port is accepted, such as keys.example:8443",
            );
        }
        let cluster = required(cluster, &place, CLUSTER, names::cluster);
        listed.extend(cluster.map(|cluster| (authority.clone(), cluster)));
    }
    listed
}

struct Timing {
    periods: Periods,
    max_stale: Duration,
    wait: Duration,
}

impl Timing {
    fn compile(
        [timeout, refresh, max_stale, cooldown, wait]: [&Field<Span>; 5],
        place: &Place<'_>,
    ) -> Self {
        let span = |field, name, bounds, default| span(field, &place.member(name), bounds, default);
        let millisecond = Duration::from_millis(1);
        let refresh = span(
            refresh,
            "refresh",
            SECOND..=DAY.saturating_mul(7),
            SECOND.saturating_mul(600),
        );
        let timing = Self {
            periods: Periods {
                timeout: span(
                    timeout,
                    "timeout",
                    millisecond..=SECOND.saturating_mul(30),
                    SECOND.saturating_mul(2),
                ),
                refresh,
                cooldown: span(
                    cooldown,
                    "cooldown",
                    SECOND..=SECOND.saturating_mul(3600),
                    SECOND.saturating_mul(30),
                ),
            },
            max_stale: span(max_stale, "max_stale", SECOND..=DAY.saturating_mul(30), DAY),
            wait: span(
                wait,
                "wait",
                millisecond..=SECOND.saturating_mul(30),
                SECOND.saturating_mul(2),
            ),
        };
        if timing.max_stale < refresh {
            let (max_stale, refresh) = (Span(timing.max_stale), Span(refresh));
            place.member("max_stale").error(
                Mistake::OutOfRange,
                format_args!("is {max_stale}"),
                format_args!("at least refresh, {refresh}, is accepted"),
            );
        }
        timing
    }

    fn remote(
        self,
        location: Location,
        cluster: String,
        authorities: Vec<(String, String)>,
        reading: Reading,
    ) -> KeySource {
        let Self {
            periods,
            max_stale,
            wait,
        } = self;
        KeySource::Remote(Remote {
            location,
            cluster,
            authorities,
            periods,
            max_stale,
            wait,
            reading,
        })
    }
}

fn key_set(
    document: &Value,
    rules: &KeyRules,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<KeySet> {
    match KeySet::parse(document, rules) {
        Ok((keys, skipped)) => {
            note_skipped(&skipped, place, warnings);
            Some(keys)
        }
        Err(error) => {
            if let KeySetError::NoUsableKey(skipped) = &error
                && skipped
                    .iter()
                    .filter(|key| note_refused(key, place))
                    .count()
                    > 0
            {
                return None;
            }
            let names: Vec<&str> = rules.algorithms.iter().map(Algorithm::name).collect();
            let names = names.join(", ");
            place.error(
                Mistake::UnusableKeys,
                format_args!("is not taken: {error}"),
                format_args!("a JWK Set with a key for {names} is needed"),
            );
            None
        }
    }
}

/// Says of every key that is passed over why, as an error or as a warning.
pub(super) fn note_skipped(skipped: &[SkippedKey], place: &Place<'_>, warnings: &mut Vec<Finding>) {
    let keys = place.member("keys");
    for key in skipped {
        if !note_refused(key, place) {
            warnings.push(Finding::unused_key(key, &keys.element(key.index)));
        }
    }
}

/// Says so where a key is one that a configuration may not hold at all: a private one
/// ("configuration never holds a private key"), or one that is too large and was not asked for, which
/// whoever wrote it down wants to be used.
fn note_refused(key: &SkippedKey, place: &Place<'_>) -> bool {
    let keys = place.member("keys");
    let place = keys.element(key.index);
    match key.why {
        JwkError::Private => place.error(
            Mistake::DisclosedKey,
            "holds a private key",
            "put the public key here, and replace the private one, which is disclosed now",
        ),
        JwkError::LargeRsa(bits) => place.error(
            Mistake::UnusableKeys,
            format_args!("is an RSA key of {bits} bits, which takes long to check signatures with"),
            "at most 4096 are accepted, or up to 8192 of an issuer with lenient: [large_rsa]",
        ),
        _ => return false,
    }
    true
}
