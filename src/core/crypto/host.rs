//! The checks in the proxy's own BoringSSL, by its foreign function `verify_signature`.
//!
//! The function takes a protobuf `VerifySignatureArguments {string hash_function = 1; bytes
//! public_key = 2; bytes signature = 3; bytes text = 4}`. It would also take SHA-1, or a hash
//! that is not the curve's, so the pairing is checked before it is asked.

use super::{
    Algorithm, Crypto, KnownAnswers, Price, Pure, VerifyingKey, der, ec_key::EcKey, price::Checker,
    rsa_key::RsaKey, verifying_key::Material,
};

/// Calls the proxy's `verify_signature` with protobuf arguments; none where the proxy refuses or
/// has no such function.
pub type ForeignCall<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;

/// The result message `{bool result = 1}` with `result` true, and no other way to write it.
const HOLDS: &[u8] = &[0x08, 0x01];

/// Checks signatures in the proxy where known answers show that it can, in the module elsewhere.
#[derive(Clone, Copy)]
pub struct Hosted<'a> {
    call: &'a ForeignCall<'a>,
    known: KnownAnswers,
}

impl<'a> Hosted<'a> {
    /// Takes the foreign function and what it was found to be good for.
    #[must_use]
    pub fn new(call: &'a ForeignCall<'a>, known: KnownAnswers) -> Self {
        Self { call, known }
    }
}

impl Crypto for Hosted<'_> {
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        if !self.known.contains(algorithm) {
            return Pure.verify(key, algorithm, message, signature);
        }
        let Some(request) = Question::new(key, algorithm, message, signature) else {
            return false;
        };
        match (self.call)(&request.encode()) {
            Some(result) => result == HOLDS,
            // The proxy answered a moment ago and does not now: that says nothing of the signature.
            None => Pure.verify(key, algorithm, message, signature),
        }
    }

    fn price(&self, key: &VerifyingKey, algorithm: Algorithm) -> Price {
        if self.known.contains(algorithm) {
            Price::of(key, algorithm, Checker::Proxy)
        } else {
            Pure.price(key, algorithm)
        }
    }
}

/// Whether the proxy says that the signature holds; not so where it cannot be asked.
pub(super) fn proxy_holds(
    call: &ForeignCall<'_>,
    key: &VerifyingKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    Question::new(key, algorithm, message, signature)
        .and_then(|request| call(&request.encode()))
        .is_some_and(|result| result == HOLDS)
}

/// The arguments of one call: a key, an algorithm and a signature that belong together.
struct Question<'a> {
    hash_function: &'static str,
    public_key: &'a [u8],
    signature: Signature<'a>,
    text: &'a [u8],
}

enum Signature<'a> {
    Rsa(&'a [u8]),
    Ecdsa { r: &'a [u8], s: &'a [u8] },
}

impl<'a> Question<'a> {
    fn new(
        key: &'a VerifyingKey,
        algorithm: Algorithm,
        text: &'a [u8],
        signature: &'a [u8],
    ) -> Option<Self> {
        if !key.fits(algorithm) {
            return None;
        }
        let (public_key, signature) = match key.material() {
            Material::Rsa(key) => (key.spki(), rsa_signature(key, signature)?),
            Material::Ec(key) => (key.spki(), ecdsa_signature(key, signature)?),
            Material::Ed25519(_) | Material::Hmac(_) => return None,
        };
        Some(Self {
            hash_function: hash_function(algorithm)?,
            public_key,
            signature,
            text,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let signature_len = self.signature.len();
        let lengths = [
            self.hash_function.len(),
            self.public_key.len(),
            signature_len,
            self.text.len(),
        ];
        let total = lengths.iter().fold(0_usize, |sum, length| {
            sum.saturating_add(field_len(*length))
        });
        let mut out = Vec::with_capacity(total);
        push_field(&mut out, 1, self.hash_function.as_bytes());
        push_field(&mut out, 2, self.public_key);
        push_key(&mut out, 3, signature_len);
        self.signature.push_to(&mut out);
        push_field(&mut out, 4, self.text);
        out
    }
}

impl Signature<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Rsa(bytes) => bytes.len(),
            Self::Ecdsa { r, s } => der::ecdsa_signature_len(r, s),
        }
    }

    fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Rsa(bytes) => out.extend_from_slice(bytes),
            Self::Ecdsa { r, s } => der::push_ecdsa_signature(out, r, s),
        }
    }
}

fn rsa_signature<'s>(key: &RsaKey, signature: &'s [u8]) -> Option<Signature<'s>> {
    key.takes(signature).then_some(Signature::Rsa(signature))
}

fn ecdsa_signature<'s>(key: &EcKey, signature: &'s [u8]) -> Option<Signature<'s>> {
    let (r, s) = key.halves(signature)?;
    Some(Signature::Ecdsa { r, s })
}

/// The name Envoy knows the hash by; none for algorithms that it cannot check.
const fn hash_function(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Es256 => Some("sha256"),
        Algorithm::Rs384 | Algorithm::Es384 => Some("sha384"),
        Algorithm::Rs512 | Algorithm::Es512 => Some("sha512"),
        _ => None,
    }
}

fn field_len(content: usize) -> usize {
    varint_len(content)
        .saturating_add(1)
        .saturating_add(content)
}

fn push_field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    push_key(out, number, content.len());
    out.extend_from_slice(content);
}

/// Appends the field's number with wire type 2, and its length as a varint.
fn push_key(out: &mut Vec<u8>, number: u8, mut length: usize) {
    out.push(number << 3 | 2);
    while length >= 0x80 {
        let [.., low] = length.to_be_bytes();
        out.push(low | 0x80);
        length >>= 7;
    }
    let [.., low] = length.to_be_bytes();
    out.push(low);
}

fn varint_len(number: usize) -> usize {
    let bits = usize::BITS.saturating_sub(number.leading_zeros());
    usize::try_from(bits.div_ceil(7).max(1)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::crypto::{AlgorithmSet, test_proxy::verify_signature};
    use crate::signing::{signer, signers};

    const MESSAGE: &[u8] = b"header.payload";

    fn proxy_algorithms() -> AlgorithmSet {
        KnownAnswers::probe(&verify_signature).algorithms()
    }

    /// A signature and its neighbours: bits flipped, cut, grown, empty.
    fn variants(signature: &[u8]) -> Vec<Vec<u8>> {
        let mut variants = vec![
            signature.to_vec(),
            Vec::new(),
            vec![0; signature.len()],
            vec![0xff; signature.len()],
            signature[1..].to_vec(),
            [signature, &[0]].concat(),
            [&[0], signature].concat(),
        ];
        for bit in (0..signature.len() * 8).step_by(37) {
            let mut flipped = signature.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            variants.push(flipped);
        }
        variants
    }

    #[test]
    fn proxy_and_module_judge_every_signature_alike() {
        let call: &ForeignCall<'_> = &verify_signature;
        let hosted = Hosted::new(call, KnownAnswers::probe(call));
        for signer in signers() {
            let key = signer.verifying_key();
            for signature in variants(&signer.sign(MESSAGE)) {
                for algorithm in Algorithm::ALL {
                    for message in [MESSAGE, b"", &[b'x'; 20_000]] {
                        assert_eq!(
                            hosted.verify(&key, *algorithm, message, &signature),
                            Pure.verify(&key, *algorithm, message, &signature),
                            "{algorithm:?} with a key of {:?}",
                            signer.algorithm
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn many_signatures_pass_through_the_proxy() {
        // Numbers with leading zeros, or a leading one bit, come up by chance.
        let call: &ForeignCall<'_> = &verify_signature;
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
            let signer = signer(algorithm);
            let key = signer.verifying_key();
            for number in 0..200_u32 {
                let message = number.to_be_bytes();
                let signature = signer.sign(&message);
                assert!(proxy_holds(call, &key, algorithm, &message, &signature));
                assert!(!proxy_holds(call, &key, algorithm, b"other", &signature));
            }
        }
    }

    #[test]
    fn the_proxy_is_asked_only_for_what_it_can_do() {
        let calls = Cell::new(0);
        let counted = |arguments: &[u8]| {
            calls.set(calls.get() + 1);
            verify_signature(arguments)
        };
        let hosted = Hosted::new(&counted, KnownAnswers::probe(&verify_signature));
        for signer in signers() {
            calls.set(0);
            let signature = signer.sign(MESSAGE);
            assert!(hosted.verify(
                &signer.verifying_key(),
                signer.algorithm,
                MESSAGE,
                &signature
            ));
            let expected = u32::from(proxy_algorithms().contains(signer.algorithm));
            assert_eq!(calls.get(), expected, "{:?}", signer.algorithm);
        }
    }

    #[test]
    fn a_key_that_does_not_fit_is_never_sent_to_the_proxy() {
        let refuse = |_: &[u8]| -> Option<Vec<u8>> { panic!("the proxy was asked") };
        let hosted = Hosted::new(&refuse, KnownAnswers::probe(&verify_signature));
        for signer in signers() {
            let signature = signer.sign(MESSAGE);
            for algorithm in proxy_algorithms().iter() {
                let key = signer.verifying_key();
                if !key.fits(algorithm) {
                    assert!(!hosted.verify(&key, algorithm, MESSAGE, &signature));
                }
            }
        }
    }

    #[test]
    fn only_the_two_bytes_of_success_are_success() {
        let signer = signer(Algorithm::Es256);
        let (key, signature) = (signer.verifying_key(), signer.sign(MESSAGE));
        const ANSWERS: &[(&[u8], bool)] = &[
            (&[8, 1], true),
            (&[], false),
            (&[8], false),
            (&[8, 0], false),
            (&[8, 2], false),
            (&[8, 1, 8, 1], false),
            (&[8, 1, 18, 0], false),
            (&[8, 0x81, 0], false),
            (&[1], false),
        ];
        for (answer, holds) in ANSWERS {
            let call = |_: &[u8]| Some(answer.to_vec());
            let hosted = Hosted::new(&call, KnownAnswers::probe(&verify_signature));
            assert_eq!(
                hosted.verify(&key, Algorithm::Es256, MESSAGE, &signature),
                *holds
            );
        }
    }

    #[test]
    fn a_proxy_that_stops_answering_leaves_the_verdict_to_the_module() {
        let silent = |_: &[u8]| None;
        let hosted = Hosted::new(&silent, KnownAnswers::probe(&verify_signature));
        for signer in signers() {
            let (key, signature) = (signer.verifying_key(), signer.sign(MESSAGE));
            assert!(hosted.verify(&key, signer.algorithm, MESSAGE, &signature));
            assert!(!hosted.verify(&key, signer.algorithm, b"other", &signature));
        }
    }

    #[test]
    fn the_request_is_one_buffer_of_the_right_size() {
        for algorithm in proxy_algorithms().iter() {
            let signer = signer(algorithm);
            let (key, signature) = (signer.verifying_key(), signer.sign(MESSAGE));
            for length in [0, 1, 127, 128, 16_383, 16_384, 100_000] {
                let text = vec![b'x'; length];
                let request = Question::new(&key, algorithm, &text, &signature).unwrap();
                let encoded = request.encode();
                assert_eq!(encoded.len(), encoded.capacity());
            }
        }
    }
}
