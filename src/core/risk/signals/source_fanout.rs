//! Many networks at once.

use super::field::{SHIFT, Scale, shift};
use super::{Row, Signal, measure};
use crate::risk::profile::Profile;
use crate::risk::settings::Settings;
use crate::risk::sketch::{count, log_of};

/// As many as an identity's state holds.
const NETWORKS: u64 = 64;

pub(super) const ROW: Row = Row {
    name: "source_fanout",
    doc: "Many networks at once.",
    form: SHIFT,
    fields: &shift(30, Scale::Times, [200, 800], (4, NETWORKS)),
    level: Some(level),
    sentence: Some(sentence),
    held: "it called from far more networks at once, a while ago",
};

fn level(profile: &Profile, settings: &Settings) -> u32 {
    if !profile.is_settled() {
        return 0;
    }
    let floor = measure::floor(Signal::SourceFanout, settings);
    let base = profile.around_own.max(floor);
    let excess = log_of(count(profile.around)).saturating_sub(base);
    measure::ranged(Signal::SourceFanout, u32::from(excess), settings)
}

fn sentence(profile: &Profile, _: &Settings) -> String {
    let networks = count(profile.around);
    format!("it calls from about {networks} networks at once, far more than ever")
}
