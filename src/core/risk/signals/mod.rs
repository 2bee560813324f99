//! What a score is made of: a row for each signal, in a file of its own.
//!
//! A row has all that is particular to its signal: its name, what it means, its fields with their
//! defaults, how strong it is, and what people are told. The reader of the configuration, the
//! published schema and audit are made of the rows; a new signal is a file and a line in `rows!`.
//! Whatever can be told from a profile at any moment is the row's `level`; a signal that is an occurrence
//! says in its file what it `Remembers`, and has a line in `memories!`.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `field` | what can be said of a signal, and in which units it is kept |
//! | `memory` | what becomes of what an occurrence remembers |
//! | `familiar` | things that are known for a while, as two occurrences remember them |
//! | `tokens` | which networks an identity's tokens are used on |
//! | `measure` | what several levels are measured by |
//! | `words` | what several sentences say |

mod familiar;
pub mod field;
mod measure;
mod memory;
mod tokens;
mod words;

pub(super) mod denials;
pub(super) mod failures;
mod new_route;
mod new_source;
mod odd_hour;
mod rate_shift;
mod source_fanout;
mod spread;
pub(super) mod token_fanout;
mod volume_shift;

pub use familiar::Familiar;
use field::{FieldForm, SignalField};
pub use memory::Circumstances;
use memory::Remembers;
pub use new_route::KnownRoutes;
pub use new_source::KnownNetworks;
pub use odd_hour::UsedHours;
pub use token_fanout::TokenPlaces;
pub use tokens::{Newcomer, RecentTokens, Token};

use super::observation::Arrival;
use super::profile::Profile;
use super::settings::Settings;

/// All that is particular to a signal.
pub struct Row {
    /// The word that the configuration and audit use.
    pub name: &'static str,
    /// What it means, as a sentence.
    pub doc: &'static str,
    /// What the published schema calls the fields together.
    pub form: FieldForm,
    /// What can be said of it, in the order of the reference.
    pub fields: &'static [SignalField],
    /// How strong it is, in parts of `ONE`, as far as that can be told from what is known at any
    /// moment; none where it is an occurrence, whose strength only fades.
    pub level: Option<fn(&Profile, &Settings) -> u32>,
    /// What is said of it while its level is there.
    pub sentence: Option<fn(&Profile, &Settings) -> String>,
    /// What is said where it is an occurrence, or only what is left of a level.
    pub held: &'static str,
}

macro_rules! rows {
    ($($signal:ident = $file:ident,)*) => {
        /// What a score is made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Signal {
            $(
                #[doc = concat!("See the file `", stringify!($file), "`.")]
                $signal,
            )*
        }

        impl Signal {
            /// Every signal, in the order of the reference.
            pub const ALL: [Self; SIGNALS] = [$(Self::$signal),*];

            /// The names of all, in the same order.
            pub const NAMES: [&'static str; SIGNALS] = [$($file::ROW.name),*];

            /// All that is particular to it.
            #[must_use]
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Self::$signal => &$file::ROW,)*
                }
            }

            /// The names of its fields.
            #[must_use]
            pub const fn fields(self) -> &'static [&'static str] {
                match self {
                    $(Self::$signal => {
                        const FIELDS: &[SignalField] = $file::ROW.fields;
                        const NAMES: [&str; FIELDS.len()] = field::names(FIELDS);
                        &NAMES
                    })*
                }
            }
        }

        /// How many signals there are.
        pub const SIGNALS: usize = [$($file::ROW.name),*].len();
    };
}

// In the order of the reference, which is that of what is stored.
rows! {
    Spread = spread,
    RateShift = rate_shift,
    VolumeShift = volume_shift,
    Failures = failures,
    Denials = denials,
    NewSource = new_source,
    SourceFanout = source_fanout,
    TokenFanout = token_fanout,
    NewRoute = new_route,
    OddHour = odd_hour,
}

macro_rules! memories {
    ($($signal:ident = $field:ident: $memory:ident,)*) => {
        /// What the signals that are occurrences remember of an identity.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Memories {
            $(
                #[doc = concat!("What `", stringify!($signal), "` does.")]
                pub $field: $memory,
            )*
        }

        /// How strong each occurrence is that just was, in parts of `ONE`.
        pub type OccurrenceStrengths = [(Signal, u32); [$(Signal::$signal),*].len()];

        impl Memories {
            /// Takes note of a request.
            pub(super) fn arrive(&mut self, arrival: &Arrival, at: &Circumstances) -> OccurrenceStrengths {
                [$((Signal::$signal, self.$field.arrive(arrival, at))),*]
            }

            /// Ends a second.
            pub(super) fn close(&mut self, second: u32) {
                $(self.$field.close(second);)*
            }

            /// Goes on from one second, zero before the first, to a later one.
            pub(super) fn advance(&mut self, from: u32, to: u32, settings: &Settings) -> OccurrenceStrengths {
                [$((Signal::$signal, self.$field.advance(from, to, settings))),*]
            }

            /// Learns from a window which is over, in parts of `ONE`.
            pub(super) fn learn(&mut self, lesson: u32) {
                $(self.$field.learn(lesson);)*
            }

            /// What is learned fades by so much.
            pub(super) fn forget_own(&mut self, faded: u8) {
                $(self.$field.forget_own(faded);)*
            }

            /// Forgets what belongs to this moment: the clock was set back.
            pub(super) fn forget_moment(&mut self) {
                $(self.$field.forget_moment();)*
            }
        }
    };
}

memories! {
    NewSource = networks: KnownNetworks,
    NewRoute = routes: KnownRoutes,
    TokenFanout = tokens: TokenPlaces,
    OddHour = hours: UsedHours,
}

impl Signal {
    /// The word that the configuration and audit use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }
}
