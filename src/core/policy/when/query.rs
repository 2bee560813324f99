//! `query`: a parameter of the query has an allowed value.

use std::fmt;

use super::kind::{ConditionKind, Facts, denied};
use crate::decision::{Denial, Reason};
use crate::request;

/// What a query parameter must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryCondition {
    /// The parameter's name.
    pub name: String,
    /// What its value must be.
    pub allowed: QueryValues,
    /// Whether it must be there.
    pub required: bool,
}

/// The values that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryValues {
    /// One of these.
    In(Vec<String>),
    /// A whole number in this range.
    Range(NumberRange),
}

impl ConditionKind for QueryCondition {
    fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        let name = &self.name;
        match request::parameter(facts.request.query, name) {
            Err(error) => Err(Denial::new(
                Reason::QueryAmbiguous,
                format!("the query parameter {name} {error}"),
            )),
            Ok(None) if self.required => {
                Err(denied(format!("the query parameter {name} is missing")))
            }
            Ok(Some(value)) if !self.allowed.contain(&value) => Err(denied(format!(
                "the query parameter {name} does not have an allowed value"
            ))),
            Ok(_) => Ok(()),
        }
    }
}

impl fmt::Display for QueryCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.allowed {
            QueryValues::In(values) => write!(f, "query {name} in {}", values.join(", ")),
            QueryValues::Range(_) => write!(f, "query {name} within its range"),
        }
    }
}

impl QueryValues {
    fn contain(&self, value: &str) -> bool {
        match self {
            Self::In(values) => values.iter().any(|listed| listed == value),
            Self::Range(range) => range.contains(value),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers;

    fn limit(required: bool) -> QueryCondition {
        QueryCondition {
            name: "limit".to_owned(),
            allowed: QueryValues::Range(NumberRange::new(Some(1), Some(100)).unwrap()),
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
            let facts = Facts::of(Some(query), &headers);
            assert_eq!(limit(true).check(&facts).is_ok(), holds, "{query}");
        }
    }

    #[test]
    fn an_optional_parameter_may_be_absent_but_not_wrong() {
        let headers = Headers::default();
        assert!(limit(false).check(&Facts::of(None, &headers)).is_ok());
        let wrong = Facts::of(Some("limit=101"), &headers);
        assert!(limit(false).check(&wrong).is_err());
        let twice = Facts::of(Some("limit=1&limit=1"), &headers);
        assert!(limit(false).check(&twice).is_err());
    }
}
