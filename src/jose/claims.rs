//! The claims of a verified token (RFC 7519 section 4).

use serde_json::{Map, Value};

use super::{ClaimsError, NumericDate, VerifiedJws};

/// The claims of a token whose signature holds, the registered ones of their registered types.
///
/// Read only out of a [`VerifiedJws`]; whether they are what an issuer's tokens must claim is for
/// [`Claims::check`].
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    members: Map<String, Value>,
    dates: Dates,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Dates {
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

impl Claims {
    /// Reads the claims of a verified token.
    ///
    /// # Errors
    ///
    /// The payload must be a JSON object without duplicate members; registered claims that are
    /// there must be of their types; dates must not be beyond the year 9999; and `iss`, `sub`,
    /// `aud`, `jti`, `client_id` and `azp`, which end up in header fields and logs, must hold no
    /// control characters.
    pub fn from_verified(jws: VerifiedJws) -> Result<Self, ClaimsError> {
        match jws.into_json().map_err(ClaimsError::NotJson)? {
            Value::Object(members) => Self::from_members(members),
            _ => Err(ClaimsError::NotAnObject),
        }
    }

    /// The `iss`: who issued the token.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.string("iss")
    }

    /// The `sub`: whom the token is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.string("sub")
    }

    /// The `aud`: whom the token is for; one string counts as one.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        strings(self.members.get("aud"))
    }

    /// The `exp`: when the token ends.
    #[must_use]
    pub const fn expires_at(&self) -> Option<NumericDate> {
        self.dates.exp
    }

    /// The `nbf`: when the token begins.
    #[must_use]
    pub const fn not_before(&self) -> Option<NumericDate> {
        self.dates.nbf
    }

    /// The `iat`: when the token was issued.
    #[must_use]
    pub const fn issued_at(&self) -> Option<NumericDate> {
        self.dates.iat
    }

    /// The `jti`: the token's own name.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.string("jti")
    }

    /// The `cnf`: what the token is bound to (RFC 7800 section 3.1); an object where it is there.
    #[must_use]
    pub fn confirmation(&self) -> Option<&Map<String, Value>> {
        self.members.get("cnf").and_then(Value::as_object)
    }

    /// Every claim as it was written.
    #[must_use]
    pub const fn raw(&self) -> &Map<String, Value> {
        &self.members
    }

    pub(super) fn string(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    fn from_members(members: Map<String, Value>) -> Result<Self, ClaimsError> {
        for name in ["iss", "sub", "jti", "client_id", "azp"] {
            check_string(&members, name)?;
        }
        check_audience(members.get("aud"))?;
        // A binding that can't be read must not pass for none (RFC 8705 section 3.1).
        if members.get("cnf").is_some_and(|cnf| !cnf.is_object()) {
            return Err(ClaimsError::WrongType("cnf"));
        }
        let dates = Dates {
            exp: date(&members, "exp")?,
            nbf: date(&members, "nbf")?,
            iat: date(&members, "iat")?,
        };
        Ok(Self { members, dates })
    }
}

fn check_string(members: &Map<String, Value>, name: &'static str) -> Result<(), ClaimsError> {
    match members.get(name) {
        None => Ok(()),
        Some(Value::String(text)) => check_printable(text, name),
        Some(_) => Err(ClaimsError::WrongType(name)),
    }
}

/// RFC 7519 section 4.1.3: an array of strings, or one string.
fn check_audience(aud: Option<&Value>) -> Result<(), ClaimsError> {
    match aud {
        None | Some(Value::String(_)) => {}
        Some(Value::Array(elements)) if elements.iter().all(Value::is_string) => {}
        Some(_) => return Err(ClaimsError::WrongType("aud")),
    }
    strings(aud).try_for_each(|text| check_printable(text, "aud"))
}

fn check_printable(text: &str, name: &'static str) -> Result<(), ClaimsError> {
    if text.chars().any(char::is_control) {
        return Err(ClaimsError::ControlCharacters(name));
    }
    Ok(())
}

fn date(
    members: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<NumericDate>, ClaimsError> {
    match members.get(name) {
        None => Ok(None),
        Some(value @ Value::Number(_)) => match NumericDate::from_json(value) {
            Some(date) => Ok(Some(date)),
            None => Err(ClaimsError::DateOutOfRange(name)),
        },
        Some(_) => Err(ClaimsError::WrongType(name)),
    }
}

/// The string, or every string of the array.
fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let several = value.and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(several.filter_map(Value::as_str))
}
