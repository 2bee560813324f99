//! The account for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::told::{Account, Outcome};
use crate::text::{printable, wrapped};

/// The columns of what a step says.
const WIDTH: usize = 96;

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not reached",
            Self::NotAsked => "not asked",
        }
    }
}

/// Writes the account for people, each line after an `indent`.
pub fn text(account: &Account, indent: &str) -> String {
    let mut out = String::new();
    for step in &account.told.steps {
        let mut head = format!("{:<11} {:<10} ", step.outcome.word(), step.name);
        if step.says.is_empty() {
            let _ = writeln!(out, "{indent}{}", head.trim_end());
        }
        for says in &step.says {
            for line in wrapped(&printable(says), WIDTH) {
                let _ = writeln!(out, "{indent}{head}{line}");
                head = " ".repeat(23);
            }
        }
    }
    let decision = if account.reason == "allowed" {
        "allow"
    } else {
        "deny"
    };
    let mode = match (decision, account.mode.as_str()) {
        ("deny", "observe") => "; only observed, so the request is let through",
        _ => "",
    };
    let _ = writeln!(
        out,
        "{indent}{decision}: {} (status {}){mode}",
        account.reason, account.status
    );
    if !account.detail.is_empty() {
        let _ = writeln!(out, "{indent}  {}", printable(&account.detail));
    }
    if let Some(change) = &account.change {
        let _ = writeln!(out, "{indent}to change that: {}", printable(change));
    }
    out
}

/// The account for programs.
pub fn json(account: &Account) -> Value {
    let steps =
        account.told.steps.iter().map(
            |step| json!({"step": step.name, "outcome": step.outcome.word(), "says": step.says}),
        );
    json!({
        "decision": if account.reason == "allowed" { "allow" } else { "deny" },
        "reason": account.reason,
        "status": account.status,
        "mode": account.mode,
        "identity": account.told.identity,
        "detail": account.detail,
        "change": account.change,
        "steps": steps.collect::<Vec<_>>(),
    })
}
