//! What is done with somebody else's identity, from a moment of its day on.

use super::clients::HOUR;
use super::random::{Random, hash};
use super::run::Request;

/// A kind of attack.
pub struct Attack {
    pub name: &'static str,
    /// Whom it is most likely done to.
    pub victim: &'static str,
    /// At what second of the day.
    pub at: u32,
    /// For how many seconds, at most.
    pub lasts: u32,
    /// Whether the owner goes on meanwhile; otherwise it has been silent for three hours.
    pub beside: bool,
    /// So many requests a second.
    pub rate: f64,
    /// Whether that doubles every five minutes.
    pub doubles: bool,
    /// What one of them is.
    pub shape: fn(&mut Step) -> Request,
}

/// A request that is to be made up.
pub struct Step<'a> {
    /// The owner's last.
    pub owner: Request,
    /// Which it is.
    pub number: u64,
    pub random: &'a mut Random,
}

const MORNING: u32 = 10 * HOUR + 1800;
const NIGHT: u32 = 22 * HOUR + 2400;

const fn attack(
    name: &'static str,
    victim: &'static str,
    rate: f64,
    shape: fn(&mut Step) -> Request,
) -> Attack {
    Attack {
        name,
        victim,
        at: MORNING,
        lasts: HOUR,
        beside: true,
        rate,
        doubles: false,
        shape,
    }
}

pub const ATTACKS: &[Attack] = &[
    attack("scraping, fast", "partner polling", 200.0, scrape_abroad),
    attack("scraping", "partner polling", 5.0, scrape_abroad),
    attack("scraping from inside", "quiet service", 5.0, scrape_inside),
    Attack {
        lasts: 4 * HOUR,
        ..attack("scraping, slow", "partner polling", 0.5, scrape_abroad)
    },
    attack("sequential ids", "partner polling", 5.0, sequential),
    attack("guessing ids", "partner polling", 2.0, guess),
    attack("stuffing, one source", "back office", 10.0, stuff),
    attack("stuffing, 200 sources", "back office", 10.0, stuff_around),
    attack("stolen token beside its owner", "quiet service", 0.2, steal),
    Attack {
        at: NIGHT,
        beside: false,
        ..attack("stolen token instead", "back office", 0.2, steal_elsewhere)
    },
    attack("bulk export", "hourly cron", 0.5, export),
    attack("probing scopes", "bursty CI", 1.0, probe),
    attack("burst", "service", 200.0, burst),
    attack("hoarding", "partner polling", 3.0, hoard),
];

/// Attacks that are made to stay below the line.
pub const BELOW: &[Attack] = &[
    attack("mimicry", "quiet service", 0.02, mimic),
    Attack {
        doubles: true,
        ..attack("doubling", "quiet service", 0.02, scrape_inside)
    },
    attack("wide and slow", "fleet of devices", 0.05, mimic_around),
];

impl Attack {
    /// Its requests on the day that begins at `start`.
    pub fn requests(&self, owner: Request, start: u32, seed: u64) -> Vec<Request> {
        let mut random = Random::new(hash(&[seed, 77]));
        let mut requests = Vec::new();
        let mut at = 0.0;
        for number in 0.. {
            let times = if self.doubles {
                f64::exp2(at / 300.0)
            } else {
                1.0
            };
            at += random.gap(self.rate * times);
            if at >= f64::from(self.lasts) || number >= MOST {
                break;
            }
            let mut step = Step {
                owner,
                number,
                random: &mut random,
            };
            let request = (self.shape)(&mut step);
            requests.push(Request {
                second: start + self.at + at as u32,
                hostile: true,
                ..request
            });
        }
        requests
    }
}

/// No attack goes on for more requests.
const MOST: u64 = 2500;

const ABROAD: u64 = 0xabad;

/// With the owner's secret, a token and a network of its own.
fn abroad(step: &Step) -> Request {
    Request {
        network: hash(&[step.owner.network, ABROAD]),
        token: hash(&[step.owner.token, ABROAD]),
        ..inside(step)
    }
}

/// In the owner's place: its network and its token.
fn inside(step: &Step) -> Request {
    Request {
        item: None,
        refused: false,
        status: 200,
        bytes: 2000,
        takes: 0,
        ..step.owner
    }
}

fn scrape_abroad(step: &mut Step) -> Request {
    Request {
        item: Some(step.random.next()),
        ..abroad(step)
    }
}

fn scrape_inside(step: &mut Step) -> Request {
    Request {
        item: Some(step.random.next()),
        ..inside(step)
    }
}

fn sequential(step: &mut Step) -> Request {
    Request {
        item: Some(1_000_000 + step.number),
        ..abroad(step)
    }
}

fn guess(step: &mut Step) -> Request {
    let hit = step.random.chance(0.1);
    Request {
        item: Some(step.random.next()),
        status: if hit { 200 } else { 404 },
        ..abroad(step)
    }
}

fn stuff(step: &mut Step) -> Request {
    Request {
        route: 4711,
        status: if step.random.chance(0.01) { 200 } else { 401 },
        ..abroad(step)
    }
}

fn stuff_around(step: &mut Step) -> Request {
    let source = hash(&[step.owner.network, ABROAD, step.random.below(200)]);
    Request {
        network: source,
        token: source,
        ..stuff(step)
    }
}

fn steal(step: &mut Step) -> Request {
    Request {
        item: Some(step.random.skewed(20_000)),
        token: step.owner.token,
        ..abroad(step)
    }
}

fn steal_elsewhere(step: &mut Step) -> Request {
    Request {
        route: 5000 + step.random.below(3),
        ..steal(step)
    }
}

fn export(step: &mut Step) -> Request {
    Request {
        item: Some(step.random.below(20)),
        bytes: 5_000_000,
        takes: 2,
        ..inside(step)
    }
}

fn probe(step: &mut Step) -> Request {
    Request {
        route: 6000 + step.random.below(40),
        refused: step.random.chance(0.9),
        ..abroad(step)
    }
}

fn burst(step: &mut Step) -> Request {
    Request {
        item: Some(step.random.below(10)),
        ..inside(step)
    }
}

fn hoard(step: &mut Step) -> Request {
    Request {
        item: Some(step.random.next()),
        route: 7000,
        ..inside(step)
    }
}

/// With the owner's secret, as the owner.
fn mimic(step: &mut Step) -> Request {
    Request {
        item: Some(step.random.skewed(20_000)),
        ..abroad(step)
    }
}

fn mimic_around(step: &mut Step) -> Request {
    let source = hash(&[step.owner.network, ABROAD, step.random.below(200)]);
    Request {
        network: source,
        token: source,
        ..mimic(step)
    }
}
