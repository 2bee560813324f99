//! Whose a field is: Postern's alone, or one that decides.

use std::collections::BTreeSet;

use crate::base::fold;
use crate::caller::certificate::FORWARDED;
use crate::caller::credential;
use crate::gate::settings::Settings;
use crate::limits::key::KeyPart;
use crate::policy::Condition;

/// The prefix of the fields that only Postern may set.
const OWN: &[u8] = b"x-postern-";

/// Whether a field is one that only Postern may set, under that name or one that can be taken for it.
pub fn is_reserved(name: &[u8], config: &Settings) -> bool {
    fold::begins_alike(name, OWN)
        || is_forwarded_certificate(name, config)
        || config
            .callers
            .issuers
            .iter()
            .flat_map(|issuer| &issuer.claim_headers)
            .any(|claim| fold::same_kind(name, claim.header.as_bytes()))
}

/// Under its own name the field is the proxy's, where no certificates are taken.
fn is_forwarded_certificate(name: &[u8], config: &Settings) -> bool {
    let own = || name.eq_ignore_ascii_case(FORWARDED.as_bytes());
    fold::same_kind(name, FORWARDED.as_bytes()) && (config.callers.takes_certificates() || !own())
}

/// Whether one of these names is of a field that must arrive as Postern has it: it is set by it, or
/// decides.
///
/// The routes are walked once, however many names there are.
pub fn needs_one<'a>(names: impl Iterator<Item = &'a [u8]>, config: &Settings) -> bool {
    let mut kinds = BTreeSet::new();
    for name in names {
        if is_reserved(name, config) || credential::is_field(name, &config.callers.tokens) {
            return true;
        }
        kinds.insert(fold::kind(name));
    }
    let named = |other: &str| kinds.contains(&fold::kind(other.as_bytes()));
    let asks = |condition: &Condition| condition.header().is_some_and(named);
    let counts = |part: &KeyPart| match part {
        KeyPart::Header(name) => named(name),
        _ => false,
    };
    let mut routes = config.routes.iter();
    let mut limits = config.limits.iter();
    !kinds.is_empty()
        && (named("host")
            || named(FORWARDED)
            || config.audit.purpose_header.as_deref().is_some_and(named)
            || routes.any(|(_, route)| route.when.conditions().iter().any(asks))
            || limits.any(|limit| limit.key.iter().any(counts)))
}
