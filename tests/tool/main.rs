//! The command line tool as its users call it, and the pages and files that are made from the code.

mod architecture;
mod check;
mod policy_suites;
mod reference;
mod replay;
mod schema;
