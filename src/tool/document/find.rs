//! Where in a document the configurations of Postern are.

use super::node::{Node, Style, What, path_at, path_to};

/// A configuration that was found.
#[derive(Debug)]
pub struct Found<'a> {
    /// The path to it; empty for the document itself.
    pub path: String,
    /// It.
    pub payload: Payload<'a>,
    /// Where it is that Envoy needs a type and is given none.
    pub untyped: Option<usize>,
}

/// How a configuration is given.
#[derive(Debug)]
pub enum Payload<'a> {
    /// As a part of the document.
    Value(&'a Node),
    /// As JSON in a text.
    Text(&'a Node, &'a str, Style),
    /// In no way that a proxy hands on; where, why, and what would be accepted.
    Wrong(usize, &'static str, &'static str),
}

impl Found<'_> {
    /// Where it begins, if it is a part of the document.
    pub const fn root(&self) -> Option<usize> {
        match self.payload {
            Payload::Value(node) => Some(node.at),
            _ => None,
        }
    }
}

/// A place where some plugin's configuration is.
struct Candidate<'a> {
    found: Found<'a>,
    is_ours: bool,
}

/// The configurations in a document: those of plugins that look like Postern, or the only plugin's;
/// the document itself where it is nothing else.
pub fn configurations(document: &Node) -> Vec<Found<'_>> {
    let mut candidates = Vec::new();
    collect(document, "", false, &mut candidates);
    let alone = candidates.len() == 1;
    if candidates.is_empty() {
        if !is_bare(document) {
            return Vec::new();
        }
        return vec![Found {
            path: String::new(),
            payload: Payload::Value(document),
            untyped: None,
        }];
    }
    candidates.retain(|candidate| candidate.is_ours || alone);
    candidates
        .into_iter()
        .map(|candidate| candidate.found)
        .collect()
}

/// Whether the document can be meant as a configuration: it has a section of one, or nothing.
fn is_bare(document: &Node) -> bool {
    const SECTIONS: &[&str] = &[
        "version",
        "mode",
        "issuers",
        "trust_domains",
        "tokens",
        "clients",
        "routes",
        "limits",
        "risk",
    ];
    let is_manifest = document.get(&["apiVersion"]).is_some() && document.get(&["kind"]).is_some();
    let is_other = !document.members().is_empty() && document.get(SECTIONS).is_none();
    !is_manifest && !is_other
}

/// `named` is whether the filter that this is in has the name.
fn collect<'a>(node: &'a Node, path: &str, named: bool, found: &mut Vec<Candidate<'a>>) {
    let kind = node.get(&["kind"]).and_then(Node::text);
    match (kind, node.get(&["spec"])) {
        (Some("WasmPlugin" | "TrafficExtension"), Some(spec)) => {
            let path = path_to(path, "spec");
            let wasm = spec
                .get(&["wasm"])
                .filter(|_| kind == Some("TrafficExtension"));
            match wasm {
                Some(wasm) => plugin(node, wasm, "pluginConfig", &path_to(&path, "wasm"), found),
                None => plugin(node, spec, "pluginConfig", &path, found),
            }
        }
        (Some("EnvoyExtensionPolicy"), Some(spec)) => {
            let path = path_to(&path_to(path, "spec"), "wasm");
            let plugins = spec.get(&["wasm"]).map_or(&[][..], Node::elements);
            for (index, wasm) in plugins.iter().enumerate() {
                plugin(wasm, wasm, "config", &path_at(&path, index), found);
            }
        }
        _ if is_plugin(node) => {
            plugin(node, node, "configuration", path, found);
            if let Some(candidate) = found.last_mut() {
                candidate.is_ours |= named;
            }
        }
        _ => children(node, path, named || is_named(node), found),
    }
}

/// Whether the node is a filter that has the name.
fn is_named(node: &Node) -> bool {
    let name = node.get(&["name"]).and_then(Node::text);
    node.get(&["typed_config", "typedConfig"]).is_some() && name.is_some_and(has_name)
}

fn children<'a>(node: &'a Node, path: &str, named: bool, found: &mut Vec<Candidate<'a>>) {
    for member in node.members() {
        collect(&member.value, &path_to(path, &member.name), named, found);
    }
    for (index, element) in node.elements().iter().enumerate() {
        collect(element, &path_at(path, index), named, found);
    }
}

/// Whether the node is `envoy.extensions.wasm.v3.PluginConfig`.
fn is_plugin(node: &Node) -> bool {
    node.get(&["vm_config", "vmConfig"]).is_some()
}

/// Notes the configuration of a plugin, which is the member of that name of `holder`.
fn plugin<'a>(
    whole: &'a Node,
    holder: &'a Node,
    name: &str,
    path: &str,
    found: &mut Vec<Candidate<'a>>,
) {
    let path = path_to(path, name);
    let payload = match holder.get(&[name]) {
        Some(node) => payload(node),
        None => Payload::Wrong(
            holder.at,
            "is missing",
            "the configuration of Postern is needed here",
        ),
    };
    let path = match payload {
        Payload::Value(node) if holder.get(&[name]).is_some_and(|own| own.at != node.at) => {
            path_to(&path, "value")
        }
        Payload::Text(node, ..) if holder.get(&[name]).is_some_and(|own| own.at != node.at) => {
            path_to(&path, "value")
        }
        _ => path,
    };
    let is_ours = looks(&payload) || names_postern(whole, name);
    // Gateways make an `Any` of what they are given; in Envoy's own language it is one.
    let given = holder.get(&[name]).filter(|_| name == "configuration");
    let untyped = given.filter(|node| node.get(&["@type"]).is_none());
    let untyped = untyped.map(|node| node.at);
    let found_here = Found {
        path,
        payload,
        untyped,
    };
    found.push(Candidate {
        found: found_here,
        is_ours,
    });
}

/// The configuration in an `Any` of protobuf, or as it is.
fn payload(node: &Node) -> Payload<'_> {
    const ACCEPTED: &str =
        "google.protobuf.StringValue with JSON, or google.protobuf.Struct, is needed";
    let Some(kind) = node.get(&["@type"]) else {
        return of_value(node);
    };
    let value = node.get(&["value"]);
    let kind = kind.text().unwrap_or_default();
    let fits = ["StringValue", "Struct", "TypedStruct"];
    let known = fits
        .iter()
        .any(|name| kind.rsplit('.').next() == Some(name));
    match value {
        Some(value) if known => of_value(value),
        None if known => Payload::Wrong(
            node.at,
            "has no value",
            "the configuration of Postern is needed as value",
        ),
        _ => Payload::Wrong(node.at, "is of a type that says nothing here", ACCEPTED),
    }
}

fn of_value(node: &Node) -> Payload<'_> {
    match &node.what {
        What::Text(text, style) => Payload::Text(node, text, *style),
        _ => Payload::Value(node),
    }
}

fn looks(payload: &Payload<'_>) -> bool {
    match payload {
        Payload::Value(node) => node.get(&["routes"]).is_some(),
        Payload::Text(_, text, _) => text.contains("\"routes\""),
        Payload::Wrong(..) => false,
    }
}

/// Whether any text but the configuration has the name in it.
fn names_postern(node: &Node, configuration: &str) -> bool {
    let here = node.text().is_some_and(has_name);
    let members = node.members().iter();
    let mut members = members.filter(|member| member.name != configuration);
    here || members.any(|member| names_postern(&member.value, configuration))
        || node
            .elements()
            .iter()
            .any(|element| names_postern(element, configuration))
}

fn has_name(text: &str) -> bool {
    text.to_ascii_lowercase().contains("postern")
}
