//! The examples of RFC 7520, RFC 7797 and RFC 8037.

use crate::vectors::{key_set, read, rules_for, verify, verify_with};
use postern_core::crypto::{Algorithm, AlgorithmSet};
use postern_core::jose::{JwkError, JwsError, Key, KeySet, KeySetError, UnverifiedJws};
use serde_json::{Value, json};

/// The key of an example without what makes it private.
fn public(key: &Value) -> Value {
    let mut key = key.clone();
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        key.as_object_mut().unwrap().remove(member);
    }
    key
}

#[test]
fn compact_examples_verify_with_the_key_and_algorithm_they_name() {
    const CASES: &[(&str, Algorithm)] = &[
        ("jws_4_1.rsa_v15_signature", Algorithm::Rs256),
        ("jws_4_2.rsa-pss_signature", Algorithm::Ps384),
        ("jws_4_3.ecdsa_signature", Algorithm::Es512),
        ("jws_4_4.hmac-sha2_integrity_protection", Algorithm::Hs256),
        ("curve25519_jws", Algorithm::EdDsa),
    ];
    for (file, algorithm) in CASES {
        let Some(example) = read(&format!("cookbook/{file}.json")) else {
            return;
        };
        let key = public(&example["input"]["key"]);
        let token = example["output"]["compact"].as_str().unwrap();
        let verified = verify(token, &key).unwrap();
        assert_eq!(verified.algorithm(), *algorithm);
        assert_eq!(
            verified.kid(),
            example["signing"]["protected"]["kid"].as_str()
        );
        let payload = example["input"]["payload"].as_str().unwrap();
        assert_eq!(verified.payload(), payload.as_bytes());

        let others = AlgorithmSet::from_iter(
            Algorithm::ALL
                .iter()
                .copied()
                .filter(|other| other != algorithm),
        );
        let error = verify_with(token, &key_set(&key).unwrap(), others).unwrap_err();
        assert!(
            matches!(error, JwsError::AlgorithmNotAllowed(_)),
            "{file}: {error}"
        );
    }
}

#[test]
fn json_serializations_of_every_example_are_no_compact_token() {
    const FILES: &[&str] = &[
        "jws_4_1.rsa_v15_signature",
        "jws_4_2.rsa-pss_signature",
        "jws_4_3.ecdsa_signature",
        "jws_4_4.hmac-sha2_integrity_protection",
        "jws_4_5.signature_with_detached_content",
        "jws_4_8.multiple_signatures",
        "rfc7797_4.2.hmac-sha2_b64_false",
        "curve25519_jws",
    ];
    for file in FILES {
        let Some(example) = read(&format!("cookbook/{file}.json")) else {
            return;
        };
        let outputs = example["output"].as_object().unwrap();
        let serializations = outputs.iter().filter(|(_, output)| output.is_object());
        let mut count = 0;
        for (name, output) in serializations {
            let parsed = UnverifiedJws::parse(output.to_string().as_bytes(), 1 << 20);
            assert!(parsed.is_err(), "{file} {name}");
            count += 1;
        }
        assert!(count > 0, "{file}");
    }
}

#[test]
fn signatures_of_the_example_with_several_verify_one_by_one() {
    let Some(example) = read("cookbook/jws_4_8.multiple_signatures.json") else {
        return;
    };
    let output = &example["output"]["json"];
    let payload = output["payload"].as_str().unwrap();
    let keys = example["input"]["key"].as_array().unwrap();
    let signatures = output["signatures"].as_array().unwrap();
    assert_eq!((keys.len(), signatures.len()), (3, 3));
    for (index, signature) in signatures.iter().enumerate() {
        let segment = |name: &str| signature.get(name).and_then(Value::as_str).unwrap_or("");
        let token = format!(
            "{}.{payload}.{}",
            segment("protected"),
            segment("signature")
        );
        let verified = verify(&token, &public(&keys[index]));
        // The second has all of its header outside of what is signed, which no compact form has.
        assert_eq!(verified.is_ok(), index != 1, "{index}: {verified:?}");
    }
}

#[test]
fn detached_content_is_an_empty_payload_that_the_signature_does_not_cover() {
    let Some(example) = read("cookbook/jws_4_5.signature_with_detached_content.json") else {
        return;
    };
    let key = public(&example["input"]["key"]);
    let token = example["output"]["compact"].as_str().unwrap();
    let error = verify_with(token, &key_set(&key).unwrap(), AlgorithmSet::symmetric());
    assert_eq!(error.unwrap_err(), JwsError::SignatureInvalid);
}

#[test]
fn an_unencoded_payload_is_refused() {
    let Some(example) = read("cookbook/rfc7797_4.2.hmac-sha2_b64_false.json") else {
        return;
    };
    let output = &example["output"]["json_flat"];
    let part = |name: &str| output[name].as_str().unwrap();
    let token = format!("{}.Zm9v.{}", part("protected"), part("signature"));
    let error = UnverifiedJws::parse(token.as_bytes(), 1 << 20).unwrap_err();
    assert!(matches!(error, JwsError::Critical(_)), "{error}");
}

#[test]
fn public_keys_are_read_and_private_ones_are_refused() {
    for file in ["jwk_3_1.ec_public_key", "jwk_3_3.rsa_public_key"] {
        let Some(jwk) = read(&format!("cookbook/{file}.json")) else {
            return;
        };
        let key = Key::parse(&jwk, &rules_for(&jwk)).unwrap();
        assert_eq!(key.kid(), Some("bilbo.baggins@hobbiton.example"));
    }
    for file in [
        "jws_4_1.rsa_v15_signature",
        "jws_4_3.ecdsa_signature",
        "curve25519_jws",
    ] {
        let Some(example) = read(&format!("cookbook/{file}.json")) else {
            return;
        };
        let private = &example["input"]["key"];
        let set = json!({"keys": [private]});
        let Err(KeySetError::NoUsableKey(skipped)) = KeySet::parse(&set, &rules_for(private))
        else {
            panic!("{file}: a private key was taken");
        };
        assert_eq!(skipped[0].why, JwkError::Private);
    }
}
