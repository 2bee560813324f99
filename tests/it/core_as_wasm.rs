//! The core as WebAssembly in a JavaScript engine: the very code that runs in a proxy and a browser.

use postern_core::base::{Now, base64url};
use postern_core::crypto::{AlgorithmSet, Pure, Work};
use postern_core::decision::Reason;
use postern_core::jose::{
    Audiences, Claims, ClaimsError, Expectations, JwsError, KeyRules, KeySet, KeyUse, TokenProfile,
    UnverifiedJws, VerifiedJws, check_type,
    json::{self, Bounds, JsonError},
};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_bindgen_test::wasm_bindgen_test;

/// A key and a token it signed, for each family of algorithms. They were made with another
/// implementation (OpenSSL), and the private keys were thrown away.
const TOKENS: &[(&str, &str)] = &[
    (
        r#"{"kid":"RS256","alg":"RS256","kty":"RSA","n":"12MiyAmoUECiwDL0cmkGrwCV5Y_rxGvKcNmayBhSPiKLcRiWQqdW2pSFnDaqwGr-7icOu660cniV5hVpVXxLM9r6R4MsQb8Te73SSafG3SLL7ruIxyXsFTMQkI9Joe2keVnEE1Bwedjf5WLlrL_d7QrAH-3j_4XSIKFpwWioMPMWTYAe11nYapba6NbQxg1OfHDzyeP7AEzHAds9CpufAfHBya1z9Ei8teGTlegFfsNcGZVekJWAch_6382lqmJiTmURXfRfH8y2lVUrwJz0V4KUl2ftVTOcBUOzudex7ImpCim5DQf7AhDHqABsaOrBT64NGgHQ0-VB70ekzUM5sw","e":"AQAB"}"#,
        "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IlJTMjU2In0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYmF0Y2giLCJhdWQiOiJvcmRlcnMiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.oaDS0FPUmCG43K4jvNfz_BRztWZkIR-IBQ20QSb9UU7Ul7_yqTOynvrzrNwXCN_QTb1yISbI0ew_fL_2ZXhevprtYjnvgRqzuAfPp5bmNizQcFStvmShTO6cEdkLvzimN3fk7w9CBHMg2t5cV14aE6WtX4fcsK3oTKAQlh0BwwzaUF2GLtWu_cIviyz6GZNeMj6ZOJmUoxxi3PylMlOfSh1g3dTfNVLlyBeIw8F24J7gSN5qMuJBZWa3DximI8Ka3QTMEtJnO-SPG5p4-jc7DGmGckr-0WfjgzEeOIP5YfGTSuf5kn8UMe-3lNLpOgE8RQyjsU7I4P-Vc50xotWKeA",
    ),
    (
        r#"{"kid":"PS384","alg":"PS384","kty":"RSA","n":"12MiyAmoUECiwDL0cmkGrwCV5Y_rxGvKcNmayBhSPiKLcRiWQqdW2pSFnDaqwGr-7icOu660cniV5hVpVXxLM9r6R4MsQb8Te73SSafG3SLL7ruIxyXsFTMQkI9Joe2keVnEE1Bwedjf5WLlrL_d7QrAH-3j_4XSIKFpwWioMPMWTYAe11nYapba6NbQxg1OfHDzyeP7AEzHAds9CpufAfHBya1z9Ei8teGTlegFfsNcGZVekJWAch_6382lqmJiTmURXfRfH8y2lVUrwJz0V4KUl2ftVTOcBUOzudex7ImpCim5DQf7AhDHqABsaOrBT64NGgHQ0-VB70ekzUM5sw","e":"AQAB"}"#,
        "eyJhbGciOiJQUzM4NCIsInR5cCI6ImF0K2p3dCIsImtpZCI6IlBTMzg0In0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYmF0Y2giLCJhdWQiOiJvcmRlcnMiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.K8Iy-Vo7c5fSX7DpitYtvQKZXd17Cga5u4mUKTENFn-SBOuK30_rgF1nuzU_RIWiiDE9xF19AecpvuXqp-BGh4BcAqYYT2-uvLpgGjHH0AJV0jQSVcH8p3ajpKlkbz5bCQDySegzLaoTeg-SqF5e3kVyc74zOicWU3VZmb81bgqs375kK0JZfhE37NSFLlrS3hkrPAdpCTuMsuVZxwQpxTuCbLn5V_ia40opj4aR339IcZ2p1TeaGfYdj4SAgaxeASyaytiDBMnVymJifIGOWECrUaF-y6SPATPcnEZTG5AJ3OCEKCDSgtR6SmnXkQ2DaFhqkVZHdD1Lvm4zMJg4yg",
    ),
    (
        r#"{"kid":"ES256","alg":"ES256","kty":"EC","crv":"P-256","x":"ttTDkR2nDKuyjkWVRqbYMdJp5x2mLjtzwSulJFBh4Mc","y":"PoY2UgrHiGnQlHF8eY8b_MVK7L_KuiCzuh6W_32FvGI"}"#,
        "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IkVTMjU2In0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYmF0Y2giLCJhdWQiOiJvcmRlcnMiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.p50XDuNpEneacF7h8vKtdw3P7ud9UNeFUqSNnqyqaaP45Rd9M_7DdRb1TqsL8uxej0gt36-NwPQj3h8jtcrvFg",
    ),
    (
        r#"{"kid":"ES384","alg":"ES384","kty":"EC","crv":"P-384","x":"S8xYpu3SbVSn6FOU7xEQFviCRQ_XYa5lZmUoVMRupN2b_wCtyiuVL6zgzO8WG16H","y":"00xbpGRYLi7fsW1GCQI9KAx6ypkMulyvN1Tcw8Jqi_0OOLSgglYtbX7de4n5MWCR"}"#,
        "eyJhbGciOiJFUzM4NCIsInR5cCI6ImF0K2p3dCIsImtpZCI6IkVTMzg0In0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYmF0Y2giLCJhdWQiOiJvcmRlcnMiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.VqxCMtzxytzczplWyBrphk7BKDavwjFB8SXfaQRW64XEwyaqymG0rB1J9tINlPu7yCr-MUzyXCOsKfVzScAIHMtOObiS1-2ZcI_eu3FYXY53UWnFLsGAee3wDLFLMIVJ",
    ),
    (
        r#"{"kid":"ES512","alg":"ES512","kty":"EC","crv":"P-521","x":"ALQD7y7M8ny2gMv3NaeVU9EdKXmBdJ5KgCw-Uh_Jnx4GojfXkGizb1HpnMcM42t7yyFKgkBogB6XciyuPpCxXRs8","y":"Acn10JyW9u8kyD8151r4ebmRNKjQuSph_ze_p7pZeSB_SShvoEs-_bpo0CcML4ObgkcGEI2lHFsYgamLQrtZIR3U"}"#,
        "eyJhbGciOiJFUzUxMiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IkVTNTEyIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYmF0Y2giLCJhdWQiOiJvcmRlcnMiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.AXIC06w0Fu2jC9I3mCRA4CWy1YbXqN1oMqHUA1KAba7k3RkNfIVxsrmeqfXxQeSOLSBKs_Tvb-miuKdm7ny2djhVAVWuDt2IN1ipDqhriauox1O6_w2CWeSbABXaon9i6kpGQD_Yp2l9EIGcQuwXpj_8jZBIbxWdI-3C1pHajNYy_ShU",
    ),
    (
        r#"{"kid":"EdDSA","alg":"EdDSA","kty":"OKP","crv":"Ed25519","x":"4Gw6EBEm36qcUdgaP2rHz0IFrnKhkBl533WHTgP6Mr8"}"#,
        "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IkVkRFNBIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYmF0Y2giLCJhdWQiOiJvcmRlcnMiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0._EtvY3EJpTDjhX2HxotF_jwnWNd8B-GSI_87qdsl_Ij23uoKTKoTQnMuBPQNqUnvXNAt61REeERPXFi_nLPZCg",
    ),
    (
        r#"{"kid":"HS512","alg":"HS512","kty":"oct","k":"YlC8ujy__Jzy2IoY4SNzKuIaBVLi-2n9clCLAvXA_Q_uZ4qZbrcNEyOqCzaE-gL5CXqXNJ-qmkkjXQGpMjIlbg"}"#,
        "eyJhbGciOiJIUzUxMiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IkhTNTEyIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYmF0Y2giLCJhdWQiOiJvcmRlcnMiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.yrbBRBoYEORYAkfr5k3AEqlkjUhgooABTABy48pu0oCuw4dWzlUPj6JI6qSEyLsiEWZ_fAMr7uX6FebObSGENw",
    ),
];

fn keys(jwk: &str) -> (KeySet, AlgorithmSet) {
    let jwk: Value = json::parse(jwk.as_bytes(), Bounds::KEY_SET).unwrap();
    let algorithms = if jwk["kty"] == "oct" {
        AlgorithmSet::symmetric()
    } else {
        AlgorithmSet::asymmetric()
    };
    let rules = KeyRules {
        algorithms,
        allow_rsa_exponent_3: false,
        allow_large_rsa: false,
        key_use: KeyUse::Signature,
    };
    let (keys, _) = KeySet::parse(&json!({"keys": [jwk]}), &rules).unwrap();
    (keys, algorithms)
}

fn verify(token: &str, jwk: &str) -> Result<VerifiedJws, JwsError> {
    let (keys, algorithms) = keys(jwk);
    UnverifiedJws::parse(token.as_bytes(), 8192)?.verify(
        &keys,
        algorithms,
        &Pure,
        &mut Work::ample(),
    )
}

fn expected(audiences: &Audiences) -> Expectations<'_> {
    Expectations {
        issuer: "https://idp.example",
        audiences,
        profile: TokenProfile::Jwt,
        clock_skew: Duration::from_secs(30),
        max_lifetime: Some(Duration::from_secs(3600)),
    }
}

#[wasm_bindgen_test]
fn a_good_token_of_every_family_is_accepted() {
    let audiences = Audiences::OneOf(vec!["orders".to_owned()]);
    for (jwk, token) in TOKENS {
        let jws = verify(token, jwk).unwrap();
        check_type(jws.typ(), TokenProfile::AtJwt).unwrap();
        let claims = Claims::from_verified(jws).unwrap();
        assert_eq!(claims.subject(), Some("batch"));
        let checked = claims.check(&expected(&audiences), Now::from_secs(1_700_000_001));
        assert_eq!(checked, Ok(()));
    }
}

#[wasm_bindgen_test]
fn a_token_of_any_family_with_a_changed_part_is_refused() {
    for (jwk, token) in TOKENS {
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            panic!("not three segments");
        };
        let other = base64url::encode(br#"{"iss":"https://idp.example","sub":"admin"}"#);
        let mut flipped = base64url::decode(signature.as_bytes()).unwrap();
        flipped[7] ^= 0x10;
        let flipped = base64url::encode(&flipped);
        for (changed, reason) in [
            (
                format!("{header}.{other}.{signature}"),
                Reason::SignatureInvalid,
            ),
            (
                format!("{header}.{payload}.{flipped}"),
                Reason::SignatureInvalid,
            ),
            (format!("{header}.{payload}."), Reason::SignatureInvalid),
            (format!("{header}.{payload}"), Reason::CredentialMalformed),
            (
                format!("{header}.{payload}.{signature}="),
                Reason::CredentialMalformed,
            ),
        ] {
            assert_eq!(verify(&changed, jwk).unwrap_err().reason(), reason);
        }
    }
}

#[wasm_bindgen_test]
fn a_token_is_refused_under_the_key_of_another_family() {
    for (index, (_, token)) in TOKENS.iter().enumerate() {
        for (other, (jwk, _)) in TOKENS.iter().enumerate() {
            assert_eq!(verify(token, jwk).is_ok(), index == other);
        }
    }
}

#[wasm_bindgen_test]
fn an_unsigned_token_is_refused_under_every_key() {
    let header = base64url::encode(br#"{"alg":"none"}"#);
    for (jwk, token) in TOKENS {
        let payload = token.split('.').nth(1).unwrap();
        let error = verify(&format!("{header}.{payload}."), jwk).unwrap_err();
        assert_eq!(error.reason(), Reason::AlgorithmNotAllowed);
    }
}

#[wasm_bindgen_test]
fn claims_are_checked_against_the_instant_and_the_audience() {
    let orders = Audiences::OneOf(vec!["orders".to_owned()]);
    let others = Audiences::OneOf(vec!["billing".to_owned()]);
    let (jwk, token) = TOKENS[0];
    let claims = Claims::from_verified(verify(token, jwk).unwrap()).unwrap();
    let check = |audiences, seconds| claims.check(&expected(audiences), Now::from_secs(seconds));
    assert_eq!(check(&orders, 1_700_003_629), Ok(()));
    let late = check(&orders, 1_700_003_630).unwrap_err();
    assert!(matches!(late, ClaimsError::Expired { .. }));
    let early = check(&orders, 1_699_999_969).unwrap_err();
    assert!(matches!(
        early,
        ClaimsError::NotYetValid { claim: "iat", .. }
    ));
    assert_eq!(
        check(&others, 1_700_000_001),
        Err(ClaimsError::OtherAudience)
    );
}

#[wasm_bindgen_test]
fn json_is_read_strictly() {
    let parse = |text: &str| json::parse(text.as_bytes(), Bounds::TOKEN);
    assert!(matches!(
        parse(r#"{"a":1,"a":2}"#),
        Err(JsonError::Duplicate { .. })
    ));
    assert!(matches!(parse("{} {}"), Err(JsonError::Syntax { .. })));
    assert!(matches!(
        parse(&"9".repeat(10_000)),
        Err(JsonError::Syntax { .. })
    ));
    // The stack is a fixed piece of the module's memory: depth must not reach its end.
    assert_eq!(parse(&"[".repeat(100_000)), Err(JsonError::TooDeep(32)));
}

#[wasm_bindgen_test]
fn base64url_is_read_strictly() {
    for text in ["Zg==", "Zh", "Zm9v ", "+/+/", "Z"] {
        assert_eq!(base64url::decode(text.as_bytes()), None);
    }
    assert_eq!(
        base64url::decode(b"Zm9v").as_deref(),
        Some(b"foo".as_slice())
    );
}
