//! Path templates: `/v1/orders/{id}`, `/files/{rest*}`.

use std::borrow::Cow;
use std::fmt;

use crate::base::WrongText;
use crate::request::{NormalPath, PathError};

/// The most segments of a template; bounds the depth of the route table.
pub const MAX_TEMPLATE_SEGMENTS: usize = 64;

/// A path template: literals, parameters of one segment, and perhaps a rest at the end.
///
/// `/files/{rest*}` matches `/files/` and everything below, but not `/files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    segments: Vec<Segment>,
    /// As it is written, and as its literals are sent.
    text: String,
}

/// A segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text, decoded; empty only at the end (a trailing slash).
    Literal(String),
    /// Any one segment that is not empty: `{name}`.
    Parameter(String),
    /// All that is left, at least one segment, which may be empty: `{name*}`.
    Rest(String),
}

/// What kind of segment a template has at a place; a later kind is more specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKind {
    /// All that is left.
    Rest,
    /// Any one segment.
    Parameter,
    /// A given text.
    Literal,
}

impl PathTemplate {
    /// Parses a template. Literals are decoded as a request's path is, and are to be sent as they
    /// are written.
    ///
    /// # Errors
    ///
    /// A [`TemplateError`] where the text is no template, or one that no path could match.
    ///
    /// ```
    /// use postern_core::policy::PathTemplate;
    /// use postern_core::request::NormalPath;
    ///
    /// let template = PathTemplate::parse("/v1/orders/{id}").unwrap();
    /// let path = NormalPath::parse(b"/v1/orders/7").unwrap();
    /// assert_eq!(template.capture(&path), Some(vec![("id", "7")]));
    /// ```
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let body = text.strip_prefix('/').ok_or(TemplateError::NotAbsolute)?;
        let mut template = Self {
            segments: Vec::new(),
            text: text.to_owned(),
        };
        let mut parts = body.split('/').peekable();
        while let Some(part) = parts.next() {
            let segment = Segment::parse(part)?;
            if matches!(segment, Segment::Rest(_)) && parts.peek().is_some() {
                return Err(TemplateError::RestNotLast);
            }
            template.push(segment)?;
        }
        template.refuse_empty_middle()?;
        Ok(template)
    }

    /// The segments from the left.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The kinds of the segments: what orders templates that match the same path.
    pub fn kinds(&self) -> impl Iterator<Item = SegmentKind> {
        self.segments.iter().map(Segment::kind)
    }

    /// The names and values of the parameters in that path; none where it does not match.
    #[must_use]
    pub fn capture<'t, 'p>(&'t self, path: &'p NormalPath) -> Option<Vec<(&'t str, &'p str)>> {
        let mut left = Some(path.as_str().strip_prefix('/')?);
        let mut values = Vec::new();
        for segment in &self.segments {
            let text = left?;
            let (head, tail) = match text.split_once('/') {
                Some((head, tail)) => (head, Some(tail)),
                None => (text, None),
            };
            left = tail;
            match segment {
                Segment::Literal(literal) if literal == head => {}
                Segment::Parameter(name) if !head.is_empty() => values.push((name.as_str(), head)),
                Segment::Rest(name) => {
                    values.push((name.as_str(), text));
                    left = None;
                }
                Segment::Literal(_) | Segment::Parameter(_) => return None,
            }
        }
        left.is_none().then_some(values)
    }

    /// Whether every literal of a template that matches a path was sent as it is written.
    ///
    /// `/%61dmin` is `/admin` only to those that decode, and a proxy that does not sends it
    /// elsewhere.
    #[must_use]
    pub fn is_met_as_sent(&self, path: &NormalPath) -> bool {
        let written = self.text.split('/').skip(1);
        let mut pairs = written.zip(path.as_sent().split('/').skip(1));
        self.segments
            .iter()
            .all(|segment| match (segment, pairs.next()) {
                (Segment::Literal(_), Some((written, sent))) => written == sent,
                (Segment::Literal(_), None) => false,
                (Segment::Parameter(_) | Segment::Rest(_), _) => true,
            })
    }

    /// A path that it matches, with that text for each parameter.
    #[must_use]
    pub fn example(&self, text: &str) -> String {
        let written = self.text.split('/').skip(1).zip(&self.segments);
        let segments = written.map(|(written, segment)| match segment {
            Segment::Literal(_) => written,
            Segment::Parameter(_) | Segment::Rest(_) => text,
        });
        segments.fold(String::new(), |path, segment| format!("{path}/{segment}"))
    }

    fn push(&mut self, segment: Segment) -> Result<(), TemplateError> {
        if self.segments.len() >= MAX_TEMPLATE_SEGMENTS {
            return Err(TemplateError::TooManySegments);
        }
        let name = segment.name();
        if name.is_some() && self.segments.iter().any(|other| other.name() == name) {
            let name = name.unwrap_or_default().to_owned();
            return Err(TemplateError::DuplicateName { name });
        }
        self.segments.push(segment);
        Ok(())
    }

    fn refuse_empty_middle(&self) -> Result<(), TemplateError> {
        let (_, middle) = self.segments.split_last().unwrap_or((&Segment::EMPTY, &[]));
        if middle.contains(&Segment::EMPTY) {
            return Err(TemplateError::Literal(PathError::EmptySegment));
        }
        Ok(())
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Literal(text) => write!(f, "/{text}"),
            Segment::Parameter(name) => write!(f, "/{{{name}}}"),
            Segment::Rest(name) => write!(f, "/{{{name}*}}"),
        })
    }
}

impl Segment {
    const EMPTY: Self = Self::Literal(String::new());

    /// What kind of segment this is.
    #[must_use]
    pub const fn kind(&self) -> SegmentKind {
        match self {
            Self::Literal(_) => SegmentKind::Literal,
            Self::Parameter(_) => SegmentKind::Parameter,
            Self::Rest(_) => SegmentKind::Rest,
        }
    }

    fn parse(part: &str) -> Result<Self, TemplateError> {
        let Some(inner) = part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) else {
            return Self::literal(part);
        };
        match inner.strip_suffix('*') {
            Some(name) => parameter_name(name).map(Self::Rest),
            None => parameter_name(inner).map(Self::Parameter),
        }
    }

    fn literal(part: &str) -> Result<Self, TemplateError> {
        if part.contains(['{', '}']) {
            return Err(TemplateError::PartOfSegment);
        }
        let path =
            NormalPath::parse(format!("/{part}").as_bytes()).map_err(TemplateError::Literal)?;
        let text = path.segments().next().unwrap_or_default();
        if text.contains(';') {
            return Err(TemplateError::PathParameter);
        }
        Ok(Self::Literal(text.to_owned()))
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Parameter(name) | Self::Rest(name) => Some(name),
        }
    }
}

/// Why a text is no path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// It does not start with `/`.
    NotAbsolute,
    /// It has more than 64 segments.
    TooManySegments,
    /// A `{name*}` is followed by more.
    RestNotLast,
    /// A brace stands beside other text in its segment.
    PartOfSegment,
    /// A parameter's name is not 1 to 64 letters, digits, `_` or `-`.
    InvalidName,
    /// Two parameters have the same name.
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A literal holds a `;`: readers that drop path parameters would never see it.
    PathParameter,
    /// A literal that no request's path could have.
    Literal(PathError),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => f.write_str("does not start with /"),
            Self::TooManySegments => f.write_str("has too many segments"),
            Self::RestNotLast => f.write_str("has more after a {name*}"),
            Self::PartOfSegment => f.write_str("has a brace inside a segment"),
            Self::InvalidName => f.write_str("has a parameter without a proper name"),
            Self::DuplicateName { name } => write!(f, "has two parameters named \"{name}\""),
            Self::PathParameter => f.write_str("has a ; in it, which some servers drop"),
            Self::Literal(error) => {
                write!(f, "is a path that is refused in requests, since {error}")
            }
        }
    }
}

impl WrongText for TemplateError {
    fn remedy(&self) -> Cow<'static, str> {
        let remedy = match self {
            Self::NotAbsolute => "a path is such as /v1/orders/{id}",
            Self::TooManySegments => {
                return format!("at most {MAX_TEMPLATE_SEGMENTS} are").into();
            }
            Self::RestNotLast => "a rest comes last",
            Self::PartOfSegment => "{name} or {name*} is a whole segment",
            Self::InvalidName => "a name is 1 to 64 letters, digits, _ or -",
            Self::DuplicateName { .. } => "each has its own name",
            Self::PathParameter => "a path is without ;",
            Self::Literal(_) => "another is needed",
        };
        remedy.into()
    }
}

impl std::error::Error for TemplateError {}

fn parameter_name(name: &str) -> Result<String, TemplateError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if matches!(name.len(), 1..=64) && name.bytes().all(fits) {
        return Ok(name.to_owned());
    }
    Err(TemplateError::InvalidName)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Template, path, and the captured values where it matches.
    type Captured = Option<&'static [(&'static str, &'static str)]>;

    const CAPTURES: &[(&str, &str, Captured)] = &[
        ("/", "/", Some(&[])),
        ("/", "/a", None),
        ("/", "*", None),
        ("/a", "/a", Some(&[])),
        ("/a", "/a/", None),
        ("/a", "/A", None),
        ("/a/", "/a/", Some(&[])),
        ("/a/", "/a", None),
        ("/caf%C3%A9", "/café", Some(&[])),
        ("/%7Bid%7D", "/%7bid%7d", Some(&[])),
        ("/v1/orders/{id}", "/v1/orders/42", Some(&[("id", "42")])),
        ("/v1/orders/{id}", "/v1/orders/", None),
        ("/v1/orders/{id}", "/v1/orders", None),
        ("/v1/orders/{id}", "/v1/orders/42/", None),
        ("/{a}/{b}", "/x/y", Some(&[("a", "x"), ("b", "y")])),
        ("/files/{rest*}", "/files/", Some(&[("rest", "")])),
        ("/files/{rest*}", "/files/a", Some(&[("rest", "a")])),
        ("/files/{rest*}", "/files/a/b/", Some(&[("rest", "a/b/")])),
        ("/files/{rest*}", "/files", None),
        ("/{rest*}", "/", Some(&[("rest", "")])),
        ("/{rest*}", "*", None),
    ];

    #[test]
    fn captures_what_a_template_names() {
        for (template, path, expected) in CAPTURES {
            let template = PathTemplate::parse(template).unwrap();
            let path = NormalPath::parse(path.as_bytes()).unwrap();
            let captured = template.capture(&path);
            assert_eq!(captured.as_deref(), *expected, "{template} {path:?}");
        }
    }

    #[test]
    fn a_literal_is_met_by_the_bytes_that_it_is_written_with() {
        const CASES: &[(&str, &str, bool)] = &[
            ("/a/{id}", "/a/%61", true),
            ("/a/{id}", "/%61/a", false),
            ("/{id}/a", "/%61/a", true),
            ("/{id}/a", "/x/%61", false),
            ("/caf%C3%A9", "/caf%C3%A9", true),
            ("/caf%C3%A9", "/caf%c3%a9", false),
            ("/caf%C3%A9", "/café", false),
            ("/café", "/caf%C3%A9", false),
            ("/a/", "/a/", true),
            ("/a/{rest*}", "/a/%61/b", true),
        ];
        for (template, path, met) in CASES {
            let template = PathTemplate::parse(template).unwrap();
            let path = NormalPath::parse(path.as_bytes()).unwrap();
            assert!(template.capture(&path).is_some(), "{template} {path:?}");
            assert_eq!(template.is_met_as_sent(&path), *met, "{template} {path:?}");
        }
    }

    const BROKEN: &[(&str, TemplateError)] = &[
        ("", TemplateError::NotAbsolute),
        ("v1", TemplateError::NotAbsolute),
        ("*", TemplateError::NotAbsolute),
        ("/{rest*}/a", TemplateError::RestNotLast),
        ("/a{id}", TemplateError::PartOfSegment),
        ("/{id", TemplateError::PartOfSegment),
        ("/{}", TemplateError::InvalidName),
        ("/{*}", TemplateError::InvalidName),
        ("/{a b}", TemplateError::InvalidName),
        ("/{a**}", TemplateError::InvalidName),
        ("/a;b", TemplateError::PathParameter),
        ("/a//b", TemplateError::Literal(PathError::EmptySegment)),
        ("/a/../b", TemplateError::Literal(PathError::DotSegment)),
        ("/a%2fb", TemplateError::Literal(PathError::EncodedSlash)),
        ("/a?b", TemplateError::Literal(PathError::Fragment)),
    ];

    #[test]
    fn refuses_what_is_no_template_and_says_why() {
        for (text, error) in BROKEN {
            assert_eq!(PathTemplate::parse(text).as_ref(), Err(error), "{text}");
        }
        let name = "id".to_owned();
        assert_eq!(
            PathTemplate::parse("/{id}/{id*}"),
            Err(TemplateError::DuplicateName { name })
        );
    }
}
