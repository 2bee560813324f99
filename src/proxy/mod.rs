//! The shell around the core: contexts and raw host calls. Nothing is decided here.

// An exported entry point cannot be written without.
#![allow(unsafe_code, reason = "the ABI's entry point is an exported symbol")]

mod calls;
mod http;
mod root;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
