//! An hour of the day at which the identity never calls.

use super::field::{FieldForm, FieldKind, FieldPart, SignalField, weight};
use super::memory::Remembers;
use super::{Row, Signal};
use crate::risk::arithmetic::{ONE, windows};
use crate::risk::settings::{Number, Settings};

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;
const HOURS_A_DAY: u32 = 24;

/// As many as an identity's state holds.
const DAYS: u64 = 15;

pub(super) const ROW: Row = Row {
    name: "odd_hour",
    doc: "An hour of the day at which the identity never calls.",
    form: FieldForm {
        name: "OddHour",
        doc: "A signal of calls at an unusual hour.",
    },
    fields: &[
        weight(15),
        SignalField {
            name: "days",
            doc: "How many days an identity is seen on before its hours are judged.",
            part: FieldPart::AtLeast,
            kind: FieldKind::Count(DAYS),
            default: 5,
        },
    ],
    level: None,
    sentence: None,
    held: "it calls at an hour of the day at which it did not before",
};

/// The hours of the day that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsedHours {
    /// On how many days each hour was used: four bits each.
    pub hours: [u8; 12],
    /// How many days there were.
    pub days: u8,
}

impl Remembers for UsedHours {
    fn advance(&mut self, from: u32, to: u32, settings: &Settings) -> u32 {
        let begins = |length| from == 0 || windows(from, to, length) != 0;
        if begins(DAY) {
            self.enter_day();
        }
        if !begins(HOUR) {
            return 0;
        }
        let hour = to.checked_div(HOUR).unwrap_or_default();
        self.enter_hour(hour.checked_rem(HOURS_A_DAY).unwrap_or_default(), settings)
    }
}

impl UsedHours {
    fn enter_hour(&mut self, hour: u32, settings: &Settings) -> u32 {
        let around = [hour.saturating_add(23), hour, hour.saturating_add(1)];
        let used = around.map(|hour| u32::from(self.days_of_hour(hour)));
        self.use_hour(hour);
        let days = u32::from(self.days);
        if days < settings.of(Number::AtLeast(Signal::OddHour)) {
            return 0;
        }
        strength(used, days)
    }

    fn days_of_hour(&self, hour: u32) -> u8 {
        let (byte, high) = place(hour);
        let pair = self.hours.get(byte).copied().unwrap_or_default();
        if high { pair >> 4 } else { pair & 15 }
    }

    fn use_hour(&mut self, hour: u32) {
        let days = self.days_of_hour(hour).saturating_add(1).min(15);
        let (byte, high) = place(hour);
        if let Some(pair) = self.hours.get_mut(byte) {
            *pair = if high {
                (*pair & 15) | (days << 4)
            } else {
                (*pair & 0xf0) | days
            };
        }
    }

    /// Counts a day; where there are more than four bits hold, all of them count half.
    fn enter_day(&mut self) {
        self.days = self.days.saturating_add(1);
        if self.days > 14 {
            self.days /= 2;
            for pair in &mut self.hours {
                *pair = (*pair >> 1) & 0x77;
            }
        }
    }
}

/// How strong it is to call at an hour, given on how many of all days it and those around it were
/// used.
fn strength(used: [u32; 3], days: u32) -> u32 {
    let used = used
        .iter()
        .fold(0_u32, |sum, days| sum.saturating_add(*days));
    // Used on every fourth day is usual.
    let usual = used.saturating_mul(4).saturating_mul(ONE).checked_div(days);
    ONE.saturating_sub(usual.unwrap_or_default())
}

fn place(hour: u32) -> (usize, bool) {
    let hour = hour.checked_rem(HOURS_A_DAY).unwrap_or_default();
    let byte = usize::try_from(hour / 2).unwrap_or_default();
    (byte, hour & 1 == 1)
}
