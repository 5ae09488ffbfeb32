//! One holiday as the law writes it: a fixed date, days from Easter, the nth weekday of a month, the weekday before or from
//! a date, a table of dates; with what happens on a weekend. Computes dates; knows nothing of calendars or names of countries.
//! A text that is no rule is `None`, told by the caller with its place.

use super::day::{Day, Weekday};

/// When in a year a holiday falls, before any shift.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum On {
    /// `12-25`: month and day. 29 February falls only in leap years.
    Date(u8, u8),
    /// `easter+39`, `easter-2`, `easter`: days from Easter Sunday, -100 to 100.
    Easter(i32),
    /// `3rd mon 01`, `4th thu 11 +1`: the nth such weekday of a month, and days from it (-31 to 31).
    Nth(u8, Weekday, u8, i32),
    /// `last mon 05`.
    Last(Weekday, u8, i32),
    /// `mon before 05-25`: the last one before the date, never on it.
    Before(Weekday, u8, u8),
    /// `mon from 01-06`: on the date or the first one after it.
    From(Weekday, u8, u8),
}

impl On {
    /// Reads one of the forms above.
    #[must_use]
    pub fn parse(text: &str) -> Option<On> {
        if let Some(rest) = text.strip_prefix("easter") {
            let days = if rest.is_empty() { 0 } else { signed(rest, 100)? };
            return Some(On::Easter(days));
        }
        let words: Vec<&str> = text.split(' ').collect();
        let offset = |at: usize| words.get(at).map_or(Some(0), |word| signed(word, 31));
        match words[..] {
            [date] => month_day(date).map(|(month, day)| On::Date(month, day)),
            [weekday, "before", date] => month_day(date).and_then(|(m, d)| Some(On::Before(Weekday::parse(weekday)?, m, d))),
            [weekday, "from", date] => month_day(date).and_then(|(m, d)| Some(On::From(Weekday::parse(weekday)?, m, d))),
            ["last", weekday, month] | ["last", weekday, month, _] => {
                Some(On::Last(Weekday::parse(weekday)?, two_digits(month, 12)?, offset(3)?))
            }
            [nth, weekday, month] | [nth, weekday, month, _] => {
                let nth = ["1st", "2nd", "3rd", "4th", "5th"].iter().position(|one| *one == nth)? as u8 + 1;
                Some(On::Nth(nth, Weekday::parse(weekday)?, two_digits(month, 12)?, offset(3)?))
            }
            _ => None,
        }
    }

    /// The date in `year`; `None` when the year has none (29 February, a fifth Monday).
    #[must_use]
    pub fn in_year(self, year: i32) -> Option<Day> {
        match self {
            On::Date(month, day) => Day::new(year, month, day),
            On::Easter(days) => Some(Day::easter(year).plus(days)),
            On::Nth(nth, weekday, month, days) => {
                let date = Day::new(year, month, 1)?.on_or_after(weekday).plus(7 * (i32::from(nth) - 1));
                (date.parts().1 == month).then(|| date.plus(days))
            }
            On::Last(weekday, month, days) => {
                let (year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Some(Day::new(year, next, 1)?.before(weekday).plus(days))
            }
            On::Before(weekday, month, day) => Some(Day::new(year, month, day)?.before(weekday)),
            On::From(weekday, month, day) => Some(Day::new(year, month, day)?.on_or_after(weekday)),
        }
    }
}

/// `sat>fri sun>mon`: from a weekday to the nearest other one (Saturday to Friday is a day back, to Monday two on).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shift([Option<Weekday>; 7]);

impl Shift {
    /// Reads pairs separated by a space.
    #[must_use]
    pub fn parse(text: &str) -> Option<Shift> {
        let mut shift = Shift::default();
        for pair in text.split(' ') {
            let (from, to) = pair.split_once('>')?;
            shift.0[Weekday::parse(from)? as usize] = Some(Weekday::parse(to)?);
        }
        Some(shift)
    }

    /// Where a holiday on this day is moved; `None` when it stays.
    #[must_use]
    pub fn of(&self, day: Day) -> Option<Day> {
        let to = self.0[day.weekday() as usize]?;
        let on = day.on_or_after(to);
        let back = day.before(to);
        Some(if on.0 - day.0 < day.0 - back.0 { on } else { back })
    }
}

/// What is added when a holiday falls on a weekend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observed {
    /// Nothing.
    Never,
    /// Another day too, by a shift (United States, South Africa, Canada).
    Shifted(Shift),
    /// The next weekday that is no holiday yet (United Kingdom, Christmas and Boxing Day).
    NextFree,
}

/// The years in which a rule holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Years {
    /// The first.
    pub since: i32,
    /// The last.
    pub until: i32,
    /// Every so many years from `since`; 1 for each.
    pub every: i32,
}

impl Years {
    /// Whether the rule holds in `year`.
    #[must_use]
    pub const fn hold(&self, year: i32) -> bool {
        year >= self.since && year <= self.until && (self.every == 1 || (year - self.since) % self.every == 0)
    }
}

/// One holiday.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holiday {
    /// Computed each year.
    Ruled {
        /// Where it falls.
        on: On,
        /// Where it goes instead on some weekdays (the first date is then no holiday).
        moved: Shift,
        /// What it adds on some weekdays.
        observed: Observed,
        /// The weekdays on which it is dropped, by number from Monday (Spain: Sundays).
        skip: [bool; 7],
        /// When it holds.
        years: Years,
    },
    /// Announced or one-off: the dates themselves.
    Tabled(Box<[Day]>),
}

/// `-2`, `+39`, at most `most` away.
fn signed(text: &str, most: i32) -> Option<i32> {
    let number: i32 = text.strip_prefix('+').unwrap_or(text).parse().ok()?;
    (text.starts_with(['+', '-']) && number.abs() <= most).then_some(number)
}

fn two_digits(text: &str, most: u8) -> Option<u8> {
    let number: u8 = text.parse().ok()?;
    (text.len() == 2 && (1..=most).contains(&number)).then_some(number)
}

/// `MM-DD`, a date of some year.
#[must_use]
pub fn month_day(text: &str) -> Option<(u8, u8)> {
    let (month, day) = text.split_once('-')?;
    let (month, day) = (two_digits(month, 12)?, two_digits(day, 31)?);
    Day::new(2024, month, day).map(|_| (month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(on: &str, year: i32, expect: &str) {
        let date = On::parse(on).unwrap_or_else(|| panic!("{on}")).in_year(year);
        assert_eq!(date.map(|date| date.to_string()).unwrap_or_default(), expect, "{on}");
    }

    #[test]
    fn each_form_falls_where_the_law_says() {
        check("12-25", 2026, "2026-12-25");
        check("02-29", 2026, "");
        check("easter+39", 2026, "2026-05-14");
        check("easter-2", 2026, "2026-04-03");
        check("easter", 2026, "2026-04-05");
        check("3rd mon 01", 2026, "2026-01-19");
        check("4th thu 11 +1", 2026, "2026-11-27");
        check("5th mon 02", 2026, "");
        check("1st sun 09 +4", 2026, "2026-09-10");
        check("last mon 05", 2026, "2026-05-25");
        check("last mon 12", 2026, "2026-12-28");
        check("mon before 05-25", 2026, "2026-05-18");
        check("mon from 01-06", 2026, "2026-01-12");
    }

    #[test]
    fn a_text_that_is_no_rule_is_refused() {
        for text in [
            "",
            "13-01",
            "02-30",
            "easter39",
            "easter+101",
            "0th mon 01",
            "3rd moon 01",
            "3rd mon 13",
            "mon after 01-01",
            "1st mon 01 5",
            "x y z a b",
        ] {
            assert_eq!(On::parse(text), None, "{text}");
        }
        for text in ["", "sat", "sat>", "sat>xx", "sat>fri  sun>mon"] {
            assert_eq!(Shift::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_shift_goes_to_the_nearest_such_day() {
        let shift = Shift::parse("sat>fri sun>mon").expect("a shift");
        let saturday = Day::parse("2026-07-04").expect("a date");
        assert_eq!(shift.of(saturday).map(|day| day.to_string()).as_deref(), Some("2026-07-03"));
        assert_eq!(shift.of(saturday.plus(1)).map(|day| day.to_string()).as_deref(), Some("2026-07-06"));
        assert_eq!(shift.of(saturday.plus(2)), None);
    }
}
