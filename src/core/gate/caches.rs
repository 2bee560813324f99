//! What shared caches are told of an answer whose request had its credential taken away.
//!
//! RFC 9111 section 3.5 keeps them from giving the answer to a request with `Authorization` to anybody
//! else, unless the answer says that they may. What they cannot see they have to be told.

use std::borrow::Cow;

use crate::host::Host;
use crate::request::Headers;

const CACHE_CONTROL: &str = "cache-control";

/// In place of a credential, where caches stand behind the gate: a scheme without any secret.
pub const MARKER: &str = "Postern";

/// Directives by which an answer says itself whether others may have it (RFC 9111 sections 3.5, 5.2.2.5
/// and 5.2.2.7).
const DECIDED: &[&str] = &[
    "private",
    "no-store",
    "public",
    "s-maxage",
    "must-revalidate",
];

/// Makes the answer its caller's own, unless it says that others may have it.
pub fn keep_apart(host: &dyn Host, marked: bool) {
    // What cannot be read is rather kept from all caches than given to another caller.
    let fields = host.response_headers().unwrap_or_default();
    if !is_decided(&fields) {
        let private = joined(&fields, CACHE_CONTROL, "private");
        // A host that refuses leaves the answer as the upstream made it.
        let _ = host.set_response_header(CACHE_CONTROL, &private);
    }
    if marked {
        let vary = joined(&fields, "vary", "authorization");
        let _ = host.set_response_header("vary", &vary);
    }
}

fn is_decided(fields: &Headers) -> bool {
    let mut directives = fields
        .all(CACHE_CONTROL)
        .flat_map(|value| value.split(|byte| *byte == b','));
    directives.any(|directive| {
        // With names of fields behind it `private` is about those alone; `s-maxage` needs a number.
        let (name, argument) = match directive.iter().position(|byte| *byte == b'=') {
            Some(at) => directive.split_at_checked(at).unwrap_or_default(),
            None => (directive, &[][..]),
        };
        let name = name.trim_ascii();
        let mut decided = DECIDED.iter();
        decided.any(|known| {
            name.eq_ignore_ascii_case(known.as_bytes())
                && (argument.is_empty() || *known == "s-maxage")
        })
    })
}

/// The values of a field and one more; what is not UTF-8 is left out.
fn joined(fields: &Headers, name: &str, more: &'static str) -> Cow<'static, str> {
    let values = fields
        .all(name)
        .filter_map(|value| std::str::from_utf8(value).ok());
    let mut joined = String::new();
    for value in values.filter(|value| !value.trim().is_empty()) {
        joined.push_str(value);
        joined.push_str(", ");
    }
    // Most answers have no such field.
    if joined.is_empty() {
        return Cow::Borrowed(more);
    }
    joined.push_str(more);
    Cow::Owned(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Call, MemoryHost};

    fn told(values: &[&str], marked: bool) -> (Vec<String>, Vec<String>) {
        let host = MemoryHost::default();
        for value in values {
            host.push_response_header(b"Cache-Control", value.as_bytes());
        }
        host.push_response_header(b"vary", b"accept");
        keep_apart(&host, marked);
        let fields = host.response_headers();
        let all = |name: &str| {
            let values = fields.all(name).map(String::from_utf8_lossy);
            values.map(|value| value.into_owned()).collect()
        };
        (all("cache-control"), all("vary"))
    }

    #[test]
    fn an_answer_is_its_callers_own_unless_it_says_otherwise() {
        const CASES: &[(&[&str], &[&str])] = &[
            (&[], &["private"]),
            (&[""], &["private"]),
            (&["max-age=60"], &["max-age=60, private"]),
            (
                &["no-cache", "max-age=1"],
                &["no-cache, max-age=1, private"],
            ),
            (
                &["private=\"set-cookie\""],
                &["private=\"set-cookie\", private"],
            ),
            (&["x-public"], &["x-public, private"]),
            (&["max-age=60, Private"], &["max-age=60, Private"]),
            (&["no-store"], &["no-store"]),
            (&["PUBLIC"], &["PUBLIC"]),
            (&["max-age=1 , s-maxage=60"], &["max-age=1 , s-maxage=60"]),
            (
                &["max-age=1", "must-revalidate"],
                &["max-age=1", "must-revalidate"],
            ),
        ];
        for (sent, expected) in CASES {
            let (control, vary) = told(sent, false);
            assert_eq!(control, *expected, "{sent:?}");
            assert_eq!(vary, ["accept"]);
        }
        assert_eq!(told(&[], true).1, ["accept, authorization"]);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_kept_apart() {
        let host = MemoryHost::default();
        host.refuse(Call::ResponseHeaders);
        keep_apart(&host, false);
        let fields = host.response_headers();
        assert_eq!(fields.only("cache-control"), Some(&b"private"[..]));
    }
}
