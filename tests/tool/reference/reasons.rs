//! The page of reasons.

use super::page::{Page, sources};
use postern_core::decision::{Asked, Denial, Detail, Reason, Reply, ReplyOptions};

const OPTIONS: ReplyOptions<'static> = ReplyOptions {
    scheme: "Bearer",
    realm: None,
    resource_metadata: None,
    detail: Detail::Reason,
};

#[test]
fn every_reason_is_in_the_table_with_its_status_and_title() {
    let mut table = "\n| reason | HTTP | gRPC | title |\n| --- | --- | --- | --- |\n".to_owned();
    for reason in Reason::ALL {
        let (code, status, title) = (reason.code(), reason.status(), reason.title());
        let asked = Asked {
            grpc: true,
            ..Asked::default()
        };
        let reply = Reply::new(&Denial::new(*reason, ""), &OPTIONS, asked);
        let grpc = reply.grpc.expect("a gRPC caller gets a status of gRPC") as u32;
        table += &format!("| [`{code}`](#{code}) | {status} | {grpc} | {title} |\n");
    }
    Page::open("reasons.md").has_between(
        "<!-- made by tests/reference -->\n",
        "\n<!-- end -->",
        &table,
    );
}

#[test]
fn every_reason_has_its_section_and_says_what_can_be_done() {
    let page = Page::open("reasons.md");
    let sections = page.section("## One by one");
    let titles = sections
        .lines()
        .filter_map(|line| line.strip_prefix("### "));
    let titles: Vec<_> = titles.map(|title| title.trim_matches('`')).collect();
    let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(titles, codes);
    for reason in Reason::ALL {
        let section = page.section(&format!("### `{}`", reason.code()));
        let parts: &[_] = if is_made(*reason) {
            &["When: ", "Caller: ", "Operator: "]
        } else {
            &["Reserved: "]
        };
        for part in parts {
            let said = section.lines().any(|line| line.starts_with(part));
            assert!(said, "{}: {part:?}", reason.code());
        }
        assert_eq!(
            section.contains("Reserved: "),
            !is_made(*reason),
            "{reason:?}"
        );
    }
}

/// Whether any code refuses a request for that reason.
fn is_made(reason: Reason) -> bool {
    let name = format!("Reason::{reason:?}");
    let is_named = |text: &str| {
        let mut rest = text.split(&name).skip(1);
        rest.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    // The command line tool tells of every reason, and refuses nothing.
    let mut filter = sources().into_iter();
    filter.any(|(file, text)| !file.starts_with("src/tool/") && is_named(&text))
}
