//! Unpadded base64url with one form for each value (RFC 7515 section 2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Decodes unpadded base64url; none for padding, white space, a character outside of the
/// alphabet, an impossible length, or trailing bits that are not zero (RFC 4648 section 3.5).
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Encodes without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_form_of_a_value_is_taken() {
        const CASES: &[(&str, Option<&[u8]>)] = &[
            ("", Some(b"")),
            ("Zg", Some(b"f")),
            ("Zm8", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("-_-_", Some(&[0xfb, 0xff, 0xbf])),
            // Padding, the other alphabet, white space, a lone character.
            ("Zg==", None),
            ("+/+/", None),
            ("Zm9v ", None),
            ("Zm\n9v", None),
            ("Z", None),
            ("Zm9vZ", None),
            ("Zm9?", None),
            // Trailing bits.
            ("Zh", None),
            ("Zm9", None),
        ];
        for (text, expected) in CASES {
            assert_eq!(decode(text.as_bytes()).as_deref(), *expected, "{text:?}");
        }
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn every_value_comes_back_as_it_was(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn every_text_that_is_taken_is_the_one_form_of_its_value(text in "[A-Za-z0-9_=+/ -]{0,40}") {
            if let Some(bytes) = decode(text.as_bytes()) {
                proptest::prop_assert_eq!(encode(&bytes), text);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>) {
            let _ = decode(&text);
        }
    }
}
