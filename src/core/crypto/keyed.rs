//! Keyed hashing: what is remembered under a secret, and cannot be aimed for without it.
//!
//! SipHash-2-4 with a secret key is a pseudo-random function: whoever does not know the key can
//! neither forge a fingerprint nor aim for a collision.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::sha256;

/// A secret that keys hashes, different in every worker's life.
#[derive(Clone, Copy)]
pub struct Seed(pub [u8; 16]);

/// The keyed hash of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint as 16 bytes, little-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// Half of it, where that will do.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the half that is wanted")]
    pub const fn low(self) -> u64 {
        self.0 as u64
    }
}

impl Seed {
    /// The secret that everyone has who runs in a VM of this configuration: one for each `purpose`,
    /// which none begins another, and `subject`.
    #[must_use]
    pub fn of_vm(purpose: &str, vm_configuration: &[u8], subject: &str) -> Self {
        let length = u64::try_from(vm_configuration.len()).unwrap_or(u64::MAX);
        let parts = [
            purpose.as_bytes(),
            &length.to_le_bytes(),
            vm_configuration,
            subject.as_bytes(),
        ];
        let [key @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = sha256(&parts.concat());
        Self(key)
    }

    /// The fingerprint of a token's bytes.
    #[must_use]
    pub fn fingerprint(&self, token: &[u8]) -> Fingerprint {
        self.fingerprint_of(&[token])
    }

    /// The fingerprint of all parts together, one behind the other.
    #[must_use]
    pub fn fingerprint_of(&self, parts: &[&[u8]]) -> Fingerprint {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        parts.iter().for_each(|part| hasher.write(part));
        Fingerprint(hasher.finish128().as_u128())
    }
}

/// Takes the lower half of a fingerprint as the table's hash: it is already random.
#[derive(Default)]
pub struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight
                .iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            self.0 ^= u64::from_le_bytes(eight);
        }
    }
}
