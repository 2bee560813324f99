//! The address of a document: an absolute `http` or `https` URI without user, query tricks or
//! fragment.

use std::borrow::Cow;
use std::fmt;

use crate::base::WrongText;

/// An absolute URI that the proxy can be asked to fetch (RFC 3986 section 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUri {
    text: String,
    scheme_end: usize,
    authority_end: usize,
}

/// Why a text is no address of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// Neither `https://` nor `http://`.
    Scheme,
    /// No host, or one with a user or other characters.
    Authority,
    /// A character that has no place in a path or query, or a fragment.
    Path,
    /// Longer than 2048 bytes.
    TooLong,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "is no address",
            Self::Authority => "has no plain host",
            Self::Path => "has a fragment or a character that is not percent-encoded",
            Self::TooLong => "is too long",
        })
    }
}

impl WrongText for UriError {
    fn remedy(&self) -> Cow<'static, str> {
        let remedy = match self {
            Self::Scheme => "https:// or http:// and a host are needed",
            Self::Authority => "letters, digits, dots, dashes and any port are accepted",
            Self::Path => "a plain path is accepted",
            Self::TooLong => "2048 bytes are accepted",
        };
        remedy.into()
    }
}

impl HttpUri {
    /// Reads an absolute URI.
    ///
    /// # Errors
    /// A [`UriError`] that says which part is not one.
    ///
    /// ```
    /// use postern_core::keys::uri::HttpUri;
    ///
    /// let issuer = HttpUri::parse("https://idp.example/tenant").unwrap();
    /// assert_eq!((issuer.scheme(), issuer.authority()), ("https", "idp.example"));
    /// let metadata = issuer.openid_configuration().unwrap();
    /// assert_eq!(metadata.path(), "/tenant/.well-known/openid-configuration");
    /// ```
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.len() > 2048 {
            return Err(UriError::TooLong);
        }
        let scheme = ["https://", "http://"]
            .into_iter()
            .find(|scheme| text.starts_with(scheme));
        let scheme = scheme.ok_or(UriError::Scheme)?;
        let rest = text.strip_prefix(scheme).unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !is_authority(authority) {
            return Err(UriError::Authority);
        }
        let path = rest.strip_prefix(authority).unwrap_or_default();
        if !is_path(path) {
            return Err(UriError::Path);
        }
        let authority_end = scheme.len().saturating_add(authority.len());
        Ok(Self {
            text: text.to_owned(),
            scheme_end: scheme.len(),
            authority_end,
        })
    }

    /// The whole URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text
            .get(..self.scheme_end.saturating_sub(3))
            .unwrap_or_default()
    }

    /// The host and any port.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.text
            .get(self.scheme_end..self.authority_end)
            .unwrap_or_default()
    }

    /// The path and any query; a slash where there is none.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.text.get(self.authority_end..) {
            None | Some("") => "/",
            Some(path) => path,
        }
    }

    /// The address of OpenID Connect metadata (Discovery 1.0 section 4): behind the issuer's path.
    #[must_use]
    pub fn openid_configuration(&self) -> Option<Self> {
        let issuer = self.text.trim_end_matches('/');
        Self::parse(&format!("{issuer}/.well-known/openid-configuration")).ok()
    }

    /// The address of authorization server metadata (RFC 8414 section 3.1): before the issuer's
    /// path.
    #[must_use]
    pub fn authorization_server_metadata(&self) -> Option<Self> {
        let path = self.path().trim_end_matches('/');
        let (scheme, authority) = (self.scheme(), self.authority());
        Self::parse(&format!(
            "{scheme}://{authority}/.well-known/oauth-authorization-server{path}"
        ))
        .ok()
    }
}

fn is_authority(authority: &str) -> bool {
    let host_bytes = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
    };
    !authority.is_empty() && !authority.starts_with(':') && authority.bytes().all(host_bytes)
}

fn is_path(path: &str) -> bool {
    (path.is_empty() || path.starts_with(['/', '?']))
        && path.bytes().all(|byte| {
            byte.is_ascii_graphic()
                && !matches!(
                    byte,
                    b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
                )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_an_address_apart() {
        let uri = HttpUri::parse("https://idp.example:8443/realms/a?x=1").unwrap();
        assert_eq!(
            (uri.scheme(), uri.authority(), uri.path()),
            ("https", "idp.example:8443", "/realms/a?x=1")
        );
        assert_eq!(HttpUri::parse("http://[::1]").unwrap().path(), "/");
    }

    #[test]
    fn metadata_is_behind_or_before_the_path_of_the_issuer() {
        let issuer = HttpUri::parse("https://idp.example/realms/a/").unwrap();
        assert_eq!(
            issuer.openid_configuration().unwrap().as_str(),
            "https://idp.example/realms/a/.well-known/openid-configuration"
        );
        assert_eq!(
            issuer.authorization_server_metadata().unwrap().as_str(),
            "https://idp.example/.well-known/oauth-authorization-server/realms/a"
        );
    }

    #[test]
    fn refuses_what_is_no_address_of_a_document() {
        const CASES: &[(&str, UriError)] = &[
            ("", UriError::Scheme),
            ("idp.example/jwks", UriError::Scheme),
            ("file:///etc/passwd", UriError::Scheme),
            ("HTTPS://idp.example", UriError::Scheme),
            ("https://", UriError::Authority),
            ("https://:443/", UriError::Authority),
            ("https://user@idp.example/", UriError::Authority),
            ("https://idp.example/a b", UriError::Path),
            ("https://idp.example/a\r\nx: y", UriError::Path),
            ("https://idp.example/#f", UriError::Path),
        ];
        for (text, expected) in CASES {
            assert_eq!(HttpUri::parse(text), Err(*expected), "{text}");
        }
    }
}
