//! A civil date as one number, so that tables are small and comparisons cheap. Proleptic Gregorian; no zone, no clock.

use std::fmt;

/// A civil date: days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// The day of the week, Monday first (ISO 8601).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Weekday {
    /// All, in order; the index is the number from Monday.
    pub const ALL: [Weekday; 7] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

    /// `mon` to `sun`, as the rule files write it.
    #[must_use]
    pub fn parse(word: &str) -> Option<Weekday> {
        const WORDS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        WORDS.iter().position(|one| *one == word).map(|at| Weekday::ALL[at])
    }
}

impl Day {
    /// From year, month and day of the month; `None` when there is no such date (30 February). Years 1 to 9999.
    #[must_use]
    pub fn new(year: i32, month: u8, day: u8) -> Option<Day> {
        let date = Day::unchecked(year, month, day);
        ((1..=9999).contains(&year) && date.parts() == (year, month, day)).then_some(date)
    }

    /// The civil-to-days sum over eras of 400 years; a day too many runs into the next month.
    fn unchecked(year: i32, month: u8, day: u8) -> Day {
        let (month, day) = (i32::from(month), i32::from(day));
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Day(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
    }

    /// Year, month (1 to 12) and day of the month.
    #[must_use]
    pub fn parts(self) -> (i32, u8, u8) {
        let from_era = self.0 + 719_468;
        let era = from_era.div_euclid(146_097);
        let of_era = from_era.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        (year, month as u8, day as u8)
    }

    /// The day of the week (1970-01-01 was a Thursday).
    #[must_use]
    pub fn weekday(self) -> Weekday {
        Weekday::ALL[(self.0 + 3).rem_euclid(7) as usize]
    }

    /// `days` later, or earlier when negative.
    #[must_use]
    pub const fn plus(self, days: i32) -> Day {
        Day(self.0 + days)
    }

    /// The first such weekday on this day or after it.
    #[must_use]
    pub fn on_or_after(self, wanted: Weekday) -> Day {
        self.plus((wanted as i32 - self.weekday() as i32).rem_euclid(7))
    }

    /// The last such weekday before this day.
    #[must_use]
    pub fn before(self, wanted: Weekday) -> Day {
        self.plus(-7).on_or_after(wanted)
    }

    /// Easter Sunday of the western churches (the anonymous Gregorian computus).
    #[must_use]
    pub fn easter(year: i32) -> Day {
        let (a, b, c) = (year % 19, year / 100, year % 100);
        let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
        let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
        let m = (a + 11 * h + 22 * l) / 451;
        let sum = h + l - 7 * m + 114;
        Day::unchecked(year, (sum / 31) as u8, (sum % 31 + 1) as u8)
    }

    /// `2026-11-21`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Day> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let shape = year.len() == 4 && month.len() == 2 && day.len() == 2 && parts.next().is_none();
        if !shape || !text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-') {
            return None;
        }
        Day::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_another_calendar() {
        let mut date = jiff::civil::date(1999, 12, 25);
        for n in 0..40_000 {
            let day = Day(Day::parse("1999-12-25").expect("a date").0 + n);
            assert_eq!(day.to_string(), date.to_string());
            assert_eq!(day.weekday() as i8, date.weekday().to_monday_zero_offset());
            assert_eq!(Day::parse(&date.to_string()), Some(day));
            date = date.tomorrow().expect("a date");
        }
    }

    #[test]
    fn easter_is_where_the_church_puts_it() {
        for (year, easter) in [(2024, "2024-03-31"), (2025, "2025-04-20"), (2026, "2026-04-05"), (2038, "2038-04-25"), (2285, "2285-03-22")]
        {
            assert_eq!(Day::easter(year).to_string(), easter);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["2026-02-29", "2026-13-01", "2026-00-10", "2026-1-1", "26-01-01", "2026-01-01-", "+026-01-01", "2026-01-32", ""] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
