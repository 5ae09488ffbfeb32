//! Durations (`"250ms"`, `"30s"`, `"72h"`) and sizes (`"64MiB"`): a whole number and a unit, nothing else.

use crate::base::Span;

/// Units of time in microseconds, small to large, each with what people write instead.
const TIMES: [(&str, u64, &[&str]); 5] = [
    ("ms", 1_000, &["msec", "millis", "milliseconds", "millisecond"]),
    ("s", 1_000_000, &["sec", "secs", "second", "seconds"]),
    ("m", 60_000_000, &["min", "mins", "minute", "minutes"]),
    ("h", 3_600_000_000, &["hr", "hrs", "hour", "hours"]),
    ("d", 86_400_000_000, &["day", "days"]),
];

/// Units of size in octets; powers of 1,024 only, so that no reader has to guess.
const SIZES: [(&str, u64, &[&str]); 4] = [
    ("B", 1, &["b", "byte", "bytes", "octets"]),
    ("KiB", 1 << 10, &["k", "kb", "kib"]),
    ("MiB", 1 << 20, &["m", "mb", "mib"]),
    ("GiB", 1 << 30, &["g", "gb", "gib"]),
];

/// Reads a duration. The error is the text that was probably meant, if one can be guessed.
pub fn parse_span(text: &str) -> Result<Span, Option<String>> {
    parse(text, &TIMES).map(Span)
}

/// Reads a size in octets. The error is the text that was probably meant, if one can be guessed.
pub fn parse_bytes(text: &str) -> Result<u64, Option<String>> {
    parse(text, &SIZES)
}

/// The duration in the largest unit that shows it whole; days only beyond 72 hours, as the trade says it.
#[must_use]
pub fn show_span(span: Span) -> String {
    let usable = if span.0 > 72 * 3_600_000_000 { &TIMES[..] } else { &TIMES[..4] };
    show(span.0, usable)
}

/// The size in the largest unit that shows it whole.
#[must_use]
pub fn show_bytes(bytes: u64) -> String {
    show(bytes, &SIZES)
}

fn parse(text: &str, units: &[(&str, u64, &[&str])]) -> Result<u64, Option<String>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let Ok(number) = number.parse::<u64>() else { return Err(None) };
    if let Some((_, factor, _)) = units.iter().find(|(name, ..)| *name == unit) {
        return number.checked_mul(*factor).ok_or(None);
    }
    let loose = unit.trim().to_lowercase();
    let meant = units.iter().find(|(name, _, others)| name.to_lowercase() == loose || others.contains(&loose.as_str()));
    Err(meant.map(|(name, ..)| format!("{number}{name}")))
}

fn show(value: u64, units: &[(&str, u64, &[&str])]) -> String {
    let (name, factor, _) =
        units.iter().rev().find(|(_, factor, _)| value.is_multiple_of(*factor) && value >= *factor).unwrap_or(&units[0]);
    format!("{}{name}", value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_go_both_ways() {
        for (text, span) in [
            ("250ms", Span::millis(250)),
            ("30s", Span::secs(30)),
            ("72h", Span::secs(72 * 3600)),
            ("7d", Span::secs(7 * 86_400)),
            ("0ms", Span(0)),
        ] {
            assert_eq!(parse_span(text), Ok(span), "{text}");
            assert_eq!(show_span(span), text);
        }
    }

    #[test]
    fn sizes_go_both_ways() {
        for (text, bytes) in [("8KiB", 8192), ("64MiB", 64 << 20), ("2GiB", 2 << 30), ("1025B", 1025), ("0B", 0)] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
            assert_eq!(show_bytes(bytes), text);
        }
    }

    #[test]
    fn a_near_miss_is_guessed_and_nonsense_is_not() {
        assert_eq!(parse_span("30 sec"), Err(Some("30s".into())));
        assert_eq!(parse_span("5min"), Err(Some("5m".into())));
        assert_eq!(parse_span("1.5s"), Err(None));
        assert_eq!(parse_span("-1s"), Err(None));
        assert_eq!(parse_span("s"), Err(None));
        assert_eq!(parse_span("99999999999999999999s"), Err(None));
        assert_eq!(parse_span("18446744073709551615d"), Err(None));
        assert_eq!(parse_bytes("64MB"), Err(Some("64MiB".into())));
        assert_eq!(parse_bytes("64mib"), Err(Some("64MiB".into())));
        assert_eq!(parse_bytes("1é"), Err(None));
    }
}
