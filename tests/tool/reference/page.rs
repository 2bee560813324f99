//! A page of docs/reference: what stands in its tables, and parts that are written anew.

use std::fs;
use std::path::{Path, PathBuf};

/// How a stale page is mended.
const ANEW: &str = "stale: UPDATE_DOCS=1 cargo test --test tool reference";

/// A page.
pub struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// The page of that name; an empty one where there is none.
    pub fn open(name: &str) -> Self {
        let path = root().join("docs/reference").join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        Self { path, text }
    }

    /// Holds the whole page to a text.
    pub fn is(&self, text: &str) {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            // In one step: other tests read the page meanwhile.
            let draft = self.path.with_extension("draft");
            fs::write(&draft, text).expect("the page can be written");
            fs::rename(&draft, &self.path).expect("the page can be replaced");
        } else {
            assert!(self.text == text, "{}: {ANEW}", self.path.display());
        }
    }

    /// Holds the part between two lines, which must be there, to a text.
    pub fn has_between(&self, from: &str, to: &str, text: &str) {
        let parts = self.text.split_once(from).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(to)?;
            Some((before, after))
        });
        let path = self.path.display();
        let (before, after) =
            parts.unwrap_or_else(|| panic!("{path} has no {from:?} before {to:?}"));
        self.is(&format!("{before}{from}{text}{to}{after}"));
    }

    /// The rows of the table under a heading, each with its cells, without the two rows of its
    /// head.
    pub fn table(&self, heading: &str) -> Vec<Vec<String>> {
        let section = self.section(heading);
        let rows = section.lines().filter(|line| line.starts_with('|'));
        let cells = |row: &str| {
            let cells = row.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().to_owned()).collect()
        };
        rows.skip(2).map(cells).collect()
    }

    /// What stands under a heading, up to the next one of its level or a higher one.
    pub fn section(&self, heading: &str) -> &str {
        let level = heading.chars().take_while(|c| *c == '#').count();
        let start = format!("\n{heading}\n");
        let at = self.text.find(&start);
        let at = at.unwrap_or_else(|| panic!("{} has no {heading:?}", self.path.display()));
        let section = &self.text[at + start.len()..];
        let is_end = |line: &str| {
            let marks = line.chars().take_while(|c| *c == '#').count();
            (1..=level).contains(&marks) && line[marks..].starts_with(' ')
        };
        let mut end = 0;
        for line in section.lines() {
            if is_end(line) {
                break;
            }
            end += line.len() + 1;
        }
        section.get(..end).unwrap_or(section)
    }
}

/// The name in the first cell of each row, without its quotes.
pub fn names(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter()
        .map(|row| row[0].trim_matches('`').to_owned())
        .collect()
}

pub fn root() -> &'static Path {
    postern_testkit::root()
}

/// Every file of the library with its text, up to its own tests, which stand last.
pub fn sources() -> Vec<(String, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        let name = path.strip_prefix(root()).unwrap_or(&path);
        Some((name.display().to_string(), shipped.to_owned()))
    };
    files("src").into_iter().filter_map(read).collect()
}

/// Every file below a folder of the repository.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(&root().join(folder), &mut files);
    files.sort();
    files
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}
