//! A route's conditions on the request's context.

use std::net::IpAddr;
use std::time::Duration;

use super::context_denial::ContextDenial;
use super::hours::Hours;
use crate::base::{CidrSet, Now};
use crate::request;
use crate::request::{RequestView, Sole};

/// What conditions are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The request.
    pub request: RequestView<'a>,
    /// The instant of the decision.
    pub now: Now,
    /// How long ago the token was issued; none where it does not say.
    pub token_age: Option<Duration>,
}

/// The conditions of a route, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When(Vec<Condition>);

impl When {
    /// Makes the conditions of a route.
    #[must_use]
    pub const fn new(conditions: Vec<Condition>) -> Self {
        Self(conditions)
    }

    /// Checks every condition; the first that does not hold decides.
    ///
    /// # Errors
    ///
    /// The [`ContextDenial`] of that condition.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), ContextDenial> {
        self.0
            .iter()
            .try_for_each(|condition| condition.check(facts))
    }

    /// The most bytes that a body may have, for watching it as it streams; none without a bound.
    #[must_use]
    pub fn body_bytes_max(&self) -> Option<u64> {
        let bounds = self.0.iter().filter_map(|condition| match condition {
            Condition::BodyBytesMax(max) => Some(*max),
            _ => None,
        });
        bounds.min()
    }

    /// The conditions in the order given.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A query parameter is one of these.
    QueryIn {
        /// The parameter's name.
        name: String,
        /// The values.
        values: Vec<String>,
        /// Whether it must be there.
        required: bool,
    },
    /// A query parameter is a whole number in this range.
    QueryRange {
        /// The parameter's name.
        name: String,
        /// The range.
        range: NumberRange,
        /// Whether it must be there.
        required: bool,
    },
    /// A header field is one of these.
    HeaderIn {
        /// The field's name in lower case.
        name: String,
        /// The values.
        values: Vec<String>,
        /// Whether it must be there.
        required: bool,
    },
    /// The caller's address is in one of these networks.
    Source(CidrSet),
    /// The time of day and the day of the week.
    Hours(Hours),
    /// The body has at most this many bytes.
    BodyBytesMax(u64),
    /// The token was issued at most this long ago.
    TokenAgeMax(Duration),
}

impl Condition {
    /// Checks the condition.
    ///
    /// # Errors
    ///
    /// A [`ContextDenial`] where it does not hold, which is also where it cannot be judged: an
    /// address that is not known, a field that appears twice, a token that does not say its age.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), ContextDenial> {
        match self {
            Self::QueryIn {
                name,
                values,
                required,
            } => {
                let fits = |value: &str| values.iter().any(|listed| listed == value);
                check_query(facts, name, *required, fits)
            }
            Self::QueryRange {
                name,
                range,
                required,
            } => check_query(facts, name, *required, |value| range.contains(value)),
            Self::HeaderIn {
                name,
                values,
                required,
            } => check_header(facts, name, *required, values),
            Self::Source(networks) => check_source(facts.request.source, networks),
            Self::Hours(hours) if hours.contains(facts.now) => Ok(()),
            Self::Hours(_) => Err(ContextDenial::Hours),
            Self::BodyBytesMax(max) => match facts.request.body_bytes {
                Some(bytes) if bytes > *max => Err(ContextDenial::Body { bytes, max: *max }),
                _ => Ok(()),
            },
            Self::TokenAgeMax(max) => match facts.token_age {
                None => Err(ContextDenial::TokenAgeUnknown),
                Some(age) if age > *max => Err(ContextDenial::TokenAge { age, max: *max }),
                Some(_) => Ok(()),
            },
        }
    }
}

/// A range of whole numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberRange {
    min: i64,
    max: i64,
}

impl NumberRange {
    /// Makes a range; none where it is empty.
    #[must_use]
    pub fn new(min: Option<i64>, max: Option<i64>) -> Option<Self> {
        let (min, max) = (min.unwrap_or(i64::MIN), max.unwrap_or(i64::MAX));
        (min <= max).then_some(Self { min, max })
    }

    /// Whether the text is a whole number in the range, in its one canonical decimal form: `010`
    /// is ten to one reader and eight to another.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        let number: Option<i64> = text.parse().ok();
        number.is_some_and(|n| n.to_string() == text && (self.min..=self.max).contains(&n))
    }
}

fn check_query(
    facts: &Facts<'_>,
    name: &str,
    required: bool,
    fits: impl Fn(&str) -> bool,
) -> Result<(), ContextDenial> {
    let name = || name.to_owned();
    match request::parameter(facts.request.query, &name()) {
        Err(error) => Err(ContextDenial::QueryUnreadable {
            name: name(),
            error,
        }),
        Ok(None) if required => Err(ContextDenial::QueryMissing { name: name() }),
        Ok(Some(value)) if !fits(&value) => Err(ContextDenial::Query { name: name() }),
        Ok(_) => Ok(()),
    }
}

fn check_header(
    facts: &Facts<'_>,
    name: &str,
    required: bool,
    values: &[String],
) -> Result<(), ContextDenial> {
    let named = || name.to_owned();
    let value = match facts.request.headers.sole(name) {
        Sole::Absent if required => return Err(ContextDenial::HeaderMissing { name: named() }),
        Sole::Absent => return Ok(()),
        Sole::One(value) => std::str::from_utf8(value).ok(),
        Sole::Ambiguous => None,
    };
    match value {
        Some(value) if values.iter().any(|listed| listed == value) => Ok(()),
        Some(_) => Err(ContextDenial::Header { name: named() }),
        None => Err(ContextDenial::HeaderUnreadable { name: named() }),
    }
}

fn check_source(source: Option<IpAddr>, networks: &CidrSet) -> Result<(), ContextDenial> {
    match source {
        None => Err(ContextDenial::SourceUnknown),
        Some(address) if networks.contains(address) => Ok(()),
        Some(address) => Err(ContextDenial::Source { address }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Cidr;
    use crate::policy::Weekdays;
    use crate::request::Headers;

    fn request<'a>(query: Option<&'a str>, headers: &'a Headers) -> RequestView<'a> {
        RequestView {
            method: "GET",
            authority: "api.example",
            query,
            headers,
            source: None,
            body_bytes: None,
        }
    }

    const fn facts(request: RequestView<'_>) -> Facts<'_> {
        Facts {
            request,
            now: Now::from_secs(0),
            token_age: None,
        }
    }

    fn limit(required: bool) -> Condition {
        Condition::QueryRange {
            name: "limit".to_owned(),
            range: NumberRange::new(Some(1), Some(100)).unwrap(),
            required,
        }
    }

    #[test]
    fn a_query_number_must_be_canonical_and_in_range() {
        for (query, holds) in [
            ("limit=1", true),
            ("limit=100", true),
            ("limit=101", false),
            ("limit=0", false),
            ("limit=-1", false),
            ("limit=010", false),
            ("limit=+5", false),
            ("limit=5.0", false),
            ("limit=1e1", false),
            ("limit=", false),
            ("limit=99999999999999999999", false),
            ("limit=5&limit=6", false),
            ("other=5", false),
        ] {
            let headers = Headers::default();
            let facts = facts(request(Some(query), &headers));
            assert_eq!(limit(true).check(&facts).is_ok(), holds, "{query}");
        }
    }

    #[test]
    fn an_optional_parameter_may_be_absent_but_not_wrong() {
        let headers = Headers::default();
        assert!(limit(false).check(&facts(request(None, &headers))).is_ok());
        let wrong = facts(request(Some("limit=101"), &headers));
        assert!(limit(false).check(&wrong).is_err());
        let twice = facts(request(Some("limit=1&limit=1"), &headers));
        assert!(limit(false).check(&twice).is_err());
    }

    #[test]
    fn a_header_must_appear_once_and_be_listed() {
        let purpose = |required| Condition::HeaderIn {
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
                let facts = facts(request(None, &headers));
                assert!(purpose(true).check(&facts).is_err(), "{names:?}");
                assert!(purpose(false).check(&facts).is_err(), "{names:?}");
            }
        }
        for (values, with_required, without) in cases {
            let field = |value: &&[u8]| (b"X-Request-Purpose".to_vec(), value.to_vec());
            let headers = Headers::new(values.iter().map(field));
            let facts = facts(request(None, &headers));
            assert_eq!(purpose(true).check(&facts).is_ok(), *with_required);
            assert_eq!(purpose(false).check(&facts).is_ok(), *without);
        }
    }

    #[test]
    fn an_address_that_is_not_known_holds_nowhere() {
        let everywhere = Condition::Source(CidrSet::new(vec![
            Cidr::parse("0.0.0.0/0").unwrap(),
            Cidr::parse("::/0").unwrap(),
        ]));
        let headers = Headers::default();
        let mut facts = facts(request(None, &headers));
        assert_eq!(everywhere.check(&facts), Err(ContextDenial::SourceUnknown));
        facts.request.source = Some("192.0.2.1".parse().unwrap());
        assert_eq!(everywhere.check(&facts), Ok(()));
    }

    #[test]
    fn a_token_must_say_its_age_where_it_is_bounded() {
        let fresh = Condition::TokenAgeMax(Duration::from_secs(300));
        let headers = Headers::default();
        let mut facts = facts(request(None, &headers));
        assert_eq!(fresh.check(&facts), Err(ContextDenial::TokenAgeUnknown));
        facts.token_age = Some(Duration::from_secs(300));
        assert_eq!(fresh.check(&facts), Ok(()));
        facts.token_age = Some(Duration::from_millis(300_001));
        assert!(fresh.check(&facts).is_err());
    }

    #[test]
    fn the_smallest_bound_on_the_body_is_the_one_to_watch() {
        let when = When::new(vec![
            Condition::BodyBytesMax(20),
            Condition::Hours(Hours::parse("00:00-24:00", Weekdays::ALL).unwrap()),
            Condition::BodyBytesMax(10),
        ]);
        assert_eq!(when.body_bytes_max(), Some(10));
        let headers = Headers::default();
        let mut facts = facts(request(None, &headers));
        assert_eq!(when.check(&facts), Ok(()));
        facts.request.body_bytes = Some(11);
        assert_eq!(
            when.check(&facts),
            Err(ContextDenial::Body { bytes: 11, max: 10 })
        );
    }
}
