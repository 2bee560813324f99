//! The claims of a verified token (RFC 7519 section 4).

use serde_json::{Map, Value};

use super::{ClaimsError, NumericDate, VerifiedJws};

/// The claims of a token whose signature holds, the registered ones of their registered types.
///
/// Read only out of a [`VerifiedJws`]; whether they are what an issuer's tokens must claim is for
/// [`Claims::check`].
/// The default are no claims at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    members: Map<String, Value>,
    dates: Dates,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
    if !text.bytes().all(is_plain) && text.chars().any(char::is_control) {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crypto::{Algorithm, AlgorithmSet, Pure, Work};
    use crate::decision::Reason;
    use crate::jose::{KeyRules, KeySet, KeyUse, UnverifiedJws, json::JsonError};
    use crate::signing::signer;
    use serde_json::json;

    /// The claims of a token that was signed and verified.
    pub(in crate::jose) fn claims_of(payload: &str) -> Result<Claims, ClaimsError> {
        let signer = signer(Algorithm::EdDsa);
        let rules = KeyRules {
            algorithms: AlgorithmSet::asymmetric(),
            allow_rsa_exponent_3: false,
            allow_large_rsa: false,
            key_use: KeyUse::Signature,
        };
        let (keys, _) = KeySet::parse(&json!({"keys": [signer.jwk()]}), &rules).unwrap();
        let token = signer.token(json!({}), payload);
        let jws = UnverifiedJws::parse(token.as_bytes(), usize::MAX).unwrap();
        Claims::from_verified(
            jws.verify(&keys, rules.algorithms, &Pure, &mut Work::ample())
                .unwrap(),
        )
    }

    fn error(payload: &str) -> ClaimsError {
        claims_of(payload).expect_err("the claims are malformed")
    }

    #[test]
    fn registered_claims_are_read_as_what_they_are() {
        let claims = claims_of(
            r#"{"iss":"https://idp.example","sub":"me","aud":["a","b"],"exp":1700000300.5,
                "nbf":1700000000,"iat":-1,"jti":"1","cnf":{"jkt":"x"},"other":{"deep":[1]}}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), Some("https://idp.example"));
        assert_eq!(claims.subject(), Some("me"));
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            claims.expires_at().unwrap().instant().millis(),
            1_700_000_300_500
        );
        assert_eq!(claims.not_before().unwrap().to_string(), "1700000000");
        assert_eq!(claims.issued_at().unwrap().to_string(), "-1");
        assert_eq!(claims.token_id(), Some("1"));
        assert_eq!(claims.confirmation().unwrap()["jkt"], "x");
        assert_eq!(claims.raw()["other"], json!({"deep": [1]}));
    }

    #[test]
    fn absent_claims_are_absent_and_one_audience_is_one() {
        let none = claims_of("{}").unwrap();
        assert_eq!(
            (none.issuer(), none.subject(), none.token_id()),
            (None, None, None)
        );
        assert_eq!(
            (none.expires_at(), none.not_before(), none.issued_at()),
            (None, None, None)
        );
        assert_eq!(none.audiences().count(), 0);
        assert_eq!(none.confirmation(), None);
        let one = claims_of(r#"{"aud":"a"}"#).unwrap();
        assert_eq!(one.audiences().collect::<Vec<_>>(), ["a"]);
        assert_eq!(claims_of(r#"{"aud":[]}"#).unwrap().audiences().count(), 0);
    }

    #[test]
    fn a_payload_that_is_no_strict_json_object_is_malformed() {
        assert_eq!(error("[]"), ClaimsError::NotAnObject);
        assert_eq!(error("\"{}\""), ClaimsError::NotAnObject);
        for payload in [
            "foo",
            "",
            "{}{}",
            r#"{"iss":"a","iss":"b"}"#,
            r#"{"a":{"b":1,"b":1}}"#,
        ] {
            let error = error(payload);
            assert!(
                matches!(error, ClaimsError::NotJson(_)),
                "{payload}: {error}"
            );
            assert_eq!(error.reason(), Reason::CredentialMalformed);
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(error(&deep), ClaimsError::NotJson(JsonError::TooDeep(32)));
    }

    #[test]
    fn registered_claims_of_another_type_are_refused() {
        for name in ["iss", "sub", "jti", "client_id", "azp"] {
            for value in ["1", "null", "[]", "{}", "true"] {
                let error = error(&format!(r#"{{"{name}":{value}}}"#));
                assert_eq!(error, ClaimsError::WrongType(name), "{value}");
                assert_eq!(error.reason(), Reason::ClaimMissing);
            }
        }
        for value in ["1", "null", "{}", "[1]", r#"["a",null]"#, r#"[["a"]]"#] {
            assert_eq!(
                error(&format!(r#"{{"aud":{value}}}"#)),
                ClaimsError::WrongType("aud")
            );
        }
        for value in ["null", "\"\"", "[]", "true"] {
            assert_eq!(
                error(&format!(r#"{{"cnf":{value}}}"#)),
                ClaimsError::WrongType("cnf")
            );
        }
        for name in ["exp", "nbf", "iat"] {
            for value in [r#""1700000000""#, "null", "[1]", "false"] {
                let error = error(&format!(r#"{{"{name}":{value}}}"#));
                assert_eq!(error, ClaimsError::WrongType(name), "{value}");
            }
        }
    }

    #[test]
    fn dates_of_absurd_size_are_malformed() {
        let digits = "9".repeat(10_000);
        for name in ["exp", "nbf", "iat"] {
            for value in [
                "-9223372036854775808",
                "9223372036854775807",
                "18446744073709551615",
                "18446744073709551616",
                "1e300",
                "-1e300",
                "253402300800",
                "1700000000000",
            ] {
                let error = error(&format!(r#"{{"{name}":{value}}}"#));
                assert_eq!(error, ClaimsError::DateOutOfRange(name), "{value}");
                assert_eq!(error.reason(), Reason::CredentialMalformed);
            }
            let endless = error(&format!(r#"{{"{name}":{digits}}}"#));
            assert!(matches!(
                endless,
                ClaimsError::NotJson(JsonError::Syntax { .. })
            ));
        }
    }

    #[test]
    fn what_ends_up_in_fields_and_logs_holds_no_control_characters() {
        for name in ["iss", "sub", "jti", "client_id", "azp", "aud"] {
            for escape in [r"\r\n", r"\u0000", r"\t", r"\u007f", r"\u0085"] {
                let error = error(&format!(r#"{{"{name}":"a{escape}b"}}"#));
                assert_eq!(error, ClaimsError::ControlCharacters(name));
                assert_eq!(error.reason(), Reason::CredentialMalformed);
            }
        }
        assert_eq!(
            error(r#"{"aud":["a","b\n"]}"#),
            ClaimsError::ControlCharacters("aud")
        );
        assert!(claims_of(r#"{"sub":"Zo\u00eb \u2603"}"#).is_ok());
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn no_payload_makes_it_panic(
            name in "(iss|sub|aud|exp|nbf|iat|jti|cnf)",
            value in r#"(-?[0-9]{1,400}|-?[0-9]{1,20}[.eE]-?[0-9]{1,5}|"[a-z\\]{0,5}"|\[.{0,9}\]|.{0,9})"#,
        ) {
            let _ = claims_of(&format!(r#"{{"{name}":{value}}}"#));
        }
    }
}
