//! Who calls: from the credential to its caller.
//!
//! # Whose request it is
//!
//! Where a token was sent, the token's: limits, headers and audit see its identity, and a certificate
//! beside it is named in audit alone. Where none was sent, the X.509-SVID's, unless the route asks
//! for what only a token can have.

use std::rc::Rc;

use super::case::{Case, Checked, Learned, StepOutcome};
use super::request::Request;
use super::state::State;
use crate::caller::{Recalled, credential};
use crate::gate::judge::Judge;

/// One credential was sent, once.
pub(super) fn credential<'a>(
    judge: &Judge<'a>,
    request: &Request<'a>,
    case: &Case<'a>,
) -> Checked<'a> {
    let (tokens, headers) = (&judge.config.callers.tokens, request.headers);
    let query = case.query()?;
    match credential::token(headers, query, tokens) {
        Ok(token) => Ok(Learned::Token(token)),
        Err(none)
            if !case.route()?.allow.needs_token()
                && !credential::is_sent(headers, query, tokens) =>
        {
            let caller = case.presented.caller()?.ok_or(none)?;
            Ok(Learned::Caller(Rc::clone(caller)))
        }
        Err(denial) => Err(denial.into()),
    }
}

/// The token was not refused before; whether it was verified before is learned too.
pub(super) fn known<'a>(
    judge: &Judge<'a>,
    case: &Case<'a>,
    state: &mut State<'_>,
) -> StepOutcome<'a> {
    let recalled = case.token().and_then(|token| {
        let recalled = judge.callers.recall(state.memory.known, token);
        Ok(recalled?)
    });
    match recalled {
        Ok(Recalled::Good(recognised)) => Ok(Learned::Recognised(recognised)).into(),
        Ok(Recalled::Nothing(fingerprint)) => Ok(Learned::New(fingerprint)).into(),
        Ok(Recalled::Bad(denial, owner)) => StepOutcome {
            learned: Learned::RefusedBefore(owner),
            verdict: denial.into(),
        },
        Err(verdict) => Checked::Err(verdict).into(),
    }
}

/// A key of whoever the token is from holds its signature.
pub(super) fn signature<'a>(
    judge: &Judge<'a>,
    case: &Case<'a>,
    state: &mut State<'_>,
) -> StepOutcome<'a> {
    match case.new_token() {
        Ok(token) => judge
            .callers
            .verify(&mut state.memory, token, case.fingerprint, case.work)
            .into(),
        Err(verdict) => Checked::Err(verdict).into(),
    }
}

/// The token is of the right type, for us, and in time.
pub(super) fn claims<'a>(judge: &Judge<'a>, case: &Case<'a>, state: &mut State<'_>) -> Checked<'a> {
    let token = case.token()?;
    let caller = match &case.recognised {
        Some(recognised) => judge.callers.accept_again(recognised)?,
        None => judge
            .callers
            .accept(&mut state.memory, token, case.take_sealed()?)?,
    };
    Ok(Learned::Caller(caller))
}
