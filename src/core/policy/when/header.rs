//! `header`: a header field has an allowed value.

use std::fmt;

use super::kind::{ConditionKind, Facts, denied};
use crate::decision::Denial;
use crate::request::Sole;

/// What a header field must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderCondition {
    /// The field's name in lower case.
    pub name: String,
    /// The values that will do.
    pub values: Vec<String>,
    /// Whether it must be there.
    pub required: bool,
}

impl ConditionKind for HeaderCondition {
    fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        let name = &self.name;
        let value = match facts.request.headers.sole(name) {
            Sole::Absent if self.required => {
                return Err(denied(format!("the header {name} is missing")));
            }
            Sole::Absent => return Ok(()),
            Sole::One(value) => std::str::from_utf8(value).ok(),
            Sole::Ambiguous => None,
        };
        match value {
            Some(value) if self.values.iter().any(|listed| listed == value) => Ok(()),
            Some(_) => Err(denied(format!(
                "the header {name} does not have an allowed value"
            ))),
            None => Err(denied(format!(
                "the header {name} appears several times, under a name that can be taken for it, or is not UTF-8"
            ))),
        }
    }

    fn header(&self) -> Option<&str> {
        Some(&self.name)
    }
}

impl fmt::Display for HeaderCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header {} in {}", self.name, self.values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers;

    #[test]
    fn a_header_must_appear_once_and_be_listed() {
        let purpose = |required| HeaderCondition {
            name: "x-request-purpose".to_owned(),
            values: vec!["invoicing".to_owned()],
            required,
        };
        let cases: &[(&[&[u8]], bool, bool)] = &[
            (&[b"invoicing"], true, true),
            (&[], false, true),
            (&[b"Invoicing"], false, false),
            (&[b"invoicing", b"invoicing"], false, false),
            (&[b"invoicing,invoicing"], false, false),
            (&[b"\xff"], false, false),
        ];
        for other in ["x_request_purpose", "x.request.purpose"] {
            for names in [&[other][..], &["x-request-purpose", other]] {
                let headers = Headers::new(names.iter().map(|name| (*name, "invoicing")));
                let facts = Facts::of(None, &headers);
                assert!(purpose(true).check(&facts).is_err(), "{names:?}");
                assert!(purpose(false).check(&facts).is_err(), "{names:?}");
            }
        }
        for (values, with_required, without) in cases {
            let field = |value: &&[u8]| (b"X-Request-Purpose".to_vec(), value.to_vec());
            let headers = Headers::new(values.iter().map(field));
            let facts = Facts::of(None, &headers);
            assert_eq!(purpose(true).check(&facts).is_ok(), *with_required);
            assert_eq!(purpose(false).check(&facts).is_ok(), *without);
        }
    }
}
