//! What is found in a document: what is wrong with it, and what is worth a look where it is taken.

use std::borrow::Cow;
use std::fmt;

use super::mistake::Mistake;
use crate::jose::SkippedKey;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The document is refused.
    Error,
    /// It is legal, and dangerous.
    Warning,
    /// It could be better.
    Note,
}

impl Severity {
    /// The word that outputs carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that was found in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the rule, which never changes.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is, such as `routes[3].limits[0]`; empty for the document as a whole.
    pub place: String,
    /// What leads from the place to the problem in a line, where that is no colon.
    lead: Option<Box<str>>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it; of an error, what would be accepted.
    pub remedy: Cow<'static, str>,
}

/// A rule of the reader's own, and what to do about what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    name: &'static str,
    remedy: &'static str,
}

impl Rule {
    pub(super) const OBSERVE_MODE: Self = Self {
        name: "observe-mode",
        remedy: "remove it to enforce",
    };
    pub(super) const ANY_AUDIENCE: Self = Self {
        name: "any-audience",
        remedy: "name the audiences",
    };
    pub(super) const PRESSURE_OFF: Self = Self {
        name: "pressure-off",
        remedy: "use enforce, or observe",
    };
    pub(super) const ALWAYS_VALIDATED: Self = Self {
        name: "always-validated",
        remedy: "make sure that it refuses every one that it cannot validate, or use reported",
    };
    pub(super) const KEPT_OVERRIDES: Self = Self {
        name: "kept-overrides",
        remedy: "remove it, or keep by name what the upstream needs and only the proxy sets",
    };
    pub(super) const IDLE_THROTTLE: Self = Self {
        name: "idle-throttle",
        remedy: "add limits, or tag instead",
    };
    pub(super) const IDLE_XFCC: Self = Self {
        name: "idle-xfcc",
        remedy: "remove it, or set from",
    };
    pub(super) const NO_JWT_KEYS: Self = Self {
        name: "no-keys",
        remedy: "add one, or remove jwt_svid",
    };
    pub(super) const NO_KEYS: Self = Self {
        name: "no-keys",
        remedy: "add some, unless that is meant",
    };
    const UNUSED_KEY: Self = Self {
        name: "unused-key",
        remedy: "remove it, or replace it by one that can be used",
    };
}

impl Finding {
    /// Something that was found by a rule, at a place.
    #[must_use]
    pub fn new(
        rule: &'static str,
        severity: Severity,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            rule,
            severity,
            place: place.into(),
            lead: None,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// A mistake at a place.
    #[must_use]
    pub fn error(
        mistake: Mistake,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(mistake.name(), Severity::Error, place, problem, remedy)
    }

    /// A warning at a place.
    pub(super) fn warning(rule: Rule, place: &dyn fmt::Display, problem: &str) -> Self {
        let Rule { name, remedy } = rule;
        Self::new(name, Severity::Warning, place.to_string(), problem, remedy)
    }

    /// A key at a place is passed over.
    pub(super) fn unused_key(key: &SkippedKey, place: &dyn fmt::Display) -> Self {
        let kid = key.kid.as_ref();
        let problem = format!("is not used: {}", key.why);
        let lead = kid.map_or_else(|| " ".to_owned(), |kid| format!(" (kid {kid}) "));
        Self {
            lead: Some(lead.into()),
            ..Self::warning(Rule::UNUSED_KEY, place, &problem)
        }
    }
}

impl fmt::Display for Finding {
    /// As one line; what would be accepted belongs to what is wrong, and what could be done about
    /// the rest is left to who asks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            let lead = self.lead.as_deref().unwrap_or(": ");
            write!(f, "{}{lead}", self.place)?;
        }
        f.write_str(&self.problem)?;
        if self.severity == Severity::Error {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Excerpt;
    use crate::jose::JwkError;

    #[test]
    fn an_error_says_what_would_be_accepted_and_a_warning_leaves_that_to_who_asks() {
        let error = |place| Finding::error(Mistake::OutOfRange, place, "is 0", "1 is accepted");
        assert_eq!(error("a[1].b").to_string(), "a[1].b: is 0; 1 is accepted");
        assert_eq!(error("").to_string(), "is 0; 1 is accepted");
        assert_eq!(error("a").rule, "out-of-range");
        let warning = Finding::warning(Rule::OBSERVE_MODE, &"mode", "lets all through");
        assert_eq!(warning.to_string(), "mode: lets all through");
        assert_eq!(warning.remedy, "remove it to enforce");
    }

    #[test]
    fn a_key_that_is_passed_over_is_named() {
        let unused = |kid: Option<&str>| {
            let kid = kid.map(Excerpt::of);
            let (index, why) = (0, JwkError::Private);
            Finding::unused_key(&SkippedKey { index, kid, why }, &"keys[0]").to_string()
        };
        let why = JwkError::Private;
        assert_eq!(unused(None), format!("keys[0] is not used: {why}"));
        let named = format!("keys[0] (kid \"a\") is not used: {why}");
        assert_eq!(unused(Some("a")), named);
    }
}
