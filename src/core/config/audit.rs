//! What is written of decisions.

use serde_json::Value;

use super::bounds::size;
use super::decimal::decimal;
use super::list::text;
use super::mistake::Mistake;
use super::names;
use super::place::Place;
use super::reader::Wire;
use super::wire::{self, Field};
use crate::audit::Settings;
use crate::host::LogLevel;

/// Credentials come in the header `credential`, which is never shown.
pub(super) fn compile(wire: &Field<wire::Audit>, place: &Place<'_>, credential: &str) -> Settings {
    let mut audit = Settings::default();
    let Some(wire) = wire.optional(place) else {
        return audit;
    };
    let header = place.member("purpose_header");
    audit.purpose_header = text(&wire.purpose_header, &header, |name| {
        names::public_header(name, credential)
    });
    let place = place.member("log");
    if let Some(log) = wire.log.optional(&place) {
        let level = log.level.optional(&place.member("level"));
        audit.level = level.copied().map(log_level).unwrap_or_default();
        let batch = place.member("batch");
        audit.batch = size(&log.batch, &batch, 1 << 10..=1 << 20).unwrap_or_default();
        let place = place.member("decisions");
        (audit.allowed, audit.denied) = decisions(&log.decisions, &place).unwrap_or((1.0, 1.0));
    }
    audit
}

const fn log_level(level: wire::LogLevel) -> LogLevel {
    match level {
        wire::LogLevel::Trace => LogLevel::Trace,
        wire::LogLevel::Debug => LogLevel::Debug,
        wire::LogLevel::Info => LogLevel::Info,
        wire::LogLevel::Warn => LogLevel::Warn,
        wire::LogLevel::Error => LogLevel::Error,
        wire::LogLevel::Critical => LogLevel::Critical,
    }
}

/// The fractions of allowed and of denied decisions.
fn decisions(field: &Field<Value>, place: &Place<'_>) -> Option<(f64, f64)> {
    let value = field.optional(place)?;
    if value.is_object() {
        let rates = wire::DecisionRates::read(value, place);
        let rates = rates.map_err(|wrong| place.wrong(&wrong)).ok()?;
        let allowed = rate(&rates.allowed, &place.member("allowed"));
        return Some((allowed, rate(&rates.denied, &place.member("denied"))));
    }
    match wire::DecisionsWord::read(value, place) {
        Ok(wire::DecisionsWord::All) => Some((1.0, 1.0)),
        Ok(wire::DecisionsWord::Denied) => Some((0.0, 1.0)),
        Err(wrong) => {
            place.wrong(&wrong.or("fractions such as {allowed: 0.1, denied: 1.0}"));
            None
        }
    }
}

fn rate(field: &Field<f64>, place: &Place<'_>) -> f64 {
    let rate = field.optional(place).copied().unwrap_or(1.0);
    if !(0.0..=1.0).contains(&rate) {
        let rate = decimal(rate);
        place.error(
            Mistake::OutOfRange,
            format_args!("is {rate}"),
            "a fraction from 0 to 1 is needed",
        );
    }
    rate
}
