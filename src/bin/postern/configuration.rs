//! A configuration from a file, in YAML or JSON.

use std::fs;
use std::path::Path;

use postern::config::Config;
use serde_json::Value;

use crate::failure::Failure;

/// Reads and compiles a configuration. What begins with `{` is JSON, all else is YAML.
///
/// # Errors
///
/// Everything that is wrong with it, one line each, with the file's name and the path in it.
pub fn read(file: &Path) -> Result<Config, Failure> {
    let name = file.display();
    let bytes = fs::read(file).map_err(|error| Failure(format!("{name}: {error}")))?;
    let json = if bytes.trim_ascii_start().first() == Some(&b'{') {
        bytes
    } else {
        json_of_yaml(&bytes).map_err(|problem| Failure(format!("{name}: {problem}")))?
    };
    Config::parse(&json).map_err(|errors| {
        let listed = errors.listed().iter();
        let mut lines: Vec<String> = listed.map(|error| format!("{name}: {error}")).collect();
        if errors.more() > 0 {
            lines.push(format!("{name}: and {} more", errors.more()));
        }
        Failure(lines.join("\n"))
    })
}

// What is empty stays empty, and the parser says what is needed.
fn json_of_yaml(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let document: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    serde_json::to_vec(&document).map_err(|error| error.to_string())
}
