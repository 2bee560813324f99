//! The calls of the proxy-wasm ABI 0.2.1, declared here so that every status is read as a number.
//!
//! The SDK's own wrappers end the worker's VM on a status they do not know and on a header value
//! that is not UTF-8; these give an error instead.

#![allow(
    unsafe_code,
    reason = "host calls pass pointers into the module's memory"
)]

use postern_core::base::Now;
use postern_core::decision::Reply;
use postern_core::host::{
    Calls, Cas, Clock, Exchange, HostError, HttpCall, LogLevel, MetricKind, Property, SharedValue,
    Store, Telemetry,
};
use postern_core::request::Headers;
use proxy_wasm::hostcalls::dispatch_http_call;
use std::time::Duration;

const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;
const HTTP_REQUEST: u32 = 0;
const REQUEST_BODY: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        result: *mut *mut u8,
        result_size: *mut usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
}

/// The proxy that runs the module, in the name of the context that is active.
#[derive(Clone, Copy)]
pub struct Proxy;

impl Proxy {
    /// The plugin's configuration; answered only while a root context is configured.
    pub fn plugin_configuration(self) -> Result<Vec<u8>, HostError> {
        buffer(PLUGIN_CONFIGURATION, usize::MAX >> 1)
    }

    /// The VM's configuration; answered only while the VM starts.
    pub fn vm_configuration(self) -> Result<Vec<u8>, HostError> {
        buffer(VM_CONFIGURATION, usize::MAX >> 1)
    }

    /// Has the root context's tick called this often.
    pub fn set_tick_period(self, period: Duration) {
        let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: no pointer is passed. A host without ticks never wakes the root context.
        let _ = unsafe { proxy_set_tick_period_milliseconds(millis) };
    }

    /// Makes later calls count for another context, until the host calls the module again.
    pub fn speak_for(self, context: u32) -> Result<(), HostError> {
        // SAFETY: no pointer is passed.
        checked(unsafe { proxy_set_effective_context(context) })
    }

    /// Lets the paused request of the context that is spoken for go on.
    pub fn continue_request(self) -> Result<(), HostError> {
        // SAFETY: no pointer is passed.
        checked(unsafe { proxy_continue_stream(HTTP_REQUEST) })
    }

    fn header_map(map: u32) -> Result<Headers, HostError> {
        // SAFETY: as above.
        let bytes = returned(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })?;
        Headers::from_abi(bytes).map_err(|_| HostError(PARSE_FAILURE))
    }

    fn replace(map: u32, name: &str, value: &str) -> Result<(), HostError> {
        // SAFETY: name and value are valid for the call.
        checked(unsafe {
            proxy_replace_header_map_value(
                map,
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        })
    }

    fn remove(map: u32, name: &[u8]) -> Result<(), HostError> {
        // SAFETY: the name is valid for the call.
        checked(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
    }
}

/// The ABI's status for what is not there.
const NOT_FOUND: u32 = 1;
/// The ABI's status for data that does not have the form it should.
const PARSE_FAILURE: u32 = 4;
/// The ABI's status for a value that was changed since it was read.
const CAS_MISMATCH: u32 = 8;

fn checked(status: u32) -> Result<(), HostError> {
    if status == 0 {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// Runs a call that returns bytes, and takes over the memory the host asked the module for.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let mut data: *mut u8 = std::ptr::null_mut();
    let mut size: usize = 0;
    let status = call(&raw mut data, &raw mut size);
    let bytes = if data.is_null() {
        Vec::new()
    } else {
        // SAFETY: a host allocates what it returns through `proxy_on_memory_allocate`, which is a
        // boxed slice of exactly this size, and hands it over.
        unsafe { Vec::from_raw_parts(data, size, size) }
    };
    checked(status).map(|()| bytes)
}

fn buffer(buffer: u32, bytes: usize) -> Result<Vec<u8>, HostError> {
    returned(|data, size| {
        // SAFETY: the host writes where its own buffer is; both pointers are valid for the call.
        unsafe { proxy_get_buffer_bytes(buffer, 0, bytes, data, size) }
    })
}

impl Clock for Proxy {
    fn now(&self) -> Now {
        let mut nanos = 0;
        // SAFETY: the pointer is valid for the call. The call has no way to fail in Envoy; elsewhere
        // the epoch makes every token one that is not valid yet.
        let _ = unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
        Now::from_nanos(nanos)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HostError> {
        getrandom::fill(out).map_err(|_| HostError(10))
    }
}

impl Exchange for Proxy {
    fn request_headers(&self) -> Result<Headers, HostError> {
        Self::header_map(REQUEST_HEADERS)
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        Self::replace(REQUEST_HEADERS, name, value)
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        Self::remove(REQUEST_HEADERS, name)
    }

    fn request_body(&self, bytes: usize) -> Result<Vec<u8>, HostError> {
        buffer(REQUEST_BODY, bytes)
    }

    fn request_trailers(&self) -> Result<Headers, HostError> {
        Self::header_map(REQUEST_TRAILERS)
    }

    fn remove_request_trailer(&self, name: &[u8]) -> Result<(), HostError> {
        Self::remove(REQUEST_TRAILERS, name)
    }

    fn property(&self, property: Property) -> Option<Vec<u8>> {
        let path = property.path();
        // SAFETY: the path is valid for the call, and so are both pointers.
        returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
            .ok()
    }

    fn send_reply(&self, reply: &Reply) -> Result<(), HostError> {
        let fields = Headers::new(reply.fields.iter().map(|(name, value)| (*name, value)));
        let fields = fields.as_abi();
        let details = reply.reason.code();
        let grpc = reply.grpc.map_or(-1, |status| status as i32);
        // SAFETY: every pointer is to a slice that is valid for the call.
        checked(unsafe {
            proxy_send_local_response(
                u32::from(reply.status),
                details.as_ptr(),
                details.len(),
                reply.body.as_ptr(),
                reply.body.len(),
                fields.as_ptr(),
                fields.len(),
                grpc,
            )
        })
    }

    fn response_headers(&self) -> Result<Headers, HostError> {
        Self::header_map(RESPONSE_HEADERS)
    }

    fn add_response_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        // SAFETY: name and value are valid for the call.
        checked(unsafe {
            proxy_add_header_map_value(
                RESPONSE_HEADERS,
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        })
    }

    fn set_response_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        Self::replace(RESPONSE_HEADERS, name, value)
    }
}

impl Store for Proxy {
    fn shared(&self, key: &str) -> Result<Option<SharedValue>, HostError> {
        let mut cas = 0;
        let found = returned(|data, size| {
            // SAFETY: the key is valid for the call, and so are the three pointers.
            unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) }
        });
        match found {
            Ok(bytes) => Ok(Some(SharedValue {
                bytes,
                cas: Cas(cas),
            })),
            Err(HostError(NOT_FOUND)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_shared(&self, key: &str, value: &[u8], cas: Cas) -> Result<bool, HostError> {
        // SAFETY: key and value are valid for the call.
        let status = unsafe {
            proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas.0)
        };
        match status {
            CAS_MISMATCH => Ok(false),
            status => checked(status).map(|()| true),
        }
    }
}

impl Calls for Proxy {
    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Option<Vec<u8>> {
        // SAFETY: every pointer is valid for the call.
        returned(|data, size| unsafe {
            proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                argument.as_ptr(),
                argument.len(),
                data,
                size,
            )
        })
        .ok()
    }

    // Through the SDK, whose dispatcher hands the response to the context that made the call.
    fn dispatch(&self, call: &HttpCall) -> Result<u32, HostError> {
        let mut headers = vec![
            (":method", call.method),
            (":scheme", &call.scheme),
            (":authority", &call.authority),
            (":path", &call.path),
        ];
        let fields = call.fields.iter();
        headers.extend(fields.map(|(name, value)| (*name, value.as_str())));
        let body = (!call.body.is_empty()).then_some(&*call.body);
        let timeout = call.timeout.max(Duration::from_millis(1));
        dispatch_http_call(&call.cluster, headers, body, vec![], timeout)
            .map_err(|status| HostError(status as u32))
    }

    fn call_headers(&self) -> Headers {
        Self::header_map(CALL_RESPONSE_HEADERS).unwrap_or_default()
    }

    fn call_body(&self, bytes: usize) -> Vec<u8> {
        buffer(CALL_RESPONSE_BODY, bytes).unwrap_or_default()
    }
}

impl Telemetry for Proxy {
    fn log(&self, level: LogLevel, line: &str) {
        // SAFETY: the line is valid for the call. A host that cannot log cannot be told so.
        let _ = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<u32> {
        let mut metric = 0;
        // SAFETY: the name is valid for the call, and so is the pointer.
        let status =
            unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut metric) };
        checked(status).ok().map(|()| metric)
    }

    fn increment_metric(&self, metric: u32, by: i64) {
        // SAFETY: no pointer is passed. What is not counted changes no decision.
        let _ = unsafe { proxy_increment_metric(metric, by) };
    }

    fn record_metric(&self, metric: u32, value: u64) {
        // SAFETY: as above.
        let _ = unsafe { proxy_record_metric(metric, value) };
    }
}
