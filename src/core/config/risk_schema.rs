//! The section `risk` as the published schema has it; never in the module.
//!
//! What reads it is `risk_numbers`: reading it by wire types took 8 KB more of the module.

#![allow(dead_code, reason = "only its schema is used")]

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::declare::object;
use super::wire::{self, List, RiskAction, Size, Span};
use crate::risk::signals::field::{FieldForm, FieldKind, SignalField};
use crate::risk::signals::{Row, Signal};

object! {
    /// How callers are judged by what they do.
    pub struct Risk {
        /// How fast a signal fades: half of it is left after that long, 1s to 7d. Default: 10m.
        #[schema(default)]
        pub half_life: wire::Field<Span>,
        /// For how long the networks and routes of an identity are known, 10m to 90d. Default: 24h.
        #[schema(default)]
        pub memory: wire::Field<Span>,
        /// After how long an identity's own most counts half, 1d to 365d. Default: 30d.
        #[schema(default)]
        pub baseline: wire::Field<Span>,
        /// How long a window is that an identity's own most is learned from, 1s to 1d. Default: 5m.
        #[schema(default)]
        pub learn_every: wire::Field<Span>,
        /// After how many requests an identity is judged by its own past. Default: 200.
        #[schema(default, range(min = 1, max = 1_000_000))]
        pub warm_up: wire::Field<u64>,
        /// How many identities are kept at once, rounded up to a multiple of 8; only for the whole
        /// document. Default: 32768.
        #[schema(default, range(min = 8, max = 4_194_304))]
        pub slots: wire::Field<u64>,
        /// What a score is made of.
        #[schema(default, with = "Signals")]
        pub signals: wire::Field<Value>,
        /// What is done from which score on; an empty list is nothing, ever. Default: tag at 30,
        /// throttle by 4 at 60, deny at 85.
        #[schema(default)]
        pub actions: List<RiskAction>,
    }
}

/// What a score is made of, as the rows of the signals have it.
pub struct Signals;

impl JsonSchema for Signals {
    fn schema_name() -> Cow<'static, str> {
        "Signals".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rows = Signal::ALL.map(Signal::row);
        for row in rows {
            let form = form(row.form, generator);
            let definitions = generator.definitions_mut();
            definitions.insert(row.form.name.to_owned(), form.into());
        }
        let properties = rows.map(|row| (row.name.to_owned(), signal(row)));
        object_of("What a score is made of.", properties.into_iter().collect()).into()
    }
}

/// A signal, as what narrows its form.
fn signal(row: &Row) -> Value {
    let defaults = row.fields.iter().map(|field| {
        let (name, default) = (field.name, default(field));
        format!("{name} {default}")
    });
    let defaults: Vec<String> = defaults.collect();
    let (doc, defaults) = (row.doc, defaults.join(", "));
    let mut signal = Map::from_iter([
        (
            "$ref".to_owned(),
            json!(format!("#/$defs/{}", row.form.name)),
        ),
        (
            "description".to_owned(),
            json!(format!("{doc} Default: {defaults}.")),
        ),
    ]);
    let narrowed = row.fields.iter().filter_map(|field| {
        let all = bounds_in(row.form, field);
        let mut own = bounds(field.kind);
        own.retain(|name, bound| all.get(name) != Some(bound));
        (!own.is_empty()).then(|| (field.name.to_owned(), own.into()))
    });
    let narrowed: Map<String, Value> = narrowed.collect();
    if !narrowed.is_empty() {
        signal.insert("properties".to_owned(), narrowed.into());
    }
    signal.into()
}

/// The fields that signals of a form have in common.
fn form(form: FieldForm, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let fields = rows_of(form).flat_map(|row| row.fields);
    let properties = fields.map(|field| {
        let mut property = type_of(field.kind, generator);
        property.insert("description".to_owned(), json!(field.doc));
        property.extend(bounds_in(form, field));
        (field.name.to_owned(), property.into())
    });
    object_of(form.doc, properties.collect())
}

fn rows_of(form: FieldForm) -> impl Iterator<Item = &'static Row> {
    let rows = Signal::ALL.into_iter().map(Signal::row);
    rows.filter(move |row| row.form == form)
}

/// The bounds of a field in all signals of a form; none where they measure it differently.
fn bounds_in(form: FieldForm, field: &SignalField) -> Map<String, Value> {
    let fields = rows_of(form).flat_map(|row| row.fields);
    let kinds = fields.filter(|other| other.name == field.name);
    let kinds = kinds.map(|other| Some(other.kind));
    let widest = kinds.reduce(|one, other| match (one?, other?) {
        (FieldKind::Count(one), FieldKind::Count(other)) => Some(FieldKind::Count(one.max(other))),
        (one, other) => (one == other).then_some(one),
    });
    widest.flatten().map(bounds).unwrap_or_default()
}

fn bounds(kind: FieldKind) -> Map<String, Value> {
    let (least, most) = match kind {
        FieldKind::Seconds(..) | FieldKind::Bytes => return Map::new(),
        FieldKind::Count(most) => (json!(1), json!(most)),
        FieldKind::Fraction(scale) => {
            let (least, most) = scale.bounds();
            (json!(least), json!(most))
        }
    };
    Map::from_iter([("minimum".to_owned(), least), ("maximum".to_owned(), most)])
}

fn type_of(kind: FieldKind, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = match kind {
        FieldKind::Seconds(..) => generator.subschema_for::<Span>(),
        FieldKind::Bytes => generator.subschema_for::<Size>(),
        FieldKind::Count(_) => generator.subschema_for::<u64>(),
        FieldKind::Fraction(_) => generator.subschema_for::<f64>(),
    };
    let mut members = schema.as_object().cloned().unwrap_or_default();
    // Of a type's own bounds, the field's are the narrower.
    members.remove("minimum");
    members
}

/// A default as it is written.
fn default(field: &SignalField) -> String {
    let number = u64::from(field.default);
    match field.kind {
        FieldKind::Seconds(..) => Span(Duration::from_secs(number)).to_string(),
        FieldKind::Bytes => Size(number).to_string(),
        FieldKind::Count(_) => number.to_string(),
        FieldKind::Fraction(_) => (f64::from(field.default) / 100.0).to_string(),
    }
}

fn object_of(doc: &str, properties: Map<String, Value>) -> Map<String, Value> {
    Map::from_iter([
        ("additionalProperties".to_owned(), json!(false)),
        ("description".to_owned(), json!(doc)),
        ("properties".to_owned(), properties.into()),
        ("type".to_owned(), json!("object")),
    ])
}
