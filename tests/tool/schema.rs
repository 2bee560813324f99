//! The published JSON Schema: made from the wire types, and of one mind with the parser.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use postern_core::config::{Config, json_schema};
use serde_json::Value;

const BROKEN: &str = include_str!("../data/broken_configs.json");
const GOOD: &str = include_str!("../data/good_configs.json");

fn root() -> &'static Path {
    postern_testkit::root()
}

fn validator() -> Validator {
    jsonschema::validator_for(&json_schema()).expect("the schema is a schema")
}

fn cases(data: &str) -> Vec<Value> {
    serde_json::from_str(data).expect("the data is JSON")
}

#[test]
fn the_published_schema_is_that_of_the_wire_types() {
    let path = root().join("envoy/postern.schema.json");
    let current = format!("{:#}\n", json_schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &current).expect("the schema can be written");
    }
    let published = fs::read_to_string(&path).expect("the schema is published");
    assert!(
        published == current,
        "stale: UPDATE_SCHEMA=1 cargo test --test tool schema"
    );
}

#[test]
fn the_schema_is_strict_and_says_what_everything_is() {
    let schema = json_schema();
    let definitions = schema["$defs"].as_object().expect("there are definitions");
    for (name, definition) in definitions.iter().chain([(&"root".to_owned(), &schema)]) {
        let Some(properties) = definition["properties"].as_object() else {
            continue;
        };
        assert_eq!(definition["additionalProperties"], false, "{name}");
        assert!(definition["description"].is_string(), "{name}");
        for (field, property) in properties {
            assert!(property["description"].is_string(), "{name}.{field}");
        }
    }
}

#[test]
fn the_schema_takes_what_the_parser_takes() {
    let validator = validator();
    for case in cases(GOOD) {
        let errors: Vec<String> = validator
            .iter_errors(&case["config"])
            .map(|error| format!("{} {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", case["name"]);
    }
}

/// What only the parser sees is marked in the data; both kinds of surprise fail.
#[test]
fn the_schema_refuses_what_the_parser_refuses_but_for_what_is_marked() {
    let validator = validator();
    let mut surprises = Vec::new();
    for case in cases(BROKEN)
        .iter()
        .filter(|case| !case["config"].is_string())
    {
        let marked = case["schema_accepts"] == true;
        if validator.is_valid(&case["config"]) != marked {
            surprises.push(format!("{} (marked: {marked})", case["name"]));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[test]
fn every_example_in_the_repository_is_taken() {
    let validator = validator();
    for (place, example) in examples() {
        if let Err(errors) = Config::parse(example.to_string().as_bytes()) {
            panic!("{place}: {errors}");
        }
        if let Err(error) = validator.validate(&example) {
            panic!("{place}: {} {error}", error.instance_path());
        }
    }
}

#[test]
fn examples_are_found_in_every_form_that_hosts_have() {
    let bootstrap = r#"
typed_config:
  configuration:
    "@type": type.googleapis.com/google.protobuf.StringValue
    value: |
      {"version": 1, "routes": []}
---
pluginConfig:
  version: 1
  routes: []
"#;
    let markdown =
        "```yaml postern\nversion: 1\nroutes: []\n```\n```yaml\nversion: 2\nroutes: []\n```\n";
    let mut found = Vec::new();
    in_yaml(bootstrap, &mut found);
    assert_eq!(found.len(), 2);
    in_markdown(markdown, &mut found);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|example| example["version"] == 1));
}

/// Every configuration of Postern in `envoy/`, `docs/` and the README, with its file.
fn examples() -> Vec<(String, Value)> {
    let mut files = vec![root().join("README.md")];
    walk(&root().join("envoy"), &mut files);
    walk(&root().join("docs"), &mut files);
    let mut examples = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let mut found = Vec::new();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml" | "json") if !file.ends_with("postern.schema.json") => {
                in_yaml(&text, &mut found);
            }
            Some("md") => in_markdown(&text, &mut found),
            _ => {}
        }
        examples.extend(
            found
                .into_iter()
                .map(|example| (file.display().to_string(), example)),
        );
    }
    examples
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Blocks that are marked as such: "```yaml postern".
fn in_markdown(text: &str, found: &mut Vec<Value>) {
    for block in text.split("```yaml postern\n").skip(1) {
        let body = block.split("\n```").next().unwrap_or_default();
        in_yaml(body, found);
    }
}

/// Documents of YAML, which JSON is too.
fn in_yaml(text: &str, found: &mut Vec<Value>) {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_default();
    documents
        .iter()
        .for_each(|document| in_value(document, found));
}

/// A configuration is an object with `version` and `routes`, or a text that holds one.
fn in_value(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(members)
            if members.contains_key("version") && members.contains_key("routes") =>
        {
            found.push(value.clone());
        }
        Value::Object(members) => members.values().for_each(|member| in_value(member, found)),
        Value::Array(elements) => elements.iter().for_each(|element| in_value(element, found)),
        Value::String(text) if text.contains("\"routes\"") => {
            if let Ok(inner) = serde_json::from_str(text) {
                in_value(&inner, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_defaults_of_risk_are_those_that_its_page_says() {
    let page = fs::read_to_string(root().join("docs/risk.md")).unwrap();
    let block = page
        .split("```yaml\n")
        .nth(2)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let said: Value = serde_saphyr::from_str(block).unwrap();
    let whole = |risk: &Value| {
        let config = serde_json::json!({
            "version": 1, "risk": risk, "routes": [{"name": "any", "match": {"path": "/"}}],
            "limits": [{"name": "all", "key": ["identity"], "rate": "1/1s"}],
            "trust_domains": [{"name": "prod.example", "x509_svid": {"from": "tls"}}],
        });
        Config::parse(config.to_string().as_bytes()).unwrap()
    };
    let signals = said["risk"]["signals"].as_object().unwrap();
    assert!(signals.len() == 10 && said["risk"].as_object().unwrap().len() == 8);
    assert_eq!(
        whole(&said["risk"]).settings.risk,
        whole(&serde_json::json!({})).settings.risk
    );
}
