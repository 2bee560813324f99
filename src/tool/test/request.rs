//! The request of a step, as the proxy would hand it to the filter.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use postern_core::base::Now;
use postern_core::caller::settings::Tokens;

use super::signers::beside;
use super::suite::{Request, Suite, Values};
use crate::certificate::Certificate;
use crate::trial::Asked;

/// What a request that names no host is sent to.
pub const HOST: &str = "api.example";

/// The certificate that the caller presents.
///
/// # Errors
///
/// What is wrong with it, and what would be accepted.
pub fn certificate(
    suite: &Suite,
    request: &Request,
    start: Now,
) -> Result<Option<Certificate>, String> {
    let Some(named) = &request.certificate else {
        return Ok(None);
    };
    if named.starts_with("spiffe://") {
        return Ok(Some(Certificate::of_workload(named, start)));
    }
    let file = beside(&suite.file, Path::new(named));
    read_certificate(&file).map(Some)
}

/// Reads a certificate from a file.
pub fn read_certificate(file: &Path) -> Result<Certificate, String> {
    let name = file.display();
    let text = fs::read(file).map_err(|error| format!("certificate {name}: {error}"))?;
    Certificate::of_pem(&text)
        .ok_or_else(|| format!("certificate {name}: a certificate as PEM is needed"))
}

/// Reads an address, with or without a port.
pub fn source(text: &str) -> Result<SocketAddr, String> {
    let bare = |address: IpAddr| SocketAddr::new(address, 40_000);
    let parsed = text.parse().or_else(|_| text.parse().map(bare));
    parsed.map_err(|_| format!("source is {text}; an address such as 10.0.0.7 is needed"))
}

/// Puts the request together.
///
/// # Errors
///
/// What is wrong with it, and what would be accepted.
pub fn of(
    request: &Request,
    tokens: &Tokens,
    token: Option<&str>,
    number: usize,
    now: Now,
) -> Result<Asked, String> {
    let body = request.body.as_ref().map(|body| body.len() as u64);
    let body_bytes = match (body, request.body_bytes) {
        (Some(_), Some(_)) => {
            return Err("body and body_bytes are both there; one is needed".to_owned());
        }
        (body, bytes) => body.or(bytes).unwrap_or_default(),
    };
    let mut fields = target(request);
    fields.extend(headers(request));
    let has = |name: &str| fields.iter().any(|(own, _)| own == name);
    let declared = has("transfer-encoding") || has("content-length");
    let length = (body_bytes > 0 && !declared).then(|| body_bytes.to_string());
    let id = (!has("x-request-id")).then(|| format!("step-{number}"));
    fields.extend(length.map(|length| pair("content-length", &length)));
    fields.extend(id.map(|id| pair("x-request-id", &id)));
    fields.extend(token.map(|token| credential(tokens, token)));
    Ok(Asked {
        now,
        fields,
        body_bytes,
        source: request.source.as_deref().map(source).transpose()?,
        certificate: None,
        upstream: request.upstream.clone(),
        status: 200,
        response_bytes: 0,
        given_claims: false,
    })
}

fn target(request: &Request) -> Vec<(String, String)> {
    let method = request.method.as_deref();
    let method = method.unwrap_or(if request.grpc { "POST" } else { "GET" });
    let mut fields = vec![
        pair(":method", method),
        pair(":path", &request.path),
        pair(":authority", request.host.as_deref().unwrap_or(HOST)),
        pair(":scheme", "https"),
    ];
    if request.grpc {
        fields.extend([
            pair("content-type", "application/grpc"),
            pair("te", "trailers"),
        ]);
    }
    fields
}

/// The fields of the step, in lower case as proxies hand them on.
fn headers(request: &Request) -> Vec<(String, String)> {
    let fields = request.headers.iter().flat_map(|(name, values)| {
        let values = match values {
            Values::One(value) => std::slice::from_ref(value),
            Values::Several(values) => values,
        };
        let name = name.to_ascii_lowercase();
        values.iter().map(move |value| pair(&name, value))
    });
    fields.collect()
}

/// The field that carries a token.
pub fn credential(tokens: &Tokens, token: &str) -> (String, String) {
    pair(&tokens.header, &format!("{} {token}", tokens.scheme))
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
