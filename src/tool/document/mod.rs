//! Files, and the configurations of Postern in them, with the place of everything.
//!
//! A file is YAML or JSON: a bare configuration, or what configurations are given to proxies in: an
//! Envoy bootstrap, an Istio or Envoy Gateway manifest, several documents of these.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `lines` | lines and columns |
//! | `node` | a value and where it is written |
//! | `yaml`, `scalar` | from YAML |
//! | `json`, `embedded` | from JSON, and from JSON that is a text in another document |
//! | `find` | where in a document the configurations are |
//! | `host` | what is said around them |
//! | `doubts` | what is not read by every reader in the same way |

mod doubts;
mod embedded;
mod find;
mod host;
mod json;
mod lines;
mod node;
mod scalar;
mod yaml;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use postern_core::config::{Finding, Mistake, Severity};
use serde_json::Value;

pub use lines::Position;

use find::Payload;
use lines::Lines;
pub use node::{Member, Node};

/// The largest file: as large as a configuration may be.
const MAX_BYTES: u64 = 64 << 20;

/// The rule of a configuration in what no proxy hands on, or hands on otherwise.
pub const WRONG_WRAPPER: &str = "wrong-wrapper";
/// The rule of YAML that is an error, since readers of it differ.
pub const UNPORTABLE_YAML: &str = "unportable-yaml";

/// What is wrong in a file, or worth a look.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The byte of the file.
    pub at: usize,
    /// It; its place is one in the configuration or the document.
    pub finding: Finding,
}

impl Problem {
    /// The document cannot be read.
    fn unreadable(
        at: usize,
        problem: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        let finding = Finding::error(Mistake::Unreadable, "", problem, remedy);
        Self { at, finding }
    }

    /// The configuration is in what no proxy hands on.
    fn wrapped(at: usize, path: &str, problem: &str, remedy: &'static str) -> Self {
        let finding = Finding::new(WRONG_WRAPPER, Severity::Error, path, problem, remedy);
        Self { at, finding }
    }

    /// The same at a path, where it has none of its own.
    fn within(mut self, path: &str) -> Self {
        if self.finding.place.is_empty() {
            path.clone_into(&mut self.finding.place);
        }
        self
    }
}

/// A text file that was read.
#[derive(Debug)]
pub struct Document {
    /// Its name, as people gave it.
    pub name: String,
    text: String,
    lines: Lines,
}

/// What is in a file.
#[derive(Debug, Default)]
pub struct Contents {
    /// The configurations.
    pub configurations: Vec<Configuration>,
    /// What is wrong beside what is wrong in them.
    pub problems: Vec<Problem>,
}

/// A configuration in a file.
#[derive(Debug)]
pub struct Configuration {
    /// The path to it in its document; empty where it is the document.
    pub within: String,
    /// It, as JSON.
    pub value: Value,
    /// The proxy's connection manager that it is a part of.
    pub manager: Option<Manager>,
    root: Node,
}

/// A connection manager of a proxy.
#[derive(Debug)]
pub struct Manager {
    /// The path to it in its document.
    pub path: String,
    pub node: Node,
}

impl Configuration {
    /// It, as the filter gets it.
    pub fn bytes(&self) -> Vec<u8> {
        self.value.to_string().into_bytes()
    }

    /// What was found in it, with the byte of the file where that is.
    pub fn problem(&self, finding: Finding) -> Problem {
        let at = self.find(&finding.place);
        Problem { at, finding }
    }

    /// The byte of the file where a path leads, or as far as it leads.
    pub fn find(&self, path: &str) -> usize {
        self.root.find(path)
    }
}

impl Document {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let read = if path == Path::new("-") {
            io::stdin()
                .lock()
                .take(MAX_BYTES + 1)
                .read_to_end(&mut bytes)
        } else {
            File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        };
        read.map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(format!("is larger than {} MiB", MAX_BYTES >> 20));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..good).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count();
            format!("line {} is not UTF-8", line.saturating_add(1))
        })?;
        Ok(Self::of(&path.display().to_string(), text))
    }

    /// A file of that name.
    pub fn of(name: &str, text: String) -> Self {
        let lines = Lines::of(&text);
        let name = name.to_owned();
        Self { name, text, lines }
    }

    /// The line and the column of a byte.
    pub fn position(&self, at: usize) -> Position {
        self.lines.position(&self.text, at)
    }

    /// Finds the configurations, and what is wrong around them.
    pub fn contents(&self) -> Contents {
        let documents = match self.documents() {
            Ok(documents) => documents,
            Err(problem) => {
                return Contents {
                    problems: vec![problem],
                    ..Contents::default()
                };
            }
        };
        let mut contents = Contents::default();
        for document in &documents {
            self.add(document, &mut contents);
        }
        contents
    }

    /// The one value that the file holds, whatever it is.
    ///
    /// # Errors
    ///
    /// What is wrong with it, one line each, with the file's name and the line.
    pub fn value(&self) -> Result<Value, String> {
        let documents = self.documents().map_err(|problem| self.told(&problem))?;
        let [document] = documents.as_slice() else {
            let (name, count) = (&self.name, documents.len());
            return Err(format!("{name}: holds {count} documents; one is needed"));
        };
        let mut problems = Vec::new();
        doubts::note(document, &[], self, &mut problems);
        let lines: Vec<String> = problems.iter().map(|problem| self.told(problem)).collect();
        if lines.is_empty() {
            return Ok(document.to_json());
        }
        Err(lines.join("\n"))
    }

    /// An error as a line, with the file's name.
    pub fn told(&self, problem: &Problem) -> String {
        let (name, line) = (&self.name, self.position(problem.at).line);
        format!("{name}: {} (line {line})", problem.finding)
    }

    /// Every document that says something; of a file that says nothing, that.
    fn documents(&self) -> Result<Vec<Node>, Problem> {
        if self.text.trim().is_empty() {
            return Err(Problem::unreadable(
                0,
                "there is no configuration",
                "an object with version, issuers and routes is needed",
            ));
        }
        let mut documents = if self.is_json() {
            vec![json::document(&self.text)?]
        } else {
            yaml::documents(&self.text)?
        };
        if documents.len() > 1 {
            documents.retain(|document| !document.is_null());
        }
        Ok(documents)
    }

    /// What begins with a brace is JSON, unless its name says that it is YAML and it is no JSON.
    fn is_json(&self) -> bool {
        let path = Path::new(&self.name);
        let named = |names: &[&str]| {
            path.extension()
                .is_some_and(|end| names.iter().any(|name| end.eq_ignore_ascii_case(name)))
        };
        let looks = self.text.trim_start().starts_with(['{', '[']);
        named(&["json"])
            || looks && (!named(&["yaml", "yml"]) || json::document(&self.text).is_ok())
    }

    fn add(&self, document: &Node, contents: &mut Contents) {
        let found = find::configurations(document);
        let roots: Vec<usize> = found.iter().filter_map(find::Found::root).collect();
        doubts::note(document, &roots, self, &mut contents.problems);
        host::note(document, &found, &mut contents.problems);
        for find::Found {
            path,
            payload,
            untyped,
        } in found
        {
            contents.problems.extend(untyped.map(|at| {
                Problem::wrapped(at, &path, "has no @type, without which Envoy does not take it", "type.googleapis.com/google.protobuf.StringValue, or google.protobuf.Struct, and a value are needed")
            }));
            let root = match payload {
                Payload::Value(node) => Ok(node.clone()),
                Payload::Text(node, text, style) => {
                    embedded::document(&self.text, text, style, node)
                }
                Payload::Wrong(at, problem, remedy) => {
                    Err(Problem::wrapped(at, &path, problem, remedy))
                }
            };
            match root {
                Ok(root) => contents.configurations.push(Configuration {
                    manager: host::manager(document, "", &path).map(|(path, node)| Manager {
                        path,
                        node: node.clone(),
                    }),
                    within: path,
                    value: root.to_json(),
                    root,
                }),
                Err(problem) => contents.problems.push(problem.within(&path)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces that mean something to one reader or another.
    const PIECES: &[&str] = &[
        "a: ",
        "- ",
        "\n",
        "  ",
        "\t",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "<<: ",
        "!t ",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "\\",
        "#",
        "---\n",
        "...\n",
        "? ",
        "é",
        "\u{feff}",
        "routes: ",
        "version: 1\n",
        "configuration: ",
        "vm_config: ",
        "kind: WasmPlugin\n",
        "spec: ",
        "pluginConfig: ",
        "'@type': Struct\n",
        "value: ",
        "{\"routes\": [",
        "\\u00e9",
        "\r\n",
        "%YAML 1.1\n",
    ];

    fn is_sound(text: String) {
        for name in ["a.yaml", "a.json", "-"] {
            let document = Document::of(name, text.clone());
            let contents = document.contents();
            for problem in &contents.problems {
                document.position(problem.at);
            }
            for configuration in &contents.configurations {
                document.position(configuration.find("routes[0].match.path"));
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            is_sound(text);
        }

        #[test]
        fn no_mixture_of_what_means_something_makes_it_panic(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)
        ) {
            is_sound(pieces.concat());
        }

        #[test]
        fn what_json_holds_is_what_is_read_out_of_every_notation(name in "[a-z é'\"\\\\:#]{0,12}") {
            let json = serde_json::json!({"routes": [{"name": name}]});
            let quoted = serde_json::json!(json.to_string());
            let block = format!("{json:#}").replace('\n', "\n    ");
            let single = json.to_string().replace('\'', "''");
            for value in [format!("|\n    {block}"), quoted.to_string(), format!("'{single}'")] {
                let text = format!("vm_config: {{}}\nconfiguration:\n  '@type': StringValue\n  value: {value}\n");
                let document = Document::of("a.yaml", text.clone());
                let contents = document.contents();
                prop_assert_eq!(contents.configurations.len(), 1, "{}", text);
                let configuration = &contents.configurations[0];
                prop_assert_eq!(&configuration.value, &json);
                let at = configuration.find("routes[0].name");
                let written = &text[at..];
                prop_assert!(written.starts_with("\"name\"") || written.starts_with("\\\"name"), "{}", written);
            }
        }
    }
}
