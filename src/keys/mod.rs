//! Where key sets come from, and how they stay fresh.
//!
//! Everything here is pure: when to fetch ([`schedule`]), what an answer is worth ([`fetch`]), how
//! workers hand a set to each other ([`publication`]), and which set is in force ([`ring`]). The
//! calls to the host are made by the gate.

pub mod fetch;
pub mod publication;
pub mod ring;
pub mod schedule;
pub mod source;
pub mod uri;

pub use source::{KeySource, Location, Remote};
