//! The kinds of mistakes in a document, and what is wrong with one value.

use std::borrow::Cow;

use crate::base::WrongText;

/// Declares the mistakes, each behind its variant with the name that never changes.
macro_rules! mistakes {
    ($(#[doc = $doc:tt] $mistake:ident = $name:literal,)*) => {
        /// What kind of mistake an error is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mistake {
            $(#[doc = $doc] $mistake,)*
        }

        impl Mistake {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$mistake),*];

            /// The name of its rule, which never changes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$mistake => $name,)*
                }
            }
        }
    };
}

mistakes! {
    /// Two things cannot both be meant.
    Conflict = "conflict",
    /// The document holds a private key.
    DisclosedKey = "disclosed-key",
    /// Something is there twice where it may be there once.
    Duplicate = "duplicate",
    /// A list has no entry and needs one.
    EmptyList = "empty-list",
    /// A text is not in the notation that it has to be in.
    Malformed = "malformed",
    /// A field is given that means nothing where it is, or beside what is there.
    MisplacedField = "misplaced-field",
    /// A field is not given that has to be.
    MissingField = "missing-field",
    /// A number, a duration, a size or a length is not within its bounds.
    OutOfRange = "out-of-range",
    /// Two routes can match the same requests, and neither is more specific.
    OverlappingRoutes = "overlapping-routes",
    /// A name that is taken already.
    ReservedName = "reserved-name",
    /// Something needs what is not there elsewhere in the document.
    UnmetNeed = "unmet-need",
    /// There is no such field.
    UnknownField = "unknown-field",
    /// Nothing has the name that is referred to.
    UnknownName = "unknown-name",
    /// The word is none of those that are accepted.
    UnknownWord = "unknown-word",
    /// The document is not one that can be read at all.
    Unreadable = "unreadable",
    /// This version does not have it.
    Unsupported = "unsupported",
    /// Keys that cannot be used.
    UnusableKeys = "unusable-keys",
    /// None or several are given of fields of which some are needed.
    WrongChoice = "wrong-choice",
    /// The value is of another type than is needed.
    WrongType = "wrong-type",
}

/// What is wrong with one value, wherever it is. In a box, since every field has room for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(Box<WrongValue>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrongValue {
    pub mistake: Mistake,
    pub problem: Cow<'static, str>,
    pub remedy: Cow<'static, str>,
}

// Not inlined, which keeps what says so small.
impl Wrong {
    #[cold]
    #[inline(never)]
    pub(super) fn new(
        mistake: Mistake,
        problem: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(WrongValue {
            mistake,
            problem: problem.into(),
            remedy: remedy.into(),
        }))
    }

    /// A text that is not in its notation.
    pub(super) fn malformed(problem: &'static str, remedy: &'static str) -> Self {
        Self::new(Mistake::Malformed, problem, remedy)
    }

    #[cold]
    fn text(error: &dyn WrongText) -> Self {
        Self::new(Mistake::Malformed, error.to_string(), error.remedy())
    }

    /// The same where something else would be accepted as well.
    pub(super) fn or(mut self, other: &str) -> Self {
        self.0.remedy = format!("{}, or {other}", self.0.remedy).into();
        self
    }

    pub(super) fn value(&self) -> &WrongValue {
        &self.0
    }
}

impl<E: WrongText> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self::text(&error)
    }
}
