//! Clients and attackers, made up from seeds, against the risk score with its defaults.
//!
//! `clients` says what clients do, `attacks` what is done with their identities, `run` judges one
//! request after the other, `report` tells what became of them. Every attack is made on every kind
//! of client; each has one victim that is likely, on which it has to be seen. The tables are printed
//! by `cargo test --test it risk_traffic -- --nocapture`, those of more identities and of all 45 days by
//! `cargo test --release --test it risk_traffic -- --ignored --nocapture`.

mod attacks;
mod clients;
mod random;
mod report;
mod run;

use std::sync::LazyLock;

use attacks::{ATTACKS, Attack};
use clients::{DAYS, KINDS, Kind, LOOKALIKES};
use report::{Attacked, Client, Watched};

/// An attack has to be throttled before it has made more requests.
const SOON: u64 = 200;

/// What clients are tagged for: hours of an identity, and why. No others are tagged.
const TAGGED: &[(&str, u32, &str)] = &[
    (
        "service",
        1,
        "more than 500 items in ten minutes, without a past",
    ),
    ("nightly batch", 1, "its first night: the same"),
    ("nightly job", 1, "its first night: the same"),
    ("monthly export", 1, "its first export: the same"),
    ("weekly job", 1, "its first run: the same"),
    ("failover", 1, "a token that goes to a new network"),
];

/// Attacks that are not throttled soon on their likely victim: of which identity, and why.
const SLOWER: &[(&str, &[u64], &str)] = &[("scraping, slow", &[0, 1], "the slowest there is")];

/// How far each attack comes on each kind of client, in the order of [`KINDS`]: unseen, tagged,
/// Throttled, Denied.
const MATRIX: &[(&str, &str)] = &[
    ("scraping, fast", "TDTTDDDDDTTDDDDDDD"),
    ("scraping", ".D..DDDDD..DDDDDDD"),
    ("scraping from inside", ".D..DDDDD..DDDDDDD"),
    ("scraping, slow", ".T....t....TTTt.TT"),
    ("sequential ids", ".D..DDDDD..DDDDDDD"),
    ("guessing ids", ".DttDTDDtttDDDDDDD"),
    ("stuffing, one source", "tDTTDDDDDTtDDDDDDD"),
    ("stuffing, 200 sources", "TDTTDDDDDTTDDDDDDD"),
    ("stolen token beside its owner", "TTttttTTTtt.TT.TTT"),
    ("stolen token instead", "ttTTtttttTt..ttTtt"),
    ("bulk export", "TDTTTTDTT.TDDDDTDD"),
    ("probing scopes", ".DTTDTDTTTTDDDDTDD"),
    ("burst", "TTTTTTTTTTTTTTTTTT"),
    ("hoarding", ".D..DTDDt..DDDDDDD"),
    ("mimicry", ".................."),
    ("doubling", "....t.t.....t....."),
    ("wide and slow", "..t..............."),
];

/// An attack, a client, and how far it comes there.
type Case = (&'static str, &'static str, usize);

/// Where the line runs: what is said of it, and the attack and client that show it, with how far
/// it comes: 0 for unseen, 1 for tagged and no more.
const LINE: &[(&str, &[Case])] = &[
    (
        "Who mints tokens with a stolen secret and does what the owner does, at its pace, is one more network: 15.",
        &[("mimicry", "quiet service", 0), ("mimicry", "service", 0)],
    ),
    (
        "Where every day brings new networks, another says nothing.",
        &[
            ("mimicry", "bursty CI", 0),
            ("wide and slow", "fleet of devices", 0),
        ],
    ),
    (
        "Who begins at the owner's pace and doubles it every five minutes looks like a client that scales.",
        &[("doubling", "quiet service", 0)],
    ),
    (
        "What stays below three times the owner's most is not seen, be it scraping or hoarding.",
        &[
            ("scraping", "service", 0),
            ("scraping from inside", "service", 0),
            ("sequential ids", "service", 0),
            ("hoarding", "service", 0),
            ("scraping, slow", "back office", 0),
        ],
    ),
    (
        "Who has a peak once a day or once a week has it at every hour: a thief of its identity may as well.",
        &[
            ("scraping", "nightly batch", 0),
            ("scraping", "nightly job", 0),
            ("scraping", "weekly job", 0),
            ("bulk export", "monthly export", 0),
        ],
    ),
    (
        "A token that is always used on several networks says nothing when it is on one more.",
        &[("stolen token beside its owner", "two egresses", 0)],
    ),
    (
        "Of each identity four tokens are watched at a time: where a hundred devices have one each, a stolen one is not seen.",
        &[("stolen token beside its owner", "fleet of devices", 0)],
    ),
    (
        "A stolen token whose owner is silent is tagged, and held back only where the route and the hour are new as well.",
        &[
            ("stolen token instead", "quiet service", 1),
            ("stolen token instead", "partner polling", 1),
            ("stolen token beside its owner", "nightly job", 1),
        ],
    ),
    (
        "Refusals and errors are shares: among the requests of a busy owner a few a second are few.",
        &[
            ("probing scopes", "service", 0),
            ("guessing ids", "service", 0),
            ("stuffing, one source", "service", 1),
        ],
    ),
];

/// What is done from the first request of an identity on, when there is no past to hold it against:
/// how far it comes.
const WITHOUT_A_PAST: &[(&str, usize)] = &[
    ("scraping, fast", 2),
    ("scraping", 2),
    ("scraping, slow", 0),
    ("sequential ids", 2),
    ("guessing ids", 2),
    ("stuffing, one source", 1),
    ("stuffing, 200 sources", 1),
    ("probing scopes", 2),
    ("bulk export", 0),
    ("burst", 0),
];

/// What is done to those that mean no harm and do what attackers do.
const MISTAKEN: &[(&str, usize)] = &[
    ("late export", 3),
    ("full read", 3),
    ("broken release", 1),
    ("failover at work", 2),
    ("shared token", 2),
    ("backlog", 2),
];

/// Every kind with its first identities, watched and attacked once for all tests.
static CLIENTS: LazyLock<Vec<Vec<Client>>> =
    LazyLock::new(|| clients(|kind| (kind.identities, kind.days)));

fn clients(extent: impl Fn(&Kind) -> (u64, u32)) -> Vec<Vec<Client>> {
    let each = KINDS.iter().enumerate().flat_map(|(place, kind)| {
        let (identities, days) = extent(kind);
        (0..identities).map(move |seed| (place, seed, days))
    });
    let tasks: Vec<(usize, u64, u32)> = each.collect();
    let done = report::in_parallel(&tasks, |(place, seed, days)| {
        report::watch(&KINDS[*place], *seed, *days)
    });
    let mut clients = vec![Vec::new(); KINDS.len()];
    for ((place, _, _), client) in tasks.iter().zip(done) {
        clients[*place].push(client);
    }
    clients
}

fn together(clients: &[Client]) -> Watched {
    let watched = clients.iter().map(|client| &client.watched);
    watched.fold(Watched::default(), Watched::plus)
}

/// What became of an attack on its likely victim, for each identity of it.
fn on_victim<'a>(clients: &'a [Vec<Client>], name: &str) -> (&'static Attack, Vec<&'a Attacked>) {
    let mut numbered = report::attacks().enumerate();
    let (place, attack) = numbered.find(|(_, attack)| attack.name == name).unwrap();
    let victims = &clients[column(attack.victim)];
    let attacked = victims.iter().map(|victim| &victim.attacked[place]);
    (attack, attacked.collect())
}

fn column(kind: &str) -> usize {
    KINDS.iter().position(|own| own.name == kind).unwrap()
}

fn print(clients: &[Vec<Client>]) {
    let watched: Vec<Watched> = clients.iter().map(|clients| together(clients)).collect();
    println!("{}", report::clients_table(&watched));
    for identity in 0..8 {
        let rows = report::attacks().filter_map(|attack| {
            let (attack, attacked) = on_victim(clients, attack.name);
            attacked.get(identity).map(|attacked| (attack, *attacked))
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            println!("{}", report::attacks_table(&rows));
        }
    }
}

fn is_throttled_soon(attacked: &Attacked) -> bool {
    attacked.reached[1].is_some_and(|(requests, _)| requests <= SOON)
}

/// A kind that is watched for a few days only shows all it is tagged for in the first of them; the
/// test at length watches it for as long as the others.
fn is_seldom(watched: &Watched, identities: usize) -> bool {
    let days = watched.days.max(DAYS * u32::try_from(identities).unwrap());
    watched.hours[0] * 1000 < days * 24
}

#[test]
fn no_client_is_denied_and_few_are_tagged_for_an_hour() {
    print(&CLIENTS);
    for (kind, clients) in KINDS.iter().zip(CLIENTS.iter()) {
        let said = TAGGED.iter().find(|(name, _, _)| *name == kind.name);
        let hours = said.map_or(0, |(_, hours, _)| *hours);
        for client in clients {
            let watched = client.watched;
            assert_eq!(watched.hours[2], 0, "{} is denied", kind.name);
            assert_eq!(watched.hours[0], hours, "{}: {watched:?}", kind.name);
        }
        assert!(
            is_seldom(&together(clients), clients.len()),
            "{}",
            kind.name
        );
    }
}

#[test]
fn every_attack_is_tagged_and_all_but_the_slowest_are_soon_throttled() {
    for attack in ATTACKS {
        let (_, attacked) = on_victim(&CLIENTS, attack.name);
        let slower = SLOWER.iter().find(|(name, _, _)| *name == attack.name);
        let slower = slower.map_or(&[][..], |(_, seeds, _)| *seeds);
        for (seed, attacked) in (0..).zip(attacked) {
            assert!(attacked.level() > 0, "{} {seed}", attack.name);
            let soon = is_throttled_soon(attacked);
            assert_eq!(soon, !slower.contains(&seed), "{} {seed}", attack.name);
        }
    }
}

#[test]
fn every_attack_comes_as_far_on_every_kind_of_client_as_the_table_says() {
    let firsts: Vec<Client> = CLIENTS.iter().map(|clients| clients[0].clone()).collect();
    let matrix = report::matrix(&firsts);
    for (attack, row) in &matrix {
        println!("    ({attack:?}, {row:?}),");
    }
    let said = MATRIX
        .iter()
        .map(|(attack, row)| (*attack, (*row).to_owned()));
    assert_eq!(matrix, said.collect::<Vec<_>>());
}

#[test]
fn the_line_runs_where_it_is_said_to() {
    for (sentence, cases) in LINE {
        for (attack, kind, level) in *cases {
            let mut attacks = report::attacks();
            let place = attacks.position(|own| own.name == *attack).unwrap();
            let attacked = &CLIENTS[column(kind)][0].attacked[place];
            let case = format!("{attack}, {kind}: {sentence}");
            assert_eq!(attacked.level(), *level, "{case}");
        }
    }
}

#[test]
fn without_a_past_it_is_resources_errors_and_refusals_that_tell() {
    for (name, level) in WITHOUT_A_PAST {
        let attack = ATTACKS.iter().find(|attack| attack.name == *name).unwrap();
        let attacked = report::without_a_past(attack, 0);
        println!("{name}: {:?}", attacked.reached);
        assert_eq!(attacked.level(), *level, "{name}");
    }
}

#[test]
fn the_innocent_that_do_what_attackers_do_are_taken_for_them() {
    let found = report::in_parallel(LOOKALIKES, |kind| {
        let Watched { hours, later, .. } = report::watch(kind, 0, kind.days).watched;
        assert_eq!(hours[0], later, "{} before it began", kind.name);
        (kind.name, hours.iter().filter(|hours| **hours > 0).count())
    });
    assert_eq!(found, MISTAKEN);
}

#[test]
#[ignore = "takes minutes, and a release build"]
fn at_length_it_is_the_same() {
    let clients = clients(|kind| (8, kind.days.max(DAYS)));
    print(&clients);
    for (kind, clients) in KINDS.iter().zip(&clients) {
        let watched = together(clients);
        assert_eq!(watched.hours[2], 0, "{} is denied", kind.name);
        assert!(is_seldom(&watched, 8), "{}: {watched:?}", kind.name);
    }
    for attack in ATTACKS {
        let (_, attacked) = on_victim(&clients, attack.name);
        assert!(attacked.iter().all(|attacked| attacked.level() > 0));
        let soon = attacked.iter().filter(|one| is_throttled_soon(one));
        let expected = match attack.name {
            "scraping, slow" => 0..=0,
            // The owner may renew the token meanwhile, and a network may have the bit of another.
            "stolen token beside its owner" | "stolen token instead" => 7..=8,
            _ => 8..=8,
        };
        assert!(expected.contains(&soon.count()), "{}", attack.name);
    }
}
