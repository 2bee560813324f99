//! Postern is a gate for machine-to-machine APIs: a proxy-wasm filter that verifies who calls,
//! decides by route whether they may, and writes one audit event a decision.
//!
//! A pure core decides; a thin shell talks to the proxy. Below [`gate`] there is no clock, no host
//! call, no logging and no global: everything that varies comes in as an argument.
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
//! | [`config`] | wire types, and the validated model they compile to |
//! | [`jose`] | base64url, JWK sets, JWS, claims |
//! | [`keys`] | where key sets come from and how they stay fresh |
//! | [`crypto`] | signature checks: in the proxy, or in the module |
//! | [`limits`] | rates and quotas, and the bounded store they are counted in |
//! | [`risk`] | how unusual a caller behaves, as a score |
//! | [`spiffe`] | SPIFFE IDs and patterns, bundles, SVIDs, forwarded certificates |
//! | [`clients`] | governed identities |
//! | [`policy`] | normal path, route table, scopes, conditions |
//! | [`decision`] | reasons, and what a decision is |
//! | [`reply`] | a denial as status, fields and body |
//! | [`audit`] | the event of a decision |
//! | [`token`] | the credential, its caller, and the tokens already verified |
//! | [`proof`] | tokens bound to a key |
//! | [`request`] | what the gate sees of a request |
//! | [`gate`] | one request from first header to last byte |
//! | [`host`] | what Postern asks of a proxy, and an in-memory one for tests |

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
pub mod clients;
pub mod config;
pub mod crypto;
pub mod decision;
pub mod fold;
pub mod gate;
pub mod host;
pub mod jose;
pub mod keys;
pub mod limits;
pub mod policy;
pub mod printable;
pub mod proof;
pub mod reply;
pub mod request;
pub mod risk;
pub mod spiffe;
pub mod time;
pub mod token;

// The in-memory host is the test kit's; tests from within see it as their own.
#[cfg(test)]
extern crate self as postern_core;
#[cfg(test)]
#[path = "../testkit/memory.rs"]
#[allow(dead_code, reason = "tests from within use a part of it")]
mod memory;
