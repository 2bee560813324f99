//! Project Wycheproof's vectors for JSON Web Signatures, Keys and Encryption.

use crate::vectors::{Exception, Verdict, accepted, compare, read, rejected, verify};
use postern_core::jose::{JwsError, UnverifiedJws};
use serde_json::Value;

/// Every case of a suite: its number, what it must be, its group and itself.
fn cases(suite: &Value) -> Vec<(String, Verdict, &Value, &Value)> {
    let mut cases = Vec::new();
    for group in suite["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let expected = match case["result"].as_str().unwrap() {
                "valid" => Verdict::Accept,
                "invalid" => Verdict::Reject,
                other => panic!("unknown result {other}"),
            };
            cases.push((case["tcId"].to_string(), expected, group, case));
        }
    }
    cases
}

/// A token as a caller would send it; where it is written as JSON, its JSON serialization.
fn text_of(token: &Value) -> String {
    token
        .as_str()
        .map_or_else(|| token.to_string(), str::to_owned)
}

fn keys_of(group: &Value) -> &Value {
    group.get("public").unwrap_or(&group["private"])
}

/// The verdicts on the `jws` of every case that has one.
fn signature_verdicts(suite: &Value) -> Vec<(String, Verdict, Verdict)> {
    cases(suite)
        .into_iter()
        .filter_map(|(id, expected, group, case)| {
            let token = text_of(case.get("jws")?);
            let actual = match verify(&token, keys_of(group)) {
                Ok(_) => Verdict::Accept,
                Err(_) => Verdict::Reject,
            };
            Some((id, expected, actual))
        })
        .collect()
}

#[test]
fn json_web_signatures_are_judged_as_wycheproof_judges_them() {
    const OTHER_ALG: &str = "the key's own `alg` names another algorithm than the token: \
        it binds the key (RFC 7517 section 4.4, RFC 8725 section 3.1)";
    const SAME_TOKEN: &str = "the very bytes of case 357, which is valid \
        (C2SP/wycheproof issue 236)";
    const NOT_BASE64URL: &str = "there is a `?` within the base64url, and the MAC is not over it";
    const EXCEPTIONS: &[Exception] = &[
        rejected("346", OTHER_ALG),
        rejected("347", OTHER_ALG),
        rejected("350", OTHER_ALG),
        rejected("351", OTHER_ALG),
        accepted("367", SAME_TOKEN),
        accepted("370", SAME_TOKEN),
        rejected("372", NOT_BASE64URL),
        rejected("373", NOT_BASE64URL),
    ];
    let Some(suite) = read("wycheproof/json_web_signature_test.json") else {
        return;
    };
    let verdicts = signature_verdicts(&suite);
    assert_eq!(verdicts.len(), 401);
    compare(verdicts, EXCEPTIONS);
}

#[test]
fn json_web_keys_are_judged_as_wycheproof_judges_them() {
    const EXCEPTIONS: &[Exception] = &[accepted(
        "4",
        "two keys of one `kid` are both tried: RFC 7517 section 4.5 says SHOULD, \
         and an issuer that changes its key may have both for a while",
    )];
    let Some(suite) = read("wycheproof/json_web_key_test.json") else {
        return;
    };
    let verdicts = signature_verdicts(&suite);
    assert_eq!(verdicts.len(), 26);
    compare(verdicts, EXCEPTIONS);
}

#[test]
fn signatures_of_the_mixed_suite_are_judged_as_wycheproof_judges_them() {
    const EXCEPTIONS: &[Exception] = &[];
    let Some(suite) = read("wycheproof/json_web_crypto_test.json") else {
        return;
    };
    let verdicts = signature_verdicts(&suite);
    assert_eq!(verdicts.len(), 49);
    compare(verdicts, EXCEPTIONS);
}

#[test]
fn no_encrypted_token_is_taken_for_a_signed_one() {
    for (file, count) in [
        ("json_web_encryption_test", 139),
        ("json_web_crypto_test", 34),
    ] {
        let Some(suite) = read(&format!("wycheproof/{file}.json")) else {
            return;
        };
        let tokens: Vec<String> = cases(&suite)
            .into_iter()
            .filter_map(|(.., case)| case.get("jwe").map(text_of))
            .collect();
        assert_eq!(tokens.len(), count);
        for token in tokens {
            let error = UnverifiedJws::parse(token.as_bytes(), 1 << 20).unwrap_err();
            let segments = token.split('.').count();
            let expected = if segments == 5 {
                JwsError::Encrypted
            } else {
                JwsError::NotCompact
            };
            assert_eq!(error, expected, "{token}");
        }
    }
}
