//! Keys that stay fresh: one worker fetches for the process, the others take up what it published.
//!
//! Calls belong to the root context, so that everything here happens on its tick or when a response
//! comes; a request only asks.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::chance::Chance;
use super::decide::Wanted;
use super::metrics::Metrics;
use crate::config::Config;
use crate::host::{Cas, Host, HostError, HttpCall, LogLevel};
use crate::jose::KeySet;
use crate::keys::fetch::{self, Answer, DOCUMENT_BYTES, FetchError};
use crate::keys::publication::{Publication, PublicationKey};
use crate::keys::ring::{Ring, Version};
use crate::keys::schedule::{self, Schedule, Want};
use crate::keys::uri::HttpUri;
use crate::keys::{KeySource, Location, Remote};
use crate::time::Now;

/// How often the root context looks at what has changed.
pub const TICK: Duration = Duration::from_millis(200);

/// The most requests of one worker that wait at once; one more is decided without waiting.
const WAITERS: u32 = 1024;

/// How often a shared record that others keep changing is tried before it is left for later.
const TRIES: usize = 16;

/// The key sets of one worker and what is done to keep them fresh.
pub struct Refresh {
    ring: Ring,
    sources: Vec<Source>,
    waiting: Rc<Cell<u32>>,
    waiting_shown: u32,
    metrics: Metrics,
}

/// A request's place among those that wait.
pub struct Ticket(Rc<Cell<u32>>);

impl Ticket {
    fn new(waiting: &Rc<Cell<u32>>) -> Option<Self> {
        let count = waiting.get();
        if count >= WAITERS {
            return None;
        }
        waiting.set(count.saturating_add(1));
        Some(Self(Rc::clone(waiting)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// What a request waits for, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    wanted: Wanted,
    attempts: u64,
    /// When the request is decided at the latest.
    pub deadline: Now,
}

/// What a request that lacks keys is to do.
pub enum Asked {
    /// Wait.
    Wait(Hold, Ticket),
    /// Be decided again: newer keys were there all along.
    Again,
    /// Be decided without.
    No,
}

/// An issuer whose keys are fetched, as this worker sees it.
struct Source {
    issuer: usize,
    schedule_key: String,
    publication_key: String,
    tag: PublicationKey,
    /// The schedule, where the host has no shared data.
    own: Schedule,
    /// How many fetches had ended when this worker last looked.
    attempts: u64,
    looked: bool,
    asked: bool,
    flight: Option<Flight>,
}

/// A fetch that this worker is making.
#[derive(Clone, Copy)]
struct Flight {
    call: u32,
    holder: u64,
    until: Now,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    OpenId,
    AuthorizationServer,
    KeySet,
}

impl Refresh {
    pub fn new(config: &Config, vm_configuration: &[u8]) -> Self {
        let sources = remotes(config);
        let sources = sources.map(|(issuer, remote)| Source::new(issuer, remote, vm_configuration));
        Self {
            ring: Ring::new(config.issuers.len()),
            sources: sources.collect(),
            waiting: Rc::default(),
            waiting_shown: 0,
            metrics: Metrics::default(),
        }
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    pub fn has_sources(&self) -> bool {
        !self.sources.is_empty()
    }

    /// What a request is to do that lacks these keys.
    pub fn ask(&mut self, config: &Config, wanted: Wanted, host: &dyn Host) -> Asked {
        let Some((index, remote)) = self.find(config, wanted.issuer) else {
            return Asked::No;
        };
        if self.take_up(index, remote, host) {
            return Asked::Again;
        }
        let Some(source) = self.sources.get_mut(index) else {
            return Asked::No;
        };
        let now = host.now();
        let patience = match wanted.want {
            Want::First | Want::Due => remote.wait,
            Want::UnknownKey => remote
                .periods
                .timeout
                .saturating_add(TICK.saturating_mul(2)),
        };
        if wanted.want == Want::UnknownKey {
            let (answer, _) = source
                .read(host)
                .claim(Want::UnknownKey, &remote.periods, now, 0);
            if answer == schedule::Answer::NotYet {
                return Asked::No;
            }
            source.asked = true;
        }
        let hold = Hold {
            wanted,
            attempts: source.attempts,
            deadline: now.after(patience),
        };
        Ticket::new(&self.waiting).map_or(Asked::No, |ticket| Asked::Wait(hold, ticket))
    }

    /// Whether what a request waits for has happened.
    pub fn is_over(&self, hold: &Hold) -> bool {
        let Wanted { issuer, want } = hold.wanted;
        match want {
            Want::First | Want::Due => self.ring.version(issuer).is_some(),
            Want::UnknownKey => {
                let source = self.sources.iter().find(|source| source.issuer == issuer);
                source.is_none_or(|source| source.attempts != hold.attempts)
            }
        }
    }

    /// Takes up what was published, and fetches what is due.
    pub fn tick(&mut self, config: &Config, chance: &Chance, host: &dyn Host) {
        for index in 0..self.sources.len() {
            let issuer = self
                .sources
                .get(index)
                .map_or(usize::MAX, |source| source.issuer);
            if let Some((_, remote)) = self.find(config, issuer) {
                self.take_up(index, remote, host);
                self.fetch_if_due(config, index, remote, chance, host);
                self.show(config, issuer, host);
            }
        }
        self.show_waiting(host);
    }

    /// Takes the response to one of this worker's calls; others' are left alone.
    pub fn response(
        &mut self,
        config: &Config,
        chance: &Chance,
        host: &dyn Host,
        call: u32,
        body_bytes: usize,
    ) {
        let is_ours = |source: &Source| source.flight.is_some_and(|flight| flight.call == call);
        let Some(index) = self.sources.iter().position(is_ours) else {
            return;
        };
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        let (issuer, flight) = (source.issuer, source.flight.take());
        let (Some((_, remote)), Some(flight)) = (self.find(config, issuer), flight) else {
            return;
        };
        let answer = answer(host, body_bytes);
        let done = match advance(flight.step, &answer, remote) {
            Ok(Progress::Next(step, uri)) => {
                self.dispatch(index, remote, Flight { step, ..flight }, &uri, host)
            }
            Ok(Progress::Done(keys)) => {
                self.publish(
                    config,
                    index,
                    remote,
                    &answer,
                    keys,
                    flight.holder,
                    chance,
                    host,
                );
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.fail(config, index, &error, flight.holder, chance, host);
        }
    }

    fn find<'a>(&self, config: &'a Config, issuer: usize) -> Option<(usize, &'a Remote)> {
        let index = self
            .sources
            .iter()
            .position(|source| source.issuer == issuer)?;
        match &config.issuers.get(issuer)?.keys {
            KeySource::Remote(remote) => Some((index, remote)),
            KeySource::Inline(_) => None,
        }
    }

    /// Takes up a publication if a fetch has ended since this worker last looked; answers whether
    /// that changed its keys.
    fn take_up(&mut self, index: usize, remote: &Remote, host: &dyn Host) -> bool {
        let Some(source) = self.sources.get_mut(index) else {
            return false;
        };
        let schedule = source.read(host);
        if source.looked && schedule.attempts() == source.attempts {
            return false;
        }
        source.looked = true;
        source.attempts = schedule.attempts();
        let issuer = source.issuer;
        let publication = source.publication(host);
        let before = self.ring.version(issuer).map(|version| version.number);
        if let Some(publication) = publication {
            adopt(&mut self.ring, issuer, publication, remote);
        }
        if let Some(code) = FetchError::code_of(schedule.cause()) {
            self.ring.note_failure(issuer, code);
        }
        before != self.ring.version(issuer).map(|version| version.number)
    }

    fn fetch_if_due(
        &mut self,
        config: &Config,
        index: usize,
        remote: &Remote,
        chance: &Chance,
        host: &dyn Host,
    ) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        let now = host.now();
        source.forget_lost_flight(remote, now);
        if source.flight.is_some() {
            return;
        }
        let want = if std::mem::take(&mut source.asked) {
            Want::UnknownKey
        } else if self.ring.version(source.issuer).is_none() {
            Want::First
        } else {
            Want::Due
        };
        let holder = chance.next();
        let claim = |schedule: Schedule| schedule.claim(want, &remote.periods, now, holder);
        if source.change(host, claim) != Some(schedule::Answer::Fetch) {
            return;
        }
        let (step, uri) = first_step(&remote.location);
        let until = now.after(remote.periods.timeout);
        let flight = Flight {
            call: 0,
            holder,
            until,
            step,
        };
        let sent = match uri {
            Some(uri) => self.dispatch(index, remote, flight, &uri, host),
            None => Err(FetchError::JwksUri(
                "cannot be found: the issuer is no address",
            )),
        };
        if let Err(error) = sent {
            self.fail(config, index, &error, holder, chance, host);
        }
    }

    fn dispatch(
        &mut self,
        index: usize,
        remote: &Remote,
        flight: Flight,
        uri: &HttpUri,
        host: &dyn Host,
    ) -> Result<(), FetchError> {
        let timeout = flight.until.since(host.now());
        if timeout.is_zero() {
            return Err(FetchError::NoAnswer);
        }
        let not_allowed = FetchError::JwksUri("is at an authority that is not configured");
        let call = HttpCall {
            cluster: remote
                .cluster_of(uri.authority())
                .ok_or(not_allowed)?
                .to_owned(),
            scheme: uri.scheme().to_owned(),
            authority: uri.authority().to_owned(),
            path: uri.path().to_owned(),
            timeout,
        };
        let call = host
            .dispatch(&call)
            .map_err(|HostError(status)| FetchError::NotDispatched(status))?;
        if let Some(source) = self.sources.get_mut(index) {
            source.flight = Some(Flight { call, ..flight });
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "all of it varies")]
    fn publish(
        &mut self,
        config: &Config,
        index: usize,
        remote: &Remote,
        answer: &Answer,
        keys: KeySet,
        holder: u64,
        chance: &Chance,
        host: &dyn Host,
    ) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        let now = host.now();
        let issuer = source.issuer;
        let before = self
            .ring
            .version(issuer)
            .map_or(0, |version| version.number);
        let number = source.publish(host, answer, before, now);
        let (fresh_for, jitter) = (answer.max_age(), chance.next());
        let ended = source.change(host, |schedule| {
            let schedule = schedule.succeeded(holder, &remote.periods, fresh_for, now, jitter);
            (schedule.attempts(), schedule)
        });
        source.attempts = ended.unwrap_or(source.attempts);
        self.ring.put(
            issuer,
            Version {
                number,
                fetched_at: now,
                keys,
            },
        );
        let name = issuer_name(config, issuer);
        self.metrics
            .count(host, format!("postern.keys.{name}.fetches.ok"));
        if number != before {
            host.log(
                LogLevel::Info,
                &format!("keys of \"{name}\": version {number} is in force"),
            );
        }
    }

    fn fail(
        &mut self,
        config: &Config,
        index: usize,
        error: &FetchError,
        holder: u64,
        chance: &Chance,
        host: &dyn Host,
    ) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        let (now, jitter) = (host.now(), chance.next());
        let ended = source.change(host, |schedule| {
            let schedule = schedule.failed(holder, error.cause(), now, jitter);
            (schedule.attempts(), schedule)
        });
        source.attempts = ended.unwrap_or(source.attempts);
        let issuer = source.issuer;
        self.ring.note_failure(issuer, error.code());
        let name = issuer_name(config, issuer);
        self.metrics.count(
            host,
            format!("postern.keys.{name}.fetches.{}", error.code()),
        );
        host.log(
            LogLevel::Warn,
            &format!("keys of \"{name}\" were not fetched: {error}"),
        );
    }

    fn show(&mut self, config: &Config, issuer: usize, host: &dyn Host) {
        let Some(fresh) = self.ring.freshness(issuer, host.now()) else {
            return;
        };
        let name = issuer_name(config, issuer);
        self.metrics
            .set(host, format!("postern.keys.{name}.version"), fresh.version);
        self.metrics
            .set(host, format!("postern.keys.{name}.age_seconds"), fresh.age);
    }

    fn show_waiting(&mut self, host: &dyn Host) {
        let waiting = self.waiting.get();
        let by = i64::from(waiting).saturating_sub(i64::from(self.waiting_shown));
        if by != 0 {
            self.metrics
                .shift(host, "postern.keys.waiting".to_owned(), by);
            self.waiting_shown = waiting;
        }
    }
}

impl Source {
    fn new(issuer: usize, remote: &Remote, vm_configuration: &[u8]) -> Self {
        let descriptor = remote.descriptor();
        // VMs of different configurations cannot read each other's sets: neither may wait for the
        // other to fetch.
        let tag = PublicationKey::new(vm_configuration, &descriptor);
        Self {
            issuer,
            schedule_key: format!("{}.schedule", tag.name(&remote.schedule_descriptor())),
            publication_key: format!("{}.set", tag.name(&descriptor)),
            tag,
            own: Schedule::default(),
            attempts: 0,
            looked: false,
            asked: false,
            flight: None,
        }
    }

    fn read(&self, host: &dyn Host) -> Schedule {
        match host.shared(&self.schedule_key) {
            Ok(value) => {
                value.map_or_else(Schedule::default, |value| Schedule::decode(&value.bytes))
            }
            Err(_) => self.own,
        }
    }

    /// Puts a change of the schedule behind compare-and-swap; none where others kept changing it.
    fn change<A>(
        &mut self,
        host: &dyn Host,
        change: impl Fn(Schedule) -> (A, Schedule),
    ) -> Option<A> {
        for _ in 0..TRIES {
            let Ok(value) = host.shared(&self.schedule_key) else {
                let (answer, new) = change(self.own);
                self.own = new;
                return Some(answer);
            };
            let (old, cas) = match value {
                Some(value) => (Schedule::decode(&value.bytes), value.cas),
                None => (Schedule::default(), Cas::ABSENT),
            };
            let (answer, new) = change(old);
            if new == old || host.set_shared(&self.schedule_key, &new.encode(), cas) == Ok(true) {
                return Some(answer);
            }
        }
        None
    }

    fn publication(&self, host: &dyn Host) -> Option<Publication> {
        let value = host.shared(&self.publication_key).ok()??;
        Publication::decode(&value.bytes, &self.tag)
    }

    /// Publishes a document, and answers its version: the one before where it is the same.
    fn publish(&self, host: &dyn Host, answer: &Answer, before: u64, now: Now) -> u64 {
        let document = answer.body.clone().unwrap_or_default();
        let published = self.publication(host);
        let version = match &published {
            Some(published) if published.document == document => published.version,
            Some(published) => published.version.max(before).saturating_add(1),
            None => before.saturating_add(1),
        };
        let publication = Publication {
            version,
            fetched_at: now,
            document,
        };
        let cas = match host.shared(&self.publication_key) {
            Ok(Some(value)) => value.cas,
            _ => Cas::ABSENT,
        };
        // Where it is not stored, another worker's newer one was, or there is nowhere to store it.
        let _ = host.set_shared(&self.publication_key, &publication.encode(&self.tag), cas);
        version
    }

    // The host answers every call; one that it lost must not end fetching for good.
    fn forget_lost_flight(&mut self, remote: &Remote, now: Now) {
        let lost = |flight: Flight| {
            now > flight.until.after(remote.periods.timeout)
                || flight.until > now.after(remote.periods.timeout)
        };
        if self.flight.is_some_and(lost) {
            self.flight = None;
        }
    }
}

enum Progress {
    Next(Step, HttpUri),
    Done(KeySet),
}

fn first_step(location: &Location) -> (Step, Option<HttpUri>) {
    match location {
        Location::KeySet(uri) => (Step::KeySet, Some(uri.clone())),
        Location::Metadata(issuer) => (Step::OpenId, issuer.openid_configuration()),
    }
}

fn advance(step: Step, answer: &Answer, remote: &Remote) -> Result<Progress, FetchError> {
    let document = answer.json();
    match (step, &remote.location) {
        (Step::KeySet, _) => fetch::key_set(&document?, &remote.rules).map(Progress::Done),
        // An authorization server that knows nothing of OpenID has its metadata elsewhere.
        (Step::OpenId, Location::Metadata(issuer)) if document == Err(FetchError::Status(404)) => {
            let uri = issuer.authorization_server_metadata();
            let uri = uri.ok_or(FetchError::JwksUri("cannot be found"))?;
            Ok(Progress::Next(Step::AuthorizationServer, uri))
        }
        (_, Location::Metadata(issuer)) => {
            let allowed = |authority: &str| remote.cluster_of(authority).is_some();
            let uri = fetch::jwks_uri(&document?, issuer, allowed)?;
            Ok(Progress::Next(Step::KeySet, uri))
        }
        (_, Location::KeySet(uri)) => Ok(Progress::Next(Step::KeySet, uri.clone())),
    }
}

fn answer(host: &dyn Host, body_bytes: usize) -> Answer {
    let headers = host.call_headers();
    let text = |name| {
        headers
            .only(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    };
    let body = if body_bytes > DOCUMENT_BYTES {
        Err(body_bytes)
    } else {
        Ok(host.call_body(body_bytes))
    };
    Answer {
        status: text(":status").and_then(|status| status.parse().ok()),
        cache_control: text("cache-control").map(str::to_owned),
        body,
    }
}

fn adopt(ring: &mut Ring, issuer: usize, publication: Publication, remote: &Remote) {
    let Publication {
        version,
        fetched_at,
        document,
    } = publication;
    match ring.version(issuer) {
        Some(held) if held.fetched_at >= fetched_at => {}
        Some(held) if held.number == version => ring.confirm(issuer, fetched_at),
        _ => {
            let answer = Answer {
                status: Some(200),
                cache_control: None,
                body: Ok(document),
            };
            let keys = answer
                .json()
                .and_then(|document| fetch::key_set(&document, &remote.rules));
            if let Ok(keys) = keys {
                ring.put(
                    issuer,
                    Version {
                        number: version,
                        fetched_at,
                        keys,
                    },
                );
            }
        }
    }
}

fn remotes(config: &Config) -> impl Iterator<Item = (usize, &Remote)> {
    config
        .issuers
        .iter()
        .enumerate()
        .filter_map(|(index, issuer)| match &issuer.keys {
            KeySource::Remote(remote) => Some((index, remote)),
            KeySource::Inline(_) => None,
        })
}

fn issuer_name(config: &Config, issuer: usize) -> &str {
    config.issuers.get(issuer).map_or("", |issuer| &issuer.name)
}
