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

use crate::base::{DomainId, IssuerId, KeyOwnerId, Now};
use crate::crypto::{Algorithm, AlgorithmSet, Crypto, Price, VerifyingKey, Work};
use crate::decision::{Denial, Reason};
use crate::jose::{Claims, Expectations, JwsError, KeySet, UnverifiedJws, VerifiedJws, check_type};
use crate::keys::ring::{self, InForce, Ring};
use crate::keys::schedule::Want;
use crate::keys::{Document, KeySource};
use crate::spiffe::{self, Signatory, SvidError, SvidExpectations};

use crate::crypto::keyed::{Fingerprint, Seed};
use cache::TokenCache;
use certificate::Leaf;
pub use identity::Caller;
use refused::{Basis, REFUSED_BYTES, Refused, RefusedTokens};
use settings::{Domain, Issuer, JwtSvid, Settings};
use shared::{Shared, Sought, Under};

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

    /// The same, lent on.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            known: self.known,
            shared: self.shared.as_mut().map(|shared| Shared {
                key: shared.key,
                pages: &mut *shared.pages,
            }),
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

    fn welcome(&mut self, token: Option<Fingerprint>, caller: &Rc<Caller>) {
        if let (Some(fingerprint), Some(kept)) = (token, &mut self.kept) {
            let remembered = Remembered::Token(Rc::clone(caller));
            kept.good
                .keep(fingerprint, remembered, caller.bytes(), caller.deadline());
        }
    }

    fn refuse(&mut self, token: Option<Fingerprint>, why: &Refusal, basis: &Basis, now: Now) {
        if let (Some(fingerprint), Some(kept), Refusal::Denied(denial)) =
            (token, &mut self.kept, why)
        {
            kept.refused.keep(fingerprint, denial, basis, now);
        }
    }
}

/// What tokens are judged by: the configuration, the keys in force, and the instant.
#[derive(Clone, Copy)]
pub struct TokenJudge<'a> {
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
    /// Whose they are.
    pub owner: KeyOwnerId,
    /// Why.
    pub want: Want,
}

impl Refusal {
    /// The denial that it is for now.
    #[must_use]
    pub fn denial(&self) -> &Denial {
        match self {
            Self::Denied(denial) | Self::Keys(_, denial) => denial,
        }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What is remembered of a token.
pub enum Recalled<'a> {
    /// It was good, and the keys that it was verified with are in force.
    Good(Recognised<'a>),
    /// It was refused, for this reason, held against these keys if against any.
    Bad(Denial, Option<KeyOwnerId>),
    /// Nothing; where it will be remembered, if that is done.
    Nothing(Option<Fingerprint>),
}

/// A token that was verified before: whose it is, and by whose word.
#[derive(Clone)]
pub struct Recognised<'a> {
    caller: Rc<Caller>,
    authority: Voucher<'a>,
}

impl Recognised<'_> {
    /// Whose keys it was held against.
    #[must_use]
    pub fn owner(&self) -> KeyOwnerId {
        self.authority.owner
    }
}

/// A token whose signature holds, and whose claims have not been checked.
pub struct Sealed<'a> {
    jws: VerifiedJws,
    authority: Voucher<'a>,
    key_epoch: u64,
    fingerprint: Option<Fingerprint>,
    /// Where the others are told that it holds; none where they are not, or know.
    untold: Option<Sought>,
}

/// What holding a token's signature against keys came to.
pub struct Attempt<'a> {
    /// Whose the keys are, once that is known.
    pub owner: Option<KeyOwnerId>,
    /// What all signatures of the request have cost by now.
    pub work: Work,
    /// The token, or why it does not hold.
    pub sealed: Result<Sealed<'a>, Refusal>,
}

impl<'a> TokenJudge<'a> {
    /// Looks up what is remembered of a token.
    ///
    /// A remembered token, good or bad, counts only with the very keys it was judged with.
    ///
    /// # Errors
    /// It is too long.
    pub fn recall(&self, known: &mut Known, token: &[u8]) -> Result<Recalled<'a>, Denial> {
        let Some(Kept {
            seed,
            good,
            refused,
        }) = &mut known.kept
        else {
            return Ok(Recalled::Nothing(None));
        };
        // What is too long to be read is too long to be hashed.
        UnverifiedJws::check_length(token, self.settings.tokens.max_bytes)
            .map_err(|error| denial(&error, error.reason()))?;
        let fingerprint = seed.fingerprint(token);
        if let Some(Remembered::Token(caller)) = good.find(fingerprint, self.now)
            && let Some(authority) = self.in_force(caller.signatory(), caller.key_epoch())
        {
            return Ok(Recalled::Good(Recognised { caller, authority }));
        }
        let owner = |signatory, epoch| Some(self.in_force(signatory, epoch)?.owner);
        Ok(match refused.find(fingerprint, self.now, owner) {
            Some((denial, owner)) => Recalled::Bad(denial, owner),
            None => Recalled::Nothing(Some(fingerprint)),
        })
    }

    /// Verifies the signature of a token of which nothing is remembered, with as much more work as
    /// `work` has room for.
    ///
    /// What is refused for good is remembered under its fingerprint.
    pub fn verify(
        &self,
        memory: &mut Memory<'_>,
        token: &[u8],
        fingerprint: Option<Fingerprint>,
        mut work: Work,
    ) -> Attempt<'a> {
        let mut basis = Basis::default();
        let before = work.checks();
        let sealed = self.seal(memory, token, fingerprint, &mut basis, &mut work);
        let checks = work.checks().saturating_sub(before);
        let tried = &mut memory.known.tally.tried;
        *tried = tried.saturating_add(checks);
        if let Err(refusal) = &sealed {
            memory.known.refuse(fingerprint, refusal, &basis, self.now);
        }
        Attempt {
            owner: basis.owner,
            work,
            sealed,
        }
    }

    /// Checks type and claims of a token whose signature holds, and says who sent it.
    ///
    /// The caller, or a refusal for good, is remembered.
    ///
    /// # Errors
    /// The first check that fails, in the order of the configuration reference.
    pub fn accept(
        &self,
        memory: &mut Memory<'_>,
        token: &[u8],
        mut sealed: Sealed<'a>,
    ) -> Result<Rc<Caller>, Refusal> {
        let (fingerprint, untold) = (sealed.fingerprint, sealed.untold.take());
        let mut basis = Basis {
            owner: Some(sealed.authority.owner),
            keys: Some((sealed.authority.signatory(), sealed.key_epoch)),
            ends: None,
        };
        let caller = self.checked(sealed, &mut basis).map_err(Refusal::Denied);
        let caller = caller.inspect_err(|refusal| {
            memory.known.refuse(fingerprint, refusal, &basis, self.now);
        })?;
        if let (Some(sought), Some(shared)) = (untold, &mut memory.shared) {
            shared.tell(sought, caller.deadline());
        }
        let caller = caller.registered(&self.settings.clients);
        // Nobody else asks which token it was.
        let caller = Rc::new(if self.settings.marks_tokens {
            caller.by_token(mark(token))
        } else {
            caller
        });
        memory.known.welcome(fingerprint, &caller);
        Ok(caller)
    }

    /// Checks what time can change of a token that was good once, and says who sent it.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub fn accept_again(&self, recognised: &Recognised<'a>) -> Result<Rc<Caller>, Denial> {
        let Recognised { caller, authority } = recognised;
        self.check_again(authority, caller.claims())?;
        Ok(Rc::clone(caller))
    }

    /// Whether the issuer or trust domain that a token names lets its tokens go on to the upstream.
    #[must_use]
    pub fn forwards(&self, token: &[u8]) -> bool {
        let jws = UnverifiedJws::parse(token, self.settings.tokens.max_bytes);
        let authority = jws.ok().and_then(|jws| self.authority_of(&jws).ok());
        authority.is_some_and(|authority| self.settings.forwards(authority.signatory()))
    }

    /// Whose word a remembered judgement is, if the keys are still those it was made with.
    fn in_force(
        &self,
        signatory: Signatory<IssuerId, DomainId>,
        key_epoch: u64,
    ) -> Option<Voucher<'a>> {
        let authority = self.authority(signatory)?;
        match self.ring.held(authority.owner, authority.keys, self.now) {
            ring::Held::Document(keys) if keys.epoch == key_epoch => Some(authority),
            _ => None,
        }
    }

    fn authority(&self, signatory: Signatory<IssuerId, DomainId>) -> Option<Voucher<'a>> {
        let (keys, kind) = match signatory {
            Signatory::Issuer(id) => {
                let issuer = self.settings.issuers.get(id)?;
                (&issuer.keys, VoucherKind::Issuer(id, issuer))
            }
            Signatory::TrustDomain(id) => {
                let domain = self.settings.trust_domains.get(id)?;
                let jwt_svid = domain.jwt_svid.as_ref()?;
                (
                    &jwt_svid.bundle,
                    VoucherKind::TrustDomain(id, domain, jwt_svid),
                )
            }
        };
        Some(Voucher {
            owner: self.settings.key_owner(signatory),
            keys,
            kind,
        })
    }

    fn seal(
        &self,
        memory: &mut Memory<'_>,
        token: &[u8],
        fingerprint: Option<Fingerprint>,
        basis: &mut Basis,
        work: &mut Work,
    ) -> Result<Sealed<'a>, Refusal> {
        let jws = UnverifiedJws::parse(token, self.settings.tokens.max_bytes)
            .map_err(|error| denial(&error, error.reason()))?;
        let authority = self.authority_of(&jws)?;
        basis.owner = Some(authority.owner);
        let in_force = self.document(&authority)?;
        basis.keys = Some((authority.signatory(), in_force.epoch));
        let keys = authority.jwt_keys(in_force.document)?;
        let shared = memory.shared.as_mut();
        let shared = shared.filter(|_| jws.has_public_key(keys, authority.algorithms()));
        let sought =
            shared.map(|shared| shared.look(&authority.under(in_force.digest), token, self.now));
        let is_shared = sought.as_ref().is_some_and(|sought| sought.verified);
        let work = (!is_shared).then_some(work);
        let jws = self.check_signature(jws, &authority, keys, work)?;
        memory.known.tally.note(is_shared);
        Ok(Sealed {
            jws,
            authority,
            key_epoch: in_force.epoch,
            fingerprint,
            untold: sought.filter(|_| !is_shared),
        })
    }

    fn checked(&self, sealed: Sealed<'a>, basis: &mut Basis) -> Result<Caller, Denial> {
        let authority = sealed.authority;
        authority.check_type(sealed.jws.typ())?;
        let claims =
            Claims::from_verified(sealed.jws).map_err(|error| denial(&error, error.reason()))?;
        basis.ends = claims.expires_at().map(|exp| (exp, authority.clock_skew()));
        self.caller(&authority, claims, sealed.key_epoch)
    }

    /// Whether a key of the authority's fits and holds, with that work; where there is none, since
    /// another worker found that the signature does, all but that is checked.
    fn check_signature(
        &self,
        jws: UnverifiedJws,
        authority: &Voucher<'_>,
        keys: &KeySet,
        work: Option<&mut Work>,
    ) -> Result<VerifiedJws, Refusal> {
        let algorithms = authority.algorithms();
        match work {
            Some(work) => jws.verify(keys, algorithms, self.crypto, work),
            None => jws.verify(keys, algorithms, &AlreadyProven, &mut Work::default()),
        }
        .map_err(|error| authority.key_refusal(&error))
    }

    // RFC 8725 section 3.8: the issuer is looked up only to choose whose keys must hold; it is the
    // verified claims that are compared afterwards.
    fn authority_of(&self, token: &UnverifiedJws) -> Result<Voucher<'a>, Denial> {
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

    fn document(&self, authority: &Voucher<'a>) -> Result<InForce<'a>, Refusal> {
        let name = authority.name();
        match self.ring.held(authority.owner, authority.keys, self.now) {
            ring::Held::Document(in_force) => Ok(in_force),
            ring::Held::Never => {
                let denial = unavailable(name, "have not been had yet");
                Err(authority.wanted(Want::First, denial))
            }
            ring::Held::Stale => {
                Err(unavailable(name, "could not be fetched for longer than max_stale").into())
            }
        }
    }

    fn caller(
        &self,
        authority: &Voucher<'_>,
        claims: Claims,
        epoch: u64,
    ) -> Result<Caller, Denial> {
        match authority.kind {
            VoucherKind::TrustDomain(place, domain, jwt_svid) => {
                let expected = SvidExpectations {
                    trust_domain: &domain.name,
                    audiences: &jwt_svid.audiences,
                    clock_skew: jwt_svid.clock_skew,
                };
                let id = spiffe::check_svid(&claims, &expected, self.now)
                    .map_err(|error| denial(&error, error.reason()))?;
                Ok(Caller::of_jwt_svid(
                    place,
                    id,
                    claims,
                    jwt_svid.clock_skew,
                    epoch,
                ))
            }
            VoucherKind::Issuer(id, issuer) => {
                self.check_again(authority, &claims)?;
                Caller::new(id, issuer, claims, epoch)
            }
        }
    }

    /// Checks what time can change of claims that were good once; of an issuer's, everything.
    fn check_again(&self, authority: &Voucher<'_>, claims: &Claims) -> Result<(), Denial> {
        match authority.kind {
            VoucherKind::Issuer(_, issuer) => claims.check(&expectations(issuer), self.now),
            VoucherKind::TrustDomain(_, _, svid) => {
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
struct AlreadyProven;

impl Crypto for AlreadyProven {
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
struct Voucher<'a> {
    owner: KeyOwnerId,
    keys: &'a KeySource,
    kind: VoucherKind<'a>,
}

#[derive(Clone, Copy)]
enum VoucherKind<'a> {
    Issuer(IssuerId, &'a Issuer),
    TrustDomain(DomainId, &'a Domain, &'a JwtSvid),
}

impl Voucher<'_> {
    fn name(&self) -> &str {
        match self.kind {
            VoucherKind::Issuer(_, issuer) => &issuer.name,
            VoucherKind::TrustDomain(_, domain, _) => &domain.id,
        }
    }

    fn jwt_keys<'d>(&self, document: &'d Document) -> Result<&'d KeySet, Denial> {
        let of_bundle = |error: SvidError| denial(&error, error.reason());
        match (document, self.kind) {
            (Document::KeySet(keys), _) => Ok(keys),
            (Document::Bundle(bundle), VoucherKind::TrustDomain(_, domain, _)) => {
                bundle.jwt_keys(&domain.name).map_err(of_bundle)
            }
            (Document::Bundle(_), VoucherKind::Issuer(..)) => Err(Denial::new(
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

    fn signatory(&self) -> Signatory<IssuerId, DomainId> {
        match self.kind {
            VoucherKind::Issuer(id, _) => Signatory::Issuer(id),
            VoucherKind::TrustDomain(id, ..) => Signatory::TrustDomain(id),
        }
    }

    fn clock_skew(&self) -> Duration {
        match self.kind {
            VoucherKind::Issuer(_, issuer) => issuer.clock_skew,
            VoucherKind::TrustDomain(_, _, svid) => svid.clock_skew,
        }
    }

    fn algorithms(&self) -> AlgorithmSet {
        match self.kind {
            VoucherKind::Issuer(_, issuer) => issuer.algorithms,
            VoucherKind::TrustDomain(..) => spiffe::ALGORITHMS,
        }
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), Denial> {
        match self.kind {
            VoucherKind::Issuer(_, issuer) => check_type(typ, issuer.profile),
            VoucherKind::TrustDomain(..) => spiffe::check_svid_type(typ),
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
        let owner = self.owner;
        Refusal::Keys(Wanted { owner, want }, denial)
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
