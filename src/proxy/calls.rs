//! The calls of the proxy-wasm ABI 0.2.1, declared here so that every status is read as a number.
//!
//! The SDK's own wrappers end the worker's VM on a status they do not know and on a header value
//! that is not UTF-8; these give an error instead.

#![allow(
    unsafe_code,
    reason = "host calls pass pointers into the module's memory"
)]

use crate::host::{Host, HostError, LogLevel, Property};
use crate::reply::Reply;
use crate::request::Headers;
use crate::time::Now;

const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const PLUGIN_CONFIGURATION: u32 = 7;

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
}

/// The proxy that runs the module, in the name of the context that is active.
#[derive(Clone, Copy)]
pub struct Proxy;

impl Proxy {
    /// The plugin's configuration; answered only while a root context is configured.
    pub fn plugin_configuration(self) -> Result<Vec<u8>, HostError> {
        returned(|data, size| {
            // SAFETY: the host writes where its own buffer is; both pointers are valid for the call.
            unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX >> 1, data, size) }
        })
    }

    fn header_map(map: u32) -> Result<Headers, HostError> {
        // SAFETY: as above.
        let bytes = returned(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })?;
        Headers::from_abi(bytes).map_err(|_| HostError(PARSE_FAILURE))
    }

    fn remove(map: u32, name: &[u8]) -> Result<(), HostError> {
        // SAFETY: the name is valid for the call.
        checked(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
    }
}

/// The ABI's status for data that does not have the form it should.
const PARSE_FAILURE: u32 = 4;

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

impl Host for Proxy {
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

    fn request_headers(&self) -> Result<Headers, HostError> {
        Self::header_map(REQUEST_HEADERS)
    }

    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError> {
        // SAFETY: name and value are valid for the call.
        checked(unsafe {
            proxy_replace_header_map_value(
                REQUEST_HEADERS,
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        })
    }

    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError> {
        Self::remove(REQUEST_HEADERS, name)
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

    fn log(&self, level: LogLevel, line: &str) {
        // SAFETY: the line is valid for the call. A host that cannot log cannot be told so.
        let _ = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
    }

    fn send_reply(&self, reply: &Reply) -> Result<(), HostError> {
        let fields = abi_map(&reply.fields);
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
}

/// The serialised map of the ABI: a count, sizes, then names and values with a NUL behind each.
fn abi_map(fields: &[(&str, String)]) -> Vec<u8> {
    let size = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = u32::try_from(fields.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes()
        .to_vec();
    for (name, value) in fields {
        bytes.extend(size(name));
        bytes.extend(size(value));
    }
    for (name, value) in fields {
        bytes.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    bytes
}
