//! The 16 characters of an SMPP time, `YYMMDDhhmmsstnnp` (SMPP 3.4 §7.1.1).
//!
//! Written: absolute in UTC, or relative in days and less, the two forms that no SMSC is known to misread. Read: both
//! forms with anything the specification allows. An empty time is the SMSC's default and is not handled here.

use super::date::{day_of, days_from};
use crate::base::{Span, Time};

/// The longest relative time written, in days; longer ones are clamped to it. Some phones count validity in 63 weeks,
/// some SMSCs in 63 days, and months are misread.
pub const RELATIVE_DAYS_MAX: u64 = 63;

/// What a time says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmppTime {
    /// An instant.
    Absolute(Time),
    /// From the moment the SMSC takes the message. Months count 30 days and years 365.
    Relative(Span),
}

/// `YYMMDDhhmmss000+`: an instant in UTC, its milliseconds dropped. Clamped to the years 2000 to 2099, which is all
/// that two digits can say.
#[must_use]
pub fn absolute(time: Time) -> [u8; 16] {
    // 2000-01-01T00:00:00 and 2099-12-31T23:59:59.
    let seconds = time.0.div_euclid(1_000).clamp(946_684_800, 4_102_444_799);
    let (year, month, day) = day_of(seconds.div_euclid(86_400));
    let clock = seconds.rem_euclid(86_400) as u32;
    let mut out = *b"000000000000000+";
    let fields = [(year - 2000) as u32, month, day, clock / 3_600, clock / 60 % 60, clock % 60];
    put(&mut out, fields);
    out
}

/// `0000DDhhmmss000R`: from now on, rounded up to whole seconds, at most [`RELATIVE_DAYS_MAX`] days.
#[must_use]
pub fn relative(span: Span) -> [u8; 16] {
    let seconds = span.0.div_ceil(1_000_000).min(RELATIVE_DAYS_MAX * 86_400) as u32;
    let mut out = *b"000000000000000R";
    put(&mut out, [0, 0, seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60]);
    out
}

fn put(out: &mut [u8; 16], fields: [u32; 6]) {
    for (pair, value) in out.chunks_exact_mut(2).zip(fields) {
        pair[0] = b'0' + (value / 10 % 10) as u8;
        pair[1] = b'0' + (value % 10) as u8;
    }
}

/// Reads either form; `None` unless it is 16 characters that make one.
#[must_use]
pub fn parse(octets: &[u8]) -> Option<SmppTime> {
    let octets: &[u8; 16] = octets.try_into().ok()?;
    if !octets[..15].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| i64::from(octets[at] - b'0');
    let two = |at: usize| digit(at) * 10 + digit(at + 1);
    let [year, month, day, hour, minute, second] = [two(0), two(2), two(4), two(6), two(8), two(10)];
    let (tenths, quarters) = (digit(12), two(13));
    let sign = match octets[15] {
        b'R' if quarters == 0 => {
            let days = year * 365 + month * 30 + day;
            let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
            return Some(SmppTime::Relative(Span::millis((seconds * 1_000 + tenths * 100) as u64)));
        }
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (year, month, day) = (2000 + year, month as u32, day as u32);
    let days = days_from(year, month.clamp(1, 12), day);
    // A day that the calendar does not have comes back as another one.
    if day_of(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 || quarters > 48 {
        return None;
    }
    let local = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(SmppTime::Absolute(Time((local - sign * quarters * 900) * 1_000 + tenths * 100)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_field_are_read() {
        assert_eq!(parse(b"000001000000000R"), Some(SmppTime::Relative(Span::secs(86_400))));
        assert_eq!(parse(b"000000003000000R"), Some(SmppTime::Relative(Span::secs(1_800))));
        let time = Time::parse_rfc3339("2026-12-31T23:59:00+01:00").unwrap();
        assert_eq!(parse(b"261231235900004+"), Some(SmppTime::Absolute(time)));
        let time = Time::parse_rfc3339("2026-12-31T23:59:00.500-08:00").unwrap();
        assert_eq!(parse(b"261231235900532-"), Some(SmppTime::Absolute(time)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            &b""[..],
            b"26123123590000+",
            b"261331235900000+",
            b"260001235900000+",
            b"260230000000000+",
            b"260100000000000+",
            // The day before the first of March, the first of the counted year.
            b"260300000000000+",
            b"261231240000000+",
            b"261231235900049+",
            b"000001000000004R",
            b"261231235900000Z",
            b"26123123590000 +",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn times_are_written_in_utc_and_clamped_to_what_two_digits_say() {
        assert_eq!(&absolute(Time::parse_rfc3339("2026-03-09T08:07:06.999Z").unwrap()), b"260309080706000+");
        assert_eq!(&absolute(Time(0)), b"000101000000000+");
        assert_eq!(&absolute(Time(i64::MAX)), b"991231235959000+");
    }

    #[test]
    fn spans_are_written_in_days_and_less_and_never_beyond_63_days() {
        assert_eq!(&relative(Span::secs(86_400)), b"000001000000000R");
        assert_eq!(&relative(Span::secs(3 * 86_400 + 3_661)), b"000003010101000R");
        assert_eq!(&relative(Span::micros(1)), b"000000000001000R");
        assert_eq!(&relative(Span::secs(100 * 86_400)), b"000063000000000R");
        assert_eq!(&relative(Span(u64::MAX)), b"000063000000000R");
    }

    proptest! {
        #[test]
        fn times_go_both_ways(seconds in 946_684_800i64..4_102_444_800, span in 0u64..63 * 86_400) {
            prop_assert_eq!(parse(&absolute(Time(seconds * 1_000))), Some(SmppTime::Absolute(Time(seconds * 1_000))));
            prop_assert_eq!(parse(&relative(Span::secs(span))), Some(SmppTime::Relative(Span::secs(span))));
        }

        #[test]
        fn any_octets_are_read_without_panic(octets in prop::collection::vec(prop_oneof![48u8..58, any::<u8>()], 16), end in prop_oneof![Just(b'+'), Just(b'-'), Just(b'R')]) {
            let mut octets = octets;
            let _ = parse(&octets);
            octets[15] = end;
            let _ = parse(&octets);
        }
    }
}
