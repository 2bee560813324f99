//! The page of header fields.

use std::collections::BTreeSet;
use std::time::Duration;

use super::page::{Page, names, sources};
use postern_core::decision::{Asked, Denial, Detail, RateFields, Reason, Reply, ReplyOptions};

#[test]
fn every_field_of_a_refusal_is_on_its_page() {
    let mut found = BTreeSet::new();
    let options = ReplyOptions {
        scheme: "Bearer",
        realm: None,
        resource_metadata: None,
        detail: Detail::Reason,
    };
    for reason in Reason::ALL {
        let asked = Asked {
            rate: Some(&RateFields::default()),
            ..Asked::default()
        };
        let denial = Denial::new(*reason, "").after(Duration::from_secs(1));
        let reply = Reply::new(&denial, &options, asked);
        found.extend(reply.fields.into_iter().map(|(name, _)| name.to_owned()));
    }
    let page = Page::open("headers.md").table("## On a refusal");
    assert_eq!(names(&page).into_iter().collect::<BTreeSet<_>>(), found);
}

#[test]
fn every_field_that_postern_makes_for_the_upstream_is_on_its_page() {
    let mut found = BTreeSet::new();
    for (_, text) in sources() {
        let names = text.split("\"x-postern-").skip(1);
        let names = names.filter_map(|rest| rest.split('"').next());
        // The bare prefix is that of what callers may not set.
        let names = names.filter(|name| !name.is_empty());
        found.extend(names.map(|name| format!("x-postern-{name}")));
    }
    let page = names(&Page::open("headers.md").table("## Set for the upstream"));
    let page: BTreeSet<_> = page
        .into_iter()
        .filter(|name| name.starts_with("x-postern-"))
        .collect();
    assert_eq!(page, found);
}
