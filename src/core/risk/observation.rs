//! What is seen of a request: a few hashes and numbers, nothing that could be read back.

/// What is seen of a request when it was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The keyed hash of the network it came from; none where that is not known.
    pub network: Option<u64>,
    /// The keyed hash of its token; none where it had none.
    pub token: Option<u64>,
    /// The keyed hash of the route and of the values of its path parameters; none where the route
    /// has none.
    pub resource: Option<u64>,
    /// The keyed hash of its route.
    pub route: u64,
    /// Whether Postern refused it for what it asked.
    pub refused: bool,
}

/// What is seen of a request when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// How the upstream answered.
    pub answer: Answered,
    /// The bytes of the response's body.
    pub bytes: u64,
}

/// How an upstream answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answered {
    /// Well, or not at all.
    #[default]
    Fine,
    /// With a status from 400: the caller asked for something wrong.
    CallersFault,
    /// With a status from 500, which is the upstream's own fault and counts a quarter.
    OwnFault,
}

impl Answered {
    /// What a status says.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            400..500 => Self::CallersFault,
            500.. => Self::OwnFault,
            _ => Self::Fine,
        }
    }

    /// How much of a failure it is, in parts of 256.
    pub(super) const fn weight(self) -> u32 {
        match self {
            Self::Fine => 0,
            Self::OwnFault => 64,
            Self::CallersFault => 256,
        }
    }
}

/// Something that was seen, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Seconds since the Unix epoch.
    pub second: u32,
    /// What was seen.
    pub phase: Phase,
}

/// What can be seen of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It was decided.
    Arrival(Arrival),
    /// It ended.
    Ending(Ending),
}
