//! A recorded request, from either form of it.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use postern_core::decision::{Reached, Reason};
use serde::Deserialize;

use super::scalar::Scalar;
use crate::instant;

/// API Activity of OCSF, which Postern's audit events are.
const CLASS: Scalar<'_> = Scalar::Whole(6003);
/// What the core counts in: seconds, in 32 bits.
const LAST_SECOND: u64 = u32::MAX as u64;

/// A request of a known caller that was recorded.
#[derive(Debug, PartialEq)]
pub struct Event<'a> {
    /// When it came, in milliseconds since the epoch.
    pub time: u64,
    /// When it ended.
    pub end: u64,
    pub identity: Cow<'a, str>,
    pub client: Option<Cow<'a, str>>,
    pub source: Option<IpAddr>,
    /// What tells its token apart.
    pub token: Option<Cow<'a, str>>,
    pub host: Cow<'a, str>,
    pub method: Cow<'a, str>,
    pub path: Cow<'a, str>,
    pub route: Option<Cow<'a, str>>,
    pub status: u16,
    pub bytes: u64,
    /// Whether Postern refused it for what it asked.
    pub refused: bool,
    /// Whether it went on to the upstream.
    pub went_on: bool,
}

/// What a line holds.
#[derive(Debug, PartialEq)]
pub enum Reading<'a> {
    Event(Box<Event<'a>>),
    /// A request of which it is not known whose it is.
    Anonymous,
    /// A request that was given up before it was judged.
    Unjudged,
    /// Something else.
    Nothing,
}

/// Reads a line, which may begin with what a log writes before its messages.
///
/// # Errors
///
/// What is wrong with an event, and what would be accepted.
pub fn read(line: &str) -> Result<Reading<'_>, String> {
    let Some(from) = line.find('{') else {
        return Ok(Reading::Nothing);
    };
    let object = line.get(from..).unwrap_or_default();
    match serde_json::from_str::<Members<'_>>(object) {
        Ok(members) if members.class_uid == CLASS => members.of_audit(),
        Ok(members) if members.class_uid.is_none() => members.simple(),
        Ok(_) => Ok(Reading::Nothing),
        // Other messages of a log may well have a brace in them.
        Err(_) if from > 0 && !object.starts_with("{\"") => Ok(Reading::Nothing),
        Err(error) => {
            let error = error.to_string().replace(" line 1 column", " column");
            Err(format!("{error}; one JSON object is needed"))
        }
    }
}

/// The members of both forms. Which it is, `class_uid` says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members<'a> {
    #[serde(borrow)]
    time: Scalar<'a>,
    duration: Scalar<'a>,

    class_uid: Scalar<'a>,
    action_id: Scalar<'a>,
    status_detail: Scalar<'a>,
    actor: Actor<'a>,
    src_endpoint: Endpoint<'a>,
    api: Api<'a>,
    http_request: HttpRequest<'a>,
    http_response: HttpResponse<'a>,
    policy: Named<'a>,
    unmapped: Unmapped<'a>,

    identity: Scalar<'a>,
    client: Scalar<'a>,
    source: Scalar<'a>,
    token: Scalar<'a>,
    host: Scalar<'a>,
    method: Scalar<'a>,
    path: Scalar<'a>,
    route: Scalar<'a>,
    status: Scalar<'a>,
    bytes: Scalar<'a>,
    reason: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Actor<'a> {
    #[serde(borrow)]
    user: User<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User<'a> {
    #[serde(borrow)]
    uid: Scalar<'a>,
    credential_uid: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Endpoint<'a> {
    #[serde(borrow)]
    ip: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Api<'a> {
    #[serde(borrow)]
    operation: Scalar<'a>,
    service: Named<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    name: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HttpRequest<'a> {
    #[serde(borrow)]
    url: Url<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Url<'a> {
    #[serde(borrow)]
    path: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HttpResponse<'a> {
    #[serde(borrow)]
    code: Scalar<'a>,
    body_length: Scalar<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Unmapped<'a> {
    #[serde(borrow)]
    client: Scalar<'a>,
    route: Scalar<'a>,
}

/// `action_id` of a refusal that was only observed.
const OBSERVED: Scalar<'_> = Scalar::Whole(3);

impl<'a> Members<'a> {
    fn of_audit(self) -> Result<Reading<'a>, String> {
        let time = self.time.whole("time", LAST_SECOND.saturating_mul(1000))?;
        let observed = self.action_id == OBSERVED;
        let route = match self.unmapped.route {
            Scalar::None => ("policy.name", self.policy.name),
            route => ("unmapped.route", route),
        };
        Written {
            time: time.ok_or("time is not there; milliseconds since the epoch are needed")?,
            duration: self.duration,
            identity: ("actor.user.uid", self.actor.user.uid),
            client: ("unmapped.client", self.unmapped.client),
            source: ("src_endpoint.ip", self.src_endpoint.ip),
            token: ("actor.user.credential_uid", self.actor.user.credential_uid),
            host: ("api.service.name", self.api.service.name),
            method: ("api.operation", self.api.operation),
            path: ("http_request.url.path", self.http_request.url.path),
            route,
            status: ("http_response.code", self.http_response.code),
            bytes: ("http_response.body_length", self.http_response.body_length),
            reason: ("status_detail", self.status_detail),
        }
        .reading(observed)
    }

    fn simple(self) -> Result<Reading<'a>, String> {
        let asks_nothing = self.path.is_none() && self.route.is_none();
        if self.identity.is_none() && (self.time.is_none() || asks_nothing) {
            return Ok(Reading::Nothing);
        }
        if self.route.is_none() && (self.method.is_none() || self.path.is_none()) {
            return Err("method and path, or route, are not there; they are needed".to_owned());
        }
        Written {
            time: time(self.time)?,
            duration: self.duration,
            identity: ("identity", self.identity),
            client: ("client", self.client),
            source: ("source", self.source),
            token: ("token", self.token),
            host: ("host", self.host),
            method: ("method", self.method),
            path: ("path", self.path),
            route: ("route", self.route),
            status: ("status", self.status),
            bytes: ("bytes", self.bytes),
            reason: ("reason", self.reason),
        }
        .reading(false)
    }
}

/// What either form says, each with the name it has there.
struct Written<'a> {
    time: u64,
    duration: Scalar<'a>,
    identity: Member<'a>,
    client: Member<'a>,
    source: Member<'a>,
    token: Member<'a>,
    host: Member<'a>,
    method: Member<'a>,
    path: Member<'a>,
    route: Member<'a>,
    status: Member<'a>,
    bytes: Member<'a>,
    reason: Member<'a>,
}

type Member<'a> = (&'static str, Scalar<'a>);

impl<'a> Written<'a> {
    fn reading(self, observed: bool) -> Result<Reading<'a>, String> {
        let text = |(name, value): Member<'a>| value.text(name);
        let whole = |(name, value): Member<'a>, most| value.whole(name, most);
        let Some(identity) = text(self.identity)? else {
            return Ok(Reading::Anonymous);
        };
        let reason = reason(self.reason)?;
        // Keys were wanted and never came: nothing was judged.
        if matches!(reason, Some(Reason::KeysUnavailable | Reason::KeyUnknown)) {
            return Ok(Reading::Unjudged);
        }
        let duration = whole(("duration", self.duration), u64::MAX)?.unwrap_or_default();
        let status = whole(self.status, 999)?.unwrap_or_default();
        Ok(Reading::Event(Box::new(Event {
            time: self.time,
            end: self.time.saturating_add(duration),
            identity,
            client: text(self.client)?,
            source: source(self.source)?,
            token: text(self.token)?,
            host: text(self.host)?.unwrap_or_default(),
            method: text(self.method)?.unwrap_or_default(),
            path: text(self.path)?.unwrap_or_default(),
            route: text(self.route)?,
            status: u16::try_from(status).unwrap_or_default(),
            bytes: whole(self.bytes, u64::MAX)?.unwrap_or_default(),
            // A caller that is known when it is refused may not, whatever the word is.
            refused: reason.is_some_and(|reason| reason.step() != Reached::Permitted),
            went_on: reason.is_none() || observed,
        })))
    }
}

fn time(value: Scalar<'_>) -> Result<u64, String> {
    let millis = match &value {
        Scalar::Text(text) => instant::of_text(text),
        #[allow(
            clippy::cast_precision_loss,
            reason = "exact until far beyond the bound"
        )]
        Scalar::Whole(number) => instant::of_number(*number as f64),
        Scalar::Number(number) => instant::of_number(*number),
        Scalar::None | Scalar::Other(_) => None,
    };
    millis
        .filter(|millis| millis / 1000 <= LAST_SECOND)
        .ok_or_else(|| {
            format!(
                "time is {value}; RFC 3339 such as 2026-03-02T10:00:00Z, or seconds or \
                 milliseconds since the epoch, from 1970 to 2106, is needed"
            )
        })
}

/// None where the request was let through.
fn reason((name, value): Member<'_>) -> Result<Option<Reason>, String> {
    let Some(code) = value.text(name)? else {
        return Ok(None);
    };
    if matches!(&*code, "allowed" | "undecided") {
        return Ok(None);
    }
    let found = Reason::ALL.iter().find(|reason| reason.code() == code);
    found.copied().map(Some).ok_or_else(|| {
        let code = Scalar::Text(code);
        format!("{name} is {code}; allowed, or a reason such as scope_missing, is needed")
    })
}

/// An address, with or without a port.
fn source((name, value): Member<'_>) -> Result<Option<IpAddr>, String> {
    let Some(text) = value.text(name)? else {
        return Ok(None);
    };
    let address = text.parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|both| both.ip()));
    address.map(Some).map_err(|_| {
        let text = Scalar::Text(text);
        format!("{name} is {text}; an address such as 192.0.2.1, 192.0.2.1:443 or [2001:db8::1]:443 is needed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event<'_> {
        match read(line) {
            Ok(Reading::Event(event)) => *event,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_simple_form_is_read() {
        let line = r#"{"time": 1772445600.5, "identity": "corp/a", "source": "[2001:db8::1]:443",
            "method": "GET", "path": "/v1/orders/7", "status": 404, "bytes": 12, "host": "api.example",
            "client": "a", "token": "t", "duration": 40, "route": "orders", "reason": "scope_missing"}"#;
        let event = event(line);
        assert_eq!(
            (event.time, event.end),
            (1_772_445_600_500, 1_772_445_600_540)
        );
        assert_eq!(event.source, Some("2001:db8::1".parse().unwrap()));
        assert_eq!((event.status, event.bytes), (404, 12));
        assert!(event.refused && !event.went_on);
    }

    #[test]
    fn what_is_refused_for_how_much_it_does_is_no_refusal() {
        for (reason, refused, went_on) in [
            ("allowed", false, true),
            ("rate_limited", false, false),
            ("risk_denied", false, false),
            ("client_suspended", true, false),
            // Of the certificate that a route asks for beside the token.
            ("svid_invalid", true, false),
        ] {
            let line =
                format!(r#"{{"time": 1, "identity": "a", "route": "r", "reason": "{reason}"}}"#);
            let event = event(&line);
            assert_eq!(
                (event.refused, event.went_on),
                (refused, went_on),
                "{reason}"
            );
        }
        let observed = r#"{"class_uid": 6003, "time": 1, "action_id": 3, "status_detail": "not_allowed",
            "actor": {"user": {"uid": "a"}}}"#;
        let event = event(observed);
        assert!(event.refused && event.went_on);
    }

    #[test]
    fn other_lines_are_no_events() {
        for line in [
            "",
            "[2026-03-02 10:00:00.000][7][info][main] all dependencies initialized",
            "[2026-03-02 10:00:00.000][7][debug] request headers: {a: b}",
            r#"{"level": "info", "msg": "hello"}"#,
            r#"{"class_uid": 4001, "time": 1}"#,
        ] {
            assert_eq!(read(line), Ok(Reading::Nothing), "{line}");
        }
        let anonymous =
            r#"x: {"class_uid": 6003, "time": 1, "actor": {"user": {"name": "anonymous"}}}"#;
        assert_eq!(read(anonymous), Ok(Reading::Anonymous));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_accepted() {
        for (line, problem) in [
            (r#"{"time": 1, "identity": "a""#, "EOF"),
            (
                r#"{"time": -1, "identity": "a", "route": "r"}"#,
                "time is -1.0; RFC 3339",
            ),
            (
                r#"{"time": 1e300, "identity": "a", "route": "r"}"#,
                "time is 1e300;",
            ),
            (
                r#"{"time": 1e999, "identity": "a", "route": "r"}"#,
                "number out of range at column",
            ),
            (
                r#"{"time": NaN, "identity": "a", "route": "r"}"#,
                "expected value at column",
            ),
            (
                r#"{"time": 5000000000, "identity": "a", "route": "r"}"#,
                "from 1970 to 2106",
            ),
            (r#"{"identity": "a", "route": "r"}"#, "time is not there"),
            (
                r#"{"time": 1, "identity": "a", "path": "/"}"#,
                "method and path, or route",
            ),
            (
                r#"{"time": 1, "identity": 7, "route": "r"}"#,
                "identity is 7; a text",
            ),
            (
                r#"{"time": 1, "identity": "a", "route": "r", "status": 1000}"#,
                "from 0 to 999",
            ),
            (
                r#"{"time": 1, "identity": "a", "route": "r", "bytes": -5}"#,
                "bytes is -5.0",
            ),
            (
                r#"{"time": 1, "identity": "a", "route": "r", "bytes": [1]}"#,
                "bytes is a list",
            ),
            (
                r#"{"time": 1, "identity": "a", "route": "r", "source": "x"}"#,
                "source is \"x\"",
            ),
            (
                r#"{"time": 1, "identity": "a", "route": "r", "reason": "no"}"#,
                "reason is \"no\"",
            ),
            (r#"x {"class_uid": 6003, "actor": 7}"#, "expected"),
            (
                r#"{"class_uid": 6003, "actor": {"user": {"uid": "a"}}}"#,
                "time is not there",
            ),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(problem), "{line}: {error}");
        }
    }
}
