//! The seed that all workers key their hashes with: whoever does not know it cannot aim at a cell.

use super::probe::Absent;
use crate::crypto::keyed::Seed;
use crate::host::Host;

/// Other plugins may be in the same place.
const SECRET: &str = "postern.limits.1.secret";

/// The seed that the workers share, made by whoever comes first.
pub fn shared(host: &dyn Host, absent: Absent) -> Option<Seed> {
    let read = || {
        let value = host.shared(SECRET).ok()??;
        Some(Seed(value.bytes.try_into().ok()?))
    };
    read().or_else(|| {
        let mut secret = [0; 16];
        host.random(&mut secret).ok()?;
        host.set_shared(SECRET, &secret, absent.cas()).ok()?;
        // Another worker may have been faster.
        read()
    })
}

/// A seed of this worker alone.
pub fn own(host: &dyn Host) -> Seed {
    // Without randomness a collision can be aimed at, which makes callers share a counter: never
    // more than the limit.
    let mut own = [0; 16];
    let _ = host.random(&mut own);
    Seed(own)
}
