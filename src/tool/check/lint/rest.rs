//! The sections that are about the proxy and its callers as a whole.

use postern_core::config::wire::List;
use postern_core::decision::{Detail, Mode};
use postern_core::host::LogLevel;
use postern_core::policy::Trust;

use super::{Found, Policy, elements};

pub(super) fn look(policy: &Policy<'_>, found: &mut Found) {
    source(policy, found);
    audit(policy, found);
    risk(policy, found);
    if policy.config.settings.callers.tokens.share {
        found.add(
            "shared-verification",
            "tokens.share",
            "lets a plugin that knows vm_config.configuration and is in the same vm_id let forged tokens in", "give Postern a vm_id of its own or a random text there, or remove this",
        );
    }
    if policy.config.settings.responses.detail == Detail::Full {
        found.add(
            "full-detail",
            "responses.detail",
            "is full, so whoever tries tokens is told what is wrong with each",
            "use reason",
        );
    }
}

fn source(policy: &Policy<'_>, found: &mut Found) {
    let trust = policy
        .config
        .settings
        .source
        .forwarded
        .as_ref()
        .map(|forwarded| &forwarded.trust);
    if matches!(trust, Some(Trust::Hops(_))) {
        found.add("believed-hops", "source.trusted_hops", "believes the header whoever connects, so who gets here without those proxies writes an address of their choice", "give trusted_cidrs");
    }
    let pressure = policy.config.settings.source.pressure.as_ref();
    if pressure.is_some_and(|limit| limit.mode == Mode::Observe) {
        found.add(
            "observe-mode",
            "source.pressure.mode",
            "observe lets sources go on that keep failing",
            "remove it to enforce",
        );
    }
    if let Some(source) = policy.written.source.given() {
        wide(&source.trusted_cidrs, "source.trusted_cidrs", found);
    }
    for (index, domain) in elements(&policy.written.trust_domains).enumerate() {
        if let Some(xfcc) = domain.xfcc.given() {
            let path = format!("trust_domains[{index}].xfcc.trusted_cidrs");
            wide(&xfcc.trusted_cidrs, &path, found);
        }
    }
}

fn wide(networks: &List<String>, path: &str, found: &mut Found) {
    for (index, network) in elements(networks).enumerate() {
        let prefix = network
            .split_once('/')
            .and_then(|(_, prefix)| prefix.parse::<u8>().ok());
        if prefix.is_some_and(|prefix| prefix < 8) {
            found.add(
                "wide-trust",
                format!("{path}[{index}]"),
                format!("{network} believes most of the world"),
                "name the proxies' own networks",
            );
        }
    }
}

fn audit(policy: &Policy<'_>, found: &mut Found) {
    let audit = &policy.config.settings.audit;
    if audit.denied < 1.0 {
        found.add(
            "unaudited-denials",
            "audit.log.decisions",
            "leaves denials out of the audit, which an attack is seen by",
            "write all of them",
        );
    }
    if matches!(audit.level, LogLevel::Trace | LogLevel::Debug) {
        found.add(
            "unseen-audit",
            "audit.log.level",
            "is below info, which is the least that proxies write by default",
            "use info",
        );
    }
}

/// Where actions are listed, the core says so of each. Whether they are is in no wire type: the
/// section is read by the rows of its signals.
fn risk(policy: &Policy<'_>, found: &mut Found) {
    let written = policy.written.risk.given();
    let by_default = written.is_some_and(|risk| risk.get("actions").is_none());
    if by_default && policy.config.settings.limits.is_empty() {
        found.add(
            "idle-throttle",
            "risk",
            "throttles by making requests cost their limits more, and there are no limits",
            "add some, or list actions",
        );
    }
}
