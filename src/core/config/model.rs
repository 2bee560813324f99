//! The document as a whole.

use serde_json::Value;

use super::audit::Audit;
use super::client;
use super::errors::ConfigErrors;
use super::finding::{Finding, Rule};
use super::issuer::{self, Issuer};
use super::limit::{self, Counters};
use super::list::names;
use super::place::{Found, Place};
use super::proto_struct;
use super::reader::Wire;
use super::responses::Responses;
use super::risk::{self, Risk};
use super::route::{self, Route};
use super::source::Source;
use super::tokens::Tokens;
use super::trust_domain::{self, KeyOwner, TrustDomain};
use super::upstream::Upstream;
use super::wire::{self, Field};
use crate::caller::clients::Clients;
use crate::decision::Mode;
use crate::jose::json::{self, Bounds, JsonError};
use crate::limits::Limit;
use crate::policy::RouteTable;
use crate::spiffe::{self, Chain, Signatory};

/// A configuration that was found sound, compiled for use.
#[derive(Debug)]
pub struct Config {
    /// Whether refusals are enforced where a route does not say.
    pub mode: Mode,
    /// Who signs JWTs, in the order of the document.
    pub issuers: Vec<Issuer>,
    /// The SPIFFE trust domains whose workloads may call, in the order of the document.
    pub trust_domains: Vec<TrustDomain>,
    /// How many elements `x-forwarded-client-cert` has, and which of them is the caller's.
    pub xfcc: Chain,
    /// The governed clients.
    pub clients: Clients,
    /// How a credential is sent.
    pub tokens: Tokens,
    /// What requests are let through.
    pub routes: RouteTable<Route>,
    /// How much callers may, in the order of the document.
    pub limits: Vec<Limit>,
    /// Where limits are counted.
    pub counters: Counters,
    /// How callers are judged by what they do; none where they are not.
    pub risk: Option<Risk>,
    /// Where callers come from, and what those are told that keep failing.
    pub source: Source,
    /// What is written of decisions.
    pub audit: Audit,
    /// What a refused caller is told.
    pub responses: Responses,
    /// What goes on to the upstream.
    pub upstream: Upstream,
    /// What is allowed but worth a look, one sentence each, with its path.
    pub warnings: Vec<Finding>,
}

impl Config {
    /// Parses and compiles a document. The outcome depends on the bytes alone.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its path and what would be accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigErrors> {
        let document = document(bytes).map_err(ConfigErrors::of_document)?;
        let found = Found::default();
        let wire = wire::Config::read(&document, &Place::root(&found))
            .map_err(|error| ConfigErrors::of_document(format!("the configuration {error}")))?;
        // Fields that are not known come first, then whatever the rest has wrong.
        let mut errors = found.into_errors();
        match Self::try_from(wire) {
            Ok(config) if errors.count() == 0 => return Ok(config),
            Ok(_) => {}
            Err(later) => errors.append(later),
        }
        Err(errors)
    }

    /// The issuer with exactly that `iss`, and its place in [`Self::issuers`].
    #[must_use]
    pub fn issuer_of(&self, iss: &str) -> Option<(usize, &Issuer)> {
        let mut issuers = self.issuers.iter().enumerate();
        issuers.find(|(_, issuer)| issuer.issuer == iss)
    }

    /// The trust domain of that name, and its place in [`Self::trust_domains`].
    #[must_use]
    pub fn trust_domain_of(&self, name: &spiffe::TrustDomain) -> Option<(usize, &TrustDomain)> {
        let mut domains = self.trust_domains.iter().enumerate();
        domains.find(|(_, domain)| domain.name == *name)
    }

    /// The name by which limits and audit know an issuer or a trust domain.
    #[must_use]
    pub fn name_of(&self, signatory: Signatory<usize, usize>) -> &str {
        match signatory {
            Signatory::Issuer(index) => self.issuers.get(index).map(|issuer| &issuer.name),
            Signatory::TrustDomain(index) => self.trust_domains.get(index).map(|domain| &domain.id),
        }
        .map_or("", String::as_str)
    }

    /// Whether the upstream gets the tokens of an issuer or a trust domain as they were sent.
    #[must_use]
    pub fn forwards(&self, signatory: Signatory<usize, usize>) -> bool {
        match signatory {
            Signatory::Issuer(index) => self.issuers.get(index).map(|issuer| issuer.forward),
            Signatory::TrustDomain(index) => self
                .trust_domains
                .get(index)
                .and_then(|domain| Some(domain.jwt_svid.as_ref()?.forward)),
        }
        .unwrap_or_default()
    }

    /// Whether the upstream gets anybody's tokens.
    #[must_use]
    pub fn forwards_any(&self) -> bool {
        let mut slots = 0..self.issuers.len().max(self.trust_domains.len());
        slots.any(|at| {
            self.forwards(Signatory::Issuer(at)) || self.forwards(Signatory::TrustDomain(at))
        })
    }

    /// The slot of an issuer's or a trust domain's keys.
    #[must_use]
    pub fn slot_of(&self, signatory: Signatory<usize, usize>) -> usize {
        match signatory {
            Signatory::Issuer(index) => index,
            Signatory::TrustDomain(index) => self.issuers.len().saturating_add(index),
        }
    }

    /// Whose keys are in which slot.
    pub fn key_owners(&self) -> impl Iterator<Item = (usize, KeyOwner<'_>)> {
        let issuers = self.issuers.iter().map(KeyOwner::Issuer);
        let domains = self.trust_domains.iter().map(KeyOwner::TrustDomain);
        issuers.chain(domains).enumerate()
    }

    /// Whether a certificate can be an identity here.
    #[must_use]
    pub fn takes_certificates(&self) -> bool {
        self.trust_domains
            .iter()
            .any(|domain| domain.x509_svid.is_some())
    }

    /// Whether refusals are enforced on that route.
    #[must_use]
    pub fn mode_of(&self, route: &Route) -> Mode {
        route.mode.unwrap_or(self.mode)
    }
}

impl TryFrom<wire::Config> for Config {
    type Error = ConfigErrors;

    fn try_from(wire: wire::Config) -> Result<Self, ConfigErrors> {
        let found = Found::default();
        let config = compile(&wire, &Place::root(&found));
        let errors = found.into_errors();
        match config {
            Some(config) if errors.count() == 0 => Ok(config),
            _ => Err(errors),
        }
    }
}

/// None only where an error was noted; a model with an error noted beside it is thrown away.
fn compile(wire: &wire::Config, place: &Place<'_>) -> Option<Config> {
    check_version(&wire.version, &place.member("version"));
    let mut warnings = Vec::new();
    let mode = mode(&wire.mode, &place.member("mode"), &mut warnings);
    let tokens = Tokens::compile(&wire.tokens, &place.member("tokens"));
    let issuer_names = names(&wire.issuers, |issuer| &issuer.name);
    let issuers = place.member("issuers");
    let issuers = issuer::compile_all(&wire.issuers, &issuers, &tokens.header, &mut warnings);
    let domains = trust_domain::offers(&wire.trust_domains);
    let trust_domains = place.member("trust_domains");
    let trust_domains =
        trust_domain::compile_all(&wire.trust_domains, &trust_domains, &mut warnings);
    let routes = place.member("routes");
    let limit_names = names(&wire.limits, |limit| &limit.name);
    let limits = place.member("limits");
    let limits = limit::compile_all(&wire.limits, &limits, &tokens.header, &mut warnings);
    let counters = Counters::compile(&wire.counters, &place.member("counters"));
    let limited = !wire.limits.is_absent();
    let risk = Risk::compile(&wire.risk, &place.member("risk"), limited, &mut warnings);
    let known_risk = risk::Known {
        settings: risk.as_ref().map(|risk| &risk.settings),
        limited,
    };
    let source = Source::compile(
        &wire.source,
        &place.member("source"),
        &tokens.header,
        &mut warnings,
    );
    let audit = Audit::compile(&wire.audit, &place.member("audit"), &tokens.header);
    let unregistered = wire
        .unregistered_clients
        .optional(&place.member("unregistered_clients"));
    let known = client::Known {
        issuers: issuer_names.as_deref(),
        trust_domains: domains.as_deref(),
        purpose: audit.purpose_header.is_some(),
        risk: known_risk,
    };
    let clients = place.member("clients");
    let clients = client::compile_all(&wire.clients, unregistered, &clients, known, &mut warnings);
    let upstreams = wire.defaults.optional(&place.member("defaults"));
    let upstreams = upstreams.map_or_else(Vec::new, |wire| {
        let place = place.member("defaults");
        route::upstreams(&wire.upstreams, &place.member("upstreams"))
    });
    let known = route::Names {
        upstreams: &upstreams,
        clients: &clients,
        issuers: issuer_names.as_deref(),
        trust_domains: domains.as_deref(),
        limits: limit_names.as_deref(),
        risk: known_risk,
    };
    let routes = route::compile_all(&wire.routes, &routes, known, &mut warnings);
    let responses = Responses::compile(&wire.responses, &place.member("responses"));
    let upstream = place.member("upstream");
    let upstream = Upstream::compile(&wire.upstream, &upstream, &mut warnings);
    let (trust_domains, xfcc) = trust_domains?;
    Some(Config {
        mode: mode.unwrap_or_default(),
        issuers: issuers?,
        trust_domains,
        xfcc,
        tokens,
        routes: routes?,
        clients,
        limits,
        counters,
        risk,
        source,
        audit,
        responses,
        upstream,
        warnings,
    })
}

fn check_version(version: &Field<u64>, place: &Place<'_>) {
    match version.required(place, "1") {
        Some(1) | None => {}
        Some(other) => place.error(format_args!("is {other}; this version of Postern reads 1")),
    }
}

/// The mode where one is given; one that lets refused requests through is worth a warning.
pub(super) fn mode(
    field: &Field<wire::Mode>,
    place: &Place<'_>,
    warnings: &mut Vec<Finding>,
) -> Option<Mode> {
    Some(match field.optional(place)? {
        wire::Mode::Enforce => Mode::Enforce,
        wire::Mode::Observe => {
            warnings.push(Finding::warning(
                Rule::OBSERVE_MODE,
                place,
                "observe lets requests through that are refused",
            ));
            Mode::Observe
        }
    })
}

fn document(bytes: &[u8]) -> Result<Value, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(
            "there is no configuration; a JSON object with version, issuers and routes is needed"
                .to_owned(),
        );
    }
    // A Struct's first byte is also a line break, which JSON may begin with.
    let document = json::parse(bytes, Bounds::CONFIGURATION);
    document
        .or_else(|error| proto_struct::read(bytes).ok_or(error))
        .map_err(|error| match error {
            // Names of members are quoted there, which paths here are not.
            JsonError::Duplicate { path, line, column } => format!(
                "{}: is there twice (line {line}, column {column}); once is needed",
                path.replace('"', "")
            ),
            error => format!("the configuration is not read: {error}; one JSON object is needed"),
        })
}
