//! The proxy-wasm filter: contexts and raw host calls around the core. Nothing is decided here.

#![cfg(all(target_arch = "wasm32", target_os = "wasi"))]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]
// An exported entry point cannot be written without.
#![allow(unsafe_code, reason = "the ABI's entry point is an exported symbol")]

mod calls;
mod http;
mod root;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
