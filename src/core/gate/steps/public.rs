//! Public routes: nobody is asked who calls.

use super::case::{Case, Learned, StepOutcome, Verdict};
use super::request::Request;
use super::source::pressed;
use super::state::State;
use crate::caller::{Recalled, Refusal, credential};
use crate::crypto::Work;
use crate::decision::{Denial, Reason};
use crate::gate::judge::Judge;
use crate::limits::pressure::Look;

/// Whether the request ends here.
pub(super) fn public<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
    state: &mut State<'_>,
) -> StepOutcome<'a> {
    let verdict = match case.route() {
        Ok(route) if route.public => Verdict::Ended,
        Ok(_) => Verdict::NotAsked,
        Err(verdict) => verdict,
    };
    let learned = match verdict {
        Verdict::Ended => Sent::new(judge, request, state, case.work).look(),
        _ => Learned::Nothing,
    };
    StepOutcome { learned, verdict }
}

/// A token that no route asked for.
struct Sent<'s, 'd, 'a> {
    judge: &'s Judge<'a>,
    request: &'s Request<'a>,
    state: &'s mut State<'d>,
    work: Work,
    pressed: bool,
}

impl<'s, 'd, 'a> Sent<'s, 'd, 'a> {
    fn new(
        judge: &'s Judge<'a>,
        request: &'s Request<'a>,
        state: &'s mut State<'d>,
        work: Work,
    ) -> Self {
        Self {
            judge,
            request,
            state,
            work,
            pressed: false,
        }
    }

    /// Whether it goes on.
    ///
    /// A signature is checked for it at most, and one that does not hold counts against its source.
    fn look(mut self) -> Learned<'a> {
        let passes_on = match self.token() {
            None => false,
            Some(token) => match self.check(token) {
                Ok(()) => true,
                Err(Refusal::Denied(denial) | Refusal::Keys(_, denial)) => self.goes_on(&denial),
            },
        };
        Learned::Public {
            passes_on,
            work: self.work,
            pressed: self.pressed,
        }
    }

    /// The token, if it names somebody whose tokens go on.
    fn token(&self) -> Option<&'a [u8]> {
        let config = self.judge.config;
        if !config.callers.forwards_any() {
            return None;
        }
        let token = credential::token(self.request.headers, None, &config.callers.tokens).ok()?;
        self.judge.callers.forwards(token).then_some(token)
    }

    /// As the steps from `known` to `claims`, where somebody is asked who calls.
    fn check(&mut self, token: &[u8]) -> Result<(), Refusal> {
        let (judge, memory) = (self.judge, &mut self.state.memory);
        let fingerprint = match judge.callers.recall(memory.known, token)? {
            Recalled::Good(recognised) => {
                judge.callers.accept_again(&recognised)?;
                return Ok(());
            }
            Recalled::Bad(denial, _) => return Err(denial.into()),
            Recalled::Nothing(fingerprint) => fingerprint,
        };
        self.press()?;
        let memory = &mut self.state.memory;
        let attempt = judge.callers.verify(memory, token, fingerprint, self.work);
        self.work = attempt.work;
        judge.callers.accept(memory, token, attempt.sealed?)?;
        Ok(())
    }

    fn press(&mut self) -> Result<(), Denial> {
        let Some(counters) = &mut self.state.counters else {
            return Ok(());
        };
        match pressed(self.judge, self.request, counters, Look::Exact) {
            None => Ok(()),
            Some(enforced) => {
                self.pressed = true;
                enforced
            }
        }
    }

    /// Whether a token that was refused for that goes on all the same: without keys nobody can tell.
    fn goes_on(&mut self, denial: &Denial) -> bool {
        if denial.reason.status() == 401
            && let (Some(pressure), Some(counters)) =
                (&self.judge.config.source.pressure, &mut self.state.counters)
        {
            counters.failed(pressure, self.request.source, self.work, self.judge.now());
        }
        denial.reason == Reason::KeysUnavailable
    }
}
