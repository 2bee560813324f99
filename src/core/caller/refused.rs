//! Refused tokens, so that a flood of one bad token costs hashes instead of signature checks.
//!
//! An entry is found as a verified token is ([`cache`](super::cache)): by the keyed hash of the
//! token, which itself is not kept. Only what would be refused again in the same words is
//! remembered: with the same keys in force, before the token's own end where that would change the
//! reason, and for [`HOLDS`] at most. Refused and verified tokens have memories of their own, so that
//! whoever makes up bad tokens drives no good one out; here the least recently used make way.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use super::Remembered;
use super::cache::TokenCache;
use crate::base::{DomainId, IssuerId, KeyOwnerId, Now};
use crate::crypto::keyed::Fingerprint;
use crate::decision::{Denial, Reason};
use crate::jose::{ClaimsError, NumericDate};
use crate::spiffe::Signatory;

/// How many bytes a worker keeps of refusals: about a thousand of them.
pub const REFUSED_BYTES: usize = 512 << 10;

/// For how long a refusal is repeated at most.
///
/// A caller that tries again and again meets it many times over; and should a proxy once say of a
/// good signature that it does not hold, that is mended within a minute.
pub const HOLDS: Duration = Duration::from_secs(60);

/// The refusals that one worker remembers.
#[derive(Debug)]
pub struct RefusedTokens(pub(super) TokenCache<Remembered>);

/// What a refusal was based on beside the configuration, as far as the token came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Basis {
    /// Whose keys the token was held against.
    pub owner: Option<KeyOwnerId>,
    /// Whose keys those were, and which.
    pub keys: Option<(Signatory<IssuerId, DomainId>, u64)>,
    /// The token's verified `exp`, and how far clocks may be apart.
    pub ends: Option<(NumericDate, Duration)>,
}

/// A refusal that will be repeated.
#[derive(Debug)]
pub struct Refused {
    reason: Reason,
    detail: Cow<'static, str>,
    /// The `exp` that it was past; how that is told names the instant at which it is told.
    expired: Option<NumericDate>,
    keys: Option<(Signatory<IssuerId, DomainId>, u64)>,
    since: Now,
}

impl RefusedTokens {
    /// An empty memory of at most that many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(TokenCache::new(bytes))
    }

    /// The refusal of this token, and whose keys it was held against.
    ///
    /// `owner_in_force` says whose these very keys are, if they are in force now. A clock that was
    /// set back before the refusal makes it not count.
    pub fn find(
        &mut self,
        token: Fingerprint,
        now: Now,
        owner_in_force: impl FnOnce(Signatory<IssuerId, DomainId>, u64) -> Option<KeyOwnerId>,
    ) -> Option<(Denial, Option<KeyOwnerId>)> {
        let Some(Remembered::Refusal(refused)) = self.0.find(token, now) else {
            return None;
        };
        if now < refused.since {
            return None;
        }
        let owner = match refused.keys {
            Some((signatory, epoch)) => Some(owner_in_force(signatory, epoch)?),
            None => None,
        };
        Some((refused.told(now), owner))
    }

    /// Remembers why a token was refused, if it would be again.
    pub fn keep(&mut self, token: Fingerprint, denial: &Denial, basis: &Basis, now: Now) {
        // Keys that were asked for and not there will be.
        if !denial.reason.lasts() || basis.owner.is_some() != basis.keys.is_some() {
            return;
        }
        let expired = denial.reason == Reason::TokenExpired;
        let until = match basis.ends {
            // From then on it is expired, whatever else is wrong.
            Some((expires_at, skew)) if !expired => expires_at.instant().after(skew),
            _ => Now::MAX,
        };
        let bytes = size_of::<Refused>().saturating_add(denial.detail.len());
        let refused = Refused {
            reason: denial.reason,
            detail: denial.detail.clone(),
            expired: basis
                .ends
                .filter(|_| expired)
                .map(|(expires_at, _)| expires_at),
            keys: basis.keys,
            since: now,
        };
        let until = until.min(now.after(HOLDS));
        self.0
            .keep(token, Remembered::Refusal(Rc::new(refused)), bytes, until);
    }
}

impl Refused {
    fn told(&self, now: Now) -> Denial {
        let expired = |expires_at| ClaimsError::Expired { expires_at, now };
        match self.expired {
            Some(expires_at) => super::denial(&expired(expires_at), self.reason),
            None => Denial::new(self.reason, self.detail.clone()),
        }
    }
}
