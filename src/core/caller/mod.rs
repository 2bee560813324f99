//! From a header field or a certificate to a caller: the credential is found, verified or
//! remembered, and checked.
//!
//! A [`Caller`] exists only for a token whose signature held, or for a certificate that the proxy
//! validated or was forwarded by a trusted one; nothing else here is trusted.

pub mod cache;
pub mod certificate;
pub mod clients;
pub mod credential;
pub mod identity;
mod refused;
pub mod settings;
pub mod shared;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use crate::base::Now;
use crate::crypto::{Algorithm, AlgorithmSet, Crypto, Price, VerifyingKey, Work};
use crate::decision::{Denial, Reason};
use crate::jose::{Claims, Expectations, JwsError, KeySet, UnverifiedJws, VerifiedJws, check_type};
use crate::keys::ring::{Held, InForce, Ring};
use crate::keys::schedule::Want;
use crate::keys::{Document, KeySource};
use crate::spiffe::{self, Signatory, SvidError, SvidExpectations};

use crate::crypto::keyed::Seed;
use cache::TokenCache;
use certificate::Leaf;
pub use identity::Caller;
use refused::{Basis, REFUSED_BYTES, Refused, RefusedTokens};
use settings::{Issuer, JwtSvid, Settings, TrustDomain};
use shared::{Shared, Under};

/// The tokens that one worker has verified or refused and the certificates that it has read, and the
/// secret that their fingerprints are keyed with.
///
/// Without a secret nothing is remembered and everything is verified anew.
#[derive(Default)]
pub struct Known {
    kept: Option<Kept>,
    /// What has happened since this was last taken.
    pub tally: Tally,
}

/// How often signatures were checked, and found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Checks, one for each key that was tried.
    pub tried: u64,
    /// By a check.
    pub verified: u64,
    /// By the word of another worker.
    pub shared: u64,
}

/// What is known of tokens, lent out for a decision.
pub struct Memory<'a> {
    /// To this worker.
    pub known: &'a mut Known,
    /// To all workers; none where they do not tell each other.
    pub shared: Option<Shared<'a>>,
}

impl<'a> Memory<'a> {
    /// What this worker knows alone.
    #[must_use]
    pub fn own(known: &'a mut Known) -> Self {
        Self {
            known,
            shared: None,
        }
    }
}

struct Kept {
    seed: Seed,
    good: TokenCache<Remembered>,
    refused: RefusedTokens,
}

/// What is remembered under a fingerprint: of a good token, of a bad one, or of a certificate's
/// digest. One type, so that the module has one cache in it.
#[derive(Clone, Debug)]
enum Remembered {
    Token(Rc<Caller>),
    Certificate(Rc<Leaf>),
    Refusal(Rc<Refused>),
}

impl Known {
    /// An empty memory of at most `bytes` of what was verified and half a MiB of what was refused,
    /// keyed with `seed`.
    #[must_use]
    pub fn new(seed: Seed, bytes: usize) -> Self {
        let kept = Kept {
            seed,
            good: TokenCache::new(bytes),
            refused: RefusedTokens::new(REFUSED_BYTES),
        };
        Self {
            kept: Some(kept),
            tally: Tally::default(),
        }
    }

    /// What the certificate of that SHA-256 says, read at most once while it is remembered; where
    /// `read` gives none it is missing, and not remembered as such.
    fn leaf(
        &mut self,
        digest: &[u8; 32],
        now: Now,
        read: impl FnOnce() -> Option<Leaf>,
    ) -> Rc<Leaf> {
        let missing = || Rc::new(Leaf::MISSING);
        let Some(Kept { seed, good, .. }) = &mut self.kept else {
            return read().map_or_else(missing, Rc::new);
        };
        // No token begins with a zero byte.
        let fingerprint = seed.fingerprint_of(&[&[0], digest]);
        if let Some(Remembered::Certificate(leaf)) = good.find(fingerprint, now) {
            return leaf;
        }
        let Some(leaf) = read().map(Rc::new) else {
            return missing();
        };
        let kept = Remembered::Certificate(Rc::clone(&leaf));
        good.keep(fingerprint, kept, leaf.bytes(), Now::MAX);
        leaf
    }
}

/// What tokens are judged by: the configuration, the keys in force, and the instant.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// What callers are told from.
    pub settings: &'a Settings,
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

/// Keys that are wanted, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Their slot.
    pub slot: usize,
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
    /// A remembered token, good or bad, counts only with the very keys it was judged with; the claims
    /// of a good one are checked again, and a bad one is refused in the same words. `judged_by` is set
    /// to the slot of the keys that the token was held against, and `work` notes what its signature
    /// costs and says how much that may be. `before_signature` has a last say before a signature is
    /// checked.
    ///
    /// # Errors
    /// The first check that fails, in the order of the configuration reference.
    pub fn authenticate(
        &self,
        memory: &mut Memory<'_>,
        token: &[u8],
        judged_by: &mut Option<usize>,
        work: &mut Work,
        before_signature: impl FnOnce() -> Result<(), Denial>,
    ) -> Result<Rc<Caller>, Refusal> {
        let Known { kept, tally } = &mut *memory.known;
        let shared = memory.shared.as_mut();
        let Some(Kept {
            seed,
            good,
            refused,
        }) = kept
        else {
            before_signature()?;
            let judged = self.judge(token, judged_by, work, tally, shared).0;
            return judged.map(Rc::new);
        };
        // What is too long to be read is too long to be hashed.
        let max_bytes = self.settings.tokens.max_bytes;
        UnverifiedJws::check_length(token, max_bytes)
            .map_err(|error| denial(&error, error.reason()))?;
        let fingerprint = seed.fingerprint(token);
        if let Some(Remembered::Token(caller)) = good.find(fingerprint, self.now)
            && let Some(authority) = self.in_force(caller.signatory(), caller.key_epoch())
        {
            *judged_by = Some(authority.slot);
            self.check_again(&authority, caller.claims())?;
            return Ok(caller);
        }
        let slot = |signatory, epoch| Some(self.in_force(signatory, epoch)?.slot);
        if let Some((denial, slot)) = refused.find(fingerprint, self.now, slot) {
            *judged_by = slot;
            return Err(denial.into());
        }
        before_signature()?;
        match self.judge(token, judged_by, work, tally, shared) {
            (Ok(caller), _) => {
                let caller = Rc::new(caller);
                let kept = Remembered::Token(Rc::clone(&caller));
                good.keep(fingerprint, kept, caller.bytes(), caller.deadline());
                Ok(caller)
            }
            (Err(refusal), basis) => {
                if let Refusal::Denied(denial) = &refusal {
                    refused.keep(fingerprint, denial, &basis, self.now);
                }
                Err(refusal)
            }
        }
    }

    /// Whether a token that no route asked for goes on to the upstream: it names one whose tokens do,
    /// and is verified where the keys are there to verify it with.
    ///
    /// # Errors
    /// As for [`Self::authenticate`].
    pub fn passes_on(
        &self,
        memory: &mut Memory<'_>,
        token: &[u8],
        work: &mut Work,
        before_signature: impl FnOnce() -> Result<(), Denial>,
    ) -> Result<bool, Denial> {
        let jws = UnverifiedJws::parse(token, self.settings.tokens.max_bytes);
        let authority = jws.ok().and_then(|jws| self.authority_of(&jws).ok());
        if !authority.is_some_and(|authority| self.settings.forwards(authority.signatory())) {
            return Ok(false);
        }
        match self.authenticate(memory, token, &mut None, work, before_signature) {
            Ok(_) => Ok(true),
            Err(Refusal::Denied(denial) | Refusal::Keys(_, denial)) => match denial.reason {
                Reason::KeysUnavailable => Ok(true),
                _ => Err(denial),
            },
        }
    }

    /// Whose word a remembered judgement is, if the keys are still those it was made with.
    fn in_force(
        &self,
        signatory: Signatory<usize, usize>,
        key_epoch: u64,
    ) -> Option<Authority<'_>> {
        let authority = self.authority(signatory)?;
        match self.ring.held(authority.slot, authority.keys, self.now) {
            Held::Document(keys) if keys.epoch == key_epoch => Some(authority),
            _ => None,
        }
    }

    fn authority(&self, signatory: Signatory<usize, usize>) -> Option<Authority<'_>> {
        let (keys, kind) = match signatory {
            Signatory::Issuer(index) => {
                let issuer = self.settings.issuers.get(index)?;
                (&issuer.keys, Kind::Issuer(index, issuer))
            }
            Signatory::TrustDomain(index) => {
                let domain = self.settings.trust_domains.get(index)?;
                let jwt_svid = domain.jwt_svid.as_ref()?;
                (&jwt_svid.bundle, Kind::TrustDomain(index, domain, jwt_svid))
            }
        };
        Some(Authority {
            slot: self.settings.slot_of(signatory),
            keys,
            kind,
        })
    }

    /// The caller or why there is none, and what that was based on.
    fn judge(
        &self,
        token: &[u8],
        judged_by: &mut Option<usize>,
        work: &mut Work,
        tally: &mut Tally,
        shared: Option<&mut Shared<'_>>,
    ) -> (Result<Caller, Refusal>, Basis) {
        let mut basis = Basis::default();
        let before = work.checks();
        let judged = self.verify(token, &mut basis, work, tally, shared);
        let checks = work.checks().saturating_sub(before);
        tally.tried = tally.tried.saturating_add(checks);
        *judged_by = basis.slot;
        (judged, basis)
    }

    fn verify(
        &self,
        token: &[u8],
        basis: &mut Basis,
        work: &mut Work,
        tally: &mut Tally,
        shared: Option<&mut Shared<'_>>,
    ) -> Result<Caller, Refusal> {
        let jws = UnverifiedJws::parse(token, self.settings.tokens.max_bytes)
            .map_err(|error| denial(&error, error.reason()))?;
        let authority = self.authority_of(&jws)?;
        basis.slot = Some(authority.slot);
        let in_force = self.document(&authority)?;
        basis.keys = Some((authority.signatory(), in_force.epoch));
        let keys = authority.jwt_keys(in_force.document)?;
        let shared = shared.filter(|_| jws.has_public_key(keys, authority.algorithms()));
        let sought = shared.map(|shared| {
            let sought = shared.look(&authority.under(in_force.digest), token, self.now);
            (shared, sought)
        });
        let is_shared = sought.as_ref().is_some_and(|(_, sought)| sought.verified);
        let work = (!is_shared).then_some(work);
        let verified = self.check_signature(jws, &authority, keys, work)?;
        tally.note(is_shared);
        authority.check_type(verified.typ())?;
        let claims =
            Claims::from_verified(verified).map_err(|error| denial(&error, error.reason()))?;
        basis.ends = claims.expires_at().map(|exp| (exp, authority.clock_skew()));
        let caller = self.caller(&authority, claims, in_force.epoch)?;
        if let Some((shared, sought)) = sought.filter(|_| !is_shared) {
            shared.tell(sought, caller.deadline());
        }
        let caller = caller.registered(&self.settings.clients);
        // Nobody else asks which token it was.
        Ok(if self.settings.marks_tokens {
            caller.by_token(mark(token))
        } else {
            caller
        })
    }

    /// Whether a key of the authority's fits and holds, with that work; where there is none, since
    /// another worker found that the signature does, all but that is checked.
    fn check_signature(
        &self,
        jws: UnverifiedJws,
        authority: &Authority<'_>,
        keys: &KeySet,
        work: Option<&mut Work>,
    ) -> Result<VerifiedJws, Refusal> {
        let algorithms = authority.algorithms();
        match work {
            Some(work) => jws.verify(keys, algorithms, self.crypto, work),
            None => jws.verify(keys, algorithms, &Proven, &mut Work::default()),
        }
        .map_err(|error| authority.key_refusal(&error))
    }

    // RFC 8725 section 3.8: the issuer is looked up only to choose whose keys must hold; it is the
    // verified claims that are compared afterwards.
    fn authority_of(&self, token: &UnverifiedJws) -> Result<Authority<'_>, Denial> {
        let issuer = |iss: &str| Some(self.settings.issuer_of(iss)?.0);
        let domain = |name: &spiffe::TrustDomain| {
            let (index, domain) = self.settings.trust_domain_of(name)?;
            domain.jwt_svid.is_some().then_some(index)
        };
        let signatory = spiffe::signatory(token, issuer, domain)
            .map_err(|error| denial(&error, error.reason()))?;
        // What was found a moment ago is there.
        self.authority(signatory)
            .ok_or_else(|| Denial::new(Reason::IssuerUnknown, "the token is nobody's"))
    }

    fn document<'a>(&'a self, authority: &Authority<'a>) -> Result<InForce<'a>, Refusal> {
        let name = authority.name();
        match self.ring.held(authority.slot, authority.keys, self.now) {
            Held::Document(in_force) => Ok(in_force),
            Held::Never => {
                let denial = unavailable(name, "have not been had yet");
                Err(authority.wanted(Want::First, denial))
            }
            Held::Stale => {
                Err(unavailable(name, "could not be fetched for longer than max_stale").into())
            }
        }
    }

    fn caller(
        &self,
        authority: &Authority<'_>,
        claims: Claims,
        epoch: u64,
    ) -> Result<Caller, Denial> {
        match authority.kind {
            Kind::TrustDomain(index, domain, jwt_svid) => {
                let expected = SvidExpectations {
                    trust_domain: &domain.name,
                    audiences: &jwt_svid.audiences,
                    clock_skew: jwt_svid.clock_skew,
                };
                let id = spiffe::check_svid(&claims, &expected, self.now)
                    .map_err(|error| denial(&error, error.reason()))?;
                Ok(Caller::of_jwt_svid(
                    index,
                    id,
                    claims,
                    jwt_svid.clock_skew,
                    epoch,
                ))
            }
            Kind::Issuer(index, issuer) => {
                self.check_again(authority, &claims)?;
                Caller::new(index, issuer, claims, epoch)
            }
        }
    }

    /// Checks what time can change of claims that were good once; of an issuer's, everything.
    fn check_again(&self, authority: &Authority<'_>, claims: &Claims) -> Result<(), Denial> {
        match authority.kind {
            Kind::Issuer(_, issuer) => claims.check(&expectations(issuer), self.now),
            Kind::TrustDomain(_, _, svid) => {
                claims.check_validity(&svid.audiences, svid.clock_skew, None, self.now)
            }
        }
        .map_err(|error| denial(&error, error.reason()))
    }
}

impl Tally {
    fn note(&mut self, is_shared: bool) {
        let count = if is_shared {
            &mut self.shared
        } else {
            &mut self.verified
        };
        *count = count.saturating_add(1);
    }
}

/// Takes the signature for one that holds, where that is proven.
struct Proven;

impl Crypto for Proven {
    fn verify(&self, _: &VerifyingKey, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn price(&self, _: &VerifyingKey, _: Algorithm) -> Price {
        Price::NOTHING
    }
}

/// What tells a token apart from others: a hash of what is signed. One token can have several good
/// signatures, which would make it look like several.
fn mark(token: &[u8]) -> u64 {
    let signature = token.iter().rposition(|byte| *byte == b'.');
    let signed = signature.and_then(|at| token.get(..at)).unwrap_or(token);
    Seed([0; 16]).fingerprint(signed).low()
}

/// Whose keys a token is held against, and what it must be.
#[derive(Clone, Copy)]
struct Authority<'a> {
    slot: usize,
    keys: &'a KeySource,
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Issuer(usize, &'a Issuer),
    TrustDomain(usize, &'a TrustDomain, &'a JwtSvid),
}

impl Authority<'_> {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Issuer(_, issuer) => &issuer.name,
            Kind::TrustDomain(_, domain, _) => &domain.id,
        }
    }

    fn jwt_keys<'d>(&self, document: &'d Document) -> Result<&'d KeySet, Denial> {
        let of_bundle = |error: SvidError| denial(&error, error.reason());
        match (document, self.kind) {
            (Document::KeySet(keys), _) => Ok(keys),
            (Document::Bundle(bundle), Kind::TrustDomain(_, domain, _)) => {
                bundle.jwt_keys(&domain.name).map_err(of_bundle)
            }
            (Document::Bundle(_), Kind::Issuer(..)) => Err(Denial::new(
                Reason::KeysUnavailable,
                "the keys are a trust domain's",
            )),
        }
    }

    fn under<'k>(&'k self, keys: &'k [u8; 32]) -> Under<'k> {
        Under {
            name: self.name(),
            keys,
            algorithms: self.algorithms(),
        }
    }

    fn signatory(&self) -> Signatory<usize, usize> {
        match self.kind {
            Kind::Issuer(index, _) => Signatory::Issuer(index),
            Kind::TrustDomain(index, ..) => Signatory::TrustDomain(index),
        }
    }

    fn clock_skew(&self) -> Duration {
        match self.kind {
            Kind::Issuer(_, issuer) => issuer.clock_skew,
            Kind::TrustDomain(_, _, svid) => svid.clock_skew,
        }
    }

    fn algorithms(&self) -> AlgorithmSet {
        match self.kind {
            Kind::Issuer(_, issuer) => issuer.algorithms,
            Kind::TrustDomain(..) => spiffe::ALGORITHMS,
        }
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), Denial> {
        match self.kind {
            Kind::Issuer(_, issuer) => check_type(typ, issuer.profile),
            Kind::TrustDomain(..) => spiffe::check_svid_type(typ),
        }
        .map_err(|error| denial(&error, error.reason()))
    }

    // A provider may have a key that was not there when its document was last fetched; a
    // configuration not.
    fn key_refusal(&self, error: &JwsError) -> Refusal {
        let denial = denial(error, error.reason());
        match (error, self.keys) {
            (JwsError::KidUnknown(_), KeySource::Remote(_)) => {
                self.wanted(Want::UnknownKey, denial)
            }
            _ => Refusal::Denied(denial),
        }
    }

    fn wanted(&self, want: Want, denial: Denial) -> Refusal {
        let slot = self.slot;
        Refusal::Keys(Wanted { slot, want }, denial)
    }
}

fn expectations(issuer: &Issuer) -> Expectations<'_> {
    Expectations {
        issuer: &issuer.issuer,
        audiences: &issuer.audiences,
        profile: issuer.profile,
        clock_skew: issuer.clock_skew,
        max_lifetime: issuer.max_lifetime,
    }
}

fn unavailable(owner: &str, why: &str) -> Denial {
    Denial::new(
        Reason::KeysUnavailable,
        format!("the keys of \"{owner}\" {why}"),
    )
}

fn denial(error: &impl std::fmt::Display, reason: Reason) -> Denial {
    Denial::new(reason, error.to_string())
}
