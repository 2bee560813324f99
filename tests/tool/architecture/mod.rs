//! The imports of the core, held to the map in docs/ARCHITECTURE.md.
//!
//! A room is a module of `src/core`, and imports another one if code of it that is no test's names
//! a path there. What re-exports hand on counts as the file that it is in.

mod graph;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::reference::page;
use graph::{Edges, knots};
use source::Source;

/// Imports that the map does not have, and why they are there all the same. Each goes with its
/// reason: the test fails where one is no longer needed.
const STRAY: &[(&str, &str, &str)] = &[];

/// Files of one room that need each other, and why they may.
const KNOTS: &[(&[&str], &str)] = &[
    (
        &["caller", "caller/certificate", "caller/refused"],
        "a judge has what certificates and refused tokens are remembered in, and they judge by it",
    ),
    (
        &[
            "config/allow",
            "config/client",
            "config/limit",
            "config/model",
            "config/route",
            "config/source",
        ],
        "a section compiles beside those that it refers to, into one model",
    ),
    (
        &["config/list", "config/schema", "config/when", "config/wire"],
        "wire types name what their schema is made by, and the schema what they are read by",
    ),
    (
        &["crypto/ec_key", "crypto/rsa_key", "crypto/verifying_key"],
        "a key is of a kind, and each kind fails as a key does",
    ),
    (
        &["crypto/host", "crypto/known_answers"],
        "the proxy is asked where an answer was known, and asking is how that is found out",
    ),
    (
        &[
            "gate",
            "gate/decided",
            "gate/expiry",
            "gate/opened",
            "gate/waiting",
        ],
        "states of one request become each other, and all of them have the gate",
    ),
    (
        &["gate/refresh", "gate/refresh/source"],
        "a source is asked with what all sources share",
    ),
    (
        &["limits", "limits/pressure", "limits/store"],
        "the store counts in types of the room's own file",
    ),
    (
        &[
            "risk/profile",
            "risk/score",
            "risk/settings",
            "risk/signals",
            "risk/signals/denials",
            "risk/signals/failures",
            "risk/signals/familiar",
            "risk/signals/field",
            "risk/signals/measure",
            "risk/signals/memory",
            "risk/signals/new_route",
            "risk/signals/new_source",
            "risk/signals/odd_hour",
            "risk/signals/token_fanout",
            "risk/signals/words",
        ],
        "a signal is a number or a memory of a profile, settings are the signals' fields, and a profile is scored by both",
    ),
    (
        &["spiffe/xfcc", "spiffe/xfcc_error"],
        "an error says the bound that was passed",
    ),
];

#[test]
fn rooms_import_what_the_map_has_and_the_map_has_what_they_import() {
    let map = Map::read();
    let sources = sources();
    let rooms: BTreeSet<String> = sources
        .iter()
        .map(|source| source.module[0].clone())
        .collect();
    let imports = between_rooms(&sources, &rooms);
    let stray: Edges = STRAY.iter().map(|(from, to, _)| edge(from, to)).collect();

    let wrong: Vec<_> = imports
        .difference(&map.allowed)
        .filter(|edge| !stray.contains(edge))
        .collect();
    assert!(
        wrong.is_empty(),
        "not in the map of docs/ARCHITECTURE.md: {wrong:?}"
    );
    let gone: Vec<_> = stray
        .iter()
        .filter(|edge| !imports.contains(edge) || map.allowed.contains(edge))
        .collect();
    assert!(
        gone.is_empty(),
        "no longer stray, so take them out of the list: {gone:?}"
    );
    let unused: Vec<_> = map
        .allowed
        .iter()
        .filter(|edge| !imports.contains(edge) && !map.aimed.contains(edge))
        .collect();
    assert!(
        unused.is_empty(),
        "in the map, and no code needs it: {unused:?}"
    );
    let there: Vec<_> = map.aimed.intersection(&imports).collect();
    assert!(
        there.is_empty(),
        "the map says that it is only aimed at, and it is there: {there:?}"
    );

    let missing: Vec<_> = rooms.difference(&map.rooms).collect();
    assert!(
        missing.is_empty(),
        "rooms that the map does not have: {missing:?}"
    );
    let empty: Vec<_> = map
        .rooms
        .iter()
        .filter(|room| !rooms.contains(*room) && !map.planned.contains(*room))
        .collect();
    assert!(
        empty.is_empty(),
        "rooms of the map that are not there: {empty:?}"
    );
    let built: Vec<_> = map.planned.intersection(&rooms).collect();
    assert!(
        built.is_empty(),
        "the map says that they are only aimed at, and they are there: {built:?}"
    );
}

#[test]
fn no_two_rooms_of_the_map_need_each_other() {
    let knots = knots(&Map::read().allowed);
    assert!(knots.is_empty(), "{knots:?}");
}

#[test]
fn files_of_a_room_need_each_other_only_where_it_says_why() {
    let sources = sources();
    let found: BTreeSet<Vec<String>> = knots(&between_files(&sources)).into_iter().collect();
    let known = KNOTS
        .iter()
        .map(|(files, _)| files.iter().map(ToString::to_string).collect());
    let known: BTreeSet<Vec<String>> = known.collect();
    let wrong: Vec<_> = found.difference(&known).collect();
    assert!(wrong.is_empty(), "files that need each other: {wrong:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(
        gone.is_empty(),
        "no such knot any more, so take it out of the list: {gone:#?}"
    );
}

/// Names of types that several files may have, and why.
const SEVERAL: &[(&str, &str)] = &[("Settings", "what a room runs on, of each room its own")];

#[test]
fn a_type_name_has_one_meaning() {
    // What stands in a document is named as its field is, beside what that compiles to.
    let words = [
        ["config", "wire"],
        ["config", "schema"],
        ["config", "risk_schema"],
    ];
    let mut places = BTreeMap::<String, BTreeSet<String>>::new();
    for source in sources() {
        if !words.iter().any(|file| source.module == file) {
            for name in source.types {
                let file = source.module.join("/");
                places.entry(name).or_default().insert(file);
            }
        }
    }
    assert!(places.len() > 200, "types are found");
    places.retain(|name, files| {
        files.len() > 1 && !SEVERAL.iter().any(|(several, _)| several == name)
    });
    assert!(
        places.is_empty(),
        "names with several meanings: {places:#?}"
    );
}

/// The table of rooms in docs/ARCHITECTURE.md.
#[derive(Default)]
struct Map {
    rooms: BTreeSet<String>,
    /// Rooms that are not there yet.
    planned: BTreeSet<String>,
    allowed: Edges,
    /// Imports that are allowed and not there yet.
    aimed: Edges,
}

impl Map {
    fn read() -> Self {
        let text = fs::read_to_string(page::root().join("docs/ARCHITECTURE.md"))
            .expect("the page is there");
        let (_, rest) = text
            .split_once("<!-- map -->")
            .expect("the map has a beginning");
        let (table, _) = rest.split_once("<!-- end -->").expect("the map has an end");
        let mut map = Self::default();
        let rows = table
            .lines()
            .filter(|line| line.starts_with("| `") || line.starts_with("| *`"));
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [room, _, imports] = cells.as_slice() else {
                panic!("a row of three cells: {row}")
            };
            let (room, is_planned) = marked(room);
            if is_planned {
                map.planned.insert(room.clone());
            }
            for import in imports
                .split(' ')
                .filter(|import| !import.is_empty() && *import != "—")
            {
                let (to, is_aimed) = marked(import);
                let edge = edge(&room, &to);
                if is_aimed || is_planned {
                    map.aimed.insert(edge.clone());
                }
                map.allowed.insert(edge);
            }
            map.rooms.insert(room);
        }
        map
    }
}

/// A room's name, and whether the map marks it as aimed at: `*` around it.
fn marked(text: &str) -> (String, bool) {
    let name = text.trim_matches('*').trim_matches('`');
    (name.to_owned(), text.starts_with('*'))
}

fn edge(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

/// The files of the core that are no test's.
fn sources() -> Vec<Source> {
    let core = page::root().join("src/core");
    let files = page::files("src/core").into_iter();
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut sources: Vec<Source> = files.map(|file| Source::read(&core, &file)).collect();
    let tests: Vec<Vec<String>> = sources
        .iter()
        .flat_map(|source| {
            let below =
                |name: &String| [source.module.as_slice(), std::slice::from_ref(name)].concat();
            source.tests.iter().map(below)
        })
        .collect();
    // The crate's own file only says which rooms there are.
    sources.retain(|source| {
        source.module != ["lib"] && !tests.iter().any(|test| source.module.starts_with(test))
    });
    sources
}

fn between_rooms(sources: &[Source], rooms: &BTreeSet<String>) -> Edges {
    let mut found = Edges::new();
    for source in sources {
        let brought = source.brought.iter().map(|(_, path)| path);
        for path in source.named.iter().chain(brought) {
            let [first, room, ..] = path.as_slice() else {
                continue;
            };
            if first == "crate" && *room != source.module[0] && rooms.contains(room) {
                found.insert(edge(&source.module[0], room));
            }
        }
    }
    found
}

/// Which file of a room needs what is in which other one of it.
fn between_files(sources: &[Source]) -> Edges {
    let files: Files<'_> = sources
        .iter()
        .map(|source| (source.module.as_slice(), source))
        .collect();
    let mut found = Edges::new();
    for source in sources {
        for path in &source.named {
            let Some(to) = file_of(&files, source, path, 0) else {
                continue;
            };
            if to != source.module && to[0] == source.module[0] {
                found.insert(edge(&source.module.join("/"), &to.join("/")));
            }
        }
    }
    found
}

type Files<'a> = BTreeMap<&'a [String], &'a Source>;

/// The file that a path leads to from a file, through what others hand on. None for what is the
/// file's own, or of another crate.
fn file_of<'a>(
    files: &Files<'a>,
    from: &'a Source,
    path: &[String],
    depth: usize,
) -> Option<&'a [String]> {
    // A name may be handed on under itself.
    if depth > 8 {
        return None;
    }
    let is_absolute = path.first().is_some_and(|first| first == "crate");
    let (mut at, mut rest) = if is_absolute {
        (*files.get(path.get(1..2)?)?, path.get(2..)?)
    } else {
        (from, path)
    };
    // A module that is named alone is a field or a variable of its name.
    while rest.len() > 1 || is_absolute {
        let Some((first, below)) = rest.split_first() else {
            break;
        };
        let child = [at.module.as_slice(), std::slice::from_ref(first)].concat();
        let Some(source) = files.get(child.as_slice()) else {
            break;
        };
        (at, rest) = (source, below);
    }
    let Some((item, below)) = rest.split_first() else {
        return Some(&at.module);
    };
    if let Some((_, path)) = at.brought.iter().find(|(name, _)| name == item) {
        return file_of(files, at, &[path.as_slice(), below].concat(), depth + 1);
    }
    (is_absolute || !std::ptr::eq(at, from)).then_some(&at.module)
}
