//! The core from outside: the whole life of requests, over the in-memory host.
//!
//! What is not marked native plays as WebAssembly under Node, too.

#[macro_use]
mod flavours;

mod body;
mod clients;
mod fields;
mod metrics;
mod requests;
mod spiffe;
mod steps;

// What workers share is told of hosts with shared data of each kind, and of hosts that have none.
#[path = "."]
mod envoy {
    const FLAVOUR: postern_testkit::memory::Flavour = postern_testkit::memory::Flavour::Envoy;
    mod bundles;
    mod keys;
    mod limits;
    mod risk;
    mod tokens;
}

#[path = "."]
#[allow(clippy::duplicate_mod, reason = "the same stories of another host")]
mod strict {
    const FLAVOUR: postern_testkit::memory::Flavour = postern_testkit::memory::Flavour::Strict;
    mod bundles;
    mod keys;
    mod limits;
    mod risk;
    mod tokens;
}

#[path = "."]
#[allow(clippy::duplicate_mod, reason = "the same stories of another host")]
mod none {
    const FLAVOUR: postern_testkit::memory::Flavour = postern_testkit::memory::Flavour::None;
    mod bundles;
    mod keys;
    mod limits;
    mod risk;
    mod tokens;
}

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
