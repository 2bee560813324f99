//! What tests and the command line tool share: a proxy in memory, signers, certificates, and the
//! stories of requests.
//!
//! The life of a request, from its first header to its event:
//!
//! ```
//! use std::rc::Rc;
//!
//! use postern_core::base::Now;
//! use postern_core::config::Config;
//! use postern_core::gate::{Gate, Next, Opened, Stage};
//! use postern_testkit::memory::MemoryHost;
//!
//! let document = br#"{
//!     "version": 1,
//!     "routes": [{"name": "health", "match": {"path": "/healthz"}, "public": true}]
//! }"#;
//! let config = Config::parse(document).unwrap();
//! let gate = Rc::new(Gate::open(config.settings, b"", &MemoryHost::default()));
//!
//! let fields = [(":method", "GET"), (":path", "/admin"), (":authority", "api.example")];
//! let host = MemoryHost::with_request(Now::from_secs(1_772_445_600), &fields);
//! let Stage::Decided(next, decided) = Opened::new(gate).headers(&host) else {
//!     panic!("nothing has to be fetched for it");
//! };
//! assert_eq!(next, Next::Stop);
//! assert_eq!(host.replies()[0].status, 403);
//!
//! decided.finish(&host);
//! let (_, event) = host.logged().pop().unwrap();
//! assert!(event.contains("route_unknown"));
//! ```

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
