//! What everything is made of, and knows nobody: time as data, text made safe to show and why texts
//! are not taken, names as readers fold them, base64url, hex, networks, and ids.

pub mod base64url;
mod excerpt;
pub mod fold;
mod hex;
mod id;
pub mod network;
pub mod printable;
mod time;
mod wrong_text;

pub use excerpt::Excerpt;
pub use hex::digest_from_hex;
pub(crate) use id::ids;
pub use id::{ClientId, DomainId, Id, IssuerId, KeyOwnerId, LimitId, Listed, RouteId};
pub use network::{Cidr, CidrError, CidrSet};
pub use time::{Now, spoken};
pub use wrong_text::WrongText;
