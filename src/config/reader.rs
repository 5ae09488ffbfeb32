//! A table of the file, read key by key. Each getter names the key, its form and its bounds, notes what is wrong and
//! goes on with the default, so that one pass finds every mistake; keys that no getter asked for are unknown.
//!
//! A section is a function from `&mut Reader` to its struct, and reads as the section's documentation.

use super::limits::{Limit, SECRET_BYTES_MAX};
use super::near::did_you_mean;
use super::pass::Pass;
use super::quantity::{parse_bytes, parse_span, show_bytes, show_span};
use super::rules::Rule;
use super::values::{Choices, Wrong, integer, kind, list, pick, within, words};
use crate::base::{Secret, Span, Time};
use std::fmt::Display;
use std::path::Path;
use toml_edit::{Item, TableLike, Value};

/// See the file's head.
pub(super) struct Reader<'a> {
    pass: &'a Pass<'a>,
    table: Option<&'a dyn TableLike>,
    path: String,
    /// Where the table begins.
    at: usize,
    asked: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(pass: &'a Pass<'a>, table: Option<&'a dyn TableLike>, path: String, at: usize) -> Reader<'a> {
        Reader { pass, table, path, at, asked: Vec::new() }
    }

    /// Notes every key that no getter asked for.
    pub(super) fn finish(self) {
        let Some(table) = self.table else { return };
        for (key, _) in table.iter().filter(|(key, _)| !self.asked.contains(key)) {
            let at = table.key(key).and_then(|key| key.span()).map_or(self.at, |span| span.start);
            self.pass.stray(&self.path, key, at, &self.asked);
        }
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Finds the key's item and where it stands.
    fn find(&mut self, key: &'static str, form: impl FnOnce() -> String) -> Option<(&'a Item, usize)> {
        self.asked.push(key);
        if self.pass.schema {
            self.pass.known(self.full(key), form());
        }
        let item = self.table?.get(key)?;
        let at = self.table?.key(key).and_then(|key| key.span()).map_or(self.at, |span| span.start);
        self.pass.set_place(&self.full(key), at);
        Some((item, at))
    }

    /// The way of every value: found, parsed, shown; or noted as wrong.
    fn value<T>(
        &mut self,
        key: &'static str,
        form: impl FnOnce() -> String,
        parse: impl FnOnce(&Item) -> Result<T, Wrong>,
        show: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let (item, at) = self.find(key, form)?;
        match parse(item) {
            Ok(value) => {
                self.pass.setting(&self.full(key), show(&value));
                Some(value)
            }
            Err(wrong) => {
                let at = item.span().map_or(at, |span| span.start);
                self.pass.mistake_at(&self.full(key), at, wrong.what, wrong.hint);
                None
            }
        }
    }

    /// What `value` gives, or the default, which is then shown as what is in force.
    fn or<T>(&self, key: &str, found: Option<T>, default: T, show: impl FnOnce(&T) -> String) -> T {
        found.unwrap_or_else(|| {
            self.pass.setting(&self.full(key), show(&default));
            default
        })
    }

    fn missing(&self, key: &str, form: &str) {
        if !self.pass.schema && !self.pass.is_wrong(&self.full(key)) {
            self.pass.mistake_at(&self.full(key), self.at, "required, but missing", Some(form.to_owned()));
        }
    }

    // Numbers.

    /// A duration such as `"30s"`.
    pub(super) fn span(&mut self, key: &'static str, limit: &Limit<Span>) -> Span {
        let show = |span: &Span| format!("\"{}\"", show_span(*span));
        let parse = |item: &Item| {
            let guess = item.as_integer().map(|n| format!("did you mean \"{n}s\"?"));
            let text = item.as_str().ok_or_else(|| Wrong { hint: guess, ..Wrong::kind("a duration such as \"30s\"", item) })?;
            let span = parse_span(text).map_err(|meant| {
                Wrong::new("must be a whole number and one of ms, s, m, h, d", meant.map(|m| format!("did you mean \"{m}\"?")))
            })?;
            within(span, limit, |span| format!("\"{}\"", show_span(span)))
        };
        let form = || format!("duration, {} to {}, default {}", show_span(limit.min), show_span(limit.max), show_span(limit.default));
        let found = self.value(key, form, parse, show);
        self.or(key, found, limit.default, show)
    }

    /// A size such as `"64MiB"`, in octets.
    pub(super) fn bytes(&mut self, key: &'static str, limit: &Limit<u64>) -> u64 {
        let show = |bytes: &u64| format!("\"{}\"", show_bytes(*bytes));
        let parse = |item: &Item| {
            let guess = item.as_integer().and_then(|n| u64::try_from(n).ok()).map(|n| format!("did you mean \"{}\"?", show_bytes(n)));
            let text = item.as_str().ok_or_else(|| Wrong { hint: guess, ..Wrong::kind("a size such as \"64MiB\"", item) })?;
            let bytes = parse_bytes(text).map_err(|meant| {
                Wrong::new("must be a whole number and one of B, KiB, MiB, GiB", meant.map(|m| format!("did you mean \"{m}\"?")))
            })?;
            within(bytes, limit, |bytes| format!("\"{}\"", show_bytes(bytes)))
        };
        let form = || format!("size, {} to {}, default {}", show_bytes(limit.min), show_bytes(limit.max), show_bytes(limit.default));
        let found = self.value(key, form, parse, show);
        self.or(key, found, limit.default, show)
    }

    /// An integer.
    pub(super) fn integer<N: TryFrom<i64> + Into<i64> + Copy + PartialOrd + Display>(&mut self, key: &'static str, limit: &Limit<N>) -> N {
        let found = self.optional_integer(key, limit, &format!("default {}", limit.default));
        self.or(key, found, limit.default, N::to_string)
    }

    /// An integer without a fixed default; `absent` says what holds without it.
    pub(super) fn optional_integer<N: TryFrom<i64> + Into<i64> + Copy + PartialOrd + Display>(
        &mut self,
        key: &'static str,
        limit: &Limit<N>,
        absent: &str,
    ) -> Option<N> {
        let form = || format!("integer, {} to {}, {absent}", limit.min, limit.max);
        self.value(key, form, |item| integer(item.as_integer().ok_or_else(|| Wrong::kind("an integer", item))?, limit), N::to_string)
    }

    /// A number, whole or with a fraction.
    pub(super) fn number(&mut self, key: &'static str, limit: &Limit<f64>) -> f64 {
        let parse = |item: &Item| {
            let number = item.as_float().or(item.as_integer().map(|n| n as f64)).ok_or_else(|| Wrong::kind("a number", item))?;
            if number.is_nan() {
                return Err(Wrong::new("must be a number", None));
            }
            within(number, limit, |n| n.to_string())
        };
        let form = || format!("number, {} to {}, default {}", limit.min, limit.max, limit.default);
        let found = self.value(key, form, parse, f64::to_string);
        self.or(key, found, limit.default, f64::to_string)
    }

    /// A list of integers without repetition.
    pub(super) fn integers(&mut self, key: &'static str, limit: &Limit<u16>, count_max: usize) -> Vec<u16> {
        let show = |list: &Vec<u16>| format!("{list:?}");
        let form = || format!("list of integers, {} to {}, default [{}]", limit.min, limit.max, limit.default);
        let entry =
            |value: &Value| value.as_integer().ok_or_else(|| Wrong::new("must hold integers only", None)).and_then(|n| integer(n, limit));
        let found = self.value(key, form, |item| list(item, count_max, entry), show);
        self.or(key, found, vec![limit.default], show)
    }

    // Words.

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let parse = |item: &Item| {
            let guess = item.as_str().filter(|text| ["true", "false"].contains(text)).map(|text| format!("write {text} without quotes"));
            item.as_bool().ok_or_else(|| Wrong { hint: guess, ..Wrong::kind("true or false", item) })
        };
        let found = self.value(key, || format!("true or false, default {default}"), parse, bool::to_string);
        self.or(key, found, default, bool::to_string)
    }

    /// One of a few words; the first is the default.
    pub(super) fn choice<T: Copy + PartialEq>(&mut self, key: &'static str, choices: &Choices<T>) -> T {
        let form = || format!("one of {}, default {:?}", words(choices), choices[0].0);
        let show = |value: &T| format!("{:?}", choices.iter().find(|(_, one)| one == value).map_or("", |(word, _)| word));
        let parse = |item: &Item| pick(item.as_str().ok_or_else(|| Wrong::kind(&format!("one of {}", words(choices)), item))?, choices);
        let found = self.value(key, form, parse, show);
        self.or(key, found, choices[0].1, show)
    }

    /// Some of a few words, without repetition; the first `default` of them are the default.
    pub(super) fn choices<T: Copy + PartialEq>(&mut self, key: &'static str, choices: &Choices<T>, default: usize) -> Vec<T> {
        let defaults = &choices[..default];
        let form = || format!("any of {}, default [{}]", words(choices), words(defaults));
        let show = |list: &Vec<T>| {
            let shown: Vec<&str> = choices.iter().filter(|(_, one)| list.contains(one)).map(|(word, _)| *word).collect();
            format!("{shown:?}")
        };
        let entry =
            |value: &Value| value.as_str().ok_or_else(|| Wrong::new("must hold texts only", None)).and_then(|text| pick(text, choices));
        let parse = |item: &Item| {
            let some = list(item, choices.len(), entry)?;
            if some.is_empty() { Err(Wrong::new("must not be empty", Some(format!("any of {}", words(choices))))) } else { Ok(some) }
        };
        let found = self.value(key, form, parse, show);
        self.or(key, found, defaults.iter().map(|(_, one)| *one).collect(), show)
    }

    // Texts.

    /// A text of some form, with a default that has it too.
    pub(super) fn text<T>(&mut self, key: &'static str, default: &str, rule: &Rule<T>) -> T {
        match self.optional_text(key, &format!("default {default:?}"), rule) {
            Some(value) => value,
            None => {
                self.pass.setting(&self.full(key), format!("{default:?}"));
                (rule.parse)(default).expect("defaults have the form of their key")
            }
        }
    }

    /// A text that must be there. Without it, a placeholder stands in until the pass has failed.
    pub(super) fn required_text<T: Default>(&mut self, key: &'static str, rule: &Rule<T>) -> T {
        self.optional_text(key, "required", rule).unwrap_or_else(|| {
            self.missing(key, rule.form);
            T::default()
        })
    }

    /// A text that may be left out; `absent` says what holds without it (`optional`, for nothing).
    pub(super) fn optional_text<T>(&mut self, key: &'static str, absent: &str, rule: &Rule<T>) -> Option<T> {
        let form = || format!("{}, {absent}", rule.form);
        let parse = |item: &Item| {
            let text = item.as_str().ok_or_else(|| Wrong::kind("a text", item))?;
            Ok((rule.read(text)?, rule.shown(text)))
        };
        self.value(key, form, parse, |(_, shown)| shown.clone()).map(|(value, _)| value)
    }

    /// A list of texts of one form, without repetition.
    pub(super) fn texts(&mut self, key: &'static str, rule: &Rule<String>, count_max: usize) -> Vec<String> {
        let show = |list: &Vec<String>| format!("{list:?}");
        let entry = |value: &Value| value.as_str().ok_or_else(|| Wrong::new("must hold texts only", None)).and_then(|text| rule.read(text));
        let found = self.value(key, || format!("list of texts, each {}, default []", rule.form), |item| list(item, count_max, entry), show);
        self.or(key, found, Vec::new(), show)
    }

    /// An instant, RFC 3339 with an offset, with or without quotes.
    pub(super) fn optional_time(&mut self, key: &'static str) -> Option<Time> {
        let parse = |item: &Item| {
            let text = item.as_str().map(str::to_owned).or(item.as_datetime().map(ToString::to_string));
            text.and_then(|text| Time::parse_rfc3339(&text))
                .ok_or_else(|| Wrong::new("must be an instant with an offset", Some("write 2027-01-31T00:00:00Z".into())))
        };
        self.value(key, || "RFC 3339 instant with an offset, optional".into(), parse, |time| time.rfc3339())
    }

    // Secrets.

    /// A secret: `{ env = "NAME" }`, `{ file = "/path" }`, or (with a warning) the text itself.
    pub(super) fn optional_secret(&mut self, key: &'static str, absent: &str, rule: &Rule<()>) -> Option<Secret> {
        let (item, at) = self.find(key, || format!("secret: {}, {absent}", rule.form))?;
        let (path, pass) = (self.full(key), self.pass);
        if item.is_str() {
            let hint = "write { env = \"NAME\" } or { file = \"/path\" }";
            pass.warn(&path, "the secret stands in the file", Some(hint));
        }
        match fetch(item, pass).and_then(|text| rule.read(&text).map(|()| Secret::new(text))) {
            Ok(secret) => {
                pass.setting(&path, String::from("\"…\""));
                Some(secret)
            }
            Err(wrong) => {
                pass.mistake_at(&path, item.span().map_or(at, |span| span.start), wrong.what, wrong.hint);
                None
            }
        }
    }

    /// A secret that must be there.
    pub(super) fn required_secret(&mut self, key: &'static str, rule: &Rule<()>) -> Secret {
        self.optional_secret(key, "required", rule).unwrap_or_else(|| {
            self.missing(key, "write { env = \"NAME\" } or { file = \"/path\" }");
            Secret::default()
        })
    }

    // Tables.

    /// A section; absent means all defaults.
    pub(super) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        self.asked.push(key);
        let (path, mut at) = (self.full(key), self.at);
        let mut table = None;
        if let Some(item) = self.table.and_then(|table| table.get(key)) {
            at = item.span().map_or(at, |span| span.start);
            self.pass.set_place(&path, at);
            table = item.as_table_like();
            if table.is_none() {
                self.pass.mistake_at(&path, at, format!("must be a section, not {}", kind(item)), Some(format!("write [{path}]")));
            }
        }
        let mut reader = Reader::new(self.pass, table, path, at);
        let section = read(&mut reader);
        reader.finish();
        section
    }

    /// A section that means something by being there.
    pub(super) fn optional_table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> Option<T> {
        let there = self.table.is_some_and(|table| table.contains_key(key));
        if there || self.pass.schema {
            return Some(self.table(key, read));
        }
        self.asked.push(key);
        None
    }

    /// A list of sections, `[[key]]`.
    pub(super) fn list_of_tables<T>(&mut self, key: &'static str, count_max: usize, read: impl Fn(&mut Reader<'_>) -> T) -> Vec<T> {
        self.asked.push(key);
        let path = self.full(key);
        if self.pass.schema {
            return vec![read(&mut Reader::new(self.pass, None, format!("{path}[]"), 0))];
        }
        let Some(item) = self.table.and_then(|table| table.get(key)) else { return Vec::new() };
        let at = self.table.and_then(|table| table.key(key)).and_then(|key| key.span()).map_or(self.at, |span| span.start);
        self.pass.set_place(&path, at);
        let tables: Option<Vec<(&dyn TableLike, usize)>> = match item {
            Item::ArrayOfTables(list) => {
                Some(list.iter().map(|one| (one as &dyn TableLike, one.span().map_or(at, |span| span.start))).collect())
            }
            Item::Value(Value::Array(list)) => list
                .iter()
                .map(|one| one.as_inline_table().map(|table| (table as &dyn TableLike, one.span().map_or(at, |span| span.start))))
                .collect(),
            _ => None,
        };
        let Some(tables) = tables else {
            let header = path.split('[').next().unwrap_or_default().to_owned() + path.rsplit_once(']').map_or("", |(_, rest)| rest);
            self.pass.mistake_at(&path, at, format!("must be a list of sections, not {}", kind(item)), Some(format!("write [[{header}]]")));
            return Vec::new();
        };
        if tables.len() > count_max {
            self.pass.mistake_at(&path, at, format!("{} entries, more than {count_max}", tables.len()), None);
        }
        let read_one = |(index, (table, at)): (usize, (&'a dyn TableLike, usize))| {
            let path = format!("{path}[{index}]");
            self.pass.set_place(&path, at);
            let mut reader = Reader::new(self.pass, Some(table), path, at);
            let entry = read(&mut reader);
            reader.finish();
            entry
        };
        tables.into_iter().take(count_max).enumerate().map(read_one).collect()
    }

    /// A section whose keys are free, each with one of a few words.
    pub(super) fn map<K: PartialEq, T: Copy>(
        &mut self,
        key: &'static str,
        count_max: usize,
        rule: &Rule<K>,
        choices: &Choices<T>,
    ) -> Vec<(K, T)> {
        if self.pass.schema {
            self.pass.known(format!("{}.*", self.full(key)), format!("{} = one of {}", rule.form, words(choices)));
        }
        let mut entries: Vec<(K, T)> = Vec::new();
        self.table(key, |reader| {
            let Some(table) = reader.table else { return };
            for (name, item) in table.iter().take(count_max) {
                let path = reader.full(name);
                let at = table.key(name).and_then(|key| key.span()).map_or(reader.at, |span| span.start);
                let word = item
                    .as_str()
                    .ok_or_else(|| Wrong::kind(&format!("one of {}", words(choices)), item))
                    .and_then(|text| pick(text, choices));
                match (rule.read(name), word) {
                    (Ok(key), Ok(_)) if entries.iter().any(|(other, _)| *other == key) => {
                        reader.pass.mistake_at(&path, at, "given twice", None);
                    }
                    (Ok(key), Ok(word)) => {
                        reader.pass.setting(&path, format!("{:?}", item.as_str().unwrap_or_default()));
                        entries.push((key, word));
                    }
                    (key, word) => {
                        for wrong in [key.err(), word.err()].into_iter().flatten() {
                            reader.pass.mistake_at(&path, at, wrong.what, wrong.hint);
                        }
                    }
                }
            }
            if table.len() > count_max {
                reader.pass.mistake_at(&reader.path, reader.at, format!("more than {count_max} entries"), None);
            }
            reader.table = None; // Free keys are never unknown.
        });
        entries
    }
}

/// Gets a secret from where the file says it is. No error holds the secret or a part of it.
fn fetch(item: &Item, pass: &Pass<'_>) -> Result<String, Wrong> {
    if let Some(text) = item.as_str() {
        return Ok(text.to_owned());
    }
    let usage = || Some(String::from("write { env = \"NAME\" } or { file = \"/path\" }"));
    let table = item.as_table_like().ok_or_else(|| Wrong { hint: usage(), ..Wrong::kind("a secret", item) })?;
    let mut entries = table.iter();
    let (Some((source, name)), None) = (entries.next(), entries.next()) else {
        return Err(Wrong::new("must have exactly one of `env` and `file`", usage()));
    };
    let name = name.as_str().ok_or_else(|| Wrong::new(format!("`{source}` must be a text"), usage()))?;
    let (found, what) = match source {
        "env" => (pass.secrets.env(name), format!("the environment variable {name}")),
        "file" => (pass.secrets.file(Path::new(name)), format!("the file {name}")),
        _ => return Err(Wrong::new(format!("unknown source `{source}`"), did_you_mean(source, ["env", "file"]).or_else(usage))),
    };
    let text = found.map_err(|fault| Wrong::new(format!("{what} {fault}"), None))?;
    if text.len() > SECRET_BYTES_MAX {
        return Err(Wrong::new(format!("{what} is too long for a secret"), None));
    }
    // Editors end files with a line end, and shells print one.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
