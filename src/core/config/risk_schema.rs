//! The section `risk` as the published schema has it; never in the module.
//!
//! What reads it is `risk_numbers`: reading it by wire types took 8 KB more of the module.

#![allow(dead_code, reason = "only its schema is used")]

use schemars::JsonSchema;
use serde_json::Value;

use super::declare::object;
use super::schema;
use super::wire::{Field, List, RiskAction, Size, Span};

object! {
    /// How callers are judged by what they do.
    pub struct Risk {
        /// How fast a signal fades: half of it is left after that long, 1s to 7d. Default: 10m.
        #[schema(default)]
        pub half_life: Field<Span>,
        /// For how long the networks and routes of an identity are known, 10m to 90d. Default: 24h.
        #[schema(default)]
        pub memory: Field<Span>,
        /// After how long an identity's own most counts half, 1d to 365d. Default: 30d.
        #[schema(default)]
        pub baseline: Field<Span>,
        /// How long a window is that an identity's own most is learned from, 1s to 1d. Default: 5m.
        #[schema(default)]
        pub learn_every: Field<Span>,
        /// After how many requests an identity is judged by its own past. Default: 200.
        #[schema(default, range(min = 1, max = 1_000_000))]
        pub warm_up: Field<u64>,
        /// How many identities are kept at once, rounded up to a multiple of 8; only for the whole
        /// document. Default: 32768.
        #[schema(default, range(min = 8, max = 4_194_304))]
        pub slots: Field<u64>,
        /// What a score is made of.
        #[schema(default)]
        pub signals: Field<Signals>,
        /// What is done from which score on; an empty list is nothing, ever. Default: tag at 30,
        /// throttle by 4 at 60, deny at 85.
        #[schema(default)]
        pub actions: List<RiskAction>,
    }
}

object! {
    /// What a score is made of.
    pub struct Signals {
        /// Many different resources: scraping, hoarding. Default: weight 0.6, distinct 500, window
        /// 10m, start 3, full 12.
        #[schema(default)]
        pub spread: Field<Spread>,
        /// Far more requests than the identity's own most. Default: weight 0.7, start 3, full 8,
        /// at_least 10.
        #[schema(default, transform = schema::times)]
        pub rate_shift: Field<Shift>,
        /// Far more bytes in responses than the identity's own most. Default: weight 0.6, start 3,
        /// full 12, at_least 1MiB.
        #[schema(default)]
        pub volume_shift: Field<VolumeShift>,
        /// Responses that are errors. Default: weight 0.4, start 0.2, full 0.6, at_least 20.
        #[schema(default, transform = schema::shares)]
        pub failures: Field<Shift>,
        /// Requests that Postern refused. Default: weight 0.65, start 0.1, full 0.5, at_least 10.
        #[schema(default, transform = schema::shares)]
        pub denials: Field<Shift>,
        /// A network that the identity was not seen on. Default: weight 0.15.
        #[schema(default)]
        pub new_source: Field<Occurrence>,
        /// Many networks at once. Default: weight 0.3, start 2, full 8, at_least 4.
        #[schema(default, transform = schema::networks)]
        pub source_fanout: Field<Shift>,
        /// One token on several networks. Default: weight 0.6.
        #[schema(default)]
        pub token_fanout: Field<Occurrence>,
        /// A route that the identity did not use before. Default: weight 0.15.
        #[schema(default)]
        pub new_route: Field<Occurrence>,
        /// An hour of the day at which the identity never calls. Default: weight 0.15, days 5.
        #[schema(default)]
        pub odd_hour: Field<OddHour>,
    }
}

object! {
    /// A signal of many different resources.
    pub struct Spread {
        /// What it weighs; 0 turns it off.
        #[schema(default, range(min = 0, max = 1))]
        pub weight: Field<f64>,
        /// How many different resources are many for an identity without a past.
        #[schema(default, range(min = 1, max = 1_000_000))]
        pub distinct: Field<u64>,
        /// In how long they are counted, 1s to 1d.
        #[schema(default)]
        pub window: Field<Span>,
        /// Where it begins: times the identity's own most.
        #[schema(default, range(min = 1, max = 1000))]
        pub start: Field<f64>,
        /// Where it is full, above `start`.
        #[schema(default, range(min = 1, max = 1000))]
        pub full: Field<f64>,
    }
}

object! {
    /// A signal of how far something is from what is usual.
    pub struct Shift {
        /// What it weighs; 0 turns it off.
        #[schema(default, range(min = 0, max = 1))]
        pub weight: Field<f64>,
        /// Where it begins: times the identity's own most; of failures and denials, a share above
        /// its own usual one.
        #[schema(default)]
        pub start: Field<f64>,
        /// Where it is full, above `start`.
        #[schema(default)]
        pub full: Field<f64>,
        /// Below how many it stays silent: requests, or networks of source_fanout.
        #[schema(default, range(min = 1, max = 1_000_000))]
        pub at_least: Field<u64>,
    }
}

object! {
    /// A signal of far more bytes than usual.
    pub struct VolumeShift {
        /// What it weighs; 0 turns it off.
        #[schema(default, range(min = 0, max = 1))]
        pub weight: Field<f64>,
        /// Where it begins: times the identity's own most.
        #[schema(default, range(min = 1, max = 1000))]
        pub start: Field<f64>,
        /// Where it is full, above `start`.
        #[schema(default, range(min = 1, max = 1000))]
        pub full: Field<f64>,
        /// Below how many bytes it stays silent, from 256B to 1000GiB, rounded up to a multiple of
        /// 256.
        #[schema(default)]
        pub at_least: Field<Size>,
    }
}

object! {
    /// A signal that is there or is not.
    pub struct Occurrence {
        /// What it weighs; 0 turns it off.
        #[schema(default, range(min = 0, max = 1))]
        pub weight: Field<f64>,
    }
}

object! {
    /// A signal of calls at an unusual hour.
    pub struct OddHour {
        /// What it weighs; 0 turns it off.
        #[schema(default, range(min = 0, max = 1))]
        pub weight: Field<f64>,
        /// How many days an identity is seen on before its hours are judged.
        #[schema(default, range(min = 1, max = 15))]
        pub days: Field<u64>,
    }
}
