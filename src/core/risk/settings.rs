//! How callers are judged: the numbers of the section `risk`, and what overrides them.

use std::rc::Rc;

use super::signals::{SIGNALS, Signal};

/// A number of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// After how many seconds half of a signal has faded.
    HalfLife,
    /// For how many seconds networks and routes are known.
    Memory,
    /// After how many seconds an identity's own most counts half.
    Baseline,
    /// After how many requests an identity is judged by its own past.
    WarmUp,
    /// The seconds in which different resources are counted.
    Window,
    /// The seconds of a window from which the own most is learned.
    Lesson,
    /// What a signal weighs, in parts of `ONE`.
    Weight(Signal),
    /// Where a signal begins: for shifts and fanouts, times the own most, as a logarithm in parts of
    /// 256; for `failures` and `denials`, a share in parts of 256 above the own usual one.
    Start(Signal),
    /// Where it is full, in the same unit.
    Full(Signal),
    /// Below what a signal stays silent: requests, units of 256 bytes, networks, days; for `spread`,
    /// the different resources that are many for an identity without a past.
    AtLeast(Signal),
}

const BEFORE_SIGNALS: usize = 6;
const OF_SIGNAL: usize = 4;
const NUMBERS: usize = BEFORE_SIGNALS + SIGNALS * OF_SIGNAL;

impl Number {
    const fn index(self) -> usize {
        match self {
            Self::HalfLife => 0,
            Self::Memory => 1,
            Self::Baseline => 2,
            Self::WarmUp => 3,
            Self::Window => 4,
            Self::Lesson => 5,
            Self::Weight(signal) => place(signal, 0),
            Self::Start(signal) => place(signal, 1),
            Self::Full(signal) => place(signal, 2),
            Self::AtLeast(signal) => place(signal, 3),
        }
    }
}

// Never near the bounds of a usize.
#[allow(clippy::arithmetic_side_effects, reason = "at most 45")]
const fn place(signal: Signal, which: usize) -> usize {
    BEFORE_SIGNALS + signal as usize * OF_SIGNAL + which
}

/// What is done from some score on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The score from which on it is done, 1 to 100.
    pub at: u8,
    /// What is done.
    pub deed: Deed,
}

/// What can be done about a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The upstream is told, and audit says why.
    Tag,
    /// A request costs its limits that many times as much.
    Throttle(u32),
    /// The request is refused.
    Deny,
}

/// What a score comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Whether anything at all is done.
    pub tagged: bool,
    /// How many times its cost a request is charged.
    pub factor: u32,
    /// Whether it is refused.
    pub denied: bool,
}

/// How a caller is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    numbers: [u32; NUMBERS],
    actions: Rc<[Action]>,
}

/// What is judged in another way for a client or on a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    numbers: Vec<(Number, u32)>,
    actions: Option<Rc<[Action]>>,
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self {
            numbers: [0; NUMBERS],
            actions: Rc::new([
                Action {
                    at: 30,
                    deed: Deed::Tag,
                },
                Action {
                    at: 60,
                    deed: Deed::Throttle(4),
                },
                Action {
                    at: 85,
                    deed: Deed::Deny,
                },
            ]),
        };
        DEFAULTS
            .iter()
            .for_each(|(number, value)| settings.set(*number, *value));
        for signal in Signal::ALL {
            for field in signal.row().fields {
                settings.set(field.part.of(signal), field.kept());
            }
        }
        settings
    }
}

const MINUTE: u32 = 60;
const DAY: u32 = 86_400;

/// Those that are no signal's; the signals' own stand in their rows.
const DEFAULTS: &[(Number, u32)] = &[
    (Number::HalfLife, 10 * MINUTE),
    (Number::Memory, DAY),
    (Number::Baseline, 30 * DAY),
    (Number::WarmUp, 200),
    (Number::Lesson, 5 * MINUTE),
];

impl Settings {
    /// A number of them.
    #[must_use]
    pub fn of(&self, number: Number) -> u32 {
        self.numbers
            .get(number.index())
            .copied()
            .unwrap_or_default()
    }

    /// These, with what is said otherwise.
    #[must_use]
    pub fn with(&self, other: &Override) -> Self {
        let mut settings = self.clone();
        for (number, value) in &other.numbers {
            settings.set(*number, *value);
        }
        if let Some(actions) = &other.actions {
            settings.actions = Rc::clone(actions);
        }
        settings
    }

    /// What is done from which score on.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// What a score comes to.
    #[must_use]
    pub fn reaction(&self, score: u8) -> Reaction {
        let mut reaction = Reaction {
            tagged: false,
            factor: 1,
            denied: false,
        };
        for action in self.actions.iter().filter(|action| score >= action.at) {
            reaction.tagged = true;
            match action.deed {
                Deed::Tag => {}
                Deed::Throttle(factor) => reaction.factor = reaction.factor.max(factor),
                Deed::Deny => reaction.denied = true,
            }
        }
        reaction
    }

    /// The lowest score at which anything is done; none where nothing ever is.
    #[must_use]
    pub fn first_action(&self) -> Option<u8> {
        self.actions.iter().map(|action| action.at).min()
    }

    fn set(&mut self, number: Number, value: u32) {
        if let Some(own) = self.numbers.get_mut(number.index()) {
            *own = value;
        }
    }
}

impl Override {
    /// Says a number otherwise.
    pub fn set(&mut self, number: Number, value: u32) {
        self.numbers.push((number, value));
    }

    /// Says otherwise what is done from which score on.
    pub fn act(&mut self, actions: Vec<Action>) {
        self.actions = Some(actions.into());
    }

    /// Whether nothing is said otherwise.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.actions.is_none()
    }
}

/// How callers are judged by what they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoring {
    /// How, where neither the client nor the route says otherwise.
    pub settings: Settings,
    /// How many identities are kept at once.
    pub slots: usize,
}

impl Default for Scoring {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            slots: 32_768,
        }
    }
}
