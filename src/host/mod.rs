//! What Postern asks of a proxy, and nothing more.
//!
//! Every call can be refused, and the answer to a refusal is chosen by the caller: the gate denies
//! where a decision depends on it, and goes on where only a report does.

pub mod memory;

use crate::reply::Reply;
use crate::request::Headers;
use crate::time::Now;

/// A host refused a call, with the status code of the proxy-wasm ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub u32);

/// A property of the request or its connection, by the names Envoy gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Property {
    /// `source.address`: `ip:port` of the caller, text.
    SourceAddress,
    /// `connection.sha256_peer_certificate_digest`: hex text.
    PeerCertificateDigest,
    /// `response.code`: the status sent to the caller, 8 bytes little-endian.
    ResponseCode,
}

impl Property {
    /// The path of the property, a NUL between its parts, as the ABI has it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::SourceAddress => "source\0address",
            Self::PeerCertificateDigest => "connection\0sha256_peer_certificate_digest",
            Self::ResponseCode => "response\0code",
        }
    }
}

/// How loud a line of the host's log is; the numbers are those of the proxy-wasm ABI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Finest detail.
    Trace = 0,
    /// For finding faults.
    Debug = 1,
    /// What normally happens.
    #[default]
    Info = 2,
    /// What someone should look at.
    Warn = 3,
    /// What must be mended.
    Error = 4,
    /// What ends the service.
    Critical = 5,
}

/// The calls into the proxy, for the request (or the plugin) in whose name the code runs.
pub trait Host {
    /// The host's clock, UTC.
    fn now(&self) -> Now;

    /// Fills `out` with unpredictable bytes.
    ///
    /// # Errors
    /// The host has no source of randomness; nothing may then be keyed.
    fn random(&self, out: &mut [u8]) -> Result<(), HostError>;

    /// Every header field of the request.
    ///
    /// # Errors
    /// The host no longer has the map, or gave one that cannot be read.
    fn request_headers(&self) -> Result<Headers, HostError>;

    /// Sets a request field to exactly one value, in place of all of that name.
    ///
    /// # Errors
    /// The host refused; the field may still be as it was.
    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError>;

    /// Removes every request field of that name.
    ///
    /// # Errors
    /// The host refused; the field may still be there.
    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError>;

    /// Every trailer field of the request.
    ///
    /// # Errors
    /// As for [`Host::request_headers`].
    fn request_trailers(&self) -> Result<Headers, HostError>;

    /// Removes every trailer field of that name.
    ///
    /// # Errors
    /// As for [`Host::remove_request_header`].
    fn remove_request_trailer(&self, name: &[u8]) -> Result<(), HostError>;

    /// The bytes of a property; none where the host does not have it.
    fn property(&self, property: Property) -> Option<Vec<u8>>;

    /// Writes one line to the host's log.
    fn log(&self, level: LogLevel, line: &str);

    /// Answers the request in the upstream's place.
    ///
    /// # Errors
    /// The host refused; the request must not go on.
    fn send_reply(&self, reply: &Reply) -> Result<(), HostError>;

    /// Calls a function that only this host has; none where it refuses or has no such function.
    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Option<Vec<u8>>;
}
