//! A denial as the caller sees it: status, fields, body.
//!
//! The body is a problem document (RFC 9457); the challenge follows RFC 6750 section 3; a gRPC
//! caller gets the status in trailers instead. Only the configured detail leaves the gate.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Denial, RateFields, Reason, whole_millis, whole_seconds};

/// A status code of gRPC, sent as `grpc-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcStatus {
    /// The request is malformed.
    InvalidArgument = 3,
    /// The caller may not do this.
    PermissionDenied = 7,
    /// A limit is used up.
    ResourceExhausted = 8,
    /// The gate cannot decide now.
    Unavailable = 14,
    /// The caller is not authenticated.
    Unauthenticated = 16,
}

/// What a refused caller is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// The `realm` of challenges: can be quoted without escapes.
    pub realm: Option<String>,
    /// The `resource_metadata` of challenges (RFC 9728): can be quoted without escapes.
    pub resource_metadata: Option<String>,
    /// How much a reply says.
    pub detail: Detail,
    /// Whether allowed responses carry `RateLimit` fields.
    pub rate_fields: bool,
}

/// How much a reply says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// The reason.
    #[default]
    Reason,
    /// The reason and what happened.
    Full,
}

/// What replies carry, from the configuration's `responses` and `tokens`.
#[derive(Clone, Copy, Debug)]
pub struct ReplyOptions<'a> {
    /// The authentication scheme of challenges.
    pub scheme: &'a str,
    /// `realm` of challenges.
    pub realm: Option<&'a str>,
    /// `resource_metadata` of challenges (RFC 9728 section 5.1).
    pub resource_metadata: Option<&'a str>,
    /// How much detail leaves the gate.
    pub detail: Detail,
}

/// An answer in the upstream's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub fields: Vec<(&'static str, String)>,
    /// The body: a problem document, or the gRPC message.
    pub body: String,
    /// Set for a gRPC request: the reply is then trailers-only.
    pub grpc: Option<GrpcStatus>,
    /// The reason's code, for the proxy's own access log.
    pub reason: Reason,
}

impl Reply {
    /// Makes the answer to a refused request.
    ///
    /// ```
    /// use postern_core::decision::{Asked, Denial, Detail, Reason, Reply, ReplyOptions};
    ///
    /// let denial = Denial::new(Reason::CredentialMissing, "no token was sent");
    /// let options = ReplyOptions {
    ///     scheme: "Bearer",
    ///     realm: Some("orders"),
    ///     resource_metadata: None,
    ///     detail: Detail::Reason,
    /// };
    /// let reply = Reply::new(&denial, &options, Asked::default());
    /// assert_eq!(reply.status, 401);
    /// assert!(reply.fields.contains(&("www-authenticate", "Bearer realm=\"orders\"".to_owned())));
    /// ```
    #[must_use]
    pub fn new(denial: &Denial, options: &ReplyOptions<'_>, request: Asked<'_>) -> Self {
        let mut fields = vec![("cache-control", "no-store".to_owned())];
        if let Some(challenge) = challenge(denial, options) {
            fields.push(("www-authenticate", challenge));
        }
        if let Some(wait) = denial.retry_after {
            // RFC 9110 section 10.2.3: in whole seconds.
            fields.push(("retry-after", whole_seconds(wait).max(1).to_string()));
        }
        if let Some(rate) = request.rate {
            fields.push(("ratelimit-policy", rate.policy.clone()));
            fields.push(("ratelimit", rate.state.clone()));
        }
        let body = if request.grpc {
            message(denial, options).to_owned()
        } else {
            fields.push(("content-type", "application/problem+json".to_owned()));
            problem(denial, options, request.id)
        };
        let grpc = request.grpc.then(|| grpc_status(denial.reason));
        Self {
            status: denial.reason.status(),
            fields,
            body,
            grpc,
            reason: denial.reason,
        }
    }
}

/// What of the request shapes the reply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `x-request-id`.
    pub id: Option<&'a str>,
    /// Whether the content type is gRPC's.
    pub grpc: bool,
    /// What the limits say that refused it.
    pub rate: Option<&'a RateFields>,
}

/// Whether a `content-type` is gRPC's: `application/grpc`, alone or with a suffix, as the gRPC
/// protocol and Envoy, which frames the reply, have it.
#[must_use]
pub fn is_grpc(content_type: &[u8]) -> bool {
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes: &'a [String],
}

fn problem(denial: &Denial, options: &ReplyOptions<'_>, id: Option<&str>) -> String {
    let problem = Problem {
        r#type: problem_type(denial.reason),
        title: denial.reason.title(),
        status: denial.reason.status(),
        reason: denial.reason.code(),
        request_id: id,
        retry_after_ms: denial.retry_after.map(whole_millis),
        detail: (options.detail == Detail::Full).then_some(&*denial.detail),
        scopes: &denial.scopes,
    };
    // Serialising strings and numbers into memory has no way to fail.
    serde_json::to_string(&problem).unwrap_or_default()
}

/// The registered types of draft-ietf-httpapi-ratelimit-headers section 6 where one fits.
fn problem_type(reason: Reason) -> String {
    match reason {
        Reason::RateLimited | Reason::QuotaExceeded => {
            "https://iana.org/assignments/http-problem-types#quota-exceeded".to_owned()
        }
        Reason::RiskDenied | Reason::SourceThrottled => {
            "https://iana.org/assignments/http-problem-types#abnormal-usage-detected".to_owned()
        }
        other => format!("urn:postern:{}", other.code()),
    }
}

fn message<'a>(denial: &'a Denial, options: &ReplyOptions<'_>) -> &'a str {
    match options.detail {
        Detail::Reason => denial.reason.code(),
        Detail::Full => &denial.detail,
    }
}

// RFC 6750 section 3: a challenge for 401 and 403, and for 400 where the request is malformed as
// a way of sending a credential.
fn challenge(denial: &Denial, options: &ReplyOptions<'_>) -> Option<String> {
    let reason = denial.reason;
    if !matches!(reason.status(), 401 | 403) && reason != Reason::CredentialAmbiguous {
        return None;
    }
    let mut parameters = Vec::with_capacity(5);
    parameters.extend(options.realm.map(|realm| ("realm", realm.to_owned())));
    if let Some(error) = error_code(reason) {
        parameters.push(("error", error.to_owned()));
    }
    // RFC 6750 section 3.1: no error information where the request carried no credential.
    if reason != Reason::CredentialMissing {
        parameters.push(("error_description", description(denial, options)));
    }
    if !denial.scopes.is_empty() {
        parameters.push(("scope", denial.scopes.join(" ")));
    }
    parameters.extend(
        options
            .resource_metadata
            .map(|uri| ("resource_metadata", uri.to_owned())),
    );
    Some(render(options.scheme, &parameters))
}

fn render(scheme: &str, parameters: &[(&str, String)]) -> String {
    let mut challenge = scheme.to_owned();
    for (index, (name, value)) in parameters.iter().enumerate() {
        let separator = if index == 0 { " " } else { ", " };
        // Writing to a String has no way to fail.
        let _ = write!(challenge, "{separator}{name}=\"{}\"", quotable(value));
    }
    challenge
}

// RFC 6750 section 3.1 names three codes; a 403 for another cause than scope gets none, since
// asking for more scope would not help.
fn error_code(reason: Reason) -> Option<&'static str> {
    match (reason, reason.status()) {
        (Reason::CredentialMissing, _) => None,
        (Reason::CredentialAmbiguous, _) => Some("invalid_request"),
        (Reason::ScopeMissing, _) => Some("insufficient_scope"),
        (_, 401) => Some("invalid_token"),
        _ => None,
    }
}

fn description(denial: &Denial, options: &ReplyOptions<'_>) -> String {
    match options.detail {
        Detail::Reason => denial.reason.title().to_owned(),
        Detail::Full => denial.detail.clone().into_owned(),
    }
}

// RFC 6750 section 3: the characters of a description exclude `"` and `\`; nothing else may leave
// the quotes or the line either.
fn quotable(value: &str) -> String {
    let keep = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    value
        .chars()
        .map(|c| if keep(c) { c } else { '\'' })
        .collect()
}

fn grpc_status(reason: Reason) -> GrpcStatus {
    match reason.status() {
        400 => GrpcStatus::InvalidArgument,
        401 => GrpcStatus::Unauthenticated,
        403 => GrpcStatus::PermissionDenied,
        429 => GrpcStatus::ResourceExhausted,
        _ => GrpcStatus::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: ReplyOptions<'static> = ReplyOptions {
        scheme: "Bearer",
        realm: Some("orders"),
        resource_metadata: None,
        detail: Detail::Reason,
    };

    fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply
            .fields
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }

    fn challenge_of(denial: &Denial) -> Option<String> {
        challenge(denial, &OPTIONS)
    }

    #[test]
    fn a_challenge_is_bare_where_nothing_was_sent() {
        let denial = Denial::new(Reason::CredentialMissing, "no authorization field");
        assert_eq!(challenge_of(&denial).unwrap(), "Bearer realm=\"orders\"");
    }

    #[test]
    fn each_group_of_reasons_has_its_error_code() {
        const CASES: &[(Reason, Option<&str>)] = &[
            (Reason::TokenExpired, Some("error=\"invalid_token\"")),
            (Reason::ScopeMissing, Some("error=\"insufficient_scope\"")),
            (
                Reason::CredentialAmbiguous,
                Some("error=\"invalid_request\""),
            ),
        ];
        for (reason, expected) in CASES {
            let challenge = challenge_of(&Denial::new(*reason, "")).unwrap();
            assert!(challenge.contains(expected.unwrap()), "{challenge}");
        }
        assert!(
            !challenge_of(&Denial::new(Reason::NotAllowed, ""))
                .unwrap()
                .contains("error=")
        );
        assert_eq!(challenge_of(&Denial::new(Reason::PathAmbiguous, "")), None);
        assert_eq!(
            challenge_of(&Denial::new(Reason::KeysUnavailable, "")),
            None
        );
    }

    #[test]
    fn missing_scopes_are_named_in_the_challenge_and_the_body() {
        let mut denial = Denial::new(Reason::ScopeMissing, "");
        denial.scopes = vec!["orders.read".to_owned(), "orders.list".to_owned()];
        let reply = Reply::new(&denial, &OPTIONS, Asked::default());
        let challenge = field(&reply, "www-authenticate").unwrap();
        assert!(
            challenge.contains("scope=\"orders.read orders.list\""),
            "{challenge}"
        );
        assert!(
            reply
                .body
                .contains("\"scopes\":[\"orders.read\",\"orders.list\"]")
        );
    }

    #[test]
    fn a_detail_cannot_leave_its_quotes_or_its_line() {
        let denial = Denial::new(Reason::TypeMismatch, "typ \"x\\\r\nset-cookie: a=b");
        let options = ReplyOptions {
            detail: Detail::Full,
            ..OPTIONS
        };
        let challenge = challenge(&denial, &options).unwrap();
        assert_eq!(challenge.matches('"').count(), 6);
        assert!(!challenge.contains(['\r', '\n', '\\']));
    }

    #[test]
    fn detail_stays_inside_unless_it_is_asked_for() {
        let denial = Denial::new(Reason::TokenExpired, "exp 1, now 2");
        let asked = Asked {
            id: Some("r-1"),
            grpc: false,
            rate: None,
        };
        let reply = Reply::new(&denial, &OPTIONS, asked);
        assert!(!reply.body.contains("now 2"), "{}", reply.body);
        assert!(reply.body.contains("\"request_id\":\"r-1\""));
        let full = ReplyOptions {
            detail: Detail::Full,
            ..OPTIONS
        };
        assert!(
            Reply::new(&denial, &full, asked)
                .body
                .contains("\"detail\":\"exp 1, now 2\"")
        );
    }

    #[test]
    fn a_grpc_request_gets_a_status_and_no_problem_document() {
        let denial = Denial::new(Reason::ScopeMissing, "");
        let reply = Reply::new(
            &denial,
            &OPTIONS,
            Asked {
                id: None,
                grpc: true,
                rate: None,
            },
        );
        assert_eq!(reply.grpc, Some(GrpcStatus::PermissionDenied));
        assert_eq!(field(&reply, "content-type"), None);
        assert_eq!(reply.body, "scope_missing");
    }

    #[test]
    fn grpc_content_types_are_told_from_their_neighbours() {
        const CASES: &[(&[u8], bool)] = &[
            (b"application/grpc", true),
            (b"application/grpc+proto", true),
            (b"application/grpc;charset=x", false),
            (b"Application/gRPC", false),
            (b"application/grpc-web", false),
            (b"application/json", false),
            (b"", false),
        ];
        for (content_type, expected) in CASES {
            assert_eq!(is_grpc(content_type), *expected, "{content_type:?}");
        }
    }
}
