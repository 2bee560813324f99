//! Where key sets come from, and how they stay fresh.
//!
//! Everything here is pure: when to fetch ([`schedule`]), what an answer is worth ([`fetch`]), how
//! workers hand a document to each other ([`publication`]), and which one is in force ([`ring`]).
//! The calls to the host are made by the gate.
//!
//! Issuers have JWK Sets and trust domains have SPIFFE bundles ([`document`]). Each is a *key
//! owner* ([`KeyOwnerId`](crate::base::KeyOwnerId)): the issuers in the order of the configuration,
//! and behind them the trust domains.

pub mod document;
pub mod fetch;
pub mod publication;
pub mod ring;
pub mod schedule;
pub mod source;
pub mod uri;

pub use document::{Document, Reading};
pub use source::{KeySource, Location, Remote};
