//! Certificates as credentials: the one that the caller presented, here or to a trusted proxy.
//!
//! | the connection is | its certificate is | `x-forwarded-client-cert` is |
//! | --- | --- | --- |
//! | a trusted proxy's | the proxy's own, and never a caller's | believed: the caller's certificate |
//! | anybody else's | the caller's | not believed, and taken out |
//!
//! A proxy is trusted by the trust domain whose `xfcc` names it, and only about workloads of that
//! domain; about the certificates that tokens are bound to, only where every domain that has
//! X.509-SVIDs trusts it. What cannot be known of a domain (its bundle was never had, or is too old)
//! is an error here as it is for tokens.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;

use super::identity::{Caller, Proven};
use super::settings::{Domain, X509Svid};
use super::{Known, Refusal, TokenJudge, denial};
use crate::base::DomainId;
use crate::decision::Denial;
use crate::proof::Connection;
use crate::request::Headers;
use crate::spiffe::{
    Bundle, BundleKeys, DatedSvid, Element, Signatory, SpiffeId, SvidError, Xfcc, XfccError,
    svid_of, svid_of_pem,
};

/// The field in which proxies forward the certificates of their callers.
pub const FORWARDED: &str = "x-forwarded-client-cert";

/// What is to become of [`FORWARDED`] on its way to the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// It stays: nothing that it says could be an identity here.
    #[default]
    Untouched,
    /// It goes: it is not believed.
    Removed,
    /// Of it this element stays, which is believed.
    Only(String),
}

/// The caller's certificate, as far as it is believed.
#[derive(Clone, Debug)]
pub struct Presented {
    caller: Result<Option<Rc<Caller>>, Refusal>,
    digest: Digest,
    /// What becomes of the field on its way to the upstream.
    pub forwarding: Forwarding,
    /// The SPIFFE ID or the address of the trusted proxy that forwarded the certificate.
    pub forwarded_by: Option<String>,
}

/// The SHA-256 of the caller's certificate.
#[derive(Clone, Copy, Debug)]
enum Digest {
    /// The connection's, which has not been asked for yet.
    NotAsked,
    /// This one, if any.
    Known(Option<[u8; 32]>),
}

/// What a certificate names, read once.
#[derive(Debug)]
pub struct Leaf {
    svid: Result<DatedSvid, SvidError>,
    /// The caller that it makes, where it may.
    caller: Option<Rc<Caller>>,
}

/// What arrived besides a token.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// All header fields.
    pub headers: &'a Headers,
    /// The address that the connection comes from.
    pub peer: Option<IpAddr>,
    /// What can be asked about the connection.
    pub connection: &'a dyn Connection,
}

impl Presented {
    /// Looks at the connection and at what it forwards, where the configuration takes certificates.
    #[must_use]
    pub fn of(judge: &TokenJudge<'_>, known: &mut Known, around: Surroundings<'_>) -> Self {
        if !judge.settings.takes_certificates() {
            return Self {
                digest: Digest::NotAsked,
                forwarding: Forwarding::Untouched,
                ..Self::nobody()
            };
        }
        let own = Own::of(judge, known, around.connection);
        let peer = Peer {
            judge,
            own: own.as_ref(),
            address: around.peer,
        };
        let mut domains = judge.settings.trust_domains.iter();
        if domains.any(|domain| peer.is_trusted_by(domain)) {
            return forwarded(&peer, around.headers);
        }
        match peer.distrust() {
            // A proxy's certificate is never its caller's, believed or not.
            Some(refusal) => Self {
                caller: Err(refusal),
                ..Self::nobody()
            },
            None => direct(judge, own.as_ref()),
        }
    }

    fn nobody() -> Self {
        Self {
            caller: Ok(None),
            digest: Digest::Known(None),
            forwarding: Forwarding::Removed,
            forwarded_by: None,
        }
    }

    /// The caller that the certificate names; none where there is no certificate, or none that the
    /// configuration takes.
    ///
    /// # Errors
    /// `svid_invalid`, `trust_domain_unknown`, or `keys_unavailable` where it cannot be known
    /// whether the domain was revoked.
    pub fn caller(&self) -> Result<Option<&Rc<Caller>>, Refusal> {
        self.caller
            .as_ref()
            .map(Option::as_ref)
            .map_err(Refusal::clone)
    }

    /// The SHA-256 of the certificate that the caller itself presented.
    pub fn sha256(&self, connection: &dyn Connection) -> Option<[u8; 32]> {
        match self.digest {
            Digest::NotAsked => connection.peer_certificate_sha256(),
            Digest::Known(digest) => digest,
        }
    }
}

/// The certificate of the connection.
struct Own {
    digest: [u8; 32],
    leaf: Rc<Leaf>,
    reported_valid: bool,
}

impl Own {
    fn of(judge: &TokenJudge<'_>, known: &mut Known, connection: &dyn Connection) -> Option<Self> {
        let digest = connection.peer_certificate_sha256()?;
        let reported_valid = connection.peer_certificate_validated();
        let always = |domain: &Domain| {
            let svid = domain.x509_svid.as_ref();
            svid.is_some_and(|svid| svid.always_validated)
        };
        // Whoever can present anything could otherwise fill the memory.
        let keep = reported_valid || judge.settings.trust_domains.iter().any(always);
        let read = || Leaf::read(judge, &connection.peer_certificate()?);
        let leaf = if keep {
            known.leaf(&digest, judge.now, read)
        } else {
            Rc::new(read().unwrap_or(Leaf::MISSING))
        };
        Some(Self {
            digest,
            leaf,
            reported_valid,
        })
    }

    fn id(&self) -> Result<&SpiffeId, &SvidError> {
        self.leaf.svid.as_ref().map(|svid| &svid.id)
    }

    /// Whether the certificate counts for a domain. Where the proxy does not say that it validated
    /// it, its session may be older than its end.
    fn check(&self, svid: &X509Svid, judge: &TokenJudge<'_>) -> Result<(), SvidError> {
        if self.reported_valid {
            return Ok(());
        }
        if !svid.always_validated {
            return Err(SvidError::NotValidated);
        }
        let dated = self.leaf.svid.as_ref().map_err(SvidError::clone)?;
        if dated.is_in_time(judge.now) {
            Ok(())
        } else {
            Err(SvidError::OutOfTime)
        }
    }
}

impl Leaf {
    /// A certificate that the host does not give.
    pub(super) const MISSING: Self = Self {
        svid: Err(SvidError::Unreadable),
        caller: None,
    };

    fn read(judge: &TokenJudge<'_>, pem: &[u8]) -> Option<Self> {
        let svid = svid_of_pem(pem);
        let domain = svid.as_ref().ok().and_then(|svid| {
            let (index, domain) = judge.settings.trust_domain_of(svid.id.trust_domain())?;
            domain.of_connections()?;
            Some((index, svid.id.clone()))
        });
        let caller =
            domain.map(|(index, id)| Rc::new(caller_of(judge, index, id, Proven::X509Svid)));
        Some(Self { svid, caller })
    }

    /// How many bytes this takes, roughly and not too little.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let caller = self.caller.as_ref().map_or(0, |caller| caller.bytes());
        size_of::<Self>()
            .saturating_add(caller)
            .saturating_add(4096)
    }
}

/// Who is at the other end of the connection.
struct Peer<'a> {
    judge: &'a TokenJudge<'a>,
    own: Option<&'a Own>,
    address: Option<IpAddr>,
}

impl Peer<'_> {
    fn is_trusted_by(&self, domain: &Domain) -> bool {
        let listed = self.address.zip(domain.proxies());
        listed.is_some_and(|(address, xfcc)| xfcc.networks.contains(address))
            || matches!(self.named_by(domain), Some(Ok(_)))
    }

    /// The name by which the domain trusts it; an error where it has that name, and it does not
    /// count.
    fn named_by(&self, domain: &Domain) -> Option<Result<&SpiffeId, Refusal>> {
        let svid = domain.x509_svid.as_ref()?;
        let (own, xfcc) = (self.own?, domain.proxies()?);
        let id = own.id().ok().filter(|id| xfcc.peers.matches(id))?;
        let valid = own.check(svid, self.judge).map_err(refused);
        Some(valid.and_then(|()| {
            match self.judge.settings.trust_domain_of(id.trust_domain()) {
                Some((index, _)) => stands(self.judge, index, id),
                None => Ok(()),
            }
            .map(|()| id)
        }))
    }

    /// Why a proxy that some domain would trust by its name is not trusted; none for anybody else.
    fn distrust(&self) -> Option<Refusal> {
        let mut domains = self.judge.settings.trust_domains.iter();
        domains.find_map(|domain| self.named_by(domain)?.err())
    }

    /// Whether every domain trusts it that has X.509-SVIDs.
    fn is_trusted_by_all(&self) -> bool {
        let mut domains = self.judge.settings.trust_domains.iter();
        domains.all(|domain| domain.x509_svid.is_none() || self.is_trusted_by(domain))
    }

    /// Whether that is the name of a proxy.
    fn is_proxy(&self, id: &SpiffeId) -> bool {
        let domains = self.judge.settings.trust_domains.iter();
        let mut proxies = domains.filter_map(Domain::proxies);
        proxies.any(|xfcc| xfcc.peers.matches(id))
    }

    /// What it says of its caller; none where this proxy's own Envoy speaks of it, and nobody else.
    fn caller_in<'x, 'f>(&self, xfcc: &'x Xfcc<'f>) -> Result<Option<&'x Element<'f>>, XfccError> {
        let own = self.own.map(|own| &own.digest);
        let caller = xfcc.caller(self.judge.settings.xfcc, own)?;
        // Whoever reaches a later proxy of the chain directly could otherwise have its own name for
        // the elements that are missing.
        let is_known = |element: &Element<'_>| {
            caller.is_none_or(|caller| std::ptr::eq(caller, element))
                || own.is_some_and(|own| element.hash == *own)
                || svid_of(element).is_ok_and(|id| self.is_proxy(&id))
        };
        if xfcc.elements().all(is_known) {
            Ok(caller)
        } else {
            Err(XfccError::Stranger)
        }
    }

    /// The name that was proven of it, or else its address.
    fn proven_name(&self) -> Option<String> {
        let mut domains = self.judge.settings.trust_domains.iter();
        let validated = self.own.filter(|own| own.reported_valid);
        let name = validated.and_then(|own| own.id().ok());
        name.or_else(|| domains.find_map(|domain| self.named_by(domain)?.ok()))
            .map(|id| id.as_str().to_owned())
            .or_else(|| self.address.map(|address| address.to_string()))
    }
}

/// The caller of a trusted proxy. Without the field it has no certificate: the proxy's own is not
/// its caller's.
fn forwarded(proxy: &Peer<'_>, headers: &Headers) -> Presented {
    let mut presented = Presented::nobody();
    let Some(field) = joined(headers) else {
        return presented;
    };
    presented.forwarded_by = proxy.proven_name();
    let parsed = Xfcc::parse(&field);
    let element = match parsed.as_ref().map_err(|error| *error) {
        Ok(xfcc) => proxy.caller_in(xfcc),
        Err(error) => Err(error),
    };
    let element = match element {
        Ok(Some(element)) => element,
        Ok(None) => return presented,
        Err(error) => {
            presented.caller = Err(Denial::new(error.reason(), error.to_string()).into());
            return presented;
        }
    };
    let id = match svid_of(element) {
        Ok(id) if proxy.is_proxy(&id) => return presented,
        Ok(id) => id,
        Err(error) => {
            presented.caller = Err(refused(error));
            return presented;
        }
    };
    let is_said = |domain: &Domain| proxy.is_trusted_by(domain);
    match domain_of(proxy.judge, &id, is_said) {
        Ok(index) => {
            let caller = caller_of(proxy.judge, index, id, Proven::Xfcc);
            presented.caller = Ok(Some(Rc::new(caller)));
            presented.forwarding = Forwarding::Only(element.text.to_owned());
            presented.digest =
                Digest::Known(Some(element.hash).filter(|_| proxy.is_trusted_by_all()));
        }
        Err(refusal) => presented.caller = Err(refusal),
    }
    presented
}

/// The caller at the other end of the connection.
fn direct(judge: &TokenJudge<'_>, own: Option<&Own>) -> Presented {
    let domains = &judge.settings.trust_domains;
    let takes = |domain: &Domain| domain.of_connections().is_some();
    let caller = match own {
        Some(own) if domains.iter().any(takes) => of_connection(judge, own).map(Some),
        _ => Ok(None),
    };
    Presented {
        caller,
        digest: Digest::Known(own.map(|own| own.digest)),
        ..Presented::nobody()
    }
}

fn of_connection(judge: &TokenJudge<'_>, own: &Own) -> Result<Rc<Caller>, Refusal> {
    let id = own.id().map_err(|error| refused(error.clone()))?;
    let mut valid = Ok(());
    let is_said = |domain: &Domain| {
        let svid = domain.of_connections();
        valid = svid.map_or(Ok(()), |svid| own.check(svid, judge));
        svid.is_some()
    };
    domain_of(judge, id, is_said)?;
    valid.map_err(refused)?;
    let caller = own.leaf.caller.as_ref().map(Rc::clone);
    caller.ok_or_else(|| refused(SvidError::TrustDomainUnknown(id.trust_domain().clone())))
}

fn caller_of(judge: &TokenJudge<'_>, domain: DomainId, id: SpiffeId, proven: Proven) -> Caller {
    Caller::of_x509_svid(domain, id, proven).registered(&judge.settings.clients)
}

/// The place of the domain of a workload, where the domain `says` so and has not revoked its keys.
fn domain_of(
    judge: &TokenJudge<'_>,
    id: &SpiffeId,
    says: impl FnOnce(&Domain) -> bool,
) -> Result<DomainId, Refusal> {
    let name = id.trust_domain();
    let found = judge.settings.trust_domain_of(name);
    let (index, _) = found
        .filter(|(_, domain)| says(domain))
        .ok_or_else(|| refused(SvidError::TrustDomainUnknown(name.clone())))?;
    stands(judge, index, id)?;
    Ok(index)
}

// Trust Domain and Bundle section 4.1.3: with an empty bundle every SVID of the domain is invalid.
// A domain without a bundle here cannot say so.
fn stands(judge: &TokenJudge<'_>, domain: DomainId, id: &SpiffeId) -> Result<(), Refusal> {
    let Some(authority) = judge.authority(Signatory::TrustDomain(domain)) else {
        return Ok(());
    };
    let document = judge.document(&authority)?.document;
    match document.bundle().map(Bundle::keys) {
        Some(BundleKeys::Revoked) => Err(refused(SvidError::Revoked(id.trust_domain().clone()))),
        _ => Ok(()),
    }
}

/// The field, or all fields of that name joined with commas (RFC 9110 section 5.3).
fn joined(headers: &Headers) -> Option<Cow<'_, [u8]>> {
    let mut values = headers.all(FORWARDED);
    let first = values.next()?;
    let mut field = Cow::Borrowed(first);
    for value in values {
        let field = field.to_mut();
        field.push(b',');
        field.extend_from_slice(value);
    }
    Some(field)
}

fn refused(error: SvidError) -> Refusal {
    denial(&error, error.reason()).into()
}
