//! One pass over a file: what is gathered while sections are read. Readers share it; it never decides anything.

use super::limits::MISTAKES_MAX;
use super::mistake::Mistake;
use super::near::did_you_mean;
use super::secrets::SecretSource;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

/// A key the reader knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The dotted path, `[]` for the entries of a list, `*` for free keys: `carriers[].status.*`.
    pub path: String,
    /// What it may hold: `duration, 100ms to 5m, default 30s`.
    pub form: String,
}

/// A key of the file that no section asked for.
struct Stray {
    table: String,
    key: String,
    at: usize,
    hint: Option<String>,
}

#[derive(Default)]
struct Gathered {
    mistakes: Vec<Mistake>,
    /// Paths of values that are wrong by themselves, so that nothing is concluded from them.
    wrong: HashSet<String>,
    warnings: Vec<Mistake>,
    /// Where each key and table that was read begins, as an offset into the text.
    places: BTreeMap<String, usize>,
    settings: Vec<(String, String)>,
    known: Vec<Known>,
    strays: Vec<Stray>,
}

/// See the file's head.
pub(super) struct Pass<'a> {
    text: &'a str,
    /// The offset of each line.
    lines: Vec<usize>,
    pub(super) secrets: &'a dyn SecretSource,
    /// A pass over nothing, to learn which keys there are.
    pub(super) schema: bool,
    gathered: RefCell<Gathered>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(text: &'a str, secrets: &'a dyn SecretSource, schema: bool) -> Pass<'a> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Pass { text, lines, secrets, schema, gathered: RefCell::default() }
    }

    /// Line and column, both from 1, the column in characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let before = self.text.get(self.lines[line - 1]..at).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    fn said(&self, path: &str, at: usize, what: String, hint: Option<String>) -> Mistake {
        let (line, column) = self.position(at);
        Mistake { key: path.to_owned(), line, column, what, hint }
    }

    /// Notes that what stands at a place of the file is wrong by itself.
    pub(super) fn mistake_at(&self, path: &str, at: usize, what: impl Into<String>, hint: Option<String>) {
        self.gathered.borrow_mut().wrong.insert(path.to_owned());
        self.note(self.said(path, at, what.into(), hint));
    }

    /// Notes a contradiction at the place of a key, or of the nearest table around it. The value by itself stays right:
    /// it may contradict others too.
    pub(super) fn mistake(&self, path: &str, what: impl Into<String>, hint: Option<String>) {
        self.note(self.said(path, self.place(path), what.into(), hint));
    }

    fn note(&self, mistake: Mistake) {
        let mut gathered = self.gathered.borrow_mut();
        if gathered.mistakes.len() < MISTAKES_MAX {
            gathered.mistakes.push(mistake);
        }
    }

    /// Notes a warning at the place of a key.
    pub(super) fn warn(&self, path: &str, what: impl Into<String>, hint: Option<&str>) {
        let warning = self.said(path, self.place(path), what.into(), hint.map(str::to_owned));
        self.gathered.borrow_mut().warnings.push(warning);
    }

    fn place(&self, path: &str) -> usize {
        let gathered = self.gathered.borrow();
        let mut path = path;
        loop {
            match (gathered.places.get(path), path.rfind(['.', '['])) {
                (Some(at), _) => return *at,
                (None, Some(end)) => path = &path[..end],
                (None, None) => return 0,
            }
        }
    }

    /// Whether a key of the file, as against a default, was read at this path.
    pub(super) fn is_set(&self, path: &str) -> bool {
        self.gathered.borrow().places.contains_key(path)
    }

    /// Whether the key is wrong by itself, so that nothing should be concluded from its value.
    pub(super) fn is_wrong(&self, path: &str) -> bool {
        self.gathered.borrow().wrong.contains(path)
    }

    /// More than this many and nobody reads the hints; searching for them would only cost time.
    pub(super) fn is_full(&self) -> bool {
        self.gathered.borrow().mistakes.len() >= MISTAKES_MAX
    }

    pub(super) fn set_place(&self, path: &str, at: usize) {
        self.gathered.borrow_mut().places.insert(path.to_owned(), at);
    }

    pub(super) fn setting(&self, path: &str, value: String) {
        self.gathered.borrow_mut().settings.push((path.to_owned(), value));
    }

    pub(super) fn known(&self, path: String, form: String) {
        self.gathered.borrow_mut().known.push(Known { path, form });
    }

    pub(super) fn stray(&self, table: &str, key: &str, at: usize, siblings: &[&'static str]) {
        let hint = if self.is_full() { None } else { did_you_mean(key, siblings.iter().copied()) };
        self.gathered.borrow_mut().strays.push(Stray { table: table.to_owned(), key: key.to_owned(), at, hint });
    }

    /// Turns the keys nobody asked for into mistakes. One that is right elsewhere (a key below the wrong header is the
    /// usual slip of TOML) is told where.
    pub(super) fn report_strays(&self, known: &[Known]) {
        let strays = std::mem::take(&mut self.gathered.borrow_mut().strays);
        for stray in strays {
            let path = if stray.table.is_empty() { stray.key.clone() } else { format!("{}.{}", stray.table, stray.key) };
            let hint = stray.hint.or_else(|| elsewhere(&stray.key, known));
            self.mistake_at(&path, stray.at, "unknown key", hint);
        }
    }

    /// Ends the pass: mistakes and warnings in the order of the file, then what was set, then what is known.
    #[allow(clippy::type_complexity, reason = "taken apart at once by its one caller")]
    pub(super) fn finish(self) -> (Vec<Mistake>, Vec<Mistake>, Vec<(String, String)>, Vec<Known>) {
        let mut gathered = self.gathered.into_inner();
        gathered.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        gathered.warnings.sort_by_key(|warning| (warning.line, warning.column));
        (gathered.mistakes, gathered.warnings, gathered.settings, gathered.known)
    }
}

/// The one section that has this key.
fn elsewhere(key: &str, known: &[Known]) -> Option<String> {
    let mut homes =
        known.iter().filter(|known| known.path == key || known.path.strip_suffix(key).is_some_and(|table| table.ends_with('.')));
    let home = homes.next().filter(|_| homes.next().is_none())?;
    Some(match home.path.rsplit_once('.') {
        None => format!("`{key}` belongs above the first section"),
        Some((table, _)) => match table.strip_suffix("[]") {
            Some(list) => format!("`{key}` belongs in [[{}]]", list.replace("[]", "")),
            None => format!("`{key}` belongs in [{}]", table.replace("[]", "")),
        },
    })
}
