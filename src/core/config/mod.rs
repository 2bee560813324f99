//! The configuration: wire types, and the validated model they compile to.
//!
//! A document becomes a [`Config`] in one step, or a list of everything that is wrong with it,
//! each a [`Finding`]: the rule, the place, what is wrong and what would be accepted. Nothing in
//! the model needs checking again, and nothing that decides has anything of the wire. What may be
//! touched: what a section says and what it compiles to. A new field is a member in `wire`, a line
//! in its section's conversion, and the schema made anew (`UPDATE_SCHEMA=1 cargo test --test tool
//! schema`). A new section is an `object!` in `wire` (a `word!` is one of several words), a file
//! that compiles it, and its line out of `not_built`; what they declare is read by the code that is
//! there for all of them, which is what keeps the module small.
//! Sections borrow the wire types: what is moved is dropped anew at every way out.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `wire`, `quantity`, `field` | the document as it is written |
//! | `declare` | how wire types are declared |
//! | `reader`, `nearest`, `not_built` | from JSON to wire types, with errors people can act on |
//! | `proto_struct` | the document where Envoy hands it as protobuf |
//! | `finding`, `mistake` | what is found in a document, and the kinds of mistakes |
//! | `place`, `errors`, `list` | where an error is, and all of them |
//! | `model` | the document as a whole |
//! | `client`, `issuer`, `keys`, `trust_domain`, `tokens`, `route`, `allow`, `when`, `limit`, `risk`, `risk_numbers`, `risk_actions`, `source`, `audit`, `responses`, `upstream` | its sections |
//! | `names`, `bounds` | what names, texts, durations and sizes may be |
//! | `decimal` | numbers with a fraction, in errors |
//! | `schema`, `risk_schema` | the published JSON Schema, from the wire types |

mod allow;
mod audit;
mod bounds;
mod client;
mod decimal;
mod declare;
mod errors;
mod field;
mod finding;
mod issuer;
mod keys;
mod limit;
mod list;
mod mistake;
mod model;
mod names;
mod nearest;
mod not_built;
mod place;
mod proto_struct;
mod quantity;
mod reader;
mod responses;
mod risk;
mod risk_actions;
mod risk_numbers;
#[cfg(feature = "schema")]
mod risk_schema;
mod route;
#[cfg(feature = "schema")]
mod schema;
mod source;
mod tokens;
mod trust_domain;
mod upstream;
mod when;
pub mod wire;

pub use errors::ConfigErrors;
pub use finding::{Finding, Severity};
pub use mistake::Mistake;
pub use model::Config;
#[cfg(feature = "schema")]
pub use schema::json_schema;
