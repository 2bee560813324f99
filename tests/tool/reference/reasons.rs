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
        for part in ["When: ", "Caller: ", "Operator: "] {
            let said = section.lines().any(|line| line.starts_with(part));
            assert!(said, "{}: {part:?}", reason.code());
        }
    }
}

#[test]
fn every_reason_is_raised_by_some_code() {
    let silent: Vec<_> = Reason::ALL
        .iter()
        .filter(|reason| !is_made(**reason))
        .collect();
    assert!(
        silent.is_empty(),
        "no row for what nothing raises: {silent:?}"
    );
}

#[test]
fn a_reserved_code_is_no_reason_yet() {
    let page = Page::open("reasons.md");
    let lines = page.section("## Reserved").lines();
    let reserved = lines.filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    let reserved: Vec<_> = reserved.collect();
    assert!(!reserved.is_empty(), "codes are found");
    for reason in Reason::ALL {
        assert!(!reserved.contains(&reason.code()), "{}", reason.code());
    }
}

/// Whether any code refuses a request for that reason.
fn is_made(reason: Reason) -> bool {
    let name = format!("Reason::{reason:?}");
    let is_named = |text: &str| {
        let mut rest = text.split(&name).skip(1);
        rest.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    // These tell of every reason, and refuse nothing.
    let telling = ["src/tool/", "src/testkit/", "src/core/decision/"];
    let mut files = sources().into_iter();
    files.any(|(file, text)| {
        !telling.iter().any(|folder| file.starts_with(folder)) && is_named(&text)
    })
}
