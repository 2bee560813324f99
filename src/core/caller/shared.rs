//! Tokens that one worker has verified, so that the others need not check their signatures again.
//!
//! What workers share is proof, not tokens: a tag over whose token it is, the very key document that
//! its signature held under, and every byte of it. Who takes a token over has it from its own caller,
//! reads it, and checks all but the signature as after a check of its own.
//!
//! Tags are SipHash-2-4 (128 bits), a pseudo-random function, keyed with a digest of the VM's
//! configuration. Other plugins may share the namespace: whoever knows that text could make tags and so
//! let forged tokens in, whoever does not can only take records away or put old ones back, which are
//! as true as they were. A page carries a tag of its own, so that one that was changed is as
//! good as none.
//!
//! There are [`PAGES`] pages of four records at most. Two workers that write one page at once lose a
//! record, and a full page gives up the one that ends first: its signature is then checked again.

use subtle::{Choice, ConstantTimeEq};

use crate::base::Now;
use crate::crypto::AlgorithmSet;
use crate::crypto::keyed::Seed;
use crate::shared::{Cells, Version};

/// How many pages there are. Shared data is never freed by the host, so this bounds it.
pub const PAGES: u32 = 4096;

/// How many records a page holds.
const RECORDS: usize = 4;

/// How many bytes a tag takes, and a record: a tag and when its token ends.
const TAG: usize = 16;
const RECORD: usize = TAG + 8;

/// The key of what workers prove to each other.
#[derive(Clone, Copy)]
pub struct ShareKey(Seed);

/// Whose a token is, and the keys and algorithms that its signature is to hold under.
#[derive(Clone, Copy)]
pub struct Under<'a> {
    /// The name of an issuer, or the SPIFFE ID of a trust domain, which no issuer is named like.
    pub name: &'a str,
    /// What tells the key document and how it was read from any other.
    pub keys: &'a [u8; 32],
    /// The algorithms that are allowed.
    pub algorithms: AlgorithmSet,
}

/// Where workers find what the others have verified.
pub struct Shared<'a> {
    /// What its tags are keyed with.
    pub key: ShareKey,
    /// The pages.
    pub pages: &'a mut dyn Cells,
}

/// What was found of a token, and where it will be found.
pub struct Sought {
    /// Whether it is proven that its signature holds.
    pub verified: bool,
    tag: [u8; TAG],
    page: u32,
    version: Version,
    records: [ToldOf; RECORDS],
}

/// That a token is verified; the default proves nothing.
#[derive(Clone, Copy, Default)]
struct ToldOf {
    tag: [u8; TAG],
    until: Now,
}

impl ShareKey {
    /// The key for everyone who runs in a VM of this configuration.
    #[must_use]
    pub fn new(vm_configuration: &[u8]) -> Self {
        Self(Seed::of_vm("postern token key", vm_configuration, ""))
    }

    fn tag(&self, under: &Under<'_>, token: &[u8]) -> [u8; TAG] {
        let name = under.name.as_bytes();
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes();
        let algorithms = under.algorithms.bits().to_le_bytes();
        let parts = [b"token", &length[..], name, under.keys, &algorithms, token];
        self.0.fingerprint_of(&parts).to_bytes()
    }

    // Where a page stands needs no seal: its tags say where they are looked for.
    fn seal(&self, records: &[u8]) -> [u8; TAG] {
        self.0.fingerprint_of(&[b"pages", records]).to_bytes()
    }

    fn encode(&self, records: &[ToldOf; RECORDS]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORDS * RECORD + TAG);
        for ToldOf { tag, until } in records {
            bytes.extend_from_slice(tag);
            bytes.extend_from_slice(&until.nanos().to_le_bytes());
        }
        bytes.extend_from_slice(&self.seal(&bytes));
        bytes
    }

    /// The records of a page; empty ones where it is not one of ours.
    fn decode(&self, bytes: &[u8]) -> [ToldOf; RECORDS] {
        let mut records = [ToldOf::default(); RECORDS];
        if let Some((body, seal)) = bytes.split_last_chunk::<TAG>()
            && bool::from(self.seal(body).ct_eq(seal))
        {
            let (written, _) = body.as_chunks::<RECORD>();
            let each = records.iter_mut().zip(written);
            each.for_each(|(record, bytes)| *record = ToldOf::decode(bytes));
        }
        records
    }
}

impl ToldOf {
    fn decode(bytes: &[u8; RECORD]) -> Self {
        let mut record = Self::default();
        if let Some((tag, until)) = bytes.split_first_chunk::<TAG>() {
            let until = until.try_into().map_or(0, u64::from_le_bytes);
            record = Self {
                tag: *tag,
                until: Now::from_nanos(until),
            };
        }
        record
    }

    fn proves(&self, tag: &[u8; TAG], now: Now) -> Choice {
        self.tag.ct_eq(tag) & Choice::from(u8::from(now < self.until))
    }
}

impl Shared<'_> {
    /// Looks whether a worker has verified this token, under that very document.
    pub fn look(&mut self, under: &Under<'_>, token: &[u8], now: Now) -> Sought {
        let tag = self.key.tag(under, token);
        let [low, high, ..] = tag;
        let page = u32::from(u16::from_le_bytes([low, high])) % PAGES;
        let (bytes, version) = self.pages.read(page);
        let records = self.key.decode(&bytes);
        let proofs = records.iter().map(|record| record.proves(&tag, now));
        let verified = proofs.fold(Choice::from(0), |any, proof| any | proof);
        Sought {
            verified: verified.into(),
            tag,
            page,
            version,
            records,
        }
    }

    /// Tells the others that the token that was looked for is verified, and when it ends.
    ///
    /// A record that is lost, since another worker was faster, does no harm.
    pub fn tell(&mut self, sought: Sought, until: Now) {
        let Sought {
            tag,
            page,
            version,
            mut records,
            ..
        } = sought;
        // One that has ended does so before any other, and an empty one has from the beginning.
        if let Some(first) = records.iter_mut().min_by_key(|record| record.until) {
            *first = ToldOf { tag, until };
        }
        let bytes = self.key.encode(&records);
        self.pages.write(page, &bytes, version);
    }
}
