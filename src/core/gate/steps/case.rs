//! What is known of a request so far, and what one step makes of it.

use std::cell::RefCell;
use std::rc::Rc;

use super::request::{Request, Unread};
use crate::base::KeyOwnerId;
use crate::caller::certificate::{Presented, Surroundings};
use crate::caller::{Attempt, Caller, Known, Recognised, Refusal, Sealed};
use crate::crypto::Work;
use crate::crypto::keyed::Fingerprint;
use crate::decision::{Denial, Reason};
use crate::gate::judge::Judge;
use crate::gate::settings::Route;
use crate::limits::Charged;
use crate::policy::Matched;
use crate::request::NormalPath;
use crate::risk::watch::Assessment;

/// What is known of a request so far: what each step came to is added by whoever runs them.
///
/// A step asks for what it needs by the functions of that name; where no step gave it, the step
/// cannot be judged.
pub struct Case<'a> {
    /// The certificate that came with the request, as far as it is believed.
    pub presented: Presented,
    /// The path in its one reading.
    pub path: Option<NormalPath>,
    /// The route.
    pub matched: Option<Matched<'a, Route>>,
    /// Whether the token that was sent to a public route goes on.
    pub passes_on: bool,
    /// Whether the source would be turned away, if that were enforced.
    pub pressed: bool,
    /// The query, where there is one, once it is read.
    pub query: Option<Option<&'a str>>,
    /// The token that was sent.
    pub token: Option<&'a [u8]>,
    /// What a worker that has met the token knows of it.
    pub recognised: Option<Recognised<'a>>,
    /// Where the token will be remembered, if it is.
    pub(super) fingerprint: Option<Fingerprint>,
    /// The token whose signature holds, for the one step that reads its claims.
    pub(super) sealed: RefCell<Option<Sealed<'a>>>,
    /// Whose keys judged the token.
    pub judged_by: Option<KeyOwnerId>,
    /// What its signature cost, and might have.
    pub work: Work,
    /// The caller, once its credential was verified.
    pub caller: Option<Rc<Caller>>,
    /// Whether the caller has proven the credential its own.
    pub proven: bool,
    /// How unusual the request is for its caller.
    pub risk: Option<Assessment>,
    /// What was charged.
    pub charged: Charged,
    /// How much of the body a step asked for that was not there.
    pub unread: Option<Unread>,
}

/// What one step came to.
pub struct StepOutcome<'a> {
    /// What is known now; a refusal can teach something too.
    pub learned: Learned<'a>,
    /// How it went.
    pub verdict: Verdict,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// Nothing asks for it.
    NotAsked,
    /// It holds, and nothing else is asked.
    Ended,
    /// It refuses the request.
    Refused(Refusal),
    /// It needs this, which no step before it gave; before the first refusal that cannot be.
    NotJudged(&'static str),
    /// It needs the body, or the beginning of one that is too long.
    NeedsBody(Unread),
}

/// What a step has found out.
#[allow(
    clippy::large_enum_variant,
    reason = "each is moved once, and a box would be an allocation a request"
)]
pub enum Learned<'a> {
    /// Nothing that a later step asks for.
    Nothing,
    /// The path in its one reading.
    Path(NormalPath),
    /// The route.
    Route(Matched<'a, Route>),
    /// Of a public route.
    Public {
        /// Whether the token that was sent goes on.
        passes_on: bool,
        /// What it cost to find out.
        work: Work,
        /// Whether the source would be turned away.
        pressed: bool,
    },
    /// The source has failed too often.
    Pressed,
    /// The query, if there is one.
    Query(Option<&'a str>),
    /// The token.
    Token(&'a [u8]),
    /// A token that was met before.
    Recognised(Recognised<'a>),
    /// Whose keys a token was refused by before.
    RefusedBefore(Option<KeyOwnerId>),
    /// Where a token that was not met before will be remembered.
    New(Option<Fingerprint>),
    /// What its signature cost, whose keys they are, and the token if it holds.
    Signature(Work, Option<KeyOwnerId>, Option<Sealed<'a>>),
    /// The caller.
    Caller(Rc<Caller>),
    /// The credential is the caller's own.
    Proven,
    /// How unusual the request is.
    Risk(Assessment),
    /// What was charged.
    Charged(Charged),
}

/// What most steps come to: something learned, or why it does not go on.
pub(super) type Checked<'a> = Result<Learned<'a>, Verdict>;

impl<'a> From<Checked<'a>> for StepOutcome<'a> {
    fn from(checked: Checked<'a>) -> Self {
        match checked {
            Ok(learned) => Self {
                learned,
                verdict: Verdict::Passed,
            },
            Err(verdict) => Self {
                learned: Learned::Nothing,
                verdict,
            },
        }
    }
}

impl<'a> From<Attempt<'a>> for StepOutcome<'a> {
    fn from(attempt: Attempt<'a>) -> Self {
        let (sealed, verdict) = match attempt.sealed {
            Ok(sealed) => (Some(sealed), Verdict::Passed),
            Err(refusal) => (None, Verdict::Refused(refusal)),
        };
        Self {
            learned: Learned::Signature(attempt.work, attempt.owner, sealed),
            verdict,
        }
    }
}

impl From<Denial> for Verdict {
    fn from(denial: Denial) -> Self {
        Self::Refused(denial.into())
    }
}

impl From<Unread> for Verdict {
    fn from(unread: Unread) -> Self {
        Self::NeedsBody(unread)
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Verdict {
    /// What the decision is, if nothing else is asked.
    pub(super) fn into_end(self) -> Option<Result<(), Refusal>> {
        match self {
            Self::Passed | Self::NotAsked => None,
            Self::Ended => Some(Ok(())),
            Self::Refused(refusal) => Some(Err(refusal)),
            // Whoever puts a step before the one that it needs must not let anybody in by that.
            Self::NotJudged(_) => {
                let detail = "a step came before the one that it needs";
                Some(Err(Denial::new(Reason::HostUnavailable, detail).into()))
            }
            Self::NeedsBody(_) => {
                let detail = "the request's body could not be read";
                Some(Err(Denial::new(Reason::HostUnavailable, detail).into()))
            }
        }
    }
}

impl<'a> Case<'a> {
    /// A request of which no step has been made.
    pub(super) fn open(judge: &Judge<'a>, request: &Request<'a>, known: &mut Known) -> Self {
        let around = Surroundings {
            headers: request.headers,
            peer: request.peer,
            connection: request.connection,
        };
        Self {
            presented: Presented::of(&judge.callers, known, around),
            path: None,
            matched: None,
            passes_on: false,
            pressed: false,
            query: None,
            token: None,
            recognised: None,
            fingerprint: None,
            sealed: RefCell::default(),
            judged_by: None,
            work: Work::within(judge.config.callers.tokens.budget),
            caller: None,
            proven: false,
            risk: None,
            charged: Charged::default(),
            unread: None,
        }
    }

    /// The same, to find out more that decides nothing.
    pub(super) fn aside(&self) -> Self {
        Self {
            presented: self.presented.clone(),
            path: self.path.clone(),
            matched: self.matched,
            passes_on: self.passes_on,
            pressed: self.pressed,
            query: self.query,
            token: self.token,
            recognised: self.recognised.clone(),
            fingerprint: None,
            sealed: RefCell::default(),
            judged_by: self.judged_by,
            work: self.work,
            caller: self.caller.clone(),
            proven: self.proven,
            risk: self.risk.clone(),
            charged: self.charged.clone(),
            unread: None,
        }
    }

    pub(super) fn learn(&mut self, learned: Learned<'a>) {
        match learned {
            Learned::Nothing => {}
            Learned::Path(path) => self.path = Some(path),
            Learned::Route(matched) => self.matched = Some(matched),
            Learned::Public {
                passes_on,
                work,
                pressed,
            } => {
                self.passes_on = passes_on;
                self.work = work;
                self.pressed |= pressed;
            }
            Learned::Pressed => self.pressed = true,
            Learned::Query(query) => self.query = Some(query),
            Learned::Token(token) => self.token = Some(token),
            Learned::Recognised(recognised) => {
                self.judged_by = Some(recognised.owner());
                self.recognised = Some(recognised);
            }
            Learned::RefusedBefore(owner) => self.judged_by = owner,
            Learned::New(fingerprint) => self.fingerprint = fingerprint,
            Learned::Signature(work, owner, sealed) => {
                self.work = work;
                self.judged_by = owner;
                self.sealed = RefCell::new(sealed);
            }
            Learned::Caller(caller) => self.caller = Some(caller),
            Learned::Proven => self.proven = true,
            Learned::Risk(assessment) => self.risk = Some(assessment),
            Learned::Charged(charged) => self.charged = charged,
        }
    }

    /// Whether anything was counted for the request that would be counted again.
    pub(super) fn has_counted(&self) -> bool {
        self.risk.is_some() || !self.charged.standings.is_empty()
    }

    pub(super) fn path(&self) -> Result<&NormalPath, Verdict> {
        self.path.as_ref().ok_or(Verdict::NotJudged("the path"))
    }

    pub(super) fn matched(&self) -> Result<Matched<'a, Route>, Verdict> {
        self.matched.ok_or(Verdict::NotJudged("the route"))
    }

    pub(super) fn route(&self) -> Result<&'a Route, Verdict> {
        self.matched().map(|matched| matched.route)
    }

    pub(super) fn query(&self) -> Result<Option<&'a str>, Verdict> {
        self.query.ok_or(Verdict::NotJudged("the query"))
    }

    pub(super) fn caller(&self) -> Result<&Rc<Caller>, Verdict> {
        self.caller.as_ref().ok_or(Verdict::NotJudged("the caller"))
    }

    /// The token, if it is by one that the caller comes.
    pub(super) fn token(&self) -> Result<&'a [u8], Verdict> {
        match (self.token, &self.caller) {
            (Some(token), _) => Ok(token),
            (None, Some(_)) => Err(Verdict::NotAsked),
            (None, None) => Err(Verdict::NotJudged("the credential")),
        }
    }

    /// The token, if nothing is known of it.
    pub(super) fn new_token(&self) -> Result<&'a [u8], Verdict> {
        match self.recognised {
            Some(_) => Err(Verdict::NotAsked),
            None => self.token(),
        }
    }

    pub(super) fn take_sealed(&self) -> Result<Sealed<'a>, Verdict> {
        let sealed = self.sealed.try_borrow_mut().ok();
        let sealed = sealed.and_then(|mut sealed| sealed.take());
        sealed.ok_or(Verdict::NotJudged("a signature that holds"))
    }
}
