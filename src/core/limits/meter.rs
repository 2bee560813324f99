//! What one counter holds, and what a request does to it: a pure function of both and the instant.

use crate::base::Now;

/// The most that a quota may be, and the most units one count can hold: a count lives in the
/// nanoseconds of its window's end.
pub const QUOTA_MAX: u64 = NANOS - 1;
/// No position is further ahead than this, in nanoseconds: 366 days.
pub const HORIZON: u64 = 366 * 86_400 * NANOS;

const NANOS: u64 = 1_000_000_000;

/// The state of a counter: one instant, in nanoseconds since the epoch.
///
/// - Of a rate it is the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371):
///   when everything that was let in will have been earned.
/// - Of a quota it is the end of the current window, a whole second, plus what was counted in the
///   window, in nanoseconds.
///
/// Either way a counter whose position is not ahead says nothing any more, and of two positions of
/// one limit the later stands for more use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Position {
    /// Whether the counter says anything at that instant.
    #[must_use]
    pub const fn is_live(self, now: Now) -> bool {
        self.0 > now.nanos()
    }

    /// The least position in which every limit that could have had this one is used up at least as
    /// far: of two positions of different limits the later may stand for less of a quota.
    #[must_use]
    pub fn used_up(self) -> Self {
        let (end, _) = split(self);
        Self(end.saturating_add(QUOTA_MAX))
    }
}

/// How a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meter {
    /// The generic cell rate algorithm.
    Rate {
        /// The emission interval: how long one unit takes to be earned, in nanoseconds, rounded up.
        interval: u64,
        /// How many units can be had at once.
        burst: u64,
    },
    /// A count in fixed windows, which begin at whole multiples of their length since the epoch.
    Quota {
        /// The length of a window in whole seconds.
        window: u64,
        /// How many units a window has.
        quota: u64,
    },
}

/// What a counter says at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many units could be had now.
    pub remaining: u64,
    /// When all of the limit could be had again.
    pub full_at: Now,
}

/// Whether units can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// They can; the counter's position with them taken.
    Fits(Position),
    /// They can from that instant on, if nobody else takes any.
    Later(Now),
    /// The limit never holds that many at once.
    Never,
}

impl Meter {
    /// Whether `cost` units can be had now.
    ///
    /// ```
    /// use postern_core::base::Now;
    /// use postern_core::limits::meter::{Charge, Meter, Position};
    ///
    /// // One a second, one at once.
    /// let meter = Meter::Rate { interval: 1_000_000_000, burst: 1 };
    /// let now = Now::from_secs(1_772_445_600);
    /// let Charge::Fits(position) = meter.charge(Position::default(), 1, now) else {
    ///     panic!("the first one is free");
    /// };
    /// let next = Now::from_secs(1_772_445_601);
    /// assert_eq!(meter.charge(position, 1, now), Charge::Later(next));
    /// assert!(matches!(meter.charge(position, 1, next), Charge::Fits(_)));
    /// ```
    #[must_use]
    pub fn charge(self, position: Position, cost: u64, now: Now) -> Charge {
        match self {
            Self::Rate { interval, burst } => {
                let holds = burst.saturating_mul(interval);
                let taken = interval.saturating_mul(cost);
                let next = position.0.max(now.nanos()).saturating_add(taken);
                if next <= now.nanos().saturating_add(holds) {
                    Charge::Fits(Position(next))
                } else if taken > holds {
                    Charge::Never
                } else {
                    Charge::Later(Now::from_nanos(next.saturating_sub(holds)))
                }
            }
            Self::Quota { window, quota } => {
                let (end, used) = in_window(position, window, now);
                let used = used.saturating_add(cost);
                if used <= quota {
                    Charge::Fits(Position(end.saturating_add(used)))
                } else if cost > quota {
                    Charge::Never
                } else {
                    Charge::Later(Now::from_nanos(end))
                }
            }
        }
    }

    /// How many units can be had at once at most.
    #[must_use]
    pub const fn most(self) -> u64 {
        match self {
            Self::Rate { burst, .. } => burst,
            Self::Quota { quota, .. } => quota,
        }
    }

    /// Takes `cost` units whether they can be had or not.
    #[must_use]
    pub fn take(self, position: Position, cost: u64, now: Now) -> Position {
        match self {
            Self::Rate { interval, .. } => {
                let next = position.0.max(now.nanos());
                let next = next.saturating_add(interval.saturating_mul(cost));
                Position(next.min(now.nanos().saturating_add(HORIZON)))
            }
            Self::Quota { window, .. } => {
                let (end, used) = in_window(position, window, now);
                Position(end.saturating_add(used.saturating_add(cost).min(QUOTA_MAX)))
            }
        }
    }

    /// Gives back `cost` units that were taken when the counter came to `charged`.
    ///
    /// What has been earned again since is not given back: nobody gets more than the limit.
    #[must_use]
    pub fn refund(self, position: Position, cost: u64, charged: Position, now: Now) -> Position {
        match self {
            Self::Rate { interval, .. } => {
                let unearned = charged.0.saturating_sub(now.nanos());
                Position(
                    position
                        .0
                        .saturating_sub(interval.saturating_mul(cost).min(unearned)),
                )
            }
            Self::Quota { .. } => {
                let ((end, used), (charged_end, _)) = (split(position), split(charged));
                if end == charged_end {
                    Position(end.saturating_add(used.saturating_sub(cost)))
                } else {
                    position
                }
            }
        }
    }

    /// What the counter says now.
    #[must_use]
    pub fn standing(self, position: Position, now: Now) -> Standing {
        match self {
            Self::Rate { interval, burst } => {
                let holds = burst.saturating_mul(interval);
                let full_at = position.0.max(now.nanos());
                let free = now.nanos().saturating_add(holds).saturating_sub(full_at);
                Standing {
                    remaining: free.checked_div(interval).unwrap_or_default(),
                    full_at: Now::from_nanos(full_at),
                }
            }
            Self::Quota { window, quota } => {
                let (end, used) = in_window(position, window, now);
                Standing {
                    remaining: quota.saturating_sub(used),
                    full_at: Now::from_nanos(end),
                }
            }
        }
    }
}

/// The end of the window that counts now, and what was counted in it.
fn in_window(position: Position, window: u64, now: Now) -> (u64, u64) {
    let (end, used) = split(position);
    if end > now.nanos() {
        return (end, used);
    }
    let window = window.max(1);
    let begun = now.secs().checked_div(window).unwrap_or_default();
    let end = begun.saturating_add(1).saturating_mul(window);
    (end.saturating_mul(NANOS), 0)
}

fn split(position: Position) -> (u64, u64) {
    let used = position.0.checked_rem(NANOS).unwrap_or_default();
    (position.0.saturating_sub(used), used)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Meter = Meter::Rate {
        interval: 600_000_000,
        burst: 20,
    };
    const QUOTA: Meter = Meter::Quota {
        window: 3600,
        quota: 3,
    };
    const START: Now = Now::from_secs(1_772_445_600);

    fn later(now: Now, nanos: u64) -> Now {
        Now::from_nanos(now.nanos() + nanos)
    }

    fn fits(charge: Charge) -> Position {
        match charge {
            Charge::Fits(position) => position,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rate_gives_its_burst_at_once_and_then_one_unit_an_interval() {
        let mut position = Position::default();
        for _ in 0..20 {
            position = fits(RATE.charge(position, 1, START));
        }
        let Charge::Later(at) = RATE.charge(position, 1, START) else {
            panic!("the 21st fits");
        };
        assert_eq!(at, later(START, 600_000_000));
        let before = Now::from_nanos(at.nanos() - 1);
        assert!(matches!(RATE.charge(position, 1, before), Charge::Later(t) if t == at));
        position = fits(RATE.charge(position, 1, at));
        assert!(matches!(RATE.charge(position, 1, at), Charge::Later(_)));
    }

    #[test]
    fn a_rate_says_what_is_left_and_when_it_is_full() {
        let position = fits(RATE.charge(Position::default(), 5, START));
        let standing = RATE.standing(position, START);
        assert_eq!(standing.remaining, 15);
        assert_eq!(standing.full_at, later(START, 5 * 600_000_000));
        assert_eq!(
            RATE.standing(position, later(START, 600_000_000)).remaining,
            16
        );
    }

    #[test]
    fn a_cost_beyond_the_burst_or_the_quota_never_fits() {
        assert_eq!(RATE.charge(Position::default(), 21, START), Charge::Never);
        assert_eq!(
            RATE.charge(Position::default(), u64::MAX, START),
            Charge::Never
        );
        assert_eq!(QUOTA.charge(Position::default(), 4, START), Charge::Never);
    }

    #[test]
    fn a_quota_counts_in_its_window_and_begins_anew_at_its_end() {
        let mut position = Position::default();
        let now = later(START, 10_000_000_000);
        for left in [2, 1, 0] {
            position = fits(QUOTA.charge(position, 1, now));
            assert_eq!(QUOTA.standing(position, now).remaining, left);
        }
        let end = Now::from_secs(START.secs() + 3600);
        assert_eq!(QUOTA.charge(position, 1, now), Charge::Later(end));
        let last = Now::from_nanos(end.nanos() - 1);
        assert_eq!(QUOTA.charge(position, 1, last), Charge::Later(end));
        position = fits(QUOTA.charge(position, 3, end));
        assert_eq!(QUOTA.standing(position, end).remaining, 0);
    }

    #[test]
    fn what_is_given_back_is_what_has_not_been_earned_again() {
        let charged = fits(RATE.charge(Position::default(), 2, START));
        let both = fits(RATE.charge(charged, 1, START));
        assert_eq!(
            RATE.refund(both, 2, charged, START),
            Position(START.nanos() + 600_000_000)
        );
        // The counter ran dry in between: the charge has no trace left to be undone.
        let after = later(START, 2_000_000_000);
        let other = fits(RATE.charge(charged, 1, after));
        assert_eq!(RATE.refund(other, 2, charged, after), other);
        let charged = fits(QUOTA.charge(Position::default(), 2, START));
        assert_eq!(
            QUOTA
                .standing(QUOTA.refund(charged, 2, charged, START), START)
                .remaining,
            3
        );
        let next = fits(QUOTA.charge(charged, 1, Now::from_secs(START.secs() + 3600)));
        assert_eq!(QUOTA.refund(next, 2, charged, START), next);
    }

    #[test]
    fn a_debt_is_kept_and_has_an_end() {
        let position = RATE.take(Position::default(), 100, START);
        assert_eq!(RATE.standing(position, START).remaining, 0);
        assert_eq!(
            RATE.charge(position, 1, START),
            Charge::Later(later(START, 81 * 600_000_000))
        );
        let position = RATE.take(position, u64::MAX, START);
        assert_eq!(position.0, START.nanos() + HORIZON);
        let position = QUOTA.take(Position::default(), u64::MAX, START);
        assert_eq!(QUOTA.standing(position, START).remaining, 0);
        assert_eq!(
            QUOTA.charge(position, 1, START),
            Charge::Later(Now::from_secs(START.secs() + 3600))
        );
    }
}
