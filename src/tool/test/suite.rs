//! A suite as it is written: `envoy/demo/scenario.yaml` says what its members mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::document;
use crate::failure::Failure;

/// A suite that was read; its configuration and its keys were not yet.
pub struct Suite {
    pub file: PathBuf,
    pub configuration: Value,
    pub keys: BTreeMap<String, KeyOf>,
    pub time: Option<String>,
    pub token: Usual,
    pub steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a suite with configuration and steps"
)]
struct Document {
    configuration: Value,
    #[serde(default)]
    keys: BTreeMap<String, Value>,
    time: Option<String>,
    #[serde(default)]
    token: Value,
    steps: Vec<Value>,
}

/// A signer, and where its public half goes.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object such as {alg: ES256, issuer: corp}"
)]
pub struct KeyOf {
    pub alg: Option<String>,
    pub kid: Option<String>,
    pub file: Option<PathBuf>,
    pub issuer: Option<String>,
    pub trust_domain: Option<String>,
    pub jwks: Option<String>,
    pub bundle: Option<String>,
    #[serde(default)]
    pub bare: bool,
}

/// What the tokens of a suite have in common.
#[derive(Deserialize, Default)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with key, header and claims"
)]
pub struct Usual {
    pub key: Option<String>,
    #[serde(default)]
    pub header: Map<String, Value>,
    #[serde(default)]
    pub claims: Map<String, Value>,
}

/// One request, and what is expected.
pub struct Step {
    pub title: String,
    pub time: Option<String>,
    pub request: Request,
    pub token: Option<TokenOf>,
    pub response: Response,
    pub expect: Expect,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a step with title, request and expect"
)]
struct WireStep {
    title: String,
    time: Option<String>,
    request: Value,
    token: Option<Value>,
    #[serde(default)]
    response: Value,
    expect: Value,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object such as {method: GET, path: /v1/orders}"
)]
pub struct Request {
    pub path: String,
    pub method: Option<String>,
    pub host: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, Values>,
    pub body: Option<String>,
    pub body_bytes: Option<u64>,
    #[serde(default)]
    pub grpc: bool,
    pub source: Option<String>,
    pub certificate: Option<String>,
    pub upstream: Option<String>,
}

/// The value of a header field, or those of several of one name.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
pub enum Values {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object such as {claims: {scope: orders.read}}"
)]
pub struct TokenOf {
    pub key: Option<String>,
    #[serde(default)]
    pub header: Map<String, Value>,
    #[serde(default)]
    pub claims: Map<String, Value>,
    pub forge: Option<Forge>,
    #[serde(default)]
    pub bound: bool,
    pub file: Option<PathBuf>,
    pub literal: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forge {
    None,
    Hs256,
    Tampered,
    Truncated,
}

/// How the upstream answers a request that reaches it.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "an object such as {status: 200, bytes: 1000}"
)]
pub struct Response {
    pub status: u16,
    pub bytes: u64,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: 200,
            bytes: 0,
        }
    }
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object such as {status: 200, reason: allowed}"
)]
pub struct Expect {
    pub status: Option<u16>,
    pub reason: String,
    pub decision: Option<Verdict>,
    pub route: Option<String>,
    pub mode: Option<Mode>,
    pub grpc: Option<u8>,
    pub scope: Option<String>,
    pub upstream: Option<BTreeMap<String, Option<String>>>,
    pub detail: Option<String>,
    pub identity: Option<String>,
    pub client: Option<String>,
    pub limit: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Enforce,
    Observe,
}

/// Reads a suite.
///
/// # Errors
///
/// What is wrong with it, with the file, the step, and what would be accepted.
pub fn read(file: &Path) -> Result<Suite, Failure> {
    let name = file.display();
    let document = document::Document::open(file);
    let document = document.map_err(|error| Failure(format!("{name}: {error}")))?;
    let document: Document = part(document.value().map_err(Failure)?, &name)?;
    let keys = document.keys.into_iter();
    let keys: Result<_, Failure> = keys
        .map(|(key, value)| {
            let spec = part(value, &format_args!("{name}: keys.{key}"))?;
            Ok((key, spec))
        })
        .collect();
    Ok(Suite {
        file: file.to_owned(),
        configuration: document.configuration,
        keys: keys?,
        time: document.time,
        token: or_default(document.token, &format!("{name}: token"))?,
        steps: steps(document.steps, &name.to_string())?,
    })
}

/// Reads every step, and says of each that is wrong what is.
fn steps(values: Vec<Value>, file: &str) -> Result<Vec<Step>, Failure> {
    let (mut steps, mut problems) = (Vec::new(), Vec::new());
    for (index, value) in values.into_iter().enumerate() {
        match step(value, index, file) {
            Ok(step) => steps.push(step),
            Err(Failure(problem)) => problems.push(problem),
        }
    }
    if steps.is_empty() && problems.is_empty() {
        problems.push(format!("{file}: steps is empty; one step is needed"));
    }
    if problems.is_empty() {
        Ok(steps)
    } else {
        Err(Failure(problems.join("\n")))
    }
}

fn step(value: Value, index: usize, file: &str) -> Result<Step, Failure> {
    let title = value.get("title").and_then(Value::as_str);
    let number = index.saturating_add(1);
    let place = match title {
        Some(title) => format!("{file}: step {number} ({title})"),
        None => format!("{file}: step {number}"),
    };
    let step: WireStep = part(value, &place)?;
    let of = |member: &str| format!("{place}: {member}");
    Ok(Step {
        title: step.title,
        time: step.time,
        request: part(step.request, &of("request"))?,
        token: step
            .token
            .map(|token| part(token, &of("token")))
            .transpose()?,
        response: or_default(step.response, &of("response"))?,
        expect: part(step.expect, &of("expect"))?,
    })
}

fn part<T: DeserializeOwned>(value: Value, place: &impl std::fmt::Display) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure(format!("{place}: {error}")))
}

fn or_default<T: DeserializeOwned + Default>(value: Value, place: &String) -> Result<T, Failure> {
    if value.is_null() {
        return Ok(T::default());
    }
    part(value, place)
}
