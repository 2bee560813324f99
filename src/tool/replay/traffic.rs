//! Recorded requests as the core sees them, held until all are read: they are to be in order.

use std::collections::HashMap;

use postern_core::base::{ClientId, Id as _};
use postern_core::config::Config;
use postern_core::crypto::keyed::Seed;
use postern_core::gate::Route;
use postern_core::request::{NormalPath, split_target};
use postern_core::risk::observation::{Answered, Arrival, Ending};
use postern_core::risk::watch::Profiles;

use super::event::{self, Event, Reading};
use super::lines::{LONGEST, Line};

/// Any seed will do where nobody can aim; the same one gives the same report.
const SEED: Seed = Seed([7; 16]);

/// How many lines that are wrong are shown.
const SHOWN: usize = 5;

/// A request as the core sees it.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Whose it is: a place in [`Traffic::people`].
    pub person: u32,
    /// The place of its client in the configuration; as small as it can be, there are many of these.
    client: Option<u32>,
    /// The place of its route in the configuration; none where it has only its name.
    pub route: Option<u32>,
    /// When it came, in milliseconds since the epoch.
    pub time: u64,
    /// When it ended.
    pub end: u64,
    pub arrival: Arrival,
    /// How the upstream answered; none where it was not asked.
    pub outcome: Option<Ending>,
}

impl Request {
    /// The place of the client that it came by in the configuration.
    pub fn client(&self) -> Option<ClientId> {
        Some(ClientId::at(usize::try_from(self.client?).ok()?))
    }
}

/// An identity.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    pub identity: String,
    /// The place of the first client that it came by.
    pub client: Option<ClientId>,
}

/// How many lines came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    /// Lines that hold something else.
    pub others: u64,
    /// Lines that are no events but begin as ones.
    pub wrong: u64,
    /// Requests without an identity.
    pub anonymous: u64,
    /// Requests that no route is found for, or a public one, or that were given up early.
    pub unjudged: u64,
    /// Requests that came before the one on the line before.
    pub out_of_order: u64,
}

/// Everything that was read.
pub struct Traffic<'c> {
    config: &'c Config,
    watch: Profiles,
    routes: Vec<(u64, &'c Route)>,
    names: HashMap<&'c str, u32>,
    places: HashMap<String, u32>,
    latest: u64,
    pub people: Vec<Person>,
    pub requests: Vec<Request>,
    pub counts: Counts,
    /// The first lines that are wrong: their numbers, and what is.
    pub wrong: Vec<(u64, String)>,
}

impl<'c> Traffic<'c> {
    pub fn new(config: &'c Config) -> Self {
        let watch = Profiles::new(1, SEED);
        let routes = config.settings.routes.iter();
        let routes: Vec<_> = routes
            .map(|(_, route)| (watch.route(&route.name), route))
            .collect();
        let named = (0..).zip(&routes);
        let names = named.map(|(place, (_, route))| (route.name.as_str(), place));
        Self {
            names: names.collect(),
            config,
            watch,
            routes,
            places: HashMap::new(),
            latest: 0,
            people: Vec::new(),
            requests: Vec::new(),
            counts: Counts::default(),
            wrong: Vec::new(),
        }
    }

    /// Takes a line.
    pub fn take(&mut self, number: u64, line: &Line<'_>) {
        self.counts.lines = number;
        let text = match line {
            Line::Bytes([]) => return,
            Line::Bytes(bytes) => std::str::from_utf8(bytes)
                .map_err(|_| "is not UTF-8; one JSON object in UTF-8 is needed".to_owned()),
            Line::TooLong => Err(format!(
                "is longer than {LONGEST} bytes; an event is shorter"
            )),
        };
        match text.and_then(event::read) {
            Ok(Reading::Event(event)) => self.enter(&event),
            Ok(Reading::Anonymous) => add(&mut self.counts.anonymous),
            Ok(Reading::Unjudged) => add(&mut self.counts.unjudged),
            Ok(Reading::Nothing) => add(&mut self.counts.others),
            Err(problem) => {
                add(&mut self.counts.wrong);
                if self.wrong.len() < SHOWN {
                    self.wrong.push((number, problem));
                }
            }
        }
    }

    /// Puts every identity's requests together, each in the order of time.
    pub fn sort(&mut self) {
        self.requests
            .sort_by_key(|request| (request.person, request.time));
    }

    fn enter(&mut self, event: &Event<'_>) {
        let Some((place, route, resource)) = self.route(event) else {
            return add(&mut self.counts.unjudged);
        };
        if event.time < self.latest {
            add(&mut self.counts.out_of_order);
        }
        self.latest = event.time;
        let token = |text: &str| self.watch.token(SEED.fingerprint(text.as_bytes()).low());
        let arrival = Arrival {
            network: event.source.map(|source| self.watch.network(source)),
            token: event.token.as_deref().map(token),
            resource,
            route,
            refused: event.refused,
        };
        let outcome = Ending {
            answer: Answered::of_status(event.status),
            bytes: event.bytes,
        };
        let client = event.client.as_deref();
        let client = client.and_then(|name| self.config.settings.callers.clients.id_of(name));
        let request = Request {
            person: self.person(event, client),
            client: client.and_then(|id| u32::try_from(id.place()).ok()),
            route: place,
            time: event.time,
            end: event.end,
            arrival,
            outcome: event.went_on.then_some(outcome),
        };
        self.requests.push(request);
    }

    /// The place of its route, the hash of that, and that of its resource; none where it would not
    /// be judged.
    fn route(&self, event: &Event<'_>) -> Option<(Option<u32>, u64, Option<u64>)> {
        let (path, _) = split_target(event.path.as_bytes());
        let path = NormalPath::parse(path).ok();
        let found = path.as_ref().and_then(|path| {
            let routes = &self.config.settings.routes;
            Some((path, routes.find(&event.host, &event.method, path).ok()?))
        });
        if let Some((path, found)) = found {
            let (hash, route) = self.routes.get(found.id.place())?;
            let mut values = found.parameters(path).into_iter().peekable();
            let has_any = values.peek().is_some();
            let values = values.map(|(_, value)| value);
            let resource = has_any.then(|| self.watch.resource(*hash, values));
            let place = u32::try_from(found.id.place()).ok();
            return (!route.public).then_some((place, *hash, resource));
        }
        let name = event.route.as_deref()?;
        let place = self.names.get(name).copied();
        Some((place, self.watch.route(name), None))
    }

    fn person(&mut self, event: &Event<'_>, client: Option<ClientId>) -> u32 {
        if let Some(place) = self.places.get(&*event.identity) {
            let known = usize::try_from(*place).ok();
            if let Some(person) = known.and_then(|known| self.people.get_mut(known)) {
                person.client = person.client.or(client);
            }
            return *place;
        }
        let place = u32::try_from(self.people.len()).unwrap_or(u32::MAX);
        let identity = event.identity.clone().into_owned();
        self.places.insert(identity.clone(), place);
        self.people.push(Person { identity, client });
        place
    }
}

fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
