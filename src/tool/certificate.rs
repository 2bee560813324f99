//! Certificates of callers: read from a file, or made up for a workload.
//!
//! Who validates a chain is the proxy, and here it is taken to have done so: a made-up certificate
//! names its workload and is signed by nobody.

use postern_core::base::Now;
use sha2::{Digest as _, Sha256};

use crate::instant;
use postern_testkit::signing::pem;

/// A caller's certificate.
#[derive(Clone)]
pub struct Certificate {
    /// As PEM.
    pub pem: Vec<u8>,
    /// The SHA-256 of its DER.
    pub sha256: [u8; 32],
}

impl Certificate {
    /// Reads a certificate, as PEM; what follows the first is passed over.
    pub fn of_pem(text: &[u8]) -> Option<Self> {
        const END: &[u8] = b"-----END CERTIFICATE-----";
        let end = text.windows(END.len()).position(|window| window == END)?;
        let first = text.get(..end.checked_add(END.len())?)?.trim_ascii_start();
        let (label, der) = der::pem::decode_vec(first).ok()?;
        (label == "CERTIFICATE").then(|| Self::of_der(&der))
    }

    /// Makes the certificate of a workload up, good for a day before and after `now`.
    pub fn of_workload(id: &str, now: Now) -> Self {
        const DAY: u64 = 86_400;
        let (from, until) = (
            now.secs().saturating_sub(DAY),
            now.secs().saturating_add(DAY),
        );
        let nothing = tlv(0x30, &[]);
        // RFC 5280 section 4.1: serial number, algorithm, issuer, validity, subject, key, extensions.
        let body = [
            tlv(0xa0, &tlv(0x02, &[2])),
            tlv(0x02, &[1]),
            nothing.clone(),
            nothing.clone(),
            tlv(0x30, &[time(from), time(until)].concat()),
            nothing.clone(),
            nothing.clone(),
            tlv(0xa3, &tlv(0x30, &alternative_name(id))),
        ];
        let whole = [tlv(0x30, &body.concat()), nothing, tlv(0x03, &[0])];
        Self::of_der(&tlv(0x30, &whole.concat()))
    }

    fn of_der(der: &[u8]) -> Self {
        Self {
            pem: pem("CERTIFICATE", der).into_bytes(),
            sha256: Sha256::digest(der).into(),
        }
    }

    /// The digest as proxies write it.
    pub fn hex(&self) -> String {
        postern_testkit::spiffe::hex(&self.sha256)
    }
}

fn alternative_name(uri: &str) -> Vec<u8> {
    let names = tlv(0x30, &tlv(0x86, uri.as_bytes()));
    let extension = [
        tlv(0x06, &[0x55, 0x1d, 17]),
        tlv(0x01, &[0xff]),
        tlv(0x04, &names),
    ];
    tlv(0x30, &extension.concat())
}

/// GeneralizedTime, to the second.
fn time(secs: u64) -> Vec<u8> {
    let text = instant::text(secs.saturating_mul(1000));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    tlv(0x18, format!("{digits}Z").as_bytes())
}

/// DER: tag, length, value.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(value.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
            out.push(0x82);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend(value);
    out
}

#[cfg(test)]
mod tests {
    use postern_core::spiffe::svid_of_pem;

    use super::*;

    #[test]
    fn a_made_up_certificate_names_its_workload_and_is_read_again() {
        let now = Now::from_secs(1_772_445_600);
        let id = "spiffe://prod.example/ns/shop/sa/web";
        let made = Certificate::of_workload(id, now);
        let svid = svid_of_pem(&made.pem).unwrap();
        assert_eq!(svid.id.as_str(), id);
        assert!(svid.is_in_time(now));
        let chain = [b"\n".as_slice(), &made.pem, b"-----BEGIN"].concat();
        assert_eq!(Certificate::of_pem(&chain).unwrap().hex(), made.hex());
        assert!(Certificate::of_pem(b"").is_none());
    }
}
