//! Patterns of SPIFFE IDs.
//!
//! A pattern is a SPIFFE ID in whose path a whole segment may be `*`, which stands for exactly one
//! segment, and the last one `**`, which stands for one or more. `spiffe://prod.example/**` is
//! every workload of the domain, and not the domain itself; `spiffe://prod.example` is the domain
//! itself alone. The trust domain is always spelled out, so no pattern reaches into another one.

use std::borrow::Cow;
use std::fmt;

use super::{
    SpiffeId, SpiffeIdError, TrustDomain,
    id::{check_segment, segments, split},
};
use crate::base::WrongText;

/// How many segments a pattern has at most: what bounds the depth of a lookup.
const MAX_SEGMENTS: usize = 32;

/// Which SPIFFE IDs are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffePattern {
    trust_domain: TrustDomain,
    pub(super) segments: Vec<PatternSegment>,
    /// Whether `**` follows.
    pub(super) rest: bool,
}

/// A segment that is spelled out, or one that may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PatternSegment {
    Literal(Box<str>),
    Any,
}

/// Why a text is no pattern of SPIFFE IDs. Segments are counted from zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpiffePatternError {
    /// It is not a SPIFFE ID in some other way than by its stars.
    Id(SpiffeIdError),
    /// There is a star in the trust domain.
    TrustDomainStar,
    /// There is a star in this segment beside something else.
    PartialStar(usize),
    /// `**` is this segment, and not the last one.
    RestNotLast(usize),
    /// It has this many segments; 32 are the most.
    TooDeep(usize),
}

impl SpiffePattern {
    /// Reads a pattern such as `spiffe://prod.example/ns/*/sa/reader`.
    ///
    /// # Errors
    ///
    /// A [`SpiffePatternError`], whose text says what would be accepted.
    ///
    /// ```
    /// use postern_core::spiffe::{SpiffeId, SpiffePattern};
    ///
    /// let pattern = SpiffePattern::parse("spiffe://prod.example/ns/*/sa/reader").unwrap();
    /// let id = |text| SpiffeId::parse(text).unwrap();
    /// assert!(pattern.matches(&id("spiffe://prod.example/ns/pay/sa/reader")));
    /// assert!(!pattern.matches(&id("spiffe://prod.example/ns/a/b/sa/reader")));
    /// ```
    pub fn parse(text: &str) -> Result<Self, SpiffePatternError> {
        let (trust_domain, path) = split(text)?;
        if trust_domain.contains('*') {
            return Err(SpiffePatternError::TrustDomainStar);
        }
        let trust_domain = TrustDomain::parse(trust_domain)?;
        let mut names: Vec<&str> = segments(path).collect();
        if names.len() > MAX_SEGMENTS {
            return Err(SpiffePatternError::TooDeep(names.len()));
        }
        let rest = names.pop_if(|name| *name == "**").is_some();
        let segments = names.into_iter().enumerate();
        Ok(Self {
            trust_domain,
            segments: segments
                .map(|(index, name)| PatternSegment::parse(index, name))
                .collect::<Result<_, _>>()?,
            rest,
        })
    }

    /// The trust domain whose IDs are meant.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Whether that ID is meant.
    #[must_use]
    pub fn matches(&self, id: &SpiffeId) -> bool {
        let mut left = id.segments();
        let begins = self
            .segments
            .iter()
            .all(|wanted| left.next().is_some_and(|name| wanted.matches(name)));
        begins && self.trust_domain == *id.trust_domain() && left.next().is_some() == self.rest
    }
}

impl PatternSegment {
    fn parse(index: usize, name: &str) -> Result<Self, SpiffePatternError> {
        match name {
            "*" => Ok(Self::Any),
            "**" => Err(SpiffePatternError::RestNotLast(index)),
            _ if name.contains('*') => Err(SpiffePatternError::PartialStar(index)),
            _ => {
                check_segment(index, name)?;
                Ok(Self::Literal(name.into()))
            }
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *name,
            Self::Any => true,
        }
    }
}

impl From<SpiffeIdError> for SpiffePatternError {
    fn from(error: SpiffeIdError) -> Self {
        Self::Id(error)
    }
}

/// The pattern as it was written.
impl fmt::Display for SpiffePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}", self.trust_domain)?;
        for segment in &self.segments {
            match segment {
                PatternSegment::Literal(name) => write!(f, "/{name}")?,
                PatternSegment::Any => f.write_str("/*")?,
            }
        }
        f.write_str(if self.rest { "/**" } else { "" })
    }
}

impl fmt::Display for SpiffePatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(error) => error.fmt(f),
            Self::TrustDomainStar => f.write_str("has a star in its trust domain"),
            Self::PartialStar(segment) => {
                write!(
                    f,
                    "has a star beside other characters in its path segment {segment}"
                )
            }
            Self::RestNotLast(segment) => {
                write!(
                    f,
                    "has ** as its path segment {segment}, which is not the last"
                )
            }
            Self::TooDeep(segments) => write!(f, "has {segments} path segments"),
        }
    }
}

impl WrongText for SpiffePatternError {
    fn remedy(&self) -> Cow<'static, str> {
        format!("a SPIFFE ID of at most {MAX_SEGMENTS} segments is accepted, with * for one whole segment and ** at the end for one or more").into()
    }
}

impl std::error::Error for SpiffePatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> SpiffePattern {
        SpiffePattern::parse(text).unwrap()
    }

    fn id(text: &str) -> SpiffeId {
        SpiffeId::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_means_what_it_spells_and_nothing_of_another_domain() {
        const CASES: &[(&str, &[&str], &[&str])] = &[
            (
                "spiffe://a",
                &["spiffe://a"],
                &["spiffe://a/x", "spiffe://b"],
            ),
            (
                "spiffe://a/ns/x",
                &["spiffe://a/ns/x"],
                &[
                    "spiffe://a",
                    "spiffe://a/ns",
                    "spiffe://a/ns/X",
                    "spiffe://a/ns/x/y",
                    "spiffe://b/ns/x",
                ],
            ),
            (
                "spiffe://a/ns/*/sa/*",
                &["spiffe://a/ns/x/sa/y", "spiffe://a/ns/-/sa/ns"],
                &[
                    "spiffe://a/ns/x/sa",
                    "spiffe://a/ns/x/sa/y/z",
                    "spiffe://a/ns/x/y/z",
                    "spiffe://b/ns/x/sa/y",
                ],
            ),
            (
                "spiffe://a/ns/**",
                &["spiffe://a/ns/x", "spiffe://a/ns/x/y/z"],
                &[
                    "spiffe://a",
                    "spiffe://a/ns",
                    "spiffe://a/nsx/y",
                    "spiffe://b/ns/x",
                ],
            ),
            (
                "spiffe://a/**",
                &["spiffe://a/x", "spiffe://a/x/y"],
                &["spiffe://a", "spiffe://a.b/x", "spiffe://aa/x"],
            ),
            (
                "spiffe://a/*/**",
                &["spiffe://a/x/y", "spiffe://a/x/y/z"],
                &["spiffe://a", "spiffe://a/x"],
            ),
        ];
        for (text, inside, outside) in CASES {
            let pattern = pattern(text);
            assert_eq!(pattern.to_string(), *text);
            for (ids, expected) in [(inside, true), (outside, false)] {
                for text in *ids {
                    assert_eq!(pattern.matches(&id(text)), expected, "{pattern} {text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_what_would_be() {
        use SpiffePatternError as E;
        let cases: &[(&str, E)] = &[
            ("spiffe://*/a", E::TrustDomainStar),
            ("spiffe://*.example/a", E::TrustDomainStar),
            ("spiffe://**", E::TrustDomainStar),
            ("spiffe://a/b*", E::PartialStar(0)),
            ("spiffe://a/b/*c/d", E::PartialStar(1)),
            ("spiffe://a/***", E::PartialStar(0)),
            ("spiffe://a/**/b", E::RestNotLast(0)),
            ("spiffe://a/**/**", E::RestNotLast(0)),
            ("*", E::Id(SpiffeIdError::Scheme)),
            (
                "spiffe://A/*",
                E::Id(SpiffeIdError::TrustDomainCharacter('A')),
            ),
            ("spiffe://a/*/", E::Id(SpiffeIdError::TrailingSlash)),
            ("spiffe://a//*", E::Id(SpiffeIdError::SegmentEmpty(0))),
            ("spiffe://a/*/..", E::Id(SpiffeIdError::SegmentDots(1))),
        ];
        for (text, expected) in cases {
            let error = SpiffePattern::parse(text).unwrap_err();
            assert_eq!(error, *expected, "{text}");
            assert!(error.remedy().contains("is accepted"), "{error}");
        }
        let deep = |segments: usize| format!("spiffe://a{}", "/*".repeat(segments));
        assert!(SpiffePattern::parse(&deep(32)).is_ok());
        assert_eq!(SpiffePattern::parse(&deep(33)), Err(E::TooDeep(33)));
    }
}
