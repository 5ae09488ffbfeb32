//! What a simulated life is: how long, how much, which carriers, which faults. Read from TOML, or drawn from a seed
//! (swarm: each seed switches on a random subset of everything, some seeds nothing).

use super::fault::Kind;
use super::script::Script;
use crate::lab::Chance;
use crate::lab::personality::{Delay, Dialect, Personality, ReceiptBind, StatusRate};
use serde::Deserialize;

/// A life to be simulated. Every field may be left out; unknown fields are errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Messages asked for, from 1 to 100 million.
    pub messages: u64,
    /// Minutes of virtual time in which they are.
    pub minutes: u64,
    /// The requests come in so many bursts of a few seconds; 0 = evenly.
    pub bursts: u32,
    /// Accounts, each with a webhook; 1 to 50.
    pub accounts: u8,
    /// Clients of each account that ask at the same time.
    pub clients: u8,
    /// The share of messages that come in bulks, and the largest bulk.
    pub bulk_share: f64,
    /// See `bulk_share`.
    pub bulk_max: u32,
    /// The most parts of a message, 1 to 4.
    pub parts_max: u8,
    /// The shares of messages in UCS-2, under `at_most_once`, with a lifetime of their own, called back.
    pub ucs2: f64,
    /// See `ucs2`.
    pub at_most_once: f64,
    /// See `ucs2`.
    pub expiring: f64,
    /// See `ucs2`.
    pub canceled: f64,
    /// The share of requests that are broken off, in a life with faults.
    pub breaks_off: f64,
    /// The share of a bulk's lines that are to be refused.
    pub wrong: f64,
    /// Messages of subscribers.
    pub inbound: u32,
    /// The share of these that ask for silence.
    pub stops: f64,
    /// The share of messages that are advertising, to so many numbers of each carrier (1 to 1000000).
    pub marketing: f64,
    /// See `marketing`.
    pub subscribers: u32,
    /// When it begins: minutes after Tuesday 2026-12-01, 10:00 in Paris, where everybody lives.
    pub begins: i64,
    /// Milliseconds: the least and the greatest latency one way, in good weather.
    pub latency_ms: [u64; 2],
    /// Microseconds: the least and the longest sync of a commit, on a good day.
    pub sync_us: [u64; 2],
    /// Shards of the gateway, among which the carriers are dealt; 1 to 16.
    pub shards: u8,
    /// Lines added to `[journal]`, `[engine]` and each of the `[[accounts]]` of the gateway's configuration.
    pub journal: String,
    /// See `journal`.
    pub engine: String,
    /// See `journal`.
    pub account: String,
    /// The carriers, 1 to 90.
    pub carriers: Vec<CarrierPlan>,
    /// What goes wrong.
    pub faults: Faults,
    /// What is written down, in the place of drawn requests.
    pub script: Script,
    /// How often somebody looks, while requests are made.
    pub looks: u32,
    /// In a life in which something goes wrong, the share of requests made twice at once, and of those repeated, and of those
    /// under the key of another.
    pub manners: f64,
}

/// A carrier.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarrierPlan {
    /// Sessions.
    pub binds: u8,
    /// One session for each way.
    pub is_paired: bool,
    /// Unanswered submits of a session.
    pub window: u32,
    /// Segments a second over all sessions; 0 = no limit.
    pub rate: f64,
    /// Segments at once.
    pub burst: u32,
    /// After which silence is doubt, in seconds.
    pub response_timeout_s: u64,
    /// How long a message in doubt is held, in seconds.
    pub hold_s: u64,
    /// How long a receipt is waited for, in minutes.
    pub receipt_wait_m: u64,
    /// The `id_base` of the configuration.
    pub id_base: String,
    /// Its habits.
    pub habits: Personality,
}

/// What goes wrong, and how often.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// How many faults.
    pub count: u32,
    /// Of these kinds.
    pub kinds: Vec<Kind>,
    /// The longest a fault lasts, in seconds.
    pub longest_s: u64,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            messages: 300,
            minutes: 60,
            bursts: 0,
            accounts: 2,
            clients: 2,
            bulk_share: 0.7,
            bulk_max: 40,
            parts_max: 3,
            ucs2: 0.1,
            at_most_once: 0.2,
            expiring: 0.1,
            canceled: 0.02,
            breaks_off: 0.05,
            wrong: 0.02,
            inbound: 5,
            stops: 0.0,
            marketing: 0.0,
            subscribers: 10,
            begins: 0,
            latency_ms: [1, 20],
            sync_us: [300, 3_000],
            shards: 1,
            journal: String::new(),
            engine: String::new(),
            account: String::new(),
            carriers: vec![CarrierPlan::default(), CarrierPlan::default()],
            faults: Faults::default(),
            script: Script::default(),
            looks: 200,
            manners: 0.05,
        }
    }
}

impl Default for CarrierPlan {
    fn default() -> CarrierPlan {
        CarrierPlan {
            binds: 2,
            is_paired: false,
            window: 10,
            rate: 50.0,
            burst: 10,
            response_timeout_s: 10,
            hold_s: 5,
            receipt_wait_m: 60,
            id_base: "auto".into(),
            habits: Personality::default(),
        }
    }
}

impl Scenario {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let table: toml_edit::DocumentMut = text.parse().map_err(|fault: toml_edit::TomlError| fault.to_string())?;
        let scenario: Scenario = serde_json::from_value(json(table.as_item())).map_err(|fault| fault.to_string())?;
        scenario.check().map_err(str::to_owned)?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), &'static str> {
        let shares = [
            self.bulk_share,
            self.ucs2,
            self.at_most_once,
            self.expiring,
            self.canceled,
            self.breaks_off,
            self.wrong,
            self.stops,
            self.marketing,
            self.manners,
        ];
        match () {
            () if !(1..=100_000_000).contains(&self.messages) => Err("messages: 1 to 100000000"),
            () if self.minutes == 0 || self.minutes > 60 * 24 * 400 => Err("minutes: 1 to 400 days"),
            () if !(1..=50).contains(&self.accounts) || self.clients == 0 => Err("accounts: 1 to 50, clients: at least 1"),
            () if !(1..=16).contains(&self.shards) => Err("shards: 1 to 16"),
            () if !(1..=90).contains(&self.carriers.len()) => Err("carriers: 1 to 90"),
            () if !(1..=4).contains(&self.parts_max) || self.bulk_max < 2 => Err("parts_max: 1 to 4, bulk_max: at least 2"),
            () if !(1..=1_000_000).contains(&self.subscribers) => Err("subscribers: 1 to 1000000"),
            () if shares.iter().any(|share| !(0.0..=1.0).contains(share)) => Err("shares are from 0 to 1"),
            () if self.faults.count > 0 && self.faults.kinds.is_empty() => Err("faults.kinds: at least one"),
            () => {
                self.script.check(self.messages, self.accounts, self.carriers.len())?;
                self.carriers.iter().try_for_each(|carrier| carrier.habits.check())
            }
        }
    }

    /// A life without a theme, drawn.
    pub(super) fn draw(draw: &mut Chance) -> Scenario {
        let mut scenario = Scenario {
            messages: draw.between(50, 400),
            minutes: if draw.hit(0.5) { draw.between(1, 10) } else { draw.between(5, 240) },
            bursts: if draw.hit(0.5) { draw.between(1, 6) as u32 } else { 0 },
            accounts: draw.between(1, 4) as u8,
            clients: draw.between(1, 3) as u8,
            bulk_share: draw.fraction(),
            bulk_max: draw.between(2, 120) as u32,
            parts_max: draw.between(1, 4) as u8,
            ..Scenario::default()
        };
        let slow = draw.between(1, 400);
        scenario.latency_ms = [draw.between(0, slow), slow];
        let sync = draw.between(100, 30_000);
        scenario.sync_us = [draw.between(0, sync), sync];
        scenario.carriers = (0..draw.between(1, 5)).map(|_| CarrierPlan::draw(draw)).collect();
        // One seed in eight without faults, one in four without those of the disk.
        if !draw.hit(0.125) {
            let share = draw.fraction();
            let kinds: Vec<Kind> = Kind::USUAL.into_iter().filter(|_| draw.hit(share)).collect();
            let no_disk = draw.hit(0.25);
            scenario.faults.kinds = kinds.into_iter().filter(|kind| !(no_disk && kind.is_of_disk())).collect();
            scenario.faults.count = if scenario.faults.kinds.is_empty() { 0 } else { draw.between(1, 40) as u32 };
            scenario.faults.longest_s = draw.between(1, 300);
        }
        scenario.advertise(draw);
        if draw.hit(0.3) {
            // So that a bulk is staged in several commits.
            scenario.journal = format!("frame_messages_max = {}", draw.between(1, 4));
        }
        scenario
    }

    /// What is drawn beside the rest, so that it changes nothing else of a life.
    pub(super) fn widen(&mut self, draw: &mut Chance) {
        self.shards = draw.between(1, 3) as u8;
        if draw.hit(0.25) {
            if draw.hit(0.3) {
                self.faults.kinds.clear();
            }
            self.faults.kinds.extend(std::iter::repeat_n(Kind::Clock, draw.between(1, 4) as usize));
            self.faults.count = self.faults.count.max(draw.between(2, 12) as u32);
            self.faults.longest_s = self.faults.longest_s.max(draw.between(1, 120));
        }
        // With advertising alone.
        if self.marketing > 0.0 && draw.hit(0.4) {
            self.faults.kinds.push(Kind::Rules);
            self.faults.count = self.faults.count.max(draw.between(1, 6) as u32);
        }
    }

    /// Half of all lives have advertising, around the hour at which it must begin or end: on a weekday, a Saturday, the eve of
    /// a holiday.
    fn advertise(&mut self, draw: &mut Chance) {
        if draw.hit(0.5) {
            return;
        }
        self.marketing = draw.fraction();
        self.subscribers = draw.between(1, 30) as u32;
        self.inbound = draw.between(0, 20) as u32;
        self.stops = draw.fraction();
        let day = [0, 4, 23, 30][draw.below(4) as usize];
        // 08:00 and 20:00 in Paris, counted from 10:00 there.
        let edge = if draw.hit(0.3) { -120 } else { 600 };
        self.begins = day * 1_440 + edge - draw.below(self.minutes + 1) as i64;
    }
}

impl CarrierPlan {
    fn draw(draw: &mut Chance) -> CarrierPlan {
        // The id as the response has it, as receipts have it, and what the configuration says of it.
        let forms = [
            ("decimal:10", "decimal:10", "as_is"),
            ("decimal:10", "decimal:10", "auto"),
            ("hex", "decimal:10", "resp_hex_receipt_dec"),
            ("hex:8", "decimal", "auto"),
            ("decimal", "HEX:8", "auto"),
            ("decimal", "hex", "resp_dec_receipt_hex"),
            ("HEX:8", "hex", "auto"),
            ("uuid", "uuid", "auto"),
        ];
        let (response, receipt, base) = forms[draw.below(forms.len() as u64) as usize];
        let window = draw.between(1, 60) as u32;
        let rate = if draw.hit(0.3) { 0.0 } else { draw.between(1, 100) as f64 };
        CarrierPlan {
            binds: draw.between(1, 4) as u8,
            is_paired: draw.hit(0.2),
            window,
            rate,
            burst: draw.between(1, 20) as u32,
            response_timeout_s: draw.between(2, 30),
            hold_s: if draw.hit(0.2) { 0 } else { draw.between(1, 60) },
            receipt_wait_m: 60,
            id_base: base.into(),
            habits: habits(draw, response, receipt),
        }
    }
}

/// Habits of a carrier that is not perfect, each by chance.
fn habits(draw: &mut Chance, response: &str, receipt: &str) -> Personality {
    let style = |text: &str| text.to_owned().try_into().expect("one of the list");
    let rate = |draw: &mut Chance, most: f64| if draw.hit(0.25) { draw.fraction() * most } else { 0.0 };
    let mut habits =
        Personality { seed: draw.next_u64(), response_id: style(response), receipt_id: style(receipt), ..Personality::default() };
    let dialects = Dialect::ALL;
    habits.dialect = dialects[draw.below(dialects.len() as u64) as usize];
    habits.id_base = draw.between(1, 1 << 30);
    let slowest = draw.between(1, 900);
    habits.response_ms = Delay { min_ms: 0, max_ms: slowest };
    habits.receipt_ms = Delay { min_ms: draw.between(0, 2_000), max_ms: draw.between(2_000, 60_000) };
    habits.receipt_bind = if draw.hit(0.3) { ReceiptBind::Another } else { ReceiptBind::Same };
    habits.missing = rate(draw, 0.1);
    habits.disorder = rate(draw, 0.3);
    habits.late = rate(draw, 0.05);
    habits.generic_nack = rate(draw, 0.1);
    habits.garbage = rate(draw, 0.05);
    habits.receipt_early = rate(draw, 0.3);
    habits.receipt_twice = rate(draw, 0.3);
    habits.receipt_late = rate(draw, 0.1);
    habits.receipt_late_ms = Delay { min_ms: 10_000, max_ms: 1_200_000 };
    habits.receipt_missing = rate(draw, 0.1);
    habits.receipt_unknown = rate(draw, 0.1);
    habits.receipt_enroute = rate(draw, 0.3);
    // What this dialect's other codes mean was never published: the gateway cannot know what they say.
    if habits.dialect != Dialect::Comma {
        habits.states.undeliverable = rate(draw, 0.2);
        habits.states.expired = rate(draw, 0.1);
        habits.states.rejected = rate(draw, 0.1);
    }
    habits.throttle_per_s = if draw.hit(0.2) { draw.between(1, 40) as u32 } else { 0 };
    habits.disconnect_every = if draw.hit(0.1) { draw.between(20, 200) } else { 0 };
    for status in [0x58, 0x14, 0x08, 0x0B, 0x64, 0x45] {
        let rate = rate(draw, 0.08);
        if rate > 0.0 {
            habits.statuses.push(StatusRate { status, rate });
        }
    }
    habits
}

/// TOML as JSON, so that one reader does for both.
fn json(item: &toml_edit::Item) -> serde_json::Value {
    use serde_json::Value;
    match item {
        toml_edit::Item::None => Value::Null,
        toml_edit::Item::Value(value) => json_of(value),
        toml_edit::Item::Table(table) => Value::Object(table.iter().map(|(key, item)| (key.to_owned(), json(item))).collect()),
        toml_edit::Item::ArrayOfTables(tables) => {
            let object = |table: &toml_edit::Table| Value::Object(table.iter().map(|(key, item)| (key.to_owned(), json(item))).collect());
            Value::Array(tables.iter().map(object).collect())
        }
    }
}

fn json_of(value: &toml_edit::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        toml_edit::Value::String(text) => Value::String(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Float(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(is) => Value::Bool(*is.value()),
        // No field is an instant: whoever reads it says so.
        toml_edit::Value::Datetime(_) => Value::Null,
        toml_edit::Value::Array(array) => Value::Array(array.iter().map(json_of).collect()),
        toml_edit::Value::InlineTable(table) => Value::Object(table.iter().map(|(key, value)| (key.to_owned(), json_of(value))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_rates_carriers_habits_and_faults_and_its_mistakes_are_told() {
        let text = "messages = 500\nminutes = 10\n[[carriers]]\nbinds = 3\nrate = 20\nhabits = { response_ms = [5, 50], statuses = [{ status = \"0x58\", rate = 0.01 }] }\n\
                    [faults]\ncount = 3\nkinds = [\"kill\", \"cut\"]\n";
        let scenario = Scenario::parse(text).expect("right");
        assert_eq!((scenario.messages, scenario.carriers.len(), scenario.carriers[0].binds), (500, 1, 3));
        assert_eq!(scenario.faults.kinds, [Kind::Kill, Kind::Cut]);
        for wrong in
            ["mesages = 5", "messages = 0", "[faults]\ncount = 1", "[faults]\nkinds = [\"flood\"]", "[[carriers]]\nhabits = { late = 2.0 }"]
        {
            assert!(Scenario::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_seed_draws_a_life_that_could_have_been_written() {
        let lives: Vec<Scenario> = (0..500).map(Scenario::swarm).collect();
        assert!(lives.iter().all(|life| life.check().is_ok()));
        let without = lives.iter().filter(|life| life.faults.count == 0).count();
        assert!((30..200).contains(&without), "{without}");
    }
}
