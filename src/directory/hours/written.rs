//! A rule file as somebody wrote it: TOML into plain values, unknown keys refused, sizes bounded. What the values mean is
//! `read.rs`. A file that cannot be read is told with its name and the key.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use toml_edit::{Document, Item, TableLike};

/// The octets of one file: the largest shipped has 23 thousand.
pub const FILE_BYTES_MAX: usize = 256 * 1024;
/// The files of one pack: one a country, and those of accounts.
pub const FILES_MAX: usize = 1_024;
/// The rules of one pack.
pub const RULES_MAX: usize = 8_192;
/// The calendars of one pack; the days of one calendar.
pub const CALENDARS_MAX: usize = 8_192;
/// See `CALENDARS_MAX`.
pub const DAYS_MAX: usize = 4_096;

/// Why a pack was refused. The pack in use stays.
#[derive(Debug, thiserror::Error)]
pub enum PackFault {
    /// A file is no TOML, has an unknown key or a value of another kind, or is too large.
    #[error("{file}: {why}")]
    File {
        /// The file's name.
        file: Box<str>,
        /// What is wrong, with the key.
        why: Box<str>,
    },
    /// A rule or a calendar says what cannot be.
    #[error("{file}: {name}: {why}")]
    Entry {
        /// The file's name.
        file: Box<str>,
        /// The rule's id or the calendar's name.
        name: Box<str>,
        /// What is wrong.
        why: Box<str>,
    },
    /// More than the limits above.
    #[error("the pack has more files, rules or calendars than are allowed")]
    TooMuch,
}

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenFile {
    pub dated: String,
    /// ISO 3166; `*` for all others; none: its rules are chosen only by name (an account's own).
    pub country: Option<String>,
    #[serde(default)]
    pub territories: BTreeMap<String, String>,
    #[serde(default)]
    pub sources: Vec<String>,
    #[serde(default, rename = "rule")]
    pub rules: Vec<WrittenRule>,
    #[serde(default, rename = "calendar")]
    pub calendars: Vec<WrittenCalendar>,
}

/// Windows by `mon` or `mon-fri`: lists of `08:00-20:00`.
pub type WrittenWeek = BTreeMap<String, Vec<String>>;

/// One send-window rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRule {
    pub id: String,
    pub state: Option<String>,
    pub channels: Vec<String>,
    pub class: String,
    pub windows: WrittenWeek,
    pub operator_windows: Option<WrittenWeek>,
    pub eve_windows: Option<Vec<String>>,
    #[serde(default)]
    pub special_days: WrittenWeek,
    pub holidays: String,
    pub calendar: Option<String>,
    pub basis: String,
    pub confidence: String,
    #[serde(default)]
    pub consent_lifts: bool,
    pub frequency: Option<Frequency>,
    pub sources: Vec<String>,
    #[serde(default)]
    pub note: String,
}

/// How often one person may be approached; the counting is not done here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// Attempts in a period, answered or not.
    pub max_attempts: u32,
    /// The period, in calendar days.
    pub period_days: u32,
    /// Attempts a day.
    pub max_per_day: Option<u32>,
    /// Days of silence after a refusal.
    pub cooldown_after_refusal_days: Option<u32>,
}

/// One holiday calendar.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenCalendar {
    pub name: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub extends: Vec<String>,
    #[serde(default)]
    pub drop: Vec<String>,
    pub tabled_until: Option<i32>,
    #[serde(default)]
    pub days: Vec<WrittenDay>,
}

/// One holiday: `on` a rule or `dates` in a table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenDay {
    pub name: String,
    pub on: Option<String>,
    pub dates: Option<Vec<String>>,
    pub moved: Option<String>,
    pub observed: Option<String>,
    pub skip: Option<String>,
    pub since: Option<i32>,
    pub until: Option<i32>,
    pub every: Option<i32>,
}

/// Reads one file.
///
/// # Errors
/// `PackFault::File` with the key.
pub fn read(file: &str, text: &str) -> Result<WrittenFile, PackFault> {
    let wrong = |why: String| PackFault::File { file: file.into(), why: why.into() };
    if text.len() > FILE_BYTES_MAX {
        return Err(wrong(format!("more than {FILE_BYTES_MAX} octets")));
    }
    let document = Document::parse(text).map_err(|error| wrong(format!("not TOML: {}", error.message())))?;
    let value = table(document.as_table()).ok_or_else(|| wrong("dates are written as text".into()))?;
    serde_path_to_error::deserialize(value).map_err(|error| wrong(format!("{}: {}", error.path(), error.inner())))
}

/// TOML as JSON, so that serde reads it; TOML's own dates have no place here.
fn table(table: &dyn TableLike) -> Option<Value> {
    let mut object = Map::new();
    for (name, item) in table.iter() {
        let inner = match item {
            Item::Value(inner) => value(inner)?,
            Item::Table(inner) => self::table(inner)?,
            Item::ArrayOfTables(tables) => Value::Array(tables.iter().map(|inner| self::table(inner)).collect::<Option<_>>()?),
            Item::None => continue,
        };
        object.insert(name.into(), inner);
    }
    Some(Value::Object(object))
}

fn value(value: &toml_edit::Value) -> Option<Value> {
    Some(match value {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Float(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(flag) => Value::from(*flag.value()),
        toml_edit::Value::Array(items) => Value::Array(items.iter().map(self::value).collect::<Option<_>>()?),
        toml_edit::Value::InlineTable(inner) => table(inner)?,
        toml_edit::Value::Datetime(_) => return None,
    })
}
