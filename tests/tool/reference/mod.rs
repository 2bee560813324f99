//! The pages in docs/reference, held to what they are about.
//!
//! What a page can have from the code is made from it and written anew under `UPDATE_DOCS=1`; what
//! only a person can say of it is looked for, so that nothing is left out and nothing is left over.

mod audit;
mod configuration;
mod headers;
mod links;
mod metrics;
pub mod page;
mod reasons;
mod steps;

use page::Page;

#[test]
fn every_field_of_the_configuration_is_on_its_page() {
    Page::open("configuration.md").is(&configuration::page());
}
