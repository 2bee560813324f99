//! THE order: every check that a request has to pass, once.
//!
//! The filter runs [`STEPS`] to the first refusal, and that decides. Whoever explains a decision has
//! the gate make the very same with a [`Watch`] ([`Opened::headers_watched`]), which is shown each step
//! with what came of it, and behind the first refusal what the others would have come to. Those have
//! a state of their own, so that nothing is counted or remembered for being explained; a step that
//! needs more is [`Verdict::NotJudged`].
//!
//! [`Opened::headers_watched`]: super::Opened::headers_watched
//!
//! # To add a step
//!
//! 1. Write its check beside those that it is like:
//!
//!    | file | what is asked |
//!    | --- | --- |
//!    | `target` | what for: path, method, route, connection, upstream, query |
//!    | `public` | whether the request ends here |
//!    | `source` | from where: source, pressure |
//!    | `credential` | by whom: credential, known, signature, claims |
//!    | `permission` | whether that one may: client, proof, scopes, allow, when |
//!    | `risk`, `limits` | how it usually does, and how much |
//!
//!    It is a function of the configuration (in the [`Judge`]), the [`Request`] and the [`Case`],
//!    that returns what it [`Learned`] or how else it went: `Err(Verdict::NotAsked)` where nothing
//!    asks for it, a denial where it refuses. What an earlier step has to give it takes from the case
//!    with `?`, and so cannot be made before that one. Only what changes with requests (remembered
//!    tokens, counters, profiles) is in the [`State`].
//! 2. Put a row into [`STEPS`]. Where it stands decides what a caller is told who fails twice, and what
//!    it costs to refuse: what is cheap and needs nobody's name stands first, and nothing is counted
//!    for a caller before it is certain whose request it is.
//! 3. If a later step has to know what it found out, give that a variant of [`Learned`] and a field of
//!    [`Case`].
//! 4. A step that needs the body says `reads_body` in its row, and asks for it with
//!    [`Request::body`] and `?`: the request is held until the body is there, and then all steps are
//!    made anew with it. So it stands before whatever counts (`risk`, `limits`), or must be made once
//!    only, and behind whatever can refuse without it.
//! 5. Write its line into `docs/reference/steps.md`; a test compares the two. The tool shows it as it
//!    is; what it says of a step beside its name and its refusal is in `explain/told`.

mod case;
mod credential;
mod limits;
pub mod permission;
mod public;
mod request;
mod risk;
mod source;
mod state;
mod target;

use crate::caller::{Known, Refusal};
use crate::gate::judge::Judge;
use crate::risk::watch::Assessment;

pub use case::{Case, Learned, StepOutcome, Verdict};
pub use request::{BODY_BYTES, KeptBody, Request, RequestBody, Unread};
pub(super) use risk::subject;
pub(super) use source::throttled;
pub use state::State;

/// One check of a request.
#[derive(Clone, Copy)]
pub struct Step {
    /// How the documentation, the tool and whoever talks of it call it.
    pub name: &'static str,
    /// What it comes to.
    pub check: Check,
    /// Whether it may ask for the body.
    pub reads_body: bool,
}

/// A check: the configuration and the instant, what is asked, what is known, and what changes.
pub type Check = for<'a> fn(&Judge<'a>, &Request<'a>, &Case<'a>, &mut State<'_>) -> StepOutcome<'a>;

/// Every step, in the order in which they are made; a row says what its check gets to see.
pub const STEPS: &[Step] = &[
    step("path", |_, request, _, _| target::path(request).into()),
    step("method", |_, request, _, _| target::method(request).into()),
    step("route", |judge, request, case, _| {
        target::route(judge, request, case).into()
    }),
    step("connection", |judge, request, _, _| {
        target::connection(judge, request).into()
    }),
    step("upstream", |_, request, case, _| {
        target::upstream(request, case).into()
    }),
    step("public", public::public),
    step("source", |judge, request, _, state| {
        source::source(judge, request, state)
    }),
    step("query", |judge, request, _, _| {
        target::query(judge, request).into()
    }),
    step("credential", |judge, request, case, _| {
        credential::credential(judge, request, case).into()
    }),
    step("known", |judge, _, case, state| {
        credential::known(judge, case, state)
    }),
    step("pressure", source::pressure),
    step("signature", |judge, _, case, state| {
        credential::signature(judge, case, state)
    }),
    step("claims", |judge, _, case, state| {
        credential::claims(judge, case, state).into()
    }),
    step("client", |judge, request, case, _| {
        permission::client(judge, request, case).into()
    }),
    step("proof", |judge, request, case, _| {
        permission::proof(judge, request, case).into()
    }),
    step("scopes", |_, _, case, _| permission::scopes(case).into()),
    step("allow", |judge, request, case, _| {
        permission::allow(judge, request, case).into()
    }),
    step("when", |judge, request, case, _| {
        permission::when(judge, request, case).into()
    }),
    step("risk", risk::risk),
    step("limits", limits::limits),
];

const fn step(name: &'static str, check: Check) -> Step {
    Step {
        name,
        check,
        reads_body: false,
    }
}

/// Who looks on while steps are made.
pub trait Watch {
    /// Whether anybody does: where nobody does, nothing is made behind the first refusal.
    const LOOKS: bool = true;

    /// A request is decided, perhaps once more.
    fn begin(&mut self);

    /// A step was made.
    fn saw(&mut self, seen: &Seen<'_, '_>);
}

/// Nobody looks.
pub struct Unwatched;

impl Watch for Unwatched {
    const LOOKS: bool = false;

    fn begin(&mut self) {}

    fn saw(&mut self, _: &Seen<'_, '_>) {}
}

/// A step that was made.
pub struct Seen<'s, 'a> {
    /// Its name.
    pub step: &'static str,
    /// How it went.
    pub verdict: &'s Verdict,
    /// Whether the request came to it; a step behind the first refusal decides nothing.
    pub decides: bool,
    /// The configuration and the instant.
    pub judge: &'s Judge<'a>,
    /// What was asked.
    pub request: &'s Request<'a>,
    /// What was known with the step.
    pub case: &'s Case<'a>,
}

/// Makes the steps to the first refusal; what is known then, and the refusal.
pub(super) fn walk<'a, W: Watch>(
    steps: &'static [Step],
    judge: &Judge<'a>,
    request: &Request<'a>,
    state: &mut State<'_>,
    watch: &mut W,
) -> (Case<'a>, Result<(), Refusal>) {
    let mut case = Case::open(judge, request, state.memory.known);
    let mut steps = steps.iter();
    watch.begin();
    for step in steps.by_ref() {
        let StepOutcome { learned, verdict } = (step.check)(judge, request, &case, state);
        case.learn(learned);
        watch.saw(&Seen {
            step: step.name,
            verdict: &verdict,
            decides: true,
            judge,
            request,
            case: &case,
        });
        // What was counted would be counted again: such a step stands in the wrong place.
        if let Verdict::NeedsBody(unread) = verdict
            && step.reads_body
            && !case.has_counted()
        {
            case.unread = Some(unread);
        }
        let ended = match verdict.into_end() {
            None => continue,
            Some(ended) => ended,
        };
        if W::LOOKS {
            rest(judge, request, &case, steps, ended.is_ok(), watch);
        }
        return (case, ended);
    }
    (case, Ok(()))
}

/// Shows what the steps behind the last that decided would have come to.
fn rest<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
    steps: std::slice::Iter<'_, Step>,
    mut ended: bool,
    watch: &mut impl Watch,
) {
    let mut known = Known::default();
    let (mut case, mut state) = (case.aside(), State::aside(&mut known));
    for step in steps {
        let outcome = if ended {
            StepOutcome {
                learned: Learned::Nothing,
                verdict: Verdict::NotAsked,
            }
        } else {
            (step.check)(judge, request, &case, &mut state)
        };
        ended |= matches!(outcome.verdict, Verdict::Ended);
        case.learn(outcome.learned);
        watch.saw(&Seen {
            step: step.name,
            verdict: &outcome.verdict,
            decides: false,
            judge,
            request,
            case: &case,
        });
    }
}

/// What a request comes to for its caller's profile that was refused for what it asked, if anything.
pub(super) fn note_refused<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    state: &mut State<'_>,
    case: &Case<'a>,
    refusal: &Refusal,
) -> Option<Assessment> {
    let desk = state.desk.as_mut()?;
    risk::refused(judge, request, case, refusal, desk)
}
