//! What Postern asks of a proxy, and nothing more.
//!
//! Every call can be refused, and the answer to a refusal is chosen by the caller: the gate denies
//! where a decision depends on it, and goes on where only a report does.

use std::time::Duration;

use crate::base::Now;
use crate::decision::Reply;
use crate::request::Headers;

/// The ABI's status for what a host does not have.
pub const UNIMPLEMENTED: u32 = 12;

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
    /// `connection.peer_certificate`: the peer's certificate, PEM.
    PeerCertificate,
    /// `connection.peer_certificate_valid`: whether the proxy validated it, one byte. Envoy says no
    /// on a TLS session that was resumed.
    PeerCertificateValid,
    /// `connection.id`: the number of the caller's connection, 8 bytes little-endian.
    ConnectionId,
    /// `xds.cluster_name`: the upstream that the proxy has chosen, text; none where it answers
    /// itself.
    UpstreamCluster,
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
            Self::PeerCertificate => "connection\0peer_certificate",
            Self::PeerCertificateValid => "connection\0peer_certificate_valid",
            Self::ConnectionId => "connection\0id",
            Self::UpstreamCluster => "xds\0cluster_name",
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

/// A value of shared data, and what a change of it has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedValue {
    /// The value.
    pub bytes: Vec<u8>,
    /// The number that [`Store::set_shared`] compares.
    pub cas: Cas,
}

/// The number of a stored value's version; it changes with every change of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cas(pub u32);

/// A request that the proxy makes to one of its clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// The cluster.
    pub cluster: String,
    /// The method.
    pub method: &'static str,
    /// `http` or `https`.
    pub scheme: String,
    /// The host and any port.
    pub authority: String,
    /// The path and any query.
    pub path: String,
    /// What else stands in the header.
    pub fields: Vec<(&'static str, String)>,
    /// What is sent; nothing where it is empty.
    pub body: Vec<u8>,
    /// After how long the proxy gives up; never zero, which would mean never.
    pub timeout: Duration,
}

/// A unary call of gRPC that the proxy makes to one of its clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcCall {
    /// The cluster.
    pub cluster: String,
    /// The service with its package.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// The message, without a frame.
    pub message: Vec<u8>,
    /// After how long the proxy gives up; never zero, which would mean never.
    pub timeout: Duration,
}

/// What a metric does; the numbers are those of the proxy-wasm ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Grows.
    Counter = 0,
    /// Goes up and down.
    Gauge = 1,
}

/// A metric, and what tells it from others of its name.
///
/// ```
/// use postern_core::host::Metric;
///
/// let labels = &[("issuer", "corp"), ("outcome", "ok")];
/// let metric = Metric::of("postern.keys.{issuer}.fetches.{outcome}", labels);
/// assert_eq!(metric.folded(), "postern.keys.corp.fetches.ok");
/// assert_eq!(metric.bare_name(), "postern.keys.fetches");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric<'a> {
    /// Its name, in which a part in braces stands for the label of that name.
    pub name: &'static str,
    /// The labels and their values: from the configuration or from the code, never from a caller, so
    /// that there are only so many.
    pub labels: &'a [(&'static str, &'a str)],
}

impl<'a> Metric<'a> {
    /// A metric of that name, with what its labels stand for.
    #[must_use]
    pub const fn of(name: &'static str, labels: &'a [(&'static str, &'a str)]) -> Self {
        Self { name, labels }
    }

    /// The name that it has at a host without labels: with the values in it.
    #[must_use]
    pub fn folded(&self) -> String {
        let value = |part| match self.labels.iter().find(|(label, _)| is_of(part, label)) {
            Some((_, value)) => *value,
            None => part,
        };
        joined(self.name.split('.').map(value))
    }

    /// The name that it has beside its labels.
    #[must_use]
    pub fn bare_name(&self) -> String {
        let is_bare = |part: &&str| !self.labels.iter().any(|(label, _)| is_of(part, label));
        joined(self.name.split('.').filter(is_bare))
    }
}

fn is_of(part: &str, label: &str) -> bool {
    let inner = part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'));
    inner == Some(label)
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(".")
}

/// A metric that nothing has to be told from.
impl From<&'static str> for Metric<'_> {
    fn from(name: &'static str) -> Self {
        Self::of(name, &[])
    }
}

/// Time and chance.
pub trait Clock {
    /// The host's clock, UTC.
    fn now(&self) -> Now;

    /// Fills `out` with unpredictable bytes.
    ///
    /// # Errors
    /// The host has no source of randomness; nothing may then be keyed.
    fn random(&self, out: &mut [u8]) -> Result<(), HostError>;
}

/// The request and its response, in whose name the code runs.
pub trait Exchange {
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

    /// The first `bytes` of what the host keeps of the request's body by now.
    ///
    /// # Errors
    /// The host keeps nothing; one that never does is status 12.
    fn request_body(&self, bytes: usize) -> Result<Vec<u8>, HostError> {
        let _ = bytes;
        Err(HostError(UNIMPLEMENTED))
    }

    /// Every trailer field of the request.
    ///
    /// # Errors
    /// As for [`Exchange::request_headers`].
    fn request_trailers(&self) -> Result<Headers, HostError>;

    /// Removes every trailer field of that name.
    ///
    /// # Errors
    /// As for [`Exchange::remove_request_header`].
    fn remove_request_trailer(&self, name: &[u8]) -> Result<(), HostError>;

    /// The bytes of a property; none where the host does not have it.
    fn property(&self, property: Property) -> Option<Vec<u8>>;

    /// Answers the request in the upstream's place.
    ///
    /// # Errors
    /// The host refused; the request must not go on.
    fn send_reply(&self, reply: &Reply) -> Result<(), HostError>;

    /// Every header field of the response.
    ///
    /// # Errors
    /// As for [`Exchange::request_headers`].
    fn response_headers(&self) -> Result<Headers, HostError>;

    /// Adds a field to the response, beside any of that name.
    ///
    /// # Errors
    /// The host refused; the response goes on without it.
    fn add_response_header(&self, name: &str, value: &str) -> Result<(), HostError>;

    /// Sets a response field to exactly one value, in place of all of that name.
    ///
    /// # Errors
    /// The host refused; the field may still be as it was.
    fn set_response_header(&self, name: &str, value: &str) -> Result<(), HostError>;
}

/// The data that all workers share.
pub trait Store {
    /// The value under a key of the data that all workers share; none where there is none.
    ///
    /// # Errors
    /// The host has no shared data.
    fn shared(&self, key: &str) -> Result<Option<SharedValue>, HostError>;

    /// Stores a value if its version is still `cas`; answers whether it did.
    ///
    /// # Errors
    /// The host has no shared data.
    fn set_shared(&self, key: &str, value: &[u8], cas: Cas) -> Result<bool, HostError>;
}

/// Calls out: to functions of the host, and to its clusters in the plugin's own name.
pub trait Calls {
    /// Calls a function that only this host has; none where it refuses or has no such function.
    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Option<Vec<u8>>;

    /// Makes a request in the plugin's own name; answers the number that its response will carry.
    ///
    /// # Errors
    /// The host did not take it. A cluster that the host does not know (yet) is status 2.
    fn dispatch(&self, call: &HttpCall) -> Result<u32, HostError>;

    /// Makes a call of gRPC in the plugin's own name; answers the number that its response will carry.
    ///
    /// # Errors
    /// As for [`Calls::dispatch`]; a host that makes none is status 12.
    fn dispatch_grpc(&self, call: &GrpcCall) -> Result<u32, HostError> {
        let _ = call;
        Err(HostError(UNIMPLEMENTED))
    }

    /// Every header field of the response that just came; none where there is no response.
    fn call_headers(&self) -> Headers;

    /// The first `bytes` of the body of the response that just came.
    fn call_body(&self, bytes: usize) -> Vec<u8>;
}

/// What operators see.
pub trait Telemetry {
    /// Writes one line to the host's log.
    fn log(&self, level: LogLevel, line: &str);

    /// Makes a metric; none where the host has none.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32>;

    /// Makes a metric that may have labels; none where the host has none. A host that keeps labels
    /// apart from names does not fold them.
    fn define_labelled(&self, kind: MetricKind, metric: &Metric<'_>) -> Option<u32> {
        self.define_metric(kind, &metric.folded())
    }

    /// Moves a metric.
    fn increment_metric(&self, metric: u32, by: i64);

    /// Sets a gauge.
    fn record_metric(&self, metric: u32, value: u64);
}

/// A whole proxy.
pub trait Host: Clock + Exchange + Store + Calls + Telemetry {}

impl<T: Clock + Exchange + Store + Calls + Telemetry> Host for T {}
