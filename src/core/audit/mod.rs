//! One event a decision.
//!
//! The gate fills in a [`Record`]; [`forms`] are what is written of it, [`sinks`] where that goes. A record holds
//! nothing that could be used to call again: no token, no signature, no secret, no query string.

pub mod forms;
pub mod sinks;

use std::net::SocketAddr;

use crate::base::Now;
use crate::decision::{Mode, Reason};
use crate::host::{Host, LogLevel};
use crate::keys::ring::Freshness;

/// What is written of decisions.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The level of the host's log at which they are written.
    pub level: LogLevel,
    /// Which fraction of those that allow is written, from 0 to 1.
    pub allowed: f64,
    /// Which fraction of those that deny is written, from 0 to 1.
    pub denied: f64,
    /// From how many bytes on gathered events are written; zero where each is written at once.
    pub batch: usize,
    /// The header in which callers say what a request is for, in lower case.
    pub purpose_header: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            allowed: 1.0,
            denied: 1.0,
            batch: 0,
            purpose_header: None,
        }
    }
}

/// Where records go.
pub trait Sink {
    /// Takes a record: writes it, or keeps it until there are more.
    fn add(&mut self, host: &dyn Host, record: &Record<'_>);

    /// Whether it may keep records, so that ticks are needed.
    fn gathers(&self) -> bool;

    /// Writes what was kept: for each tick, and when the gate ends.
    fn flush(&mut self, host: &dyn Host);
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The gate let it through.
    Allowed,
    /// The gate refused it, or would have in [`Mode::Observe`].
    Denied(Reason),
    /// The request ended before the gate saw its header fields.
    Undecided,
}

impl Outcome {
    /// The word that `status_detail` carries.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied(reason) => reason.code(),
            Self::Undecided => "undecided",
        }
    }
}

/// What is known of the caller once its credential was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who<'a> {
    /// The identity that limits, headers and audit share.
    pub identity: &'a str,
    /// The configured name of the issuer, or the SPIFFE ID of the trust domain.
    pub issuer: &'a str,
    /// How the identity was proven.
    pub proven: &'static str,
    /// The client the token was issued to.
    pub client: Option<&'a str>,
    /// The token's own identifier (`jti`).
    pub token: Option<&'a str>,
    /// The granted scopes, space-separated.
    pub scopes: &'a str,
}

/// What a caller is registered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration<'a> {
    /// Who answers for it.
    pub owner: Option<&'a str>,
    /// What it is for.
    pub purpose: Option<&'a str>,
    /// The days that are left of it, the last one not counted.
    pub days_left: Option<u64>,
}

/// Whose X.509-SVID came beside the token that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside<'a> {
    /// The SPIFFE ID.
    pub identity: &'a str,
    /// How it was proven.
    pub proven: &'static str,
}

/// The limits that have something to say of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitNames<'a> {
    /// The one that refused it.
    pub refused_by: Option<&'a str>,
    /// Those that would have refused it, and are only observed.
    pub observed: Vec<&'a str>,
}

/// How unusual the request is for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskNote<'a> {
    /// From 0 to 100.
    pub score: u8,
    /// What the score is made of; empty where nothing is done about it.
    pub details: &'a str,
}

/// Everything an audit event says, borrowed from where it is kept.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When the request came.
    pub time: Now,
    /// When it ended.
    pub end: Now,
    /// The decision.
    pub outcome: Outcome,
    /// What happened in this occurrence, for people; empty for an allowed request.
    pub detail: &'a str,
    /// Whether the decision was enforced.
    pub mode: Mode,
    /// The name of the matched route.
    pub route: Option<&'a str>,
    /// The caller; none before its credential was verified.
    pub who: Option<Who<'a>>,
    /// What the caller is registered as; none where it is not.
    pub registration: Option<Registration<'a>>,
    /// Whose X.509-SVID came beside the caller's token.
    pub beside: Option<Beside<'a>>,
    /// The trusted proxy that forwarded the caller's certificate.
    pub forwarded_by: Option<&'a str>,
    /// What the caller says the request is for.
    pub purpose: Option<&'a str>,
    /// The fetched keys that the token was held against.
    pub keys: Option<Freshness>,
    /// How unusual it is for its caller; none where that was not asked.
    pub risk: Option<RiskNote<'a>>,
    /// The limits that have something to say.
    pub limits: LimitNames<'a>,
    /// The caller's address and port; the port is zero where it is not known.
    pub source: Option<SocketAddr>,
    /// The request's method.
    pub method: &'a str,
    /// The host the request names.
    pub host: &'a str,
    /// The path as sent, without the query and the parameters of its segments; one that is too long
    /// without its middle.
    pub path: &'a str,
    /// How many bytes the path has; none where its middle is there.
    pub path_bytes: Option<u64>,
    /// `user-agent`.
    pub user_agent: Option<&'a str>,
    /// `x-request-id`.
    pub request_id: Option<&'a str>,
    /// The status the caller was sent; none where the stream ended before one.
    pub status: Option<u16>,
    /// Body bytes of the request.
    pub request_bytes: u64,
    /// Body bytes of the response.
    pub response_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that was let through.
    pub fn record() -> Record<'static> {
        Record {
            risk: None,
            limits: LimitNames::default(),
            time: Now::from_nanos(1_500_000_000),
            end: Now::from_nanos(1_512_000_000),
            outcome: Outcome::Allowed,
            detail: "",
            mode: Mode::Enforce,
            route: Some("read-orders"),
            who: None,
            registration: None,
            beside: None,
            forwarded_by: None,
            purpose: None,
            keys: None,
            source: None,
            method: "GET",
            host: "api.example",
            path: "/v1/orders/7",
            path_bytes: None,
            user_agent: None,
            request_id: Some("r-1"),
            status: Some(200),
            request_bytes: 0,
            response_bytes: 12,
        }
    }
}
