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

/// A keyed hash.
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

    /// The other half.
    #[must_use]
    pub const fn high(self) -> u64 {
        (self.0 >> 64) as u64
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

    /// The tag of something that is defined like that, never zero.
    #[must_use]
    pub fn tag(&self, definition: &str) -> u32 {
        // What is stored under tags was first that of limits.
        let hash = self.fingerprint_of(&[b"limit\0", definition.as_bytes()]);
        let folded = hash.low() & u64::from(u32::MAX);
        u32::try_from(folded).unwrap_or(1).max(1)
    }
}

/// Hashes the parts of a key, each told apart from its neighbours.
pub struct PartHasher(SipHasher24);

impl PartHasher {
    /// Begins a key of what has that tag.
    #[must_use]
    pub fn new(seed: &Seed, tag: u32) -> Self {
        let mut hasher = SipHasher24::new_with_key(&seed.0);
        hasher.write_u32(tag);
        Self(hasher)
    }

    /// Adds a part; a part that is not there is none of those that are.
    pub fn part(&mut self, part: Option<&[u8]>) {
        let length = part.and_then(|bytes| u64::try_from(bytes.len()).ok());
        self.0
            .write_u64(length.map_or(0, |length| length.saturating_add(1)));
        self.0.write(part.unwrap_or_default());
    }

    /// The hash of all parts.
    #[must_use]
    pub fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.finish128().as_u128())
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

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed([7; 16]);

    fn hash(seed: &Seed, tag: u32, parts: &[Option<&[u8]>]) -> Fingerprint {
        let mut hasher = PartHasher::new(seed, tag);
        parts.iter().for_each(|part| hasher.part(*part));
        hasher.finish()
    }

    #[test]
    fn keys_of_other_parts_tags_and_seeds_are_other_hashes() {
        let parts: &[&[Option<&[u8]>]] = &[
            &[Some(b"ab"), Some(b"c")],
            &[Some(b"a"), Some(b"bc")],
            &[Some(b"abc"), None],
            &[Some(b"abc"), Some(b"")],
            &[Some(b"abc")],
        ];
        let mut hashes: Vec<_> = parts.iter().map(|parts| hash(&SEED, 1, parts)).collect();
        hashes.push(hash(&SEED, 2, parts[0]));
        hashes.push(hash(&Seed([8; 16]), 1, parts[0]));
        for (index, one) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(one), "{index}");
        }
    }
}
