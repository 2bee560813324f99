//! What the workers of a process share of a source: its schedule, and the document last published.

use crate::base::Now;
use crate::host::Host;
use crate::keys::Remote;
use crate::keys::publication::{Publication, PublicationKey};
use crate::keys::schedule::Schedule;
use crate::shared::{Sharing, Version};
use crate::spiffe::Highest;

/// How often a record that others keep changing is tried before it is left for later.
const TRIES: usize = 16;

/// The shared records of one source.
pub struct Records {
    sharing: Sharing,
    schedule_key: String,
    publication_key: String,
    tag: PublicationKey,
    /// The schedule, where nothing is shared.
    own: Schedule,
}

impl Records {
    pub fn new(remote: &Remote, vm_configuration: &[u8], sharing: Sharing) -> Self {
        let descriptor = remote.descriptor();
        // VMs of different configurations cannot read each other's sets, so that neither may wait
        // for the other to fetch.
        let tag = PublicationKey::new(vm_configuration, &descriptor);
        Self {
            sharing,
            schedule_key: format!("{}.schedule", tag.name(&remote.schedule_descriptor())),
            publication_key: format!("{}.set", tag.name(&descriptor)),
            tag,
            own: Schedule::default(),
        }
    }

    /// The schedule as it is now.
    pub fn schedule(&self, host: &dyn Host) -> Schedule {
        let shared = self.sharing.values(host).read(&self.schedule_key);
        shared.map_or(self.own, |(bytes, _)| Schedule::decode(&bytes))
    }

    /// Puts a change of the schedule behind compare-and-swap; none where others kept changing it.
    pub fn change<A>(
        &mut self,
        host: &dyn Host,
        change: impl Fn(Schedule) -> (A, Schedule),
    ) -> Option<A> {
        let mut values = self.sharing.values(host);
        for _ in 0..TRIES {
            let Some((bytes, version)) = values.read(&self.schedule_key) else {
                let (answer, new) = change(self.own);
                self.own = new;
                return Some(answer);
            };
            let old = Schedule::decode(&bytes);
            let (answer, new) = change(old);
            if new == old || values.write(&self.schedule_key, &new.encode(), version) {
                return Some(answer);
            }
        }
        None
    }

    /// The document that was last published; none where there is none, or it is not one of ours.
    pub fn publication(&self, host: &dyn Host) -> Option<Publication> {
        let (bytes, _) = self.sharing.values(host).read(&self.publication_key)?;
        Publication::decode(&bytes, &self.tag)
    }

    /// Publishes a document, and answers its version: the one before where it is the same; none
    /// where another worker published while this one was about to.
    ///
    /// `before` is the version of what this worker holds, which may be that very document.
    /// `follow` is asked with the highest sequence that was published, and answers the one to
    /// publish.
    ///
    /// # Errors
    /// What `follow` has against it.
    pub fn publish<E>(
        &self,
        host: &dyn Host,
        document: Vec<u8>,
        (before, is_held): (u64, bool),
        now: Now,
        follow: impl FnOnce(Option<Highest>) -> Result<Option<Highest>, E>,
    ) -> Result<Option<u64>, E> {
        let mut values = self.sharing.values(host);
        let (last, read) = match values.read(&self.publication_key) {
            Some((bytes, read)) => (Publication::decode(&bytes, &self.tag), read),
            None => (None, Version::Absent),
        };
        let highest = follow(last.as_ref().and_then(|last| last.highest))?;
        let version = match last {
            Some(last) if last.document == document => last.version,
            Some(last) => last.version.max(before).saturating_add(1),
            // Where nothing is shared, what this worker holds is what was published.
            None if is_held && !values.are_shared() => before,
            None => before.saturating_add(1),
        };
        let publication = Publication {
            version,
            fetched_at: now,
            highest,
            document,
        };
        let encoded = publication.encode(&self.tag);
        let stored = values.write(&self.publication_key, &encoded, read);
        // Where nothing is shared there is nobody to publish for.
        Ok((stored || !values.are_shared()).then_some(version))
    }
}
