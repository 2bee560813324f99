//! What the host makes of compare-and-swap.

use crate::host::{Cas, Host};

/// Other plugins may be in the same place.
const PROBE: &str = "postern.limits.1.probe";

/// A version that no value has.
const NEVER: Cas = Cas(u32::MAX);

/// The version to name where there is no value yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent(Cas);

impl Absent {
    pub fn cas(self) -> Cas {
        self.0
    }
}

/// The version that makes a value where there is none; none where the host cannot be relied on.
///
/// Hosts on proxy-wasm-cpp-host store under a missing key whatever they are given, and zero
/// overwrites blindly, so that only a version that no value has makes a value and never overwrites
/// one. Strict hosts compare with zero where there is no value.
pub fn absent(host: &dyn Host) -> Option<Absent> {
    let first = host.shared(PROBE).ok()?;
    if first.is_none() && !host.set_shared(PROBE, b"1", NEVER).ok()? {
        // Refused, though there was nothing: a strict host, unless another worker was faster.
        host.set_shared(PROBE, b"1", Cas(0)).ok()?;
    }
    host.shared(PROBE).ok()??;
    // Whoever does not compare would let workers overwrite each other.
    if host.set_shared(PROBE, b"1", NEVER).ok()? {
        return None;
    }
    // Only a strict host refuses zero on a value that is there.
    let lax = host.set_shared(PROBE, b"1", Cas(0)).ok()?;
    Some(Absent(if lax { NEVER } else { Cas(0) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Now;
    use crate::memory::{Flavour, MemoryHost, SharedData};

    #[test]
    fn what_makes_a_value_is_found_out_on_hosts_of_every_flavour_however_often() {
        const CASES: &[(Flavour, Option<Absent>)] = &[
            (Flavour::Envoy, Some(Absent(NEVER))),
            (Flavour::Strict, Some(Absent(Cas(0)))),
            (Flavour::None, None),
        ];
        for (flavour, expected) in CASES {
            let shared = SharedData::of(*flavour);
            for _ in 0..3 {
                let host = MemoryHost::with_shared(Now::default(), &shared);
                assert_eq!(absent(&host), *expected, "{flavour:?}");
            }
        }
    }
}
