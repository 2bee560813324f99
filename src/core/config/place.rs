//! Where in the document an error is, and all the errors found so far.

use std::cell::RefCell;
use std::fmt;

use super::errors::ConfigErrors;
use super::finding::Finding;
use super::mistake::{Mistake, Wrong};
use crate::base::Excerpt;

/// A place in the document: the root, or a member or element of another place.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    errors: &'a Found,
    step: PathPart<'a>,
}

#[derive(Clone, Copy)]
enum PathPart<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    /// The whole document.
    pub(super) const fn root(errors: &'a Found) -> Self {
        let step = PathPart::Root;
        Self { errors, step }
    }

    /// The member of that name.
    pub(super) const fn member(&'a self, name: &'a str) -> Self {
        let errors = self.errors;
        let step = PathPart::Member(self, name);
        Self { errors, step }
    }

    /// The element at that index.
    pub(super) const fn element(&'a self, index: usize) -> Self {
        let errors = self.errors;
        let step = PathPart::Element(self, index);
        Self { errors, step }
    }

    /// Notes an error here: its kind, what is wrong, and what would be accepted. Not inlined, which
    /// keeps the many that note some small.
    #[cold]
    #[inline(never)]
    pub(super) fn error(
        &self,
        mistake: Mistake,
        problem: impl fmt::Display,
        remedy: impl fmt::Display,
    ) {
        self.errors.push(self, mistake, &problem, &remedy);
    }

    /// Notes what is wrong with the value here.
    pub(super) fn wrong(&self, wrong: &Wrong) {
        let wrong = wrong.value();
        self.errors
            .push(self, wrong.mistake, &wrong.problem, &wrong.remedy);
    }

    /// How many errors were noted so far, anywhere.
    pub(super) fn error_count(&self) -> usize {
        self.errors.0.borrow().count()
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            PathPart::Root => Ok(()),
            PathPart::Element(parent, index) => write!(f, "{parent}[{index}]"),
            PathPart::Member(parent, name) if !is_plain(name) => {
                write!(f, "{parent}[{}]", Excerpt::of(name))
            }
            PathPart::Member(parent, name) => match parent.step {
                PathPart::Root => f.write_str(name),
                _ => write!(f, "{parent}.{name}"),
            },
        }
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    matches!(name.len(), 1..=64) && name.bytes().all(plain)
}

/// The errors found so far.
#[derive(Default)]
pub(super) struct Found(RefCell<ConfigErrors>);

impl Found {
    fn push(
        &self,
        place: &Place<'_>,
        mistake: Mistake,
        problem: &dyn fmt::Display,
        remedy: &dyn fmt::Display,
    ) {
        self.0.borrow_mut().push(|| {
            let (problem, remedy) = (problem.to_string(), remedy.to_string());
            Finding::error(mistake, place.to_string(), problem, remedy)
        });
    }

    /// All that was found.
    pub(super) fn into_errors(self) -> ConfigErrors {
        self.0.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_a_path() {
        let found = Found::default();
        let root = Place::root(&found);
        let routes = root.member("routes");
        let route = routes.element(3);
        let limits = route.member("limits");
        assert_eq!(limits.element(0).to_string(), "routes[3].limits[0]");
        assert_eq!(route.member("a b\n").to_string(), r#"routes[3]["a b\n"]"#);
        assert_eq!(root.member("").to_string(), r#"[""]"#);
    }
}
