//! How callers are judged by what they do, and what clients and routes say otherwise.

use serde_json::Value;

use super::finding::Finding;
use super::mistake::Mistake;
use super::place::Place;
use super::risk_numbers::NumbersReading;
pub(super) use super::risk_numbers::Of;
use super::wire::Field;
use crate::risk::settings::{Override, Scoring, Settings};

/// None where nobody is judged.
pub(super) fn compile(
    wire: &Field<Value>,
    place: &Place<'_>,
    limited: bool,
    warnings: &mut Vec<Finding>,
) -> Option<Scoring> {
    let value = wire.optional(place)?;
    let mut risk = Scoring::default();
    let mut reading = NumbersReading::new(Of::Document, &risk.settings, limited, warnings);
    reading.read(value, place);
    let NumbersReading { said, slots, .. } = reading;
    let slots = slots.and_then(|slots| usize::try_from(slots).ok());
    risk.slots = slots.unwrap_or(risk.slots);
    risk.settings = risk.settings.with(&said);
    Some(risk)
}

/// What is known where something is said otherwise.
#[derive(Clone, Copy)]
pub(super) struct KnownRisk<'a> {
    /// None where nobody is judged.
    pub settings: Option<&'a Settings>,
    /// Whether there are any limits.
    pub limited: bool,
}

/// What a client or a route says otherwise; none where that is nothing.
pub(super) fn otherwise(
    wire: &Field<Value>,
    place: &Place<'_>,
    known: KnownRisk<'_>,
    of: Of,
    warnings: &mut Vec<Finding>,
) -> Option<Box<Override>> {
    let value = wire.optional(place)?;
    let Some(settings) = known.settings else {
        place.error(
            Mistake::UnmetNeed,
            "changes how callers are judged, and they are not",
            "the section risk is needed, risk: {} will do",
        );
        return None;
    };
    let mut reading = NumbersReading::new(of, settings, known.limited, warnings);
    reading.read(value, place);
    let said = reading.said;
    (!said.is_empty()).then(|| Box::new(said))
}

#[cfg(test)]
mod tests {
    use crate::base::{ClientId, Id as _};
    use serde_json::json;

    use crate::config::Config;
    use crate::risk::arithmetic::ONE;
    use crate::risk::settings::Number;
    use crate::risk::signals::Signal;

    use super::*;

    fn config(extra: Value) -> Config {
        let mut document = json!({
            "version": 1,
            "trust_domains": [{"name": "prod.example", "x509_svid": {"from": "tls"}}],
            "clients": [{"name": "batch", "match": {"spiffe": "spiffe://prod.example/batch"}}],
            "routes": [{"name": "a", "match": {"path": "/a"}}],
        });
        if let Value::Object(members) = extra {
            for (pointer, value) in members {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                document.pointer_mut(parent).unwrap()[name] = value;
            }
        }
        Config::parse(document.to_string().as_bytes()).unwrap()
    }

    fn risk(written: Value) -> Scoring {
        config(json!({"/risk": written})).settings.risk.unwrap()
    }

    #[test]
    fn nobody_is_judged_where_nothing_is_said_of_it() {
        assert_eq!(config(json!({})).settings.risk, None);
        assert_eq!(risk(json!({})), Scoring::default());
        assert_eq!(Scoring::default().settings, Settings::default());
    }

    #[test]
    fn the_documented_defaults_are_those_in_force() {
        let written = json!({
            "half_life": "10m", "memory": "24h", "baseline": "30d", "warm_up": 200, "slots": 32768,
            "signals": {
                "spread": {"weight": 0.6, "distinct": 500, "window": "10m", "start": 3, "full": 12},
                "rate_shift": {"weight": 0.7, "start": 3, "full": 8, "at_least": 10},
                "volume_shift": {"weight": 0.6, "start": 3, "full": 12, "at_least": "1MiB"},
                "failures": {"weight": 0.4, "start": 0.2, "full": 0.6, "at_least": 20},
                "denials": {"weight": 0.65, "start": 0.1, "full": 0.5, "at_least": 10},
                "new_source": {"weight": 0.15},
                "source_fanout": {"weight": 0.3, "start": 2, "full": 8, "at_least": 4},
                "token_fanout": {"weight": 0.6},
                "new_route": {"weight": 0.15},
                "odd_hour": {"weight": 0.15, "days": 5},
            },
            "actions": [
                {"at": 30, "do": "tag"}, {"at": 60, "do": "throttle", "factor": 4}, {"at": 85, "do": "deny"},
            ],
        });
        assert_eq!(risk(written), Scoring::default());
    }

    #[test]
    fn numbers_are_kept_in_the_units_of_the_settings() {
        const CASES: &[(&str, &str, Number, u32)] = &[
            ("half_life", "\"7d\"", Number::HalfLife, 604_800),
            ("warm_up", "1000000", Number::WarmUp, 1_000_000),
        ];
        for (name, value, number, kept) in CASES {
            let value: Value = serde_json::from_str(value).unwrap();
            assert_eq!(
                risk(json!({*name: value})).settings.of(*number),
                *kept,
                "{name}"
            );
        }
        let signals = |signal: Signal, written: Value| {
            let settings = risk(json!({"signals": {signal.as_str(): written}})).settings;
            [Number::Weight, Number::Start, Number::Full, Number::AtLeast]
                .map(|number| settings.of(number(signal)))
        };
        let volume = json!({"weight": 0, "start": 1, "full": 1000, "at_least": 257});
        assert_eq!(signals(Signal::VolumeShift, volume), [0, 0, 2551, 2]);
        let most = json!({"weight": 1.0, "start": 1.5, "full": 2.5, "at_least": "1000GiB"});
        let expected = [ONE, 149, 338, 1000 << 22];
        assert_eq!(signals(Signal::VolumeShift, most), expected);
        let failures = json!({"weight": 0.5, "start": 0, "full": 1, "at_least": 1});
        assert_eq!(signals(Signal::Failures, failures), [ONE / 2, 0, 256, 1]);
    }

    #[test]
    fn a_throttle_without_a_factor_is_by_four() {
        let actions = json!({"actions": [{"at": 1, "do": "throttle"}, {"at": 100, "do": "deny"}]});
        let risk = risk(actions);
        assert_eq!(risk.settings.reaction(1).factor, 4);
        assert_eq!(risk.settings.actions().len(), 2);
    }

    #[test]
    fn no_actions_at_all_are_an_answer() {
        let settings = risk(json!({"actions": []})).settings;
        assert_eq!(settings.first_action(), None);
    }

    #[test]
    fn clients_and_routes_say_otherwise_what_they_give_alone() {
        let config = config(json!({
            "/risk": {"warm_up": 50, "signals": {"rate_shift": {"start": 5}}},
            "/clients/0/risk": {"signals": {"rate_shift": {"full": 6}}, "half_life": "1h"},
            "/routes/0/risk": {"actions": []},
        }));
        let own = config.settings.risk.as_ref().unwrap();
        let client = config
            .settings
            .callers
            .clients
            .get(ClientId::at(0))
            .unwrap()
            .risk
            .as_deref()
            .unwrap();
        let judged = own.settings.with(client);
        let start = own.settings.of(Number::Start(Signal::RateShift));
        assert_eq!(judged.of(Number::Start(Signal::RateShift)), start);
        assert_eq!(judged.of(Number::WarmUp), 50);
        assert_eq!(judged.of(Number::HalfLife), 3600);
        assert_eq!(judged.actions().len(), 3);
        let (_, route) = config.settings.routes.iter().next().unwrap();
        let judged = judged.with(route.risk.as_deref().unwrap());
        assert_eq!(judged.actions().len(), 0);
    }

    #[test]
    fn an_empty_override_is_none() {
        let config = config(json!({"/risk": {}, "/clients/0/risk": {"signals": {"spread": {}}}}));
        assert_eq!(
            config
                .settings
                .callers
                .clients
                .get(ClientId::at(0))
                .unwrap()
                .risk,
            None
        );
    }
}
