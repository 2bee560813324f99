//! One source of keys as one worker sees it: asked for, fetched, published, taken up.

use std::mem;
use std::time::Duration;

use super::hold::Hold;
use super::owner_metrics::OwnerMetrics;
use super::records::Records;
use super::{Asker, TICK, Tools};
use crate::base::{KeyOwnerId, Now};
use crate::caller::Wanted;
use crate::caller::settings::KeyOwner;
use crate::host::{Host, HostError, HttpCall, LogLevel};
use crate::keys::fetch::{self, FetchError, Fetched};
use crate::keys::publication::Publication;
use crate::keys::ring::{Edition, Ring};
use crate::keys::schedule::{self, Schedule, Want};
use crate::keys::uri::HttpUri;
use crate::keys::{Document, Location, Remote};
use crate::spiffe::{Bundle, BundleKeys, Highest};

/// An issuer or a trust domain whose keys are fetched.
pub struct Fetcher {
    owner: KeyOwnerId,
    /// How lines of the log speak of it.
    name: String,
    shown: OwnerMetrics,
    remote: Remote,
    records: Records,
    /// How many fetches had ended when this worker last looked; none before it did.
    seen: Option<u64>,
    asked: bool,
    flight: Option<Flight>,
}

/// A fetch that this worker is making.
#[derive(Clone, Copy)]
struct Flight {
    call: u32,
    holder: u64,
    until: Now,
    step: FetchStep,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FetchStep {
    OpenId,
    AuthorizationServer,
    Document,
}

enum Progress {
    Next(FetchStep, HttpUri),
    Done(Document),
}

impl Fetcher {
    pub fn new(id: KeyOwnerId, owner: &KeyOwner<'_>, remote: &Remote, records: Records) -> Self {
        Self {
            owner: id,
            name: owner.to_string(),
            shown: OwnerMetrics::of(owner),
            remote: remote.clone(),
            records,
            seen: None,
            asked: false,
            flight: None,
        }
    }

    pub fn owner(&self) -> KeyOwnerId {
        self.owner
    }

    /// How many fetches had ended when this worker last looked.
    pub fn attempts(&self) -> u64 {
        self.seen.unwrap_or_default()
    }

    /// Takes up a publication if a fetch has ended since this worker last looked; answers whether
    /// that changed its keys.
    pub fn take_up(&mut self, ring: &mut Ring, host: &dyn Host) -> bool {
        let schedule = self.records.schedule(host);
        if self.seen == Some(schedule.attempts()) {
            return false;
        }
        self.seen = Some(schedule.attempts());
        let publication = self.records.publication(host);
        let changed = publication.is_some_and(|publication| self.adopt(ring, publication));
        if let Some(code) = FetchError::code_of(schedule.cause()) {
            ring.note_failure(self.owner, code);
        }
        changed
    }

    /// What a request waits for that lacks keys; none where waiting would change nothing.
    pub fn ask(&mut self, wanted: Wanted, host: &dyn Host) -> Option<Hold> {
        let (now, periods) = (host.now(), &self.remote.periods);
        let patience = match wanted.want {
            Want::First | Want::Due => self.remote.wait,
            Want::UnknownKey => {
                let (answer, _) = self
                    .records
                    .schedule(host)
                    .claim(wanted.want, periods, now, 0);
                if answer == schedule::Claimed::NotYet {
                    return None;
                }
                self.asked = true;
                periods.timeout.saturating_add(TICK.saturating_mul(2))
            }
        };
        let (attempts, deadline) = (self.attempts(), now.after(patience));
        Some(Hold {
            wanted,
            attempts,
            deadline,
        })
    }

    pub fn tick(&mut self, tools: &mut Tools<'_>) {
        self.take_up(tools.ring, tools.host);
        self.forget_lost_flight(tools);
        if self.flight.is_none() {
            self.fetch_if_due(tools);
        }
        self.show(tools);
    }

    pub fn response(&mut self, answer: &Fetched, tools: &mut Tools<'_>) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        // Whoever took over speaks for everyone: this answer may be older than the one in force.
        let schedule = self.records.schedule(tools.host);
        if schedule.was_taken_from(flight.holder) {
            return;
        }
        let done = match self.advance(flight.step, answer) {
            Ok(Progress::Next(step, uri)) => self.dispatch(Flight { step, ..flight }, &uri, tools),
            Ok(Progress::Done(document)) => self.publish(answer, document, flight.holder, tools),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.fail(&error, flight.holder, tools);
        }
    }

    // Numbers alone do not tell sets apart: they begin anew where shared data was lost.
    fn adopt(&self, ring: &mut Ring, publication: Publication) -> bool {
        let (number, fetched_at) = (publication.version, publication.fetched_at);
        let digest = self.remote.reading.digest(&publication.document);
        let held = ring.version(self.owner);
        if held.is_some_and(|held| held.number == number && held.digest == digest) {
            ring.confirm(self.owner, fetched_at);
            return false;
        }
        let Ok(document) = self.read(&publication.document) else {
            return false;
        };
        let highest = held.and_then(|held| held.highest).max(publication.highest);
        let Ok(highest) = document.follow(highest) else {
            return false;
        };
        let version = Edition {
            number,
            fetched_at,
            digest,
            highest,
            document,
        };
        ring.put(self.owner, version);
        true
    }

    fn read(&self, bytes: &[u8]) -> Result<Document, FetchError> {
        self.remote.reading.read(&fetch::document(bytes)?)
    }

    fn fetch_if_due(&mut self, tools: &mut Tools<'_>) {
        let want = if mem::take(&mut self.asked) {
            Want::UnknownKey
        } else if tools.ring.version(self.owner).is_none() {
            Want::First
        } else {
            Want::Due
        };
        let (now, holder) = (tools.host.now(), tools.chance.next());
        let periods = self.remote.periods;
        let claim = |schedule: Schedule| schedule.claim(want, &periods, now, holder);
        if self.records.change(tools.host, claim) == Some(schedule::Claimed::Fetch) {
            self.fetch(now, holder, tools);
        }
    }

    fn fetch(&mut self, now: Now, holder: u64, tools: &mut Tools<'_>) {
        let (step, uri) = match &self.remote.location {
            Location::Document(uri) => (FetchStep::Document, Some(uri.clone())),
            Location::Metadata(issuer) => (FetchStep::OpenId, issuer.openid_configuration()),
        };
        let until = now.after(self.remote.periods.timeout);
        let flight = Flight {
            call: 0,
            holder,
            until,
            step,
        };
        let nowhere = FetchError::JwksUri("cannot be found: the issuer is too long an address");
        let uri = uri.ok_or(nowhere);
        let sent = uri.and_then(|uri| self.dispatch(flight, &uri, tools));
        if let Err(error) = sent {
            self.fail(&error, holder, tools);
        }
    }

    // One timeout is for all the steps of a fetch.
    fn dispatch(
        &mut self,
        flight: Flight,
        uri: &HttpUri,
        tools: &mut Tools<'_>,
    ) -> Result<(), FetchError> {
        let timeout = flight.until.since(tools.host.now());
        if timeout.is_zero() {
            return Err(FetchError::NoAnswer);
        }
        let cluster = self.remote.cluster_of(uri.authority());
        let cluster = cluster.ok_or(FetchError::JwksUri(
            "is at an authority that is not configured",
        ))?;
        let call = HttpCall {
            cluster: cluster.to_owned(),
            method: "GET",
            scheme: uri.scheme().to_owned(),
            authority: uri.authority().to_owned(),
            path: uri.path().to_owned(),
            fields: vec![("accept", "application/json".to_owned())],
            body: Vec::new(),
            timeout,
        };
        let call = tools.calls.http(tools.host, &call, Asker::Keys(self.owner));
        let call = call.map_err(|HostError(status)| FetchError::NotDispatched(status))?;
        self.flight = Some(Flight { call, ..flight });
        Ok(())
    }

    fn advance(&self, step: FetchStep, answer: &Fetched) -> Result<Progress, FetchError> {
        let document = answer.json();
        match (step, &self.remote.location) {
            (FetchStep::Document, _) => self.remote.reading.read(&document?).map(Progress::Done),
            // An authorization server that knows nothing of OpenID has its metadata elsewhere.
            (FetchStep::OpenId, Location::Metadata(issuer))
                if document == Err(FetchError::Status(404)) =>
            {
                let uri = issuer.authorization_server_metadata();
                let uri = uri.ok_or(FetchError::JwksUri("cannot be found"))?;
                Ok(Progress::Next(FetchStep::AuthorizationServer, uri))
            }
            (_, Location::Metadata(issuer)) => {
                let allowed = |authority: &str| self.remote.cluster_of(authority).is_some();
                let uri = fetch::jwks_uri(&document?, issuer, allowed)?;
                Ok(Progress::Next(FetchStep::Document, uri))
            }
            (_, Location::Document(uri)) => Ok(Progress::Next(FetchStep::Document, uri.clone())),
        }
    }

    // What is in force may be newer than what this worker has seen: it is the published document
    // that must not be rolled back.
    fn publish(
        &mut self,
        answer: &Fetched,
        document: Document,
        holder: u64,
        tools: &mut Tools<'_>,
    ) -> Result<(), FetchError> {
        let Tools {
            ring,
            metrics,
            chance,
            host,
            ..
        } = tools;
        let now = host.now();
        let held = ring.version(self.owner);
        let own = held.and_then(|held| held.highest);
        let highest = document.follow(own).map_err(FetchError::Rollback)?;
        let before = held.map_or(0, |version| version.number);
        let body = answer.body.clone().unwrap_or_default();
        let digest = self.remote.reading.digest(&body);
        let is_held = held.is_some_and(|version| version.digest == digest);
        let follow = |published: Option<Highest>| document.follow(published.max(own));
        let number = self
            .records
            .publish(*host, body, (before, is_held), now, follow);
        let number = number.map_err(FetchError::Rollback)?;
        let (periods, jitter) = (self.remote.periods, chance.next());
        let fresh_for = fresh_for(answer, &document);
        self.end(*host, |schedule| {
            schedule.succeeded(holder, &periods, fresh_for, now, jitter)
        });
        self.shown.fetched(metrics, *host, "ok");
        let Some(number) = number else {
            // What another worker published meanwhile is taken up with the next tick.
            self.seen = None;
            return Ok(());
        };
        if is_held && number == before {
            ring.confirm(self.owner, now);
            return Ok(());
        }
        let line = format!(
            "{}: version {number} is in force{}",
            self.name,
            said(&document)
        );
        let version = Edition {
            number,
            fetched_at: now,
            digest,
            highest,
            document,
        };
        ring.put(self.owner, version);
        host.log(LogLevel::Info, &line);
        Ok(())
    }

    fn fail(&mut self, error: &FetchError, holder: u64, tools: &mut Tools<'_>) {
        let Tools {
            ring,
            metrics,
            chance,
            host,
            ..
        } = tools;
        let (now, jitter) = (host.now(), chance.next());
        self.end(*host, |schedule| {
            schedule.failed(holder, error.cause(), now, jitter)
        });
        ring.note_failure(self.owner, error.code());
        self.shown.fetched(metrics, *host, error.code());
        // Others may have published meanwhile who fetch at other times.
        self.seen = None;
        let line = format!("{} were not fetched: {error}", self.name);
        host.log(LogLevel::Warn, &line);
    }

    fn end(&mut self, host: &dyn Host, end: impl Fn(Schedule) -> Schedule) {
        let ended = self.records.change(host, |schedule| {
            let schedule = end(schedule);
            (schedule.attempts(), schedule)
        });
        self.seen = ended.or(self.seen);
    }

    // The host answers every call; one that it lost must not end fetching for good.
    fn forget_lost_flight(&mut self, tools: &mut Tools<'_>) {
        let now = tools.host.now();
        let timeout = self.remote.periods.timeout;
        let is_lost = |flight: &Flight| {
            now > flight.until.after(timeout) || flight.until > now.after(timeout)
        };
        if let Some(lost) = self.flight.take_if(|flight| is_lost(flight)) {
            tools.calls.forget(lost.call);
        }
    }

    fn show(&self, tools: &mut Tools<'_>) {
        let Tools {
            ring,
            metrics,
            host,
            ..
        } = tools;
        if let Some(fresh) = ring.freshness(self.owner, host.now()) {
            self.shown.in_force(metrics, *host, fresh);
        }
    }
}

/// For how long an answer is fresh: what its fields say, or a bundle's own hint where that is less.
fn fresh_for(answer: &Fetched, document: &Document) -> Option<Duration> {
    let hint = document.bundle().and_then(Bundle::refresh_hint);
    [answer.max_age(), hint].into_iter().flatten().min()
}

fn said(document: &Document) -> &'static str {
    match document.bundle().map(Bundle::keys) {
        Some(BundleKeys::Revoked) => ", which revokes the whole trust domain",
        Some(BundleKeys::NoneForJwt) => ", without keys for JWT-SVIDs",
        Some(BundleKeys::Usable(_)) | None => "",
    }
}
