//! What becomes of clients and of attacks.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use postern::risk::settings::Settings;

use super::attacks::{ATTACKS, Attack, UNSEEN};
use super::clients::{DAY, HOUR, Kind, MONDAY};
use super::run::{Request, Run};

/// Tag, throttle, deny.
pub const LEVELS: [u8; 3] = [30, 60, 85];

/// What became of a client: hours in which at least one request was judged so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    pub days: u32,
    /// Hours in which it called at all.
    pub active: u32,
    pub at_least: [u32; 3],
    pub highest: u8,
    pub requests: u64,
}

impl Watched {
    pub fn plus(self, other: Self) -> Self {
        let [a, b, c] = self.at_least;
        let [d, e, f] = other.at_least;
        Self {
            days: self.days + other.days,
            active: self.active + other.active,
            at_least: [a + d, b + e, c + f],
            highest: self.highest.max(other.highest),
            requests: self.requests + other.requests,
        }
    }
}

/// Watches a client for some days.
pub fn watch(kind: &Kind, seed: u64, days: u32) -> Watched {
    let settings = Settings::default();
    let mut run = Run::default();
    let mut watched = Watched {
        days,
        ..Watched::default()
    };
    let verbose = std::env::var("VERBOSE").is_ok();
    for day in 0..days {
        let mut hours = [0_u8; 24];
        for request in kind.requests(seed, day) {
            let score = run.take(&request, &settings);
            watched.requests += 1;
            watched.highest = watched.highest.max(score);
            let hour = (request.second % DAY / HOUR) as usize;
            if verbose && score >= 30 && hours[hour] < 31 {
                let s: Vec<u32> = run.profile.signals(&settings).iter().map(|s| s * 100 / 65536).collect();
                println!("{} seed {seed} day {day} {}: {score} {s:?}", kind.name, request.second % DAY / 60);
            }
            hours[hour] = hours[hour].max(score + 1);
        }
        watched.active += hours.iter().filter(|score| **score > 0).count() as u32;
        for (sum, level) in watched.at_least.iter_mut().zip(LEVELS) {
            *sum += hours.iter().filter(|score| **score > level).count() as u32;
        }
    }
    watched
}

/// When an attack came to a level: after how many of its requests and seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attacked {
    pub reached: [Option<(u64, u32)>; 3],
    pub highest: u8,
    pub signals: [u32; 10],
    pub requests: u64,
}

impl fmt::Display for Attacked {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for reached in self.reached {
            match reached {
                Some((requests, seconds)) => write!(f, "{:>14}", format!("{requests} ({seconds}s)"))?,
                None => write!(f, "{:>14}", "-")?,
            }
        }
        write!(f, "  {} {:?}", self.highest, self.signals)
    }
}

/// Every attack on a client of that kind, each on the same day of its life.
pub fn all_attacks(kind: &Kind, seed: u64) -> Vec<Attacked> {
    let settings = Settings::default();
    let mut run = Run::default();
    let mut last = None;
    for day in 0..kind.past {
        for request in kind.requests(seed, day) {
            run.take(&request, &settings);
            last = Some(request);
        }
    }
    let today = kind.requests(seed, kind.past);
    let attacks = ATTACKS.iter().chain(UNSEEN);
    attacks
        .map(|one| attack(one, run.clone(), &today, last.unwrap(), kind.past, seed))
        .collect()
}

/// One attack, on a client that has come to the beginning of that day.
pub fn attack(
    attack: &Attack,
    mut run: Run,
    today: &[Request],
    mut owner: Request,
    day: u32,
    seed: u64,
) -> Attacked {
    let settings = Settings::default();
    let (start, begins) = (MONDAY + day * DAY, MONDAY + day * DAY + attack.at);
    let silent = if attack.beside {
        begins
    } else {
        begins - 3 * HOUR
    };
    for request in today.iter().filter(|request| request.second < silent) {
        run.take(request, &settings);
        owner = *request;
    }
    let mut requests = attack.requests(owner, start, seed);
    let ends = begins + attack.lasts;
    if attack.beside {
        let meanwhile = today
            .iter()
            .filter(|request| (begins..ends).contains(&request.second));
        requests.extend(meanwhile);
        requests.sort_by_key(|request| request.second);
    }
    let mut attacked = Attacked::default();
    for request in requests {
        let score = run.take(&request, &settings);
        if !request.hostile {
            continue;
        }
        attacked.requests += 1;
        if score > attacked.highest {
            attacked.highest = score;
            attacked.signals = run.profile.signals(&settings).map(|s| s * 100 / 65_536);
        }
        for (reached, level) in attacked.reached.iter_mut().zip(LEVELS) {
            if score >= level && reached.is_none() {
                *reached = Some((attacked.requests, request.second - begins));
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
    let done: Mutex<Vec<Option<R>>> = Mutex::new(vec![None; tasks.len()]);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((place, task)) = {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    tasks.get(place).map(|task| (place, task))
                } {
                    let result = work(task);
                    done.lock().unwrap()[place] = Some(result);
                }
            });
        }
    });
    done.into_inner().unwrap().into_iter().flatten().collect()
}
