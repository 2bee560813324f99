//! The published JSON Schema, from the wire types; never in the module.
//!
//! What one field may be stands at the field; here is what fields may be together, and the forms
//! that several fields share. The schema knows no references between sections and no templates:
//! those the parser alone checks.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

pub(super) use super::risk_schema::Risk;
use super::wire::{self, DecisionRates, DecisionsWord};
use crate::crypto::Algorithm;
use crate::risk::signals::Signal;
use crate::risk::signals::field::FieldPart;

/// The JSON Schema (draft 2020-12) of a configuration.
#[must_use]
pub fn json_schema() -> Value {
    let schema = SchemaGenerator::default().into_root_schema_for::<wire::Config>();
    let mut schema = schema.to_value();
    unwrap_descriptions(&mut schema);
    schema
}

pub(super) const NAME: &str = "^[a-z0-9._-]{1,64}$";
pub(super) const DAY: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
pub(super) const TRUST_DOMAIN: &str = "^[a-z0-9._-]{1,255}$";
pub(super) const SPIFFE: &str = r"^spiffe://[a-z0-9._-]{1,255}(/(\*|[a-zA-Z0-9._-]+))*(/\*\*)?$";
pub(super) const HEADER: &str = "^(?!x[^a-z0-9]postern[^a-z0-9])[a-z0-9!#$%&'*+.^_`|~-]{1,128}$";
pub(super) const OVERRIDE: &str = "^(_method|x-(forwarded-prefix|http-method(-override)?|method-override|original-(method|uri|url)|rewrite-url))$";
pub(super) const SCHEME: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}$";
pub(super) const CLUSTER: &str = "^[!-~]{1,256}$";
pub(super) const METHOD: &str = "^[A-Z0-9_-]{1,32}$";
pub(super) const SCOPE: &str = r"^[\x21\x23-\x5b\x5d-\x7e]{1,256}$";
pub(super) const HOURS: &str =
    "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
pub(super) const QUOTABLE: &str = r"^[\x20\x21\x23-\x5b\x5d-\x7e]{1,256}$";
pub(super) const KEY_PART: &str = "^(identity|issuer|client|route|source|source_network|claim:.+|header:(?!x[^a-z0-9]postern[^a-z0-9])[a-z0-9!#$%&'*+.^_`|~-]{1,128})$";
pub(super) const URL: &str =
    r"^https?://[\x21\x24-\x2e\x30-\x5b\x5d-\x7e][\x21\x24-\x5b\x5d-\x7e]*$";

/// A text, number or boolean.
pub(super) struct Scalar;

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, number or boolean.",
            "type": ["string", "number", "boolean"]
        })
    }
}

/// Which decisions are written: in a word, or as fractions.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum Decisions {
    Word(DecisionsWord),
    Rates(DecisionRates),
}

/// What a request costs: a number of units, or what that depends on.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum CostForms {
    Units(#[schemars(range(min = 1))] u64),
    Depends(wire::Cost),
}

/// What becomes of what tells an upstream another method or path: in a word, or by name.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum OverrideForms {
    Word(wire::Overrides),
    Kept(wire::KeptOverrides),
}

/// The whole document.
pub(super) fn document(schema: &mut Schema) {
    schema.insert("title".to_owned(), json!("Postern configuration"));
}

pub(super) fn version(schema: &mut Schema) {
    *schema = with_description(schema, json!({"type": "integer", "const": 1}));
}

/// Audiences, or any of them explicitly.
pub(super) fn audiences(schema: &mut Schema) {
    let any = json!({"const": true});
    schema.insert(
        "oneOf".to_owned(),
        json!([
            {"required": ["audiences"], "properties": {"any_audience": {"not": any}}},
            {"required": ["any_audience"], "properties": {"any_audience": any, "audiences": false}},
        ]),
    );
}

/// Public keys or shared secrets, never both.
pub(super) fn algorithms(schema: &mut Schema) {
    let names = |symmetric: bool| -> Vec<&str> {
        let fitting = Algorithm::ALL
            .iter()
            .filter(|a| a.is_symmetric() == symmetric);
        fitting.map(|algorithm| algorithm.name()).collect()
    };
    schema.insert(
        "anyOf".to_owned(),
        json!([{"items": {"enum": names(false)}}, {"items": {"enum": names(true)}}]),
    );
}

pub(super) fn claim_headers(schema: &mut Schema) {
    schema.insert("propertyNames".to_owned(), json!({"pattern": HEADER}));
    schema.insert("examples".to_owned(), json!([{"x-client-id": "client_id"}]));
}

pub(super) fn key_set(schema: &mut Schema) {
    let set = json!({
        "type": "object",
        "required": ["keys"],
        "properties": {
            "keys": {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 200}
        }
    });
    *schema = with_description(schema, set);
}

/// Exactly one source.
pub(super) fn one_source(schema: &mut Schema) {
    let sources = ["inline", "remote", "discovery"].map(|name| json!({"required": [name]}));
    schema.insert("oneOf".to_owned(), json!(sources));
}

/// An issuer with one of two names, or a workload.
pub(super) fn one_match(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        json!([
            {"required": ["issuer", "client"], "properties": {"subject": false, "spiffe": false}},
            {"required": ["issuer", "subject"], "properties": {"client": false, "spiffe": false}},
            {"required": ["spiffe"], "properties": {"issuer": false, "client": false, "subject": false}},
        ]),
    );
}

/// One of the two, or both.
fn any_of(schema: &mut Schema, names: [&str; 2]) {
    let needed = names.map(|name| json!({"required": [name]}));
    schema.insert("anyOf".to_owned(), json!(needed));
}

/// A trust domain is there for a kind of document; what is forwarded is somebody's word.
pub(super) fn svids(schema: &mut Schema) {
    any_of(schema, ["jwt_svid", "x509_svid"]);
    let reads = json!({"required": ["from"], "properties": {"from": {"enum": ["xfcc", "either"]}}});
    schema.insert(
        "if".to_owned(),
        json!({"required": ["x509_svid"], "properties": {"x509_svid": reads}}),
    );
    schema.insert("then".to_owned(), json!({"required": ["xfcc"]}));
}

/// Somebody is trusted.
pub(super) fn some_trust(schema: &mut Schema) {
    any_of(schema, ["trusted_peers", "trusted_cidrs"]);
}

/// Exactly one source of a bundle.
pub(super) fn one_bundle(schema: &mut Schema) {
    let sources = ["inline", "remote"].map(|name| json!({"required": [name]}));
    schema.insert("oneOf".to_owned(), json!(sources));
}

/// A bundle, which revokes the domain where it has no keys.
pub(super) fn bundle(schema: &mut Schema) {
    let number = json!({"type": "integer", "minimum": 0});
    let bundle = json!({
        "type": "object",
        "required": ["keys"],
        "properties": {
            "keys": {"type": "array", "maxItems": 200},
            "spiffe_sequence": number,
            "spiffe_refresh_hint": number,
        }
    });
    *schema = with_description(schema, bundle);
}

/// Either a rate, perhaps with a burst, or a quota.
pub(super) fn rate_or_quota(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        json!([
            {"required": ["rate"], "properties": {"quota": false}},
            {"required": ["quota"], "properties": {"rate": false, "burst": false}},
        ]),
    );
}

/// A cost by the query, or by the response.
pub(super) fn one_cost(schema: &mut Schema) {
    schema.insert(
        "oneOf".to_owned(),
        json!([
            {"required": ["query"], "properties": {"response_bytes": false}},
            {"required": ["response_bytes"], "properties": {"query": false, "per": false}},
        ]),
    );
}

/// What a client's past is made of is still its own, but the room for it is everybody's.
pub(super) fn risk_of_client(schema: &mut Schema) {
    properties(schema, json!({"slots": false}));
}

/// What is counted is the identity's, whatever the route.
pub(super) fn risk_of_route(schema: &mut Schema) {
    let fields = Signal::ALL
        .into_iter()
        .flat_map(|signal| signal.row().fields);
    let counted = fields.filter(|field| field.part != FieldPart::Weight);
    let counted: Map<String, Value> = counted
        .map(|field| (field.name.to_owned(), json!(false)))
        .collect();
    let own = json!({
        "slots": false, "half_life": false, "memory": false, "baseline": false, "learn_every": false,
        "warm_up": false, "signals": {"additionalProperties": {"properties": counted}},
    });
    properties(schema, own);
}

/// A factor of who is throttled.
pub(super) fn factor(schema: &mut Schema) {
    schema.insert(
        "if".to_owned(),
        json!({"properties": {"do": {"enum": ["tag", "deny"]}}, "required": ["do"]}),
    );
    schema.insert("then".to_owned(), json!({"properties": {"factor": false}}));
}

/// What members may be here, where the type that is referred to allows more.
fn properties(schema: &mut Schema, properties: Value) {
    schema.insert("properties".to_owned(), properties);
}

/// A number of proxies, or their networks.
pub(super) fn one_trust(schema: &mut Schema) {
    schema.insert(
        "not".to_owned(),
        json!({"required": ["trusted_hops", "trusted_cidrs"]}),
    );
}

/// From authorities to clusters.
pub(super) fn authorities(schema: &mut Schema) {
    let names = json!({"type": "object", "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 256}});
    *schema = with_description(schema, names);
}

/// A public route ends before `allow` and `when`.
pub(super) fn public(schema: &mut Schema) {
    schema.insert(
        "if".to_owned(),
        json!({"required": ["public"], "properties": {"public": {"const": true}}}),
    );
    schema.insert(
        "then".to_owned(),
        json!({"properties": {"allow": false, "when": false, "limits": false, "proof": false, "risk": false}}),
    );
}

/// Exactly one kind of condition, with the fields that go with it.
pub(super) fn condition(schema: &mut Schema) {
    let fields: Vec<String> = match schema.get("properties") {
        Some(Value::Object(properties)) => properties.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let kinds = super::when::KINDS.iter().map(|form| {
        let kind = form.name;
        let strange = fields.iter().map(String::as_str);
        let strange = strange.filter(|field| *field != kind && !form.companions.contains(field));
        let refused: Map<String, Value> = strange.map(|f| (f.to_owned(), json!(false))).collect();
        let mut form = json!({"required": [kind], "properties": refused});
        if let (Some(needed), Some(form)) = (needed_with(kind), form.as_object_mut()) {
            form.insert("oneOf".to_owned(), needed);
        }
        form
    });
    schema.insert("oneOf".to_owned(), kinds.collect());
}

/// What must stand beside a query or a header.
fn needed_with(kind: &str) -> Option<Value> {
    match kind {
        "query" => Some(json!([
            {"required": ["in"], "properties": {"min": false, "max": false}},
            {"properties": {"in": false}, "anyOf": [{"required": ["min"]}, {"required": ["max"]}]},
        ])),
        "header" => Some(json!([{"required": ["in"]}])),
        _ => None,
    }
}

/// Comments are wrapped in the source, descriptions are not.
fn unwrap_descriptions(value: &mut Value) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| match member {
            Value::String(text) if name == "description" => *text = text.replace('\n', " "),
            member => unwrap_descriptions(member),
        }),
        Value::Array(elements) => elements.iter_mut().for_each(unwrap_descriptions),
        _ => {}
    }
}

/// The other schema, under the description that stands at the field.
fn with_description(schema: &Schema, other: Value) -> Schema {
    let mut members = match other {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    if let Some(description) = schema.get("description") {
        members.insert("description".to_owned(), description.clone());
    }
    members.into()
}
