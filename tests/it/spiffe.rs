//! SPIFFE identities over the in-memory host: the tokens and certificates of workloads, and the
//! proxies that forward them.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::rc::Rc;

use postern_core::base::Now;
use postern_core::base::base64url::encode;
use postern_core::config::Config;
use postern_core::gate::{Gate, Next};
use postern_testkit::memory::{Call, MemoryHost};
use serde_json::{Value, json};

use Sent::{Corp, NoToken, Svid};
use Shown::{Broken, NoCert, Of};
use postern_testkit::certificate::{authority, der, key_usage, pem, uris, workload};
use postern_testkit::spiffe::*;
use postern_testkit::stories::{START, at, claims, gate, headers, key_set, signed, token};

// JWT-SVIDs

#[test]
fn a_workload_is_known_to_the_upstream_and_to_audit_by_its_spiffe_id() {
    let sent = svid(JOBS);
    for (forward, kept) in [(None, false), (Some(false), false), (Some(true), true)] {
        let mut domain = prod(json!({}));
        if let Some(forward) = forward {
            domain["jwt_svid"]["forward"] = json!(forward);
        }
        let forged = nobody()
            .with(sent.clone())
            .field("x-postern-client", "billing-batch")
            .field("x-postern-identity", API);
        let gate = gated(json!([domain]));
        let answer = forged.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Ok(JOBS));
        assert_eq!(answer.seen("x-postern-client"), [""; 0]);
        assert_eq!(answer.seen("x-postern-scopes"), [""]);
        let credential = kept.then(|| format!("Bearer {sent}"));
        let credential: Vec<String> = credential.into_iter().collect();
        assert_eq!(answer.seen("authorization"), credential);
        let public = forged.ask(&gate, "/public");
        assert_eq!(public.seen("authorization"), credential);
        assert_eq!(
            answer.event["actor"]["user"],
            json!({"uid": JOBS, "domain": "spiffe://prod.example"})
        );
        assert_eq!(answer.unmapped("issuer"), "spiffe://prod.example");
        assert_eq!(answer.unmapped("proven_by"), "jwt_svid");
        for absent in ["client", "beside", "forwarded_by"] {
            assert_eq!(answer.unmapped(absent), &Value::Null, "{absent}");
        }
    }
}

#[test]
fn a_jwt_svid_is_taken_in_every_form_that_the_standard_allows() {
    let gate = gated(json!([prod(json!({}))]));
    for (header, claims, id) in [
        (json!({"typ": null}), json!({}), JOBS),
        (json!({"typ": "JOSE"}), json!({}), JOBS),
        (json!({"kid": null}), json!({}), JOBS),
        (json!({}), json!({"aud": "orders"}), JOBS),
        (json!({}), json!({"aud": ["billing", "orders"]}), JOBS),
        (json!({}), json!({"iat": null}), JOBS),
        (json!({}), json!({"iss": "https://spire.example"}), JOBS),
        (json!({}), json!({"exp": START - 29}), JOBS),
        (
            json!({}),
            json!({"sub": "spiffe://prod.example"}),
            "spiffe://prod.example",
        ),
    ] {
        let sender = nobody().with(P1.svid(header.clone(), claims.clone()));
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Ok(id), "{header} {claims}");
    }
}

#[test]
fn a_jwt_svid_is_refused_for_the_reason_of_the_table() {
    let mut set = bundle(&[P1]);
    let more = [
        merged(key_set()["keys"][0].clone(), json!({"use": "jwt-svid"})),
        merged(P2.jwk(), json!({"use": "sig"})),
    ];
    set["keys"].as_array_mut().unwrap().extend(more);
    let mut domain = prod(json!({}));
    domain["jwt_svid"]["bundle"]["inline"] = set;
    let certificates = json!({"name": "certs.example", "x509_svid": {"from": "tls"}});
    let gate = gated(json!([domain, certificates]));
    let claiming = |claims| P1.svid(json!({}), claims);
    let named = |header| P1.svid(header, json!({}));
    let subject = |id: &str| claiming(json!({"sub": id}));
    let eddsa = json!({"sub": JOBS, "aud": "orders", "exp": START + 300});
    let cases = [
        (claiming(json!({"aud": ["billing"]})), "audience_mismatch"),
        (claiming(json!({"aud": null})), "claim_missing"),
        (claiming(json!({"exp": START - 30})), "token_expired"),
        (claiming(json!({"exp": null})), "claim_missing"),
        (claiming(json!({"exp": "never"})), "claim_missing"),
        (claiming(json!({"nbf": START + 31})), "token_not_yet_valid"),
        (claiming(json!({"iat": START + 31})), "token_not_yet_valid"),
        (named(json!({"typ": "at+jwt"})), "type_mismatch"),
        (named(json!({"typ": "jwt"})), "type_mismatch"),
        (named(json!({"alg": "ES384"})), "algorithm_not_allowed"),
        (named(json!({"kid": "p9"})), "key_unknown"),
        (
            signed(&json!({"alg": "EdDSA", "kid": "k1"}), &eddsa),
            "algorithm_not_allowed",
        ),
        (P2.svid(json!({}), json!({})), "key_unknown"),
        (
            P2.named("p1").svid(json!({}), json!({})),
            "signature_invalid",
        ),
        (subject("spiffe://prod.example/a/"), "svid_invalid"),
        (subject("spiffe://prod.example/a%2fb"), "svid_invalid"),
        (subject("SPIFFE://prod.example/a"), "svid_invalid"),
        (subject("spiffe://prod.example:443/a"), "svid_invalid"),
        (subject("spiffe://third.example/a"), "trust_domain_unknown"),
        (subject("spiffe://certs.example/a"), "trust_domain_unknown"),
        (subject("batch-7"), "issuer_unknown"),
        (
            claiming(json!({"sub": null, "iss": "https://spire.example"})),
            "issuer_unknown",
        ),
    ];
    for (index, (token, reason)) in cases.into_iter().enumerate() {
        let answer = nobody().with(token).ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err(reason), "{index}");
    }
    let good = nobody().with(svid(JOBS)).ask(&gate, "/open");
    assert_eq!(good.outcome(), Ok(JOBS));
}

#[test]
fn each_trust_domain_is_verified_by_its_own_bundle_alone() {
    let gate = gated(json!([prod(json!({})), other(json!({}))]));
    let cases = [
        (P1, JOBS, Ok(JOBS)),
        (O1, ELSEWHERE, Ok(ELSEWHERE)),
        (O1, JOBS, Err("key_unknown")),
        (P1, ELSEWHERE, Err("key_unknown")),
        (O1.named("p1"), JOBS, Err("signature_invalid")),
        (P1.named("o1"), ELSEWHERE, Err("signature_invalid")),
    ];
    for (key, id, expected) in cases {
        let token = key.svid(json!({}), json!({"sub": id}));
        let answer = nobody().with(token).ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected, "{} {id}", key.0);
        if expected.is_ok() {
            let (domain, _) = id.split_once("/ns/").unwrap();
            assert_eq!(answer.unmapped("issuer"), domain);
        }
    }
    let unnamed = O1.svid(json!({"kid": null}), json!({}));
    let answer = nobody().with(unnamed).ask(&gate, "/open");
    assert_eq!(answer.outcome(), Err("signature_invalid"));
}

#[test]
fn an_issuer_cannot_speak_for_a_workload_nor_a_trust_domain_for_an_issuer() {
    let gate = gate(&routed());
    let looks = nobody().with(token(&claims(json!({"sub": JOBS}))));
    let answer = looks.ask(&gate, "/open");
    assert_eq!(answer.outcome(), Ok(&*format!("corp/{JOBS}")));
    assert_eq!(answer.unmapped("issuer"), "corp");
    assert_eq!(answer.unmapped("proven_by"), "jwt");
    for path in ["/jobs", "/own"] {
        assert_eq!(
            looks.ask(&gate, path).outcome(),
            Err("not_allowed"),
            "{path}"
        );
    }
    let iss = json!({"iss": "https://idp.example", "client_id": "billing-batch"});
    for (key, reason) in [
        (P1, "key_unknown"),
        (P1.named("k1"), "algorithm_not_allowed"),
    ] {
        let answer = nobody().with(key.svid(json!({}), iss.clone()));
        assert_eq!(answer.ask(&gate, "/open").outcome(), Err(reason));
    }
}

#[test]
fn a_remembered_jwt_svid_is_good_from_the_second_to_the_second_and_its_skew() {
    let mut domain = prod(json!({}));
    domain["jwt_svid"]["clock_skew"] = json!("5s");
    let gate = gated(json!([domain]));
    let token = P1.svid(json!({}), json!({"iat": null, "nbf": START + 100}));
    for (secs, expected) in [
        (94, Err("token_not_yet_valid")),
        (95, Ok(JOBS)),
        (304, Ok(JOBS)),
        (94, Err("token_not_yet_valid")),
        (305, Err("token_expired")),
        (304, Ok(JOBS)),
    ] {
        let host = nobody().with(&*token).request("/open");
        host.set_now(at(secs));
        assert_eq!(Answer::of(&gate, host).outcome(), expected, "{secs}");
    }
}

// X.509-SVIDs of connections

#[test]
fn a_workload_needs_no_token_where_its_connection_shows_its_certificate() {
    let gate = gated(json!([prod(json!({})), other(json!({}))]));
    for (id, domain) in [
        (JOBS, "spiffe://prod.example"),
        (ELSEWHERE, "spiffe://other.example"),
    ] {
        let answer = of(id)
            .field("x-postern-client", "billing-batch")
            .ask(&gate, "/open");
        assert_eq!(answer.outcome(), Ok(id));
        assert_eq!(answer.seen("x-postern-client"), [""; 0]);
        assert_eq!(answer.seen("x-postern-scopes"), [""]);
        assert_eq!(
            answer.event["actor"]["user"],
            json!({"uid": id, "domain": domain})
        );
        assert_eq!(answer.unmapped("issuer"), domain);
        assert_eq!(answer.unmapped("proven_by"), "x509_svid");
        for absent in ["client", "beside", "forwarded_by", "keys"] {
            assert_eq!(answer.unmapped(absent), &Value::Null, "{absent}");
        }
    }
    let answer = nobody().ask(&gate, "/open");
    assert_eq!(answer.outcome(), Err("credential_missing"));
    assert_eq!(answer.event["actor"]["user"], json!({"name": "anonymous"}));
}

#[test]
fn a_certificate_that_is_no_svid_is_refused_and_audit_says_why() {
    let gate = gated(json!([
        prod(json!({})),
        {"name": "tokens.example", "jwt_svid": {"audiences": ["orders"], "bundle": {"inline": bundle(&[O1])}}},
        {"name": "mesh.example", "x509_svid": {"from": "xfcc"}, "xfcc": {"trusted_cidrs": ["192.0.2.0/24"]}},
    ]));
    let shows = |extensions: &[Vec<u8>], reason, why: &str| {
        let sender = nobody().with_certificate(pem(&der(extensions)));
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err(reason), "{why}");
        assert!(answer.message().contains(why), "{}", answer.message());
    };
    let no_svids = [
        (vec![], "has no URI SAN"),
        (vec![authority(false)], "has no URI SAN"),
        (vec![uris(&[JOBS, API])], "has 2 URI SANs"),
        (vec![uris(&[JOBS]), uris(&[JOBS])], "has 2 URI SANs"),
        (vec![uris(&["https://prod.example/a"])], "'s URI SAN "),
        (vec![uris(&["spiffe://prod.example/"])], "'s URI SAN "),
        (vec![uris(&["spiffe://prod.example"])], "for no workload"),
        (vec![uris(&[JOBS]), authority(true)], "signing others"),
        (vec![uris(&[JOBS]), key_usage(&[0, 5])], "signing others"),
    ];
    for (extensions, why) in no_svids {
        shows(&extensions, "svid_invalid", why);
    }
    for domain in ["third", "tokens", "mesh", "prod.example.evil"] {
        let domain = format!("{domain}.example");
        let id = format!("spiffe://{domain}/a");
        let leaf = [uris(&[&id]), authority(false)];
        shows(&leaf, "trust_domain_unknown", &domain);
    }
    for unreadable in [
        &b""[..],
        b"-----BEGIN CERTIFICATE-----",
        &der(&[uris(&[JOBS])]),
    ] {
        let answer = nobody()
            .with_certificate(unreadable.to_vec())
            .ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err("svid_invalid"));
        assert!(answer.message().contains("cannot be read"));
    }
    assert_eq!(of(JOBS).ask(&gate, "/open").outcome(), Ok(JOBS));
}

#[test]
fn a_certificate_counts_only_where_the_proxy_says_that_it_validated_it() {
    let reports: [Option<&[u8]>; 6] = [
        Some(&[1]),
        Some(&[0]),
        None,
        Some(&[]),
        Some(b"1"),
        Some(b"true"),
    ];
    for (validated, expected) in [
        (json!("reported"), Err("svid_invalid")),
        (Value::Null, Err("svid_invalid")),
        (json!("always"), Ok(JOBS)),
    ] {
        let svid = merged(json!({"from": "tls"}), json!({"validated": validated}));
        let gate = gated(json!([prod(json!({"x509_svid": svid}))]));
        let pem = workload(JOBS);
        for (index, report) in reports.into_iter().enumerate() {
            let host = nobody().request("/open");
            show(&host, &digest(&pem), Some(&pem), report);
            let answer = Answer::of(&gate, host);
            let expected = if index == 0 { Ok(JOBS) } else { expected };
            assert_eq!(answer.outcome(), expected, "{validated} {report:?}");
            if expected.is_err() {
                assert!(answer.message().contains("does not say that it validated"));
            }
        }
    }
}

#[test]
fn what_always_counts_as_validated_does_so_for_its_own_domain_alone() {
    let always = json!({"x509_svid": {"from": "tls", "validated": "always"}});
    let gate = gated(json!([prod(always), other(json!({}))]));
    for (id, expected) in [(JOBS, Ok(JOBS)), (ELSEWHERE, Err("svid_invalid"))] {
        let answer = of(id).unvalidated().ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected);
    }
}

#[test]
fn a_certificate_is_read_once_and_one_that_is_missing_again_and_again() {
    let gate = gated(json!([prod(json!({}))]));
    let ask = |digest: &[u8; 32], pem: Option<&[u8]>| {
        let host = nobody().request("/open");
        show(&host, digest, pem, Some(&[1]));
        let answer = Answer::of(&gate, host);
        answer
            .outcome()
            .map(str::to_owned)
            .map_err(|reason| format!("{reason}: {}", answer.message()))
    };
    let (jobs, api) = (workload(JOBS), workload(API));
    for _ in 0..2 {
        let missing = ask(&[7; 32], None).unwrap_err();
        assert!(missing.starts_with("svid_invalid: "), "{missing}");
        assert!(missing.contains("does not give it"), "{missing}");
    }
    for shown in [Some(&*jobs), None, Some(b"garbage"), Some(&*api)] {
        assert_eq!(ask(&[7; 32], shown), Ok(JOBS.to_owned()));
    }
    assert_eq!(ask(&[8; 32], Some(&api)), Ok(API.to_owned()));
    assert_eq!(ask(&[7; 32], Some(&api)), Ok(JOBS.to_owned()));
}

#[test]
fn a_host_without_randomness_reads_every_certificate_anew() {
    let bare = MemoryHost::default();
    bare.refuse(Call::Random);
    let configuration = configured(json!([prod(json!({}))]), plain());
    let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
    let gate = Rc::new(Gate::open(config.settings, b"", &bare));
    for id in [JOBS, API] {
        let host = nobody().request("/open");
        show(&host, &[7; 32], Some(&workload(id)), Some(&[1]));
        assert_eq!(Answer::of(&gate, host).outcome(), Ok(id));
    }
}

#[test]
fn certificates_are_no_credentials_where_no_domain_takes_them_from_connections() {
    let tokens = prod(json!({"x509_svid": null}));
    let mesh = behind("xfcc", json!({"trusted_cidrs": ["192.0.2.0/24"]}));
    for domain in [tokens, mesh] {
        let gate = gated(json!([domain]));
        for sender in [of(JOBS), of(JOBS).unvalidated()] {
            let answer = sender.ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("credential_missing"), "{domain}");
        }
        let answer = of(API).with(svid(JOBS)).ask(&gate, "/open");
        assert_eq!(answer.outcome(), Ok(JOBS));
        assert_eq!(answer.unmapped("beside"), &Value::Null);
    }
}

// Routes

/// Routes that ask for workloads, for tokens, and for both.
fn routed() -> Value {
    let jobs = json!(["spiffe://prod.example/ns/jobs/**"]);
    let mut routes = plain();
    let more = json!([
        {"name": "jobs", "match": {"path": "/jobs"}, "allow": {"spiffe": jobs}},
        {"name": "scopes", "match": {"path": "/scopes"},
         "allow": {"spiffe": jobs, "scopes": {"all": ["orders.read"]}}},
        {"name": "any-scope", "match": {"path": "/any"},
         "allow": {"scopes": {"any": ["orders.read", "orders.write"]}}},
        {"name": "no-scope", "match": {"path": "/none"},
         "allow": {"scopes": {"none": ["orders.read"]}}},
        {"name": "claims", "match": {"path": "/claims"},
         "allow": {"claims": [{"claim": "client_id", "in": ["billing-batch"]}]}},
        {"name": "both", "match": {"path": "/both"}, "allow": {"issuers": ["corp"], "spiffe": jobs}},
        {"name": "own", "match": {"path": "/own"}, "allow": {"same_workload": true}},
        {"name": "own-jobs", "match": {"path": "/own-jobs"},
         "allow": {"same_workload": true, "spiffe": jobs}},
        {"name": "fresh", "match": {"path": "/fresh"}, "when": [{"token_age_max": "60s"}]},
    ]);
    let more = more.as_array().unwrap().clone();
    routes.as_array_mut().unwrap().extend(more);
    configured(json!([prod(json!({})), other(json!({}))]), routes)
}

/// Which token a request has.
#[derive(Clone, Copy, Debug)]
enum Sent {
    NoToken,
    /// The issuer's.
    Corp,
    /// The JWT-SVID of this workload.
    Svid(&'static str),
}

/// Which certificate its connection has.
#[derive(Clone, Copy, Debug)]
enum Shown {
    NoCert,
    Of(&'static str),
    /// One that the proxy did not validate.
    Broken,
}

/// Where it goes, and whose request it is or why it is refused.
type Routed = (
    &'static str,
    Sent,
    Shown,
    Result<&'static str, &'static str>,
);

const ROUTED: &[Routed] = &[
    // Workloads.
    ("/jobs", NoToken, Of(JOBS), Ok(JOBS)),
    ("/jobs", NoToken, Of(API), Err("not_allowed")),
    ("/jobs", NoToken, Of(ELSEWHERE), Err("not_allowed")),
    ("/jobs", NoToken, NoCert, Err("credential_missing")),
    ("/jobs", NoToken, Broken, Err("svid_invalid")),
    ("/jobs", Svid(JOBS), NoCert, Ok(JOBS)),
    ("/jobs", Svid(API), NoCert, Err("not_allowed")),
    // A JWT-SVID speaks for itself, whoever sent it.
    ("/jobs", Svid(JOBS), Of(API), Ok(JOBS)),
    ("/jobs", Svid(JOBS), Broken, Ok(JOBS)),
    ("/jobs", Svid(API), Of(JOBS), Err("not_allowed")),
    // Beside an issuer's token it is the connection's workload.
    ("/jobs", Corp, Of(JOBS), Ok(CORP)),
    ("/jobs", Corp, Of(API), Err("not_allowed")),
    ("/jobs", Corp, NoCert, Err("not_allowed")),
    ("/jobs", Corp, Broken, Err("svid_invalid")),
    // What only a token can have.
    ("/scopes", NoToken, Of(JOBS), Err("credential_missing")),
    ("/scopes", NoToken, Broken, Err("credential_missing")),
    ("/scopes", Svid(JOBS), Of(JOBS), Err("scope_missing")),
    ("/scopes", Corp, Of(JOBS), Ok(CORP)),
    ("/any", NoToken, Of(JOBS), Err("credential_missing")),
    ("/any", Corp, Broken, Ok(CORP)),
    ("/none", NoToken, Of(JOBS), Ok(JOBS)),
    ("/none", Corp, Of(JOBS), Err("scope_missing")),
    ("/claims", NoToken, Of(JOBS), Err("credential_missing")),
    ("/claims", Svid(JOBS), Of(JOBS), Err("not_allowed")),
    ("/claims", Corp, Of(JOBS), Ok(CORP)),
    ("/corp", NoToken, Of(JOBS), Err("credential_missing")),
    ("/corp", Svid(JOBS), Of(JOBS), Err("not_allowed")),
    ("/corp", Corp, Of(API), Ok(CORP)),
    ("/corp", Corp, Broken, Ok(CORP)),
    // An issuer's token that a workload sends.
    ("/both", NoToken, Of(JOBS), Err("credential_missing")),
    ("/both", Corp, NoCert, Err("not_allowed")),
    ("/both", Corp, Of(API), Err("not_allowed")),
    ("/both", Corp, Broken, Err("svid_invalid")),
    ("/both", Corp, Of(JOBS), Ok(CORP)),
    ("/both", Svid(JOBS), Of(JOBS), Err("not_allowed")),
    // A JWT-SVID that its own workload sends.
    ("/own", Svid(JOBS), Of(JOBS), Ok(JOBS)),
    ("/own", Svid(API), Of(API), Ok(API)),
    ("/own", Svid(JOBS), Of(API), Err("not_allowed")),
    ("/own", Svid(JOBS), Of(ELSEWHERE), Err("not_allowed")),
    ("/own", Svid(JOBS), NoCert, Err("not_allowed")),
    ("/own", Svid(JOBS), Broken, Err("svid_invalid")),
    ("/own", Corp, Of(JOBS), Err("not_allowed")),
    ("/own", NoToken, Of(JOBS), Err("credential_missing")),
    ("/own-jobs", Svid(JOBS), Of(JOBS), Ok(JOBS)),
    ("/own-jobs", Svid(API), Of(API), Err("not_allowed")),
    // A certificate has no age.
    ("/fresh", NoToken, Of(JOBS), Err("context_denied")),
    ("/fresh", Svid(JOBS), Of(JOBS), Ok(JOBS)),
];

fn sender(sent: Sent, shown: Shown) -> Sender {
    let sender = match shown {
        NoCert => nobody(),
        Of(id) => of(id),
        Broken => of(JOBS).unvalidated(),
    };
    match sent {
        NoToken => sender,
        Corp => sender.with(corp()),
        Svid(id) => sender.with(svid(id)),
    }
}

#[test]
fn a_route_takes_the_workloads_and_tokens_that_it_names() {
    let gate = gate(&routed());
    for &(path, sent, shown, expected) in ROUTED {
        let answer = sender(sent, shown).ask(&gate, path);
        assert_eq!(answer.outcome(), expected, "{path} {sent:?} {shown:?}");
        let beside = match (sent, shown) {
            (Corp | Svid(_), Of(id)) => {
                json!({"identity": id, "proven_by": "x509_svid"})
            }
            _ => Value::Null,
        };
        assert_eq!(
            answer.unmapped("beside"),
            &beside,
            "{path} {sent:?} {shown:?}"
        );
    }
}

#[test]
fn a_token_that_is_refused_leaves_no_identity_though_a_good_certificate_is_beside_it() {
    let gate = gate(&routed());
    let forged = P2.named("p1").svid(json!({}), json!({}));
    let answer = of(JOBS).with(forged).ask(&gate, "/jobs");
    assert_eq!(answer.outcome(), Err("signature_invalid"));
    assert_eq!(answer.event["actor"]["user"], json!({"name": "anonymous"}));
    assert_eq!(answer.unmapped("beside"), &Value::Null);
    let twice = of(JOBS).with(svid(JOBS)).ask(&gate, "/jobs?access_token=x");
    assert_eq!(twice.outcome(), Err("credential_ambiguous"));
}

// Certificates that proxies forward

#[test]
fn a_trusted_proxy_is_believed_about_its_caller() {
    let cases = [
        (by_name(), of(INGRESS), INGRESS),
        (by_name(), of(INGRESS).from("192.0.2.7:4711"), INGRESS),
        (
            json!({"trusted_peers": ["spiffe://prod.example/*"]}),
            of(INGRESS),
            INGRESS,
        ),
        (
            json!({"trusted_peers": ["spiffe://mesh.example/ingress"]}),
            of("spiffe://mesh.example/ingress"),
            "spiffe://mesh.example/ingress",
        ),
        (by_network(), nobody(), "10.0.0.7"),
        (by_network(), of(INGRESS), INGRESS),
        (
            json!({"trusted_cidrs": ["2001:db8::/32"]}),
            nobody().from("[2001:db8::7]:4711"),
            "2001:db8::7",
        ),
    ];
    for (xfcc, proxy, name) in cases {
        for from in ["xfcc", "either"] {
            let gate = gated(json!([behind(from, xfcc.clone())]));
            let sender = proxy.clone().forwarding(element(JOBS));
            let answer = sender.ask(&gate, "/open");
            assert_eq!(answer.outcome(), Ok(JOBS), "{xfcc}");
            assert_eq!(answer.unmapped("issuer"), "spiffe://prod.example");
            assert_eq!(answer.unmapped("proven_by"), "x509_svid_xfcc");
            assert_eq!(answer.unmapped("forwarded_by"), name);
            assert_eq!(answer.seen(XFCC), [element(JOBS)]);
            assert_eq!(sender.left(&gate), [element(JOBS)]);
        }
    }
}

#[test]
fn whoever_is_no_trusted_proxy_is_not_believed() {
    let always = json!({"from": "xfcc", "validated": "always"});
    let believed = merged(behind("xfcc", by_name()), json!({"x509_svid": always}));
    let cases = [
        (by_name(), nobody()),
        (by_name(), of(API)),
        (by_name(), of("spiffe://other.example/ingress")),
        (
            by_name(),
            nobody().with_certificate(pem(&der(&[uris(&[INGRESS, INGRESS])]))),
        ),
        (by_network(), nobody().from("11.0.0.7:4711")),
        (by_network(), of(INGRESS).from("11.0.0.7:4711")),
        // Envoy gives an address that it took from a header the port zero.
        (by_network(), nobody().from("10.0.0.7:0")),
        (by_network(), nobody().from("/run/pipe.sock")),
        (by_network(), Sender::default()),
    ];
    for (xfcc, peer) in cases {
        let gate = gated(json!([behind("xfcc", xfcc)]));
        let sender = peer.forwarding(element(JOBS));
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err("credential_missing"), "{sender:?}");
        assert_eq!(answer.unmapped("forwarded_by"), &Value::Null);
        assert_eq!(sender.left(&gate), [""; 0], "{sender:?}");
        let with_token = sender.with(corp()).ask(&gate, "/open");
        assert_eq!(with_token.outcome(), Ok(CORP));
        assert_eq!(with_token.unmapped("beside"), &Value::Null);
        assert_eq!(with_token.seen(XFCC), [""; 0]);
    }
    let resumed = of(INGRESS).unvalidated().forwarding(element(JOBS));
    let answer = resumed.ask(&gated(json!([believed])), "/open");
    assert_eq!(answer.outcome(), Ok(JOBS));
}

#[test]
fn an_address_that_a_caller_writes_makes_no_trusted_proxy() {
    let mut configuration = configured(json!([behind("xfcc", by_network())]), plain());
    configuration["source"] = json!({"trusted_hops": 1});
    let gate = gate(&configuration);
    let cases = [
        ("192.0.2.7:1", "10.0.0.7", Err("credential_missing")),
        ("10.0.0.7:1", "192.0.2.7", Ok(JOBS)),
    ];
    for (address, caller, expected) in cases {
        let sender = nobody().from(address).forwarding(element(JOBS));
        let answer = sender.field("x-forwarded-for", caller).ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected, "{address}");
        assert_eq!(answer.event["src_endpoint"]["ip"], caller);
    }
}

#[test]
fn an_address_out_of_a_header_is_the_source_and_no_peer() {
    let mut routes = plain();
    let near = json!({
        "name": "near", "match": {"path": "/near"}, "when": [{"source": ["10.0.0.0/8"]}],
    });
    routes.as_array_mut().unwrap().push(near);
    let gate = gate(&configured(json!([behind("either", by_network())]), routes));
    // Envoy gives it the port zero.
    for (address, forwarded) in [
        ("10.0.0.7:4711", Ok(JOBS)),
        ("10.0.0.7:0", Err("credential_missing")),
    ] {
        let answer = nobody().from(address).with(corp()).ask(&gate, "/near");
        assert_eq!(answer.outcome(), Ok(CORP), "{address}");
        assert_eq!(answer.event["src_endpoint"]["ip"], "10.0.0.7");
        let sender = nobody().from(address).forwarding(element(JOBS));
        let answer = sender.ask(&gate, "/near");
        assert_eq!(answer.outcome(), forwarded, "{address}");
        assert_eq!(sender.left(&gate).is_empty(), forwarded.is_err());
    }
    let elsewhere = nobody().from("192.0.2.7:0").with(corp());
    let answer = elsewhere.ask(&gate, "/near");
    assert_eq!(answer.outcome(), Err("context_denied"));
}

#[test]
fn a_proxy_is_named_by_what_made_it_trusted() {
    let gate = gated(json!([behind("xfcc", by_network())]));
    let cases = [
        (of(INGRESS), INGRESS),
        (of(INGRESS).unvalidated(), "10.0.0.7"),
        (nobody().with_certificate(b"garbage".to_vec()), "10.0.0.7"),
    ];
    for (proxy, name) in cases {
        let answer = proxy.forwarding(element(JOBS)).ask(&gate, "/open");
        assert_eq!(answer.outcome(), Ok(JOBS));
        assert_eq!(answer.unmapped("forwarded_by"), name);
    }
}

#[test]
fn the_proxys_own_certificate_is_never_its_callers() {
    for from in ["xfcc", "either"] {
        for xfcc in [by_name(), by_network()] {
            let gate = gated(json!([behind(from, xfcc)]));
            let answer = of(INGRESS).ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("credential_missing"), "{from}");
            let answer = of(INGRESS).with(corp()).ask(&gate, "/open");
            assert_eq!(answer.outcome(), Ok(CORP));
            assert_eq!(answer.unmapped("beside"), &Value::Null);
        }
    }
}

#[test]
fn a_caller_that_a_proxy_forwards_is_named_beside_its_token() {
    let gate = gated(json!([behind("xfcc", by_name())]));
    let answer = of(INGRESS)
        .forwarding(element(API))
        .with(svid(JOBS))
        .ask(&gate, "/open");
    assert_eq!(answer.outcome(), Ok(JOBS));
    assert_eq!(answer.unmapped("proven_by"), "jwt_svid");
    assert_eq!(
        answer.unmapped("beside"),
        &json!({"identity": API, "proven_by": "x509_svid_xfcc"})
    );
    assert_eq!(answer.unmapped("forwarded_by"), INGRESS);
    assert_eq!(answer.seen(XFCC), [element(API)]);
}

#[test]
fn a_trusted_proxy_that_says_what_cannot_be_read_or_is_no_workload_forwards_nobody() {
    let gate = gated(json!([behind("either", by_name()), other(json!({}))]));
    let says = |field: &str, reason, why: &str| {
        let sender = of(INGRESS).forwarding(field);
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err(reason), "{field}");
        assert!(answer.message().contains(why), "{}", answer.message());
        assert_eq!(answer.unmapped("forwarded_by"), INGRESS, "{field}");
        assert_eq!(sender.left(&gate), [""; 0], "{field}");
        let with_token = sender.with(corp()).ask(&gate, "/corp");
        assert_eq!(with_token.outcome(), Ok(CORP), "{field}");
        assert_eq!(with_token.unmapped("beside"), &Value::Null, "{field}");
        assert_eq!(with_token.seen(XFCC), [""; 0], "{field}");
    };
    let malformed = [
        String::new(),
        JOBS.to_owned(),
        format!("URI={JOBS}"),
        format!("{};", element(JOBS)),
        format!("{},", element(JOBS)),
        format!("{0}, ,{0}", element(JOBS)),
        format!("{0},{0}", element(JOBS)),
        format!("Subject=\"x;{}", element(JOBS)),
        format!("Hash=abc;URI={JOBS}"),
        format!("URI,URI={JOBS}"),
    ];
    for field in malformed {
        says(&field, "svid_invalid", "x-forwarded-client-cert ");
    }
    let hash = format!("Hash={}", hex(&digest(&workload(JOBS))));
    let no_svids = [
        ("".to_owned(), "has no URI SAN"),
        (";URI=".to_owned(), "has no URI SAN"),
        (format!(";URI={JOBS};URI={API}"), "has 2 URI SANs"),
        (";URI=https://prod.example/a".to_owned(), "'s URI SAN "),
        (";URI=spiffe://prod.example".to_owned(), "for no workload"),
    ];
    for (rest, why) in no_svids {
        says(&format!("{hash}{rest}"), "svid_invalid", why);
    }
    // This proxy may speak for the workloads of one domain.
    for domain in ["other.example", "third.example"] {
        let field = format!("{hash};URI=spiffe://{domain}/a");
        says(&field, "trust_domain_unknown", domain);
    }
    let no_text = of(INGRESS).request("/open");
    no_text.push_request_header(XFCC.as_bytes(), b"URI=\xff");
    assert_eq!(Answer::of(&gate, no_text).outcome(), Err("svid_invalid"));
}

#[test]
fn a_proxy_speaks_only_for_the_domains_that_trust_it() {
    let egress = "spiffe://other.example/egress";
    let of_other = json!({"x509_svid": {"from": "xfcc"}, "xfcc": {"trusted_peers": [egress]}});
    let gate = gated(json!([behind("xfcc", by_name()), other(of_other)]));
    let cases = [
        (INGRESS, JOBS, Ok(JOBS)),
        (egress, ELSEWHERE, Ok(ELSEWHERE)),
        (INGRESS, ELSEWHERE, Err("trust_domain_unknown")),
        (egress, JOBS, Err("trust_domain_unknown")),
    ];
    for (proxy, caller, expected) in cases {
        let sender = of(proxy).forwarding(element(caller));
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected, "{proxy} {caller}");
        assert_eq!(sender.left(&gate).is_empty(), expected.is_err());
    }
}

#[test]
fn of_as_many_elements_as_are_configured_one_is_believed_and_no_other_goes_on() {
    let jobs = element(JOBS);
    let (edge, own) = ("spiffe://prod.example/edge", element(INGRESS));
    let inner = element(edge);
    let chain = |elements: usize, which: &str| {
        let peers = json!([INGRESS, edge]);
        json!({"trusted_peers": peers, "elements": elements, "element": which})
    };
    let cases: [(Value, Vec<String>, Result<&str, &str>); 15] = [
        (chain(1, "last"), vec![jobs.clone()], Ok(JOBS)),
        (chain(1, "first"), vec![jobs.clone()], Ok(JOBS)),
        (chain(2, "first"), vec![format!("{jobs},{inner}")], Ok(JOBS)),
        // As the joined field, so its parts.
        (
            chain(2, "first"),
            vec![jobs.clone(), inner.clone()],
            Ok(JOBS),
        ),
        (
            chain(3, "first"),
            vec![jobs.clone(), inner.clone(), own.clone()],
            Ok(JOBS),
        ),
        (chain(2, "last"), vec![format!("{jobs}, {own}")], Ok(JOBS)),
        // The last is about a proxy, and the other one is not.
        (
            chain(2, "last"),
            vec![jobs.clone(), inner.clone()],
            Err("svid_invalid"),
        ),
        // More, or fewer.
        (
            chain(1, "last"),
            vec![jobs.clone(), inner.clone()],
            Err("svid_invalid"),
        ),
        (
            chain(1, "first"),
            vec![jobs.clone(), own.clone()],
            Err("svid_invalid"),
        ),
        (chain(2, "first"), vec![jobs.clone()], Err("svid_invalid")),
        (
            chain(3, "first"),
            vec![jobs.clone(), inner.clone()],
            Err("svid_invalid"),
        ),
        (
            chain(2, "first"),
            vec![jobs.clone(), inner.clone(), inner.clone()],
            Err("svid_invalid"),
        ),
        // Around the first proxy, with a comma for its element: the other one is no proxy's.
        (
            chain(2, "last"),
            vec![element(API), jobs.clone()],
            Err("svid_invalid"),
        ),
        (
            chain(2, "first"),
            vec![jobs.clone(), element(API)],
            Err("svid_invalid"),
        ),
        (
            chain(3, "first"),
            vec![jobs.clone(), element(API), own.clone()],
            Err("svid_invalid"),
        ),
    ];
    for (xfcc, fields, expected) in cases {
        let gate = gated(json!([behind("xfcc", xfcc)]));
        let fields = fields.into_iter();
        let sender = fields.fold(of(INGRESS), |sender, field| sender.forwarding(field));
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected, "{sender:?}");
        let left: Vec<String> = expected.into_iter().map(element).collect();
        if expected.is_ok() {
            assert_eq!(answer.seen(XFCC), left);
        }
        assert_eq!(sender.left(&gate), left);
    }
}

/// What Envoy writes of a certificate of `other.example`, SANs as they are, which it does not quote.
fn written(uri: &str, dns: &str) -> String {
    let hash = hex(&digest(&workload(ELSEWHERE)));
    format!("By={INGRESS};Hash={hash};Subject=\"CN=x\";URI={uri};DNS={dns}")
}

#[test]
fn no_name_in_a_certificate_begins_an_element_or_a_pair_of_its_own() {
    let theirs = other(json!({"x509_svid": {"from": "xfcc"}, "xfcc": by_name()}));
    let hash = hex(&digest(&workload(JOBS)));
    let injected = [
        format!(",URI={JOBS}"),
        format!(", URI={JOBS}"),
        format!(",Hash={hash};URI={JOBS}"),
        format!(",By={INGRESS};Hash={hash};URI={JOBS}"),
        format!(",By={INGRESS};Hash={hash};Subject=\"\";URI={JOBS}"),
        format!(",Hash={hash}"),
        format!(";Hash={hash}"),
        format!(";URI={JOBS}"),
        format!(";uri={JOBS}"),
        format!(";By={INGRESS}"),
        ";Cert=\"x\"".to_owned(),
        ";Subject=\"CN=y\"".to_owned(),
        format!(";X={JOBS}"),
        ";DNS=\"x".to_owned(),
        "\"".to_owned(),
        "\\".to_owned(),
        "=".to_owned(),
        " x".to_owned(),
    ];
    let bound = json!({"cnf": {"x5t#S256": encode(&digest(&workload(JOBS)))}});
    let bound = token(&claims(bound));
    for which in ["first", "last"] {
        let own = json!({"xfcc": merged(by_name(), json!({"element": which}))});
        let theirs = merged(theirs.clone(), own.clone());
        let gate = gated(json!([merged(behind("xfcc", by_name()), own), theirs]));
        for end in &injected {
            let mut fields = vec![
                written(&format!("{ELSEWHERE}{end}"), "a.example"),
                written(ELSEWHERE, &format!("a.example{end}")),
                written("", &format!("a.example{end}")),
                written(end, "a.example"),
            ];
            fields.push(written(&format!("\"{JOBS}\""), "a.example"));
            for field in fields {
                let sender = of(INGRESS).forwarding(&*field);
                let answer = sender.ask(&gate, "/open");
                assert_eq!(answer.outcome(), Err("svid_invalid"), "{which} {field}");
                assert_eq!(sender.left(&gate), [""; 0], "{field}");
                let answer = sender.with(&*bound).ask(&gate, "/open");
                assert_eq!(answer.outcome(), Err("proof_missing"), "{which} {field}");
            }
        }
        let good = of(INGRESS).forwarding(written(ELSEWHERE, "a.example;DNS=b.example"));
        assert_eq!(good.ask(&gate, "/open").outcome(), Ok(ELSEWHERE));
    }
}

#[test]
fn one_element_that_cannot_be_read_spoils_them_all() {
    for element in ["first", "last"] {
        let xfcc = merged(by_name(), json!({"elements": 2, "element": element}));
        let gate = gated(json!([behind("xfcc", xfcc)]));
        for fields in [
            [self::element(JOBS), "nonsense".to_owned()],
            ["nonsense".to_owned(), self::element(JOBS)],
        ] {
            let [first, second] = fields;
            let sender = of(INGRESS).forwarding(first).forwarding(second);
            let answer = sender.ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("svid_invalid"));
            assert_eq!(sender.left(&gate), [""; 0]);
        }
    }
}

#[test]
fn where_either_counts_connections_speak_for_workloads_and_headers_for_proxies() {
    let domain = behind("either", by_name());
    let gate = gated(json!([domain]));
    let forwarded = |sender: Sender| sender.forwarding(element(API));
    let cases: [(Sender, Result<&str, &str>, &str, bool); 6] = [
        (of(JOBS), Ok(JOBS), "x509_svid", false),
        (forwarded(of(JOBS)), Ok(JOBS), "x509_svid", false),
        (forwarded(of(INGRESS)), Ok(API), "x509_svid_xfcc", true),
        (of(INGRESS), Err("credential_missing"), "", false),
        (forwarded(nobody()), Err("credential_missing"), "", false),
        // A proxy that was not validated is nobody, neither itself nor its caller.
        (
            forwarded(of(INGRESS).unvalidated()),
            Err("svid_invalid"),
            "",
            false,
        ),
    ];
    for (sender, expected, proven, kept) in cases {
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected, "{sender:?}");
        if expected.is_ok() {
            assert_eq!(answer.unmapped("proven_by"), proven);
        }
        assert_eq!(!sender.left(&gate).is_empty(), kept, "{sender:?}");
    }
}

#[test]
fn where_only_connections_count_the_header_is_removed_and_never_believed() {
    let gate = gated(json!([prod(json!({}))]));
    let cases = [
        (of(INGRESS), Ok(INGRESS)),
        (of(JOBS), Ok(JOBS)),
        (nobody(), Err("credential_missing")),
        (of(INGRESS).unvalidated(), Err("svid_invalid")),
    ];
    for (peer, expected) in cases {
        let sender = peer.forwarding(element(API)).forwarding(element(JOBS));
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected);
        assert_eq!(answer.unmapped("forwarded_by"), &Value::Null);
        assert_eq!(sender.left(&gate), [""; 0]);
    }
}

#[test]
fn a_header_that_is_not_believed_is_removed_however_the_request_is_let_through() {
    let mut configuration = configured(json!([behind("xfcc", by_name())]), plain());
    configuration["mode"] = json!("observe");
    let gate = gate(&configuration);
    for (path, reason) in [
        ("/..", "path_ambiguous"),
        ("/unknown", "route_unknown"),
        ("/open", "credential_missing"),
        ("/public", "allowed"),
    ] {
        let unbelieved = match reason {
            "credential_missing" => "svid_invalid",
            other => other,
        };
        for (sender, reason) in [
            (nobody(), reason),
            (of(API), reason),
            (of(INGRESS).unvalidated(), unbelieved),
        ] {
            let answer = sender.forwarding(element(JOBS)).ask(&gate, path);
            assert_eq!(answer.next, Next::Continue, "{path}");
            assert_eq!(answer.reason(), reason, "{path}");
            assert_eq!(answer.seen(XFCC), [""; 0], "{path}");
        }
        let answer = of(INGRESS).forwarding(element(JOBS)).ask(&gate, path);
        assert_eq!(answer.seen(XFCC), [element(JOBS)], "{path}");
    }
}

#[test]
fn no_other_spelling_of_the_header_gets_around_its_removal() {
    let gate = gated(json!([behind("xfcc", by_name())]));
    let names = [
        "X-Forwarded-Client-Cert",
        "x_forwarded_client_cert",
        "X_Forwarded-client_cert",
    ];
    let believed = of(INGRESS).forwarding(element(JOBS));
    for name in names {
        for (sender, kept) in [(nobody(), vec![]), (believed.clone(), vec![element(JOBS)])] {
            // In front of the field itself, where one more of its values would be another proxy's.
            let mut forged = sender.clone();
            forged.fields.insert(0, (name.to_owned(), element(API)));
            // In another case it is the field, which then has an element too many.
            let is_field = name.eq_ignore_ascii_case(XFCC);
            let kept = if is_field { vec![] } else { kept };
            assert_eq!(forged.left(&gate), kept, "{name}");
            for path in ["/public", "/observed"] {
                let headers = forged.ask(&gate, path).host.upstream_headers();
                let said = headers
                    .iter()
                    .filter(|(_, value)| *value == element(API).as_bytes());
                assert_eq!(said.count(), 0, "{name} {path}");
            }
        }
    }
}

#[test]
fn a_header_in_another_case_is_the_same_header() {
    let gate = gated(json!([behind("xfcc", by_name())]));
    let sender = of(INGRESS).field("X-Forwarded-Client-Cert", element(JOBS));
    assert_eq!(sender.ask(&gate, "/open").outcome(), Ok(JOBS));
    assert_eq!(sender.left(&gate), [element(JOBS)]);
}

#[test]
fn nobody_forwards_certificates_in_trailers() {
    for (domain, kept) in [
        (behind("xfcc", by_name()), 1),
        (prod(json!({"x509_svid": null})), 2),
    ] {
        let gate = gated(json!([domain]));
        for sender in [nobody(), of(INGRESS)] {
            let host = sender.request("/public");
            host.set_request_trailers(&[(XFCC, &element(JOBS)), ("x-sum", "1")]);
            let (_, mut decided) = headers(&gate, &host);
            assert_eq!(decided.request_trailers(&host), Next::Continue);
            assert_eq!(host.upstream_trailers().iter().count(), kept);
        }
    }
}

#[test]
fn the_header_is_left_alone_where_no_domain_takes_certificates() {
    let gate = gated(json!([prod(json!({"x509_svid": null}))]));
    let fields = [element(API), "nonsense".to_owned()];
    let [first, second] = fields.clone();
    let sender = of(INGRESS).forwarding(first).forwarding(second);
    assert_eq!(
        sender.ask(&gate, "/open").outcome(),
        Err("credential_missing")
    );
    assert_eq!(sender.left(&gate), fields);
    let answer = sender.with(svid(JOBS)).ask(&gate, "/open");
    assert_eq!(answer.outcome(), Ok(JOBS));
    assert_eq!(answer.seen(XFCC), fields);
}

#[test]
fn a_header_that_the_host_does_not_let_be_changed_lets_no_request_through() {
    let xfcc = merged(by_name(), json!({"elements": 2}));
    let gate = gated(json!([behind("xfcc", xfcc)]));
    let two = format!("{},{}", element(JOBS), element(INGRESS));
    for (sender, call) in [
        (
            nobody().forwarding(element(JOBS)),
            Call::RemoveRequestHeader,
        ),
        (of(INGRESS).forwarding(two), Call::SetRequestHeader),
    ] {
        for path in ["/public", "/observed"] {
            let host = sender.request(path);
            host.refuse(call);
            let answer = Answer::of(&gate, host);
            assert_eq!(answer.next, Next::Stop, "{path}");
            assert_eq!(answer.outcome(), Err("host_unavailable"), "{path}");
        }
    }
}

#[test]
fn routes_take_forwarded_workloads_as_they_take_connected_ones() {
    let mut configuration = routed();
    configuration["trust_domains"][0] = behind("xfcc", by_name());
    let gate = gate(&configuration);
    let behind = |id: &str| of(INGRESS).forwarding(element(id));
    let cases = [
        ("/jobs", behind(JOBS), Ok(JOBS)),
        ("/jobs", behind(API), Err("not_allowed")),
        ("/jobs", behind(JOBS).with(corp()), Ok(CORP)),
        ("/both", behind(JOBS).with(corp()), Ok(CORP)),
        ("/both", behind(API).with(corp()), Err("not_allowed")),
        ("/both", of(INGRESS).with(corp()), Err("not_allowed")),
        (
            "/both",
            of(INGRESS).forwarding("nonsense").with(corp()),
            Err("svid_invalid"),
        ),
        ("/own", behind(JOBS).with(svid(JOBS)), Ok(JOBS)),
        ("/own", behind(API).with(svid(JOBS)), Err("not_allowed")),
        ("/own", of(INGRESS).with(svid(INGRESS)), Err("not_allowed")),
    ];
    for (path, sender, expected) in cases {
        assert_eq!(
            sender.ask(&gate, path).outcome(),
            expected,
            "{path} {sender:?}"
        );
    }
}

// Certificate-bound tokens

#[test]
fn a_bound_token_behind_a_trusted_proxy_is_held_against_the_forwarded_certificate() {
    let bound = |id: &str| {
        let thumbprint = encode(&digest(&workload(id)));
        let cnf = json!({"cnf": {"x5t#S256": thumbprint}});
        [
            token(&claims(cnf.clone())),
            P1.svid(json!({}), merged(json!({"sub": JOBS}), cnf)),
        ]
    };
    let without_hash = format!("URI={JOBS}");
    let cases: [(Sender, &str, &str); 11] = [
        (of(INGRESS).forwarding(element(JOBS)), JOBS, "allowed"),
        (of(INGRESS).forwarding(element(API)), JOBS, "proof_invalid"),
        (
            of(INGRESS).forwarding(&*without_hash),
            JOBS,
            "proof_missing",
        ),
        (of(INGRESS).forwarding("nonsense"), JOBS, "proof_missing"),
        (of(INGRESS), JOBS, "proof_missing"),
        // The proxy's own certificate proves nothing of its caller.
        (of(INGRESS), INGRESS, "proof_missing"),
        (
            of(INGRESS).forwarding(element(JOBS)),
            INGRESS,
            "proof_invalid",
        ),
        // Whoever calls directly proves it by the connection, and by nothing that it writes.
        (of(JOBS), JOBS, "allowed"),
        (of(API).forwarding(element(JOBS)), JOBS, "proof_invalid"),
        (nobody().forwarding(element(JOBS)), JOBS, "proof_missing"),
        (
            of(INGRESS).unvalidated().forwarding(element(JOBS)),
            JOBS,
            "proof_missing",
        ),
    ];
    for from in ["xfcc", "either"] {
        let gate = gated(json!([behind(from, by_name())]));
        for (sender, id, expected) in &cases {
            for token in bound(id) {
                let answer = sender.clone().with(token).ask(&gate, "/open");
                assert_eq!(answer.reason(), *expected, "{from} {sender:?}");
            }
        }
    }
    // A proxy that only some domains trust is not believed about certificates at all.
    let partner = other(json!({"x509_svid": {"from": "xfcc"}, "xfcc": by_name()}));
    let hash = hex(&digest(&workload(JOBS)));
    for (domains, expected) in [
        (json!([prod(json!({})), partner.clone()]), "proof_missing"),
        (json!([behind("either", by_name()), partner]), "allowed"),
    ] {
        let gate = gated(domains);
        for token in bound(JOBS) {
            let said = of(INGRESS).forwarding(format!("Hash={hash};URI={ELSEWHERE}"));
            assert_eq!(said.with(token).ask(&gate, "/open").reason(), expected);
        }
        for token in bound(JOBS) {
            let nowhere = format!("Hash={hash};URI=https://nobody.example/");
            let answer = of(INGRESS).forwarding(nowhere).with(token);
            assert_eq!(answer.ask(&gate, "/open").reason(), "proof_missing");
        }
    }
}

#[test]
fn a_proxy_that_is_not_validated_is_neither_believed_nor_a_caller() {
    let always = json!({"from": "tls", "validated": "always"});
    let peer = "spiffe://other.example/ingress";
    let partner = other(json!({"x509_svid": always}));
    let gate = gated(json!([
        behind("xfcc", json!({"trusted_peers": [peer]})),
        partner
    ]));
    for sender in [of(peer), of(peer).forwarding(element(JOBS))] {
        let answer = sender.clone().unvalidated().ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err("svid_invalid"));
        assert!(
            answer.message().contains("validated"),
            "{}",
            answer.message()
        );
        assert_eq!(sender.unvalidated().left(&gate), [""; 0]);
    }
    let other = of(ELSEWHERE).unvalidated().ask(&gate, "/open");
    assert_eq!(other.outcome(), Ok(ELSEWHERE));
    let believed = of(peer).forwarding(element(JOBS)).ask(&gate, "/open");
    assert_eq!(believed.outcome(), Ok(JOBS));
}

#[test]
fn a_certificate_that_names_a_proxy_is_no_callers_though_the_proxy_is_not_trusted() {
    let bound = json!({"cnf": {"x5t#S256": encode(&digest(&workload(INGRESS)))}});
    let bound = token(&claims(bound));
    for from in ["xfcc", "either"] {
        let gate = gated(json!([behind(from, by_name())]));
        let proxy = of(INGRESS).unvalidated();
        for sender in [proxy.clone(), proxy.forwarding(element(JOBS))] {
            let answer = sender.ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("svid_invalid"), "{from}");
            let why = answer.message();
            assert!(why.contains("does not say that it validated"), "{why}");
            assert_eq!(answer.unmapped("forwarded_by"), &Value::Null);
            assert_eq!(sender.left(&gate), [""; 0], "{from}");
            let answer = sender.clone().with(corp()).ask(&gate, "/open");
            assert_eq!(answer.outcome(), Ok(CORP), "{from}");
            assert_eq!(answer.unmapped("beside"), &Value::Null);
            let answer = sender.with(&*bound).ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("proof_missing"), "{from}");
        }
    }
}

#[test]
fn what_this_proxy_itself_says_of_the_one_before_it_is_passed_over() {
    let own = format!("Hash={};URI={INGRESS}", hex(&digest(&workload(INGRESS))));
    let another = format!("Hash={};URI={INGRESS}", "0".repeat(64));
    let caller = element(JOBS);
    for which in ["first", "last"] {
        let xfcc = json!({"trusted_peers": [INGRESS], "elements": 2, "element": which});
        let gate = gated(json!([behind("either", xfcc)]));
        let bound = json!({"cnf": {"x5t#S256": encode(&digest(&workload(INGRESS)))}});
        for field in [
            own.clone(),
            format!("{own},{own}"),
            format!("{another},{own}"),
        ] {
            let sender = of(INGRESS).forwarding(field);
            let answer = sender.ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("credential_missing"), "{which}");
            assert_eq!(sender.left(&gate), [""; 0]);
            let bound = sender
                .with(token(&claims(bound.clone())))
                .ask(&gate, "/open");
            assert_eq!(bound.outcome(), Err("proof_missing"));
        }
        for field in [format!("{caller},{own}"), format!("{own},{caller}")] {
            let sender = of(INGRESS).forwarding(field);
            assert_eq!(sender.ask(&gate, "/open").outcome(), Ok(JOBS), "{which}");
            assert_eq!(sender.left(&gate), std::slice::from_ref(&caller));
        }
    }
}

#[test]
fn a_proxy_that_its_network_alone_makes_trusted_is_not_its_own_caller() {
    let own = element(INGRESS);
    let bound = json!({"cnf": {"x5t#S256": encode(&digest(&workload(INGRESS)))}});
    let bound = token(&claims(bound));
    for which in ["first", "last"] {
        let xfcc = merged(by_network(), json!({"elements": 2, "element": which}));
        let gate = gated(json!([behind("either", xfcc)]));
        for proxy in [of(INGRESS), of(INGRESS).unvalidated()] {
            for field in [own.clone(), format!("{own},{own}")] {
                let sender = proxy.clone().forwarding(field);
                let answer = sender.ask(&gate, "/open");
                assert_eq!(answer.outcome(), Err("credential_missing"), "{which}");
                assert_eq!(sender.left(&gate), [""; 0]);
                let answer = sender.with(&*bound).ask(&gate, "/open");
                assert_eq!(answer.outcome(), Err("proof_missing"), "{which}");
            }
            let caller = element(JOBS);
            for field in [format!("{caller},{own}"), format!("{own},{caller}")] {
                let sender = proxy.clone().forwarding(field);
                assert_eq!(sender.ask(&gate, "/open").outcome(), Ok(JOBS), "{which}");
                assert_eq!(sender.left(&gate), std::slice::from_ref(&caller));
            }
        }
    }
}

#[test]
fn a_proxy_of_whatever_domain_is_nobody_behind_another() {
    let edge = "spiffe://prod.example/edge";
    let peers = json!({"trusted_peers": [INGRESS, edge]});
    let theirs = other(json!({"x509_svid": {"from": "xfcc"}, "xfcc": peers}));
    let gate = gated(json!([behind("either", by_name()), theirs]));
    let bound = json!({"cnf": {"x5t#S256": encode(&digest(&workload(edge)))}});
    let sender = of(INGRESS).forwarding(element(edge));
    let answer = sender.ask(&gate, "/open");
    assert_eq!(answer.outcome(), Err("credential_missing"));
    assert_eq!(sender.left(&gate), [""; 0]);
    let answer = sender.with(token(&claims(bound))).ask(&gate, "/open");
    assert_eq!(answer.outcome(), Err("proof_missing"));
    for id in [JOBS, ELSEWHERE] {
        let answer = of(INGRESS).forwarding(element(id)).ask(&gate, "/open");
        assert_eq!(answer.outcome(), Ok(id));
    }
}

#[test]
fn what_always_counts_as_validated_is_held_against_the_clock() {
    let svid = json!({"from": "tls", "validated": "always"});
    let gate = gated(json!([prod(json!({"x509_svid": svid}))]));
    // The certificates of these stories are good from 2026-01-01 to 2036-01-01, 00:00:00 UTC.
    let (begin, end) = (1_767_225_600, 2_082_758_400);
    for (now, expected) in [
        (begin - 1, Err("svid_invalid")),
        (begin, Ok(JOBS)),
        (end, Ok(JOBS)),
        (end + 1, Err("svid_invalid")),
    ] {
        let at = |sender: Sender| {
            let host = sender.request("/open");
            host.set_now(Now::from_secs(now));
            Answer::of(&gate, host)
        };
        assert_eq!(at(of(JOBS).unvalidated()).outcome(), expected, "{now}");
        assert_eq!(at(of(JOBS)).outcome(), Ok(JOBS), "the proxy has looked");
    }
}

#[test]
fn a_certificate_that_nobody_validated_is_not_remembered() {
    let gate = gated(json!([prod(json!({}))]));
    let ask = |pem: &[u8], valid: u8| {
        let host = nobody().request("/open");
        show(&host, &[7; 32], Some(pem), Some(&[valid]));
        let answer = Answer::of(&gate, host);
        answer.outcome().map(str::to_owned).map_err(str::to_owned)
    };
    assert_eq!(ask(&workload(API), 0), Err("svid_invalid".to_owned()));
    assert_eq!(ask(&workload(JOBS), 1), Ok(JOBS.to_owned()));
    assert_eq!(ask(&workload(API), 1), Ok(JOBS.to_owned()), "that one is");
}

#[test]
fn a_certificate_that_nobody_validated_is_remembered_where_a_domain_always_takes_them() {
    let always = json!({"x509_svid": {"from": "tls", "validated": "always"}});
    let gate = gated(json!([prod(json!({})), other(always)]));
    let ask = |id: &str, valid: u8| {
        let host = nobody().request("/open");
        show(&host, &[7; 32], Some(&workload(id)), Some(&[valid]));
        let answer = Answer::of(&gate, host);
        answer.outcome().map(str::to_owned).map_err(str::to_owned)
    };
    assert_eq!(ask(ELSEWHERE, 0), Ok(ELSEWHERE.to_owned()));
    for valid in [0, 1] {
        assert_eq!(ask(JOBS, valid), Ok(ELSEWHERE.to_owned()));
    }
}

#[test]
fn a_credential_sent_in_another_way_is_not_made_good_by_a_certificate() {
    let gate = gated(json!([prod(json!({}))]));
    let mut configuration = configured(json!([prod(json!({}))]), plain());
    configuration["tokens"] = json!({"header": "x-token"});
    let renamed = postern_testkit::stories::gate(&configuration);
    let with = |value: &str| of(JOBS).field("authorization", value);
    let query = of(JOBS).ask(&gate, "/open?access_token=a.b.c");
    assert_eq!(query.outcome(), Err("credential_missing"));
    let dpop = with("DPoP a.b.c").ask(&gate, "/open");
    assert_eq!(dpop.outcome(), Err("credential_malformed"));
    let basic = with("Basic eDp5");
    for gate in [&gate, &renamed] {
        assert_eq!(basic.ask(gate, "/open").outcome(), Ok(JOBS));
    }
    for (sender, expected) in [
        (with("Bearer a.b.c"), "credential_missing"),
        (of(JOBS).field("x-token", "a.b.c"), "credential_malformed"),
        (of(JOBS).field("x-token", "opaque"), "credential_missing"),
        (of(JOBS).field("x_token", "a.b.c"), "credential_ambiguous"),
    ] {
        let answer = sender.ask(&renamed, "/open");
        assert_eq!(answer.outcome(), Err(expected));
    }
}

#[test]
fn a_claim_header_of_that_name_is_the_issuers_alone() {
    let mut configuration = configured(json!([prod(json!({"x509_svid": null}))]), plain());
    configuration["issuers"][0]["claim_headers"] = json!({XFCC: "tenant.name"});
    let gate = gate(&configuration);
    for sender in [nobody(), of(JOBS)] {
        assert_eq!(sender.forwarding(element(JOBS)).left(&gate), [""; 0]);
    }
}

// Revocation

#[test]
fn an_empty_bundle_revokes_every_svid_of_its_domain_and_of_no_other() {
    let revoked = json!({"audiences": ["orders"], "bundle": {"inline": {"keys": []}}});
    let changes = json!({
        "jwt_svid": revoked, "x509_svid": {"from": "either"}, "xfcc": by_name(),
    });
    let gate = gated(json!([prod(changes), other(json!({}))]));
    let theirs = O1.svid(json!({}), json!({"sub": ELSEWHERE}));
    let forwarded = of(INGRESS).forwarding(element(JOBS));
    for sender in [nobody().with(svid(JOBS)), of(JOBS), forwarded.clone()] {
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err("svid_invalid"), "{sender:?}");
        assert_eq!(
            answer.message(),
            "The trust domain prod.example has revoked all its keys."
        );
    }
    assert_eq!(forwarded.left(&gate), [""; 0]);
    let cases = [
        (of(JOBS).with(corp()), CORP),
        (nobody().with(theirs), ELSEWHERE),
        (of(ELSEWHERE), ELSEWHERE),
    ];
    for (sender, id) in cases {
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Ok(id));
        assert_eq!(answer.unmapped("beside"), &Value::Null);
    }
}

#[test]
fn a_proxy_whose_own_domain_is_revoked_is_not_believed_for_another() {
    let mut revoked = prod(json!({}));
    let of_other = json!({"x509_svid": {"from": "xfcc"}, "xfcc": by_name()});
    for (keys, expected, alone) in [
        (json!([P1.jwk()]), Ok(ELSEWHERE), "credential_missing"),
        (json!([]), Err("svid_invalid"), "svid_invalid"),
    ] {
        revoked["jwt_svid"]["bundle"]["inline"]["keys"] = keys;
        let gate = gated(json!([revoked, other(of_other.clone())]));
        let sender = of(INGRESS).forwarding(element(ELSEWHERE));
        let answer = sender.ask(&gate, "/open");
        assert_eq!(answer.outcome(), expected);
        assert_eq!(sender.left(&gate).is_empty(), expected.is_err());
        let answer = of(INGRESS).ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err(alone));
    }
}

#[test]
fn a_bundle_without_keys_for_jwt_svids_revokes_nothing() {
    let key = merged(P1.jwk(), json!({"use": "x509-svid"}));
    let mut domain = prod(json!({}));
    domain["jwt_svid"]["bundle"]["inline"]["keys"] = json!([key]);
    let gate = gated(json!([domain]));
    let answer = nobody().with(svid(JOBS)).ask(&gate, "/open");
    assert_eq!(answer.outcome(), Err("svid_invalid"));
    assert!(answer.message().contains("has no key for JWT-SVIDs"));
    assert_eq!(of(JOBS).ask(&gate, "/open").outcome(), Ok(JOBS));
}

// Sources that keep failing, and limits

#[test]
fn a_source_of_bad_svids_is_turned_away_though_its_next_is_good() {
    let mut configuration = configured(json!([prod(json!({}))]), plain());
    configuration["source"] = json!({"pressure": {"rate": "6/1m", "burst": 3}});
    let unknown = of("spiffe://third.example/a");
    let subject = nobody().with(svid("spiffe://prod.example//a"));
    for (bad, reason) in [
        (of(JOBS).unvalidated(), "svid_invalid"),
        (subject, "svid_invalid"),
        (unknown, "trust_domain_unknown"),
    ] {
        let gate = gate(&configuration);
        for _ in 0..3 {
            assert_eq!(of(JOBS).ask(&gate, "/open").outcome(), Ok(JOBS));
            assert_eq!(bad.ask(&gate, "/open").outcome(), Err(reason));
        }
        for sender in [of(JOBS), nobody().with(svid(JOBS)), bad] {
            let answer = sender.ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("source_throttled"), "{reason}");
            assert_eq!(answer.host.replies()[0].status, 429);
        }
        let elsewhere = of(JOBS).from("10.0.0.8:4711");
        assert_eq!(elsewhere.ask(&gate, "/open").outcome(), Ok(JOBS));
        let later = of(JOBS).request("/open");
        later.set_now(at(60));
        assert_eq!(Answer::of(&gate, later).outcome(), Ok(JOBS));
    }
}

#[test]
fn whoever_shows_no_certificate_or_not_the_right_one_is_not_charged_for_it() {
    let mut configuration = routed();
    configuration["source"] = json!({"pressure": {"rate": "6/1m", "burst": 3}});
    let gate = gate(&configuration);
    for _ in 0..10 {
        for (sender, reason) in [(nobody(), "credential_missing"), (of(API), "not_allowed")] {
            assert_eq!(sender.ask(&gate, "/jobs").outcome(), Err(reason));
        }
        // Nobody looks at a certificate beside a token here.
        let broken = of(JOBS).unvalidated().with(corp());
        assert_eq!(broken.ask(&gate, "/corp").outcome(), Ok(CORP));
    }
}

#[test]
fn a_workload_has_one_allowance_however_it_is_proven() {
    let mut configuration = configured(
        json!([behind("either", by_name())]),
        json!([{"name": "open", "match": {"path": "/open"}, "limits": ["each"]}]),
    );
    configuration["limits"] = json!([{"name": "each", "key": ["identity"], "rate": "3/1h"}]);
    let gate = gate(&configuration);
    let proofs = |id: &str| {
        [
            nobody().with(svid(id)),
            of(id),
            of(INGRESS).forwarding(element(id)),
        ]
    };
    for id in [JOBS, API] {
        for sender in proofs(id) {
            assert_eq!(sender.ask(&gate, "/open").outcome(), Ok(id));
        }
        for sender in proofs(id) {
            let answer = sender.ask(&gate, "/open");
            assert_eq!(answer.outcome(), Err("rate_limited"));
            assert_eq!(answer.unmapped("limit"), "each");
        }
    }
    // The certificate beside a token is not charged.
    let answer = of(JOBS).with(corp()).ask(&gate, "/open");
    assert_eq!(answer.outcome(), Ok(CORP));
}

#[test]
fn the_workloads_of_a_domain_share_what_their_domain_may() {
    let mut configuration = configured(
        json!([prod(json!({})), other(json!({}))]),
        json!([{"name": "open", "match": {"path": "/open"}, "limits": ["domain"]}]),
    );
    configuration["limits"] = json!([
        {"name": "domain", "key": ["issuer", "route"], "rate": "2/1h"},
    ]);
    let gate = gate(&configuration);
    let theirs = O1.svid(json!({}), json!({"sub": ELSEWHERE}));
    let shared = [
        [nobody().with(svid(JOBS)), of(API), of(JOBS)],
        [of(ELSEWHERE), nobody().with(theirs), of(ELSEWHERE)],
        [
            nobody().with(corp()),
            of(JOBS).with(corp()),
            nobody().with(corp()),
        ],
    ];
    for [first, second, third] in shared {
        for sender in [first, second] {
            assert_eq!(sender.ask(&gate, "/open").reason(), "allowed");
        }
        let answer = third.ask(&gate, "/open");
        assert_eq!(answer.outcome(), Err("rate_limited"));
        assert_eq!(answer.unmapped("limit"), "domain");
    }
}
