//! X.509-SVIDs: what a certificate names, where the proxy has verified its chain.

use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{AnyRef, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use super::{SpiffeId, SvidError};

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

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

/// Reads the SPIFFE ID out of a certificate, as PEM.
///
/// Whether its chain holds, and whether it is in time, is for the proxy's TLS to say.
///
/// # Errors
///
/// As [`x509_svid`]; and it must be a leaf: no authority, and not for signing certificates or
/// revocation lists (X509-SVID sections 4.1 and 4.3).
pub fn svid_of_pem(pem: &[u8]) -> Result<SpiffeId, SvidError> {
    if pem.len() > MAX_PEM {
        return Err(SvidError::Unreadable);
    }
    let der = match der::pem::decode_vec(pem) {
        Ok(("CERTIFICATE", der)) => der,
        _ => return Err(SvidError::Unreadable),
    };
    let names = Names::of(&der).map_err(|_| SvidError::Unreadable)?;
    if names.signs_others {
        return Err(SvidError::NotALeaf);
    }
    // What is no text is no SPIFFE ID either.
    let uris = names.uris.iter();
    x509_svid(uris.map(|uri| std::str::from_utf8(uri).unwrap_or_default()))
}

/// What the extensions of a certificate say.
#[derive(Default)]
struct Names<'d> {
    uris: Vec<&'d [u8]>,
    signs_others: bool,
}

impl<'d> Names<'d> {
    /// Reads the extensions (RFC 5280 section 4.1); whatever else a certificate has is passed over.
    fn of(der: &'d [u8]) -> der::Result<Self> {
        let mut names = Self::default();
        let mut certificate = elements(AnyRef::from_der(der)?)?;
        let mut body = elements(certificate.decode()?)?;
        while !body.is_finished() {
            let member: AnyRef<'d> = body.decode()?;
            if member.tag() == context_specific(3, true) {
                let mut extensions = elements(AnyRef::from_der(member.value())?)?;
                while !extensions.is_finished() {
                    names.note(extensions.decode()?)?;
                }
            }
        }
        Ok(names)
    }

    fn note(&mut self, extension: AnyRef<'d>) -> der::Result<()> {
        let mut extension = elements(extension)?;
        let kind: ObjectIdentifier = extension.decode()?;
        let _critical: Option<bool> = extension.decode()?;
        let value = extension.decode::<OctetStringRef<'d>>()?.as_bytes();
        match kind {
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
#[path = "../../tests/support/certificate.rs"]
mod certificate;

#[cfg(test)]
mod tests {
    use super::certificate::{authority, der, element, extension, key_usage, names_of, pem, uris};
    use super::*;
    use crate::{decision::Reason, spiffe::SpiffeIdError};

    const GOOD: &str = "spiffe://prod.example/ns/a/sa/b";

    fn read(extensions: &[Vec<u8>]) -> Result<SpiffeId, SvidError> {
        svid_of_pem(&pem(&der(extensions)))
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
                if let Ok(id) = svid_of_pem(&pem(&changed)) {
                    // Only a change within the name itself may give another one.
                    prop_assert_eq!(id.as_str().len(), GOOD.len());
                }
            }
        }
    }
}
