//! Clients that do what they are there for: their requests day by day, from a seed.
//!
//! A day of an identity depends on the seed and the day alone. The first day is a Monday. So that a
//! debug build can keep up, two kinds are watched for less than 45 days unless the test at length
//! asks for it; most make one request in a minute or so where such a client may make one a second;
//! and an autoscaled pod makes one in two minutes.

use super::random::{Random, hash};
use super::run::Request;

pub const DAY: u32 = 86_400;
pub const HOUR: u32 = 3600;
const MINUTE: u32 = 60;
/// 2 March 2026, a Monday, 00:00 UTC.
pub const MONDAY: u32 = 1_772_409_600;

/// A kind of client.
pub struct Kind {
    pub name: &'static str,
    /// What it does, for the report.
    pub about: &'static str,
    /// For how many days it is watched, at least.
    pub days: u32,
    /// How many of it are watched, at least.
    pub identities: u64,
    /// How many days of its past it has when it is attacked.
    pub past: u32,
    /// Writes a day.
    pub day: fn(&mut Sheet),
}

/// No attack on it.
const UNTOUCHED: u32 = 0;

/// For how many days a kind is watched, unless it says otherwise.
pub const DAYS: u32 = 45;

pub const KINDS: &[Kind] = &[
    Kind {
        days: 1,
        identities: 1,
        past: 1,
        ..kind("service", "5 a second at noon, 3 pods", service)
    },
    kind("quiet service", "one in 50 seconds at noon, 2 pods", quiet),
    Kind {
        days: 4,
        identities: 1,
        past: 4,
        ..kind("nightly batch", "50,000 orders, 20 a second", batch)
    },
    kind("nightly job", "1,200 to 2,000 records, 5 a second", nightly),
    kind("hourly cron", "30 to 60 requests", cron),
    kind("bursty CI", "jobs of all sizes on random runners", ci),
    Kind {
        identities: 1,
        ..kind("partner polling", "every 30 seconds", partner)
    },
    Kind {
        identities: 1,
        ..kind("retry storms", "five outages, 3 to 5 attempts each", storms)
    },
    Kind {
        identities: 1,
        ..kind(
            "autoscaled",
            "from 2 to 40 pods and back once a day",
            autoscaled,
        )
    },
    Kind {
        days: 62,
        ..kind("monthly export", "1.5 GB a month", monthly)
    },
    kind("weekly job", "4,000 records on Sundays", weekly),
    kind("two egresses", "one token behind two addresses", egresses),
    kind("failover", "another network for 36 hours", failover),
    kind("new release", "two new routes after 20 days", release),
    kind("fleet of devices", "100 networks and tokens", fleet),
    kind("back office", "people in working hours", office),
    kind("growing", "4 % more every day", growing),
    kind(
        "token a request",
        "a new token for every request",
        token_a_request,
    ),
];

const fn kind(name: &'static str, about: &'static str, day: fn(&mut Sheet)) -> Kind {
    Kind {
        name,
        about,
        days: DAYS,
        identities: 2,
        past: 14,
        day,
    }
}

/// Clients that mean no harm, and are tagged all the same: of what they do it cannot be told.
pub const LOOKALIKES: &[Kind] = &[
    Kind {
        days: 15,
        past: UNTOUCHED,
        ..kind(
            "late export",
            "its first export, after two weeks",
            late_export,
        )
    },
    Kind {
        days: 15,
        past: UNTOUCHED,
        ..kind("full read", "reads everything, after two weeks", full_read)
    },
    Kind {
        days: 15,
        past: UNTOUCHED,
        ..kind(
            "broken release",
            "an hour of 404, after two weeks",
            broken_release,
        )
    },
    Kind {
        days: 15,
        past: UNTOUCHED,
        ..kind(
            "failover at work",
            "while a token is in use",
            failover_at_work,
        )
    },
    Kind {
        days: 15,
        past: UNTOUCHED,
        ..kind(
            "shared token",
            "eight new pods share one token",
            shared_token,
        )
    },
    Kind {
        days: 15,
        past: UNTOUCHED,
        ..kind("backlog", "sends six hours' work in ten minutes", backlog)
    },
];

impl Kind {
    /// The requests of a day, in their order.
    pub fn requests(&self, seed: u64, day: u32) -> Vec<Request> {
        let name = self.name.bytes().map(u64::from);
        let who = hash(&name.chain([seed]).collect::<Vec<u64>>());
        let mut sheet = Sheet {
            who,
            day,
            random: Random::new(hash(&[who, u64::from(day)])),
            requests: Vec::new(),
        };
        (self.day)(&mut sheet);
        let mut requests = sheet.requests;
        requests.sort_by_key(|request| request.second);
        requests
    }
}

/// A day that is being written.
pub struct Sheet {
    who: u64,
    day: u32,
    random: Random,
    requests: Vec<Request>,
}

impl Sheet {
    /// What is always the same of an identity.
    fn own(&self, what: u64) -> u64 {
        hash(&[self.who, what])
    }

    fn start(&self) -> u32 {
        MONDAY + self.day * DAY
    }

    fn weekday(&self) -> u32 {
        self.day % 7
    }

    /// Writes a request at a second of the day, of one of its pods, each with a network of its own
    /// and a token that it renews every hour.
    fn put(&mut self, at: u32, pod: u64, route: u64, item: Option<u64>) -> &mut Request {
        let second = self.start() + at;
        // Pods renew their tokens at minutes of their own.
        let offset = self.own(pod + 1000) % u64::from(HOUR);
        let renewal = (u64::from(second) + offset) / u64::from(HOUR);
        let status = if self.random.chance(0.005) { 404 } else { 200 };
        self.requests.push(Request {
            second,
            network: self.own(pod),
            token: hash(&[self.who, pod, renewal]),
            route: self.own(9000 + route),
            item,
            refused: false,
            status,
            bytes: self.random.between(300, 4000),
            takes: u32::from(self.random.chance(0.1)),
            hostile: false,
        });
        self.requests.last_mut().unwrap()
    }

    /// The seconds of requests that come by themselves, most at noon.
    fn arrivals(&mut self, peak: f64) -> Vec<u32> {
        let mut at = 0.0;
        let mut seconds = Vec::new();
        loop {
            at += self.random.gap(peak);
            if at >= f64::from(DAY) {
                return seconds;
            }
            let height = (std::f64::consts::PI * at / f64::from(DAY)).sin();
            if self.random.chance(0.25 + 0.75 * height) {
                seconds.push(at as u32);
            }
        }
    }

    fn steady(&mut self, peak: f64, pods: u64) {
        for at in self.arrivals(peak) {
            let (pod, route) = (self.random.below(pods), self.random.skewed(6));
            let item = self.random.skewed(20_000);
            self.put(at, pod, route, Some(item));
        }
    }

    /// So many requests from a second on, so many a second.
    fn job(&mut self, at: u32, pod: u64, many: u64, rate: f64, first: u64) {
        let mut second = f64::from(at);
        for item in first..first + many {
            second += self.random.gap(rate);
            let route = self.random.below(2);
            self.put(second as u32, pod, route, Some(item));
        }
    }

    fn minutes(&mut self, least: u64, most: u64) -> u32 {
        self.random.between(least * 60, most * 60) as u32
    }
}

fn service(sheet: &mut Sheet) {
    sheet.steady(5.0, 3);
}

fn quiet(sheet: &mut Sheet) {
    sheet.steady(0.02, 2);
}

fn batch(sheet: &mut Sheet) {
    let (at, pod) = (2 * HOUR + sheet.minutes(0, 5), sheet.random.below(3));
    sheet.job(at, pod, 50_000, 20.0, u64::from(sheet.day) * 50_000);
}

fn nightly(sheet: &mut Sheet) {
    let at = 3 * HOUR + sheet.minutes(0, 10);
    let many = sheet.random.between(1200, 2000);
    sheet.job(at, 0, many, 5.0, u64::from(sheet.day) * 2000);
}

fn cron(sheet: &mut Sheet) {
    for hour in 0..24 {
        let (at, many) = (
            hour * HOUR + 5 * MINUTE + sheet.minutes(0, 1),
            sheet.random.between(30, 60),
        );
        let first = sheet.random.below(10_000);
        sheet.job(at, 0, many, 2.0, first);
    }
}

fn ci(sheet: &mut Sheet) {
    if sheet.weekday() > 4 {
        return;
    }
    for _ in 0..sheet.random.between(12, 22) {
        let at = 8 * HOUR + sheet.minutes(0, 600);
        let (token, network) = (sheet.random.next(), sheet.random.below(2000));
        // Most jobs are small, a few are ten times as large.
        let many = 15 * (1 + sheet.random.skewed(12));
        let rate = sheet.random.between(1, 4) as f64;
        let mut second = f64::from(at);
        for _ in 0..many {
            second += sheet.random.gap(rate);
            let (route, item) = (sheet.random.below(5), sheet.random.below(60));
            let request = sheet.put(second as u32, 0, route, Some(item));
            (request.token, request.network) = (token, network);
        }
    }
}

/// Every thirty seconds; sometimes there is something to fetch.
fn partner(sheet: &mut Sheet) {
    for poll in 0..DAY / 30 {
        let at = poll * 30 + sheet.random.below(3) as u32;
        sheet.put(at, 0, 0, None);
        if sheet.random.chance(0.08) {
            let item = sheet.random.next();
            sheet.put(at, 0, 1, Some(item));
        }
    }
}

/// Some work every ten minutes; on every ninth day its upstream fails for some minutes, it tries everything
/// three to five times, and then sends again what was lost.
fn storms(sheet: &mut Sheet) {
    for round in 0..DAY / (10 * MINUTE) {
        let (many, first) = (sheet.random.between(15, 25), sheet.random.below(20_000));
        sheet.job(round * 10 * MINUTE, 0, many, 0.5, first);
    }
    let fails = u64::from(sheet.day) % 9 == sheet.own(7) % 9;
    if !fails {
        return;
    }
    let from = sheet.start() + 9 * HOUR + sheet.minutes(0, 600);
    let until = from + sheet.minutes(8, 25);
    let failing = |request: &Request| (from..until).contains(&request.second);
    let lost: Vec<Request> = sheet.requests.iter().copied().filter(failing).collect();
    for request in &mut sheet.requests {
        if failing(request) {
            request.status = 503;
        }
    }
    for request in lost {
        let mut second = request.second;
        for attempt in 0..sheet.random.between(2, 4) {
            second += (1 << attempt) + sheet.random.below(2) as u32;
            let status = if second < until { 503 } else { 200 };
            sheet.requests.push(Request {
                second,
                status,
                ..request
            });
        }
        let second = until + sheet.random.below(60) as u32;
        sheet.requests.push(Request { second, ..request });
    }
}

/// From two pods to forty and back once a day, within a quarter of an hour; each pod that starts is
/// on a network of its own that was not seen before.
fn autoscaled(sheet: &mut Sheet) {
    let up = 11 * HOUR + sheet.minutes(0, 60);
    for pod in 0..40_u64 {
        let step = u32::try_from(pod).unwrap() * 15 * MINUTE / 40;
        let span = if pod < 2 {
            0..DAY
        } else {
            up + step..up + step + 90 * MINUTE
        };
        let name = if pod < 2 {
            pod
        } else {
            100 * u64::from(sheet.day) + pod
        };
        let mut at = f64::from(span.start);
        loop {
            at += sheet.random.gap(1.0 / 120.0);
            if at >= f64::from(span.end) {
                break;
            }
            let (route, item) = (sheet.random.below(4), sheet.random.skewed(20_000));
            sheet.put(at as u32, name, route, Some(item));
        }
    }
}

/// Made for an export a month, of which the first is on its first day; a look at the catalogue on
/// other days.
fn monthly(sheet: &mut Sheet) {
    let at = 9 * HOUR + sheet.minutes(0, 20);
    if !sheet.day.is_multiple_of(30) {
        for look in 0..10 {
            sheet.put(at + 20 * look, 0, 0, None);
        }
        return;
    }
    sheet.job(at, 0, 5000, 3.0, u64::from(sheet.day) * 5000);
    for request in &mut sheet.requests {
        request.bytes = 100_000 + request.bytes * 100;
        request.takes = 2;
    }
}

fn weekly(sheet: &mut Sheet) {
    if sheet.weekday() == 6 {
        let at = 3 * HOUR + sheet.minutes(0, 10);
        sheet.job(at, 0, 4000, 4.0, u64::from(sheet.day) * 4000);
    }
}

/// One token for a pool behind two public addresses.
fn egresses(sheet: &mut Sheet) {
    quiet(sheet);
    let networks = [sheet.own(0), sheet.own(1)];
    for request in &mut sheet.requests {
        request.token = hash(&[sheet.who, u64::from(request.second / HOUR)]);
        let side = hash(&[sheet.who, request.bytes]) % 2;
        request.network = networks[side as usize];
    }
}

/// Its line fails on the twentieth day; for a day and a half it comes over another.
fn failover(sheet: &mut Sheet) {
    quiet(sheet);
    let (from, until) = (MONDAY + 20 * DAY + 10 * HOUR, MONDAY + 21 * DAY + 22 * HOUR);
    let other = sheet.own(77);
    for request in &mut sheet.requests {
        if (from..until).contains(&request.second) {
            request.network = other;
        }
    }
}

/// From the twentieth day on it uses routes that it did not use before.
fn release(sheet: &mut Sheet) {
    quiet(sheet);
    if sheet.day >= 20 {
        let (first, second) = (sheet.own(9100), sheet.own(9101));
        for (place, request) in sheet.requests.iter_mut().enumerate() {
            match place % 4 {
                0 => request.route = first,
                1 => request.route = second,
                _ => {}
            }
        }
    }
}

/// A hundred devices, each with a network and a token of its own.
fn fleet(sheet: &mut Sheet) {
    for at in sheet.arrivals(0.02) {
        let device = sheet.random.below(100);
        let item = Some(device);
        let route = sheet.random.below(2);
        sheet.put(at, device, route, item);
    }
}

/// What people do in working hours: pages, each of several requests at once.
fn office(sheet: &mut Sheet) {
    if sheet.weekday() > 4 {
        return;
    }
    for _ in 0..sheet.random.between(250, 350) {
        let at = 8 * HOUR + sheet.random.between(0, 10 * 3600) as u32;
        for _ in 0..sheet.random.between(3, 10) {
            let later = sheet.random.below(4) as u32;
            let (pod, route) = (sheet.random.below(2), sheet.random.below(12));
            let item = sheet.random.skewed(5000);
            sheet.put(at + later, pod, route, Some(item));
        }
    }
}

/// A client that is a success: four percent more every day.
fn growing(sheet: &mut Sheet) {
    let peak = 0.01 * 1.04_f64.powi(i32::try_from(sheet.day).unwrap());
    sheet.steady(peak, 2);
}

/// A quiet service that asks for a token before every request.
fn token_a_request(sheet: &mut Sheet) {
    quiet(sheet);
    for (place, request) in sheet.requests.iter_mut().enumerate() {
        request.token = hash(&[sheet.who, u64::from(sheet.day), place as u64]);
    }
}

fn late_export(sheet: &mut Sheet) {
    quiet(sheet);
    if sheet.day == 14 {
        let before = sheet.requests.len();
        sheet.job(9 * HOUR, 0, 1000, 2.0, 0);
        for request in sheet.requests.iter_mut().skip(before) {
            request.bytes = 500_000;
        }
    }
}

fn full_read(sheet: &mut Sheet) {
    quiet(sheet);
    if sheet.day == 14 {
        sheet.job(9 * HOUR, 0, 3000, 5.0, 0);
    }
}

fn broken_release(sheet: &mut Sheet) {
    cron(sheet);
    let (from, broken) = (sheet.start() + 11 * HOUR, sheet.day == 14);
    for request in &mut sheet.requests {
        if broken && (from..from + HOUR).contains(&request.second) {
            request.status = 404;
        }
    }
}

fn shared_token(sheet: &mut Sheet) {
    quiet(sheet);
    let (who, shared) = (sheet.who, sheet.day >= 14);
    for (place, request) in sheet.requests.iter_mut().enumerate() {
        if shared {
            request.network = hash(&[who, 500 + place as u64 % 8]);
            request.token = hash(&[who, u64::from(request.second / HOUR)]);
        }
    }
}

fn backlog(sheet: &mut Sheet) {
    quiet(sheet);
    let (from, until) = (sheet.start() + 8 * HOUR, sheet.start() + 14 * HOUR);
    let stuck = sheet.day == 14;
    for request in &mut sheet.requests {
        if stuck && (from..until).contains(&request.second) {
            request.second = until + (request.second - from) / 36;
        }
    }
}

fn failover_at_work(sheet: &mut Sheet) {
    cron(sheet);
    let (from, failing) = (sheet.start() + 11 * HOUR, sheet.day == 14);
    let other = sheet.own(77);
    let run = sheet.requests.iter_mut();
    let run = run.filter(|request| (from..from + HOUR).contains(&request.second));
    for request in run.skip(15) {
        if failing {
            request.network = other;
        }
    }
}
