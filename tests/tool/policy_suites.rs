//! `postern test`, `postern explain` and `postern token`: policy without a proxy.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use postern_core::gate::steps;
use serde_json::{Value, json};

/// Where a test keeps its files.
fn place(test: &str, file: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("policy_suites")
        .join(test);
    fs::create_dir_all(&folder).unwrap();
    folder.join(file)
}

fn written(test: &str, file: &str, content: &str) -> PathBuf {
    let path = place(test, file);
    fs::write(&path, content).unwrap();
    path
}

fn postern(arguments: &[&str]) -> Output {
    fed(arguments, "")
}

fn fed(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", errors(output)))
}

fn scenario() -> String {
    postern_testkit::root()
        .join("envoy/demo/scenario.yaml")
        .display()
        .to_string()
}

/// Fails where a text holds what could be a part of a token or of a key.
fn assert_no_secret(text: &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let longest = text
        .split(|c| !is_part(c))
        .max_by_key(|run| run.len())
        .unwrap();
    assert!(longest.len() < 40 && !text.contains("eyJ"), "{longest}");
}

const POLICY: &str = r#"
configuration:
  version: 1
  issuers:
    - {name: corp, issuer: "https://idp.example", audiences: [orders], keys: {remote: {cluster: idp, uri: "https://idp.example/jwks.json"}}}
  trust_domains:
    - name: prod.example
      x509_svid: {from: tls}
  clients:
    - {name: batch, match: {issuer: corp, client: batch}, sources: [10.0.0.0/8]}
    - {name: old, match: {issuer: corp, client: old}, expires: 2026-03-01}
  unregistered_clients: allow
  limits:
    - {name: slow, key: [client], rate: 1/1m}
  routes:
    - {name: orders, match: {hosts: [api.example], path: "/v1/orders/{id}"}, allow: {issuers: [corp], scopes: {all: [orders.read]}}}
    - {name: special, match: {path: /v1/orders/special}, allow: {issuers: [corp]}, limits: [slow]}
    - {name: upload, match: {path: /v1/upload, methods: [POST]}, allow: {issuers: [corp]}, when: [{body_bytes_max: 10}]}
    - {name: stock, match: {path: /v1/stock}, allow: {spiffe: ["spiffe://prod.example/ns/shop/*"]}}
    - {name: bound, match: {path: /v1/bound}, allow: {issuers: [corp]}, proof: mtls}
keys:
  dev: {alg: EdDSA, issuer: corp}
time: 2026-03-02T10:00:00Z
token:
  claims: {iss: "https://idp.example", aud: orders, sub: b, client_id: batch, scope: orders.read, iat: now, exp: now+5m}
steps:
"#;

const STEPS: &str = r#"
  - {title: In its network, request: {path: /v1/orders/7, source: 10.0.0.7}, token: {}, expect: {status: 200, reason: allowed, decision: allow, route: orders, client: batch, identity: corp/b}}
  - {title: Outside, request: {path: /v1/orders/7, source: "192.0.2.1:443"}, token: {}, expect: {status: 403, reason: source_not_allowed, route: orders, detail: may not call from this address}}
  - {title: Over, request: {path: /v1/orders/7}, token: {claims: {client_id: old}}, expect: {status: 403, reason: client_expired, route: orders}}
  - {title: The first, request: {path: /v1/orders/special, source: 10.0.0.7}, token: {}, expect: {reason: allowed, route: special}}
  - {title: The second, request: {path: /v1/orders/special, source: 10.0.0.7}, token: {}, expect: {status: 429, reason: rate_limited, route: special, limit: slow}}
  - {title: A minute later, time: now+1m, request: {path: /v1/orders/special, source: 10.0.0.7}, token: {}, expect: {reason: allowed, route: special}}
  - {title: Declared too long, request: {path: /v1/upload, method: POST, body_bytes: 11}, token: {claims: {client_id: null}}, expect: {reason: context_denied, route: upload}}
  - {title: Streamed too long, request: {path: /v1/upload, method: POST, body_bytes: 11, headers: {transfer-encoding: chunked}}, token: {claims: {client_id: null}}, expect: {status: 403, reason: context_denied, route: upload}}
  - {title: Short enough, request: {path: /v1/upload, method: POST, body: tea}, token: {claims: {client_id: null}}, response: {status: 201}, expect: {status: 201, reason: allowed, route: upload}}
  - {title: By certificate, request: {path: /v1/stock, certificate: "spiffe://prod.example/ns/shop/web"}, expect: {status: 200, reason: allowed, route: stock, identity: "spiffe://prod.example/ns/shop/web"}}
  - {title: By another, request: {path: /v1/stock, certificate: "spiffe://prod.example/ns/lab/web"}, expect: {status: 403, reason: not_allowed, route: stock}}
  - {title: Without any, request: {path: /v1/stock}, expect: {status: 401, reason: credential_missing, route: stock}}
  - {title: Bound, request: {path: /v1/bound, certificate: "spiffe://prod.example/ns/shop/web"}, token: {bound: true, claims: {client_id: null}}, expect: {reason: allowed, route: bound}}
  - {title: Not bound, request: {path: /v1/bound}, token: {claims: {client_id: null}}, expect: {reason: proof_missing, route: bound}}
"#;

#[test]
fn the_scenario_of_the_demo_passes_and_is_explained_as_it_is_decided() {
    let output = postern(&["test", &scenario(), "--explain", "--format", "json"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output),
        errors(&output)
    );
    assert_no_secret(&text(&output));
    let report = json_of(&output);
    assert_eq!(report["failed"], 0);
    assert_eq!(report["passed"], 28);
    for step in report["suites"][0]["steps"].as_array().unwrap() {
        let told = &step["explanation"];
        assert_eq!(told["reason"], step["reason"], "{step:#}");
        assert_eq!(told["disagreement"], Value::Null, "{step:#}");
        let made = told["steps"].as_array().unwrap();
        let names = made.iter().map(|one| one["step"].as_str().unwrap());
        assert!(
            names.eq(steps::STEPS.iter().map(|step| step.name)),
            "every step is told of, in the order of the gate: {step:#}"
        );
        let failed: Vec<_> = made
            .iter()
            .filter(|one| one["outcome"] == "failed")
            .collect();
        assert_eq!(
            failed.len(),
            usize::from(step["reason"] != "allowed"),
            "{step:#}"
        );
        assert!(
            failed
                .iter()
                .all(|one| !one["says"].as_array().unwrap().is_empty()),
            "{step:#}"
        );
        assert!(
            failed.iter().all(|one| one["says"][0] == step["detail"]),
            "{step:#}"
        );
    }
}

#[test]
fn clients_limits_bodies_and_certificates_are_played_and_their_coverage_is_told() {
    let suite = written("features", "suite.yaml", &format!("{POLICY}{STEPS}"));
    let suite = suite.to_str().unwrap();
    let output = postern(&["test", suite, "--explain"]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}{}", errors(&output));
    for gap in [
        "14 passed, 0 failed",
        "clients     1 of 2",
        "      old: never allowed",
        "orders: allow.scopes: never failed",
        "limits      1 of 1",
    ] {
        assert!(told.contains(gap), "{gap}: {told}");
    }
    assert!(
        !told.contains("when[0]"),
        "both sides of it were seen: {told}"
    );
    let report = json_of(&postern(&["test", suite, "--explain", "--format", "json"]));
    for step in report["suites"][0]["steps"].as_array().unwrap() {
        assert_eq!(step["explanation"]["disagreement"], Value::Null, "{step:#}");
    }
}

#[test]
fn every_expectation_that_is_wrong_is_told_with_what_came() {
    let wrong = r#"
  - title: All <wrong>
    request: {path: /v1/orders/7, source: 10.0.0.7}
    token: {}
    expect: {status: 403, reason: not_allowed, decision: deny, route: other, mode: observe, grpc: 7, scope: x, detail: because, identity: z, client: c, limit: l, upstream: {x-postern-client: null, authorization: secret}}
  - title: Not through
    request: {path: /v1/orders/7}
    expect: {reason: credential_missing, route: orders, upstream: {x-a: null}}
"#;
    let suite = written("wrong", "suite.yaml", &format!("{POLICY}{wrong}"));
    let output = postern(&["test", suite.to_str().unwrap(), "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let report = json_of(&output);
    let differences = report["suites"][0]["steps"][0]["differences"]
        .as_array()
        .unwrap();
    let found: Vec<_> = differences
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    let expected = [
        "status",
        "reason",
        "decision",
        "route",
        "mode",
        "grpc",
        "scope",
        "identity",
        "client",
        "limit",
        "detail",
        "upstream authorization",
        "upstream x-postern-client",
    ];
    assert_eq!(found, expected);
    let told = text(&postern(&["test", suite.to_str().unwrap(), "--explain"]));
    assert!(told.contains("FAIL   1  200 allowed"), "{told}");
    assert!(
        told.contains("expected  not_allowed\n              got       allowed"),
        "{told}"
    );
    assert!(told.contains("did not reach the upstream"), "{told}");
    assert!(
        told.contains("failed      credential no credential"),
        "{told}"
    );
    assert!(told.contains("0 passed, 2 failed"), "{told}");
    let junit = text(&postern(&[
        "test",
        suite.to_str().unwrap(),
        "--format",
        "junit",
    ]));
    assert!(junit.contains("tests=\"2\" failures=\"2\""), "{junit}");
    assert!(
        junit.contains("All &lt;wrong&gt;")
            && junit.contains("reason: expected not_allowed, got allowed"),
        "{junit}"
    );
}

#[test]
fn a_suite_that_cannot_be_used_ends_with_2_and_says_where_and_what_is_needed() {
    let good = "  - {title: T, request: {path: /}, expect: {reason: route_unknown}}\n";
    let cases = [
        ("configuration: [", "line 1"),
        ("steps: []\n", "missing field `configuration`"),
        ("configuration: a.yaml\nsteps: []\n", "one step is needed"),
        (
            "configuration: nowhere.yaml\nsteps:\n@",
            "nowhere.yaml: No such file",
        ),
        (
            "configuration: 7\nsteps:\n@",
            "a configuration itself, is needed",
        ),
        (
            "configuration: {version: 1}\nsteps:\n@",
            "configuration: routes",
        ),
        (
            "configuration: {}\nstep: 1\nsteps:\n@",
            "unknown field `step`, expected one of",
        ),
        (
            "%  - {title: T, request: {path: /, hots: x}, expect: {reason: r}}\n",
            "step 1 (T): request: unknown field `hots`, expected one of `path`, `method`, `host`",
        ),
        (
            "%  - {title: T, request: {path: /}, expect: {reason: r, statsu: 1}}\n",
            "step 1 (T): expect: unknown field `statsu`",
        ),
        (
            "%  - {title: T, request: {path: /}, token: {forge: rs1}, expect: {reason: r}}\n",
            "unknown variant `rs1`, expected one of `none`, `hs256`, `tampered`, `truncated`",
        ),
        (
            "%@  - {title: U, request: {path: /}, token: {key: nobody}, expect: {reason: r}}\n",
            "step 2 (U): token: no key is named \"nobody\"; keys are: dev",
        ),
        (
            "%  - {title: T, time: noon, request: {path: /}, expect: {reason: r}}\n",
            "time is noon; now, now+5m",
        ),
        (
            "%  - {title: T, request: {path: /, source: here}, expect: {reason: r}}\n",
            "source is here; an address",
        ),
        (
            "%  - {title: T, request: {path: /, certificate: none.pem}, expect: {reason: r}}\n",
            "none.pem: No such file",
        ),
        (
            "configuration: {}\nkeys: {a: {}}\nsteps:\n@",
            "keys.a: alg, for a key of the run, or file",
        ),
        (
            "configuration: {}\nkeys: {a: {alg: RS1}}\nsteps:\n@",
            "keys.a.alg is RS1; ES256, RS256, EdDSA or HS256 is needed",
        ),
    ];
    for (index, (suite, expected)) in cases.iter().enumerate() {
        let suite = suite.replace('%', POLICY).replace('@', good);
        let suite = written("unusable", &format!("{index}.yaml"), &suite);
        let output = postern(&["test", suite.to_str().unwrap()]);
        let told = errors(&output);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{expected}: {told}{}",
            text(&output)
        );
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(told.contains("unusable/"), "{told}");
    }
}

const CONFIG: &str = r#"
version: 1
issuers:
  - {name: corp, issuer: "https://idp.example", audiences: [orders], keys: {inline: KEYS}}
routes:
  - {name: orders, match: {hosts: [api.example], methods: [GET], path: "/v1/orders/{id}"}, allow: {scopes: {all: [orders.read]}}}
  - {name: all, match: {path: "/v1/{rest*}"}}
"#;

const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

const MINTED: &str = r#"
configuration: postern.yaml
keys: {dev: {file: private.jwk, issuer: corp}}
steps:
  - title: A token that was minted
    request: {path: /v1/orders/7}
    token: {file: token.jwt}
    expect: {reason: allowed, route: orders}
"#;

/// When the tool is told that it is.
const TEN: &str = "2026-03-02T10:00:00Z";

#[test]
fn what_is_minted_is_inspected_explained_and_tested_and_its_signature_never_shown() {
    for alg in ["ES256", "EdDSA"] {
        let test = &format!("round-{alg}");
        let private = place(test, "private.jwk");
        let _ = fs::remove_file(&private);
        let private = private.to_str().unwrap();
        let made = postern(&[
            "token",
            "keys",
            "--alg",
            alg,
            "--kid",
            "k1",
            "--private",
            private,
        ]);
        assert_eq!(made.status.code(), Some(0), "{}", errors(&made));
        let public = json_of(&made);
        assert!(public["keys"][0].get("d").is_none() && public["keys"][0]["kid"] == "k1");
        let again = postern(&["token", "keys", "--private", private]);
        assert_eq!(again.status.code(), Some(2), "what is there is kept");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(private).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        let claims = r#"{"iss": "https://idp.example", "aud": "orders", "sub": "a", "scope": "orders.read", "nbf": "now-3m"}"#;
        let minted = postern(&[
            "token", "mint", "--claims", claims, "--key", private, "--time", TEN,
        ]);
        assert_eq!(minted.status.code(), Some(0), "{}", errors(&minted));
        let token = written(test, "token.jwt", &text(&minted));
        let token_file = token.to_str().unwrap();
        let signature = text(&minted).trim().rsplit('.').next().unwrap().to_owned();
        let inspected = text(&postern(&["token", "inspect", token_file, "--time", TEN]));
        for part in [
            "NOT VERIFIED",
            "kid: k1",
            "scope: orders.read",
            "nbf: began 3m ago",
            "exp: expires in 5m",
        ] {
            assert!(inspected.contains(part), "{part}: {inspected}");
        }
        let piped = fed(&["token", "inspect", "--time", TEN], &text(&minted));
        assert_eq!(text(&piped), inspected);
        let config = written(
            test,
            "postern.yaml",
            &CONFIG.replace("KEYS", &public.to_string()),
        );
        let get = |path: &str| format!("GET https://api.example{path}");
        let explained = postern(&[
            "explain",
            config.to_str().unwrap(),
            "--request",
            &get("/v1/orders/7"),
            "--token",
            token_file,
            "--time",
            TEN,
        ]);
        let told = text(&explained);
        for part in [
            "allow: allowed (status 200)",
            "the signature holds",
            "where id = 7",
            "\"all\" matches too",
            "segment 2 is a rest there, and a literal is more specific",
        ] {
            assert!(told.contains(part), "{part}: {told}{}", errors(&explained));
        }
        let suite = written(test, "suite.yaml", MINTED);
        let tested = postern(&["test", suite.to_str().unwrap(), "--explain", "--time", TEN]);
        assert_eq!(
            tested.status.code(),
            Some(0),
            "{}{}",
            text(&tested),
            errors(&tested)
        );
        for shown in [
            &inspected,
            &told,
            &text(&tested),
            &errors(&tested),
            &errors(&explained),
        ] {
            assert!(!shown.contains(&signature), "{shown}");
        }
    }
}

#[test]
fn it_is_when_the_tool_is_told_that_it_is() {
    let claims = r#"{"sub": "a"}"#;
    let minted = text(&postern(&[
        "token", "mint", "--claims", claims, "--time", TEN,
    ]));
    for (time, told) in [
        ("2026-03-02T10:04:59Z", "exp: expires in 1s"),
        ("2026-03-02T10:05:01Z", "exp: expired 1s ago"),
    ] {
        let inspected = text(&fed(&["token", "inspect", "--time", time], &minted));
        assert!(inspected.contains(told), "{told}: {inspected}");
    }
    let client = r#"
version: 1
issuers: [{name: corp, issuer: "https://idp.example", audiences: [a], max_lifetime: 1h, keys: {remote: {cluster: idp, uri: "https://idp.example/jwks.json"}}}]
clients: [{name: old, match: {issuer: corp, client: old}, owner: a, expires: "2026-03-01"}]
routes: [{name: a, match: {path: /a}, allow: {clients: [old]}}]
"#;
    let config = written("told", "postern.yaml", client);
    for (time, is_expired) in [(TEN, true), ("2026-02-27T10:00:00Z", false)] {
        let checked = postern(&["check", config.to_str().unwrap(), "--time", time]);
        let told = text(&checked);
        assert_eq!(told.contains("[expired-client]"), is_expired, "{told}");
    }
    let commands: [&[&str]; 3] = [
        &["check", "a.yaml"],
        &["test", "a.yaml"],
        &["token", "mint", "--claims", claims],
    ];
    for command in commands {
        let refused = postern(&[command, &["--time", "noon"]].concat());
        assert_eq!(refused.status.code(), Some(2));
        assert!(
            errors(&refused).contains("--time: now, now+5m"),
            "{}",
            errors(&refused)
        );
    }
}

#[test]
fn claims_are_explained_without_a_token_and_the_first_failure_is_named() {
    let config = written("claims", "postern.yaml", &CONFIG.replace("KEYS", KEYS));
    let config = config.to_str().unwrap();
    let explain = |request: &str, more: &[&str]| {
        let arguments = [&["explain", config, "--request", request], more].concat();
        let output = postern(&arguments);
        assert_no_secret(&text(&output));
        (output.status.code(), text(&output) + &errors(&output))
    };
    let orders = "GET https://api.example/v1/orders/7";
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            orders,
            &["--claims", r#"{"sub": "a", "scope": "orders.read"}"#],
            &[
                "NOT VERIFIED",
                "no signature was checked",
                "allow: allowed",
                "filled in: iss",
            ],
        ),
        (
            orders,
            &["--claims", r#"{"sub": "a", "scope": "x"}"#],
            &[
                "deny: scope_missing (status 403)",
                "to change that: have the token granted what it lacks: missing scopes: orders.read",
            ],
        ),
        (
            orders,
            &["--claims", r#"{"sub": "a", "exp": "now-1h"}"#],
            &["deny: token_expired", "exp", "(1h ago)"],
        ),
        (
            orders,
            &["--claims", r#"{"sub": "a", "iss": null}"#],
            &["deny: issuer_unknown"],
        ),
        (
            orders,
            &[],
            &["deny: credential_missing", "send a token in authorization"],
        ),
        (
            "GET https://api.example/v2/orders/7",
            &[],
            &[
                "deny: route_unknown",
                "nearest: \"orders\"",
                "the path is not /v1/orders/{id}",
            ],
        ),
        (
            "POST https://other.example/v2",
            &[],
            &["deny: route_unknown", "nearest: "],
        ),
        (
            "GET https://api.example/v1/..",
            &[],
            &["deny: path_ambiguous"],
        ),
        (
            orders,
            &[
                "--claims",
                r#"{"sub": "a"}"#,
                "--time",
                "2026-03-02T10:00:00Z",
                "--source",
                "10.0.0.1",
            ],
            &["at 2026-03-02T10:00:00Z"],
        ),
    ];
    for (request, more, expected) in cases {
        let (code, told) = explain(request, more);
        assert_eq!(code, Some(0), "{told}");
        for part in *expected {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    let refused: &[(&str, &[&str], &str)] = &[
        ("orders", &[], "a method and a URL are needed"),
        (
            orders,
            &["--header", "Authorization: Bearer x"],
            "history of the shell",
        ),
        (orders, &["--header", "x"], "'name: value' is needed"),
        (orders, &["--claims", "[]"], "a JSON object of claims"),
        (orders, &["--time", "noon"], "--time: now"),
        (orders, &["--source", "here"], "--source: source is here"),
        (orders, &["--peer-cert", "/nowhere"], "--peer-cert"),
    ];
    for (request, more, expected) in refused {
        let (code, told) = explain(request, more);
        assert_eq!(code, Some(2), "{expected}: {told}");
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let document = json_of(&postern(&[
        "explain",
        config,
        "--request",
        orders,
        "--claims",
        r#"{"sub": "a"}"#,
        "--format",
        "json",
    ]));
    assert_eq!(
        (&document["verified"], &document["reason"]),
        (&json!(false), &json!("scope_missing"))
    );
}

#[test]
fn how_events_are_gathered_is_no_matter_here() {
    let gathered = CONFIG.replace("KEYS", KEYS) + "audit: {log: {batch: 64KiB}}\n";
    let config = written("gathered", "postern.yaml", &gathered);
    let explained = postern(&[
        "explain",
        config.to_str().unwrap(),
        "--request",
        "GET https://api.example/v1/orders/7",
    ]);
    let told = text(&explained) + &errors(&explained);
    assert!(
        told.contains("deny: credential_missing (status 401)"),
        "{told}"
    );
}

#[test]
fn a_look_at_a_token_warns_and_tokens_are_not_taken_from_arguments() {
    let part = |value: Value| postern_core::base::base64url::encode(value.to_string().as_bytes());
    let header = part(json!({"alg": "none", "crit": ["x"], "jwk": {}}));
    let token = format!("{header}.{}.", part(json!({"exp": 1, "sub": "a\u{1b}[2J"})));
    let told = text(&fed(&["token", "inspect", "-"], &token));
    for warning in [
        "alg none",
        "crit:",
        "brings its own key",
        "exp: expired",
        "\\u{1b}[2J",
    ] {
        assert!(told.contains(warning), "{warning}: {told}");
    }
    let argument = postern(&["token", "inspect", &token]);
    assert_eq!(argument.status.code(), Some(2));
    assert!(
        errors(&argument).contains("history of the shell") && !errors(&argument).contains(&header)
    );
    for broken in ["", "a.b.c", "a b", "eyJ9.eyJ9"] {
        assert_eq!(
            fed(&["token", "inspect"], broken).status.code(),
            Some(2),
            "{broken}"
        );
    }
    let thrown = postern(&["token", "mint", "--claims", "{}", "--alg", "HS256"]);
    assert_eq!(thrown.status.code(), Some(0));
    assert!(errors(&thrown).contains("nothing can verify the token"));
    let secret = place("secret", "secret.jwk");
    let _ = fs::remove_file(&secret);
    let made = postern(&[
        "token",
        "keys",
        "--alg",
        "HS256",
        "--private",
        secret.to_str().unwrap(),
    ]);
    let jwk: Value = serde_json::from_str(&fs::read_to_string(&secret).unwrap()).unwrap();
    let k = jwk["k"].as_str().unwrap();
    assert!(made.stdout.is_empty() && !errors(&made).contains(k));
    let wrong = postern(&[
        "token",
        "mint",
        "--claims",
        "{}",
        "--alg",
        "ES256",
        "--key",
        secret.to_str().unwrap(),
    ]);
    assert!(errors(&wrong).contains("is a key for HS256") && !errors(&wrong).contains(k));
}
