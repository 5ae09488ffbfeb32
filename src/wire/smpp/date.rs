//! Calendar days and the dates of receipts.
//!
//! A receipt's date is in the SMSC's own local time, without a zone and often wrong: good for support, not for billing.
//! It is kept as it was said (`receipts.json` meta). Years of two digits are 2000 to 2099.

use std::fmt;

/// A date as a receipt says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date {
    /// Of four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to the last of the month.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Minutes ahead of UTC, a multiple of 15, if the date says so.
    pub offset: Option<i16>,
}

impl Date {
    /// Reads 10 digits YYMMDDhhmm, 12 YYMMDDhhmmss (or YYYYMMDDhhmm where that is impossible), 14 YYYYMMDDhhmmss, or the
    /// 16 characters YYMMDDhhmmsstnnp of SMPP. `None` for zeros and anything else.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Option<Date> {
        let mut digits = [0u8; 16];
        let count = octets.len();
        let all = digits.get_mut(..count)?;
        for (digit, octet) in all.iter_mut().zip(octets) {
            *digit = octet.wrapping_sub(b'0');
        }
        let plain = digits[..count].iter().take(15).all(|d| *d <= 9);
        if !plain {
            return None;
        }
        let two = |at: usize| digits[at] * 10 + digits[at + 1];
        let four = u16::from(two(0)) * 100 + u16::from(two(2));
        match count {
            10 => Date::new(2000 + u16::from(two(0)), [two(2), two(4), two(6), two(8), 0], None),
            12 => Date::new(2000 + u16::from(two(0)), [two(2), two(4), two(6), two(8), two(10)], None)
                .or_else(|| Date::new(four, [two(4), two(6), two(8), two(10), 0], None)),
            14 => Date::new(four, [two(4), two(6), two(8), two(10), two(12)], None),
            16 => {
                let quarters = two(13);
                let sign = match octets[15] {
                    b'+' => 1,
                    b'-' => -1,
                    _ => return None,
                };
                let offset = sign * i16::from(quarters) * 15;
                let date = Date::new(2000 + u16::from(two(0)), [two(2), two(4), two(6), two(8), two(10)], Some(offset));
                date.filter(|_| quarters <= 48)
            }
            _ => None,
        }
    }

    fn new(year: u16, [month, day, hour, minute, second]: [u8; 5], offset: Option<i16>) -> Option<Date> {
        let real = year >= 1970
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        real.then_some(Date { year, month, day, hour, minute, second, offset })
    }

    /// Seconds since 1970-01-01T00:00:00, in its own zone unless it has an offset.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        let days = days_from(i64::from(self.year), u32::from(self.month), u32::from(self.day));
        let clock = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        days * 86_400 + clock - i64::from(self.offset.unwrap_or(0)) * 60
    }
}

impl fmt::Display for Date {
    /// ISO 8601, with the offset if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day, hour, minute, second, offset } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match offset {
            Some(minutes) => {
                let sign = if *minutes < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years count from March, so that the odd month is last. A day the
/// month does not have, 0 too, counts on from its first.
#[must_use]
pub(super) fn days_from(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5) + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The reverse of [`days_from`]: year, month, day.
#[must_use]
pub(super) fn day_of(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * from_march + 2) / 5 + 1) as u32;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 } as u32;
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn iso(text: &str) -> Option<String> {
        Date::parse(text.as_bytes()).map(|d| d.to_string())
    }

    #[test]
    fn dates_of_every_length_are_read() {
        assert_eq!(iso("0809011130").unwrap(), "2008-09-01T11:30:00");
        assert_eq!(iso("110206193041").unwrap(), "2011-02-06T19:30:41");
        assert_eq!(iso("201506201641").unwrap(), "2015-06-20T16:41:00");
        assert_eq!(iso("20110314181534").unwrap(), "2011-03-14T18:15:34");
        assert_eq!(iso("180711070003912+").unwrap(), "2018-07-11T07:00:03+03:00");
        assert_eq!(iso("180711070003032-").unwrap(), "2018-07-11T07:00:03-08:00");
    }

    #[test]
    fn impossible_dates_and_zeros_are_none() {
        for bad in
            ["", "0000000000", "2613401299", "2602291200", "26010212", "1700000000000", "26010212x0", "260102120000000R", "2601022400"]
        {
            assert_eq!(iso(bad), None, "{bad}");
        }
        assert!(iso("2402291200").is_some());
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = Date::parse(&octets);
        }

        #[test]
        fn days_go_both_ways_and_agree_with_the_calendar(days in -100_000i64..100_000) {
            let (year, month, day) = day_of(days);
            prop_assert_eq!(days_from(year, month, day), days);
            let stamp = jiff::Timestamp::from_second(days * 86_400).unwrap();
            prop_assert_eq!(stamp.to_string(), format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
        }
    }
}
