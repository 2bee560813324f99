//! Values in the host's shared data, by their names.

use super::Version;
use super::probe::Absent;
use crate::host::{Cas, Host, SharedValue};

/// The host's shared data, until it refuses.
pub struct Values<'a> {
    host: &'a dyn Host,
    /// None where nothing is shared, or no longer.
    absent: Option<Absent>,
}

impl<'a> Values<'a> {
    pub(super) fn new(host: &'a dyn Host, absent: Option<Absent>) -> Self {
        Self { host, absent }
    }

    /// Whether what is stored here counts for all workers.
    #[must_use]
    pub fn are_shared(&self) -> bool {
        self.absent.is_some()
    }

    /// The value of that name, empty where there is none, and its version; none where nothing is
    /// shared.
    pub fn read(&mut self, name: &str) -> Option<(Vec<u8>, Version)> {
        self.absent?;
        match self.host.shared(name) {
            Ok(Some(SharedValue { bytes, cas })) => Some((bytes, Version::Number(cas.0))),
            Ok(None) => Some((Vec::new(), Version::Absent)),
            Err(_) => {
                self.absent = None;
                None
            }
        }
    }

    /// Stores a value if it is still of that version; answers whether it did.
    pub fn write(&mut self, name: &str, value: &[u8], version: Version) -> bool {
        let Some(absent) = self.absent else {
            return false;
        };
        let cas = match version {
            Version::Absent => absent.cas(),
            // Zero would overwrite blindly; no stored value has it but where the numbers wrapped.
            Version::Number(0) | Version::Own(_) => return false,
            Version::Number(number) => Cas(number),
        };
        // What was read is no longer what will be written to: it has to be looked at again.
        self.host.set_shared(name, value, cas).unwrap_or_else(|_| {
            self.absent = None;
            false
        })
    }
}
