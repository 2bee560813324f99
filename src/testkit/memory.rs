//! A host in memory: the whole life of a request on an ordinary machine.
//!
//! It does what proxies do, not what would be convenient:
//! fields keep their order and their bytes, a removed field is gone, and every call can be made to
//! fail.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use postern_core::base::Now;
use postern_core::decision::Reply;
use postern_core::host::{
    Calls, Cas, Clock, Exchange, GrpcCall, HostError, HttpCall, LogLevel, Metric, MetricKind,
    Property, SharedValue, Store, Telemetry, UNIMPLEMENTED,
};
use postern_core::request::Headers;

/// A call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Exchange::request_headers`].
    RequestHeaders,
    /// [`Exchange::set_request_header`].
    SetRequestHeader,
    /// [`Exchange::remove_request_header`].
    RemoveRequestHeader,
    /// [`Exchange::request_body`].
    RequestBody,
    /// [`Exchange::request_trailers`].
    RequestTrailers,
    /// [`Exchange::response_headers`].
    ResponseHeaders,
    /// [`Clock::random`].
    Random,
    /// [`Exchange::send_reply`].
    SendReply,
    /// [`Store::shared`].
    Shared,
    /// [`Store::set_shared`].
    SetShared,
    /// [`Calls::dispatch`], as for a cluster that the host does not know.
    Dispatch,
}

/// What a kind of host makes of shared data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// As the hosts on proxy-wasm-cpp-host keep it (Envoy, Istio): a set under a missing key stores
    /// whatever number it names; zero overwrites blindly; a value is never freed.
    #[default]
    Envoy,
    /// As ngx_wasm_module does: it compares always, with zero where there is no value.
    Strict,
    /// There is none.
    None,
}

/// The shared data of one proxy.
#[derive(Clone, Debug, Default)]
pub struct SharedData(Rc<RefCell<Stored>>);

#[derive(Clone, Debug, Default)]
struct Stored {
    values: BTreeMap<String, (Vec<u8>, u32)>,
    last: u32,
    flavour: Flavour,
}

impl SharedData {
    /// Shared data of a host of that kind.
    #[must_use]
    pub fn of(flavour: Flavour) -> Self {
        Self(Rc::new(RefCell::new(Stored {
            flavour,
            ..Stored::default()
        })))
    }

    /// A copy that goes its own way from here.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    fn value(&self, key: &str) -> Option<SharedValue> {
        let stored = self.0.borrow();
        let (bytes, cas) = stored.values.get(key)?;
        Some(SharedValue {
            bytes: bytes.clone(),
            cas: Cas(*cas),
        })
    }

    fn set(&self, key: &str, value: &[u8], cas: Cas) -> bool {
        let mut stored = self.0.borrow_mut();
        let current = stored.values.get(key).map(|(_, current)| *current);
        let mismatch = match stored.flavour {
            Flavour::Strict => cas.0 != current.unwrap_or_default(),
            _ => current.is_some_and(|current| cas.0 != 0 && cas.0 != current),
        };
        if mismatch {
            return false;
        }
        stored.last = stored.last.wrapping_add(1);
        let last = stored.last;
        stored.values.insert(key.to_owned(), (value.to_vec(), last));
        true
    }

    fn is_there(&self) -> Option<&Self> {
        (self.0.borrow().flavour != Flavour::None).then_some(self)
    }

    /// The bytes under a key; none where there is no such key.
    #[must_use]
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.value(key).map(|value| value.bytes)
    }

    /// The keys that there are.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.0.borrow().values.keys().cloned().collect()
    }

    /// Overwrites a value as another plugin could.
    pub fn overwrite(&self, key: &str, value: &[u8]) {
        let mut stored = self.0.borrow_mut();
        stored.last = stored.last.wrapping_add(1);
        let last = stored.last;
        stored.values.insert(key.to_owned(), (value.to_vec(), last));
    }
}

type Fields = RefCell<Vec<(Vec<u8>, Vec<u8>)>>;

/// One request and its host, both in memory.
#[derive(Debug, Default)]
pub struct MemoryHost {
    now: Cell<Now>,
    headers: Fields,
    body: RefCell<Vec<u8>>,
    trailers: Fields,
    response_headers: Fields,
    properties: RefCell<BTreeMap<Property, Vec<u8>>>,
    log: RefCell<Vec<(LogLevel, String)>>,
    replies: RefCell<Vec<Reply>>,
    refused: RefCell<BTreeSet<Call>>,
    shared: Option<SharedData>,
    calls: RefCell<Vec<HttpCall>>,
    grpc_calls: RefCell<Vec<GrpcCall>>,
    response: RefCell<(Headers, Vec<u8>)>,
    metrics: RefCell<Vec<(String, i64)>>,
    /// Whether it keeps labels apart from names.
    has_labels: bool,
}

impl MemoryHost {
    /// A host whose request has these header fields, at the instant `now`.
    #[must_use]
    pub fn with_request(now: Now, fields: &[(&str, &str)]) -> Self {
        let host = Self::default();
        host.now.set(now);
        *host.headers.borrow_mut() = owned(fields);
        host
    }

    /// A host whose workers share this data.
    #[must_use]
    pub fn with_shared(now: Now, shared: &SharedData) -> Self {
        let host = Self {
            shared: Some(shared.clone()),
            ..Self::default()
        };
        host.now.set(now);
        host
    }

    /// The same host, if its metrics have labels.
    #[must_use]
    pub fn labelled(self) -> Self {
        Self {
            has_labels: true,
            ..self
        }
    }

    /// Gives this request's worker the shared data of its proxy.
    pub fn share(&mut self, shared: &SharedData) {
        self.shared = Some(shared.clone());
    }

    /// The calls made so far; each call's number is its place, counted from one.
    #[must_use]
    pub fn calls(&self) -> Vec<HttpCall> {
        self.calls.borrow().clone()
    }

    /// The calls of gRPC that were made, in order.
    #[must_use]
    pub fn grpc_calls(&self) -> Vec<GrpcCall> {
        self.grpc_calls.borrow().clone()
    }

    /// Sets the response that the next callback is about.
    pub fn set_response(&self, fields: &[(&str, &str)], body: &[u8]) {
        *self.response.borrow_mut() = (Headers::new(fields.iter().copied()), body.to_vec());
    }

    /// The value of a metric; none where it was never made. One with labels is called as
    /// `name{label="value",...}`.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<i64> {
        self.metrics
            .borrow()
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| *value)
    }

    fn change_metric(&self, metric: u32, change: impl Fn(i64) -> i64) {
        let place = usize::try_from(metric).unwrap_or(usize::MAX);
        if let Some((_, value)) = self.metrics.borrow_mut().get_mut(place) {
            *value = change(*value);
        }
    }

    /// Moves the clock, in either direction.
    pub fn set_now(&self, now: Now) {
        self.now.set(now);
    }

    /// Adds a header field behind the others.
    pub fn push_request_header(&self, name: &[u8], value: &[u8]) {
        self.headers
            .borrow_mut()
            .push((name.to_vec(), value.to_vec()));
    }

    /// Keeps more of the request's body; answers how much is kept by now.
    pub fn push_request_body(&self, bytes: &[u8]) -> u64 {
        let mut body = self.body.borrow_mut();
        body.extend_from_slice(bytes);
        u64::try_from(body.len()).unwrap_or(u64::MAX)
    }

    /// Lets go of the request's body, as a host does that shows each part alone.
    pub fn drop_request_body(&self) {
        self.body.borrow_mut().clear();
    }

    /// Sets the request's trailers.
    pub fn set_request_trailers(&self, fields: &[(&str, &str)]) {
        *self.trailers.borrow_mut() = owned(fields);
    }

    /// Sets what the host knows of a property.
    pub fn set_property(&self, property: Property, value: &[u8]) {
        self.properties
            .borrow_mut()
            .insert(property, value.to_vec());
    }

    /// Makes later calls of this kind succeed again.
    pub fn permit(&self, call: Call) {
        self.refused.borrow_mut().remove(&call);
    }

    /// Makes every later call of this kind fail.
    pub fn refuse(&self, call: Call) {
        self.refused.borrow_mut().insert(call);
    }

    /// The lines written so far.
    #[must_use]
    pub fn logged(&self) -> Vec<(LogLevel, String)> {
        self.log.borrow().clone()
    }

    /// The replies sent so far; a correct gate sends at most one.
    #[must_use]
    pub fn replies(&self) -> Vec<Reply> {
        self.replies.borrow().clone()
    }

    /// The request's fields as the upstream would see them now.
    #[must_use]
    pub fn upstream_headers(&self) -> Headers {
        Headers::new(self.headers.borrow().iter().cloned())
    }

    /// Adds a field to the upstream's response.
    pub fn push_response_header(&self, name: &[u8], value: &[u8]) {
        self.response_headers
            .borrow_mut()
            .push((name.to_vec(), value.to_vec()));
    }

    /// The response's fields as the caller would see them now.
    #[must_use]
    pub fn response_headers(&self) -> Headers {
        Headers::new(self.response_headers.borrow().iter().cloned())
    }

    /// The request's trailers as the upstream would see them now.
    #[must_use]
    pub fn upstream_trailers(&self) -> Headers {
        Headers::new(self.trailers.borrow().iter().cloned())
    }

    // Calls of both kinds are numbered together, from 1.
    fn number(&self, note: impl FnOnce()) -> Result<u32, HostError> {
        if self.refused.borrow().contains(&Call::Dispatch) {
            return Err(HostError(2));
        }
        note();
        let made = self
            .calls
            .borrow()
            .len()
            .saturating_add(self.grpc_calls.borrow().len());
        Ok(u32::try_from(made).unwrap_or(u32::MAX))
    }

    // The status codes are those of the ABI: 10 is an internal failure.
    fn permitted(&self, call: Call) -> Result<(), HostError> {
        if self.refused.borrow().contains(&call) {
            Err(HostError(10))
        } else {
            Ok(())
        }
    }
}

fn owned(fields: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

fn remove(fields: &Fields, name: &[u8]) {
    fields
        .borrow_mut()
        .retain(|(n, _)| !n.eq_ignore_ascii_case(name));
}

impl Clock for MemoryHost {
    fn now(&self) -> Now {
        self.now.get()
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HostError> {
        self.permitted(Call::Random)?;
        for (index, byte) in out.iter_mut().enumerate() {
            *byte = u8::try_from(index % 251).unwrap_or_default();
        }
        Ok(())
    }
}

impl Exchange for MemoryHost {
    fn request_headers(&self) -> Result<Headers, HostError> {
        self.permitted(Call::RequestHeaders)?;
        Ok(self.upstream_headers())
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        self.permitted(Call::SetRequestHeader)?;
        remove(&self.headers, name.as_bytes());
        self.push_request_header(name.as_bytes(), value.as_bytes());
        Ok(())
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        self.permitted(Call::RemoveRequestHeader)?;
        remove(&self.headers, name);
        Ok(())
    }

    fn request_body(&self, bytes: usize) -> Result<Vec<u8>, HostError> {
        self.permitted(Call::RequestBody)?;
        let body = self.body.borrow();
        Ok(body.get(..bytes).unwrap_or(&body).to_vec())
    }

    fn request_trailers(&self) -> Result<Headers, HostError> {
        self.permitted(Call::RequestTrailers)?;
        Ok(self.upstream_trailers())
    }

    fn remove_request_trailer(&self, name: &[u8]) -> Result<(), HostError> {
        remove(&self.trailers, name);
        Ok(())
    }

    fn property(&self, property: Property) -> Option<Vec<u8>> {
        self.properties.borrow().get(&property).cloned()
    }

    fn send_reply(&self, reply: &Reply) -> Result<(), HostError> {
        self.permitted(Call::SendReply)?;
        self.replies.borrow_mut().push(reply.clone());
        Ok(())
    }

    fn response_headers(&self) -> Result<Headers, HostError> {
        self.permitted(Call::ResponseHeaders)?;
        Ok(Self::response_headers(self))
    }

    fn add_response_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        self.push_response_header(name.as_bytes(), value.as_bytes());
        Ok(())
    }

    fn set_response_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        remove(&self.response_headers, name.as_bytes());
        self.push_response_header(name.as_bytes(), value.as_bytes());
        Ok(())
    }
}

impl Store for MemoryHost {
    fn shared(&self, key: &str) -> Result<Option<SharedValue>, HostError> {
        self.permitted(Call::Shared)?;
        let shared = self.shared.as_ref().and_then(SharedData::is_there);
        let shared = shared.ok_or(HostError(UNIMPLEMENTED))?;
        Ok(shared.value(key))
    }

    fn set_shared(&self, key: &str, value: &[u8], cas: Cas) -> Result<bool, HostError> {
        self.permitted(Call::SetShared)?;
        let shared = self.shared.as_ref().and_then(SharedData::is_there);
        let shared = shared.ok_or(HostError(UNIMPLEMENTED))?;
        Ok(shared.set(key, value, cas))
    }
}

impl Calls for MemoryHost {
    fn call_foreign_function(&self, _name: &str, _argument: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn dispatch(&self, call: &HttpCall) -> Result<u32, HostError> {
        self.number(|| self.calls.borrow_mut().push(call.clone()))
    }

    fn dispatch_grpc(&self, call: &GrpcCall) -> Result<u32, HostError> {
        self.number(|| self.grpc_calls.borrow_mut().push(call.clone()))
    }

    fn call_headers(&self) -> Headers {
        self.response.borrow().0.clone()
    }

    fn call_body(&self, bytes: usize) -> Vec<u8> {
        let response = self.response.borrow();
        response.1.get(..bytes).unwrap_or(&response.1).to_vec()
    }
}

impl Telemetry for MemoryHost {
    fn log(&self, level: LogLevel, line: &str) {
        self.log.borrow_mut().push((level, line.to_owned()));
    }

    fn define_metric(&self, _kind: MetricKind, name: &str) -> Option<u32> {
        let mut metrics = self.metrics.borrow_mut();
        metrics.push((name.to_owned(), 0));
        u32::try_from(metrics.len().saturating_sub(1)).ok()
    }

    fn define_labelled(&self, kind: MetricKind, metric: &Metric<'_>) -> Option<u32> {
        if !self.has_labels || metric.labels.is_empty() {
            return self.define_metric(kind, &metric.folded());
        }
        let labels = metric.labels.iter();
        let labels: Vec<_> = labels
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let name = format!("{}{{{}}}", metric.bare_name(), labels.join(","));
        self.define_metric(kind, &name)
    }

    fn increment_metric(&self, metric: u32, by: i64) {
        self.change_metric(metric, |value| value.saturating_add(by));
    }

    fn record_metric(&self, metric: u32, value: u64) {
        self.change_metric(metric, |_| i64::try_from(value).unwrap_or(i64::MAX));
    }
}
