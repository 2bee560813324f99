//! Numbers that look random and are the same in every run.

/// SplitMix64's finisher.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One hash of several numbers.
pub fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(1, |hash, part| mix(hash ^ mix(*part)))
}

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From zero up to below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// From 0 up to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// The seconds to the next of events that come at that rate a second, by themselves.
    pub fn gap(&mut self, rate: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate
    }

    /// One of so many, the first far more often than the last.
    pub fn skewed(&mut self, bound: u64) -> u64 {
        let inner = self.below(bound) + 1;
        self.below(inner)
    }
}
