//! What the workers of a process share of a source: its schedule, and the document last published.

use crate::base::Now;
use crate::host::{Cas, Host};
use crate::keys::Remote;
use crate::keys::publication::{Publication, PublicationKey};
use crate::keys::schedule::Schedule;
use crate::spiffe::Highest;

/// How often a record that others keep changing is tried before it is left for later.
const TRIES: usize = 16;

/// The shared records of one source.
pub struct Records {
    schedule_key: String,
    publication_key: String,
    tag: PublicationKey,
    /// The schedule, where the host has no shared data.
    own: Schedule,
}

impl Records {
    pub fn new(remote: &Remote, vm_configuration: &[u8]) -> Self {
        let descriptor = remote.descriptor();
        // VMs of different configurations cannot read each other's sets, so that neither may wait
        // for the other to fetch.
        let tag = PublicationKey::new(vm_configuration, &descriptor);
        Self {
            schedule_key: format!("{}.schedule", tag.name(&remote.schedule_descriptor())),
            publication_key: format!("{}.set", tag.name(&descriptor)),
            tag,
            own: Schedule::default(),
        }
    }

    /// The schedule as it is now.
    pub fn schedule(&self, host: &dyn Host) -> Schedule {
        match host.shared(&self.schedule_key) {
            Ok(Some(value)) => Schedule::decode(&value.bytes),
            Ok(None) => Schedule::default(),
            Err(_) => self.own,
        }
    }

    /// Puts a change of the schedule behind compare-and-swap; none where others kept changing it.
    pub fn change<A>(
        &mut self,
        host: &dyn Host,
        change: impl Fn(Schedule) -> (A, Schedule),
    ) -> Option<A> {
        for _ in 0..TRIES {
            let Ok(value) = host.shared(&self.schedule_key) else {
                let (answer, new) = change(self.own);
                self.own = new;
                return Some(answer);
            };
            let (old, cas) = match value {
                Some(value) => (Schedule::decode(&value.bytes), value.cas),
                None => (Schedule::default(), Cas::ABSENT),
            };
            let (answer, new) = change(old);
            if new == old || host.set_shared(&self.schedule_key, &new.encode(), cas) == Ok(true) {
                return Some(answer);
            }
        }
        None
    }

    /// The document that was last published; none where there is none, or it is not one of ours.
    pub fn publication(&self, host: &dyn Host) -> Option<Publication> {
        let value = host.shared(&self.publication_key).ok()??;
        Publication::decode(&value.bytes, &self.tag)
    }

    /// Publishes a document, and answers its version: the one before where it is the same; none
    /// where another worker published while this one was about to.
    ///
    /// `follow` is asked with the highest sequence that was published, and answers the one to
    /// publish.
    ///
    /// # Errors
    /// What `follow` has against it.
    pub fn publish<E>(
        &self,
        host: &dyn Host,
        document: Vec<u8>,
        before: u64,
        now: Now,
        follow: impl FnOnce(Option<Highest>) -> Result<Option<Highest>, E>,
    ) -> Result<Option<u64>, E> {
        let (last, cas) = match host.shared(&self.publication_key) {
            Ok(Some(value)) => (Publication::decode(&value.bytes, &self.tag), value.cas),
            _ => (None, Cas::ABSENT),
        };
        let highest = follow(last.as_ref().and_then(|last| last.highest))?;
        let version = match last {
            Some(last) if last.document == document => last.version,
            Some(last) => last.version.max(before).saturating_add(1),
            None => before.saturating_add(1),
        };
        let publication = Publication {
            version,
            fetched_at: now,
            highest,
            document,
        };
        let encoded = publication.encode(&self.tag);
        // A host without shared data has nobody to publish for.
        let stored = host.set_shared(&self.publication_key, &encoded, cas);
        Ok((stored != Ok(false)).then_some(version))
    }
}
