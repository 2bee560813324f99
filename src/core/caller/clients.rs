//! Governed clients: who a caller is registered as, and what its registration says.
//!
//! A caller is looked up once, when its token or certificate is verified, by one hash lookup
//! whatever the number of clients ([`Clients::find`]); what time and place can change is checked
//! for each request ([`Client::check`]). Nothing here knows how a caller was proven.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;

use crate::base::{CidrSet, ClientId, Id as _, IssuerId, Listed, Now};
use crate::decision::{Denial, Reason};
use crate::proof::Demand;
use crate::risk::settings::Override;
use crate::spiffe::{SpiffeId, SpiffePattern, SpiffePatterns};

const SECONDS_A_DAY: u64 = 86_400;

/// For how many days before its end a registration is worth a warning.
pub const WARNING_DAYS: u64 = 30;

/// A governed identity.
#[derive(Clone, Debug)]
pub struct Client {
    /// How routes, limits and audit refer to it; unique.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// The purposes that its requests may declare; none for any, or none at all.
    pub purposes: Option<Vec<String>>,
    /// The last day of its registration.
    pub expires: Option<Day>,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Where it may call from; none for anywhere.
    pub sources: Option<CidrSet>,
    /// What its tokens must be bound to.
    pub proof: Demand,
    /// How it is judged in another way than others.
    pub risk: Option<Box<Override>>,
}

/// A day of the calendar, UTC: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u64);

impl Day {
    /// Reads `YYYY-MM-DD`, from 1970 to 9999; none for a day that there is not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut number = |digits: usize| {
            let part = parts.next()?;
            let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse::<u64>().ok())?
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let is_day = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of(year, month)).contains(&day);
        if !is_day || parts.next().is_some() {
            return None;
        }
        let years: u64 = (1970..year).map(days_of_year).sum();
        let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
        Some(Self(
            years
                .saturating_add(months)
                .saturating_add(day)
                .saturating_sub(1),
        ))
    }

    /// The day of an instant.
    #[must_use]
    pub const fn of(now: Now) -> Self {
        Self(now.secs() / SECONDS_A_DAY)
    }

    /// How many days there are until this one; none where it is past.
    #[must_use]
    pub const fn days_from(self, today: Self) -> Option<u64> {
        self.0.checked_sub(today.0)
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut year, mut left) = (1970, self.0);
        while left >= days_of_year(year) && year < 10_000 {
            left = left.saturating_sub(days_of_year(year));
            year = year.saturating_add(1);
        }
        let mut month = 1;
        while left >= days_of(year, month) && month < 12 {
            left = left.saturating_sub(days_of(year, month));
            month = month.saturating_add(1);
        }
        write!(f, "{year:04}-{month:02}-{:02}", left.saturating_add(1))
    }
}

impl Client {
    /// How many days its registration has left, the last one not counted; none where it has no end
    /// or is over.
    #[must_use]
    pub fn days_left(&self, now: Now) -> Option<u64> {
        self.expires?.days_from(Day::of(now))
    }

    /// Checks what time and place can change.
    ///
    /// `purpose` is what the request declares.
    ///
    /// # Errors
    /// `client_suspended`, `client_expired`, `source_not_allowed`, or `context_denied` for a
    /// purpose that is not the client's.
    pub fn check(
        &self,
        source: Option<IpAddr>,
        purpose: Option<&[u8]>,
        now: Now,
    ) -> Result<(), Denial> {
        let name = &self.name;
        if self.suspended {
            let detail = format!("the client \"{name}\" is suspended");
            return Err(Denial::new(Reason::ClientSuspended, detail));
        }
        if let Some(expires) = self.expires
            && expires < Day::of(now)
        {
            let detail = format!("the registration of \"{name}\" ended with {expires}");
            return Err(Denial::new(Reason::ClientExpired, detail));
        }
        if let Some(sources) = &self.sources
            && !source.is_some_and(|source| sources.contains(source))
        {
            let detail = format!("\"{name}\" may not call from this address");
            return Err(Denial::new(Reason::SourceNotAllowed, detail));
        }
        self.check_purpose(purpose)
    }

    fn check_purpose(&self, declared: Option<&[u8]>) -> Result<(), Denial> {
        let Some(purposes) = &self.purposes else {
            return Ok(());
        };
        let is_one = |declared: &[u8]| purposes.iter().any(|own| own.as_bytes() == declared);
        if declared.is_some_and(is_one) {
            return Ok(());
        }
        let what = if declared.is_some() {
            "declares a purpose that is none of its own"
        } else {
            "declares no purpose, or several"
        };
        let detail = format!("the client \"{}\" {what}", self.name);
        Err(Denial::new(Reason::ContextDenied, detail))
    }
}

/// Keys come from the configuration, so nobody can choose them to collide.
type Lookup<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// The registered clients, and how callers are found among them.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    all: Listed<ClientId, Client>,
    by_client: Listed<IssuerId, Lookup<Box<str>, ClientId>>,
    by_subject: Listed<IssuerId, Lookup<Box<str>, ClientId>>,
    by_workload: SpiffePatterns<ClientId>,
    by_name: BTreeMap<Box<str>, ClientId>,
    /// Whether a caller may call that is not among them.
    pub unregistered: bool,
}

/// What a caller is registered as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registrations {
    /// The client that it is.
    pub own: Option<ClientId>,
    /// The client that its token was issued to, where its subject is a client of its own: who may
    /// not act as the one may not act as the other by it.
    pub other: Option<ClientId>,
}

/// Which callers a registration is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Tokens of that issuer that were issued to that client.
    Client(IssuerId, String),
    /// Tokens of that issuer about that subject.
    Subject(IssuerId, String),
    /// Workloads.
    Workload(SpiffePattern),
}

impl Clients {
    /// A register without clients, for so many issuers.
    #[must_use]
    pub fn new(issuers: usize, unregistered: bool) -> Self {
        Self {
            by_client: (0..issuers).map(|_| Lookup::default()).collect(),
            by_subject: (0..issuers).map(|_| Lookup::default()).collect(),
            unregistered,
            ..Self::default()
        }
    }

    /// Registers a client.
    ///
    /// # Errors
    /// The client that has the very same match already.
    pub fn insert(&mut self, client: Client, matching: Match) -> Result<(), ClientId> {
        let id = ClientId::at(self.all.len());
        let taken = match matching {
            Match::Client(issuer, name) => claim(self.by_client.get_mut(issuer), name, id),
            Match::Subject(issuer, name) => claim(self.by_subject.get_mut(issuer), name, id),
            Match::Workload(pattern) => match self.by_workload.insert(&pattern, id) {
                Ok(()) => None,
                Err(_) => Some(id),
            },
        };
        self.by_name.insert(client.name.as_str().into(), id);
        self.all.push(client);
        taken.map_or(Ok(()), Err)
    }

    /// The clients that a token of an issuer is of: by its subject, and by its client.
    #[must_use]
    pub fn find(
        &self,
        issuer: IssuerId,
        subject: Option<&str>,
        client: Option<&str>,
    ) -> Registrations {
        let by = |maps: &Listed<IssuerId, Lookup<Box<str>, ClientId>>, name: Option<&str>| {
            maps.get(issuer)?.get(name?).copied()
        };
        match (by(&self.by_subject, subject), by(&self.by_client, client)) {
            (Some(subject), client) => Registrations {
                own: Some(subject),
                other: client.filter(|client| *client != subject),
            },
            (None, client) => Registrations {
                own: client,
                other: None,
            },
        }
    }

    /// The client that a workload is, by the most specific pattern.
    #[must_use]
    pub fn find_workload(&self, workload: &SpiffeId) -> Registrations {
        Registrations {
            own: self.by_workload.find(workload).copied(),
            other: None,
        }
    }

    /// Every registration of a caller: all of them must hold.
    pub fn each(&self, found: Registrations) -> impl Iterator<Item = &Client> {
        let ids = found.own.into_iter().chain(found.other);
        ids.filter_map(|id| self.get(id))
    }

    /// All of them, in the order of the document.
    #[must_use]
    pub fn all(&self) -> &Listed<ClientId, Client> {
        &self.all
    }

    /// The client with that id.
    #[must_use]
    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.all.get(id)
    }

    /// The id of the client of that name.
    #[must_use]
    pub fn id_of(&self, name: &str) -> Option<ClientId> {
        self.by_name.get(name).copied()
    }
}

/// Enters a name; answers whose it is already.
fn claim(
    map: Option<&mut Lookup<Box<str>, ClientId>>,
    name: String,
    id: ClientId,
) -> Option<ClientId> {
    let map = map?;
    if let Some(other) = map.get(name.as_str()) {
        return Some(*other);
    }
    map.insert(name.into(), id);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Cidr;

    fn client(name: &str) -> Client {
        Client {
            name: name.to_owned(),
            owner: None,
            purpose: None,
            purposes: None,
            expires: None,
            suspended: false,
            sources: None,
            proof: Demand::None,
            risk: None,
        }
    }

    fn at(day: &str, seconds: u64) -> Now {
        Now::from_secs(Day::parse(day).unwrap().0 * SECONDS_A_DAY + seconds)
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        const CASES: &[(&str, u64)] = &[
            ("1970-01-01", 0),
            ("1970-12-31", 364),
            ("2000-02-29", 11_016),
            ("2026-11-24", 20_781),
            ("2027-01-31", 20_849),
            ("9999-12-31", 2_932_896),
        ];
        for (text, expected) in CASES {
            let day = Day::parse(text).unwrap();
            assert_eq!(day.0, *expected, "{text}");
            assert_eq!(day.to_string(), *text);
        }
        for text in [
            "2027-02-29",
            "1900-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-04-31",
            "2027-01-00",
            "1969-12-31",
            "2027-1-1",
            "2027-01-01T00:00:00Z",
            "20270101",
            "27-01-01",
            "+027-01-01",
            "",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_registration_ends_with_its_last_day_to_the_second() {
        let client = Client {
            expires: Day::parse("2027-01-31"),
            ..client("batch")
        };
        let reason = |now| {
            client
                .check(None, None, now)
                .map_err(|denial| denial.reason)
        };
        assert_eq!(reason(at("2027-01-31", SECONDS_A_DAY - 1)), Ok(()));
        assert_eq!(reason(at("2027-02-01", 0)), Err(Reason::ClientExpired));
        assert_eq!(client.days_left(at("2027-01-01", 5)), Some(30));
        assert_eq!(client.days_left(at("2027-01-31", 5)), Some(0));
        assert_eq!(client.days_left(at("2027-02-01", 0)), None);
    }

    #[test]
    fn each_check_has_its_reason_and_the_first_decides() {
        let networks = CidrSet::new(vec![Cidr::parse("10.20.0.0/16").unwrap()]);
        let full = Client {
            expires: Day::parse("2027-01-31"),
            sources: Some(networks),
            purposes: Some(vec!["invoicing".to_owned()]),
            ..client("batch")
        };
        let inside = Some(IpAddr::from([10, 20, 1, 1]));
        let outside = Some(IpAddr::from([10, 21, 1, 1]));
        let (early, late) = (at("2027-01-01", 0), at("2027-03-01", 0));
        let invoicing = Some(&b"invoicing"[..]);
        let cases = [
            (&full, inside, invoicing, early, Ok(())),
            (&full, inside, invoicing, late, Err(Reason::ClientExpired)),
            (&full, outside, None, early, Err(Reason::SourceNotAllowed)),
            (&full, None, invoicing, early, Err(Reason::SourceNotAllowed)),
            (&full, inside, None, early, Err(Reason::ContextDenied)),
            (
                &full,
                inside,
                Some(b"Invoicing"),
                early,
                Err(Reason::ContextDenied),
            ),
            (
                &full,
                inside,
                Some(b"invoicing "),
                early,
                Err(Reason::ContextDenied),
            ),
        ];
        for (client, source, purpose, now, expected) in cases {
            let checked = client.check(source, purpose, now);
            assert_eq!(checked.map_err(|denial| denial.reason), expected);
        }
        let suspended = Client {
            suspended: true,
            ..full
        };
        let checked = suspended.check(outside, None, late);
        assert_eq!(checked.unwrap_err().reason, Reason::ClientSuspended);
    }

    #[test]
    fn a_caller_is_found_by_subject_then_client_within_its_issuer() {
        let mut clients = Clients::new(2, false);
        let entries = [
            ("a", Match::Client(IssuerId::at(0), "web".to_owned())),
            ("b", Match::Subject(IssuerId::at(0), "robot-7".to_owned())),
            ("c", Match::Client(IssuerId::at(1), "web".to_owned())),
            (
                "d",
                Match::Workload(SpiffePattern::parse("spiffe://p/ns/*/sa/x").unwrap()),
            ),
            (
                "e",
                Match::Workload(SpiffePattern::parse("spiffe://p/ns/pay/sa/x").unwrap()),
            ),
        ];
        for (name, matching) in entries {
            assert_eq!(clients.insert(client(name), matching), Ok(()));
        }
        let named = |id: ClientId| clients.all[id.place()].name.as_str();
        let name = |found: Registrations| found.own.map(named);
        assert_eq!(
            name(clients.find(IssuerId::at(0), Some("robot-7"), Some("web"))),
            Some("b")
        );
        assert_eq!(
            name(clients.find(IssuerId::at(0), Some("robot-8"), Some("web"))),
            Some("a")
        );
        assert_eq!(
            name(clients.find(IssuerId::at(1), Some("robot-7"), Some("web"))),
            Some("c")
        );
        assert_eq!(
            name(clients.find(IssuerId::at(1), Some("robot-7"), None)),
            None
        );
        assert_eq!(
            name(clients.find(IssuerId::at(2), Some("robot-7"), Some("web"))),
            None
        );
        let workload = |text| clients.find_workload(&SpiffeId::parse(text).unwrap());
        assert_eq!(name(workload("spiffe://p/ns/pay/sa/x")), Some("e"));
        assert_eq!(name(workload("spiffe://p/ns/shop/sa/x")), Some("d"));
        assert_eq!(name(workload("spiffe://q/ns/shop/sa/x")), None);
        assert_eq!(clients.id_of("c"), Some(ClientId::at(2)));
        let both = clients.find(IssuerId::at(0), Some("robot-7"), Some("web"));
        let names: Vec<&str> = clients.each(both).map(|client| &*client.name).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn a_match_is_one_clients_alone() {
        let mut clients = Clients::new(1, true);
        let web = || Match::Client(IssuerId::at(0), "web".to_owned());
        assert_eq!(clients.insert(client("a"), web()), Ok(()));
        assert_eq!(clients.insert(client("b"), web()), Err(ClientId::at(0)));
    }
}
