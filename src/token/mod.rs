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
use crate::jose::{Claims, Expectations, UnverifiedJws, check_type};
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

/// Verifies a compact JWS and says who sent it.
///
/// The claims are checked against `now` also where the token is a remembered one.
///
/// # Errors
/// The first check that fails, in the order of the configuration reference.
pub fn authenticate(
    config: &Config,
    known: &mut Known,
    crypto: &dyn Crypto,
    token: &[u8],
    now: Now,
) -> Result<Rc<Caller>, Denial> {
    let Some((seed, cache)) = &mut known.0 else {
        return verify(config, crypto, token, now).map(Rc::new);
    };
    let fingerprint = seed.fingerprint(token);
    if let Some(caller) = cache.find(fingerprint, now) {
        let issuer = config
            .issuers
            .get(caller.issuer())
            .ok_or_else(issuer_gone)?;
        check_claims(issuer, caller.claims(), now)?;
        return Ok(caller);
    }
    let caller = Rc::new(verify(config, crypto, token, now)?);
    cache.keep(
        fingerprint,
        Rc::clone(&caller),
        caller.bytes(),
        caller.deadline(),
    );
    Ok(caller)
}

fn verify(config: &Config, crypto: &dyn Crypto, token: &[u8], now: Now) -> Result<Caller, Denial> {
    let token = UnverifiedJws::parse(token, config.tokens.max_bytes)
        .map_err(|error| denial(&error, error.reason()))?;
    let (index, issuer) = issuer_of(config, &token)?;
    let typ = token.typ().map(str::to_owned);
    let verified = token
        .verify(&issuer.keys, issuer.algorithms, crypto)
        .map_err(|error| denial(&error, error.reason()))?;
    check_type(typ.as_deref(), issuer.profile).map_err(|error| denial(&error, error.reason()))?;
    let claims = Claims::from_verified(verified).map_err(|error| denial(&error, error.reason()))?;
    check_claims(issuer, &claims, now)?;
    Caller::new(index, issuer, claims)
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

fn check_claims(issuer: &Issuer, claims: &Claims, now: Now) -> Result<(), Denial> {
    let expectations = Expectations {
        issuer: &issuer.issuer,
        audiences: &issuer.audiences,
        profile: issuer.profile,
        clock_skew: issuer.clock_skew,
        max_lifetime: issuer.max_lifetime,
    };
    claims
        .check(&expectations, now)
        .map_err(|error| denial(&error, error.reason()))
}

fn issuer_gone() -> Denial {
    Denial::new(
        Reason::IssuerUnknown,
        "the token's issuer is no longer configured",
    )
}

fn denial(error: &impl std::fmt::Display, reason: Reason) -> Denial {
    Denial::new(reason, error.to_string())
}
