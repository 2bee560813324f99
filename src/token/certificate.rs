//! Certificates as credentials: the one that the caller presented, here or to a trusted proxy.
//!
//! | the connection is | its certificate is | `x-forwarded-client-cert` is |
//! | --- | --- | --- |
//! | a trusted proxy's | the proxy's own, and never a caller's | believed: the caller's certificate |
//! | anybody else's | the caller's | not believed, and taken out |
//!
//! A proxy is trusted by the trust domain whose `xfcc` names it, and only about workloads of that
//! domain.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;

use super::caller::{Caller, Proven};
use super::{Judge, Known};
use crate::config::{TrustDomain, X509Svid, Xfcc};
use crate::decision::Denial;
use crate::keys::Document;
use crate::proof::Connection;
use crate::request::Headers;
use crate::spiffe::{self, BundleKeys, Signatory, SpiffeId, SvidError, svid_of, svid_of_pem};

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
    caller: Result<Option<Rc<Caller>>, Denial>,
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
    id: Result<SpiffeId, SvidError>,
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
    pub fn of(judge: &Judge<'_>, known: &mut Known, around: Surroundings<'_>) -> Self {
        if !judge.config.takes_certificates() {
            return Self {
                caller: Ok(None),
                digest: Digest::NotAsked,
                forwarding: Forwarding::Untouched,
                forwarded_by: None,
            };
        }
        let own = Own::of(judge, known, around.connection);
        let connection = Peer {
            judge,
            own: own.as_ref(),
            address: around.peer,
        };
        let mut domains = judge.config.trust_domains.iter();
        if domains.any(|domain| connection.is_trusted_by(domain)) {
            forwarded(judge, &connection, around.headers)
        } else {
            direct(judge, own.as_ref())
        }
    }

    /// The caller that the certificate names; none where there is no certificate, or none that the
    /// configuration takes.
    ///
    /// # Errors
    /// `svid_invalid` or `trust_domain_unknown`.
    pub fn caller(&self) -> Result<Option<&Rc<Caller>>, Denial> {
        self.caller
            .as_ref()
            .map(Option::as_ref)
            .map_err(Denial::clone)
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
    fn of(judge: &Judge<'_>, known: &mut Known, connection: &dyn Connection) -> Option<Self> {
        let digest = connection.peer_certificate_sha256()?;
        Some(Self {
            digest,
            leaf: known.leaf(&digest, judge.now, || {
                Leaf::read(judge, &connection.peer_certificate()?)
            }),
            reported_valid: connection.peer_certificate_validated(),
        })
    }

    fn is_valid_for(&self, svid: &X509Svid) -> bool {
        self.reported_valid || svid.always_validated
    }
}

impl Leaf {
    fn read(judge: &Judge<'_>, pem: &[u8]) -> Option<Self> {
        let id = svid_of_pem(pem);
        let domain = id.as_ref().ok().and_then(|id| {
            let (index, domain) = judge.config.trust_domain_of(id.trust_domain())?;
            domain.x509_svid.as_ref().filter(|svid| svid.tls)?;
            Some((index, id.clone()))
        });
        let caller =
            domain.map(|(index, id)| Rc::new(Caller::of_x509_svid(index, id, Proven::X509Svid)));
        Some(Self { id, caller })
    }

    /// A certificate that the host does not give.
    #[must_use]
    pub(super) const fn missing() -> Self {
        Self {
            id: Err(SvidError::Unreadable),
            caller: None,
        }
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
    judge: &'a Judge<'a>,
    own: Option<&'a Own>,
    address: Option<IpAddr>,
}

impl Peer<'_> {
    fn is_trusted_by(&self, domain: &TrustDomain) -> bool {
        let xfcc = domain
            .x509_svid
            .as_ref()
            .and_then(|svid| svid.xfcc.as_ref());
        let by_address = |xfcc: &Xfcc| {
            self.address
                .is_some_and(|address| xfcc.networks.contains(address))
        };
        xfcc.is_some_and(by_address) || self.name_for(domain).is_some()
    }

    /// The name by which the domain trusts it.
    fn name_for(&self, domain: &TrustDomain) -> Option<&SpiffeId> {
        let svid = domain.x509_svid.as_ref()?;
        let own = self.own.filter(|own| own.is_valid_for(svid))?;
        let id = own.leaf.id.as_ref().ok()?;
        let named = svid.xfcc.as_ref()?.peers.matches(id);
        let home = self.judge.config.trust_domain_of(id.trust_domain());
        let revoked = home.is_some_and(|(index, home)| is_revoked(self.judge, index, home));
        (named && !revoked).then_some(id)
    }

    /// The name that was proven of it, or else its address.
    fn proven_name(&self) -> Option<String> {
        let mut domains = self.judge.config.trust_domains.iter();
        let validated = self.own.filter(|own| own.reported_valid);
        let name = validated.and_then(|own| own.leaf.id.as_ref().ok());
        name.or_else(|| domains.find_map(|domain| self.name_for(domain)))
            .map(|id| id.as_str().to_owned())
            .or_else(|| self.address.map(|address| address.to_string()))
    }
}

/// The caller of a trusted proxy. Without the field it has no certificate: the proxy's own is not
/// its caller's.
fn forwarded(judge: &Judge<'_>, proxy: &Peer<'_>, headers: &Headers) -> Presented {
    let mut presented = Presented {
        caller: Ok(None),
        digest: Digest::Known(None),
        forwarding: Forwarding::Removed,
        forwarded_by: None,
    };
    let Some(field) = joined(headers) else {
        return presented;
    };
    presented.forwarded_by = proxy.proven_name();
    let xfcc = match spiffe::Xfcc::parse(&field) {
        Ok(xfcc) => xfcc,
        Err(error) => {
            presented.caller = Err(Denial::new(error.reason(), error.to_string()));
            return presented;
        }
    };
    let element = xfcc.element(judge.config.xfcc_element);
    presented.digest = Digest::Known(element.hash);
    let caller = svid_of(element).and_then(|id| {
        let is_said = |domain: &TrustDomain| proxy.is_trusted_by(domain);
        let index = domain_of(judge, &id, is_said)?;
        Ok(Rc::new(Caller::of_x509_svid(index, id, Proven::Xfcc)))
    });
    match caller {
        Ok(caller) => {
            presented.caller = Ok(Some(caller));
            presented.forwarding = Forwarding::Only(element.text.to_owned());
        }
        Err(error) => presented.caller = Err(denial(&error)),
    }
    presented
}

/// The caller at the other end of the connection.
fn direct(judge: &Judge<'_>, own: Option<&Own>) -> Presented {
    let domains = &judge.config.trust_domains;
    let takes = |domain: &TrustDomain| domain.x509_svid.as_ref().is_some_and(|svid| svid.tls);
    let caller = match own {
        Some(own) if domains.iter().any(takes) => of_connection(judge, own).map(Some),
        _ => Ok(None),
    };
    Presented {
        caller: caller.map_err(|error| denial(&error)),
        digest: Digest::Known(own.map(|own| own.digest)),
        forwarding: Forwarding::Removed,
        forwarded_by: None,
    }
}

fn of_connection(judge: &Judge<'_>, own: &Own) -> Result<Rc<Caller>, SvidError> {
    let id = own.leaf.id.as_ref().map_err(SvidError::clone)?;
    let mut validated = true;
    let is_said = |domain: &TrustDomain| {
        let svid = domain.x509_svid.as_ref().filter(|svid| svid.tls);
        validated = svid.is_none_or(|svid| own.is_valid_for(svid));
        svid.is_some()
    };
    domain_of(judge, id, is_said)?;
    if !validated {
        return Err(SvidError::NotValidated);
    }
    let caller = own.leaf.caller.as_ref();
    caller
        .map(Rc::clone)
        .ok_or_else(|| SvidError::TrustDomainUnknown(id.trust_domain().clone()))
}

/// The place of the domain of a workload, where the domain `says` so and has not revoked its keys.
fn domain_of(
    judge: &Judge<'_>,
    id: &SpiffeId,
    says: impl FnOnce(&TrustDomain) -> bool,
) -> Result<usize, SvidError> {
    let name = id.trust_domain();
    let found = judge.config.trust_domain_of(name);
    let (index, domain) = found
        .filter(|(_, domain)| says(domain))
        .ok_or_else(|| SvidError::TrustDomainUnknown(name.clone()))?;
    if is_revoked(judge, index, domain) {
        return Err(SvidError::Revoked(name.clone()));
    }
    Ok(index)
}

// Trust Domain and Bundle section 4.1.3: with an empty bundle every SVID of the domain is invalid.
// However old that word is, it was the last.
fn is_revoked(judge: &Judge<'_>, index: usize, domain: &TrustDomain) -> bool {
    let Some(jwt_svid) = &domain.jwt_svid else {
        return false;
    };
    let slot = judge.config.slot_of(Signatory::TrustDomain(index));
    let bundle = judge
        .ring
        .last(slot, &jwt_svid.bundle)
        .and_then(Document::bundle);
    bundle.is_some_and(|bundle| matches!(bundle.keys(), BundleKeys::Revoked))
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

fn denial(error: &SvidError) -> Denial {
    Denial::new(error.reason(), error.to_string())
}
