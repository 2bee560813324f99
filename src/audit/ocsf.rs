//! The event in OCSF 1.5.0: API Activity, class 6003, with the security control profile.
//!
//! Member names and numbers are those of <https://schema.ocsf.io/1.5.0/classes/api_activity>.

use serde::Serialize;

use super::{Outcome, Record, Who};
use crate::decision::{Mode, Reason};

const CLASS: u32 = 6003;
const CATEGORY: u32 = 6;

/// The event as one line of JSON, without a line break at its end.
#[must_use]
pub fn line(record: &Record<'_>) -> String {
    // Serialising strings and numbers into memory has no way to fail.
    serde_json::to_string(&ApiActivity::new(record)).unwrap_or_default()
}

#[derive(Serialize)]
struct ApiActivity<'a> {
    time: u64,
    class_uid: u32,
    category_uid: u32,
    activity_id: u32,
    type_uid: u32,
    severity_id: u32,
    action_id: u32,
    disposition_id: u32,
    status_id: u32,
    status_detail: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    duration: u64,
    actor: Actor<'a>,
    src_endpoint: Endpoint,
    api: Api<'a>,
    http_request: HttpRequest<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_response: Option<HttpResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_score: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_details: Option<&'a str>,
    metadata: Metadata<'a>,
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct Actor<'a> {
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_uid: Option<&'a str>,
    authorizations: [Authorization<'a>; 1],
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
}

#[derive(Serialize)]
struct Authorization<'a> {
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Named<'a>>,
}

#[derive(Clone, Copy, Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'a str,
    service: Named<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Uid<'a>>,
}

#[derive(Serialize)]
struct Uid<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct HttpRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    http_method: Option<&'a str>,
    url: Url<'a>,
    body_length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

#[derive(Serialize)]
struct Url<'a> {
    hostname: &'a str,
    path: &'a str,
}

#[derive(Serialize)]
struct HttpResponse {
    code: u16,
    body_length: u64,
    latency: u64,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: Product,
    profiles: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_uid: Option<&'a str>,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<Identity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<Registered<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Keys>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits_observed: Vec<&'a str>,
}

#[derive(Serialize)]
struct Registered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_left: Option<u64>,
}

#[derive(Serialize)]
struct Identity<'a> {
    identity: &'a str,
    proven_by: &'static str,
}

#[derive(Serialize)]
struct Keys {
    version: u64,
    age_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'static str>,
}

impl<'a> ApiActivity<'a> {
    fn new(record: &Record<'a>) -> Self {
        let activity_id = activity(record.method);
        let duration = u64::try_from(record.end.since(record.time).as_millis()).unwrap_or(u64::MAX);
        Self {
            time: record.time.millis(),
            class_uid: CLASS,
            category_uid: CATEGORY,
            activity_id,
            type_uid: CLASS.saturating_mul(100).saturating_add(activity_id),
            severity_id: severity(record.outcome),
            action_id: action(record.outcome, record.mode),
            disposition_id: disposition(record.outcome, record.mode),
            status_id: status(record.outcome),
            status_detail: record.outcome.code(),
            message: record.detail,
            duration,
            actor: Actor::new(record),
            src_endpoint: Endpoint::new(record),
            api: Api {
                operation: record.method,
                service: Named { name: record.host },
                request: record.request_id.map(|uid| Uid { uid }),
            },
            http_request: HttpRequest {
                http_method: listed_method(record.method),
                url: Url {
                    hostname: record.host,
                    path: record.path,
                },
                body_length: record.request_bytes,
                user_agent: record.user_agent,
            },
            http_response: record.status.map(|code| HttpResponse {
                code,
                body_length: record.response_bytes,
                latency: duration,
            }),
            policy: record.route.map(|name| Named { name }),
            risk_score: record.risk.map(|risk| risk.score),
            risk_details: record
                .risk
                .map(|risk| risk.details)
                .filter(|details| !details.is_empty()),
            metadata: Metadata {
                version: "1.5.0",
                product: Product {
                    name: "Postern",
                    vendor_name: "Postern",
                    version: env!("CARGO_PKG_VERSION"),
                },
                profiles: ["security_control"],
                correlation_uid: record.request_id,
            },
            unmapped: Unmapped::new(record),
        }
    }
}

impl<'a> Actor<'a> {
    fn new(record: &Record<'a>) -> Self {
        let user = match record.who {
            Some(Who {
                identity,
                issuer,
                token,
                ..
            }) => User {
                uid: Some(identity),
                name: None,
                credential_uid: token,
                domain: Some(issuer),
            },
            None => User {
                uid: None,
                name: Some("anonymous"),
                credential_uid: None,
                domain: None,
            },
        };
        let decision = match record.outcome {
            Outcome::Allowed => "Allow",
            Outcome::Denied(_) => "Deny",
            Outcome::Undecided => "None",
        };
        let policy = record.route.map(|name| Named { name });
        Self {
            user,
            app_uid: record.who.and_then(|who| who.client),
            authorizations: [Authorization { decision, policy }],
        }
    }
}

impl Endpoint {
    fn new(record: &Record<'_>) -> Self {
        match record.source {
            Some(source) => Self {
                ip: Some(source.ip().to_string()),
                port: Some(source.port()).filter(|port| *port != 0),
                name: None,
            },
            None => Self {
                ip: None,
                port: None,
                name: Some("unknown"),
            },
        }
    }
}

impl<'a> Unmapped<'a> {
    fn new(record: &Record<'a>) -> Self {
        Self {
            mode: record.mode.as_str(),
            route: record.route,
            issuer: record.who.map(|who| who.issuer),
            proven_by: record.who.map(|who| who.proven),
            beside: record.beside.map(|beside| Identity {
                identity: beside.identity,
                proven_by: beside.proven,
            }),
            forwarded_by: record.forwarded_by,
            client: record.who.and_then(|who| who.client),
            registration: record.registration.map(|client| Registered {
                owner: client.owner,
                purpose: client.purpose,
                days_left: client.days_left,
            }),
            scopes: record.who.map(|who| who.scopes),
            purpose: record.purpose,
            keys: record.keys.map(|keys| Keys {
                version: keys.version,
                age_seconds: keys.age,
                failure: keys.failure,
            }),
            limit: record.limits.refused_by,
            limits_observed: record.limits.observed.clone(),
        }
    }
}

/// The method where OCSF 1.5.0 lists it; `api.operation` has every method.
fn listed_method(method: &str) -> Option<&str> {
    const LISTED: &[&str] = &[
        "OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT",
    ];
    LISTED.contains(&method).then_some(method)
}

/// `activity_id`: 1 create, 2 read, 3 update, 4 delete, 99 other.
fn activity(method: &str) -> u32 {
    match method {
        "POST" => 1,
        "GET" | "HEAD" => 2,
        "PUT" | "PATCH" => 3,
        "DELETE" => 4,
        _ => 99,
    }
}

/// `severity_id`: 1 informational; 2 low for a refusal; 4 high where the gate itself is at fault.
fn severity(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Allowed | Outcome::Undecided => 1,
        Outcome::Denied(Reason::ConfigInvalid | Reason::HostUnavailable) => 4,
        Outcome::Denied(_) => 2,
    }
}

/// `action_id`: 0 unknown, 1 allowed, 2 denied, 3 observed.
fn action(outcome: Outcome, mode: Mode) -> u32 {
    match (outcome, mode) {
        (Outcome::Undecided, _) => 0,
        (Outcome::Allowed, _) => 1,
        (Outcome::Denied(_), Mode::Enforce) => 2,
        (Outcome::Denied(_), Mode::Observe) => 3,
    }
}

/// `disposition_id`: 0 unknown, 1 allowed, 2 blocked, 17 logged.
fn disposition(outcome: Outcome, mode: Mode) -> u32 {
    match (outcome, mode) {
        (Outcome::Undecided, _) => 0,
        (Outcome::Allowed, _) => 1,
        (Outcome::Denied(_), Mode::Enforce) => 2,
        (Outcome::Denied(_), Mode::Observe) => 17,
    }
}

/// `status_id`: 0 unknown, 1 success, 2 failure.
fn status(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Undecided => 0,
        Outcome::Allowed => 1,
        Outcome::Denied(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::time::Now;

    fn record() -> Record<'static> {
        Record {
            risk: None,
            limits: crate::audit::LimitNames::default(),
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
            user_agent: None,
            request_id: Some("r-1"),
            status: Some(200),
            request_bytes: 0,
            response_bytes: 12,
        }
    }

    fn event(record: &Record<'_>) -> Value {
        serde_json::from_str(&line(record)).unwrap()
    }

    #[test]
    fn times_are_milliseconds_and_the_type_is_of_the_class_and_activity() {
        let event = event(&record());
        assert_eq!(event["time"], 1500);
        assert_eq!(event["duration"], 12);
        assert_eq!(event["type_uid"], 600_302);
        assert_eq!(event["metadata"]["correlation_uid"], "r-1");
    }

    #[test]
    fn a_refusal_that_is_only_observed_is_told_from_an_enforced_one() {
        let denied = Record {
            outcome: Outcome::Denied(Reason::TokenExpired),
            ..record()
        };
        assert_eq!(event(&denied)["action_id"], 2);
        let observed = event(&Record {
            mode: Mode::Observe,
            ..denied
        });
        assert_eq!(observed["action_id"], 3);
        assert_eq!(observed["status_detail"], "token_expired");
        assert_eq!(observed["unmapped"]["mode"], "observe");
    }

    #[test]
    fn a_method_that_ocsf_does_not_list_stands_in_the_operation_alone() {
        let event = event(&Record {
            method: "PATCH",
            ..record()
        });
        assert_eq!(event["api"]["operation"], "PATCH");
        assert_eq!(event["http_request"].get("http_method"), None);
    }

    #[test]
    fn a_line_stays_one_line_whatever_the_caller_sent() {
        let hostile = Record {
            path: "/a\n{\"class_uid\":6003}\u{2028}\r",
            ..record()
        };
        let line = line(&hostile);
        assert!(!line.contains('\n') && !line.contains('\r'));
        assert_eq!(event(&hostile)["http_request"]["url"]["path"], hostile.path);
    }

    #[test]
    fn a_clock_that_jumped_back_gives_a_duration_of_zero() {
        let event = event(&Record {
            end: Now::from_nanos(0),
            ..record()
        });
        assert_eq!(event["duration"], 0);
    }
}
