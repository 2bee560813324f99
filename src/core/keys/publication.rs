//! A fetched key set as the workers of one process hand it to each other in shared data.
//!
//! Other plugins may share the namespace, so a publication carries a tag (SipHash-2-4, 128 bits)
//! keyed with a digest of the VM's configuration and of the source. What does not carry the right
//! tag is as good as nothing. The tag is as secret as the VM's configuration: where other plugins
//! are not trusted, that holds a random text, or the plugin has a `vm_id` of its own.

use subtle::ConstantTimeEq;

use crate::base::Now;
use crate::crypto::keyed::Seed;
use crate::spiffe::Highest;

const MAGIC: &[u8; 8] = b"postern2";
const TAG: usize = 16;

/// The key of one source's publications.
#[derive(Clone, Copy)]
pub struct PublicationKey(Seed);

impl PublicationKey {
    /// The key for everyone who runs in a VM of this configuration and has this source.
    #[must_use]
    pub fn new(vm_configuration: &[u8], source: &str) -> Self {
        Self(Seed::of_vm(
            "postern publication key",
            vm_configuration,
            source,
        ))
    }

    /// The name under which those who share this key find what `descriptor` says in shared data.
    #[must_use]
    pub fn name(&self, descriptor: &str) -> String {
        // No descriptor begins as a publication does, so that no name is a tag.
        let name = self.0.fingerprint(descriptor.as_bytes()).to_bytes();
        format!("postern.keys.{:032x}", u128::from_le_bytes(name))
    }

    fn tag(&self, body: &[u8]) -> [u8; TAG] {
        self.0.fingerprint(body).to_bytes()
    }
}

/// A key set document, when it was fetched, and which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Grows by one with each document that differs from the one before.
    pub version: u64,
    /// When the document was last fetched.
    pub fetched_at: Now,
    /// The highest `spiffe_sequence` so far.
    pub highest: Option<Highest>,
    /// The JWK Set as it was fetched.
    pub document: Vec<u8>,
}

impl Publication {
    /// The bytes that go into shared data.
    #[must_use]
    pub fn encode(&self, key: &PublicationKey) -> Vec<u8> {
        let (version, fetched_at) = (
            self.version.to_le_bytes(),
            self.fetched_at.nanos().to_le_bytes(),
        );
        let (kind, sequence) = match self.highest {
            None => (0, 0),
            Some(highest) if highest.revoked => (2, highest.sequence),
            Some(highest) => (1, highest.sequence),
        };
        let sequence = sequence.to_le_bytes();
        let mut bytes = [
            &MAGIC[..],
            &version,
            &fetched_at,
            &[kind],
            &sequence,
            &self.document,
        ]
        .concat();
        let tag = key.tag(&bytes);
        bytes.extend(tag);
        bytes
    }

    /// Reads what another worker published; none where it did not come from this configuration.
    #[must_use]
    pub fn decode(bytes: &[u8], key: &PublicationKey) -> Option<Self> {
        let (body, tag) = bytes.split_last_chunk::<TAG>()?;
        if !bool::from(key.tag(body).ct_eq(tag)) {
            return None;
        }
        let (magic, rest) = body.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (fetched_at, rest) = rest.split_first_chunk::<8>()?;
        let (kind, rest) = rest.split_first_chunk::<1>()?;
        let (sequence, document) = rest.split_first_chunk::<8>()?;
        (magic == MAGIC).then(|| Self {
            version: u64::from_le_bytes(*version),
            fetched_at: Now::from_nanos(u64::from_le_bytes(*fetched_at)),
            highest: (*kind != [0]).then(|| Highest {
                sequence: u64::from_le_bytes(*sequence),
                revoked: *kind == [2],
            }),
            document: document.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication() -> Publication {
        Publication {
            version: 3,
            fetched_at: Now::from_secs(9),
            highest: Some(Highest {
                sequence: 7,
                revoked: true,
            }),
            document: b"{\"keys\":[]}".to_vec(),
        }
    }

    #[test]
    fn a_publication_is_read_by_those_who_share_its_source_and_vm_configuration_alone() {
        let key = PublicationKey::new(b"secret", "corp");
        let bytes = publication().encode(&key);
        assert_eq!(Publication::decode(&bytes, &key), Some(publication()));
        for other in [
            (&b"other"[..], "corp"),
            (b"secret", "other"),
            (b"secretc", "orp"),
            (b"", "secretcorp"),
        ] {
            assert_eq!(
                Publication::decode(&bytes, &PublicationKey::new(other.0, other.1)),
                None
            );
        }
    }

    #[test]
    fn names_are_those_of_a_vm_configuration_a_source_and_a_descriptor() {
        let key = |vm: &[u8], source| PublicationKey::new(vm, source);
        let name = key(b"vm", "corp").name("a");
        assert_eq!(name, key(b"vm", "corp").name("a"));
        for other in [
            key(b"", "corp").name("a"),
            key(b"vm", "shop").name("a"),
            key(b"vm", "corp").name("b"),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn every_changed_bit_and_every_truncation_is_refused() {
        let key = PublicationKey::new(b"", "corp");
        let bytes = publication().encode(&key);
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(Publication::decode(&changed, &key), None, "byte {index}");
            assert_eq!(
                Publication::decode(&bytes[..index], &key),
                None,
                "cut at {index}"
            );
        }
    }
}
