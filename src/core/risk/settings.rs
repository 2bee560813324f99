//! How callers are judged: the numbers of the section `risk`, and what overrides them.

use std::rc::Rc;

use super::arithmetic::{OCTAVE, ONE};

/// What a score is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Many different resources: scraping, hoarding.
    Spread,
    /// Far more requests than the identity's own most: bursts, stuffing.
    RateShift,
    /// Far more bytes in responses than the identity's own most: bulk export.
    VolumeShift,
    /// Responses that are errors: probing, stuffing.
    Failures,
    /// Requests that Postern refused: probing of scopes and routes.
    Denials,
    /// A network that the identity was not seen on.
    NewSource,
    /// Many networks at once.
    SourceFanout,
    /// One token on several networks: a stolen one.
    TokenFanout,
    /// A route that the identity did not use before.
    NewRoute,
    /// An hour of the day at which the identity never calls.
    OddHour,
}

/// How many signals there are.
pub const SIGNALS: usize = 10;

impl Signal {
    /// Every signal, in the order of the reference.
    pub const ALL: [Self; SIGNALS] = [
        Self::Spread,
        Self::RateShift,
        Self::VolumeShift,
        Self::Failures,
        Self::Denials,
        Self::NewSource,
        Self::SourceFanout,
        Self::TokenFanout,
        Self::NewRoute,
        Self::OddHour,
    ];

    /// The word that the configuration and audit use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spread => "spread",
            Self::RateShift => "rate_shift",
            Self::VolumeShift => "volume_shift",
            Self::Failures => "failures",
            Self::Denials => "denials",
            Self::NewSource => "new_source",
            Self::SourceFanout => "source_fanout",
            Self::TokenFanout => "token_fanout",
            Self::NewRoute => "new_route",
            Self::OddHour => "odd_hour",
        }
    }
}

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
    /// What a signal weighs, in parts of [`ONE`].
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
        settings
    }
}

const MINUTE: u32 = 60;
const DAY: u32 = 86_400;
/// To the nearest, as the configuration has it.
const fn percent(of: u32) -> u32 {
    hundredths(ONE, of)
}
const fn share(percent: u32) -> u32 {
    hundredths(256, percent)
}
const fn hundredths(of: u32, many: u32) -> u32 {
    of.saturating_mul(many).saturating_add(50) / 100
}
const TWICE: u32 = OCTAVE as u32;
/// log2 of three, of eight and of twelve.
const THREE_TIMES: u32 = 405;
const EIGHT_TIMES: u32 = 768;
const TWELVE_TIMES: u32 = 917;

const DEFAULTS: &[(Number, u32)] = &[
    (Number::HalfLife, 10 * MINUTE),
    (Number::Memory, DAY),
    (Number::Baseline, 30 * DAY),
    (Number::WarmUp, 200),
    (Number::Window, 10 * MINUTE),
    (Number::Lesson, 5 * MINUTE),
    (Number::Weight(Signal::Spread), percent(60)),
    (Number::Start(Signal::Spread), THREE_TIMES),
    (Number::Full(Signal::Spread), TWELVE_TIMES),
    (Number::AtLeast(Signal::Spread), 500),
    (Number::Weight(Signal::RateShift), percent(70)),
    (Number::Start(Signal::RateShift), THREE_TIMES),
    (Number::Full(Signal::RateShift), EIGHT_TIMES),
    (Number::AtLeast(Signal::RateShift), 10),
    (Number::Weight(Signal::VolumeShift), percent(60)),
    (Number::Start(Signal::VolumeShift), THREE_TIMES),
    (Number::Full(Signal::VolumeShift), TWELVE_TIMES),
    (Number::AtLeast(Signal::VolumeShift), 4096),
    (Number::Weight(Signal::Failures), percent(40)),
    (Number::Start(Signal::Failures), share(20)),
    (Number::Full(Signal::Failures), share(60)),
    (Number::AtLeast(Signal::Failures), 20),
    (Number::Weight(Signal::Denials), percent(65)),
    (Number::Start(Signal::Denials), share(10)),
    (Number::Full(Signal::Denials), share(50)),
    (Number::AtLeast(Signal::Denials), 10),
    (Number::Weight(Signal::NewSource), percent(15)),
    (Number::Weight(Signal::SourceFanout), percent(30)),
    (Number::Start(Signal::SourceFanout), TWICE),
    (Number::Full(Signal::SourceFanout), 3 * TWICE),
    (Number::AtLeast(Signal::SourceFanout), 4),
    (Number::Weight(Signal::TokenFanout), percent(60)),
    (Number::Weight(Signal::NewRoute), percent(15)),
    (Number::Weight(Signal::OddHour), percent(15)),
    (Number::AtLeast(Signal::OddHour), 5),
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
