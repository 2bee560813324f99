//! JWT-SVIDs, good and bad in every way that comes to mind, and the authorities that sign them.

use postern_core::crypto::Algorithm;
use postern_testkit::signing::{self, Signer, jws};
use serde_json::{Value, json};

/// Whom good SVIDs are for.
pub const AUDIENCE: &str = "orders";

const SUBJECT: &str = "spiffe://prod.example/ns/a/sa/b";
const RSA_ALGORITHMS: &[&str] = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/// A trust domain and its keys, each named and with its `use`.
pub struct Authority {
    pub domain: String,
    keys: Vec<(&'static str, &'static str, Signer)>,
}

/// A token, and whether Postern is to believe it.
pub struct Case {
    pub name: String,
    pub token: String,
    pub good: bool,
}

impl Authority {
    /// Its keys as a bundle has them.
    pub fn keys(&self) -> impl Iterator<Item = Value> {
        self.keys.iter().map(|(kid, key_use, key)| {
            let mut jwk = key.jwk();
            jwk["kid"] = (*kid).into();
            jwk["use"] = (*key_use).into();
            jwk
        })
    }

    pub fn bundle(&self) -> Value {
        let keys: Vec<Value> = self.keys().collect();
        json!({"keys": keys, "spiffe_sequence": 1})
    }

    fn key(&self, kid: &str) -> &Signer {
        &self.keys.iter().find(|(name, ..)| *name == kid).unwrap().2
    }
}

fn p256() -> Signer {
    Signer::for_tests(Algorithm::Es256)
}

/// `prod.example` with a key of every kind, and `other.example` with one of its own.
pub fn authorities() -> [Authority; 2] {
    let of = |algorithm| Signer::for_tests(algorithm);
    let prod = vec![
        ("rsa", "jwt-svid", of(Algorithm::Rs256)),
        ("p256", "jwt-svid", p256()),
        ("p384", "jwt-svid", of(Algorithm::Es384)),
        ("p521", "jwt-svid", of(Algorithm::Es512)),
        ("ed", "jwt-svid", of(Algorithm::EdDsa)),
        ("sig", "sig", p256()),
        ("x509", "x509-svid", p256()),
    ];
    let authority = |domain: &str, keys| Authority {
        domain: domain.to_owned(),
        keys,
    };
    [
        authority("prod.example", prod),
        authority("other.example", vec![("other", "jwt-svid", p256())]),
    ]
}

/// Every case; those that are told apart by their algorithm begin with its name.
pub fn cases(authorities: &[Authority; 2], now: u64) -> Vec<Case> {
    let [prod, other] = authorities;
    let mut cases = Vec::new();
    let algorithms = RSA_ALGORITHMS.iter().map(|name| (*name, "rsa"));
    for (algorithm, kid) in algorithms.chain([("ES256", "p256"), ("ES384", "p384")]) {
        let forge = Forge {
            key: prod.key(kid),
            algorithm,
            kid,
            now,
        };
        cases.extend(forge.of_claims());
        cases.extend(forge.of_headers());
        cases.extend(forge.of_texts());
    }
    cases.extend(of_keys(prod, other, now));
    cases.extend(of_subjects(prod, now));
    cases.extend(of_oddities(prod, now));
    cases
}

/// Makes tokens with one key.
struct Forge<'a> {
    key: &'a Signer,
    algorithm: &'a str,
    kid: &'a str,
    now: u64,
}

impl Forge<'_> {
    fn header(&self, changes: Value) -> Value {
        merged(
            json!({"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}),
            changes,
        )
    }

    fn claims(&self, changes: Value) -> Value {
        let good =
            json!({"sub": SUBJECT, "aud": [AUDIENCE], "exp": self.now + 300, "iat": self.now});
        merged(good, changes)
    }

    fn token(&self, header: &str, claims: &str) -> String {
        let algorithm = Algorithm::from_name(self.algorithm).unwrap();
        let key = self.key.with(algorithm);
        jws::joined(header.as_bytes(), claims.as_bytes(), |input| {
            key.sign(input)
        })
    }

    fn good(&self) -> String {
        self.with(json!({}), json!({}))
    }

    fn with(&self, header: Value, claims: Value) -> String {
        self.token(
            &self.header(header).to_string(),
            &self.claims(claims).to_string(),
        )
    }

    fn named(&self, cases: Vec<(&str, bool, String)>) -> Vec<Case> {
        let prefix = self.algorithm;
        let named = |(name, good, token): (&str, bool, String)| Case {
            name: format!("{prefix} {name}"),
            token,
            good,
        };
        cases.into_iter().map(named).collect()
    }

    fn of_claims(&self) -> Vec<Case> {
        let now = self.now;
        let cases = [
            ("good", true, json!({})),
            ("aud a string", true, json!({"aud": AUDIENCE})),
            (
                "aud among others",
                true,
                json!({"aud": ["a", AUDIENCE, "b"]}),
            ),
            (
                "private claims",
                true,
                json!({"iss": "https://a.example", "x": {"y": [1]}}),
            ),
            ("nbf now", true, json!({"nbf": now})),
            (
                "sub of two segments",
                true,
                json!({"sub": "spiffe://prod.example/a/b"}),
            ),
            ("aud of another", false, json!({"aud": ["billing"]})),
            ("aud in another case", false, json!({"aud": ["Orders"]})),
            ("aud a part", false, json!({"aud": "orders.example"})),
            ("aud empty", false, json!({"aud": []})),
            ("aud an empty string", false, json!({"aud": ""})),
            ("aud a number", false, json!({"aud": 1})),
            ("aud an object", false, json!({"aud": {AUDIENCE: 1}})),
            ("no aud", false, json!({"aud": null})),
            ("no exp", false, json!({"exp": null})),
            (
                "exp a string",
                false,
                json!({"exp": (now + 300).to_string()}),
            ),
            ("exp a second ago", false, json!({"exp": now - 1})),
            ("exp zero", false, json!({"exp": 0})),
            ("exp negative", false, json!({"exp": -1})),
            (
                "exp in milliseconds",
                false,
                json!({"exp": (now + 300) * 1000}),
            ),
            ("nbf ahead", false, json!({"nbf": now + 200})),
            ("nbf a string", false, json!({"nbf": "1"})),
            ("no sub", false, json!({"sub": null})),
            ("sub a number", false, json!({"sub": 1})),
            ("sub not a SPIFFE ID", false, json!({"sub": "batch-7"})),
            (
                "sub of an unknown domain",
                false,
                json!({"sub": "spiffe://third.example/a"}),
            ),
            (
                "sub of another domain",
                false,
                json!({"sub": "spiffe://other.example/a"}),
            ),
        ];
        let cases = cases.map(|(name, good, claims)| (name, good, self.with(json!({}), claims)));
        self.named(cases.into())
    }

    fn of_headers(&self) -> Vec<Case> {
        let cases = [
            ("no typ", true, json!({"typ": null})),
            ("typ JOSE", true, json!({"typ": "JOSE"})),
            ("typ jwt", false, json!({"typ": "jwt"})),
            ("typ empty", false, json!({"typ": ""})),
            ("typ at+jwt", false, json!({"typ": "at+jwt"})),
            ("typ a number", false, json!({"typ": 1})),
            ("crit", false, json!({"crit": ["exp"]})),
            ("b64", false, json!({"b64": false, "crit": ["b64"]})),
            ("kid unknown", false, json!({"kid": "nobody"})),
            (
                "kid of another kind of key",
                false,
                json!({"kid": if self.kid == "rsa" { "p384" } else { "rsa" }}),
            ),
            ("kid a number", false, json!({"kid": 1})),
            ("alg none", false, json!({"alg": "none"})),
            ("alg None", false, json!({"alg": "None"})),
            (
                "alg in lower case",
                false,
                json!({"alg": self.algorithm.to_lowercase()}),
            ),
            ("alg HS256", false, json!({"alg": "HS256"})),
            ("alg EdDSA", false, json!({"alg": "EdDSA"})),
            (
                "alg of another hash",
                false,
                json!({"alg": if self.algorithm == "RS512" { "RS256" } else { "RS512" }}),
            ),
            ("no alg", false, json!({"alg": null})),
        ];
        let cases = cases.map(|(name, good, header)| (name, good, self.with(header, json!({}))));
        self.named(cases.into())
    }

    fn of_texts(&self) -> Vec<Case> {
        let good = self.good();
        let [header, claims, signature] = parts(&good);
        let other = self.with(json!({}), json!({"sub": "spiffe://prod.example/admin"}));
        let [_, other_claims, other_signature] = parts(&other);
        let cut = &signature[..signature.len() - 4];
        let cases = vec![
            (
                "claims of another token",
                false,
                format!("{header}.{other_claims}.{signature}"),
            ),
            (
                "signature of another token",
                false,
                format!("{header}.{claims}.{other_signature}"),
            ),
            ("signature cut", false, format!("{header}.{claims}.{cut}")),
            (
                "signature longer",
                false,
                format!("{header}.{claims}.{signature}AAAA"),
            ),
            ("signature empty", false, format!("{header}.{claims}.")),
            (
                "signature of zeros",
                false,
                format!("{header}.{claims}.{}", "A".repeat(signature.len())),
            ),
            ("two segments", false, format!("{header}.{claims}")),
            ("four segments", false, format!("{good}.{signature}")),
            (
                "claims padded",
                false,
                format!("{header}.{claims}=.{signature}"),
            ),
            ("a space before", false, format!(" {good}")),
            ("a line break behind", false, format!("{good}\n")),
            ("claims empty", false, format!("{header}..{signature}")),
        ];
        self.named(cases)
    }
}

/// Keys that are not for this: of another domain, of another use, of another kind.
fn of_keys(prod: &Authority, other: &Authority, now: u64) -> Vec<Case> {
    let forge = |authority: &Authority, kid: &str, alg: &str, header: Value, claims: Value| {
        let forge = Forge {
            key: authority.key(kid),
            algorithm: alg,
            kid,
            now,
        };
        forge.with(header, claims)
    };
    let theirs = json!({"sub": "spiffe://other.example/a"});
    let stranger = Authority {
        domain: String::new(),
        keys: vec![("p256", "jwt-svid", p256())],
    };
    let none = || json!({});
    let cases = [
        (
            "other domain good",
            true,
            forge(other, "other", "ES256", none(), theirs.clone()),
        ),
        (
            "other domain's key",
            false,
            forge(other, "other", "ES256", none(), none()),
        ),
        (
            "other domain's key as ours",
            false,
            forge(other, "other", "ES256", json!({"kid": "p256"}), none()),
        ),
        (
            "our key for the other domain",
            false,
            forge(prod, "p256", "ES256", none(), theirs.clone()),
        ),
        (
            "our key as the other domain's",
            false,
            forge(prod, "p256", "ES256", json!({"kid": "other"}), theirs),
        ),
        (
            "use sig",
            false,
            forge(prod, "sig", "ES256", none(), none()),
        ),
        (
            "use x509-svid",
            false,
            forge(prod, "x509", "ES256", none(), none()),
        ),
        (
            "use sig as another",
            false,
            forge(prod, "sig", "ES256", json!({"kid": "p256"}), none()),
        ),
        ("EdDSA", false, forge(prod, "ed", "EdDSA", none(), none())),
        (
            "a stranger's key",
            false,
            forge(&stranger, "p256", "ES256", none(), none()),
        ),
        (
            "ES512 good",
            true,
            forge(prod, "p521", "ES512", none(), none()),
        ),
        ("HS256 with the public key", false, hmac(prod, now)),
    ];
    cases
        .map(|(name, good, token)| case(name, good, token))
        .into()
}

/// A token whose secret is what everyone can read in the bundle.
fn hmac(prod: &Authority, now: u64) -> String {
    let key = prod.key("rsa");
    let secret = key.jwk()["n"].as_str().unwrap().to_owned();
    let forge = Forge {
        key,
        algorithm: "HS256",
        kid: "rsa",
        now,
    };
    let [header, claims] = [forge.header(json!({})), forge.claims(json!({}))];
    let (header, claims) = (header.to_string(), claims.to_string());
    let sign = |input: &[u8]| signing::hmac(secret.as_bytes(), input);
    jws::joined(header.as_bytes(), claims.as_bytes(), sign)
}

/// Subjects that are SPIFFE IDs, or nearly.
fn of_subjects(prod: &Authority, now: u64) -> Vec<Case> {
    const GOOD: &[&str] = &[
        "spiffe://prod.example",
        "spiffe://prod.example/a",
        "spiffe://prod.example/A-b_c.d",
        "spiffe://prod.example/...",
        "spiffe://prod.example/.a/b.",
        "spiffe://prod.example/0/1/2/3/4/5/6/7/8/9",
    ];
    const BAD: &[&str] = &[
        "",
        "spiffe:",
        "spiffe://",
        "spiffe:///a",
        "spiffe:/prod.example/a",
        "//prod.example/a",
        "prod.example/a",
        "https://prod.example/a",
        " spiffe://prod.example/a",
        "spiffe://prod.example/",
        "spiffe://prod.example/a/",
        "spiffe://prod.example//a",
        "spiffe://prod.example/./a",
        "spiffe://prod.example/a/..",
        "spiffe://prod.example/a%2fb",
        "spiffe://prod.example/a?b",
        "spiffe://prod.example/a#b",
        "spiffe://prod.example/a b",
        "spiffe://prod.example/é",
        "spiffe://prod.example/*",
        "spiffe://prod.example\\a",
        "spiffe://prod.example:443/a",
        "spiffe://me@prod.example/a",
        "spiffe://prod.example?a",
        "spiffe://prod.example#a",
        "spiffe://prod.example%00/a",
        "spiffe://prod.example./a",
        "spiffe://prod.example.evil/a",
        "spiffe://evil.prod.example/a",
        "spiffe://[::1]/a",
    ];
    let forge = Forge {
        key: prod.key("p256"),
        algorithm: "ES256",
        kid: "p256",
        now,
    };
    let case = |(subject, good): (&&str, bool)| Case {
        name: format!("sub {subject:?}"),
        token: forge.with(json!({}), json!({"sub": subject})),
        good,
    };
    let good = GOOD.iter().map(|subject| (subject, true));
    good.chain(BAD.iter().map(|subject| (subject, false)))
        .map(case)
        .collect()
}

/// What implementations have their own minds about.
fn of_oddities(prod: &Authority, now: u64) -> Vec<Case> {
    let forge = Forge {
        key: prod.key("p256"),
        algorithm: "ES256",
        kid: "p256",
        now,
    };
    let header = |changes| forge.with(changes, json!({}));
    let claims = |changes| forge.with(json!({}), changes);
    let raw = |header: &str, claims: &str| forge.token(header, claims);
    let good_header = forge.header(json!({})).to_string();
    let good_claims = forge.claims(json!({})).to_string();
    let more = |text: &str, member: &str| format!("{},{member}}}", text.strip_suffix('}').unwrap());
    let many: Vec<String> = (0..32)
        .map(|index| index.to_string())
        .chain([AUDIENCE.to_owned()])
        .collect();
    let long = format!("spiffe://prod.example/{}", "a".repeat(2049 - 22));
    let cases = [
        ("no kid", true, header(json!({"kid": null}))),
        (
            "header jku",
            true,
            header(json!({"jku": "https://evil.example/jwks"})),
        ),
        ("header jwk", true, header(json!({"jwk": p256().jwk()}))),
        (
            "header x5u",
            true,
            header(json!({"x5u": "https://evil.example/x5u"})),
        ),
        ("header cty", true, header(json!({"cty": "JWT"}))),
        ("header unknown", true, header(json!({"x": 1}))),
        (
            "typ null",
            false,
            raw(
                &more(
                    &forge.header(json!({"typ": null})).to_string(),
                    r#""typ":null"#,
                ),
                &good_claims,
            ),
        ),
        (
            "kid twice",
            false,
            raw(&more(&good_header, r#""kid":"p256""#), &good_claims),
        ),
        (
            "alg twice",
            false,
            raw(&more(&good_header, r#""alg":"ES256""#), &good_claims),
        ),
        ("header an array", false, raw("[]", &good_claims)),
        ("header not JSON", false, raw("{", &good_claims)),
        ("claims an array", false, raw(&good_header, "[]")),
        ("claims not JSON", false, raw(&good_header, "{")),
        (
            "claims twice over",
            false,
            raw(&good_header, &format!("{good_claims}{good_claims}")),
        ),
        (
            "sub twice",
            false,
            raw(
                &good_header,
                &more(&good_claims, r#""sub":"spiffe://prod.example/admin""#),
            ),
        ),
        (
            "aud twice",
            false,
            raw(&good_header, &more(&good_claims, r#""aud":"orders""#)),
        ),
        (
            "exp twice",
            false,
            raw(&good_header, &more(&good_claims, r#""exp":9999999999"#)),
        ),
        (
            "unknown claim twice",
            false,
            raw(&good_header, &more(&good_claims, r#""x":1,"x":2"#)),
        ),
        (
            "exp beyond numbers",
            false,
            raw(
                &good_header,
                &more(
                    &forge.claims(json!({"exp": null})).to_string(),
                    r#""exp":1e400"#,
                ),
            ),
        ),
        (
            "exp with a fraction",
            true,
            claims(json!({"exp": (now + 300) as f64 + 0.5})),
        ),
        ("33 audiences", true, claims(json!({"aud": many}))),
        ("iat ahead", false, claims(json!({"iat": now + 200}))),
        ("iat a string", false, claims(json!({"iat": "1"}))),
        ("iss a number", false, claims(json!({"iss": 1}))),
        (
            "jti with a line break",
            false,
            claims(json!({"jti": "a\nb"})),
        ),
        (
            "sub with an upper-case scheme",
            false,
            claims(json!({"sub": "SPIFFE://prod.example/a"})),
        ),
        (
            "sub with an upper-case domain",
            false,
            claims(json!({"sub": "spiffe://Prod.example/a"})),
        ),
        ("sub of 2049 bytes", false, claims(json!({"sub": long}))),
    ];
    cases
        .map(|(name, good, token)| case(name, good, token))
        .into()
}

fn case(name: &str, good: bool, token: String) -> Case {
    Case {
        name: name.to_owned(),
        token,
        good,
    }
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// An object with members put in, replaced or (null) left out.
fn merged(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    object
}
