//! What becomes of clients and of attacks, and how it is told.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use postern_core::risk::settings::Settings;
use postern_core::risk::signals::Signal;

use super::attacks::{ATTACKS, Attack, BELOW};
use super::clients::{DAY, HOUR, KINDS, Kind, MONDAY};
use super::run::{Request, Run};

/// Tagged, throttled, denied.
pub const LEVELS: [u8; 3] = [30, 60, 85];

/// What became of clients of a kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    /// On how many days, of all of them together.
    pub days: u32,
    /// In how many hours they called at all.
    pub active: u32,
    /// In how many hours a request came to each level.
    pub hours: [u32; 3],
    /// Of the ones tagged, in how many after the first week.
    pub later: u32,
    pub highest: u8,
    pub requests: u64,
}

impl Watched {
    pub fn plus(mut self, other: &Self) -> Self {
        self.days += other.days;
        self.active += other.active;
        self.later += other.later;
        self.highest = self.highest.max(other.highest);
        self.requests += other.requests;
        for (sum, hours) in self.hours.iter_mut().zip(other.hours) {
            *sum += hours;
        }
        self
    }

    fn count(&mut self, day: u32, hours: [Option<u8>; 24]) {
        self.days += 1;
        for score in hours.into_iter().flatten() {
            self.active += 1;
            self.highest = self.highest.max(score);
            self.later += u32::from(day >= 7 && score >= LEVELS[0]);
            for (sum, level) in self.hours.iter_mut().zip(LEVELS) {
                *sum += u32::from(score >= level);
            }
        }
    }
}

/// What became of an attack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attacked {
    /// After how many of its requests and seconds it came to each level.
    pub reached: [Option<(u64, u32)>; 3],
    pub highest: u8,
    /// What the signals were then, in percent.
    pub signals: [u32; 10],
}

impl Attacked {
    /// How far it came: 0 for unseen, 1 for tagged, 2 for throttled, 3 for denied.
    pub fn level(&self) -> usize {
        self.reached.iter().flatten().count()
    }
}

/// A client that was watched, and attacked in the course of it.
#[derive(Clone, Debug)]
pub struct Client {
    pub watched: Watched,
    /// In the order of [`attacks`].
    pub attacked: Vec<Attacked>,
}

/// Every attack.
pub fn attacks() -> impl Iterator<Item = &'static Attack> {
    ATTACKS.iter().chain(BELOW)
}

/// Watches a client, and has clones of it attacked when they have a past.
pub fn watch(kind: &Kind, seed: u64, days: u32) -> Client {
    let settings = Settings::default();
    let mut run = Run::default();
    let mut watched = Watched::default();
    let mut owner = None;
    let mut attacked = Vec::new();
    for day in 0..days.max(kind.past + 1) {
        let today = kind.requests(seed, day);
        if day == kind.past
            && let Some(owner) = owner
        {
            let morning = Victim {
                run: run.clone(),
                owner,
            };
            attacked = morning.attacked(&today, day, seed);
        }
        if day >= days {
            break;
        }
        let mut hours = [None; 24];
        for request in &today {
            let score = run.take(request, &settings);
            let hour = &mut hours[(request.second % DAY / HOUR) as usize];
            *hour = (*hour).max(Some(score));
        }
        watched.requests += today.len() as u64;
        watched.count(day, hours);
        owner = today.last().copied().or(owner);
    }
    Client { watched, attacked }
}

/// A client, and its last request.
#[derive(Clone)]
struct Victim {
    run: Run,
    owner: Request,
}

impl Victim {
    /// Every attack, each on a clone of it on that day.
    fn attacked(self, today: &[Request], day: u32, seed: u64) -> Vec<Attacked> {
        let start = MONDAY + day * DAY;
        // Many begin at the same time, and the hours before it are lived through once.
        let mut ready: Vec<(u32, Self)> = Vec::new();
        let mut all = Vec::new();
        for attack in attacks() {
            let begins = start + attack.at;
            let until = if attack.beside {
                begins
            } else {
                begins - 3 * HOUR
            };
            if ready.iter().all(|(at, _)| *at != until) {
                ready.push((until, self.clone().lived(today, until)));
            }
            let at = |(at, victim): &(u32, Self)| (*at == until).then(|| victim.clone());
            let mut victim = ready.iter().find_map(at).unwrap();
            let mut requests = attack.requests(victim.owner, start, seed);
            if attack.beside {
                let span = begins..begins + attack.lasts;
                let meanwhile = today
                    .iter()
                    .filter(|request| span.contains(&request.second));
                requests.extend(meanwhile);
                requests.sort_by_key(|request| request.second);
            }
            all.push(follow(&mut victim.run, &requests, begins));
        }
        all
    }

    fn lived(mut self, today: &[Request], until: u32) -> Self {
        let settings = Settings::default();
        for request in today.iter().filter(|request| request.second < until) {
            self.run.take(request, &settings);
            self.owner = *request;
        }
        self
    }
}

/// An attack by an identity that was never seen.
pub fn without_a_past(attack: &Attack, seed: u64) -> Attacked {
    let owner = KINDS[1].requests(seed, 0)[0];
    let requests = attack.requests(owner, MONDAY, seed);
    follow(&mut Run::default(), &requests, MONDAY + attack.at)
}

/// Follows an attack until it is denied, or over.
fn follow(run: &mut Run, requests: &[Request], begins: u32) -> Attacked {
    let settings = Settings::default();
    let mut attacked = Attacked::default();
    let mut made = 0;
    let last = requests.iter().rposition(|request| request.hostile);
    for request in requests.iter().take(last.map_or(0, |last| last + 1)) {
        let score = run.take(request, &settings);
        if !request.hostile {
            continue;
        }
        made += 1;
        if score > attacked.highest {
            attacked.highest = score;
            let signals = run.profile.signals(&settings);
            attacked.signals = signals.map(|signal| signal * 100 / 65_536);
        }
        for (reached, level) in attacked.reached.iter_mut().zip(LEVELS) {
            if score >= level && reached.is_none() {
                *reached = Some((made, request.second - begins));
            }
        }
        if attacked.reached[2].is_some() {
            break;
        }
    }
    attacked
}

/// Does all of them, as many at once as there are processors.
pub fn in_parallel<T: Sync, R: Send + Clone>(tasks: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![None; tasks.len()]);
    let worker = || {
        while let Some((place, task)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            tasks.get(place).map(|task| (place, task))
        } {
            let result = work(task);
            done.lock().unwrap()[place] = Some(result);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(worker);
        }
    });
    done.into_inner().unwrap().into_iter().flatten().collect()
}

/// The clients as a table in Markdown.
pub fn clients_table(rows: &[Watched]) -> String {
    let mut table = String::from(
        "| client | | identities' days | requests | tagged hours | of 1,000 hours | of 1,000 hours in use | a day | throttled | denied | highest |\n\
         | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for (kind, row) in KINDS.iter().zip(rows) {
        let [tagged, throttled, denied] = row.hours;
        let share = |of: u32| f64::from(tagged) * 1000.0 / f64::from(of);
        writeln!(
            table,
            "| {} | {} | {} | {} | {tagged} | {:.2} | {:.2} | {:.3} | {throttled} | {denied} | {} |",
            kind.name,
            kind.about,
            row.days,
            row.requests,
            share(row.days * 24),
            share(row.active),
            f64::from(tagged) / f64::from(row.days),
            row.highest
        )
        .unwrap();
    }
    table
}

/// Attacks and what became of them as a table in Markdown, one row for each client attacked.
pub fn attacks_table(rows: &[(&Attack, &Attacked)]) -> String {
    let mut table = String::from(
        "| attack | on | a second | tagged after | throttled after | denied after | highest | by |\n\
         | --- | --- | --: | --: | --: | --: | --: | --- |\n",
    );
    for (attack, attacked) in rows {
        let [tagged, throttled, denied] = attacked.reached.map(|reached| match reached {
            Some((requests, seconds)) => format!("{requests} ({seconds} s)"),
            None => String::from("–"),
        });
        let signals = Signal::ALL.into_iter().zip(attacked.signals);
        let signals = signals.filter(|(_, percent)| *percent >= 10);
        let signals: Vec<&str> = signals.map(|(signal, _)| signal.as_str()).collect();
        writeln!(
            table,
            "| {} | {} | {} | {tagged} | {throttled} | {denied} | {} | {} |",
            attack.name,
            attack.victim,
            attack.rate,
            attacked.highest,
            signals.join(", ")
        )
        .unwrap();
    }
    table
}

/// How far every attack came on every kind: nothing, tagged, throttled, denied.
pub fn matrix(clients: &[Client]) -> Vec<(&'static str, String)> {
    let letter = |attacked: &Attacked| ['.', 't', 'T', 'D'][attacked.level()];
    let row = |(place, attack): (usize, &'static Attack)| {
        let row = clients.iter().map(|client| &client.attacked[place]);
        (attack.name, row.map(letter).collect())
    };
    attacks().enumerate().map(row).collect()
}
