//! Postern is a gate for machine-to-machine APIs: a proxy-wasm filter that verifies who calls,
//! decides by route whether they may, and writes one audit event a decision.
//!
//! A pure core decides; a thin shell talks to the proxy. Below [`gate`], but for [`shared`], there is
//! no clock, no host call, no logging and no global: everything that varies comes in as an argument.
//!
//! # Trust boundaries
//!
//! - The configuration is trusted for what it says, never for being well-formed.
//! - The request is hostile in every byte: names, values, sizes, order.
//! - A token is hostile until its signature holds under a key of the issuer it names, and its
//!   claims are read only after that.
//! - The proxy is trusted for what it reports of the connection (addresses, peer certificate), and
//!   a proxy before it as far as the configuration names it.
//!
//! # The rooms
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`base`] | time, text made safe to show, names as readers fold them, base64url, networks |
//! | [`crypto`] | signature checks, in the proxy or in the module, and keyed hashing |
//! | [`jose`] | JWK sets, JWS, claims |
//! | [`spiffe`] | SPIFFE IDs and patterns, bundles, SVIDs, forwarded certificates |
//! | [`request`] | what the gate sees of a request: fields, path, query, method |
//! | [`decision`] | reasons, what a decision is, and a denial as status, fields and body |
//! | [`host`] | what Postern asks of a proxy |
//! | [`shared`] | what the workers of a proxy share |
//! | [`calls`] | who waits for which answer |
//! | [`keys`] | where key sets come from and how they stay fresh |
//! | [`caller`] | from a credential to its caller, registered clients, and the tokens already verified |
//! | [`proof`] | tokens bound to a key |
//! | [`policy`] | the route table, scopes, conditions |
//! | [`limits`] | rates and quotas, and the bounded store they are counted in |
//! | [`risk`] | how unusual a caller behaves, as a score |
//! | [`audit`] | the event of a decision |
//! | [`gate`] | one request from first header to last byte |
//! | [`config`] | wire types, and the validated model they compile to |

#![deny(unsafe_code, missing_docs, rustdoc::broken_intra_doc_links)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects
    )
)]

pub mod audit;
pub mod base;
pub mod caller;
pub mod calls;
pub mod config;
pub mod crypto;
pub mod decision;
pub mod gate;
pub mod host;
pub mod jose;
pub mod keys;
pub mod limits;
pub mod policy;
pub mod proof;
pub mod request;
pub mod risk;
pub mod shared;
pub mod spiffe;

// The in-memory host and the signers are the test kit's; tests from within see them as their own.
#[cfg(test)]
extern crate self as postern_core;
#[cfg(test)]
#[path = "../testkit/memory.rs"]
#[allow(dead_code, reason = "tests from within use a part of it")]
mod memory;
#[cfg(test)]
#[path = "../testkit/signing/mod.rs"]
#[allow(dead_code, reason = "tests from within use a part of it")]
mod signing;
