//! The core from outside: the whole life of requests, over the in-memory host.
//!
//! What is not marked native plays as WebAssembly under Node, too.

mod bundles;
mod clients;
mod fields;
mod keys;
mod limits;
mod requests;
mod risk;
mod spiffe;
mod tokens;

#[cfg(target_family = "wasm")]
mod core_as_wasm;

#[cfg(not(target_family = "wasm"))]
mod allocations;
#[cfg(not(target_family = "wasm"))]
mod config_errors;
#[cfg(not(target_family = "wasm"))]
mod gate_properties;
#[cfg(not(target_family = "wasm"))]
mod readings;
#[cfg(not(target_family = "wasm"))]
mod recorded;
#[cfg(not(target_family = "wasm"))]
mod risk_traffic;
