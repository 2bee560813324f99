//! `source`: the caller's address is in one of the networks.

use std::fmt;

use super::kind::{ConditionKind, Facts, denied};
use crate::base::CidrSet;
use crate::decision::Denial;

/// Where the caller must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCondition(pub CidrSet);

impl ConditionKind for SourceCondition {
    fn check(&self, facts: &Facts<'_>) -> Result<(), Denial> {
        match facts.request.source {
            None => Err(denied("the source address is not known")),
            Some(address) if self.0.contains(address) => Ok(()),
            Some(address) => Err(denied(format!(
                "the source address {address} is not allowed"
            ))),
        }
    }
}

impl fmt::Display for SourceCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<String> = self.0.networks().iter().map(ToString::to_string).collect();
        write!(f, "source in {}", networks.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Cidr;
    use crate::request::Headers;

    #[test]
    fn an_address_that_is_not_known_holds_nowhere() {
        let everywhere = SourceCondition(CidrSet::new(vec![
            Cidr::parse("0.0.0.0/0").unwrap(),
            Cidr::parse("::/0").unwrap(),
        ]));
        let headers = Headers::default();
        let mut facts = Facts::of(None, &headers);
        assert_eq!(
            everywhere.check(&facts),
            Err(denied("the source address is not known"))
        );
        facts.request.source = Some("192.0.2.1".parse().unwrap());
        assert_eq!(everywhere.check(&facts), Ok(()));
    }
}
