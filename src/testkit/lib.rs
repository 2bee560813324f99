//! What tests and the command line tool share: a proxy in memory, signers, certificates, and the
//! stories of requests.

pub mod certificate;
pub mod memory;
pub mod signing;
pub mod spiffe;
pub mod stories;
pub mod workers;

use std::path::Path;

/// The root of the checkout.
#[must_use]
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}
