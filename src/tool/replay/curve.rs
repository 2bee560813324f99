//! The score of an identity over time.

use postern_core::risk::profile::Profile;
use postern_core::risk::score::score;
use postern_core::risk::settings::Settings;

use super::history::{Moment, second};

/// How finely time is divided at most.
const SLOTS: u64 = 600;

/// The time of a replay, divided into slots of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first request, in milliseconds since the epoch.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// How many slots there are.
    pub slots: u64,
}

/// The highest score in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub slot: u64,
    pub score: u8,
    /// Whether there were requests; else it is what was left of an earlier score.
    pub called: bool,
}

impl Span {
    pub fn new(first: u64, last: u64) -> Self {
        let seconds = last.saturating_sub(first) / 1000;
        Self {
            first,
            last,
            slots: seconds.saturating_add(1).min(SLOTS),
        }
    }

    fn millis(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// The slot of a time in it.
    pub fn slot(self, time: u64) -> u64 {
        let since = time.saturating_sub(self.first);
        let slot = since
            .saturating_mul(self.slots)
            .checked_div(self.millis())
            .unwrap_or_default();
        slot.min(self.slots.saturating_sub(1))
    }

    /// When a slot begins; the one after the last is the end.
    pub fn begin(self, slot: u64) -> u64 {
        let since = slot
            .saturating_mul(self.millis())
            .checked_div(self.slots)
            .unwrap_or_default();
        self.first.saturating_add(since)
    }
}

/// Draws a curve while requests are judged.
pub struct Pen {
    span: Span,
    own: Settings,
    /// What was known after the last request, and what it came to.
    before: Option<(Profile, u8)>,
    points: Vec<Point>,
}

impl Pen {
    pub fn new(span: Span, own: &Settings) -> Self {
        Self {
            span,
            own: own.clone(),
            before: None,
            points: Vec::new(),
        }
    }

    /// Takes note of a request.
    pub fn see(&mut self, moment: &Moment<'_>) {
        let slot = self.span.slot(moment.request.time);
        self.fade_until(slot);
        match self.points.last_mut() {
            Some(last) if last.slot == slot => last.score = last.score.max(moment.score),
            _ => self.points.push(Point {
                slot,
                score: moment.score,
                called: true,
            }),
        }
        self.before = Some((*moment.profile, moment.score));
    }

    /// The curve, to the end of the time.
    pub fn lift(mut self) -> Vec<Point> {
        self.fade_until(self.span.slots);
        self.points
    }

    /// What is left of a score while there are no requests, until it is nothing.
    fn fade_until(&mut self, slot: u64) {
        let (Some(last), Some((mut profile, mut left))) = (self.points.last(), self.before) else {
            return;
        };
        for slot in last.slot.saturating_add(1)..slot {
            if left > 0 {
                let end = self.span.begin(slot.saturating_add(1));
                profile.advance(second(end), &self.own);
                // It only fades: entering an hour without calling in it is not odd.
                left = left.min(score(&profile.signals(&self.own), &self.own));
            }
            self.points.push(Point {
                slot,
                score: left,
                called: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_of_the_same_length_and_hold_every_time() {
        let span = Span::new(1_000_000, 1_000_000 + 86_400_000);
        assert_eq!(span.slots, SLOTS);
        assert_eq!((span.slot(span.first), span.slot(span.last)), (0, 599));
        assert_eq!(span.begin(300), 1_000_000 + 43_200_000);
        for slot in [0, 1, 299, 599] {
            assert_eq!(span.slot(span.begin(slot).saturating_add(1)), slot);
        }
        let moment = Span::new(5, 5);
        assert_eq!((moment.slots, moment.slot(5), moment.begin(1)), (1, 0, 6));
        let absurd = Span::new(0, u64::MAX);
        assert!(absurd.slot(u64::MAX) < SLOTS);
    }
}
