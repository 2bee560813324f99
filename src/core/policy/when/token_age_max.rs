//! `token_age_max`: the token was issued not long ago.

use std::fmt;
use std::time::Duration;

use super::kind::{ConditionKind, Facts, denied};
use crate::base::spoken;
use crate::decision::Denial;

/// How long ago the token may have been issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAgeMax(pub Duration);

impl ConditionKind for TokenAgeMax {
    fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        let Self(max) = *self;
        match facts.token_age {
            None => Err(denied("the token does not say when it was issued")),
            Some(age) if age > max => Err(denied(format!(
                "the token was issued {} s ago, over {} s",
                age.as_secs(),
                max.as_secs()
            ))),
            Some(_) => Ok(()),
        }
    }
}

impl fmt::Display for TokenAgeMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token_age_max {}", spoken(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers;

    #[test]
    fn a_token_must_say_its_age_where_it_is_bounded() {
        let fresh = TokenAgeMax(Duration::from_secs(300));
        let headers = Headers::default();
        let mut facts = Facts::of(None, &headers);
        assert_eq!(
            fresh.check(&facts),
            Err(denied("the token does not say when it was issued"))
        );
        facts.token_age = Some(Duration::from_secs(300));
        assert_eq!(fresh.check(&facts), Ok(()));
        facts.token_age = Some(Duration::from_millis(300_001));
        assert!(fresh.check(&facts).is_err());
    }
}
