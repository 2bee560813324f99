//! A file of the core as the paths that its code names, without its tests.

use std::fs;
use std::path::Path;

/// A file of the core.
pub struct Source {
    /// Where it is in the crate: `["limits", "store"]`.
    pub module: Vec<String>,
    /// The paths that its code needs: from the crate on where they say so, or as they stand there.
    pub named: Vec<Vec<String>>,
    /// The modules that it declares for tests only.
    pub tests: Vec<String>,
    /// What its `use` declarations bring in or hand on: the name here, and the path.
    pub brought: Vec<(String, Vec<String>)>,
    /// The types and traits that it declares, but for those within others.
    pub types: Vec<String>,
}

impl Source {
    /// Reads a file below the core's folder.
    pub fn read(core: &Path, file: &Path) -> Self {
        let below = file.strip_prefix(core).expect("a file of the core");
        let mut module: Vec<String> = below
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        let text = fs::read_to_string(file).expect("sources can be read");
        let (tokens, tests) = without_tests(tokens(&text));
        let mut source = Self {
            module,
            named: Vec::new(),
            tests,
            brought: Vec::new(),
            types: types(&tokens),
        };
        source.collect(&tokens);
        source
    }

    fn collect(&mut self, tokens: &[String]) {
        let mut at = 0;
        let mut is_public = false;
        while let Some(token) = tokens.get(at) {
            let before = at.checked_sub(1).and_then(|at| tokens.get(at));
            if token == "use" {
                let mut found = Vec::new();
                at = tree(tokens, at + 1, &[], &mut found);
                for (path, alias) in found {
                    let path = self.absolute(path);
                    // What is only handed on is not needed here.
                    if !is_public {
                        self.named.push(path.clone());
                    }
                    self.brought.push((alias, path));
                }
                is_public = false;
                continue;
            }
            if is_name(token) && before.is_none_or(|before| before != "::" && before != ".") {
                let mut path = vec![token.clone()];
                while tokens.get(at + 1).is_some_and(|next| next == "::")
                    && tokens.get(at + 2).is_some_and(|next| is_name(next))
                {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                // `pub use`, `pub(crate) use` and `pub(super) use`.
                let is_scope = path == ["crate"] || path == ["super"];
                is_public = path == ["pub"] || (is_public && is_scope);
                if !is_public {
                    let path = self.absolute(path);
                    self.named.push(path);
                }
            } else if !["(", ")"].contains(&token.as_str()) {
                is_public = false;
            }
            at += 1;
        }
    }

    /// The path from the crate on, where it says how it is meant.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let mut rest = path.as_slice();
        let mut base = self.module.as_slice();
        match rest.first().map(String::as_str) {
            Some("crate") => base = &[],
            Some("self") => {}
            Some("super") => base = &base[..base.len().saturating_sub(1)],
            _ => return path,
        }
        rest = &rest[1..];
        while rest.first().is_some_and(|first| first == "super") {
            base = &base[..base.len().saturating_sub(1)];
            rest = &rest[1..];
        }
        let crate_name = std::iter::once("crate".to_owned());
        crate_name
            .chain(base.iter().cloned())
            .chain(rest.iter().cloned())
            .collect()
    }
}

/// The paths of a `use` declaration from `at` on, each with the name that it gets, and where the
/// declaration ends.
fn tree(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(Vec<String>, String)>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut alias = None;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "::" => {}
            "as" => {
                at += 1;
                alias = tokens.get(at).cloned();
            }
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "," | ";" | "}" => break,
            // `base::{self, Now}`.
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    let alias = alias.or_else(|| path.last().cloned()).unwrap_or_default();
    found.push((path, alias));
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names of the types and traits that are declared outside of any block.
fn types(tokens: &[String]) -> Vec<String> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for pair in tokens.windows(2) {
        match pair[0].as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "struct" | "enum" | "trait" | "type" if depth == 0 => found.push(pair[1].clone()),
            _ => {}
        }
    }
    found
}

/// The tokens that are no item of a test's, and the modules that are declared for tests.
fn without_tests(tokens: Vec<String>) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut tests) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] != "#" {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = closing(&tokens, at + 1);
        let attribute = &tokens[at..end];
        at = end;
        let words: Vec<&str> = attribute.iter().map(String::as_str).collect();
        let is_test = match words.as_slice() {
            ["#", "[", "cfg", "(", "test", ..] => true,
            ["#", "[", "cfg", "(", "all", rest @ ..] => rest.contains(&"test"),
            _ => false,
        };
        if !is_test {
            continue;
        }
        while at < tokens.len() && tokens[at] == "#" {
            at = closing(&tokens, at + 1);
        }
        let start = at;
        while at < tokens.len() && ![";", "{"].contains(&tokens[at].as_str()) {
            at = if ["(", "["].contains(&tokens[at].as_str()) {
                closing(&tokens, at)
            } else {
                at + 1
            };
        }
        let item = &tokens[start..at.min(tokens.len())];
        if let Some(place) = item.iter().position(|token| token == "mod") {
            tests.extend(item.get(place + 1).cloned());
        }
        at = closing(&tokens, at);
    }
    (kept, tests)
}

/// Behind what closes the bracket at a place; behind the place, where there is none.
fn closing(tokens: &[String], mut at: usize) -> usize {
    // Of an inner attribute, `#![..]`.
    if tokens.get(at).is_some_and(|token| token == "!") {
        at += 1;
    }
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Names, `::`, and every other character for itself; without comments, texts and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let name = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let length = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => text_end(rest),
            '\'' => quote_end(rest),
            'r' | 'b' if is_raw(rest) => raw_end(rest),
            'b' if rest.starts_with("b\"") => 1 + text_end(&rest[1..]),
            'b' if rest.starts_with("b'") => 1 + quote_end(&rest[1..]),
            _ if name > 0 => {
                found.push(rest[..name].to_owned());
                name
            }
            _ if rest.starts_with("::") => {
                found.push("::".to_owned());
                2
            }
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                found.push(first.to_string());
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    found
}

/// How long a text in quotes is.
fn text_end(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// How long a character or a lifetime is.
fn quote_end(rest: &str) -> usize {
    let mut inner = rest[1..].chars();
    match inner.next() {
        Some('\\') => rest[3..].find('\'').map_or(rest.len(), |end| end + 4),
        Some(c) if inner.next() == Some('\'') => c.len_utf8() + 2,
        _ => 1,
    }
}

fn is_raw(rest: &str) -> bool {
    let rest = rest.trim_start_matches('b');
    rest.strip_prefix('r')
        .is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
        && rest[1..].starts_with(['#', '"'])
}

fn raw_end(rest: &str) -> usize {
    let start = rest.find('"').unwrap_or(0);
    let hashes = rest[..start].matches('#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    let found = rest[start + 1..].find(&end);
    found.map_or(rest.len(), |found| start + 1 + found + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> (Vec<String>, Vec<String>) {
        let (tokens, tests) = without_tests(tokens(text));
        let mut source = Source {
            module: vec!["limits".to_owned(), "store".to_owned()],
            named: Vec::new(),
            tests,
            brought: Vec::new(),
            types: Vec::new(),
        };
        source.collect(&tokens);
        let absolute = |path: &Vec<String>| {
            let is_absolute = path.first().is_some_and(|first| first == "crate");
            is_absolute.then(|| path[1..].join("/"))
        };
        (
            source.named.iter().filter_map(absolute).collect(),
            source.tests,
        )
    }

    #[test]
    fn imports_are_read_in_every_form() {
        const CASES: &[(&str, &[&str])] = &[
            ("use crate::base::Now;", &["base/Now"]),
            (
                "use crate::base::{self, Cidr as C, time::{Now, Day}};",
                &["base", "base/Cidr", "base/time/Now", "base/time/Day"],
            ),
            (
                "use crate::{base::Now, crypto::keyed};",
                &["base/Now", "crypto/keyed"],
            ),
            (
                "use super::bucket::Slot; use super::super::risk::Page;",
                &["limits/bucket/Slot", "risk/Page"],
            ),
            (
                "fn f(now: crate::base::Now) -> Vec<crate::risk::Page> { super::g() }",
                &["base/Now", "risk/Page", "limits/g"],
            ),
            (
                "pub use crate::base::Now; pub(crate) use crate::base::Cidr;",
                &[],
            ),
            (
                "// crate::base\n/* crate::base */ const A: &str = \"crate::base\\\" crate::base\";",
                &[],
            ),
            (
                "const A: &[u8] = br#\"crate::\"base\"#; const B: char = '\"'; const C: char = '\\''; fn f<'a>(a: &'a crate::base::Now) {}",
                &["base/Now"],
            ),
            (
                "#[cfg(test)]\nmod tests { use crate::risk::Page; } fn f() { crate::base::f() }",
                &["base/f"],
            ),
            (
                "#[cfg(test)]\n#[allow(dead_code)]\nfn f(a: [u8; 2]) { crate::risk::f() } use crate::base::Now;",
                &["base/Now"],
            ),
        ];
        for (text, expected) in CASES {
            assert_eq!(named(text).0, *expected, "{text}");
        }
    }

    #[test]
    fn modules_for_tests_are_told() {
        let (_, tests) =
            named("mod a; #[cfg(all(test, not(x)))] mod b; #[cfg(test)] pub(super) mod c {}");
        assert_eq!(tests, ["b", "c"]);
    }
}
