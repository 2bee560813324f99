//! `postern explain`: one request, and why it is decided as it is.
//!
//! The steps are the gate's own, told of while they are made; nothing is checked a second time.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `told` | what is taken down of each step |
//! | `route`, `credential`, `permission` | what a step says beside its refusal |
//! | `change` | what would have to be otherwise |
//! | `write` | an account, for people and for programs |
//! | `claims` | claims without a token |

mod change;
pub mod claims;
mod credential;
pub mod permission;
mod route;
pub mod told;
pub mod write;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use postern_core::base::Now;
use serde_json::{Value, json};

use crate::configuration;
use crate::failure::{Failure, note, output};
use crate::instant;
use crate::moment;
use crate::test::request::{credential, read_certificate, source};
use crate::trial::{Asked, Trial};

use told::{Account, Told};

/// Explains one decision: what each check saw, which failed first, and what would change that.
///
/// The request runs through the code of the filter. Limits are as if it were the first request; keys
/// that the proxy would fetch are not fetched. Nothing that is shown could be used to call.
#[derive(Args)]
#[command(after_long_help = FORMS)]
pub struct Arguments {
    /// The configuration, YAML or JSON.
    config: PathBuf,
    /// The request: a method and a URL, in one argument.
    #[arg(long, value_name = "'METHOD URL'")]
    request: String,
    /// A header field, 'name: value'; may be given several times.
    #[arg(long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// A file with the token; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "claims")]
    token: Option<PathBuf>,
    /// Claims that are taken as if a verified token had them: a JSON object, or a file with one.
    #[arg(long, value_name = "JSON|FILE")]
    claims: Option<String>,
    /// The caller's address, with or without a port.
    #[arg(long, value_name = "ADDRESS")]
    source: Option<String>,
    /// A file with the certificate that the caller presents, PEM.
    #[arg(long, value_name = "FILE")]
    peer_cert: Option<PathBuf>,
    #[command(flatten)]
    clock: moment::Clock,
    /// The cluster that the proxy has chosen; the first of the route's upstreams if left out.
    #[arg(long, value_name = "CLUSTER")]
    upstream: Option<String>,
    /// How the account is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

const FORMS: &str = "\
A token is read from a file or from standard input, never from an argument: arguments end up in the
history of shells and in lists of processes.

With --claims no token is verified. What is missing of iss, aud, iat and exp is filled in, where the
configuration leaves no doubt; null keeps a claim out. Claims whose sub is a SPIFFE ID and that have
no iss are a JWT-SVID's.

The exit status is 0 whatever is decided, and 2 where the input cannot be used.

Examples:
  postern explain postern.yaml --request 'GET https://api.example/v1/orders/7' --token token.jwt
  postern explain postern.yaml --request 'GET https://api.example/v1/orders/7' \\
    --claims '{\"sub\": \"batch\", \"scope\": \"orders.read\"}'";

/// Explains.
///
/// # Errors
///
/// What of the input cannot be used.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut config = configuration::read(&arguments.config)?;
    let mut opened = configuration::read(&arguments.config)?;
    let now = arguments.clock.now()?;
    let mut asked = request(arguments, now)?.routed(&config);
    refuse_credential(&asked, &config.settings.callers.tokens.header)?;
    let mut told = Vec::new();
    if let Some(claims) = &arguments.claims {
        let token = claims::stand_in(claims, &mut [&mut config, &mut opened], now)?;
        asked
            .fields
            .push(credential(&config.settings.callers.tokens, &token.text));
        asked.given_claims = true;
        told = token.told;
    } else if let Some(file) = &arguments.token {
        asked
            .fields
            .push(credential(&config.settings.callers.tokens, &read(file)?));
    }
    let mut told_of = Told::of(&asked);
    let answer = Trial::new(opened, now).ask(&asked, &mut told_of);
    let account = told_of.account(&config.settings, &asked, &answer);
    output(&match arguments.format {
        Format::Text => text(arguments, &account, now, &told),
        Format::Json => {
            told.iter().for_each(note);
            json_text(arguments, &account, now, &told)
        }
    })
}

fn text(arguments: &Arguments, account: &Account, now: Now, told: &[String]) -> String {
    let request = crate::text::printable(&arguments.request);
    let mut out = format!("{request}\nat {}\n", instant::text(now.millis()));
    for line in told {
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&write::text(account, ""));
    out
}

fn json_text(arguments: &Arguments, account: &Account, now: Now, told: &[String]) -> String {
    let mut document = write::json(account);
    if let Some(members) = document.as_object_mut() {
        members.insert("request".to_owned(), json!(arguments.request));
        members.insert("time".to_owned(), json!(instant::text(now.millis())));
        members.insert(
            "verified".to_owned(),
            Value::Bool(arguments.claims.is_none()),
        );
        members.insert("notes".to_owned(), json!(told));
    }
    format!("{document:#}\n")
}

fn request(arguments: &Arguments, now: Now) -> Result<Asked, Failure> {
    let needed = "a method and a URL are needed, such as 'GET https://api.example/v1/orders/7'";
    let fields = target(&arguments.request);
    let mut fields = fields.ok_or_else(|| Failure(format!("--request: {needed}")))?;
    for header in &arguments.headers {
        let parts = header.split_once(':').filter(|(name, _)| !name.is_empty());
        let needed = || Failure("--header: 'name: value' is needed".to_owned());
        let (name, value) = parts.ok_or_else(needed)?;
        fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let certificate = arguments.peer_cert.as_deref().map(read_certificate);
    let address = arguments.source.as_deref().map(source).transpose();
    Ok(Asked {
        now,
        fields,
        body_bytes: 0,
        source: address.map_err(|problem| Failure(format!("--source: {problem}")))?,
        certificate: certificate
            .transpose()
            .map_err(|problem| Failure(format!("--peer-cert: {problem}")))?,
        upstream: arguments.upstream.clone(),
        status: 200,
        response_bytes: 0,
        given_claims: false,
    })
}

/// The pseudo-headers of a method and a URL.
fn target(request: &str) -> Option<Vec<(String, String)>> {
    let (method, url) = request.trim().split_once(' ')?;
    let (scheme, rest) = url.trim().split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let fields = [
        (":method", method),
        (":path", &path),
        (":authority", authority),
        (":scheme", scheme),
    ];
    let owned = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some(owned.into())
}

fn refuse_credential(asked: &Asked, header: &str) -> Result<(), Failure> {
    let sent = asked
        .fields
        .iter()
        .any(|(name, _)| name == header || name == "authorization");
    if sent {
        let why = "a token in an argument ends up in the history of the shell; give it with --token FILE, or - for standard input";
        return Err(Failure(format!("--header: {why}")));
    }
    Ok(())
}

/// Reads a token from a file, or from standard input.
pub fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure(format!("{}: {error}", file.display()));
    let text = if file == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin()
            .lock()
            .take(1 << 20)
            .read_to_string(&mut text);
        read.map_err(failed)?;
        text
    } else {
        fs::read_to_string(file).map_err(failed)?
    };
    let token = text.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        let needed = "one token, alone in the file, is needed";
        return Err(Failure(format!("{}: {needed}", file.display())));
    }
    Ok(token.to_owned())
}
