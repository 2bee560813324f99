//! Again whenever a file changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::signers::beside;
use crate::document::Document;
use crate::failure::{Failure, note, output};

const POLL: Duration = Duration::from_millis(500);

type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// Runs now, and whenever a suite or a file that it names has changed; only a signal ends it.
pub fn forever(
    suites: &[PathBuf],
    mut run: impl FnMut() -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    loop {
        let seen = stamps(suites);
        if let Err(failure) = run() {
            note(failure);
        }
        output("\nwatching; Ctrl-C ends it\n\n")?;
        while stamps(suites) == seen {
            thread::sleep(POLL);
        }
    }
}

fn stamps(suites: &[PathBuf]) -> Stamps {
    let files = suites.iter().flat_map(|suite| named(suite));
    let stamp = |file: &Path| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.map(|file| (file.clone(), stamp(&file))).collect()
}

/// The suite, and the files that it names for its configuration and its keys.
fn named(suite: &Path) -> Vec<PathBuf> {
    let mut files = vec![suite.to_owned()];
    let document = Document::open(suite).ok();
    let Some(document) = document.and_then(|document| document.value().ok()) else {
        return files;
    };
    let keys = document
        .get("keys")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let keys = keys.filter_map(|(_, key)| key.get("file"));
    for file in keys.chain(document.get("configuration")) {
        files.extend(file.as_str().map(|file| beside(suite, Path::new(file))));
    }
    files
}
