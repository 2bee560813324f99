//! What holds for every path, template and table, however they are made.

use proptest::prelude::*;

use super::{
    Authority, HostPattern, PathTemplate, RouteMatch, RouteTable, Segment, Specificity, Unmatched,
};
use crate::base::Id as _;
use crate::request::{Method, NormalPath, parameter};

/// Few names, so that routes and requests meet often.
const HOSTS: &[&str] = &[
    "a.example",
    "b.a.example",
    "c.b.a.example",
    "other",
    "other:80",
    "other:080",
    "other:",
    "other.",
    "b.a.example.:80",
    "b.a.example:80",
    "c.b.a.example:8443",
    "bad host",
    "",
];
const PATTERNS: &[&str] = &[
    "a.example",
    "*.example",
    "*.example:80",
    "*.a.example",
    "*.a.example:*",
    "b.a.example",
    "b.a.example:*",
    "other",
    "other:80",
];
const METHODS: &[&str] = &["GET", "PUT", "PURGE"];
const NAMES: &[&str] = &[
    "a", "b", "c", "", "a;x", "%61", "a%3Bx", "%62;y", "c%C3%A9", "c%c3%a9", "cé",
];

fn any_template() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        3 => Just("a"), 2 => Just("b"), 3 => Just("{}"), 1 => Just("c"), 1 => Just("c%C3%A9")
    ];
    let end = prop_oneof![4 => Just(""), 1 => Just("/"), 2 => Just("/{rest*}")];
    (prop::collection::vec(segment, 0..4), end).prop_map(|(segments, end)| {
        let numbered = segments.iter().enumerate();
        let path: String = numbered
            .map(|(index, segment)| format!("/{}", segment.replace("{}", &format!("{{p{index}}}"))))
            .collect();
        format!(
            "{path}{}",
            if path.is_empty() && end.is_empty() {
                "/"
            } else {
                end
            }
        )
    })
}

fn any_route() -> impl Strategy<Value = RouteMatch> {
    let hosts = prop::sample::subsequence(PATTERNS, 0..=2);
    let methods = prop::sample::subsequence(METHODS, 0..=2);
    (hosts, methods, any_template()).prop_map(|(hosts, methods, path)| RouteMatch {
        hosts: hosts
            .iter()
            .map(|text| HostPattern::parse(text).unwrap())
            .collect(),
        methods: methods
            .iter()
            .map(|text| Method::parse(text).unwrap())
            .collect(),
        path: PathTemplate::parse(&path).unwrap(),
    })
}

/// Routes that do not overlap: each is kept only where it goes with those before.
fn any_table() -> impl Strategy<Value = RouteTable<()>> {
    prop::collection::vec(any_route(), 0..24).prop_map(|routes| {
        let mut kept: Vec<(RouteMatch, ())> = Vec::new();
        for route in routes {
            kept.push((route, ()));
            if RouteTable::compile(kept.clone()).is_err() {
                kept.pop();
            }
        }
        RouteTable::compile(kept).unwrap()
    })
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(NAMES), 1..5)
        .prop_map(|names| format!("/{}", names.join("/")))
}

/// The most specific route by looking at every one.
fn linear(table: &RouteTable<()>, host: &str, method: &str, path: &NormalPath) -> Option<usize> {
    let matching = table.iter().enumerate().filter_map(|(index, (route, ()))| {
        Some((Specificity::of(route, host, method, path)?, index))
    });
    named(table, method, matching.max()?.1)
}

/// The route, if it is for that method.
fn named(table: &RouteTable<()>, method: &str, index: usize) -> Option<usize> {
    let (route, ()) = table.iter().nth(index)?;
    (!route.methods.is_empty() || Method::is_ordinary(method)).then_some(index)
}

/// The most specific route of those whose literals are met by the bytes of the path, as a reader has
/// it that decodes nothing.
fn verbatim(table: &RouteTable<()>, host: &str, method: &str, sent: &str) -> Option<usize> {
    let path = NormalPath::parse(sent.as_bytes()).ok()?;
    let matching = table.iter().enumerate().filter_map(|(index, (route, ()))| {
        let kind = Specificity::of(route, host, method, &path)?;
        let text = route.path.example("{}");
        let mut pairs = text.split('/').zip(sent.split('/'));
        pairs
            .all(|(written, sent)| written == "{}" || written == sent)
            .then_some((kind, index))
    });
    named(table, method, matching.max()?.1)
}

/// The host by other readings, where no route of the table names its port.
fn other_hosts(host: &str) -> Vec<String> {
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let names = [name, name.trim_end_matches('.')];
    let number = port.trim_start_matches('0');
    let with = |name: &&str| [(*name).to_owned(), format!("{name}:{number}")];
    let mut hosts: Vec<String> = names.iter().flat_map(with).collect();
    hosts.retain(|host| !host.ends_with(':'));
    hosts
}

/// The path by other readings that decode or drop parameters, one after the other.
fn other_paths(sent: &str) -> Vec<String> {
    let decode = |path: &str| {
        let mut path = path.to_owned();
        for (encoded, byte) in [
            ("%61", "a"),
            ("%62", "b"),
            ("%3B", ";"),
            ("%C3%A9", "é"),
            ("%c3%a9", "é"),
        ] {
            path = path.replace(encoded, byte);
        }
        path
    };
    let bare = |path: &str| {
        let segments = path
            .split('/')
            .map(|segment| segment.split(';').next().unwrap());
        segments.collect::<Vec<_>>().join("/")
    };
    let decoded = decode(sent);
    vec![bare(&decoded), decode(&bare(sent)), decoded]
}

/// Whether a template matches, segment by segment, with nothing in common with `capture`.
fn naive_match(template: &[Segment], path: &[&str]) -> bool {
    match (template, path) {
        ([], []) => true,
        ([Segment::Rest(_)], [_, ..]) => true,
        ([Segment::Literal(text), template @ ..], [head, path @ ..]) => {
            text == head && naive_match(template, path)
        }
        ([Segment::Parameter(_), template @ ..], [head, path @ ..]) => {
            !head.is_empty() && naive_match(template, path)
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn no_two_readings_of_one_request_lead_to_two_routes(
        table in any_table(),
        host in prop::sample::select(HOSTS),
        method in prop::sample::select(&["GET", "PUT", "PURGE", "MADE-UP"][..]),
        sent in any_path(),
    ) {
        let Ok(path) = NormalPath::parse(sent.as_bytes()) else { return Ok(()) };
        let as_decoded = linear(&table, host, method, &path);
        let found = match table.find(host, method, &path) {
            Ok(found) => found,
            Err(Unmatched::Unknown) => {
                let unread = !host.is_empty() && Authority::of(host).is_none();
                prop_assert!(as_decoded.is_none() || unread);
                return Ok(());
            }
            // Not more is refused than has to be: the path has another reading, or the host.
            Err(Unmatched::Path) => {
                prop_assert!(sent.contains(['%', ';', 'é']));
                return Ok(());
            }
            Err(Unmatched::Host) => {
                prop_assert!(host.contains(':') || host.ends_with('.'));
                return Ok(());
            }
        };
        let index = Some(found.id.place());
        prop_assert_eq!(as_decoded, index);
        prop_assert_eq!(verbatim(&table, host, method, &sent), index);
        let names_port = found.matching.hosts.iter().any(|pattern| {
            !pattern.any_port() && Authority::of(host).is_some_and(|host| pattern.matches(&host))
        });
        let mut hosts = vec![host.to_owned()];
        if !names_port {
            hosts.extend(other_hosts(host));
        }
        for host in &hosts {
            prop_assert_eq!(linear(&table, host, method, &path), index, "{}", host);
            for reading in other_paths(&sent) {
                let Ok(path) = NormalPath::parse(reading.as_bytes()) else { continue };
                prop_assert_eq!(linear(&table, host, method, &path), index, "{} {}", host, reading);
            }
        }
    }

    #[test]
    fn a_plain_request_finds_the_most_specific_route(
        table in any_table(),
        host in prop::sample::select(&["a.example", "b.a.example", "c.b.a.example", "other", ""][..]),
        method in prop::sample::select(METHODS),
        path in any_path(),
    ) {
        if path.contains(['%', ';', 'é']) {
            return Ok(());
        }
        let Ok(path) = NormalPath::parse(path.as_bytes()) else { return Ok(()) };
        let found = table.find(host, method, &path).map(|matched| matched.id.place()).ok();
        prop_assert_eq!(found, linear(&table, host, method, &path));
    }

    #[test]
    fn two_routes_of_a_table_are_never_equally_specific(
        table in any_table(),
        host in prop::sample::select(HOSTS),
        path in any_path(),
    ) {
        let Ok(path) = NormalPath::parse(path.as_bytes()) else { return Ok(()) };
        for method in METHODS {
            let mut matching: Vec<Specificity> = table
                .iter()
                .filter_map(|(route, ())| Specificity::of(route, host, method, &path))
                .collect();
            matching.sort();
            let count = matching.len();
            matching.dedup();
            prop_assert_eq!(matching.len(), count);
        }
    }

    #[test]
    fn an_overlap_is_found_where_two_routes_are_equally_specific(
        first in any_route(),
        second in any_route(),
        path in any_path(),
        host in prop::sample::select(HOSTS),
        method in prop::sample::select(METHODS),
    ) {
        let Ok(path) = NormalPath::parse(path.as_bytes()) else { return Ok(()) };
        let of = |route: &RouteMatch| Specificity::of(route, host, method, &path);
        let alike = of(&first).is_some() && of(&first) == of(&second);
        let compiled = RouteTable::compile(vec![(first, ()), (second, ())]);
        prop_assert!(!alike || compiled.is_err());
    }

    #[test]
    fn a_template_matches_what_a_naive_matcher_does(template in any_template(), path in any_path()) {
        let Ok(path) = NormalPath::parse(path.as_bytes()) else { return Ok(()) };
        let template = PathTemplate::parse(&template).unwrap();
        let segments: Vec<&str> = path.segments().collect();
        let captured = template.capture(&path);
        prop_assert_eq!(captured.is_some(), naive_match(template.segments(), &segments));
    }

    #[test]
    fn no_bytes_make_a_path_panic_and_what_is_read_has_one_reading(
        raw in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "/[a-c./;%0-9efEF\\\\#?]{0,24}".prop_map(String::into_bytes),
        ],
    ) {
        let Ok(path) = NormalPath::parse(&raw) else { return Ok(()) };
        let segments: Vec<&str> = path.segments().collect();
        prop_assert!(segments.iter().all(|s| !s.contains(['/', '\\', '\0']) && *s != "." && *s != ".."));
        let middle = segments.split_last().map_or(&[][..], |(_, middle)| middle);
        prop_assert!(middle.iter().all(|segment| !segment.is_empty()));
        // Decoding again changes nothing.
        if !path.as_str().contains(['%', '?', '#', ' ']) {
            let again = NormalPath::parse(path.as_str().as_bytes());
            let again = again.as_ref().map(NormalPath::as_str);
            prop_assert_eq!(again, Ok(path.as_str()));
        }
    }

    #[test]
    fn no_template_text_panics(text in "/?[a-c{}*./;%0-9]{0,24}") {
        let _ = PathTemplate::parse(&text);
    }

    #[test]
    fn no_query_panics(query: String, name: String) {
        let _ = parameter(Some(&query), &name);
    }
}
