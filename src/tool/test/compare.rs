//! Where an outcome is not what its step expects.

use serde_json::Value;

use super::suite::{Expect, Mode, Verdict};
use crate::text::printable;
use crate::trial::Answer;

/// One thing that is not as expected.
pub struct Difference {
    pub what: String,
    pub expected: String,
    pub got: String,
}

/// Everything that is not as expected.
///
/// A credential that the upstream sees in the field `header` is told of, and not shown.
pub fn differences(expect: &Expect, answer: &Answer, status: u16, header: &str) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut note = |what: &str, expected: Option<&str>, got: Option<&str>| {
        if expected != got {
            let shown = |text: Option<&str>| text.map_or("none".to_owned(), printable);
            let (expected, got) = (shown(expected), shown(got));
            let what = what.to_owned();
            found.push(Difference {
                what,
                expected,
                got,
            });
        }
    };
    if let Some(expected) = expect.status {
        note(
            "status",
            Some(&expected.to_string()),
            Some(&status.to_string()),
        );
    }
    note("reason", Some(&expect.reason), Some(answer.reason()));
    if let Some(verdict) = expect.decision {
        let word = |allow| Some(if allow { "allow" } else { "deny" });
        let expected = matches!(verdict, Verdict::Allow);
        note(
            "decision",
            word(expected),
            word(answer.reason() == "allowed"),
        );
    }
    note(
        "route",
        expect.route.as_deref(),
        event(answer, "/unmapped/route"),
    );
    let mode = match expect.mode {
        Some(Mode::Observe) => "observe",
        Some(Mode::Enforce) | None => "enforce",
    };
    note("mode", Some(mode), event(answer, "/unmapped/mode"));
    if let Some(code) = expect.grpc {
        note(
            "grpc",
            Some(&code.to_string()),
            Some(&grpc(answer).to_string()),
        );
    }
    if let Some(scope) = &expect.scope {
        note("scope", Some(scope), challenged(answer));
    }
    let named = [
        ("identity", &expect.identity, "/actor/user/uid"),
        ("client", &expect.client, "/unmapped/client"),
        ("limit", &expect.limit, "/unmapped/limit"),
    ];
    for (what, expected, pointer) in named {
        if expected.is_some() {
            note(what, expected.as_deref(), event(answer, pointer));
        }
    }
    if let Some(part) = &expect.detail
        && !answer.detail().contains(part.as_str())
    {
        note(
            "detail",
            Some(&format!("... {part} ...")),
            Some(answer.detail()),
        );
    }
    for (name, expected) in expect.upstream.iter().flatten() {
        let got = seen(answer, name, header);
        note(
            &format!("upstream {name}"),
            expected.as_deref(),
            got.as_deref(),
        );
    }
    found
}

/// The code that a gRPC caller gets: the upstream's, which is OK, or the gate's.
pub fn grpc(answer: &Answer) -> u8 {
    let code = answer.reply.as_ref().and_then(|reply| reply.grpc);
    code.map_or(0, |code| code as u8)
}

fn event<'a>(answer: &'a Answer, pointer: &str) -> Option<&'a str> {
    answer.event.pointer(pointer).and_then(Value::as_str)
}

fn challenged(answer: &Answer) -> Option<&str> {
    let (_, scope) = answer.field("www-authenticate")?.split_once("scope=\"")?;
    scope.split('"').next()
}

fn seen(answer: &Answer, name: &str, header: &str) -> Option<String> {
    if !answer.passed {
        return Some("the request did not reach the upstream".to_owned());
    }
    let values = answer.upstream.all(name);
    let values: Vec<_> = values.map(String::from_utf8_lossy).collect();
    let secret = [header, "authorization"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own));
    match values.as_slice() {
        [] => None,
        [_, ..] if secret => Some("a credential".to_owned()),
        values => Some(values.join(", ")),
    }
}
