//! Clients and attackers, made up from seeds, against the risk score with its defaults.
#![cfg(not(target_family = "wasm"))]

mod attacks;
mod clients;
mod random;
mod report;
mod run;

use attacks::{ATTACKS, UNSEEN};
use clients::KINDS;
use report::{Attacked, Watched, attack, in_parallel, watch};

#[test]
fn benign() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let tasks: Vec<_> = KINDS.iter().collect();
    let rows = in_parallel(&tasks, |kind| {
        let mut sum = Watched::default();
        for seed in 0..seeds { sum = sum.plus(watch(kind, seed, kind.days)); }
        sum
    });
    for (kind, row) in KINDS.iter().zip(rows) {
        println!("{:20} {row:?}", kind.name);
    }
}

#[test]
fn attacked() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    for seed in 0..seeds {
    let tasks: Vec<_> = KINDS.iter().collect();
    let rows = in_parallel(&tasks, |kind| report::all_attacks(kind, seed));
    for (place, attack) in ATTACKS.iter().chain(UNSEEN).enumerate() {
        println!("== {}", attack.name);
        for (kind, row) in KINDS.iter().zip(&rows) {
            println!("{} {:20} {}", if kind.name == attack.victim {"*"} else {" "}, kind.name, row[place]);
        }
    }
    }
}
