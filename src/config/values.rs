//! Values of the file as they are judged: within bounds, one of some words, a list without repetition. No state.

use super::limits::Limit;
use super::near::did_you_mean;
use toml_edit::{Item, Value};

/// Why a value is not taken: what is wrong, and what would be right.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, hint: Option<String>) -> Wrong {
        Wrong { what: what.into(), hint }
    }
    pub(super) fn kind(wanted: &str, item: &Item) -> Wrong {
        Wrong::new(format!("must be {wanted}, not {}", kind(item)), None)
    }
}

/// The words of a choice and what each means.
pub(super) type Choices<T> = [(&'static str, T)];

/// Refuses what lies outside, and names the nearest bound.
pub(super) fn within<T: PartialOrd + Copy>(value: T, limit: &Limit<T>, show: impl Fn(T) -> String) -> Result<T, Wrong> {
    let nearest = if value < limit.min {
        limit.min
    } else if value > limit.max {
        limit.max
    } else {
        return Ok(value);
    };
    let what = format!("{} is not within {} to {}", show(value), show(limit.min), show(limit.max));
    Err(Wrong::new(what, Some(format!("the nearest is {}", show(nearest)))))
}

/// An integer of a narrow type, within bounds.
pub(super) fn integer<N: TryFrom<i64> + Into<i64> + Copy>(number: i64, limit: &Limit<N>) -> Result<N, Wrong> {
    let wide = Limit { default: limit.default.into(), min: limit.min.into(), max: limit.max.into() };
    let number = within(number, &wide, |n| n.to_string())?;
    Ok(N::try_from(number).ok().expect("it is within the bounds of its type"))
}

/// A list whose entries have one form and differ from each other.
pub(super) fn list<T: PartialEq>(item: &Item, count_max: usize, entry: impl Fn(&Value) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    let array = item.as_array().ok_or_else(|| Wrong::kind("a list", item))?;
    if array.len() > count_max {
        return Err(Wrong::new(format!("{} entries, more than {count_max}", array.len()), None));
    }
    let mut entries = Vec::with_capacity(array.len());
    for value in array {
        let one = entry(value)?;
        if entries.contains(&one) {
            return Err(Wrong::new("has an entry twice", None));
        }
        entries.push(one);
    }
    Ok(entries)
}

/// The meaning of a word, or the nearest word.
pub(super) fn pick<T: Copy>(text: &str, choices: &Choices<T>) -> Result<T, Wrong> {
    let found = choices.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let given: String = text.chars().take(40).collect();
        Wrong::new(format!("{given:?} is not one of {}", words(choices)), did_you_mean(text, choices.iter().map(|(word, _)| *word)))
    })
}

/// The words, as messages list them.
pub(super) fn words<T>(choices: &Choices<T>) -> String {
    choices.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

/// What a value is, as messages call it.
pub(super) fn kind(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Table(_) | Item::Value(Value::InlineTable(_)) => "a section",
        Item::ArrayOfTables(_) => "a list of sections",
        Item::Value(Value::String(_)) => "a text",
        Item::Value(Value::Integer(_)) => "an integer",
        Item::Value(Value::Float(_)) => "a number with a fraction",
        Item::Value(Value::Boolean(_)) => "true or false",
        Item::Value(Value::Datetime(_)) => "a date",
        Item::Value(Value::Array(_)) => "a list",
    }
}
