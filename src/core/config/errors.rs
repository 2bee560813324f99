//! What is wrong with a configuration.

use std::fmt;

use super::finding::Finding;

/// The most errors that are listed.
const MAX_LISTED: usize = 100;

/// Everything that is wrong with a document: the first 100 mistakes, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors {
    listed: Vec<Finding>,
    more: usize,
}

impl ConfigErrors {
    /// The mistakes that are listed, at most 100.
    #[must_use]
    pub fn listed(&self) -> &[Finding] {
        &self.listed
    }

    /// How many more there are.
    #[must_use]
    pub const fn more(&self) -> usize {
        self.more
    }

    /// How many mistakes there are, listed or not.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.listed.len().saturating_add(self.more)
    }

    /// The one mistake of a document that cannot be read at all.
    pub(super) fn of_document(mistake: Finding) -> Self {
        Self {
            listed: vec![mistake],
            more: 0,
        }
    }

    pub(super) fn push(&mut self, error: impl FnOnce() -> Finding) {
        if self.listed.len() < MAX_LISTED {
            self.listed.push(error());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Adds the errors of a later phase.
    pub(super) fn append(&mut self, later: Self) {
        for error in later.listed {
            self.push(|| error);
        }
        self.more = self.more.saturating_add(later.more);
    }
}

impl fmt::Display for ConfigErrors {
    /// One line a mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.listed.iter().enumerate() {
            write!(f, "{}{error}", if at > 0 { "\n" } else { "" })?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
