//! The filters a text may use. Each gives at most [`LEN_MAX`] octets, so that no chain of them grows beyond its length times
//! that; and all of one rendering together are given at most [`WORK_MAX`], because fuel counts steps and not what they cost.

use jiff::civil::{Date, DateTime};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use std::cell::Cell;

/// Their names.
pub(super) const NAMES: [&str; 14] =
    ["capitalize", "d", "date", "default", "fixed", "float", "int", "length", "lower", "replace", "title", "trim", "truncate", "upper"];

/// Longest value a filter gives, in octets.
const LEN_MAX: usize = 16 * 1024;

/// Octets that the filters of one rendering are given, all together: six times the longest text. Some 10 ns an octet.
const WORK_MAX: usize = 64 * 1024;

thread_local! {
    /// What filters were given on this thread, ever (it wraps), and when the rendering at hand began: it stays on its thread.
    static WORK: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// A rendering begins.
pub(super) fn begin() {
    let (work, _) = WORK.get();
    WORK.set((work, work));
}

/// Octets that filters were given on this thread, ever: for differences.
pub(super) fn work() -> usize {
    WORK.get().0
}

/// A text, if there is work left for so much of it.
fn given(text: &str) -> Result<&str, Error> {
    let (work, begun) = WORK.get();
    let work = work.wrapping_add(text.len());
    WORK.set((work, begun));
    if work.wrapping_sub(begun) > WORK_MAX { Err(Error::new(ErrorKind::OutOfFuel, "the filters are given too much")) } else { Ok(text) }
}

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("upper", |text: &str| bounded(given(text)?.to_uppercase()));
    environment.add_filter("lower", |text: &str| bounded(given(text)?.to_lowercase()));
    environment.add_filter("capitalize", |text: &str| bounded(capital(given(text)?)));
    environment.add_filter("title", |text: &str| bounded(title(given(text)?)));
    environment.add_filter("trim", |text: &str| given(text).map(|text| text.trim().to_owned()));
    environment.add_filter("truncate", truncate);
    environment.add_filter("replace", replace);
    environment.add_filter("length", |text: &str| given(text).map(|text| text.chars().count()));
    environment.add_filter("int", |value: Value| number(&value).map(|number| number.trunc() as i64));
    environment.add_filter("float", |value: Value| number(&value));
    environment.add_filter("fixed", fixed);
    environment.add_filter("date", date);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_test("defined", |value: Value| !value.is_undefined());
    environment.add_test("undefined", |value: Value| value.is_undefined());
}

/// What filters say of values; no value is in it.
const REASONS: [&str; 6] =
    ["the value is too long", "nothing to replace", "not a number", "at most 9 decimals", "not a date", "not a format"];

/// Why a filter refused, in words that may be told.
pub(super) fn reason(error: &Error) -> Option<&'static str> {
    // It may have been wrapped on its way.
    let said = error.detail()?;
    REASONS.into_iter().find(|reason| *reason == said)
}

fn invalid(why: &'static str) -> Error {
    debug_assert!(REASONS.contains(&why), "what is told is in the list");
    Error::new(ErrorKind::InvalidOperation, why)
}

fn bounded(text: String) -> Result<String, Error> {
    if text.len() > LEN_MAX { Err(invalid("the value is too long")) } else { Ok(text) }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters.as_str().to_lowercase().chars()).collect())
}

/// Each word with a capital; words begin after anything but letters and apostrophes.
fn title(text: &str) -> String {
    let mut is_start = true;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_start {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        is_start = !(character.is_alphanumeric() || character == '\'' || character == '\u{2019}');
    }
    out
}

/// At most so many characters, the end included.
fn truncate(text: &str, most: usize, end: Option<&str>) -> Result<String, Error> {
    if given(text)?.chars().count() <= most {
        return Ok(text.to_owned());
    }
    let end = end.unwrap_or_default();
    let kept = most.saturating_sub(end.chars().count());
    bounded(text.chars().take(kept).chain(end.chars()).collect())
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    given(text)?;
    if from.is_empty() {
        return Err(invalid("nothing to replace"));
    }
    let grown = text.matches(from).count().saturating_mul(to.len());
    if text.len().saturating_add(grown) > LEN_MAX {
        return Err(invalid("the value is too long"));
    }
    Ok(text.replace(from, to))
}

fn number(value: &Value) -> Result<f64, Error> {
    let number = match value.as_str() {
        Some(text) => given(text)?.trim().parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| invalid("not a number"))
}

/// A number with so many decimals, and this in the place of the point.
fn fixed(value: Value, decimals: usize, point: Option<&str>) -> Result<String, Error> {
    if decimals > 9 {
        return Err(invalid("at most 9 decimals"));
    }
    let text = format!("{:.decimals$}", number(&value)?);
    bounded(point.map_or_else(|| text.clone(), |point| text.replace('.', point)))
}

/// `2026-12-01` or `2026-12-01T09:00:00…` as the format says (strftime).
fn date(value: &str, format: &str) -> Result<String, Error> {
    if format.len() > 64 || value.len() > 64 {
        return Err(invalid("the value is too long"));
    }
    // The wall clock that was written is meant, whatever its offset.
    let wall = value.get(..19).and_then(|text| text.parse::<DateTime>().ok()).or_else(|| value.parse::<Date>().ok().map(Date::into));
    let wall = wall.ok_or_else(|| invalid("not a date"))?;
    let mut out = String::new();
    // Widths (%200d) would be repetition by another name.
    if format.as_bytes().windows(2).any(|pair| pair[0] == b'%' && pair[1].is_ascii_digit()) {
        return Err(invalid("not a format"));
    }
    jiff::fmt::strtime::BrokenDownTime::from(wall).format(format, &mut out).map_err(|_| invalid("not a format"))?;
    bounded(out)
}

/// The value, or this when there is none or (as most lists mean it) it is empty.
fn default(value: Value, other: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    options.assert_all_used()?;
    let is_empty = value.is_undefined() || value.is_none() || value.as_str() == Some("");
    Ok(if is_empty { other.unwrap_or_else(|| Value::from("")) } else { value })
}
