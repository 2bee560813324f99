//! What a worker has in view: some identities' profiles, and what it has not told the others yet.
//!
//! A profile is read from its page and written back at most every [`INTERVAL`], or when
//! `PENDING` observations have come together: so a busy identity costs little, and every worker
//! knows within that time what any worker saw. What a worker saw is replayed on top of what the
//! others wrote meanwhile, behind compare-and-swap.

use std::collections::VecDeque;
use std::hash::BuildHasherDefault;
use std::rc::Rc;
use std::time::Duration;

use lru::LruCache;

use super::explain::explain;
use super::observation::{Arrival, Ending, Observation, Phase};
use super::page::{ENTRIES, Page, Put};
use super::profile::Profile;
use super::score::score;
use super::settings::{Override, Reaction, Settings};
use crate::base::network::network;
use crate::base::{ClientId, Now};
use crate::crypto::keyed::{Folded, PartHasher, Seed};
use crate::shared::{CellPlace, Cells};

/// How long a worker decides by what it read, and keeps what it saw to itself.
pub const INTERVAL: Duration = Duration::from_millis(200);

/// How many observations of an identity a worker keeps to itself.
const PENDING: usize = 64;
/// How many identities a worker has in view.
const IN_VIEW: usize = 1024;
/// How many of them may wait to be written.
const WAITING: usize = 4096;
/// Of how many identities others are told at most while a request is under way.
const TOLD: usize = 2;
/// How often a change is tried that others keep overtaking.
const TRIES: usize = 8;

/// What happened on the way that is worth counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageIncidents {
    /// Profiles that made way for others.
    pub evicted: u64,
    /// Profiles that found no room, since all others were held back.
    pub full: u64,
    /// Values that were no pages, and were begun anew.
    pub damaged: u64,
    /// Changes that others kept overtaking; they are tried again later.
    pub contended: u64,
}

/// The identities that a worker has in view.
pub struct Profiles {
    secret: Seed,
    pages: u32,
    tag: u32,
    in_view: LruCache<u64, Watched, BuildHasherDefault<Folded>>,
    waiting: VecDeque<(u64, Now)>,
    /// What happened since it was last reported.
    pub incidents: PageIncidents,
}

/// An identity that is in view.
struct Watched {
    page: u32,
    /// What the pages said when they were read, with what was seen since.
    profile: Profile,
    read: Now,
    pending: Vec<Observation>,
    /// How it is judged, where that is not as everybody is, and by which client it came then.
    own: Option<(ClientId, Rc<Settings>)>,
}

/// The pages, and how everybody is judged.
pub struct Desk<'a> {
    /// What this worker has in view.
    pub watch: &'a mut Profiles,
    /// Where the pages are.
    pub cells: &'a mut dyn Cells,
    /// How everybody is judged.
    pub settings: &'a Settings,
    /// The same, with the lowest score at which anything is done for any client on any route.
    pub keeping: &'a Settings,
}

/// Whom a request is of, and how that one is judged.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Where it is on the pages.
    pub place: CellPlace,
    /// Its client, and what is judged in another way for that one.
    pub own: Option<(ClientId, &'a Override)>,
    /// What is judged in another way on this route.
    pub here: Option<&'a Override>,
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Where the identity is on the pages.
    pub place: CellPlace,
    /// From 0 to 100.
    pub score: u8,
    /// What is to be done.
    pub reaction: Reaction,
    /// What the score is made of; empty where nothing is to be done.
    pub details: String,
}

/// Of what kind something is that is hashed.
#[derive(Clone, Copy)]
enum SeenKind {
    Identity = 1,
    Network = 2,
    Token = 3,
    Resource = 4,
    Route = 5,
}

impl Profiles {
    /// A watch over that many identities, keyed with `secret`, which every worker has to share.
    #[must_use]
    pub fn new(slots: usize, secret: Seed) -> Self {
        let pages = u32::try_from(slots.div_ceil(ENTRIES)).unwrap_or(u32::MAX);
        Self {
            secret,
            pages: pages.max(1),
            tag: secret.tag("risk"),
            in_view: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            waiting: VecDeque::new(),
            incidents: PageIncidents::default(),
        }
    }

    /// Where an identity is on the pages.
    #[must_use]
    pub fn place(&self, identity: &str) -> CellPlace {
        self.hash(SeenKind::Identity, identity.as_bytes())
    }

    /// The hash of the network of an address.
    #[must_use]
    pub fn network(&self, address: std::net::IpAddr) -> u64 {
        self.mark(SeenKind::Network, &network(address))
    }

    /// The hash of a token, by what tells it apart.
    #[must_use]
    pub fn token(&self, mark: u64) -> u64 {
        self.mark(SeenKind::Token, &mark.to_le_bytes())
    }

    /// The hash of a route.
    #[must_use]
    pub fn route(&self, name: &str) -> u64 {
        self.mark(SeenKind::Route, name.as_bytes())
    }

    /// The hash of a resource: a route, and the values of its path parameters.
    pub fn resource<'a>(&self, route: u64, values: impl Iterator<Item = &'a str>) -> u64 {
        let mut hasher = self.hasher(SeenKind::Resource);
        hasher.part(Some(&route.to_le_bytes()));
        values.for_each(|value| hasher.part(Some(value.as_bytes())));
        hasher.finish().high()
    }

    fn mark(&self, kind: SeenKind, part: &[u8]) -> u64 {
        self.hash(kind, part).key
    }

    fn hash(&self, kind: SeenKind, part: &[u8]) -> CellPlace {
        let mut hasher = self.hasher(kind);
        hasher.part(Some(part));
        CellPlace::of(hasher.finish(), self.pages)
    }

    fn hasher(&self, kind: SeenKind) -> PartHasher {
        PartHasher::new(&self.secret, self.tag ^ kind as u32)
    }
}

impl Desk<'_> {
    /// Takes note of a request, tells the other workers what is due, and says what it comes to.
    pub fn arrive(&mut self, subject: Subject<'_>, arrival: Arrival, now: Now) -> Assessment {
        self.bring(subject, now);
        self.note(subject.place.key, Phase::Arrival(arrival), now);
        // Requests that go no further would else fill the queue faster than it is emptied.
        self.tell(TOLD, now);
        let everybody = self.settings;
        let watched = self.watch.in_view.peek(&subject.place.key);
        let Some(watched) = watched else {
            // What was just brought into view is there.
            return Assessment::none(subject.place, everybody);
        };
        match (subject.here, subject.own) {
            // The client's word counts more than the route's.
            (Some(here), Some((_, own))) => {
                let judged = everybody.with(here).with(own);
                Assessment::of(subject.place, &watched.profile, &judged)
            }
            (Some(here), None) => {
                Assessment::of(subject.place, &watched.profile, &everybody.with(here))
            }
            (None, _) => Assessment::of(
                subject.place,
                &watched.profile,
                watched.judged_by(everybody),
            ),
        }
    }

    /// Takes note of how a request ended, and tells the other workers what is due.
    pub fn end(&mut self, subject: Subject<'_>, outcome: Ending, now: Now) {
        self.bring(subject, now);
        self.note(subject.place.key, Phase::Ending(outcome), now);
        self.tell(TOLD, now);
    }

    /// Tells the other workers what is due, of so many identities at most.
    pub fn tell(&mut self, most: usize, now: Now) {
        for _ in 0..most {
            let due = self.watch.waiting.front().copied();
            let Some((key, since)) = due else {
                return;
            };
            let full = self.watch.waiting.len() > WAITING;
            // A clock that was set back makes everything due.
            if !full && since <= now && now.since(since) < INTERVAL {
                return;
            }
            self.watch.waiting.pop_front();
            if let Some(mut watched) = self.watch.in_view.pop(&key) {
                if !watched.pending.is_empty() {
                    self.synchronise(key, &mut watched, now);
                }
                self.watch.in_view.push(key, watched);
                self.watch.in_view.demote(&key);
            }
        }
    }

    /// Has an identity in view, as the pages say it is, not longer ago than the interval.
    fn bring(&mut self, subject: Subject<'_>, now: Now) {
        let key = subject.place.key;
        if let Some(watched) = self.watch.in_view.get_mut(&key)
            && watched.is_fresh(now)
        {
            return watched.judge_by(subject.own, self.settings);
        }
        let mut watched = self.watch.in_view.pop(&key).unwrap_or_else(|| Watched {
            page: subject.place.cell,
            profile: Profile::default(),
            read: Now::default(),
            pending: Vec::new(),
            own: None,
        });
        watched.judge_by(subject.own, self.settings);
        self.synchronise(key, &mut watched, now);
        if self.watch.in_view.len() >= IN_VIEW {
            self.put_one_away(now);
        }
        self.watch.in_view.push(key, watched);
    }

    fn put_one_away(&mut self, now: Now) {
        if let Some((key, mut watched)) = self.watch.in_view.pop_lru()
            && !watched.pending.is_empty()
        {
            self.synchronise(key, &mut watched, now);
        }
    }

    fn note(&mut self, key: u64, phase: Phase, now: Now) {
        let Some(watched) = self.watch.in_view.get_mut(&key) else {
            return;
        };
        let observation = Observation {
            second: u32::try_from(now.secs()).unwrap_or(u32::MAX),
            phase,
        };
        let own = watched.own.as_ref();
        let own = own.map_or(self.settings, |(_, own)| own);
        watched.profile.begin(observation.second, own);
        watched.profile.observe(&observation, own);
        watched.pending.push(observation);
        match watched.pending.len() {
            1 => self.watch.waiting.push_back((key, now)),
            ..PENDING => {}
            // Written at the next look.
            _ => watched.read = Now::default(),
        }
    }

    /// Reads what the pages say of an identity, and adds what was seen of it here.
    fn synchronise(&mut self, key: u64, watched: &mut Watched, now: Now) {
        let second = u32::try_from(now.secs()).unwrap_or(u32::MAX);
        let own = watched.own.as_ref();
        let own = own.map_or(self.settings, |(_, own)| own);
        watched.read = now;
        for _ in 0..TRIES {
            let (bytes, version) = self.cells.read(watched.page);
            let mut page = match (bytes.is_empty(), Page::decode(bytes)) {
                (_, Some(page)) => page,
                (empty, None) => {
                    let damaged = u64::from(!empty);
                    let incidents = &mut self.watch.incidents;
                    incidents.damaged = incidents.damaged.saturating_add(damaged);
                    Page::empty()
                }
            };
            // Where it made way for others, what is in view is all there is.
            if let Some(mut profile) = page.find(key) {
                profile.begin(second, own);
                for observation in &watched.pending {
                    let second = observation.second.min(second);
                    let observation = Observation {
                        second,
                        ..*observation
                    };
                    profile.observe(&observation, own);
                }
                watched.profile = profile;
            }
            if watched.pending.is_empty() {
                return;
            }
            let put = page.put(key, &watched.profile, self.keeping);
            if put == Put::Full || self.cells.write(watched.page, page.encode(), version) {
                watched.pending = Vec::new();
                return self.watch.incidents.count(put);
            }
        }
        let incidents = &mut self.watch.incidents;
        incidents.contended = incidents.contended.saturating_add(1);
        // Others are at it: what is too much to keep is what they will not learn of.
        watched.pending.truncate(PENDING);
        self.watch.waiting.push_back((key, now));
    }
}

impl Watched {
    fn is_fresh(&self, now: Now) -> bool {
        self.read <= now && now.since(self.read) < INTERVAL
    }

    /// One identity may come by several clients, each of which is judged in its own way.
    fn judge_by(&mut self, own: Option<(ClientId, &Override)>, everybody: &Settings) {
        let before = self.own.as_ref().map(|(client, _)| *client);
        if before != own.map(|(client, _)| client) {
            self.own = own.map(|(client, own)| (client, Rc::new(everybody.with(own))));
        }
    }

    fn judged_by<'a>(&'a self, everybody: &'a Settings) -> &'a Settings {
        self.own.as_ref().map_or(everybody, |(_, own)| own)
    }
}

impl PageIncidents {
    fn count(&mut self, put: Put) {
        match put {
            Put::Kept => {}
            Put::Evicted => self.evicted = self.evicted.saturating_add(1),
            Put::Full => self.full = self.full.saturating_add(1),
        }
    }
}

impl Assessment {
    fn none(place: CellPlace, settings: &Settings) -> Self {
        Self::of(place, &Profile::default(), settings)
    }

    fn of(place: CellPlace, profile: &Profile, settings: &Settings) -> Self {
        let signals = profile.signals(settings);
        let score = score(&signals, settings);
        let reaction = settings.reaction(score);
        let details = if reaction.tagged {
            explain(profile, &signals, settings)
        } else {
            String::new()
        };
        Self {
            place,
            score,
            reaction,
            details,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::{OwnCells, Version};

    /// Cells into which somebody else writes between a reading and the writing that follows it.
    struct Raced<'a> {
        cells: &'a mut OwnCells,
        others: u32,
        race: &'a mut dyn FnMut(&mut OwnCells),
    }

    impl Cells for Raced<'_> {
        fn read(&mut self, cell: u32) -> (Vec<u8>, Version) {
            self.cells.read(cell)
        }

        fn write(&mut self, cell: u32, value: &[u8], version: Version) -> bool {
            if let Some(left) = self.others.checked_sub(1) {
                self.others = left;
                (self.race)(self.cells);
            }
            self.cells.write(cell, value, version)
        }

        fn is_shared(&self) -> bool {
            true
        }
    }

    struct Worker {
        watch: Profiles,
        settings: Settings,
    }

    impl Worker {
        fn new(slots: usize) -> Self {
            Self {
                watch: Profiles::new(slots, Seed([7; 16])),
                settings: Settings::default(),
            }
        }

        fn desk<'a>(&'a mut self, cells: &'a mut dyn Cells) -> Desk<'a> {
            Desk {
                watch: &mut self.watch,
                cells,
                settings: &self.settings,
                keeping: &self.settings,
            }
        }

        fn subject(&self, identity: &str) -> Subject<'static> {
            Subject {
                place: self.watch.place(identity),
                own: None,
                here: None,
            }
        }

        fn arrive(&mut self, cells: &mut dyn Cells, identity: &str, now: Now) -> Assessment {
            let subject = self.subject(identity);
            self.desk(cells).arrive(subject, Arrival::default(), now)
        }

        fn tell(&mut self, cells: &mut dyn Cells, now: Now) {
            self.desk(cells).tell(usize::MAX, now);
        }
    }

    fn millis(millis: u64) -> Now {
        Now::from_nanos(1_772_445_600_000_000_000 + millis * 1_000_000)
    }

    fn known(worker: &Worker, cells: &mut OwnCells, identity: &str) -> u32 {
        let place = worker.watch.place(identity);
        let page = Page::decode(cells.read(place.cell).0).unwrap();
        page.find(place.key).unwrap().requests
    }

    #[test]
    fn what_others_wrote_meanwhile_is_added_to_and_not_undone() {
        for races in 1..8 {
            let mut cells = OwnCells::default();
            let (mut one, mut other) = (Worker::new(8), Worker::new(8));
            (0..5).for_each(|_| drop(one.arrive(&mut cells, "i", millis(0))));
            let mut at = 300;
            let mut race = |cells: &mut OwnCells| {
                at += 300;
                other.arrive(cells, "i", millis(at));
                other.tell(cells, millis(at + 250));
            };
            let mut raced = Raced {
                cells: &mut cells,
                others: races,
                race: &mut race,
            };
            one.tell(&mut raced, millis(250));
            assert_eq!(known(&one, &mut cells, "i"), 5 + races);
            assert_eq!(one.watch.incidents, PageIncidents::default());
        }
    }

    #[test]
    fn a_change_that_is_always_overtaken_is_made_later() {
        let mut cells = OwnCells::default();
        let (mut one, mut other) = (Worker::new(8), Worker::new(8));
        (0..5).for_each(|_| drop(one.arrive(&mut cells, "i", millis(0))));
        let mut at = 0;
        let mut race = |cells: &mut OwnCells| {
            at += 300;
            other.arrive(cells, "j", millis(at));
            other.tell(cells, millis(at + 250));
        };
        let mut raced = Raced {
            cells: &mut cells,
            others: 8,
            race: &mut race,
        };
        one.tell(&mut raced, millis(250));
        assert_eq!(one.watch.incidents.contended, 1);
        assert_eq!(known(&one, &mut cells, "j"), 8);
        one.tell(&mut cells, millis(500));
        assert_eq!(known(&one, &mut cells, "i"), 5);
        one.tell(&mut cells, millis(900));
        assert_eq!(known(&one, &mut cells, "i"), 5);
    }

    #[test]
    fn an_identity_that_nobody_lets_be_written_does_not_grow() {
        struct Never;
        impl Cells for Never {
            fn read(&mut self, _: u32) -> (Vec<u8>, Version) {
                (Vec::new(), Version::Absent)
            }
            fn write(&mut self, _: u32, _: &[u8], _: Version) -> bool {
                false
            }
            fn is_shared(&self) -> bool {
                true
            }
        }
        let mut worker = Worker::new(8);
        for number in 0..20_000 {
            worker.arrive(&mut Never, "i", millis(number));
        }
        let watched = worker.watch.in_view.iter().next().unwrap().1;
        assert!(watched.pending.len() <= PENDING + 1);
        assert!(worker.watch.waiting.len() <= WAITING + 2);
        assert_eq!(watched.profile.requests, 20_000);
    }

    #[test]
    fn a_flood_of_requests_that_go_no_further_fills_no_queue() {
        for step in [0, 1] {
            let mut cells = OwnCells::default();
            let mut worker = Worker::new(64);
            for number in 0..20_000 {
                let identity = format!("i{}", number % 7000);
                worker.arrive(&mut cells, &identity, millis(number * step));
                assert!(worker.watch.in_view.len() <= IN_VIEW);
                assert!(worker.watch.waiting.len() <= WAITING + 2);
            }
            worker.tell(&mut cells, millis(100_000));
            assert_eq!(worker.watch.waiting.len(), 0);
        }
    }

    #[test]
    fn whoever_is_put_away_is_written_first() {
        let mut cells = OwnCells::default();
        let mut worker = Worker::new(1 << 16);
        worker.arrive(&mut cells, "first", millis(0));
        for number in 0..IN_VIEW {
            worker.arrive(&mut cells, &format!("i{number}"), millis(1));
        }
        assert_eq!(known(&worker, &mut cells, "first"), 1);
    }

    #[test]
    fn a_busy_identity_is_written_before_it_piles_up() {
        let mut cells = OwnCells::default();
        let mut worker = Worker::new(8);
        (0..1000).for_each(|_| drop(worker.arrive(&mut cells, "i", millis(0))));
        assert!(known(&worker, &mut cells, "i") >= 936);
    }
}
