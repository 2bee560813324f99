//! X.509-SVIDs: what a certificate names, where the proxy has verified its chain.

use super::{SpiffeId, SvidError};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decision::Reason, spiffe::SpiffeIdError};

    #[test]
    fn a_certificate_names_a_workload_by_exactly_one_uri() {
        const GOOD: &str = "spiffe://prod.example/ns/a/sa/b";
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
}
