//! `postern check`, and the commands that tell of the tool itself: the built program is run, on
//! many files at once where that is possible.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use postern_core::config::Mistake;
use serde_json::{Value, json};

const BROKEN: &str = include_str!("../data/broken_configs.json");
const GOOD: &str = include_str!("../data/good_configs.json");
const DANGEROUS: &str = include_str!("../data/dangerous_configs.json");

/// A configuration in which nothing is dangerous.
const CALM: &str = "version: 1\nroutes: [{name: health, match: {path: /healthz}, public: true}]\n";

fn cases(data: &str) -> Vec<Value> {
    serde_json::from_str(data).expect("the data is JSON")
}

fn postern(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(arguments);
    if arguments.first() == Some(&"check") {
        // Registrations end, and a test of them must not.
        command.args(["--time", "2026-11-28T10:00:00Z"]);
    }
    command.output().expect("the tool runs")
}

/// The tool with 30 seconds of CPU time, of which it takes one or two: a clock would count the others
/// on this machine as well.
#[cfg(unix)]
fn bounded(arguments: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "ulimit -t 30; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_postern"),
    ]);
    shell.args(arguments).output().expect("the tool runs")
}

#[cfg(not(unix))]
fn bounded(arguments: &[&str]) -> Output {
    postern(arguments)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("it is UTF-8")
}

/// A file of a test.
fn file(test: &str, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("check")
        .join(test);
    fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join(name);
    fs::write(&path, content).expect("the file can be written");
    path
}

/// The findings of each file, in their order, from one run.
fn checked(files: &[PathBuf]) -> (Vec<Vec<Value>>, Output) {
    let names: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let output = postern(&[&["check", "--format", "json"], &names[..]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    let findings = report["findings"].as_array().expect("there are findings");
    let of = |name: &&str| {
        findings
            .iter()
            .filter(|f| f["file"] == **name)
            .cloned()
            .collect()
    };
    (names.iter().map(of).collect(), output)
}

fn told(finding: &Value) -> String {
    let (path, message) = (&finding["path"], &finding["message"]);
    let (path, message) = (path.as_str().unwrap(), message.as_str().unwrap());
    let colon = if path.is_empty() { "" } else { ": " };
    format!("{path}{colon}{message}")
}

fn errors(findings: &[Value]) -> Vec<&Value> {
    findings
        .iter()
        .filter(|finding| finding["level"] == "error")
        .collect()
}

/// Every rule that the tool lists.
fn rules() -> BTreeSet<String> {
    let path = file("rules", "calm.yaml", CALM);
    let output = postern(&["check", "--format", "sarif", path.to_str().unwrap()]);
    let log: Value = serde_json::from_slice(&output.stdout).expect("the log is JSON");
    let rules = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .expect("there are rules");
    rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_dangerous_configuration_has_exactly_its_warnings() {
    let cases = cases(DANGEROUS);
    let write = |(index, case): (usize, &Value)| {
        file(
            "dangerous",
            &format!("{index}.json"),
            case["config"].to_string(),
        )
    };
    let files: Vec<PathBuf> = cases.iter().enumerate().map(write).collect();
    let (found, output) = checked(&files);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut used = BTreeSet::new();
    for (case, findings) in cases.iter().zip(&found) {
        // What is only suggested is told of many, and has its own test.
        let is_note = |finding: &&Value| finding["level"] == "note";
        let warning = |finding: &Value| {
            let rule = finding["rule"].as_str().unwrap();
            used.insert(rule.to_owned());
            assert_eq!(finding["level"], "warning", "{finding}");
            assert!(finding["line"].as_u64() == Some(1) && finding["column"].is_u64());
            assert!(told(finding).contains("; "), "no remedy: {finding}");
            format!("{} [{rule}]", told(finding))
        };
        let told: Vec<String> = findings
            .iter()
            .filter(|finding| !is_note(finding))
            .map(warning)
            .collect();
        assert_eq!(json!(told), case["warnings"], "{}", case["name"]);
    }
    let dangerous = cases
        .iter()
        .filter(|case| case["warnings"] != json!([]))
        .count();
    assert!(dangerous >= 20);
    // What is not of the configuration itself has its own tests below.
    let elsewhere = [
        "ambiguous-yaml",
        "bypassing-cache",
        "fail-open",
        "invalid-configuration",
        "no-upstreams",
        "proxy-field",
        "proxy-host",
        "proxy-prefix",
        "proxy-rewrite",
        "repaired-path",
        "shared-cache",
        "worth-a-look",
        "written-address",
        "unportable-yaml",
        "wrong-wrapper",
    ];
    let mistakes = Mistake::ALL.iter().map(|mistake| mistake.name());
    let elsewhere = elsewhere.into_iter().chain(mistakes);
    let elsewhere = elsewhere.map(str::to_owned);
    assert_eq!(
        used.into_iter().chain(elsewhere).collect::<BTreeSet<_>>(),
        rules()
    );
}

#[test]
fn every_broken_configuration_is_told_of_with_its_line() {
    let cases = cases(BROKEN);
    let text = |config: &Value| match config {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    };
    let write = |(index, case): (usize, &Value)| {
        file("broken", &format!("{index}.json"), text(&case["config"]))
    };
    let files: Vec<PathBuf> = cases.iter().enumerate().map(write).collect();
    let (found, output) = checked(&files);
    assert_eq!(output.status.code(), Some(1));
    assert!(cases.len() > 50);
    for (case, findings) in cases.iter().zip(&found) {
        let findings = errors(findings);
        assert!(!findings.is_empty(), "{}", case["name"]);
        let written = text(&case["config"]);
        for finding in &findings {
            let (path, line) = (finding["path"].as_str().unwrap(), finding["line"].as_u64());
            let line = written
                .lines()
                .nth(usize::try_from(line.unwrap()).unwrap() - 1);
            let message = finding["message"].as_str().unwrap();
            assert!(message.contains([';', '?']), "{finding}");
            let remedy = finding["remedy"].as_str().unwrap();
            assert!(message.ends_with(&format!("; {remedy}")), "{finding}");
            let mut mistakes = Mistake::ALL.iter().map(|mistake| mistake.name());
            let rule = finding["rule"].as_str().unwrap();
            let is_mistake = mistakes.any(|mistake| mistake == rule);
            assert!(is_mistake || message.starts_with("and "), "{finding}");
            if !case["config"].is_string() {
                let begins = line.unwrap().trim_start();
                assert!(is_place(&case["config"], path, begins), "{path}: {begins}");
            }
        }
        // Here they are in the order of the file.
        if !case["config"].is_string() {
            let listed = |line: &&str| !line.starts_with("and ");
            let lines: Vec<String> = findings.iter().map(|finding| told(finding)).collect();
            let lines: BTreeSet<&str> = lines.iter().map(String::as_str).filter(listed).collect();
            let expected = case["errors"].as_array().unwrap().iter();
            let expected: BTreeSet<&str> =
                expected.filter_map(Value::as_str).filter(listed).collect();
            assert_eq!(lines, expected, "{}", case["name"]);
        }
    }
}

#[test]
fn errors_have_the_rule_of_what_is_wrong() {
    let untyped = BOOTSTRAP.to_owned()
        + "configuration:\n                  version: 1\n                  routes: [{name: a, match: {path: /a}, public: true}]\n";
    let cases: &[(&str, String, &[&str])] = &[
        (
            "twice.yaml",
            format!("{CALM}mode: enforce\nmode: observe\n"),
            &["duplicate"],
        ),
        (
            "tag.yaml",
            format!("{CALM}mode: !secret enforce\n"),
            &["unportable-yaml"],
        ),
        (
            "open.yaml",
            "version: 1\nroutes: [".to_owned(),
            &["unreadable"],
        ),
        ("syntax.json", "{".to_owned(), &["unreadable"]),
        ("empty.yaml", String::new(), &["unreadable"]),
        ("text.yaml", "version\n".to_owned(), &["wrong-type"]),
        ("untyped.yaml", untyped, &["wrong-wrapper"]),
        (
            "several.yaml",
            format!("{CALM}moed: enforce\ntokens: {{max_bytes: 1B, scheme: a b}}\n"),
            &["unknown-field", "out-of-range", "malformed"],
        ),
    ];
    let write = |(name, text, _): &(&str, String, _)| file("kinds", name, text);
    let files: Vec<PathBuf> = cases.iter().map(write).collect();
    let (found, _) = checked(&files);
    for ((name, _, expected), findings) in cases.iter().zip(&found) {
        let rules = errors(findings).into_iter();
        let rules: Vec<&str> = rules.map(|f| f["rule"].as_str().unwrap()).collect();
        assert_eq!(rules, *expected, "{name}: {findings:#?}");
    }
}

#[test]
fn no_error_is_passed_over() {
    let wrong = file("allowed", "wrong.yaml", format!("{CALM}mode: never\n"));
    let wrong = wrong.to_str().unwrap();
    let sarif = postern(&["check", "--format", "sarif", wrong]);
    let log: Value = serde_json::from_slice(&sarif.stdout).expect("the log is JSON");
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array();
    let (refused, passed): (Vec<&Value>, Vec<&Value>) = rules
        .expect("there are rules")
        .iter()
        .partition(|rule| rule["defaultConfiguration"]["level"] == "error");
    let id = |rule: &&Value| rule["id"].as_str().unwrap().to_owned();
    assert!(refused.len() > Mistake::ALL.len());
    for rule in refused.iter().map(id) {
        let output = postern(&["check", "--allow", &rule, wrong]);
        assert_eq!(output.status.code(), Some(2), "{rule}");
        let said = stderr(&output);
        assert!(said.contains("an error cannot be passed over"), "{said}");
        assert!(!said.contains(&format!(" {rule},")), "{said}");
    }
    let passed: Vec<String> = passed.iter().map(id).collect();
    let allowed = passed.iter().flat_map(|rule| ["--allow", rule]);
    let arguments: Vec<&str> = ["check", wrong].into_iter().chain(allowed).collect();
    let output = postern(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("error: mode: is \"never\""));
}

/// Whether a line is where a path leads, as far as it leads.
fn is_place(config: &Value, path: &str, line: &str) -> bool {
    if let Some((_, name)) = path.split_once("[\"") {
        return line.starts_with('"') || name.is_empty();
    }
    let steps = path.replace('[', ".").replace(']', "");
    let mut value = config;
    let mut last: Option<&str> = None;
    for step in steps.split('.') {
        let next = match value {
            Value::Array(elements) => step
                .parse()
                .ok()
                .and_then(|index: usize| elements.get(index)),
            other => other.get(step),
        };
        let Some(next) = next else {
            break;
        };
        last = value.is_object().then_some(step);
        value = next;
    }
    last.is_none_or(|name| line.starts_with(&format!("\"{name}\"")))
}

#[test]
fn every_good_configuration_is_taken() {
    let cases = cases(GOOD);
    let write = |(index, case): (usize, &Value)| {
        file("good", &format!("{index}.json"), case["config"].to_string())
    };
    let files: Vec<PathBuf> = cases.iter().enumerate().map(write).collect();
    let (found, output) = checked(&files);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    // Whatever the core warns of has a rule of its own.
    let rules = found.iter().flatten().map(|finding| &finding["rule"]);
    assert!(!rules.into_iter().any(|rule| rule == "worth-a-look"));
}

/// Documents whose one error is where `@@` stands, and the path of that error.
const PLACES: &[(&str, &str, &str, &str)] = &[
    (
        "yaml.yaml",
        "mode",
        "",
        "# a comment\nversion: 1\nroutes: [{name: health, match: {path: /healthz}, public: true}]\n@@mode: never\n",
    ),
    (
        "flow.yml",
        "routes[0].match.methods[1]",
        "",
        "version: 1\nroutes:\n- name: e\n  match: {path: /a, methods: [GET, @@get]}\n  public: true\n",
    ),
    (
        "json.json",
        "routes[0].mode",
        "",
        "{\"version\": 1,\r\n\t\"routes\": [{\"name\": \"a\", \"match\": {\"path\": \"/é\"}, @@\"mode\": 7, \"public\": true}]}\n",
    ),
    (
        "missing.yaml",
        "routes[1].match",
        "",
        "version: 1\nroutes:\n- {name: a, match: {path: /a}, public: true}\n- @@name: b\n  public: true\n",
    ),
    (
        "literal.yaml",
        "routes[0].match.pth",
        "<filter>.typed_config.config.configuration.value",
        "<bootstrap>configuration:\n                  '@type': type.googleapis.com/google.protobuf.StringValue\n                  value: |\n                    {\n                      \"version\": 1,\n\n                      \"routes\": [\n                        {\"name\": \"e\", \"match\": {\"path\": \"/é\", @@\"pth\": \"/b\"},\n                         \"public\": true}\n                      ]\n                    }\n",
    ),
    (
        "literal-syntax.yaml",
        "<filter>.typed_config.config.configuration.value",
        "",
        "<bootstrap>configuration:\n                  '@type': type.googleapis.com/google.protobuf.StringValue\n                  value: |-\n                    {\n                      \"version\": 1, @@}\n",
    ),
    (
        "folded.yaml",
        "routes[0].name",
        "<filter>.typed_config.config.configuration.value",
        "<bootstrap>configuration:\n                  '@type': type.googleapis.com/google.protobuf.StringValue\n                  value: >-\n                    {\"version\": 1,\n                    \"routes\": [\n                    {@@\"name\": \"a b\", \"match\": {\"path\": \"/a\"}, \"public\": true}]}\n",
    ),
    (
        "single.yaml",
        "limits",
        "<filter>.typed_config.config.configuration.value",
        "<bootstrap>configuration:\n                  '@type': type.googleapis.com/google.protobuf.StringValue\n                  value: '{\"version\": 1, \"responses\": {\"realm\": \"it''s\"}, @@\"limits\": [], \"routes\": [{\"name\": \"a\", \"match\": {\"path\": \"/a\"}, \"public\": true}]}'\n",
    ),
    (
        "double.yaml",
        "limits",
        "<filter>.typed_config.config.configuration.value",
        "<bootstrap>configuration:\n                  '@type': type.googleapis.com/google.protobuf.StringValue\n                  value: \"{\\\"version\\\": 1,\\n @@\\\"limits\\\": [], \\\"routes\\\": [{\\\"name\\\": \\\"a\\\", \\\"match\\\": {\\\"path\\\": \\\"/a\\\"}, \\\"public\\\": true}]}\"\n",
    ),
    (
        "struct.yaml",
        "routes[0].mode",
        "<filter>.typed_config.config.configuration.value",
        "<bootstrap>configuration:\n                  '@type': type.googleapis.com/google.protobuf.Struct\n                  value:\n                    version: 1\n                    routes:\n                    - {name: a, match: {path: /a}, public: true, @@mode: 7}\n",
    ),
    (
        "bootstrap.json",
        "mode",
        "http_filters[0].typed_config.config.configuration.value",
        "{\"http_filters\": [{\"name\": \"postern\", \"typed_config\": {\"config\": {\"vm_config\": {}, \"configuration\": {\"@type\": \"type.googleapis.com/google.protobuf.StringValue\", \"value\": \"{\\\"version\\\": 1, @@\\\"mode\\\": 1, \\\"routes\\\": [{\\\"name\\\": \\\"a\\\", \\\"match\\\": {\\\"path\\\": \\\"\\u002f\\\"}, \\\"public\\\": true}]}\"}}}}]}",
    ),
    (
        "wasmplugin.yaml",
        "version",
        "spec.pluginConfig",
        "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: postern}\nspec:\n  url: oci://registry.example/postern:1\n  failStrategy: FAIL_CLOSE\n  pluginConfig:\n    @@version: 2\n    routes: [{name: a, match: {path: /a}, public: true}]\n",
    ),
    (
        "extension.yaml",
        "version",
        "spec.wasm.pluginConfig",
        "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nspec:\n  wasm:\n    pluginConfig:\n      @@version: 2\n      routes: [{name: a, match: {path: /a}, public: true}]\n",
    ),
    (
        "policy.yaml",
        "routes[0].naem",
        "spec.wasm[1].config",
        "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - {name: other, config: {version: 7}}\n  - name: postern\n    config:\n      version: 1\n      routes:\n      - {name: a, @@naem: b, match: {path: /a}, public: true}\n",
    ),
    (
        "filter.yaml",
        "mode",
        "items[0].spec.configPatches[0].patch.value.typed_config.config.configuration.value",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.istio.io/v1alpha3\n  kind: EnvoyFilter\n  spec:\n    configPatches:\n    - applyTo: HTTP_FILTER\n      patch:\n        value:\n          name: postern\n          typed_config:\n            config:\n              vm_config: {vm_id: a}\n              configuration:\n                \"@type\": type.googleapis.com/google.protobuf.StringValue\n                value: |\n                  {\"routes\": [{\"name\": \"a\", \"match\": {\"path\": \"/a\"}, \"public\": true}],\n                   \"version\": 1, @@\"mode\": \"off\"}\n",
    ),
    (
        "untyped.yaml",
        "<filter>.typed_config.config.configuration",
        "",
        "<bootstrap>configuration:\n                  @@version: 1\n                  routes: [{name: a, match: {path: /a}, public: true}]\n",
    ),
    (
        "second.yaml",
        "mode",
        "",
        "version: 1\nroutes: [{name: a, match: {path: /a}, public: true}]\n---\n# nothing\n---\nversion: 1\nroutes: [{name: a, match: {path: /a}, public: true}]\n@@mode: never\n",
    ),
    (
        "without.yaml",
        "spec.pluginConfig",
        "",
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: postern}\nspec:\n  @@url: oci://registry.example/postern:1\n",
    ),
    (
        "bytes.yaml",
        "<filter>.typed_config.config.configuration",
        "",
        "<bootstrap>configuration:\n                  @@'@type': type.googleapis.com/google.protobuf.BytesValue\n                  value: e30=\n",
    ),
];

const BOOTSTRAP: &str = "static_resources:
  listeners:
  - name: gate
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          use_remote_address: true
          http_filters:
          - name: other
            typed_config: {config: {vm_config: {}, configuration: {'@type': a, value: no}}}
          - name: postern
            typed_config:
              config:
                vm_config: {vm_id: gate}
                ";
const FILTER: &str =
    "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[1]";

#[test]
fn an_error_is_where_it_is_in_the_file_whatever_the_configuration_is_in() {
    let mut files = Vec::new();
    let mut expected = Vec::new();
    for (name, path, within, text) in PLACES {
        let text = text.replace("<bootstrap>", BOOTSTRAP);
        let (before, after) = text.split_once("@@").expect("there is a place");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        files.push(file("places", name, format!("{before}{after}")));
        let at = |path: &str| path.replace("<filter>", FILTER);
        expected.push((line, column, at(path), at(within)));
    }
    let (found, output) = checked(&files);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for ((place, findings), expected) in PLACES.iter().zip(&found).zip(&expected) {
        let (line, column, path, within) = expected;
        let expected = [json!([line, column, path, within])];
        let of = |f: &&Value| json!([f["line"], f["column"], f["path"], f["within"]]);
        let found: Vec<Value> = errors(findings).iter().map(of).collect();
        assert_eq!(found, expected, "{}: {findings:#?}", place.0);
    }
}

#[test]
fn pitfalls_of_yaml_are_told_of_and_none_makes_it_hang() {
    let nested = |text: &str, times: usize| text.repeat(times);
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let list = format!("*a{},", level - 1).repeat(10);
            text += &format!("a{level}: &a{level} [{list}]\n");
        }
        text + CALM
    };
    let with = |line: &str| format!("{CALM}{line}\n");
    let cases: &[(&str, String, &str)] = &[
        (
            "twice",
            with("mode: enforce\nmode: observe"),
            "4:1: error: mode: is there twice, first in line 3; once is needed",
        ),
        (
            "twice inside",
            with("tokens: {scheme: A, header: a, scheme: B}"),
            "3:32: error: tokens.scheme: is there twice",
        ),
        (
            "tab",
            with("tokens:\n\tscheme: A"),
            "4:2: error: the YAML is not read",
        ),
        (
            "tab remedy",
            with("tokens:\n\tscheme: A"),
            "indent with spaces, no tabs",
        ),
        (
            "date",
            with("clients: [{name: a, match: {spiffe: a}, expires: 2027-01-31}]"),
            "3:50: warning: clients[0].expires: is written without quotes, and other readers of YAML take it for a date",
        ),
        (
            "boolean",
            with("responses: {realm: on}"),
            "3:20: warning: responses.realm: is written without quotes, and other readers of YAML take it for a boolean",
        ),
        (
            "merge",
            with("tokens: &t {scheme: A}\nresponses: {<<: *t}"),
            "4:13: error: responses[\"<<\"]: is merged by some readers of YAML",
        ),
        (
            "tag",
            with("mode: !secret enforce"),
            "has the tag \"!secret\", which only some readers know",
        ),
        (
            "infinity",
            with("tokens: {max_bytes: .inf}"),
            "is a number that JSON does not have",
        ),
        (
            "a list as a name",
            with("? [a]\n: b"),
            "is a name that is a list or a map",
        ),
        (
            "recursion",
            "version: 1\nroutes: &r [*r]\n".to_owned(),
            "2:13: error: the alias stands for a value that it is in itself",
        ),
        (
            "unknown alias",
            "version: 1\nroutes: *nobody\n".to_owned(),
            "2:9: error: the YAML is not read",
        ),
        (
            "bomb",
            bomb,
            "error: the aliases stand for more than 200000 values",
        ),
        ("deep", nested("[", 100_000), "error: the YAML is not read"),
        (
            "deep blocks",
            nested("- ", 10_000),
            "error: the YAML is not read",
        ),
        (
            "deep but legal",
            format!(
                "version: 1\nroutes: {}{}\n",
                nested("[", 200),
                nested("]", 200)
            ),
            "nested more than 64 levels deep",
        ),
        (
            "not closed",
            "version: 1\nroutes: [".to_owned(),
            "error: the YAML is not read",
        ),
        (
            "a control character",
            "version: 1\nmode: \"\u{1b}[2J\"\n".to_owned(),
            "error: ",
        ),
        (
            "empty",
            String::new(),
            "1:1: error: there is no configuration",
        ),
        (
            "a text",
            "version\n".to_owned(),
            "1:1: error: the configuration is a text",
        ),
    ];
    let files: Vec<PathBuf> = cases
        .iter()
        .map(|(name, text, _)| file("pitfalls", &format!("{name}.yaml"), text))
        .collect();
    let names: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let output = bounded(&[&["check"], &names[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let lines = stdout(&output);
    for ((name, _, expected), path) in cases.iter().zip(&names) {
        let mut of_file = lines
            .lines()
            .filter(|line| line.starts_with(&format!("{path}:")));
        assert!(
            of_file.any(|line| line.contains(expected)),
            "{name}: {expected}\n{lines}"
        );
    }
    assert!(!lines.contains('\u{1b}'));
}

#[test]
fn a_large_file_is_read_in_time() {
    let routes: String = (0..20_000)
        .map(|n| format!("- {{name: r{n}, match: {{path: /r{n}}}, public: true}}\n"))
        .collect();
    let large = file(
        "large",
        "large.yaml",
        format!("version: 1\nroutes:\n{routes}mode: never\n"),
    );
    let output = bounded(&["check", large.to_str().unwrap()]);
    assert!(
        stdout(&output).contains("large.yaml:20003:1: error: mode: "),
        "{}",
        stdout(&output)
    );
}

#[test]
fn what_a_proxy_is_told_around_a_configuration_is_looked_at() {
    let open = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: postern}\nspec:\n  failStrategy: FAIL_OPEN\n  pluginConfig:\n    version: 1\n    routes: [{name: a, match: {path: /a}, public: true}]\n";
    let gateway = "apiVersion: a\nkind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - failOpen: true\n    config:\n      version: 1\n      routes: [{name: a, match: {path: /a}, public: true}]\n";
    let manager = "http_filters:\n- name: postern\n  typed_config:\n    config:\n      failure_policy: FAIL_OPEN\n      vm_config: {}\n      configuration:\n        '@type': type.googleapis.com/google.protobuf.Struct\n        value: {version: 1, routes: [{name: a, match: {path: /a}, public: true}]}\nnormalize_path: true\nmerge_slashes: true\npath_with_escaped_slashes_action: UNESCAPE_AND_FORWARD\n";
    let files = [
        file("around", "open.yaml", open),
        file("around", "gateway.yaml", gateway),
        file("around", "manager.yaml", manager),
    ];
    let (found, output) = checked(&files);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let rules: Vec<Vec<(u64, &str)>> = found
        .iter()
        .map(|of| {
            of.iter()
                .map(|f| (f["line"].as_u64().unwrap(), f["rule"].as_str().unwrap()))
                .collect()
        })
        .collect();
    assert_eq!(rules[0], [(5, "fail-open")]);
    assert_eq!(rules[1], [(5, "fail-open")]);
    let of_manager = [
        (1, "written-address"),
        (5, "fail-open"),
        (10, "repaired-path"),
        (11, "repaired-path"),
        (12, "repaired-path"),
    ];
    assert_eq!(rules[2], of_manager);
}

#[test]
fn a_public_route_beside_protected_ones_is_told_to_name_its_upstreams() {
    let policy = |more: &str, protected: &str| {
        format!(
            "version: 1\nissuers: [{{name: corp, issuer: 'https://idp.example', audiences: [a], max_lifetime: 1h, keys: {{inline: {{keys: [{{kty: OKP, crv: Ed25519, kid: a, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}}]}}}}}}]\nroutes:\n- {{name: open, match: {{path: /open}}, public: true{more}}}\n- {{name: orders, match: {{path: /orders}}, {protected}}}\n"
        )
    };
    let asks = "allow: {scopes: {all: [a]}}";
    let files = [
        file("upstreams", "open.yaml", policy("", asks)),
        file(
            "upstreams",
            "named.yaml",
            policy(", upstreams: [static]", asks),
        ),
        file(
            "upstreams",
            "default.yaml",
            format!("{}defaults: {{upstreams: [api]}}\n", policy("", asks)),
        ),
        file("upstreams", "calm.yaml", CALM),
    ];
    let (found, output) = checked(&files);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let notes = |of: &Vec<Value>| {
        let noted = of.iter().filter(|finding| finding["level"] == "note");
        noted
            .map(|finding| (finding["rule"].clone(), finding["path"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        notes(&found[0]),
        [(json!("no-upstreams"), json!("routes[0].public"))]
    );
    assert!(found[1..].iter().all(|of| notes(of).is_empty()));
    let denied = postern(&["check", "--deny-warnings", files[0].to_str().unwrap()]);
    assert!(stdout(&denied).contains(": note: routes[0].public: "));
    assert!(
        !stdout(&denied).contains(": warning: "),
        "{}",
        stdout(&denied)
    );
    assert_eq!(denied.status.code(), Some(0));
}

/// The hosts of a policy, the proxy's manager, its virtual hosts, and what is told of them: rule and
/// path.
type Proxied<'a> = (&'a str, &'a str, String, &'a [(&'a str, &'a str)]);

/// A bootstrap with a policy and the routes of its proxy.
fn proxied(hosts: &str, manager: &str, virtual_hosts: &str) -> String {
    let routes = format!(
        "[{{name: a, match: {{path: '/a/{{rest*}}', hosts: {hosts}}}, public: true}}, {{name: b, match: {{path: /b}}, public: true}}]"
    );
    format!(
        "http_filters:\n- name: postern\n  typed_config:\n    config:\n      vm_config: {{}}\n      configuration:\n        '@type': type.googleapis.com/google.protobuf.Struct\n        value: {{version: 1, routes: {routes}}}\nuse_remote_address: true\n{manager}route_config:\n  virtual_hosts:\n{virtual_hosts}"
    )
}

#[test]
fn where_the_proxy_reads_a_request_differently_is_told() {
    let two = "  - {domains: [static.example], routes: [{match: {prefix: /}, route: {cluster: static}}]}\n  - {domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: api}}]}\n";
    let one = |route: &str| {
        format!(
            "  - {{domains: ['*'], routes: [{{match: {{prefix: /}}, route: {{cluster: api}}}}, {route}]}}\n"
        )
    };
    let cases: Vec<Proxied<'_>> = vec![
        ("[static.example]", "", two.to_owned(), &[]),
        (
            "['static.example:8443']",
            "",
            two.to_owned(),
            &[
                ("proxy-host", "route_config.virtual_hosts[0].domains[0]"),
                ("proxy-host", "route_config.virtual_hosts[1].domains[0]"),
            ],
        ),
        (
            "['static.example:*']",
            "",
            two.to_owned(),
            &[("proxy-host", "route_config.virtual_hosts[1].domains[0]")],
        ),
        (
            "['static.example:*']",
            "strip_any_host_port: true\n",
            two.to_owned(),
            &[],
        ),
        (
            "[static.example, other.example]",
            "",
            two.to_owned(),
            &[("proxy-host", "route_config.virtual_hosts[1].domains[0]")],
        ),
        (
            "[static.example, 'static.example.']",
            "strip_trailing_host_dot: true\n",
            one("{match: {prefix: /x/}, route: {cluster: api}}"),
            &[("proxy-host", "strip_trailing_host_dot")],
        ),
        (
            "[a.example]",
            "",
            one("{match: {prefix: /public}, route: {cluster: static}}"),
            &[(
                "proxy-prefix",
                "route_config.virtual_hosts[0].routes[1].match.prefix",
            )],
        ),
        (
            "[a.example]",
            "",
            one("{match: {prefix: /public}, route: {cluster: api}}"),
            &[],
        ),
        (
            "[a.example]",
            "",
            one("{match: {prefix: /public/}, route: {cluster: static}}"),
            &[],
        ),
        (
            "[a.example]",
            "",
            one("{match: {prefix: /p/, case_sensitive: false}, route: {cluster: static}}"),
            &[(
                "proxy-prefix",
                "route_config.virtual_hosts[0].routes[1].match.case_sensitive",
            )],
        ),
        (
            "[a.example]",
            "",
            one(
                "{match: {prefix: /p/, headers: [{name: x-env, present_match: true}, {name: X-Postern-Client, present_match: true}]}, route: {cluster: static}}",
            ),
            &[(
                "proxy-field",
                "route_config.virtual_hosts[0].routes[1].match.headers[1].name",
            )],
        ),
        (
            "[a.example]",
            "",
            one("{match: {safe_regex: {regex: '/x.*'}}, route: {cluster: static}}"),
            &[(
                "proxy-prefix",
                "route_config.virtual_hosts[0].routes[1].match.safe_regex",
            )],
        ),
        (
            "[a.example]",
            "",
            one("{match: {prefix: /x/}, route: {cluster: api, regex_rewrite: {substitution: /}}}"),
            &[(
                "proxy-rewrite",
                "route_config.virtual_hosts[0].routes[1].route.regex_rewrite",
            )],
        ),
        (
            "[a.example]",
            "",
            one("{match: {prefix: /x}, route: {cluster: api, prefix_rewrite: /}}"),
            &[(
                "proxy-rewrite",
                "route_config.virtual_hosts[0].routes[1].route.prefix_rewrite",
            )],
        ),
        (
            "[a.example]",
            "",
            one("{match: {prefix: /x/}, route: {cluster: api, prefix_rewrite: /}}"),
            &[],
        ),
    ];
    let write = |(index, (hosts, manager, routes, _)): (usize, &Proxied<'_>)| {
        file(
            "proxied",
            &format!("{index}.yaml"),
            proxied(hosts, manager, routes),
        )
    };
    let files: Vec<PathBuf> = cases.iter().enumerate().map(write).collect();
    let (found, output) = checked(&files);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for ((hosts, manager, routes, expected), findings) in cases.iter().zip(&found) {
        let told: Vec<(&str, &str)> = findings
            .iter()
            .inspect(|finding| assert!(told(finding).contains("; "), "no remedy: {finding}"))
            .map(|f| (f["rule"].as_str().unwrap(), f["path"].as_str().unwrap()))
            .collect();
        assert_eq!(told, *expected, "{hosts} {manager} {routes}");
    }
}

#[test]
fn a_cache_beside_the_gate_is_told_of() {
    let postern = "- name: postern\n  typed_config:\n    config:\n      vm_config: {}\n      configuration:\n        '@type': type.googleapis.com/google.protobuf.Struct\n        value: {version: 1, routes: [{name: a, match: {path: /a}, public: true}]}\n";
    let cache = "- name: envoy.filters.http.cache\n  typed_config:\n    '@type': type.googleapis.com/envoy.extensions.filters.http.cache.v3.CacheConfig\n";
    let renamed = cache.replace("envoy.filters.http.cache\n", "pages\n");
    let manager = |filters: &[&str]| {
        let filters = filters.concat();
        format!("use_remote_address: true\nhttp_filters:\n{filters}")
    };
    let files = [
        file("cache", "before.yaml", manager(&[cache, postern])),
        file("cache", "behind.yaml", manager(&[postern, &renamed])),
        file("cache", "none.yaml", manager(&[postern])),
    ];
    let (found, _) = checked(&files);
    let rules = |of: &[Value]| -> Vec<String> {
        let rules = of.iter().map(|f| f["rule"].as_str().unwrap().to_owned());
        rules.collect()
    };
    assert_eq!(rules(&found[0]), ["bypassing-cache"]);
    assert_eq!(rules(&found[1]), ["shared-cache"]);
    assert_eq!(rules(&found[2]), [""; 0]);
}

/// What the demo puts in place of its own names.
fn filled(text: &str) -> String {
    let keys = "{keys: [{kty: EC, crv: P-256, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM, alg: ES256, kid: a}]}";
    let policy = "'{\"version\": 1, \"routes\": [{\"name\": \"a\", \"match\": {\"path\": \"/a\"}, \"public\": true}]}'";
    text.replace("algorithms: [RS256]", "algorithms: [ES256]")
        .replace("${KEYS}", keys)
        .replace("${BUNDLE}", "{keys: []}")
        .replace("${POLICY}", policy)
        .replace("${MODULE}", "/postern.wasm")
        .replace("${PORT}", "1")
        .replace("${UPSTREAM_HTTP}", "1")
        .replace("${UPSTREAM_GRPC}", "1")
}

fn yaml_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            yaml_below(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
        {
            found.push(path);
        }
    }
}

/// Sections for examples that show one.
const SECTIONS: &[(&str, &str)] = &[
    ("version", "version: 1"),
    (
        "issuers",
        "issuers: [{name: corp, issuer: a, audiences: [a], keys: {remote: {cluster: a, uri: https://a}}}]",
    ),
    (
        "trust_domains",
        "trust_domains: [{name: prod.example, x509_svid: {from: tls}}]",
    ),
    ("routes", "routes: [{name: a, match: {path: /a}}]"),
    ("audit", "audit: {purpose_header: x-purpose}"),
    ("clients", ""),
    ("unregistered_clients", ""),
    ("limits", ""),
    ("counters", ""),
    ("risk", ""),
    ("source", ""),
    ("tokens", ""),
    ("responses", ""),
];

/// The examples in a page: whole configurations, and sections of one, made whole.
fn examples(page: &str) -> Vec<String> {
    let blocks = page.split("```yaml").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next()?.split_once('\n'));
    blocks
        .filter_map(|(mark, block)| match mark {
            " postern" => Some(block.to_owned()),
            _ => made_whole(block),
        })
        .collect()
}

/// None for what is no section, or only shown in part.
fn made_whole(block: &str) -> Option<String> {
    let named = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let names = block.lines().filter(named);
    let names: Vec<&str> = names
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect();
    let is_section = |name: &&str| SECTIONS.iter().any(|(section, _)| section == name);
    if block.contains("...") || names.is_empty() || !names.iter().all(is_section) {
        return None;
    }
    let missing = SECTIONS
        .iter()
        .filter(|(section, _)| !names.contains(section));
    let missing: Vec<&str> = missing.map(|(_, text)| *text).collect();
    Some(format!("{block}\n{}\n", missing.join("\n")))
}

#[test]
fn whatever_is_there_to_copy_is_good() {
    let root = postern_testkit::root();
    let mut shipped = Vec::new();
    yaml_below(&root.join("envoy"), &mut shipped);
    let mut files = Vec::new();
    for path in shipped {
        let text = fs::read_to_string(&path).unwrap();
        // Requests and what is expected of them.
        if text.contains("\nsteps:\n") {
            continue;
        }
        let name = path.strip_prefix(root).unwrap().display().to_string();
        files.push(file("shipped", &name.replace('/', "-"), filled(&text)));
    }
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    for path in docs.chain([root.join("README.md")]) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let stem = path.file_stem().unwrap().display().to_string();
        for (index, example) in examples(&text).iter().enumerate() {
            files.push(file("shipped", &format!("{stem}-{index}.yaml"), example));
        }
    }
    assert!(files.len() >= 10, "{files:?}");
    let (found, output) = checked(&files);
    let wrong: Vec<&Value> = found.iter().flat_map(|findings| errors(findings)).collect();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{wrong:#?}{}",
        stderr(&output)
    );
}

#[test]
fn the_exit_status_says_what_became_of_it() {
    let calm = file("status", "calm.yaml", CALM);
    let warned = file("status", "warned.yaml", format!("{CALM}mode: observe\n"));
    let wrong = file("status", "wrong.yaml", format!("{CALM}mode: never\n"));
    let other = file(
        "status",
        "other.yaml",
        "apiVersion: v1\nkind: Service\nspec: {}\n",
    );
    let binary = file("status", "binary.yaml", b"version: 1\n\xff");
    let [calm, warned, wrong, other, binary] =
        [&calm, &warned, &wrong, &other, &binary].map(|path| path.to_str().unwrap());
    let cases: &[(&[&str], i32, &str, &str)] = &[
        (
            &[calm],
            0,
            "",
            "postern: 1 configuration in 1 file: 0 errors, 0 warnings\n",
        ),
        (
            &[warned],
            0,
            "warning: mode: observe lets",
            "0 errors, 1 warning\n",
        ),
        (
            &["--deny-warnings", warned],
            1,
            "[observe-mode]",
            "0 errors, 1 warning\n",
        ),
        (
            &["--deny-warnings", "--allow", "observe-mode", warned],
            0,
            "",
            "0 errors, 0 warnings\n",
        ),
        (
            &["--allow", "invalid-configuration", wrong],
            2,
            "",
            "an error cannot be passed over; rules are: address-trust, ",
        ),
        (
            &["--allow", "observed-mode", wrong],
            2,
            "",
            "no rule has this name; rules are: address-trust, ",
        ),
        (&["--deny-warnings", calm], 0, "", ""),
        (
            &[calm, wrong],
            1,
            "error: mode: is \"never\"; accepted are: enforce, observe\n",
            "2 configurations in 2 files: 1 error, 0 warnings",
        ),
        (
            &[calm, "/nowhere.yaml"],
            2,
            "",
            "postern: /nowhere.yaml: No such file",
        ),
        (&[wrong, "/nowhere.yaml"], 2, "error: mode", "No such file"),
        (
            &[other],
            2,
            "",
            "other.yaml: no configuration of Postern is in it",
        ),
        (&[binary], 2, "", "binary.yaml: line 2 is not UTF-8"),
        (&[], 2, "", "required"),
        (&["--format", "xml", calm], 2, "", "sarif"),
    ];
    for (arguments, status, out, err) in cases {
        let output = postern(&[&["check"], *arguments].concat());
        assert_eq!(
            output.status.code(),
            Some(*status),
            "{arguments:?} {}",
            stderr(&output)
        );
        assert!(
            stdout(&output).contains(out),
            "{arguments:?} {}",
            stdout(&output)
        );
        assert!(
            stderr(&output).contains(err),
            "{arguments:?} {}",
            stderr(&output)
        );
    }
}

#[test]
fn standard_input_is_a_file_as_well() {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool runs");
    let input = format!("{CALM}mode: never\n");
    tool.stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = tool.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        "-:3:1: error: mode: is \"never\"; accepted are: enforce, observe\n"
    );
}

/// What SARIF 2.1.0 asks of every log (sections 3.13, 3.14, 3.18, 3.19, 3.27 to 3.30).
fn assert_is_sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    for run in log["runs"].as_array().unwrap() {
        let driver = &run["tool"]["driver"];
        assert!(driver["name"].is_string());
        let rules = driver["rules"].as_array().unwrap();
        let ids: BTreeSet<_> = rules
            .iter()
            .map(|rule| rule["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), rules.len());
        for invocation in run["invocations"].as_array().unwrap() {
            assert!(invocation["executionSuccessful"].is_boolean());
        }
        for result in run["results"].as_array().unwrap() {
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            assert!(
                ["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap())
            );
            assert!(ids.contains(result["ruleId"].as_str().unwrap()));
            for location in result["locations"].as_array().unwrap() {
                let place = &location["physicalLocation"];
                assert!(place["artifactLocation"]["uri"].is_string());
                if let Some(region) = place.get("region") {
                    assert!(region["startLine"].as_u64().unwrap() >= 1);
                    assert!(region["startColumn"].as_u64().unwrap() >= 1);
                }
            }
        }
    }
}

#[test]
fn the_sarif_log_is_one() {
    let wrong = file("sarif", "a file.yaml", format!("{CALM}mode: never\n"));
    let warned = file("sarif", "warned.yaml", format!("{CALM}mode: observe\n"));
    let syntax = file("sarif", "syntax.json", "{");
    let paths = [&wrong, &warned, &syntax].map(|path| path.to_str().unwrap());
    let output = postern(&[&["check", "--format", "sarif", "/nowhere.yaml"], &paths[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    let log: Value = serde_json::from_slice(&output.stdout).expect("the log is JSON");
    assert_is_sarif(&log);
    let run = &log["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert!(
        place["artifactLocation"]["uri"]
            .as_str()
            .unwrap()
            .ends_with("/sarif/a%20file.yaml")
    );
    assert_eq!(place["region"], json!({"startLine": 3, "startColumn": 1}));
    assert_eq!(
        results[0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
        "mode"
    );
    assert_eq!(
        (&results[0]["level"], &results[1]["level"]),
        (&json!("error"), &json!("warning"))
    );
    assert_eq!(
        (&results[0]["ruleId"], &results[1]["ruleId"]),
        (&json!("unknown-word"), &json!("observe-mode"))
    );
    let remedies = [
        &results[0]["properties"]["remedy"],
        &results[1]["properties"]["remedy"],
    ];
    assert_eq!(
        remedies,
        ["accepted are: enforce, observe", "remove it to enforce"]
    );
}

#[test]
fn the_tool_tells_of_itself() {
    let help = stdout(&postern(&["--help"]));
    for command in ["check", "replay", "schema", "completion", "man"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
    let help = stdout(&postern(&["check", "--help"]));
    for said in [
        "exit status",
        "--deny-warnings",
        "sarif",
        "WasmPlugin",
        "Examples:",
    ] {
        assert!(help.contains(said), "{said}: {help}");
    }
    let schema: Value = serde_json::from_slice(&postern(&["schema"]).stdout).unwrap();
    assert_eq!(schema, postern_core::config::json_schema());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&postern(&["completion", shell]));
        assert!(script.contains("deny-warnings"), "{shell}");
    }
    assert!(stdout(&postern(&["man"])).contains(".TH postern 1"));
    let dir = file("man", "x", "").with_file_name("man1");
    let output = postern(&["man", "--dir", dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for page in [
        "postern",
        "postern-check",
        "postern-replay",
        "postern-schema",
    ] {
        let page = fs::read_to_string(dir.join(format!("{page}.1"))).expect(page);
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert_eq!(
        postern(&["man", "--dir", "/dev/null/x"]).status.code(),
        Some(2)
    );
}

#[test]
fn every_rule_is_in_the_documents() {
    let root = postern_testkit::root();
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let pages = docs.map(|entry| entry.unwrap().path());
    let pages = pages.chain([root.join("README.md")]);
    let pages: String = pages
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect();
    for rule in rules() {
        assert!(pages.contains(&format!("`{rule}`")), "{rule}");
    }
}

#[test]
fn every_command_takes_a_configuration_in_what_it_is_given_to_a_proxy_in() {
    let root = postern_testkit::root();
    let events = file(
        "replay",
        "events.jsonl",
        "{\"time\": 1, \"identity\": \"a\", \"route\": \"read-orders\"}\n",
    );
    let bootstrap = root.join("envoy/envoy.yaml");
    let replay =
        |config: &Path| postern(&["replay", config.to_str().unwrap(), events.to_str().unwrap()]);
    assert_eq!(replay(&bootstrap).status.code(), Some(0));
    let broken = fs::read_to_string(&bootstrap)
        .unwrap()
        .replace("\"version\": 1", "\"version\": 2");
    let output = replay(&file("replay", "broken.yaml", broken));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("version: is 2; this version of Postern reads 1 (line "),
        "{}",
        stderr(&output)
    );
    let output = replay(&file("replay", "two.yaml", format!("{CALM}---\n{CALM}")));
    assert!(
        stderr(&output).contains("holds 2 configurations of Postern; a file with one is needed")
    );
}
