//! From a header field to a caller: the credential is found, verified or remembered, and checked.
//!
//! A [`Caller`] exists only for a token whose signature held; nothing else here is trusted.

pub mod cache;
pub mod caller;
pub mod credential;

use std::rc::Rc;

use crate::config::{Config, Issuer};
use crate::crypto::Crypto;
use crate::decision::{Denial, Reason};
use crate::jose::{Claims, Expectations, JwsError, KeySet, UnverifiedJws, check_type};
use crate::keys::KeySource;
use crate::keys::ring::{Held, Ring};
use crate::keys::schedule::Want;
use crate::time::Now;

use cache::{Seed, TokenCache};
pub use caller::Caller;

/// The verified tokens of one worker, and the secret their fingerprints are keyed with.
///
/// Without a secret nothing is remembered and every token is verified anew.
#[derive(Default)]
pub struct Known(Option<(Seed, TokenCache<Rc<Caller>>)>);

impl Known {
    /// An empty memory of at most `bytes`, keyed with `seed`.
    #[must_use]
    pub fn new(seed: Seed, bytes: usize) -> Self {
        Self(Some((seed, TokenCache::new(bytes))))
    }
}

/// What tokens are judged by: the configuration, the keys in force, and the instant.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The fetched keys.
    pub ring: &'a Ring,
    /// Who checks signatures.
    pub crypto: &'a dyn Crypto,
    /// When the request came.
    pub now: Now,
}

/// Why a token is not taken, for good or for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is refused.
    Denied(Denial),
    /// It is refused unless fetching these keys changes that.
    Keys(Wanted, Denial),
}

/// An issuer whose keys are wanted, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The issuer's place in the configuration.
    pub issuer: usize,
    /// Why.
    pub want: Want,
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl Judge<'_> {
    /// Verifies a compact JWS and says who sent it.
    ///
    /// A remembered token counts only with the very keys it was verified with, and its claims are
    /// checked again. `judged_by` is set to the issuer whose keys the token was held against.
    /// `before_signature` has a last say before a signature is checked.
    ///
    /// # Errors
    /// The first check that fails, in the order of the configuration reference.
    pub fn authenticate(
        &self,
        known: &mut Known,
        token: &[u8],
        judged_by: &mut Option<usize>,
        before_signature: impl FnOnce() -> Result<(), Denial>,
    ) -> Result<Rc<Caller>, Refusal> {
        let Some((seed, cache)) = &mut known.0 else {
            before_signature()?;
            return self.verify(token, judged_by).map(Rc::new);
        };
        let fingerprint = seed.fingerprint(token);
        if let Some(caller) = cache.find(fingerprint, self.now)
            && let Some(issuer) = self.issuer_in_force(&caller)
        {
            *judged_by = Some(caller.issuer());
            self.check_claims(issuer, caller.claims())?;
            return Ok(caller);
        }
        before_signature()?;
        let caller = Rc::new(self.verify(token, judged_by)?);
        cache.keep(
            fingerprint,
            Rc::clone(&caller),
            caller.bytes(),
            caller.deadline(),
        );
        Ok(caller)
    }

    /// The issuer of a remembered caller, if the keys are still those it was verified with.
    fn issuer_in_force(&self, caller: &Caller) -> Option<&Issuer> {
        let issuer = self.config.issuers.get(caller.issuer())?;
        match self.ring.held(caller.issuer(), &issuer.keys, self.now) {
            Held::Keys(_, epoch) if epoch == caller.key_epoch() => Some(issuer),
            _ => None,
        }
    }

    fn verify(&self, token: &[u8], judged_by: &mut Option<usize>) -> Result<Caller, Refusal> {
        let token = UnverifiedJws::parse(token, self.config.tokens.max_bytes)
            .map_err(|error| denial(&error, error.reason()))?;
        let (index, issuer) = issuer_of(self.config, &token)?;
        *judged_by = Some(index);
        let (keys, epoch) = self.keys(index, issuer)?;
        let verified = token
            .verify(keys, issuer.algorithms, self.crypto)
            .map_err(|error| key_refusal(index, issuer, &error))?;
        check_type(verified.typ(), issuer.profile)
            .map_err(|error| denial(&error, error.reason()))?;
        let claims =
            Claims::from_verified(verified).map_err(|error| denial(&error, error.reason()))?;
        self.check_claims(issuer, &claims)?;
        Ok(Caller::new(index, issuer, claims, epoch)?)
    }

    fn keys<'a>(&'a self, index: usize, issuer: &'a Issuer) -> Result<(&'a KeySet, u64), Refusal> {
        match self.ring.held(index, &issuer.keys, self.now) {
            Held::Keys(keys, epoch) => Ok((keys, epoch)),
            Held::Never => {
                let denial = unavailable(&issuer.name, "have not been had yet");
                Err(wanted(index, Want::First, denial))
            }
            Held::Stale => Err(unavailable(
                &issuer.name,
                "could not be fetched for longer than max_stale",
            )
            .into()),
        }
    }

    fn check_claims(&self, issuer: &Issuer, claims: &Claims) -> Result<(), Denial> {
        let expectations = Expectations {
            issuer: &issuer.issuer,
            audiences: &issuer.audiences,
            profile: issuer.profile,
            clock_skew: issuer.clock_skew,
            max_lifetime: issuer.max_lifetime,
        };
        claims
            .check(&expectations, self.now)
            .map_err(|error| denial(&error, error.reason()))
    }
}

// RFC 8725 section 3.8: the issuer is looked up only to choose whose keys must hold; it is the
// verified claim that is compared afterwards.
fn issuer_of<'a>(config: &'a Config, token: &UnverifiedJws) -> Result<(usize, &'a Issuer), Denial> {
    let Some(iss) = token.issuer_unchecked() else {
        return Err(Denial::new(
            Reason::IssuerUnknown,
            "the token names no issuer (iss)",
        ));
    };
    config.issuer_of(iss).ok_or_else(|| {
        Denial::new(
            Reason::IssuerUnknown,
            "no configured issuer has the token's iss",
        )
    })
}

// A provider may have a key that was not there when its set was last fetched; a configuration not.
fn key_refusal(index: usize, issuer: &Issuer, error: &JwsError) -> Refusal {
    let denial = denial(error, error.reason());
    match (error, &issuer.keys) {
        (JwsError::KidUnknown(_), KeySource::Remote(_)) => wanted(index, Want::UnknownKey, denial),
        _ => Refusal::Denied(denial),
    }
}

fn wanted(issuer: usize, want: Want, denial: Denial) -> Refusal {
    Refusal::Keys(Wanted { issuer, want }, denial)
}

fn unavailable(issuer: &str, why: &str) -> Denial {
    Denial::new(
        Reason::KeysUnavailable,
        format!("the keys of \"{issuer}\" {why}"),
    )
}

fn denial(error: &impl std::fmt::Display, reason: Reason) -> Denial {
    Denial::new(reason, error.to_string())
}
