//! The document as a whole.

use serde_json::Value;

use super::errors::ConfigErrors;
use super::finding::{Finding, Rule};
use super::list::names;
use super::mistake::{Mistake, Wrong};
use super::place::{Found, Place};
use super::reader::Wire;
use super::wire::{self, Field};
use super::{
    audit, client, issuer, limit, proto_struct, responses, risk, route, source, tokens,
    trust_domain, upstream,
};
use crate::caller;
use crate::decision::Mode;
use crate::gate::Settings;
use crate::jose::json::{self, Bounds, JsonError};

/// A configuration that was found sound.
#[derive(Debug)]
pub struct Config {
    /// What it compiles to.
    pub settings: Settings,
    /// What is allowed but worth a look, one sentence each, with its path.
    pub warnings: Vec<Finding>,
}

impl Config {
    /// Parses and compiles a document. The outcome depends on the bytes alone.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its path and what would be accepted.
    ///
    /// ```
    /// use postern_core::config::Config;
    ///
    /// let document = br#"{
    ///     "version": 1,
    ///     "routes": [{"name": "health", "match": {"path": "/healthz"}, "public": true}]
    /// }"#;
    /// let config = Config::parse(document).unwrap();
    /// assert_eq!(config.settings.routes.len(), 1);
    ///
    /// let errors = Config::parse(br#"{"version": 1, "routs": []}"#).unwrap_err();
    /// assert_eq!(errors.listed()[0].place, "routs");
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigErrors> {
        Self::parse_written(bytes).map(|(config, _)| config)
    }

    /// As [`Self::parse`], with the document as it is written beside it, for who asks what was said.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_written(bytes: &[u8]) -> Result<(Self, wire::Config), ConfigErrors> {
        let document = document(bytes).map_err(ConfigErrors::of_document)?;
        let found = Found::default();
        let wire = wire::Config::read(&document, &Place::root(&found))
            .map_err(|wrong| ConfigErrors::of_document(refused(&wrong)))?;
        // Fields that are not known come first, then whatever the rest has wrong.
        let mut errors = found.into_errors();
        match compiled(&wire) {
            Ok(config) if errors.count() == 0 => return Ok((config, wire)),
            Ok(_) => {}
            Err(later) => errors.append(later),
        }
        Err(errors)
    }
}

fn compiled(wire: &wire::Config) -> Result<Config, ConfigErrors> {
    let found = Found::default();
    let config = compile(wire, &Place::root(&found));
    let errors = found.into_errors();
    match config {
        Some(config) if errors.count() == 0 => Ok(config),
        _ => Err(errors),
    }
}

/// None only where an error was noted; a model with an error noted beside it is thrown away.
fn compile(wire: &wire::Config, place: &Place<'_>) -> Option<Config> {
    check_version(&wire.version, &place.member("version"));
    let mut warnings = Vec::new();
    let mode = mode(&wire.mode, &place.member("mode"), &mut warnings);
    let tokens = tokens::compile(&wire.tokens, &place.member("tokens"));
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
    let counters = limit::counters(&wire.counters, &place.member("counters"));
    let limited = !wire.limits.is_absent();
    let risk = risk::compile(&wire.risk, &place.member("risk"), limited, &mut warnings);
    let known_risk = risk::KnownRisk {
        settings: risk.as_ref().map(|risk| &risk.settings),
        limited,
    };
    let source = source::compile(
        &wire.source,
        &place.member("source"),
        &tokens.header,
        &mut warnings,
    );
    let audit = audit::compile(&wire.audit, &place.member("audit"), &tokens.header);
    let unregistered = wire
        .unregistered_clients
        .optional(&place.member("unregistered_clients"));
    let known = client::ClientNames {
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
    let known = route::RouteNames {
        upstreams: &upstreams,
        clients: &clients,
        issuers: issuer_names.as_deref(),
        trust_domains: domains.as_deref(),
        limits: limit_names.as_deref(),
        risk: known_risk,
    };
    let routes = route::compile_all(&wire.routes, &routes, known, &mut warnings);
    let responses = responses::compile(&wire.responses, &place.member("responses"));
    let upstream = place.member("upstream");
    let upstream = upstream::compile(&wire.upstream, &upstream, &mut warnings);
    let (trust_domains, xfcc) = trust_domains?;
    let callers = caller::settings::Settings {
        issuers: issuers?,
        trust_domains,
        xfcc,
        clients,
        tokens,
        marks_tokens: risk.is_some(),
    };
    let settings = Settings {
        mode: mode.unwrap_or_default(),
        callers,
        routes: routes?,
        limits,
        counters,
        risk,
        source,
        audit,
        responses,
        upstream,
    };
    Some(Config { settings, warnings })
}

fn check_version(version: &Field<u64>, place: &Place<'_>) {
    match version.required(place, "1") {
        Some(1) | None => {}
        Some(other) => place.error(
            Mistake::Unsupported,
            format_args!("is {other}"),
            "this version of Postern reads 1",
        ),
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

/// The document is no configuration as a whole.
fn refused(wrong: &Wrong) -> Finding {
    let wrong = wrong.value();
    let problem = format!("the configuration {}", wrong.problem);
    Finding::error(wrong.mistake, "", problem, wrong.remedy.clone())
}

fn document(bytes: &[u8]) -> Result<Value, Finding> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Finding::error(
            Mistake::Unreadable,
            "",
            "there is no configuration",
            "a JSON object with version, issuers and routes is needed",
        ));
    }
    // A Struct's first byte is also a line break, which JSON may begin with.
    let document = json::parse(bytes, Bounds::CONFIGURATION);
    document
        .or_else(|error| proto_struct::read(bytes).ok_or(error))
        .map_err(|unread| match unread {
            // Names of members are quoted there, which paths here are not.
            JsonError::Duplicate { path, line, column } => Finding::error(
                Mistake::Duplicate,
                path.replace('"', ""),
                format!("is there twice (line {line}, column {column})"),
                "once is needed",
            ),
            unread => Finding::error(
                Mistake::Unreadable,
                "",
                format!("the configuration is not read: {unread}"),
                "one JSON object is needed",
            ),
        })
}
