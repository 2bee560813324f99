//! The event in OCSF 1.5.0: API Activity, class 6003, with the security control profile.
//!
//! Member names and numbers are those of <https://schema.ocsf.io/1.5.0/classes/api_activity>.

use std::fmt::Write as _;

use super::json::{
    array, digits, element, member, name, number, object, some_number, some_text, text,
};
use crate::audit::{Outcome, Record, Who};
use crate::decision::{Mode, Reason};

/// The event as one line of JSON, without a line break at its end.
///
/// ```
/// use postern_core::audit::{LimitNames, Outcome, Record, forms::ocsf};
/// use postern_core::base::Now;
/// use postern_core::decision::{Mode, Reason};
///
/// let record = Record {
///     time: Now::from_secs(1_772_445_600),
///     end: Now::from_secs(1_772_445_600),
///     outcome: Outcome::Denied(Reason::CredentialMissing),
///     detail: "no token was sent",
///     mode: Mode::Enforce,
///     route: Some("orders"),
///     who: None,
///     registration: None,
///     beside: None,
///     forwarded_by: None,
///     purpose: None,
///     keys: None,
///     risk: None,
///     limits: LimitNames::default(),
///     source: None,
///     method: "GET",
///     host: "api.example",
///     path: "/v1/orders/7",
///     path_bytes: None,
///     user_agent: None,
///     request_id: None,
///     status: Some(401),
///     request_bytes: 0,
///     response_bytes: 0,
/// };
/// let event: serde_json::Value = serde_json::from_str(&ocsf::line(&record)).unwrap();
/// assert_eq!(event["status_detail"], "credential_missing");
/// ```
#[must_use]
pub fn line(record: &Record<'_>) -> String {
    let mut line = String::new();
    write(&mut line, record);
    line
}

/// Writes the event behind what is there, as [`line()`] has it.
pub fn write(out: &mut String, record: &Record<'_>) {
    let activity = activity(record.method);
    let duration = u64::try_from(record.end.since(record.time).as_millis()).unwrap_or(u64::MAX);
    out.push_str("{\"time\":");
    digits(out, record.time.millis());
    out.push_str(",\"class_uid\":6003,\"category_uid\":6");
    number(out, member!("activity_id"), activity);
    number(out, member!("type_uid"), activity.saturating_add(600_300));
    number(out, member!("severity_id"), severity(record.outcome));
    number(
        out,
        member!("action_id"),
        action(record.outcome, record.mode),
    );
    number(
        out,
        member!("disposition_id"),
        disposition(record.outcome, record.mode),
    );
    number(out, member!("status_id"), status(record.outcome));
    text(out, member!("status_detail"), record.outcome.code());
    some_text(
        out,
        member!("message"),
        Some(record.detail).filter(|detail| !detail.is_empty()),
    );
    number(out, member!("duration"), duration);
    object(out, member!("actor"), |out| actor(out, record));
    object(out, member!("src_endpoint"), |out| endpoint(out, record));
    object(out, member!("api"), |out| api(out, record));
    object(out, member!("http_request"), |out| request(out, record));
    if let Some(code) = record.status {
        object(out, member!("http_response"), |out| {
            number(out, member!("code"), code.into());
            number(out, member!("body_length"), record.response_bytes);
            number(out, member!("latency"), duration);
        });
    }
    some_named(out, member!("policy"), record.route);
    if let Some(risk) = record.risk {
        number(out, member!("risk_score"), risk.score.into());
        some_text(
            out,
            member!("risk_details"),
            Some(risk.details).filter(|details| !details.is_empty()),
        );
    }
    object(out, member!("metadata"), |out| {
        out.push_str(METADATA);
        some_text(out, member!("correlation_uid"), record.request_id);
    });
    object(out, member!("unmapped"), |out| unmapped(out, record));
    out.push('}');
}

const METADATA: &str = concat!(
    "\"version\":\"1.5.0\",\"product\":{\"name\":\"Postern\",\"vendor_name\":\"Postern\",\"version\":\"",
    env!("CARGO_PKG_VERSION"),
    "\"},\"profiles\":[\"security_control\"]"
);

fn actor(out: &mut String, record: &Record<'_>) {
    object(out, member!("user"), |out| match record.who {
        Some(Who {
            identity,
            issuer,
            token,
            ..
        }) => {
            text(out, member!("uid"), identity);
            some_text(out, member!("credential_uid"), token);
            text(out, member!("domain"), issuer);
        }
        None => text(out, member!("name"), "anonymous"),
    });
    some_text(
        out,
        member!("app_uid"),
        record.who.and_then(|who| who.client),
    );
    let decision = match record.outcome {
        Outcome::Allowed => "Allow",
        Outcome::Denied(_) => "Deny",
        Outcome::Undecided => "None",
    };
    array(out, member!("authorizations"), |out| {
        out.push('{');
        text(out, member!("decision"), decision);
        some_named(out, member!("policy"), record.route);
        out.push('}');
    });
}

fn endpoint(out: &mut String, record: &Record<'_>) {
    let Some(source) = record.source else {
        return text(out, member!("name"), "unknown");
    };
    name(out, member!("ip"));
    // Writing into memory has no way to fail, and an address has nothing to escape.
    let _ = write!(out, "\"{}\"", source.ip());
    if source.port() != 0 {
        number(out, member!("port"), source.port().into());
    }
}

fn api(out: &mut String, record: &Record<'_>) {
    text(out, member!("operation"), record.method);
    some_named(out, member!("service"), Some(record.host));
    if let Some(id) = record.request_id {
        object(out, member!("request"), |out| text(out, member!("uid"), id));
    }
}

fn request(out: &mut String, record: &Record<'_>) {
    some_text(out, member!("http_method"), listed_method(record.method));
    object(out, member!("url"), |out| {
        text(out, member!("hostname"), record.host);
        text(out, member!("path"), record.path);
    });
    number(out, member!("body_length"), record.request_bytes);
    some_text(out, member!("user_agent"), record.user_agent);
}

fn some_named(out: &mut String, called: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        object(out, called, |out| text(out, member!("name"), value));
    }
}

fn unmapped(out: &mut String, record: &Record<'_>) {
    text(out, member!("mode"), record.mode.as_str());
    some_text(out, member!("route"), record.route);
    if let Some(who) = record.who {
        text(out, member!("issuer"), who.issuer);
        text(out, member!("proven_by"), who.proven);
    }
    if let Some(beside) = record.beside {
        object(out, member!("beside"), |out| {
            text(out, member!("identity"), beside.identity);
            text(out, member!("proven_by"), beside.proven);
        });
    }
    some_text(out, member!("forwarded_by"), record.forwarded_by);
    some_text(
        out,
        member!("client"),
        record.who.and_then(|who| who.client),
    );
    if let Some(client) = record.registration {
        object(out, member!("registration"), |out| {
            some_text(out, member!("owner"), client.owner);
            some_text(out, member!("purpose"), client.purpose);
            some_number(out, member!("days_left"), client.days_left);
        });
    }
    some_text(out, member!("scopes"), record.who.map(|who| who.scopes));
    some_text(out, member!("purpose"), record.purpose);
    some_number(out, member!("path_bytes"), record.path_bytes);
    if let Some(keys) = record.keys {
        object(out, member!("keys"), |out| {
            number(out, member!("version"), keys.version);
            number(out, member!("age_seconds"), keys.age);
            some_text(out, member!("failure"), keys.failure);
        });
    }
    some_text(out, member!("limit"), record.limits.refused_by);
    if !record.limits.observed.is_empty() {
        array(out, member!("limits_observed"), |out| {
            for limit in &record.limits.observed {
                element(out, limit);
            }
        });
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
fn activity(method: &str) -> u64 {
    match method {
        "POST" => 1,
        "GET" | "HEAD" => 2,
        "PUT" | "PATCH" => 3,
        "DELETE" => 4,
        _ => 99,
    }
}

/// `severity_id`: 1 informational; 2 low for a refusal; 4 high where the gate itself is at fault.
fn severity(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Allowed | Outcome::Undecided => 1,
        Outcome::Denied(Reason::ConfigInvalid | Reason::HostUnavailable) => 4,
        Outcome::Denied(_) => 2,
    }
}

/// `action_id`: 0 unknown, 1 allowed, 2 denied, 3 observed.
fn action(outcome: Outcome, mode: Mode) -> u64 {
    match (outcome, mode) {
        (Outcome::Undecided, _) => 0,
        (Outcome::Allowed, _) => 1,
        (Outcome::Denied(_), Mode::Enforce) => 2,
        (Outcome::Denied(_), Mode::Observe) => 3,
    }
}

/// `disposition_id`: 0 unknown, 1 allowed, 2 blocked, 17 logged.
fn disposition(outcome: Outcome, mode: Mode) -> u64 {
    match (outcome, mode) {
        (Outcome::Undecided, _) => 0,
        (Outcome::Allowed, _) => 1,
        (Outcome::Denied(_), Mode::Enforce) => 2,
        (Outcome::Denied(_), Mode::Observe) => 17,
    }
}

/// `status_id`: 0 unknown, 1 success, 2 failure.
fn status(outcome: Outcome) -> u64 {
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
    use crate::audit::tests::record;
    use crate::base::Now;

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
        assert!(line.is_ascii() && !line.contains(char::is_control));
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
