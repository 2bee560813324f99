//! When a key set is fetched, and by whom: one small record a source, shared by all workers.
//!
//! Every change is a pure function from the old record to an answer and a new one; the caller puts
//! it behind compare-and-swap. Whoever gets [`Claimed::Fetch`] fetches for the whole process.

use std::time::Duration;

use crate::base::Now;

/// The shortest and the longest pause behind a failed fetch.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// How long a fetch may take beyond its timeout before another worker takes over.
const LEASE_GRACE: Duration = Duration::from_secs(1);

/// The size of an encoded record, in bytes.
const SIZE: usize = 56;

/// The periods a source is fetched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// The longest a fetch may take.
    pub timeout: Duration,
    /// How long a key set is fresh at most.
    pub refresh: Duration,
    /// The shortest time between two fetches asked for by unknown keys; also the shortest time a
    /// key set is fresh.
    pub cooldown: Duration,
}

/// Why a worker wants a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// There is no key set yet.
    First,
    /// The key set is due for a refresh.
    Due,
    /// A token names a key that the set does not have.
    UnknownKey,
}

/// What a worker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Fetch now, for everyone.
    Fetch,
    /// A fetch is under way; its outcome will be known when `attempts` has moved.
    UnderWay,
    /// Not now.
    NotYet,
}

/// The shared record of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Until when the fetch under way has to end; zero where none is.
    lease_until: Now,
    /// Before when no due fetch starts.
    not_before: Now,
    /// When the last fetch for an unknown key started.
    asked_at: Now,
    /// How many fetches have ended.
    attempts: u64,
    /// How many of the last ones failed.
    failures: u64,
    /// Tells the fetch under way from those whose lease ran out.
    holder: u64,
    /// Why the last fetch failed, in the caller's numbering; zero where it did not.
    cause: u64,
}

impl Schedule {
    /// Asks whether to fetch; `holder` tells this fetch from any other.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use postern_core::base::Now;
    /// use postern_core::keys::schedule::{Claimed, Periods, Schedule, Want};
    ///
    /// let periods = Periods {
    ///     timeout: Duration::from_secs(5),
    ///     refresh: Duration::from_secs(300),
    ///     cooldown: Duration::from_secs(10),
    /// };
    /// let now = Now::from_secs(1_772_445_600);
    /// let (answer, shared) = Schedule::default().claim(Want::First, &periods, now, 1);
    /// assert_eq!(answer, Claimed::Fetch);
    /// // Another worker sees that somebody fetches.
    /// let (answer, _) = shared.claim(Want::First, &periods, now, 2);
    /// assert_eq!(answer, Claimed::UnderWay);
    /// ```
    #[must_use]
    pub fn claim(self, want: Want, periods: &Periods, now: Now, holder: u64) -> (Claimed, Self) {
        if self.is_leased(now, periods) {
            return (Claimed::UnderWay, self);
        }
        let allowed = match want {
            Want::First => self.failures == 0 || self.is_due(periods, now),
            Want::Due => self.is_due(periods, now),
            Want::UnknownKey => self.may_ask(periods, now),
        };
        if !allowed {
            return (Claimed::NotYet, self);
        }
        let asked_at = if want == Want::UnknownKey {
            now
        } else {
            self.asked_at
        };
        let lease_until = now.after(periods.timeout).after(LEASE_GRACE);
        (
            Claimed::Fetch,
            Self {
                lease_until,
                asked_at,
                holder,
                ..self
            },
        )
    }

    /// Takes note that a fetch brought a key set which is fresh for `fresh_for`.
    ///
    /// `jitter` is any number; it spreads the next fetch over the last tenth of the period.
    #[must_use]
    pub fn succeeded(
        self,
        holder: u64,
        periods: &Periods,
        fresh_for: Option<Duration>,
        now: Now,
        jitter: u64,
    ) -> Self {
        if holder != self.holder {
            return self;
        }
        let longest = periods.refresh;
        let fresh_for = fresh_for
            .unwrap_or(longest)
            .clamp(periods.cooldown.min(longest), longest);
        let not_before = now.after(less_up_to_a_tenth(fresh_for, jitter));
        Self {
            not_before,
            failures: 0,
            cause: 0,
            ..self.ended()
        }
    }

    /// Takes note that a fetch failed for this cause; the pause doubles with each failure.
    #[must_use]
    pub fn failed(self, holder: u64, cause: u64, now: Now, jitter: u64) -> Self {
        if holder != self.holder {
            return self;
        }
        let doublings = u32::try_from(self.failures.min(16)).unwrap_or(16);
        let pause = BACKOFF_MIN
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(BACKOFF_MAX);
        let not_before = now.after(less_up_to_a_tenth(pause, jitter));
        Self {
            not_before,
            failures: self.failures.saturating_add(1),
            cause,
            ..self.ended()
        }
    }

    /// Whether the fetch of that holder ran out of its lease, and another one began or ended since.
    #[must_use]
    pub fn was_taken_from(&self, holder: u64) -> bool {
        // Zero: there is no record, or it was lost.
        self.holder != 0 && self.holder != holder
    }

    /// How many fetches have ended, well or not.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// How many fetches failed since the last good one.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Why the last fetch failed; zero where it did not.
    #[must_use]
    pub fn cause(&self) -> u64 {
        self.cause
    }

    /// The record as bytes: seven 64-bit integers, little-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let numbers = [
            self.lease_until.nanos(),
            self.not_before.nanos(),
            self.asked_at.nanos(),
            self.attempts,
            self.failures,
            self.holder,
            self.cause,
        ];
        numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect()
    }

    /// Reads a record; anything else, as another plugin may have left it, is a fresh one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        if bytes.len() != SIZE {
            return Self::default();
        }
        let mut numbers = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|eight| u64::from_le_bytes(*eight));
        let mut next = || numbers.next().unwrap_or_default();
        Self {
            lease_until: Now::from_nanos(next()),
            not_before: Now::from_nanos(next()),
            asked_at: Now::from_nanos(next()),
            attempts: next(),
            failures: next(),
            holder: next(),
            cause: next(),
        }
    }

    fn ended(self) -> Self {
        Self {
            lease_until: Now::default(),
            attempts: self.attempts.saturating_add(1),
            ..self
        }
    }

    fn is_leased(&self, now: Now, periods: &Periods) -> bool {
        let longest = periods.timeout.saturating_add(LEASE_GRACE);
        now < self.lease_until && self.lease_until <= now.after(longest)
    }

    // A clock that jumped back leaves an instant far ahead; none of ours is further than its period.
    fn is_due(&self, periods: &Periods, now: Now) -> bool {
        now >= self.not_before || self.not_before > now.after(periods.refresh.max(BACKOFF_MAX))
    }

    fn may_ask(&self, periods: &Periods, now: Now) -> bool {
        self.asked_at > now
            || now >= self.asked_at.after(periods.cooldown)
            || self.asked_at == Now::default()
    }
}

fn less_up_to_a_tenth(period: Duration, jitter: u64) -> Duration {
    let tenth = period.checked_div(10).unwrap_or_default();
    let nanos = u64::try_from(tenth.as_nanos()).unwrap_or(u64::MAX).max(1);
    period.saturating_sub(Duration::from_nanos(
        jitter.checked_rem(nanos).unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIODS: Periods = Periods {
        timeout: Duration::from_secs(2),
        refresh: Duration::from_secs(600),
        cooldown: Duration::from_secs(30),
    };
    const START: Now = Now::from_secs(1_000_000);

    fn at(secs: u64) -> Now {
        START.after(Duration::from_secs(secs))
    }

    fn claimed(schedule: Schedule, want: Want, now: Now) -> Schedule {
        let (answer, claimed) = schedule.claim(want, &PERIODS, now, 7);
        assert_eq!(answer, Claimed::Fetch);
        claimed
    }

    #[test]
    fn one_worker_fetches_and_the_others_wait() {
        let held = claimed(Schedule::default(), Want::Due, START);
        assert_eq!(
            held.claim(Want::Due, &PERIODS, at(1), 8).0,
            Claimed::UnderWay
        );
        assert_eq!(
            held.claim(Want::UnknownKey, &PERIODS, at(1), 8).0,
            Claimed::UnderWay
        );
    }

    #[test]
    fn a_lease_that_ran_out_is_taken_over_and_its_late_answer_changes_nothing() {
        let held = claimed(Schedule::default(), Want::Due, START);
        let (answer, taken) = held.claim(Want::Due, &PERIODS, at(3), 8);
        assert_eq!(answer, Claimed::Fetch);
        assert_eq!(taken.succeeded(7, &PERIODS, None, at(3), 0), taken);
        assert_eq!(taken.failed(7, 1, at(3), 0), taken);
    }

    #[test]
    fn a_good_fetch_is_repeated_within_the_last_tenth_of_its_period() {
        let good = claimed(Schedule::default(), Want::Due, START).succeeded(
            7,
            &PERIODS,
            None,
            START,
            u64::MAX,
        );
        assert_eq!(
            good.claim(Want::Due, &PERIODS, at(539), 8).0,
            Claimed::NotYet
        );
        assert_eq!(
            good.claim(Want::Due, &PERIODS, at(600), 8).0,
            Claimed::Fetch
        );
        assert_eq!(good.attempts(), 1);
    }

    #[test]
    fn max_age_shortens_the_period_down_to_the_cooldown_and_never_lengthens_it() {
        const CASES: &[(u64, u64)] = &[(0, 30), (5, 30), (60, 60), (600, 600), (86_400, 600)];
        for (max_age, expected) in CASES {
            let held = claimed(Schedule::default(), Want::Due, START);
            let good = held.succeeded(7, &PERIODS, Some(Duration::from_secs(*max_age)), START, 0);
            assert_eq!(good.not_before, at(*expected), "max-age {max_age}");
        }
    }

    #[test]
    fn failures_back_off_up_to_a_minute_and_a_success_ends_it() {
        let mut schedule = Schedule::default();
        let mut now = START;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            schedule = claimed(schedule, Want::Due, now).failed(7, 1, now, 0);
            pauses.push(schedule.not_before.since(now).as_millis());
            now = schedule.not_before;
        }
        assert_eq!(pauses[..4], [500, 1000, 2000, 4000]);
        assert_eq!(pauses[9], 60_000);
        let good = claimed(schedule, Want::Due, now).succeeded(7, &PERIODS, None, now, 0);
        assert_eq!(good.failures(), 0);
    }

    #[test]
    fn unknown_keys_cause_one_fetch_a_cooldown_however_many_ask() {
        let good =
            claimed(Schedule::default(), Want::Due, START).succeeded(7, &PERIODS, None, START, 0);
        let asked = claimed(good, Want::UnknownKey, at(1)).succeeded(7, &PERIODS, None, at(1), 0);
        for second in 2..31 {
            assert_eq!(
                asked.claim(Want::UnknownKey, &PERIODS, at(second), 8).0,
                Claimed::NotYet
            );
        }
        assert_eq!(
            asked.claim(Want::UnknownKey, &PERIODS, at(31), 8).0,
            Claimed::Fetch
        );
    }

    #[test]
    fn a_clock_that_jumps_back_holds_nothing_up() {
        let good =
            claimed(Schedule::default(), Want::Due, START).succeeded(7, &PERIODS, None, START, 0);
        let asked = claimed(good, Want::UnknownKey, at(40));
        let earlier = Now::from_secs(1000);
        assert_eq!(
            good.claim(Want::Due, &PERIODS, earlier, 8).0,
            Claimed::Fetch
        );
        assert_eq!(
            asked.claim(Want::Due, &PERIODS, earlier, 8).0,
            Claimed::Fetch
        );
        let ended = asked.failed(7, 1, at(40), 0);
        assert_eq!(
            ended.claim(Want::UnknownKey, &PERIODS, earlier, 8).0,
            Claimed::Fetch
        );
    }

    #[test]
    fn the_first_keys_are_fetched_whatever_a_schedule_says_but_failures_are_waited_out() {
        let good =
            claimed(Schedule::default(), Want::Due, START).succeeded(7, &PERIODS, None, START, 0);
        assert_eq!(
            good.claim(Want::First, &PERIODS, at(1), 8).0,
            Claimed::Fetch
        );
        let bad = claimed(Schedule::default(), Want::First, START).failed(7, 3, START, 0);
        assert_eq!(bad.cause(), 3);
        assert_eq!(
            bad.claim(Want::First, &PERIODS, START, 8).0,
            Claimed::NotYet
        );
        assert_eq!(bad.claim(Want::First, &PERIODS, at(1), 8).0, Claimed::Fetch);
    }

    #[test]
    fn a_record_survives_its_encoding_and_garbage_is_a_fresh_one() {
        let held = claimed(Schedule::default(), Want::UnknownKey, START);
        assert_eq!(Schedule::decode(&held.encode()), held);
        for garbage in [&b""[..], &[0xff; 55], &[0xff; 57]] {
            assert_eq!(Schedule::decode(garbage), Schedule::default());
        }
    }
}
