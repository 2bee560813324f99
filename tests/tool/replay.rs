//! `postern replay`: recorded traffic, and what would have been done about it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use postern_core::config::Config;
use postern_core::gate::Gate;
use postern_core::host::Property;
use postern_testkit::memory::{MemoryHost, SharedData};
use postern_testkit::stories::{START, at, claims, configuration, events, headers, request, token};
use serde_json::{Value, json};
use std::rc::Rc;

const THIEF: &str = "198.51.100.9:4711";
const HOME: &str = "192.0.2.7:4711";

/// Where a test keeps its files.
fn place(test: &str, file: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("replay")
        .join(test);
    fs::create_dir_all(&folder).unwrap();
    folder.join(file)
}

fn written(test: &str, file: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = place(test, file);
    fs::write(&path, content).unwrap();
    path
}

fn risky() -> Value {
    let mut configuration = configuration(json!([
        {"name": "orders", "match": {"path": "/v1/orders/{id}"}, "allow": {"scopes": {"all": ["orders.read"]}}},
        {"name": "admin", "match": {"path": "/v1/admin"}, "allow": {"scopes": {"all": ["admin"]}}},
        {"name": "health", "match": {"path": "/healthz"}, "public": true},
    ]));
    configuration["risk"] = json!({"warm_up": 50});
    configuration["unregistered_clients"] = json!("allow");
    configuration
}

/// What a gate logs of a steady client, and then of who stole its token: 40 minutes, and one more.
fn audit_log(configuration: &Value) -> Vec<Value> {
    let shared = SharedData::default();
    // The seed of the command line tool: how many different things there were is estimated, and
    // each seed estimates another way.
    shared.overwrite("postern.limits.1.secret", &[7; 16]);
    let config = Config::parse(configuration.to_string().as_bytes()).unwrap();
    let gate = Rc::new(Gate::open(
        config.settings,
        b"",
        &MemoryHost::with_shared(at(0), &shared),
    ));
    let own = |subject: &str| token(&claims(json!({"sub": subject, "exp": START + 3000})));
    let (steady, victim) = (own("steady"), own("victim"));
    let ask = |token: &str, path: &str, source: &str, millis: u64| {
        let mut host = request(path, Some(token), &[]);
        host.share(&shared);
        let came = postern_core::base::Now::from_nanos((START * 1000 + millis) * 1_000_000);
        host.set_now(came);
        host.set_property(Property::SourceAddress, source.as_bytes());
        host.set_property(Property::ResponseCode, &200_i64.to_le_bytes());
        let (_, mut decided) = headers(&gate, &host);
        decided.response_body(2000);
        host.set_now(came.after(std::time::Duration::from_millis(30)));
        decided.finish(&host);
        events(&host).pop().unwrap()
    };
    let mut log = Vec::new();
    for turn in 0..120 {
        let path = format!("/v1/orders/{}", turn % 3);
        log.push(ask(&steady, &path, HOME, turn * 20_000));
        log.push(ask(&victim, &path, HOME, turn * 20_000 + 500));
    }
    for stolen in 0..400 {
        let path = format!("/v1/orders/{}", 1000 + stolen);
        log.push(ask(&victim, &path, THIEF, 2_400_000 + stolen * 100));
        if stolen % 100 == 50 {
            log.push(ask(&steady, "/v1/admin", HOME, 2_400_001 + stolen * 100));
        }
    }
    log
}

/// The log as Envoy writes it, among its own lines.
fn as_envoy_logs(events: &[Value]) -> String {
    let prefix = "[2026-03-02 10:00:00.000][12][info][wasm] [source/extensions/common/wasm/context.cc:1195] wasm log postern:";
    let mut text = "[2026-03-02 10:00:00.000][1][info][main] starting {main loop}\n".to_owned();
    for event in events {
        text.push_str(&format!("{prefix} {event}\n"));
    }
    text
}

/// The same events in the simple form.
fn simple(events: &[Value]) -> String {
    let line = |event: &Value| {
        let event = json!({
            "time": event["time"], "duration": event["duration"], "identity": event["actor"]["user"]["uid"],
            "source": event["src_endpoint"]["ip"], "method": event["api"]["operation"],
            "path": event["http_request"]["url"]["path"], "host": event["api"]["service"]["name"],
            "status": event["http_response"]["code"], "bytes": event["http_response"]["body_length"],
            "token": event["actor"]["user"]["credential_uid"], "reason": event["status_detail"],
        });
        format!("{event}\n")
    };
    events.iter().map(line).collect()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.arg("replay").args(arguments);
    command
}

fn replayed(config: &Path, events: &Path, more: &[&str]) -> Output {
    let mut arguments = vec![config.to_str().unwrap(), events.to_str().unwrap()];
    arguments.extend(more);
    command(&arguments).output().unwrap()
}

fn report(config: &Path, events: &Path, more: &[&str]) -> Value {
    let more: Vec<&str> = ["--format", "json"].iter().chain(more).copied().collect();
    let output = replayed(config, events, &more);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn of<'r>(report: &'r Value, identity: &str) -> &'r Value {
    let shown = report["shown"].as_array().unwrap();
    shown
        .iter()
        .find(|one| one["identity"] == identity)
        .unwrap()
}

#[test]
fn an_audit_log_gives_the_scores_that_the_filter_gave_and_so_does_the_simple_form() {
    let test = "scores";
    let events = audit_log(&risky());
    let config = written(test, "postern.json", risky().to_string());
    let log = written(test, "envoy.log", as_envoy_logs(&events));
    let from_log = report(&config, &log, &[]);
    for identity in ["corp/steady", "corp/victim"] {
        let own: Vec<&Value> = events
            .iter()
            .filter(|event| event["actor"]["user"]["uid"] == identity)
            .collect();
        let highest = own
            .iter()
            .map(|event| event["risk_score"].as_u64().unwrap())
            .max();
        let told = of(&from_log, identity);
        assert_eq!(told["highest"]["score"].as_u64(), highest, "{identity}");
        let denied = own
            .iter()
            .filter(|event| event["status_detail"] == "risk_denied");
        assert_eq!(told["denied"]["requests"], denied.count(), "{identity}");
        let first = own
            .iter()
            .find(|event| event["risk_score"].as_u64() == highest)
            .unwrap();
        // The filter explains only what it does something about.
        if !first["risk_details"].is_null() {
            assert_eq!(told["highest"]["why"], first["risk_details"], "{identity}");
        }
    }
    assert_eq!(from_log["lines"]["no_events"], 1);
    let simple = written(test, "events.jsonl", simple(&events));
    assert_eq!(report(&config, &simple, &[])["shown"], from_log["shown"]);
}

#[test]
fn a_thief_stands_out_and_a_steady_client_does_not() {
    let test = "thief";
    let events = audit_log(&risky());
    let config = written(test, "postern.json", risky().to_string());
    let log = written(test, "envoy.log", as_envoy_logs(&events));
    let report = report(&config, &log, &[]);
    let (steady, victim) = (of(&report, "corp/steady"), of(&report, "corp/victim"));
    assert_eq!(report["shown"][0]["identity"], "corp/victim");
    assert!(steady["highest"]["score"].as_u64() < Some(30), "{steady}");
    for kind in ["tagged", "throttled", "denied"] {
        assert_eq!(
            steady[kind],
            json!({"requests": 0, "first": null}),
            "{kind}"
        );
    }
    for kind in ["throttled", "denied"] {
        assert!(victim[kind]["requests"].as_u64() > Some(0), "{kind}");
        let first = victim[kind]["first"].as_str().unwrap();
        assert!(first >= "2026-03-02T10:40:00Z", "{kind}: {first}");
    }
    let why = victim["highest"]["why"].as_str().unwrap();
    assert!(
        why.contains("token_fanout 1.00") || why.contains("rate_shift"),
        "{why}"
    );
    let curve = victim["score_over_time"].as_array().unwrap();
    let most = curve
        .iter()
        .map(|point| point["score"].as_u64())
        .max()
        .unwrap();
    assert_eq!(most, victim["highest"]["score"].as_u64());

    let table = text(&replayed(&config, &log, &[]));
    assert!(
        table.lines().all(|line| line.chars().count() <= 120),
        "{table}"
    );
    assert!(table.contains("Actions: tag from 30, throttle (cost times 4) from 60, deny from 85."));
    assert!(table.contains("first "), "{table}");
    let alone = text(&replayed(&config, &log, &["--identity", "corp/steady"]));
    assert!(alone.contains("\ncorp/steady ") && !alone.contains("corp/victim"));
    let top = text(&replayed(&config, &log, &["--top", "1"]));
    assert!(top.contains("corp/victim") && !top.contains("corp/steady"));
    assert!(top.contains("1 more identities are not shown."));
}

#[test]
fn what_clients_and_routes_say_otherwise_is_heeded() {
    let test = "otherwise";
    let events = simple(&audit_log(&risky()));
    let lines = events.replace(
        "\"identity\":\"corp/victim\"",
        "\"client\":\"batch\",\"identity\":\"corp/victim\"",
    );
    let log = written(test, "events.jsonl", lines);
    let mut document = risky();
    document["clients"] = json!([{
        "name": "batch", "match": {"issuer": "corp", "subject": "victim"},
        "risk": {"actions": [{"at": 99, "do": "deny"}]},
    }]);
    let config = written(test, "client.json", document.to_string());
    let victim = report(&config, &log, &["--identity", "corp/victim"]);
    let victim = of(&victim, "corp/victim");
    assert_eq!(victim["client"], "batch");
    assert_eq!(victim["own_actions"], json!([{"at": 99, "do": "deny"}]));
    assert_eq!(victim["throttled"]["requests"], 0);
    document["clients"][0]["risk"]["actions"][0]["at"] = json!(70);
    document["routes"][0]["risk"] = json!({"actions": []});
    let config = written(test, "both.json", document.to_string());
    let both = report(&config, &log, &["--identity", "corp/victim"]);
    // The client's word counts more.
    assert!(of(&both, "corp/victim")["denied"]["requests"].as_u64() > Some(0));
    document.as_object_mut().unwrap().remove("clients");
    let config = written(test, "route.json", document.to_string());
    let victim = report(&config, &log, &["--identity", "corp/victim"]);
    assert_eq!(of(&victim, "corp/victim")["denied"]["requests"], 0);
}

#[test]
fn what_was_refused_for_what_it_asked_is_scored_and_nothing_more() {
    let test = "refused";
    let config = written(test, "postern.json", risky().to_string());
    let line = |number: u64| {
        json!({"time": START + number, "identity": "corp/a", "method": "GET", "host": "api.example",
            "path": "/v1/admin", "reason": "scope_missing"})
        .to_string()
    };
    let lines: Vec<String> = (0..60).map(line).collect();
    let log = written(test, "events.jsonl", lines.join("\n"));
    let report = report(&config, &log, &[]);
    let refused = of(&report, "corp/a");
    assert!(refused["highest"]["score"].as_u64() > Some(60), "{refused}");
    let why = refused["highest"]["why"].as_str().unwrap();
    assert!(why.starts_with("denials 1.00"), "{why}");
    for kind in ["tagged", "throttled", "denied"] {
        assert_eq!(refused[kind]["requests"], 0, "{kind}");
    }
}

#[test]
fn the_order_of_the_lines_changes_nothing_and_is_told() {
    let test = "order";
    let events = simple(&audit_log(&risky()));
    let config = written(test, "postern.json", risky().to_string());
    let reversed: Vec<&str> = events.lines().rev().collect();
    let forwards = written(test, "forwards.jsonl", &events);
    let backwards = written(test, "backwards.jsonl", reversed.join("\r\n"));
    let told = errors(&replayed(&config, &backwards, &[]));
    assert!(
        told.contains("643 of the requests came before the one on the line before"),
        "{told}"
    );
    assert!(!errors(&replayed(&config, &forwards, &[])).contains("before"));
    assert_eq!(
        report(&config, &backwards, &[])["shown"],
        report(&config, &forwards, &[])["shown"]
    );
}

#[test]
fn a_configuration_may_be_yaml_and_say_nothing_of_risk() {
    let test = "yaml";
    let yaml =
        "version: 1\nroutes:\n  - name: health\n    match: {path: /healthz}\n    public: true\n";
    let config = written(test, "postern.yaml", yaml);
    let line =
        |number: u64| json!({"time": START + number, "identity": "a", "route": "b"}).to_string();
    let events: Vec<String> = (0..10).map(line).collect();
    let log = written(test, "events.jsonl", events.join("\n"));
    let output = replayed(&config, &log, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(errors(&output).contains("has no section risk; its defaults are used"));
    // Public routes judge nobody.
    let public = json!({"time": 1, "identity": "a", "method": "GET", "path": "/healthz"});
    let public = written(test, "public.jsonl", public.to_string());
    assert_eq!(replayed(&config, &public, &[]).status.code(), Some(2));
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_where_and_what_is_needed() {
    let test = "wrong";
    let config = written(test, "postern.json", risky().to_string());
    let good = r#"{"time": "2026-03-02T10:00:00Z", "identity": "a", "route": "orders"}"#;
    let log = written(test, "good.jsonl", good);
    let cases: &[(&str, String, &str, &[&str])] = &[
        (
            "{\"version\": 1, \"routes\": [], \"risk\": {\"slots\": 1}}",
            good.into(),
            "config: risk.slots",
            &[],
        ),
        ("version: 1\nroutes: [", good.into(), "config: ", &[]),
        ("", good.into(), "config: there is no configuration", &[]),
        (
            "=",
            String::new(),
            "nothing can be replayed: 0 lines read",
            &[],
        ),
        (
            "=",
            "hello\n{}\n".into(),
            "2 lines read, 2 are no events",
            &[],
        ),
        ("=", "\n{\"time\":".into(), "events line 2: EOF", &[]),
        (
            "=",
            "{\"identity\": \"a\", \"time\": NaN}".into(),
            "events line 1: expected value",
            &[],
        ),
        (
            "=",
            "[".repeat(100_000) + "{" + &"[".repeat(100_000),
            "nothing can be replayed",
            &[],
        ),
        ("=", "{\"a\":".repeat(100_000), "events line 1: EOF", &[]),
        (
            "=",
            format!("{{\"identity\": \"{}\"}}", "a".repeat(2 << 20)),
            "is longer than 1048576 bytes",
            &[],
        ),
        ("=", good.into(), "--identity b: none", &["--identity", "b"]),
        (
            "=",
            good.into(),
            "ends in .svg or .html",
            &["--plot", "plot.png"],
        ),
        ("=", good.into(), "--top", &["--top", "0"]),
    ];
    for (document, events, expected, more) in cases {
        let own = if *document == "=" {
            risky().to_string()
        } else {
            (*document).to_owned()
        };
        let (config, log) = (
            written(test, "config", own),
            written(test, "events", events),
        );
        let output = replayed(&config, &log, more);
        let told = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{expected}: {told}");
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(output.stdout.is_empty(), "{expected}");
    }
    for (config, log) in [(&config, Path::new("/nowhere")), (&log, log.as_path())] {
        assert_eq!(replayed(config, log, &[]).status.code(), Some(2));
    }
}

#[test]
fn wrong_lines_among_good_ones_are_counted_and_the_first_are_shown() {
    let test = "some";
    let config = written(test, "postern.json", risky().to_string());
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for wrong in [
        "{\"time\": -1, \"identity\": \"a\", \"route\": \"r\"}",
        "{\"",
        "{\"time\": 1, \"identity\": {}, \"route\": \"r\"}",
    ] {
        lines.extend([
            wrong.as_bytes().to_vec(),
            b"{\"identity\": \"\xff\"}".to_vec(),
        ]);
    }
    lines.push(b"{\"time\": 4294967295, \"identity\": \"a\\u0000\\u001b[2J<&\", \"route\": \"orders\", \"bytes\": 18446744073709551615, \"duration\": 18446744073709551615}".to_vec());
    lines.push(
        b"{\"time\": 0, \"identity\": \"a\\u0000\\u001b[2J<&\", \"route\": \"orders\"}".to_vec(),
    );
    let mut child = command(&[config.to_str().unwrap(), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&lines.join(&b'\n'))
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let told = errors(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("- line 1: time is -1.0; RFC 3339"), "{told}");
    assert!(told.contains("- line 2: is not UTF-8"), "{told}");
    assert!(told.contains("1 more lines are wrong"), "{told}");
    let table = text(&output);
    assert!(
        table.contains("6 are wrong") && !table.contains('\u{1b}'),
        "{table}"
    );
    assert!(table.contains("a\\u{0}\\u{1b}[2J<&"), "{table}");
}

#[test]
fn a_plot_is_well_formed_and_has_a_line_for_each_identity() {
    let test = "plot";
    let config = written(test, "postern.json", risky().to_string());
    let hostile = "</text><script>alert(\"1\")</script>&\u{1}\u{202e}é";
    let mut events = simple(&audit_log(&risky()));
    events
        .push_str(&json!({"time": START + 60, "identity": hostile, "route": "orders"}).to_string());
    let log = written(test, "events.jsonl", events);
    for (file, more) in [("plot.svg", 0), ("plot.html", 1)] {
        let plot = place(test, file);
        let output = replayed(&config, &log, &["--plot", plot.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        let plot = fs::read_to_string(plot).unwrap();
        let elements = elements(plot.strip_prefix("<!DOCTYPE html>\n").unwrap_or(&plot));
        let count = |name: &str| elements.iter().filter(|element| *element == name).count();
        assert_eq!(count("polyline"), 3);
        assert_eq!((count("script"), count("pre")), (0, more));
        assert_eq!(plot.matches("class=\"threshold\"").count(), 3);
        assert_eq!(plot.matches("class=\"legend\"").count(), 3);
        for label in [
            "30 tag",
            "60 throttle, cost x4",
            "85 deny",
            ">10:20<",
            ">2026-03-02<",
        ] {
            assert!(plot.contains(label), "{file}: {label}");
        }
    }
}

#[test]
#[ignore = "shows how fast it is: cargo test --release --test tool replay -- --ignored --nocapture"]
fn a_million_requests_of_a_thousand_identities_are_replayed() {
    let test = "speed";
    let config = written(test, "postern.json", risky().to_string());
    let mut lines = String::new();
    for number in 0..1_000_000_u64 {
        let (time, who) = (START * 1000 + number * 85, number * 7919 % 1000);
        let (network, order) = (who % 256, number % 50);
        lines.push_str(&format!(
            "{{\"time\":{time},\"identity\":\"corp/{who}\",\"source\":\"10.0.{network}.7:4711\",\"method\":\"GET\",\"path\":\"/v1/orders/{order}\",\"status\":200,\"bytes\":{order},\"token\":\"{who}\",\"duration\":30}}\n"
        ));
    }
    let log = written(test, "events.jsonl", lines);
    let start = std::time::Instant::now();
    let report = report(&config, &log, &[]);
    println!("{:?}", start.elapsed());
    assert_eq!(
        (&report["requests"], &report["identities"]),
        (&json!(1_000_000), &json!(1000))
    );
    fs::remove_file(log).unwrap();
}

/// The names of the elements of a document, which has to be well-formed: every element is closed in
/// its place, attributes are quoted and of different names, and nothing else stands for markup.
fn elements(document: &str) -> Vec<String> {
    let (mut open, mut all): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = document.trim_end();
    loop {
        let (content, tag) = rest.split_once('<').unwrap_or((rest, ""));
        check_content(content);
        assert!(!open.is_empty() || content.is_empty() && !(tag.is_empty() && all.is_empty()));
        if tag.is_empty() {
            assert!(open.is_empty(), "not closed: {open:?}");
            return all;
        }
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        assert!(!open.is_empty() || all.is_empty(), "one root");
        let empty = tag.ends_with('/');
        let (name, attributes) = tag
            .trim_end_matches('/')
            .split_once(' ')
            .unwrap_or((tag, ""));
        check_attributes(attributes);
        all.push(name.to_owned());
        if !empty {
            open.push(name);
        }
    }
}

fn check_content(content: &str) {
    assert!(!content.contains('>'));
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!content.contains(control), "{content:?}");
    for entity in content.split('&').skip(1) {
        let (name, _) = entity.split_once(';').expect("an entity ends");
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "{name}");
    }
}

fn check_attributes(mut attributes: &str) {
    let mut names = Vec::new();
    while !attributes.is_empty() {
        let (name, rest) = attributes
            .split_once("=\"")
            .expect("an attribute has a value");
        let (value, rest) = rest.split_once('"').expect("a value ends");
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "{name}"
        );
        assert!(!names.contains(&name), "{name} is there twice");
        check_content(value);
        names.push(name);
        attributes = rest.trim_start();
    }
}
