//! What a score is made of: a row for each signal, in a file of its own.
//!
//! A row has all that is particular to its signal: its name, what it means, its fields with their
//! defaults, how strong it is, and what people are told. The reader of the configuration, the
//! published schema and audit are made of the rows; a new signal is a file and a line in `rows!`.
//! What a profile sees as it comes, such as a network that is new, the profile hands to the file of
//! the signal; whatever can be told from a profile is the row's `level`.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `field` | what can be said of a signal, and in which units it is kept |
//! | `measure` | what several levels are measured by |
//! | `words` | what several sentences say |

pub mod field;
pub(super) mod measure;
mod words;

pub(super) mod denials;
pub(super) mod failures;
mod new_route;
mod new_source;
pub(super) mod odd_hour;
mod rate_shift;
mod source_fanout;
mod spread;
pub(super) mod token_fanout;
mod volume_shift;

use super::profile::Profile;
use super::settings::Settings;
use field::{FieldForm, SignalField};

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
    /// moment; none where it is an event, whose strength only fades.
    pub level: Option<fn(&Profile, &Settings) -> u32>,
    /// What is said of it while its level is there.
    pub sentence: Option<fn(&Profile, &Settings) -> String>,
    /// What is said where it is an event, or only what is left of a level.
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

impl Signal {
    /// The word that the configuration and audit use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }
}
