//! What is known of an identity: 248 bytes that take one observation after the other.
//!
//! Within a second nothing depends on the order: what is counted is added up, what is remembered is
//! a set of bits, and what is judged over time is judged when the second is over. So workers may
//! keep what they saw for a moment and add it later.
//!
//! # How an identity's own most is learned
//!
//! A window of some minutes (`learn_every`) is held against the windows before it, never against itself. When it is
//! over, the most of it raises the identity's own most by `(1 - score)²` of the difference: what was
//! judged usual is learned at once, what was judged unusual slowly, what was refused hardly at all.
//! Until the identity is known (`warm_up`, and two windows) everything is learned, and only the
//! number of its resources, its errors and its refusals are judged. Own mosts halve in `baseline`.

use super::arithmetic::{Fade, OCTAVE, ONE, log2, raise, times, windows};
use super::observation::{Arrival, Ending, Observation, Phase};
use super::score::{self, Signals};
use super::settings::{Number, Settings};
use super::signals::{
    Circumstances, Memories, OccurrenceStrengths, SIGNALS, Signal, denials, failures,
};
use super::sketch::{Distinct, count, log_of};

/// The half-lives in seconds over which requests are counted, where that of the score is not shorter.
pub const RATE_SCALES: [u32; 4] = [1, 8, 60, 480];
/// The half-lives in seconds over which bytes are counted: those of the last two rates.
pub const VOLUME_SCALES: [u32; 2] = [RATE_SCALES[2], RATE_SCALES[3]];
/// The half-life in seconds over which errors and refusals are counted: that of the third rate.
pub const SHARE_SCALE: u32 = RATE_SCALES[2];
/// The bytes of a unit of volume.
pub const VOLUME_UNIT: u64 = 256;

/// How many windows an identity must have been seen in since it was warm.
const WINDOWS: u8 = 2;
/// In how many steps a half-life passes.
const STEPS: u32 = 128;
/// Four bits are kept of them.
const MOST_WINDOWS: u8 = 15;
const DAY: u32 = 86_400;
/// A clock that is this many seconds behind was set back; less is only workers' differing by a bit.
const SLACK: u32 = 2;

/// A quantity that fades, the most of it in this window, and the own most before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// How much there is.
    pub now: u32,
    /// The logarithm of the most in this window.
    pub most: u16,
    /// The logarithm of the own most.
    pub own: u16,
}

/// A share in parts of 256: the most in this window, and the own usual one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The most in this window.
    pub most: u8,
    /// The own usual one.
    pub own: u8,
}

/// What is known of an identity; `page` writes it down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The second of the last observation; zero before the first.
    pub seen: u32,
    /// How many requests there were.
    pub requests: u32,
    /// How many windows there were since it was warm, at most 15.
    pub windows: u8,
    /// See the constants; four bits, of which `page` takes the second for what is remembered of
    /// tokens.
    pub flags: u8,
    /// Requests, in parts of 256, for each of [`RATE_SCALES`].
    pub rate: [Level; 4],
    /// Units of response bytes, for each of [`VOLUME_SCALES`].
    pub volume: [Level; 2],
    /// Requests that have ended, in parts of 256.
    pub ended: u32,
    /// Of those the ones that failed.
    pub failed: u32,
    /// Requests that were refused, in parts of 256.
    pub refused: u32,
    /// The share of failures.
    pub failures: Share,
    /// The share of refusals.
    pub refusals: Share,
    /// The different resources in the window of `spread`.
    pub resources: Distinct,
    /// The logarithm of the own most of them.
    pub resources_own: u16,
    /// The networks of this window.
    pub around: u64,
    /// The logarithm of the own most of them.
    pub around_own: u16,
    /// What the signals that are occurrences remember, each in its own file.
    pub memories: Memories,
    /// What each signal was, faded, in parts of 65,536, at most 65,535.
    pub held: [u16; SIGNALS],
}

/// The clock was set back in this second.
pub const SET_BACK: u8 = 1;
/// A window of `spread` has ended since the identity was warm.
const RESOURCES_SEEN: u8 = 4;
/// Another has, which was a whole one.
const RESOURCES_KNOWN: u8 = 8;

impl Profile {
    /// Takes the clock; where it was set back, what belongs to this moment is forgotten and nothing
    /// is judged before it has gone on.
    pub fn begin(&mut self, now: u32, settings: &Settings) {
        if now.saturating_add(SLACK) >= self.seen {
            return;
        }
        // What the second has shown before still stands.
        self.hold_levels(settings);
        self.seen = now;
        self.flags |= SET_BACK;
        self.resources = Distinct::default();
        self.around = 0;
        self.memories.forget_moment();
        let levels = self.rate.iter_mut().chain(&mut self.volume);
        levels.for_each(|level| level.most = 0);
    }

    /// Takes an observation; one that comes late counts as of the last second seen.
    pub fn observe(&mut self, observation: &Observation, settings: &Settings) {
        self.advance(observation.second, settings);
        match &observation.phase {
            Phase::Arrival(arrival) => self.arrive(arrival),
            Phase::Ending(outcome) => self.end(*outcome),
        }
    }

    /// Goes on to a second, if it is a later one.
    pub fn advance(&mut self, now: u32, settings: &Settings) {
        let seen = self.seen;
        if now <= seen {
            return;
        }
        if seen != 0 {
            self.pass(seen, now, settings);
        }
        self.seen = now;
        let occurrences = self.memories.advance(seen, now, settings);
        self.hold_occurrences(occurrences);
    }

    /// Whether it is judged by its own past.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.windows >= WINDOWS
    }

    /// Whether the different resources it uses are judged by its own past.
    #[must_use]
    pub fn knows_resources(&self) -> bool {
        self.flags & RESOURCES_KNOWN != 0
    }

    /// What every signal is now.
    #[must_use]
    pub fn signals(&self, settings: &Settings) -> Signals {
        let mut signals = score::levels(self, settings);
        for (signal, held) in signals.iter_mut().zip(&self.held) {
            *signal = (*signal).max(u32::from(*held));
        }
        signals
    }

    fn arrive(&mut self, arrival: &Arrival) {
        self.requests = self.requests.saturating_add(1);
        for level in &mut self.rate {
            level.now = level.now.saturating_add(256);
        }
        if arrival.refused {
            self.refused = self.refused.saturating_add(256);
        }
        if let Some(resource) = arrival.resource {
            self.resources.add(resource);
        }
        if let Some(network) = arrival.network {
            self.around |= 1 << (network & 63);
        }
        let networks = &self.memories.networks;
        let circumstances = Circumstances {
            second: self.seen,
            was_here: arrival.network.is_some_and(|at| networks.was_here(at)),
        };
        let occurrences = self.memories.arrive(arrival, &circumstances);
        self.hold_occurrences(occurrences);
    }

    fn end(&mut self, outcome: Ending) {
        self.ended = self.ended.saturating_add(256);
        self.failed = self.failed.saturating_add(outcome.answer.weight());
        let units = outcome.bytes.div_ceil(VOLUME_UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        for level in &mut self.volume {
            level.now = level.now.saturating_add(units);
        }
    }

    fn hold_occurrences(&mut self, occurrences: OccurrenceStrengths) {
        if self.is_settled() {
            for (signal, strength) in occurrences {
                self.hold(signal, strength);
            }
        }
    }

    fn hold(&mut self, signal: Signal, strength: u32) {
        if let Some(held) = self.held.get_mut(signal as usize) {
            *held = (*held).max(u16::try_from(strength).unwrap_or(u16::MAX));
        }
    }

    fn hold_levels(&mut self, settings: &Settings) {
        let levels = score::levels(self, settings);
        for (signal, strength) in Signal::ALL.into_iter().zip(levels) {
            self.hold(signal, strength);
        }
    }

    /// What time does to all that is no occurrence's.
    fn pass(&mut self, seen: u32, now: u32, settings: &Settings) {
        self.close_second(settings);
        if windows(seen, now, settings.of(Number::Lesson)) != 0 {
            self.learn(settings);
        }
        match windows(seen, now, settings.of(Number::Window)) {
            0 => {}
            1 => self.learn_resources(settings),
            _ => {
                self.learn_resources(settings);
                // And a whole one without a request.
                self.learn_resources(settings);
            }
        }
        self.fade(seen, now, settings);
        if windows(seen, now, DAY) != 0 {
            self.forget_own(seen, now, settings);
        }
    }

    /// What was counted in a second is judged when it is over.
    fn close_second(&mut self, settings: &Settings) {
        self.hold_levels(settings);
        self.flags &= !SET_BACK;
        for level in self.rate.iter_mut().chain(&mut self.volume) {
            level.most = level.most.max(log2(u64::from(level.now)));
        }
        if let Some(share) = failures::share(self, settings) {
            self.failures.most = self.failures.most.max(share);
        }
        if let Some(share) = denials::share(self, settings) {
            self.refusals.most = self.refusals.most.max(share);
        }
        self.memories.close(self.seen);
    }

    /// How much of what a window showed is learned, in parts of [`ONE`].
    fn lesson(&self, settings: &Settings) -> u32 {
        if !self.is_settled() {
            return ONE;
        }
        let held = self.held.map(u32::from);
        let usual = ONE.saturating_sub(score::combined(&held, settings));
        times(usual, usual)
    }

    fn learn(&mut self, settings: &Settings) {
        let lesson = self.lesson(settings);
        for level in self.rate.iter_mut().chain(&mut self.volume) {
            raise(&mut level.own, std::mem::take(&mut level.most), lesson);
        }
        let around = log_of(count(std::mem::take(&mut self.around)));
        raise(&mut self.around_own, around, lesson);
        for share in [&mut self.failures, &mut self.refusals] {
            let (mut own, most) = (u16::from(share.own), std::mem::take(&mut share.most));
            raise(&mut own, u16::from(most), lesson);
            share.own = u8::try_from(own).unwrap_or(u8::MAX);
        }
        self.memories.learn(lesson);
        if self.requests >= settings.of(Number::WarmUp) {
            self.windows = self.windows.saturating_add(1).min(MOST_WINDOWS);
        }
    }

    fn learn_resources(&mut self, settings: &Settings) {
        let lesson = if self.knows_resources() {
            self.lesson(settings)
        } else {
            ONE
        };
        let most = log_of(std::mem::take(&mut self.resources).estimate());
        raise(&mut self.resources_own, most, lesson);
        if self.requests >= settings.of(Number::WarmUp) {
            let known = (self.flags & RESOURCES_SEEN) << 1;
            self.flags |= RESOURCES_SEEN | known;
        }
    }

    fn fade(&mut self, seen: u32, now: u32, settings: &Settings) {
        let elapsed = now.saturating_sub(seen);
        let half_life = settings.of(Number::HalfLife);
        // Nothing that a score is made of lasts longer than the score.
        let fades = RATE_SCALES.map(|scale| Fade::over(elapsed, scale.min(half_life)));
        let [.., shares, longest] = fades;
        let rates = self.rate.iter_mut().zip(fades);
        let volumes = self.volume.iter_mut().zip([shares, longest]);
        for (level, fade) in rates.chain(volumes) {
            level.now = fade.of(level.now);
        }
        for counted in [&mut self.ended, &mut self.failed, &mut self.refused] {
            *counted = shares.of(*counted);
        }
        // In steps, of which none is so small that rounding would be most of it.
        let step = (half_life / STEPS).max(1);
        let steps = windows(seen, now, step);
        let held = Fade::over(steps.saturating_mul(step), half_life);
        for signal in &mut self.held {
            *signal = u16::try_from(held.of(u32::from(*signal))).unwrap_or(u16::MAX);
        }
    }

    /// Own mosts fade by the day: a day is a small part of an octave.
    fn forget_own(&mut self, seen: u32, now: u32, settings: &Settings) {
        let baseline = u64::from(settings.of(Number::Baseline));
        // Of two days each from the same beginning, so that what is rounded off is not lost.
        let faded = |second: u32| {
            let day = u64::from(second.checked_div(DAY).unwrap_or_default());
            let octaves = day
                .saturating_mul(u64::from(DAY))
                .saturating_mul(u64::from(OCTAVE));
            octaves.checked_div(baseline).unwrap_or_default()
        };
        let faded = faded(now).saturating_sub(faded(seen));
        let faded = u16::try_from(faded).unwrap_or(u16::MAX);
        for level in self.rate.iter_mut().chain(&mut self.volume) {
            level.own = level.own.saturating_sub(faded);
        }
        for own in [&mut self.resources_own, &mut self.around_own] {
            *own = own.saturating_sub(faded);
        }
        let faded = u8::try_from(faded).unwrap_or(u8::MAX);
        for own in [&mut self.failures.own, &mut self.refusals.own] {
            *own = own.saturating_sub(faded);
        }
        self.memories.forget_own(faded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::risk::signals::token_fanout::MOVED;

    const NOON: u32 = 1_772_452_800;

    fn arrival(second: u32, network: u64, token: u64) -> Observation {
        let spread = |value: u64| value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Observation {
            second,
            phase: Phase::Arrival(Arrival {
                network: Some(spread(network)),
                token: Some(spread(token)),
                resource: Some(spread(u64::from(second) << 8)),
                ..Arrival::default()
            }),
        }
    }

    fn after(observations: impl IntoIterator<Item = Observation>) -> Profile {
        let mut profile = Profile::default();
        for observation in observations {
            profile.begin(observation.second, &Settings::default());
            profile.observe(&observation, &Settings::default());
        }
        profile
    }

    /// A request a minute, from one network with one token, for two days and an hour.
    fn settled() -> Profile {
        let minutes = 0..49 * 60;
        after(minutes.map(|minute| arrival(NOON + minute * 60, 1, 7)))
    }

    fn fanout(mut profile: Profile, observation: Observation) -> u32 {
        profile.observe(&observation, &Settings::default());
        profile.signals(&Settings::default())[Signal::TokenFanout as usize]
    }

    #[test]
    fn a_token_on_another_network_says_more_the_closer_they_are_in_time() {
        let profile = settled();
        let now = profile.seen;
        assert_eq!(fanout(profile, arrival(now, 2, 7)), ONE - 1);
        assert_eq!(fanout(profile, arrival(now + 100, 2, 7)), MOVED);
        assert_eq!(fanout(profile, arrival(now + 100, 1, 7)), 0);
    }

    #[test]
    fn a_token_that_moves_to_a_network_of_the_day_before_says_nothing() {
        let mut profile = settled();
        let now = profile.seen;
        profile.observe(&arrival(now + 100, 2, 8), &Settings::default());
        profile.advance(now + DAY, &Settings::default());
        profile.observe(&arrival(now + DAY, 1, 7), &Settings::default());
        let moves = arrival(now + DAY + 100, 2, 7);
        assert_eq!(fanout(profile, moves), 0);
    }

    #[test]
    fn a_new_identity_may_have_a_token_on_two_networks_and_it_is_learned() {
        let both = |second| [arrival(second, 1, 7), arrival(second, 2, 7)];
        let young = after((0..60).flat_map(|minute| both(NOON + minute)));
        let score = score::score(&young.signals(&Settings::default()), &Settings::default());
        assert_eq!(score, 0);
        let grown = after((0..600).flat_map(|minute| both(NOON + minute * 60)));
        assert!(grown.is_settled() && grown.memories.tokens.shared_own > 240);
        let score = score::score(&grown.signals(&Settings::default()), &Settings::default());
        assert_eq!(score, 0);
    }

    #[test]
    fn a_job_within_one_window_is_known_when_it_comes_again() {
        let job = |start: u32| (start..start + 300).map(|second| arrival(second, 1, 7));
        let mut profile = after(job(NOON));
        assert!(!profile.knows_resources());
        profile.advance(NOON + DAY, &Settings::default());
        assert!(profile.knows_resources());
        for observation in job(NOON + DAY) {
            profile.observe(&observation, &Settings::default());
        }
        assert_eq!(
            profile.signals(&Settings::default())[Signal::Spread as usize],
            0
        );
    }
}
