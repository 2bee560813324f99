//! Configurations that are wrong, with every line that must be said of them, and some that are
//! right. Both are data, so that the same can be pushed through a real proxy.

use std::collections::BTreeSet;

use postern_core::config::{Config, Mistake, Severity};
use proptest::prelude::*;
use serde_json::{Value, json};

const BROKEN: &str = include_str!("../data/broken_configs.json");
const GOOD: &str = include_str!("../data/good_configs.json");

fn cases(data: &str) -> Vec<Value> {
    serde_json::from_str(data).expect("the data is JSON")
}

/// A configuration as bytes: a text as it is, anything else as JSON.
fn bytes_of(config: &Value) -> Vec<u8> {
    match config {
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    }
}

#[test]
fn every_broken_configuration_is_refused_with_exactly_its_errors() {
    let cases = cases(BROKEN);
    for case in &cases {
        let errors =
            Config::parse(&bytes_of(&case["config"])).expect_err(&case["name"].to_string());
        let lines: Vec<String> = errors.to_string().lines().map(str::to_owned).collect();
        assert_eq!(json!(lines), case["errors"], "{}", case["name"]);
    }
    let names: BTreeSet<_> = cases.iter().map(|case| case["name"].as_str()).collect();
    assert!(names.len() == cases.len() && cases.len() >= 100);
}

#[test]
fn every_error_has_its_place_and_says_what_would_be_accepted() {
    for case in cases(BROKEN) {
        let errors = Config::parse(&bytes_of(&case["config"])).expect_err("it is broken");
        for error in errors.listed() {
            let (wrong, accepted) = (&error.problem, &error.remedy);
            assert!(wrong.len() > 2 && accepted.len() > 2, "{error}");
            assert!(error.to_string().ends_with(&format!("{wrong}; {accepted}")));
        }
    }
}

#[test]
fn every_error_is_by_a_rule_and_every_rule_finds_some() {
    let rules: BTreeSet<&str> = Mistake::ALL.iter().map(|mistake| mistake.name()).collect();
    assert_eq!(
        rules.len(),
        Mistake::ALL.len(),
        "each has a name of its own"
    );
    let mut found = BTreeSet::new();
    for case in cases(BROKEN) {
        let errors = Config::parse(&bytes_of(&case["config"])).expect_err("it is broken");
        for error in errors.listed() {
            assert_eq!(error.severity, Severity::Error, "{error}");
            assert!(
                !error.problem.is_empty() && rules.contains(error.rule),
                "{error:?}"
            );
            found.insert(error.rule);
        }
    }
    assert_eq!(found, rules);
}

#[test]
fn a_mistake_has_the_rule_that_says_what_kind_it_is() {
    const CASES: &[(&str, &str, &str)] = &[
        ("empty", "", "unreadable"),
        (
            "duplicate member inside",
            "routes[0].match.path",
            "duplicate",
        ),
        ("an array", "", "wrong-type"),
        (
            "a private key",
            "issuers[0].keys.inline.keys[0]",
            "disclosed-key",
        ),
    ];
    let cases = cases(BROKEN);
    for (name, place, rule) in CASES {
        let case = cases.iter().find(|case| case["name"] == *name);
        let config = &case.unwrap_or_else(|| panic!("{name}"))["config"];
        let errors = Config::parse(&bytes_of(config)).expect_err("it is broken");
        let listed = errors.listed().iter();
        let mut listed = listed.map(|error| (error.place.as_str(), error.rule));
        assert!(listed.any(|found| found == (*place, *rule)), "{errors:?}");
    }
}

#[test]
fn every_good_configuration_is_taken() {
    for case in cases(GOOD) {
        if let Err(errors) = Config::parse(&bytes_of(&case["config"])) {
            panic!("{}: {errors}", case["name"]);
        }
    }
}

#[test]
fn what_is_worth_a_look_is_a_warning() {
    let warnings = |name: &str| {
        let cases = cases(GOOD);
        let case = cases.iter().find(|case| case["name"] == name);
        let bytes = bytes_of(&case.expect("there is such a case")["config"]);
        let warnings = Config::parse(&bytes).expect("it is good").warnings;
        let lines = warnings.iter().map(ToString::to_string);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(warnings("an issuer and a route"), [""; 0]);
    assert_eq!(
        warnings("observe"),
        ["mode: observe lets requests through that are refused"]
    );
    assert_eq!(
        warnings("any audience"),
        ["issuers[0].any_audience: tokens for every audience are taken"]
    );
    assert_eq!(
        warnings("a key that is passed over"),
        [
            "issuers[0].keys.inline.keys[1] is not used: keys of type \"secp256k1\" are not supported"
        ]
    );
    let idle = "throttle makes requests cost their limits more, and there are no limits";
    assert_eq!(
        warnings("risk that throttles without limits"),
        [
            format!("risk.actions[1]: {idle}"),
            format!("clients[0].risk.actions[0]: {idle}")
        ]
    );
}

#[test]
fn a_secret_is_never_shown() {
    const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
    let document = |issuer: Value| {
        let mut issuer = issuer;
        let keys = json!({"inline": {"keys": [{"kty": "oct", "k": SECRET}]}});
        issuer["keys"] = keys;
        issuer["name"] = json!("corp");
        issuer["issuer"] = json!("https://idp.example");
        issuer["any_audience"] = json!(true);
        let route = json!({"name": "a", "match": {"path": "/a"}});
        json!({"version": 1, "issuers": [issuer], "routes": [route]})
    };
    let good = Config::parse(&bytes_of(&document(json!({"algorithms": ["HS256"]}))));
    let good = good.expect("it is good");
    let raw = "secret-secret-secret";
    let shown = format!("{good:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(raw) && !shown.contains("115, 101, 99"));
    let broken = Config::parse(&bytes_of(&document(json!({})))).expect_err("HS256 is not named");
    assert!(!format!("{broken:?}{broken}").contains(SECRET));
    let mut misplaced = document(json!({"algorithms": ["HS256"]}));
    misplaced["issuers"][0]["keys"]["inline"]["keys"][0] = json!(SECRET);
    misplaced["issuers"][0]["forward"] = json!(SECRET);
    let broken = Config::parse(&bytes_of(&misplaced)).expect_err("a text is no key");
    assert!(!format!("{broken:?}{broken}").contains(SECRET));
}

#[test]
fn the_same_bytes_always_have_the_same_outcome() {
    for case in cases(BROKEN) {
        let parse = || Config::parse(&bytes_of(&case["config"])).expect_err("it is broken");
        assert_eq!(parse(), parse());
    }
}

/// Any JSON value, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[ -~]{0,12}".prop_map(Value::from),
        Just(json!("500ms")),
        Just(json!("64KiB")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,10}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Every place in a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .for_each(|(index, element)| places(element, &format!("{at}/{index}"), found)),
        Value::Object(members) => members
            .iter()
            .for_each(|(name, member)| places(member, &format!("{at}/{name}"), found)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Config::parse(&bytes);
    }

    #[test]
    fn no_document_makes_it_panic(document in any_json()) {
        let _ = Config::parse(document.to_string().as_bytes());
    }

    #[test]
    fn no_change_in_a_good_configuration_makes_it_panic(
        case in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let cases = cases(GOOD);
        let mut document = case.get(&cases)["config"].clone();
        let mut found = Vec::new();
        places(&document, "", &mut found);
        if let Some(changed) = document.pointer_mut(place.get::<String>(&found)) {
            *changed = value;
        }
        if let Err(errors) = Config::parse(document.to_string().as_bytes()) {
            prop_assert!(!errors.listed().is_empty());
            prop_assert!(errors.listed().len() <= 100);
            prop_assert!(errors.to_string().lines().all(|line| line.len() < 4096));
        }
    }

    #[test]
    fn no_cut_in_a_good_configuration_makes_it_panic(
        case in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let cases = cases(GOOD);
        let mut bytes = bytes_of(&case.get(&cases)["config"]);
        let at = cut.index(bytes.len());
        bytes[at] = byte;
        let _ = Config::parse(&bytes);
        let _ = Config::parse(&bytes[..at]);
    }
}
