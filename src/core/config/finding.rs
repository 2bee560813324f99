//! What is worth a look in a document that is taken.

use std::fmt;

use super::place::Place;
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
    /// What leads from the place to the problem in a line: a colon, or the name of what is there.
    pub lead: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
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
    /// A warning at a place.
    pub(super) fn warning(rule: Rule, place: &Place<'_>, problem: &str) -> Self {
        Self {
            rule: rule.name,
            severity: Severity::Warning,
            place: place.to_string(),
            lead: ": ".to_owned(),
            problem: problem.to_owned(),
            remedy: rule.remedy,
        }
    }

    /// A key of a set at a place is passed over.
    pub(super) fn unused_key(key: &SkippedKey, place: &Place<'_>) -> Self {
        let keys = place.member("keys");
        let kid = key.kid.as_ref();
        Self {
            lead: kid.map_or_else(|| " ".to_owned(), |kid| format!(" (kid {kid}) ")),
            ..Self::warning(
                Rule::UNUSED_KEY,
                &keys.element(key.index),
                &format!("is not used: {}", key.why),
            )
        }
    }
}

impl fmt::Display for Finding {
    /// As one line, without what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}{}", self.place, self.lead)?;
        }
        f.write_str(&self.problem)
    }
}
