//! X.509-SVIDs: what a certificate names, where the proxy has verified its chain.

use der::asn1::{BitStringRef, GeneralizedTime, OctetStringRef, UtcTime};
use der::{AnyRef, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use super::{SpiffeId, SvidError};
use crate::base::Now;

/// The extensions that are read, by the DER of their ids: 2.5.29.17, .19 and .15.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];

/// Which of the sequences in a certificate's body is its validity: behind the algorithm and the
/// issuer.
const VALIDITY: usize = 2;

/// Bits of a key usage, from the left (RFC 5280 section 4.2.1.3).
const KEY_CERT_SIGN: u8 = 0x80 >> 5;
const CRL_SIGN: u8 = 0x80 >> 6;

/// The largest certificate that is read, as PEM, in bytes.
const MAX_PEM: usize = 64 * 1024;

/// Reads the SPIFFE ID out of all the URI SANs of a certificate.
///
/// Whether it is a leaf, and whether its chain holds, is for the proxy's TLS to say.
///
/// # Errors
///
/// There must be exactly one URI SAN (X509-SVID section 2), a SPIFFE ID, with a path (section
/// 5.2).
pub fn x509_svid<'u>(uris: impl IntoIterator<Item = &'u str>) -> Result<SpiffeId, SvidError> {
    let mut uris = uris.into_iter();
    let uri = uris.next().ok_or(SvidError::NoUri)?;
    let others = uris.count();
    if others > 0 {
        return Err(SvidError::SeveralUris(others.saturating_add(1)));
    }
    let id = SpiffeId::parse(uri).map_err(SvidError::Uri)?;
    if id.path().is_empty() {
        return Err(SvidError::NoPath(id.trust_domain().clone()));
    }
    Ok(id)
}

/// A workload, and from when until when its certificate is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedSvid {
    /// The workload.
    pub id: SpiffeId,
    /// The first instant.
    pub from: Now,
    /// The last one, a whole second.
    pub until: Now,
}

impl DatedSvid {
    /// Whether the certificate is good at that instant.
    #[must_use]
    pub fn is_in_time(&self, now: Now) -> bool {
        self.from <= now && now.secs() <= self.until.secs()
    }
}

/// Reads the SPIFFE ID out of a certificate, as PEM.
///
/// Whether its chain holds is for the proxy's TLS to say.
///
/// # Errors
///
/// As [`x509_svid`]; and it must be a leaf: no authority, and not for signing certificates or
/// revocation lists (X509-SVID sections 4.1 and 4.3).
pub fn svid_of_pem(pem: &[u8]) -> Result<DatedSvid, SvidError> {
    if pem.len() > MAX_PEM {
        return Err(SvidError::Unreadable);
    }
    let der = match der::pem::decode_vec(pem) {
        Ok(("CERTIFICATE", der)) => der,
        _ => return Err(SvidError::Unreadable),
    };
    let body = Body::of(&der).map_err(|_| SvidError::Unreadable)?;
    let (from, until) = body.validity.ok_or(SvidError::Unreadable)?;
    if body.signs_others {
        return Err(SvidError::NotALeaf);
    }
    // What is no text is no SPIFFE ID either.
    let uris = body.uris.iter();
    let id = x509_svid(uris.map(|uri| std::str::from_utf8(uri).unwrap_or_default()))?;
    Ok(DatedSvid { id, from, until })
}

/// What a certificate says that matters here.
#[derive(Default)]
struct Body<'d> {
    validity: Option<(Now, Now)>,
    uris: Vec<&'d [u8]>,
    signs_others: bool,
}

impl<'d> Body<'d> {
    /// Reads validity and extensions (RFC 5280 section 4.1); whatever else a certificate has is
    /// passed over.
    fn of(der: &'d [u8]) -> der::Result<Self> {
        let mut read = Self::default();
        let mut certificate = elements(AnyRef::from_der(der)?)?;
        let mut body = elements(certificate.decode()?)?;
        let mut sequences = 0;
        while !body.is_finished() {
            let member: AnyRef<'d> = body.decode()?;
            if member.tag() == Tag::Sequence {
                if sequences == VALIDITY {
                    read.validity = Some(validity(member)?);
                }
                sequences = sequences.saturating_add(1);
            } else if member.tag() == context_specific(3, true) {
                let mut extensions = elements(AnyRef::from_der(member.value())?)?;
                while !extensions.is_finished() {
                    read.note(extensions.decode()?)?;
                }
            }
        }
        Ok(read)
    }

    fn note(&mut self, extension: AnyRef<'d>) -> der::Result<()> {
        let mut extension = elements(extension)?;
        let kind: AnyRef<'d> = extension.decode()?;
        kind.tag().assert_eq(Tag::ObjectIdentifier)?;
        let _critical: Option<bool> = extension.decode()?;
        let value = extension.decode::<OctetStringRef<'d>>()?.as_bytes();
        match kind.value() {
            SUBJECT_ALT_NAME => {
                let mut names = elements(AnyRef::from_der(value)?)?;
                while !names.is_finished() {
                    let name: AnyRef<'d> = names.decode()?;
                    if name.tag() == context_specific(6, false) {
                        self.uris.push(name.value());
                    }
                }
            }
            BASIC_CONSTRAINTS => {
                let authority: Option<bool> = elements(AnyRef::from_der(value)?)?.decode()?;
                self.signs_others |= authority == Some(true);
            }
            KEY_USAGE => {
                let bits = BitStringRef::from_der(value)?.raw_bytes().first().copied();
                self.signs_others |= bits.unwrap_or_default() & (KEY_CERT_SIGN | CRL_SIGN) != 0;
            }
            _ => {}
        }
        Ok(())
    }
}

fn validity(sequence: AnyRef<'_>) -> der::Result<(Now, Now)> {
    let mut dates = elements(sequence)?;
    Ok((date(dates.decode()?)?, date(dates.decode()?)?))
}

/// RFC 5280 section 4.1.2.5: the one until 2049, the other from 2050 on.
fn date(date: AnyRef<'_>) -> der::Result<Now> {
    let since = match date.tag() {
        Tag::UtcTime => date.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => date.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(Now::from_secs(since.as_secs()))
}

/// The elements of a SEQUENCE.
fn elements<'d>(sequence: AnyRef<'d>) -> der::Result<SliceReader<'d>> {
    sequence.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(sequence.value())
}

const fn context_specific(number: u8, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: TagNumber::new(number),
    }
}

#[cfg(test)]
#[path = "../../testkit/certificate.rs"]
#[allow(dead_code, reason = "tests from within use a part of it")]
mod certificate;

#[cfg(test)]
mod tests {
    use super::certificate::{authority, der, element, extension, key_usage, names_of, pem, uris};
    use super::*;
    use crate::decision::Reason;
    use crate::spiffe::SpiffeIdError;

    const GOOD: &str = "spiffe://prod.example/ns/a/sa/b";

    fn read(extensions: &[Vec<u8>]) -> Result<SpiffeId, SvidError> {
        svid_of_pem(&pem(&der(extensions))).map(|svid| svid.id)
    }

    #[test]
    fn a_certificate_names_a_workload_by_exactly_one_uri() {
        assert_eq!(x509_svid([GOOD]).unwrap().as_str(), GOOD);
        let domain = SpiffeId::parse(GOOD).unwrap().trust_domain().clone();
        let cases: &[(&[&str], SvidError)] = &[
            (&[], SvidError::NoUri),
            (&[GOOD, GOOD], SvidError::SeveralUris(2)),
            (&[GOOD, ""], SvidError::SeveralUris(2)),
            (&["https://a.example", GOOD], SvidError::SeveralUris(2)),
            (&[""], SvidError::Uri(SpiffeIdError::Scheme)),
            (
                &["https://a.example/b"],
                SvidError::Uri(SpiffeIdError::Scheme),
            ),
            (&["spiffe://prod.example"], SvidError::NoPath(domain)),
            (
                &["spiffe://prod.example/"],
                SvidError::Uri(SpiffeIdError::TrailingSlash),
            ),
        ];
        for (uris, expected) in cases {
            let error = x509_svid(uris.iter().copied()).unwrap_err();
            assert_eq!(error, *expected);
            assert_eq!(error.reason(), Reason::SvidInvalid);
        }
    }
    #[test]
    fn a_leaf_is_read_whatever_stands_beside_its_uri() {
        let dns = element(0x82, &[b"a.example"]);
        let uri = element(0x86, &[GOOD.as_bytes()]);
        let mail = element(0x81, &[b"a@a.example"]);
        let cases = [
            vec![uris(&[GOOD])],
            vec![uris(&[GOOD]), authority(false), key_usage(&[0])],
            vec![key_usage(&[0, 2, 4]), names_of(&[dns, uri, mail])],
            vec![extension(37, false, b"anything"), uris(&[GOOD])],
        ];
        for extensions in cases {
            assert_eq!(read(&extensions).unwrap().as_str(), GOOD);
        }
    }

    #[test]
    fn every_uri_counts_wherever_it_stands() {
        let twice = SvidError::SeveralUris(2);
        assert_eq!(read(&[]), Err(SvidError::NoUri));
        assert_eq!(read(&[authority(false)]), Err(SvidError::NoUri));
        assert_eq!(read(&[uris(&[GOOD, GOOD])]), Err(twice.clone()));
        assert_eq!(read(&[uris(&[GOOD]), uris(&[GOOD])]), Err(twice.clone()));
        let no_text = element(0x86, &[b"\xff"]);
        let good = element(0x86, &[GOOD.as_bytes()]);
        assert_eq!(read(&[names_of(&[good, no_text.clone()])]), Err(twice));
        let scheme = SvidError::Uri(SpiffeIdError::Scheme);
        assert_eq!(read(&[names_of(&[no_text])]), Err(scheme));
    }

    #[test]
    fn a_certificate_is_good_from_its_first_to_its_last_second() {
        let svid = svid_of_pem(&pem(&der(&[uris(&[GOOD])]))).unwrap();
        // 2026-01-01 and 2036-01-01, 00:00 UTC.
        let (from, until) = (1_767_225_600, 2_082_758_400);
        assert_eq!((svid.from.secs(), svid.until.secs()), (from, until));
        let last = Now::from_nanos(until * 1_000_000_000 + 999_999_999);
        for (now, expected) in [
            (Now::from_secs(from - 1), false),
            (Now::from_secs(from), true),
            (last, true),
            (Now::from_secs(until + 1), false),
        ] {
            assert_eq!(svid.is_in_time(now), expected);
        }
    }

    #[test]
    fn extensions_that_nobody_knows_are_passed_over() {
        let long = element(6, &[&[0x69], &[0x81; 40], &[1]]);
        let strange = element(0x30, &[&long, &element(4, &[b"x"])]);
        assert_eq!(read(&[strange, uris(&[GOOD])]).unwrap().as_str(), GOOD);
    }

    #[test]
    fn what_may_sign_others_is_no_leaf() {
        for sign in [authority(true), key_usage(&[5]), key_usage(&[0, 6])] {
            let error = read(&[uris(&[GOOD]), sign]);
            assert_eq!(error, Err(SvidError::NotALeaf));
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        let der = der(&[uris(&[GOOD])]);
        let text = String::from_utf8(pem(&der)).unwrap();
        let mut longer = der.clone();
        longer.push(0);
        let cases = [
            Vec::new(),
            b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_vec(),
            text.replace("CERTIFICATE", "PUBLIC KEY").into_bytes(),
            text.replace("-----BEGIN", "----BEGIN").into_bytes(),
            der.clone(),
            pem(&der[..der.len() - 1]),
            pem(&longer),
            pem(&vec![0; MAX_PEM]),
        ];
        for bytes in cases {
            assert_eq!(svid_of_pem(&bytes), Err(SvidError::Unreadable));
        }
    }

    #[cfg(not(target_family = "wasm"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn no_bytes_make_it_panic(bytes: Vec<u8>) {
                let _ = svid_of_pem(&bytes);
                let _ = svid_of_pem(&pem(&bytes));
            }

            #[test]
            fn a_changed_certificate_names_nobody_else(at in 0_usize..200, to: u8) {
                let mut changed = der(&[uris(&[GOOD]), authority(false), key_usage(&[0])]);
                let place = at % changed.len();
                changed[place] = to;
                if let Ok(svid) = svid_of_pem(&pem(&changed)) {
                    // Only a change within the name itself may give another one.
                    prop_assert_eq!(svid.id.as_str().len(), GOOD.len());
                }
            }
        }
    }
}
