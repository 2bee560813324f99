//! Which scopes a route asks for.

use std::fmt;

use crate::jose::{Scope, ScopeSet};

/// Which scopes a route asks for. All three parts must hold; an empty part always does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeRule {
    /// Every one of these.
    pub all: Vec<Scope>,
    /// At least one of these.
    pub any: Vec<Scope>,
    /// None of these.
    pub none: Vec<Scope>,
}

impl ScopeRule {
    /// Checks the scopes of a token.
    ///
    /// # Errors
    ///
    /// [`MissingScopes`] where a part does not hold.
    pub fn check(&self, scopes: &ScopeSet) -> Result<(), MissingScopes> {
        let there = |scope: &&Scope| scopes.contains(scope);
        let mut missing: Vec<&Scope> = self.all.iter().filter(|s| !there(s)).collect();
        if !self.any.is_empty() && !self.any.iter().any(|scope| there(&scope)) {
            missing.extend(self.any.iter().filter(|scope| !self.all.contains(scope)));
        }
        let forbidden: Vec<&Scope> = self.none.iter().filter(there).collect();
        if missing.is_empty() && forbidden.is_empty() {
            return Ok(());
        }
        let texts = |list: Vec<&Scope>| {
            list.into_iter()
                .map(|scope| scope.as_str().to_owned())
                .collect()
        };
        Err(MissingScopes {
            missing: texts(missing),
            forbidden: texts(forbidden),
        })
    }
}

/// How a token's scopes fail a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingScopes {
    /// The scopes that would do: those of `all` that are missing, then those of `any` where none
    /// of them is there. For the challenge (RFC 6750 section 3).
    pub missing: Vec<String>,
    /// The scopes of `none` that are there.
    pub forbidden: Vec<String>,
}

impl fmt::Display for MissingScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.missing.is_empty() {
            write!(f, "missing scopes: {}", self.missing.join(" "))?;
        }
        if !self.missing.is_empty() && !self.forbidden.is_empty() {
            f.write_str("; ")?;
        }
        if !self.forbidden.is_empty() {
            write!(
                f,
                "scopes that must not be there: {}",
                self.forbidden.join(" ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(list: &[&str]) -> Vec<Scope> {
        list.iter()
            .map(|text| Scope::parse(text).unwrap())
            .collect()
    }

    #[test]
    fn names_the_scopes_that_would_do() {
        let rule = ScopeRule {
            all: scopes(&["read", "list"]),
            any: scopes(&["eu", "us"]),
            none: scopes(&["trial"]),
        };
        let check = |text: &str| rule.check(&ScopeSet::parse_list(text).unwrap());
        assert_eq!(check("read list us"), Ok(()));
        let missing = |list: &[&str], forbidden: &[&str]| {
            Err(MissingScopes {
                missing: list.iter().map(ToString::to_string).collect(),
                forbidden: forbidden.iter().map(ToString::to_string).collect(),
            })
        };
        assert_eq!(check("read eu"), missing(&["list"], &[]));
        assert_eq!(check("read list"), missing(&["eu", "us"], &[]));
        assert_eq!(check("Read list eu"), missing(&["read"], &[]));
        assert_eq!(check("read list eu trial"), missing(&[], &["trial"]));
        assert_eq!(
            check("trial"),
            missing(&["read", "list", "eu", "us"], &["trial"])
        );
    }

    #[test]
    fn an_empty_rule_holds_for_every_token() {
        assert_eq!(ScopeRule::default().check(&ScopeSet::default()), Ok(()));
    }
}
