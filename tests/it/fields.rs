//! What a caller can say to the upstream past the gate: forged fields, unproven credentials, and
//! what tells it another request than was decided about.

// The same stories under Node, with the attribute its runner needs.
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use postern_core::gate::Next;
use postern_testkit::memory::MemoryHost;
use postern_testkit::spiffe::{JOBS, configured, gated, of};
use postern_testkit::stories::{
    START, at, claims, configuration, gate, headers, live, reason, request, token, upstream,
};
use serde_json::{Value, json};

fn routes() -> Value {
    json!([
        {"name": "orders", "match": {"path": "/orders"}},
        {"name": "items", "match": {"path": "/items"}, "when": [
            {"query": "page_size", "max": 100, "required": false},
            {"header": "x-env", "in": ["test"], "required": false},
        ]},
        {"name": "priced", "match": {"path": "/priced"}, "limits": ["by-size"]},
        {"name": "tried", "match": {"path": "/tried"}, "mode": "observe"},
        {"name": "open", "match": {"path": "/open"}, "public": true},
    ])
}

fn policy() -> Value {
    let mut policy = configuration(routes());
    policy["limits"] = json!([
        {"name": "by-size", "key": ["client"], "rate": "100/1m", "cost": {"query": "page_size", "per": 50}},
        {"name": "by-team", "key": ["header:x-team"], "rate": "100/1m"},
    ]);
    policy["audit"] = json!({"purpose_header": "x-purpose"});
    policy
}

fn good() -> String {
    token(&claims(json!({})))
}

/// The names of the fields that the upstream gets, but for those of every request.
fn names(host: &MemoryHost) -> Vec<String> {
    let fields = host.upstream_headers();
    let names = fields
        .iter()
        .map(|(name, _)| String::from_utf8(name.to_vec()).unwrap());
    names
        .filter(|name| !name.starts_with(':') && name != "x-request-id")
        .collect()
}

#[test]
fn no_protected_name_reaches_the_upstream_in_any_spelling() {
    let forged: Vec<(String, &str)> = [
        "x-postern-identity",
        "x-postern-scopes",
        "x-postern-new",
        "x-tenant",
    ]
    .into_iter()
    .flat_map(|name| {
        let separators = [
            "-", "_", ".", "~", "!", "|", "^", "'", "`", "+", "#", "$", "%", "&", "*",
        ];
        separators.map(|separator| (name.replace('-', separator), "corp/admin"))
    })
    .chain([("X-Postern.Identity".to_owned(), "corp/admin")])
    .collect();
    let forged: Vec<(&str, &str)> = forged
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let gate = gate(&policy());
    let good = good();
    for (path, token) in [
        ("/open", None),
        ("/tried", None),
        ("/orders", Some(good.as_str())),
    ] {
        let host = request(path, token, &forged);
        host.set_request_trailers(&forged);
        let (next, mut decided) = headers(&gate, &host);
        assert_eq!(next, Next::Continue, "{path}");
        assert_eq!(decided.request_trailers(&host), Next::Continue);
        assert!(
            host.upstream_headers()
                .iter()
                .all(|(_, value)| value != b"corp/admin"),
            "{path}"
        );
        assert_eq!(host.upstream_trailers().iter().count(), 0, "{path}");
    }
}

#[test]
fn a_forwarded_certificate_goes_on_under_its_own_name_alone() {
    let gate = gated(json!([postern_testkit::spiffe::prod(
        json!({"x509_svid": {"from": "tls"}})
    )]));
    let sender = of(JOBS)
        .field("x.forwarded.client.cert", "URI=spiffe://prod.example/admin")
        .field("x_forwarded_client_cert", "URI=spiffe://prod.example/admin")
        .field("x-forwarded-client-cert", "URI=spiffe://prod.example/admin");
    for path in ["/open", "/public"] {
        let host = sender.request(path);
        live(&gate, &host);
        let names = names(&host);
        assert!(
            !names.iter().any(|name| name.contains("client")),
            "{path} {names:?}"
        );
    }
}

#[test]
fn a_field_decides_only_where_no_reader_can_find_another() {
    let gate = gate(&policy());
    let good = good();
    for (fields, expected) in [
        (&[][..], "allowed"),
        (&[("x-env", "test")], "allowed"),
        (&[("x-env", "prod")], "context_denied"),
        (&[("x_env", "prod")], "context_denied"),
        (&[("x.env", "test")], "context_denied"),
        (&[("x-env", "test"), ("x_env", "prod")], "context_denied"),
        (&[("x-env", "test"), ("x-env", "test")], "context_denied"),
    ] {
        let host = request("/items", Some(&good), fields);
        assert_eq!(reason(&gate, &host), expected, "{fields:?}");
    }
    for (fields, purpose) in [
        (&[("x-purpose", "billing")][..], json!("billing")),
        (&[("x_purpose", "billing")], Value::Null),
        (
            &[("x-purpose", "billing"), ("x.purpose", "fraud")],
            Value::Null,
        ),
    ] {
        let (_, events) = live(&gate, &request("/orders", Some(&good), fields));
        assert_eq!(events[0]["unmapped"]["purpose"], purpose, "{fields:?}");
    }
}

#[test]
fn a_parameter_that_decides_or_costs_is_alone_in_its_kind() {
    let gate = gate(&policy());
    let good = good();
    for path in ["/items", "/priced"] {
        assert_eq!(
            reason(
                &gate,
                &request(&format!("{path}?page_size=5&page=2"), Some(&good), &[])
            ),
            "allowed"
        );
        for other in [
            "page.size",
            "page%20size",
            "page[size",
            "page_size[]",
            "+page_size",
            "%20page_size",
            "page_size%00x",
            "page_size%5B0%5D",
            "PAGE_SIZE",
        ] {
            for query in [format!("{other}=5000"), format!("page_size=5&{other}=5000")] {
                let host = request(&format!("{path}?{query}"), Some(&good), &[]);
                assert_eq!(reason(&gate, &host), "query_ambiguous", "{path} {query}");
                assert_eq!(host.replies()[0].status, 400);
            }
        }
    }
}

/// A gate that takes certificates and tokens, and forwards what is verified.
fn by_certificate(forward: bool) -> std::rc::Rc<postern_core::gate::Gate> {
    let mut policy = configured(
        json!([postern_testkit::spiffe::prod(
            json!({"x509_svid": {"from": "tls"}})
        )]),
        json!([
            {"name": "open", "match": {"path": "/open"}},
            {"name": "public", "match": {"path": "/public"}, "public": true},
        ]),
    );
    policy["issuers"][0]["forward"] = json!(forward);
    gate(&policy)
}

#[test]
fn nothing_unproven_goes_on_beside_a_certificate() {
    for forward in [false, true] {
        let gate = by_certificate(forward);
        for (value, expected) in [
            ("Bearer\ta.b.c", "credential_malformed"),
            ("Bearer: a.b.c", "credential_malformed"),
            ("a.b.c", "credential_malformed"),
            ("JWT token", "credential_malformed"),
            ("Basic x; Bearer token", "credential_malformed"),
            ("Basic x, Bearer token", "credential_ambiguous"),
            ("Basic eDp5", "allowed"),
            ("Basic eDp5, Digest x", "allowed"),
            ("opaque", "allowed"),
        ] {
            let host = of(JOBS).field("authorization", value).request("/open");
            assert_eq!(reason(&gate, &host), expected, "{value}");
            if expected == "allowed" {
                assert!(
                    !names(&host).contains(&"authorization".to_owned()),
                    "{value}"
                );
                assert_eq!(
                    upstream(&host.upstream_headers(), "x-postern-identity"),
                    Some(JOBS)
                );
            }
        }
    }
}

#[test]
fn trailers_are_cleaned_of_credentials_everywhere() {
    let mut policy = policy();
    policy["issuers"][0]["forward"] = json!(true);
    policy["tokens"] = json!({"header": "x-token"});
    let gate = gate(&policy);
    for path in ["/open", "/tried"] {
        let host = request(path, None, &[]);
        host.set_request_trailers(&[
            ("authorization", "Basic x"),
            ("x.token", "y"),
            ("x-token", "z"),
            ("kept", "1"),
        ]);
        let (_, mut decided) = headers(&gate, &host);
        decided.request_trailers(&host);
        let trailers = host.upstream_trailers();
        assert_eq!(
            trailers.iter().collect::<Vec<_>>(),
            [(&b"kept"[..], &b"1"[..])],
            "{path}"
        );
    }
}

#[test]
fn a_token_goes_on_from_a_public_route_only_if_it_is_a_forwarding_issuers() {
    let mut policy = policy();
    let mut second = policy["issuers"][0].clone();
    second["name"] = json!("partner");
    second["issuer"] = json!("https://partner.example");
    policy["issuers"].as_array_mut().unwrap().push(second);
    policy["issuers"][0]["forward"] = json!(true);
    let gate = gate(&policy);
    let good = good();
    let (head, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = token(&claims(json!({"sub": "other"})))
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let cases = [
        (format!("Bearer {good}"), true),
        (format!("bearer  {good}"), true),
        (format!("Bearer\t{good}"), false),
        (good.clone(), false),
        (format!("Bearer {head}.{signature}"), false),
        (
            format!(
                "Bearer {}",
                token(&claims(json!({"iss": "https://partner.example"})))
            ),
            false,
        ),
        (
            format!(
                "Bearer {}",
                token(&claims(json!({"iss": "https://nobody.example"})))
            ),
            false,
        ),
        (
            format!("Bearer {}", token(&claims(json!({"exp": START - 31})))),
            false,
        ),
        ("Bearer opaque".to_owned(), false),
        ("Basic eDp5".to_owned(), true),
    ];
    for (value, kept) in cases {
        let host = request("/open", None, &[("authorization", &value)]);
        assert_eq!(live(&gate, &host).0, Next::Continue);
        assert_eq!(
            upstream(&host.upstream_headers(), "authorization"),
            kept.then_some(value.as_str()),
            "{value}"
        );
    }
}

#[test]
fn connection_names_no_field_that_is_needed() {
    let gate = gate(&policy());
    let good = good();
    for named in [
        "x-postern-identity",
        "X-Postern-Scopes",
        "x_postern.new",
        "x-tenant",
        "authorization",
        "x-env",
        "x.env",
        "x-purpose",
        "x-team",
        "host",
        "x-forwarded-client-cert",
    ] {
        for (path, token) in [("/open", None), ("/orders", Some(good.as_str()))] {
            for value in [
                named.to_owned(),
                format!("upgrade, {named}"),
                format!("upgrade;\"{named}\""),
                format!("close,{named} ,x"),
            ] {
                let host = request(path, token, &[("connection", &value)]);
                assert_eq!(
                    reason(&gate, &host),
                    "connection_ambiguous",
                    "{path} {value}"
                );
                assert_eq!(host.replies()[0].status, 400);
            }
        }
    }
    for value in [
        "upgrade",
        "keep-alive, Upgrade, HTTP2-Settings",
        "close, x-other",
        "",
    ] {
        let host = request("/orders", Some(&good), &[("connection", value)]);
        assert_eq!(reason(&gate, &host), "allowed", "{value}");
    }
}

#[test]
fn what_tells_the_upstream_another_request_goes_unless_it_is_kept_by_name() {
    const ALL: &[(&str, &str)] = &[
        ("x-http-method-override", "DELETE"),
        ("x_http_method", "DELETE"),
        ("x.method.override", "DELETE"),
        ("x-original-url", "/admin"),
        ("x-original-uri", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x-forwarded-prefix", "/admin"),
    ];
    let good = good();
    let left = |overrides: Value, path: &str| {
        let mut policy = policy();
        policy["upstream"] = json!({"overrides": overrides});
        let host = request(path, Some(&good), ALL);
        assert_eq!(live(&gate(&policy), &host).0, Next::Continue);
        names(&host)
            .into_iter()
            .filter(|name| ALL.iter().any(|(own, _)| own == name))
            .collect::<Vec<_>>()
    };
    for path in ["/orders", "/open", "/tried"] {
        assert_eq!(left(json!("remove"), path), [""; 0], "{path}");
        assert_eq!(left(json!("keep"), path).len(), ALL.len(), "{path}");
        assert_eq!(
            left(json!({"keep": ["x-forwarded-prefix"]}), path),
            ["x-forwarded-prefix"],
            "{path}"
        );
    }
}

#[test]
fn another_method_in_the_query_is_refused_where_it_could_be_taken() {
    let good = good();
    let of = |overrides: Value, method: &str, target: &str| {
        let mut policy = policy();
        policy["upstream"] = json!({"overrides": overrides});
        let host = MemoryHost::with_request(
            at(0),
            &[
                (":method", method),
                (":path", target),
                (":authority", "api.example"),
                ("authorization", &format!("Bearer {good}")),
            ],
        );
        reason(&gate(&policy), &host)
    };
    for query in [
        "_method=DELETE",
        "a=1&%5fmethod=PUT",
        "_method[]=PUT",
        "+_method",
    ] {
        let target = format!("/orders?{query}");
        assert_eq!(
            of(json!("remove"), "POST", &target),
            "method_ambiguous",
            "{query}"
        );
        assert_eq!(of(json!("remove"), "GET", &target), "allowed", "{query}");
        assert_eq!(
            of(json!({"keep": ["_method"]}), "POST", &target),
            "allowed",
            "{query}"
        );
    }
    assert_eq!(of(json!("remove"), "POST", "/orders?method=PUT"), "allowed");
}

#[test]
fn plain_requests_are_as_they_were() {
    let host = request(
        "/orders",
        Some(&good()),
        &[("x-http-methods", "1"), ("x-posternal", "1")],
    );
    assert_eq!(reason(&gate(&policy()), &host), "allowed");
    let names = names(&host);
    assert!(
        names.contains(&"x-http-methods".to_owned()) && names.contains(&"x-posternal".to_owned())
    );
}

#[test]
fn answers_belong_to_their_callers() {
    let good = good();
    let told = |configuration: &Value, path: &str, token: Option<&str>, sent: &[&str]| {
        let host = request(path, token, &[]);
        let (next, decided) = headers(&gate(configuration), &host);
        assert_eq!(next, Next::Continue);
        for value in sent {
            host.push_response_header(b"cache-control", value.as_bytes());
        }
        decided.response_headers(&host);
        let fields = host.response_headers();
        let all = |name: &str| {
            let values = fields
                .all(name)
                .map(|value| String::from_utf8_lossy(value).into_owned());
            values.collect::<Vec<_>>().join(" | ")
        };
        let marker = upstream(&host.upstream_headers(), "authorization").map(str::to_owned);
        (all("cache-control"), all("vary"), marker)
    };
    let plain = policy();
    let kept = |control: &str| (control.to_owned(), String::new(), None);
    for path in ["/orders", "/open"] {
        let max_age = told(&plain, path, Some(&good), &["max-age=60"]);
        assert_eq!(max_age, kept("max-age=60, private"), "{path}");
        assert_eq!(
            told(&plain, path, Some(&good), &["public, max-age=60"]),
            kept("public, max-age=60")
        );
    }
    assert_eq!(
        told(&plain, "/open", None, &["max-age=60"]),
        kept("max-age=60")
    );
    let observed = told(&plain, "/tried", Some(&good), &["max-age=60"]);
    assert_eq!(observed.0, "max-age=60");

    let mut marked = plain.clone();
    marked["tokens"] = json!({"marker": true});
    let private = (
        "private".to_owned(),
        "authorization".to_owned(),
        Some("Postern".to_owned()),
    );
    assert_eq!(told(&marked, "/orders", Some(&good), &[]), private);
    assert_eq!(told(&marked, "/open", None, &[]), kept(""));

    let mut forwarding = plain;
    forwarding["issuers"][0]["forward"] = json!(true);
    let (control, vary, sent) = told(&forwarding, "/orders", Some(&good), &["max-age=60"]);
    assert_eq!((control.as_str(), vary.as_str()), ("max-age=60", ""));
    assert_eq!(sent, Some(format!("Bearer {good}")));
}
