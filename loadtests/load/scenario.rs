//! What a run is: data from `loadtests/scenarios/`, with the command line laid over it. Unknown keys are errors.

use anyhow::{Context as _, bail};
use relais::lab::Workload;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The scenarios that come with the program.
pub(crate) const SCENARIOS: [(&str, &str); 10] = [
    ("steady", include_str!("../scenarios/steady.toml")),
    ("overload", include_str!("../scenarios/overload.toml")),
    ("burst", include_str!("../scenarios/burst.toml")),
    ("singles", include_str!("../scenarios/singles.toml")),
    ("backlog", include_str!("../scenarios/backlog.toml")),
    ("mixed", include_str!("../scenarios/mixed.toml")),
    ("slow-carrier", include_str!("../scenarios/slow-carrier.toml")),
    ("receipts-storm", include_str!("../scenarios/receipts-storm.toml")),
    ("search", include_str!("../scenarios/search.toml")),
    ("idle", include_str!("../scenarios/idle.toml")),
];

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What it shows.
    #[allow(dead_code)]
    about: String,
    /// How many messages, unless the command line says.
    pub(crate) messages: u64,
    /// What they are like.
    #[serde(default)]
    pub(crate) text: Text,
    /// How it goes.
    #[serde(default)]
    pub(crate) course: Course,
    /// The gateway's configuration.
    #[serde(default)]
    pub(crate) gateway: Gateway,
    /// Habits of the SMSC, as `peers` takes them.
    #[serde(default)]
    pub(crate) smsc: Vec<String>,
    /// The SMSC notes when each message came: what acceptance to wire took is then seen from outside, message by
    /// message. Costs the SMSC a microsecond each.
    #[serde(default)]
    pub(crate) trace: bool,
    /// Whether the messages are advertising under every rule: see `rules.rs`.
    #[serde(default)]
    pub(crate) rules: bool,
    /// Look-ups a second of each kind while messages go.
    #[serde(default)]
    pub(crate) searches_per_s: f64,
    /// What is offered.
    #[serde(default)]
    pub(crate) phases: Vec<Phase>,
    /// Pass lines: a place in the report, such as `accept_to_submit_ms.p99`, and its bounds.
    #[serde(default)]
    pub(crate) pass: BTreeMap<String, Bounds>,
}

/// The texts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Text {
    /// 160 characters, three parameters: one segment.
    #[default]
    Full,
    /// 450 characters, three parameters: three segments.
    Long,
}

impl Text {
    pub(crate) fn workload(self, seed: u64) -> Workload {
        match self {
            Text::Full => Workload::full(seed),
            Text::Long => Workload::long(seed),
        }
    }

    pub(crate) const fn segments(self) -> u64 {
        match self {
            Text::Full => 1,
            Text::Long => 3,
        }
    }
}

/// How a run goes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Course {
    /// All is up; the phases are offered; everything is waited for.
    #[default]
    Straight,
    /// The carrier is down until all is accepted; then the gateway is killed, started again, and drains.
    Backlog,
    /// Binds, and nothing else, for twenty seconds.
    Idle,
}

/// What differs from run to run in the gateway's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) carriers: u32,
    pub(crate) binds: u32,
    pub(crate) window: u32,
    /// Further lines of each carrier's section.
    pub(crate) carrier: String,
    /// Further lines of the section `http`.
    pub(crate) http: String,
    /// Further sections.
    pub(crate) sections: String,
}

impl Default for Gateway {
    fn default() -> Gateway {
        Gateway { carriers: 1, binds: 2, window: 500, carrier: String::new(), http: String::new(), sections: String::new() }
    }
}

/// One way of offering messages. Phases follow each other, or run beside the one before.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Phase {
    /// Of all messages.
    pub(crate) share: f64,
    pub(crate) kind: Kind,
    /// Messages of a request.
    pub(crate) bulk: u64,
    pub(crate) connections: usize,
    /// Messages a second, offered whether or not earlier ones are answered (as long as connections are free; latency
    /// counts from the intended instant). 0 = the next request as soon as a connection is free.
    pub(crate) rate: f64,
    /// In place of `rate`: so many times what was told a second in the last phase that settled.
    pub(crate) times_peak: f64,
    /// Ends after so many seconds, whatever of its share was taken; what was given up is offered again. 0 = when all
    /// is offered.
    pub(crate) seconds: f64,
    pub(crate) refusals: Refusals,
    /// Before the next phase begins, all of this one is told.
    pub(crate) settle: bool,
    /// At the same time as the phase before.
    pub(crate) beside: bool,
}

impl Default for Phase {
    fn default() -> Phase {
        Phase {
            share: 1.0,
            kind: Kind::Bulk,
            bulk: 5_000,
            connections: 4,
            rate: 0.0,
            times_peak: 0.0,
            seconds: 0.0,
            refusals: Refusals::Retry,
            settle: false,
            beside: false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// POST /v1/batches.
    Bulk,
    /// POST /v1/messages.
    Single,
}

/// What is done about 429 and 503.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusals {
    /// Sent again after Retry-After.
    Retry,
    /// Given up: the next is offered. For overload.
    Drop,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bounds {
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Scenario {
    /// One of ours by name, or a file.
    pub(crate) fn load(name: &str) -> anyhow::Result<Scenario> {
        let text = match SCENARIOS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => (*text).to_owned(),
            None => std::fs::read_to_string(name).with_context(|| format!("{name} is neither a scenario nor a file"))?,
        };
        let document = text.parse::<toml_edit::DocumentMut>()?;
        let scenario: Scenario = serde_json::from_value(table(document.as_table())?).with_context(|| name.to_owned())?;
        let shares: f64 = scenario.phases.iter().map(|phase| phase.share).sum();
        if !scenario.phases.is_empty() && (shares - 1.0).abs() > 1e-6 {
            bail!("{name}: the shares of the phases add up to {shares}, not 1");
        }
        Ok(scenario)
    }

    /// The pass lines that a report misses, each in words.
    pub(crate) fn missed(&self, report: &Value) -> Vec<String> {
        let mut missed = Vec::new();
        for (place, bounds) in &self.pass {
            let found = place.split('.').fold(report, |value, step| match step.parse::<usize>() {
                Ok(index) => &value[index],
                Err(_) => &value[step],
            });
            let Some(found) = found.as_f64() else {
                missed.push(format!("{place} is not in the report"));
                continue;
            };
            missed.extend(bounds.min.filter(|min| found < *min).map(|min| format!("{place} is {found}, at least {min} is wanted")));
            missed.extend(bounds.max.filter(|max| found > *max).map(|max| format!("{place} is {found}, at most {max} is wanted")));
        }
        missed
    }
}

fn table(from: &dyn toml_edit::TableLike) -> anyhow::Result<Value> {
    let mut object = Map::new();
    for (name, item) in from.iter() {
        let value = match item {
            toml_edit::Item::Value(value) => plain(value)?,
            toml_edit::Item::Table(inner) => table(inner)?,
            toml_edit::Item::ArrayOfTables(tables) => Value::Array(tables.iter().map(|inner| table(inner)).collect::<Result<_, _>>()?),
            toml_edit::Item::None => continue,
        };
        object.insert(name.into(), value);
    }
    Ok(Value::Object(object))
}

fn plain(value: &toml_edit::Value) -> anyhow::Result<Value> {
    Ok(match value {
        toml_edit::Value::String(text) => json!(text.value()),
        toml_edit::Value::Integer(number) => json!(number.value()),
        toml_edit::Value::Float(number) => json!(number.value()),
        toml_edit::Value::Boolean(flag) => json!(flag.value()),
        toml_edit::Value::Array(items) => Value::Array(items.iter().map(plain).collect::<Result<_, _>>()?),
        toml_edit::Value::InlineTable(inner) => table(inner)?,
        toml_edit::Value::Datetime(_) => bail!("a scenario has no dates"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_well_formed_and_sends_everything() {
        for (name, _) in SCENARIOS {
            let scenario = Scenario::load(name).unwrap_or_else(|fault| panic!("{name}: {fault:#}"));
            assert!(scenario.course == Course::Idle || !scenario.phases.is_empty(), "{name}");
            assert!(!scenario.pass.is_empty(), "{name} has no pass line");
        }
    }

    #[test]
    fn a_pass_line_is_missed_above_below_and_when_its_figure_is_not_there() {
        let mut scenario = Scenario::load("idle").expect("it is there");
        let bounds = |min, max| Bounds { min, max };
        scenario.pass = [
            ("a.p99", bounds(None, Some(5.0))),
            ("b", bounds(Some(10.0), None)),
            ("c", bounds(None, None)),
            ("d.0", bounds(Some(1.0), None)),
        ]
        .map(|(place, bounds)| (place.to_owned(), bounds))
        .into();
        assert_eq!(scenario.missed(&json!({ "a": { "p99": 6 }, "b": 9, "d": [1] })).len(), 3);
        assert!(scenario.missed(&json!({ "a": { "p99": 5 }, "b": 10, "c": 0, "d": [2] })).is_empty());
    }
}
