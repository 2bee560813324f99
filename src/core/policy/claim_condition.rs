//! A condition on one claim: `{claim: tenant.tier, in: [gold, silver]}`.

use std::fmt;

use serde_json::{Map, Number, Value};

use crate::decision::{Denial, Reason};
use crate::jose::ClaimPath;

/// A claim must be one of the listed values, or an array with such an element.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimCondition {
    /// Where the claim is.
    pub claim: ClaimPath,
    /// The values that will do.
    pub one_of: Vec<Scalar>,
}

impl ClaimCondition {
    /// Checks the claims of a verified token.
    ///
    /// # Errors
    ///
    /// A [`Denial`] where the claim is absent or has another value.
    pub fn check(&self, claims: &Map<String, Value>) -> Result<(), Denial> {
        match self.claim.lookup(claims) {
            None => Err(self.denied("is missing")),
            Some(Value::Array(elements)) if elements.iter().any(|e| self.lists(e)) => Ok(()),
            Some(value) if self.lists(value) => Ok(()),
            Some(_) => Err(self.denied("does not have an allowed value")),
        }
    }

    fn denied(&self, how: &str) -> Denial {
        let detail = format!("the claim {} {how}", self.claim.as_str());
        Denial::new(Reason::NotAllowed, detail)
    }

    fn lists(&self, value: &Value) -> bool {
        Scalar::of(value).is_some_and(|scalar| self.one_of.contains(&scalar))
    }
}

/// What it asks, as people are told.
impl fmt::Display for ClaimCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.claim.as_str())
    }
}

/// A JSON text, number or boolean, compared exactly: `"1"` is not `1`, and `1.0` is `1`.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i128),
    /// A number with a fraction, or beyond 128 bits.
    Fraction(f64),
    /// A boolean.
    Bool(bool),
}

impl Scalar {
    /// The scalar of a JSON value; none for null, an array or an object.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => Self::number(number),
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn number(number: &Number) -> Option<Self> {
        if let Some(whole) = number.as_i128() {
            return Some(Self::Whole(whole));
        }
        let float = number.as_f64()?;
        // Hosts hand numbers as doubles; 2^63 is far beyond what a double holds exactly.
        let is_whole = float.fract() == 0.0 && float.abs() < 9.3e18;
        #[allow(clippy::cast_possible_truncation, reason = "whole and within 64 bits")]
        Some(if is_whole {
            Self::Whole(float as i128)
        } else {
            Self::Fraction(float)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn compares_scalars_exactly_and_looks_into_arrays() {
        let condition = ClaimCondition {
            claim: ClaimPath::parse("tenant.tier").unwrap(),
            one_of: [json!("gold"), json!(1.0), json!(true), json!(0.5)]
                .iter()
                .map(|value| Scalar::of(value).unwrap())
                .collect(),
        };
        for (value, holds) in [
            (json!("gold"), true),
            (json!("Gold"), false),
            (json!(1), true),
            (json!(1.0), true),
            (json!("1"), false),
            (json!(true), true),
            (json!("true"), false),
            (json!(0.5), true),
            (json!(["silver", "gold"]), true),
            (json!([["gold"]]), false),
            (json!([]), false),
            (json!(null), false),
            (json!({"gold": true}), false),
        ] {
            let claims = json!({"tenant": {"tier": value}});
            let checked = condition.check(claims.as_object().unwrap());
            assert_eq!(checked.is_ok(), holds, "{claims}");
        }
        assert_eq!(
            condition.check(&Map::new()),
            Err(Denial::new(
                Reason::NotAllowed,
                "the claim tenant.tier is missing"
            ))
        );
    }
}
