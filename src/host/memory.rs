//! A host in memory: the whole life of a request on an ordinary machine.
//!
//! It does what proxies do, not what would be convenient:
//! fields keep their order and their bytes, a removed field is gone, and every call can be made to
//! fail.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::{Host, HostError, LogLevel, Property};
use crate::reply::Reply;
use crate::request::Headers;
use crate::time::Now;

/// A call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Host::request_headers`].
    RequestHeaders,
    /// [`Host::set_request_header`].
    SetRequestHeader,
    /// [`Host::remove_request_header`].
    RemoveRequestHeader,
    /// [`Host::request_trailers`].
    RequestTrailers,
    /// [`Host::random`].
    Random,
    /// [`Host::send_reply`].
    SendReply,
}

type Fields = RefCell<Vec<(Vec<u8>, Vec<u8>)>>;

/// One request and its host, both in memory.
#[derive(Debug, Default)]
pub struct MemoryHost {
    now: Cell<Now>,
    headers: Fields,
    trailers: Fields,
    properties: RefCell<BTreeMap<Property, Vec<u8>>>,
    log: RefCell<Vec<(LogLevel, String)>>,
    replies: RefCell<Vec<Reply>>,
    refused: RefCell<BTreeSet<Call>>,
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

    /// The request's trailers as the upstream would see them now.
    #[must_use]
    pub fn upstream_trailers(&self) -> Headers {
        Headers::new(self.trailers.borrow().iter().cloned())
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

impl Host for MemoryHost {
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

    fn log(&self, level: LogLevel, line: &str) {
        self.log.borrow_mut().push((level, line.to_owned()));
    }

    fn send_reply(&self, reply: &Reply) -> Result<(), HostError> {
        self.permitted(Call::SendReply)?;
        self.replies.borrow_mut().push(reply.clone());
        Ok(())
    }

    fn call_foreign_function(&self, _name: &str, _argument: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
