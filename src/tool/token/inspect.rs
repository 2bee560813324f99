//! What is in a token, of which nothing is known to be true.

use std::fmt::Write as _;

use postern_core::base::Now;
use postern_core::jose::NumericDate;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::instant;
use crate::moment;
use crate::text::printable;
use postern_testkit::signing::jws;

/// Shows a token without its signature.
///
/// # Errors
///
/// It is no compact JWS of JSON objects.
pub fn text(token: &str, now: Now) -> Result<String, Failure> {
    let Some(parts) = jws::parts(token) else {
        let what =
            "is no compact JWS: three parts of base64url, the first two JSON objects, are needed";
        return Err(Failure(format!("what was read {what}")));
    };
    let mut out =
        "NOT VERIFIED: anyone could have written this. No signature was checked.\n".to_owned();
    write_members(&mut out, "header", &parts.header);
    write_members(&mut out, "claims", &parts.claims);
    write_times(&mut out, &parts.claims, now);
    let signature = token.split('.').nth(2);
    let problems = problems(&parts.header, signature, token);
    if !problems.is_empty() {
        out.push_str("\nwarnings\n");
    }
    for problem in problems {
        let _ = writeln!(out, "  {problem}");
    }
    Ok(out)
}

fn write_members(out: &mut String, title: &str, members: &Map<String, Value>) {
    let _ = writeln!(out, "\n{title}");
    for (name, value) in members {
        let value = match value {
            Value::String(text) => printable(text),
            other => printable(&other.to_string()),
        };
        let _ = writeln!(out, "  {}: {value}", printable(name));
    }
}

fn write_times(out: &mut String, claims: &Map<String, Value>, now: Now) {
    let _ = writeln!(out, "\ntimes, at {}", instant::text(now.millis()));
    for (name, ahead, behind) in [
        ("iat", "is issued in the future", "was issued"),
        ("nbf", "is not valid yet: begins", "began"),
        ("exp", "expires", "expired"),
    ] {
        let said = match claims.get(name) {
            None => continue,
            Some(value) => NumericDate::from_json(value),
        };
        let told = match said {
            None => "is no number of seconds".to_owned(),
            Some(date) => {
                let at = date.instant();
                let word = if at > now { ahead } else { behind };
                let distance = moment::distance(at, now);
                format!("{word} {distance} ({})", instant::text(at.millis()))
            }
        };
        let _ = writeln!(out, "  {name}: {told}");
    }
    if !claims.contains_key("exp") {
        out.push_str("  exp: is not there; such a token never expires, and Postern refuses it\n");
    }
}

fn problems(
    header: &Map<String, Value>,
    signature: Option<&str>,
    token: &str,
) -> Vec<&'static str> {
    let alg = header
        .get("alg")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let none = alg.eq_ignore_ascii_case("none");
    let empty = signature.is_none_or(str::is_empty);
    let embedded = ["jwk", "jku", "x5c", "x5u"]
        .iter()
        .any(|name| header.contains_key(*name));
    let parts = token.split('.').count();
    let told = [
        (none, "alg none: nobody signed this; Postern never takes it"),
        (empty && !none, "there is no signature"),
        (parts != 3, "it has not three parts, and is no compact JWS"),
        (
            header.contains_key("crit"),
            "crit: an extension that must be understood; Postern refuses it",
        ),
        (
            header.contains_key("b64"),
            "b64: an unencoded payload; Postern refuses it",
        ),
        (
            embedded,
            "jwk, jku, x5c or x5u: the token brings its own key, or says where to fetch it; Postern does not look at it",
        ),
        (
            !header.contains_key("kid") && !none,
            "there is no kid: every key that fits is tried",
        ),
        (
            alg.starts_with("HS"),
            "alg HS: a shared secret; whoever can verify can sign",
        ),
    ];
    told.into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, problem)| problem)
        .collect()
}
