//! ISO 8601 durations of fixed length: `PT1H`, `P1D`, `P2W`, `P1DT12H30M`. Months and years are none: nobody can say how
//! long they are. A day is 24 hours, whatever the clocks of the recipient do in it.

use crate::base::Span;

/// Most digits of one number: more is a mistake, and nothing here can overflow.
const DIGITS_MAX: usize = 9;

/// Reads a duration, capitals as the standard has them; `None` for anything else, fractions included.
#[must_use]
pub fn duration(text: &str) -> Option<Span> {
    let rest = text.strip_prefix('P')?;
    if let Some(weeks) = rest.strip_suffix('W') {
        return Some(Span::secs(number(weeks)? * 7 * 86_400));
    }
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None if rest.is_empty() => return None,
        None => (rest, ""),
    };
    let mut seconds = if date.is_empty() { 0 } else { number(date.strip_suffix('D')?)? * 86_400 };
    let mut time = time;
    for (letter, unit) in [('H', 3_600), ('M', 60), ('S', 1)] {
        if let Some((count, rest)) = time.split_once(letter) {
            seconds += number(count)? * unit;
            time = rest;
        }
    }
    time.is_empty().then(|| Span::secs(seconds))
}

fn number(digits: &str) -> Option<u64> {
    let is_number = (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_fixed_length_are_read() {
        for (text, seconds) in [
            ("PT1H", 3_600),
            ("P1D", 86_400),
            ("P2W", 14 * 86_400),
            ("P1DT12H", 129_600),
            ("PT1H30M", 5_400),
            ("PT90M", 5_400),
            ("PT1M1S", 61),
            ("PT0S", 0),
            ("P800D", 800 * 86_400),
            ("PT999999999H", 3_599_999_996_400),
        ] {
            assert_eq!(duration(text), Some(Span::secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "P",
            "PT",
            "1H",
            "PT1",
            "P1H",
            "PT1D",
            "P1Y",
            "P1M",
            "PT1.5H",
            "PT1M1H",
            "P1DT",
            "P-1D",
            "+PT1H",
            "pt1h",
            "PT1HT1M",
            "P1W1D",
            "PT1H ",
            "PT1H1H",
            "P1D1D",
            "PT9999999999H",
            "PT１H",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
