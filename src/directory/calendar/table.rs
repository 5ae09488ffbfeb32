//! The holidays of one place: its rules laid out as a sorted table of dates, made at the first question and kept.
//! Pure: the same rules give the same table. Outside `YEARS` there are no holidays, and no decision is made there.

use super::day::Day;
use super::rule::{Holiday, Observed};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

/// The years a table covers. Decisions look 400 days ahead, so they stop before the last.
pub const YEARS: RangeInclusive<i32> = 2010..=2060;

/// The public holidays of a country or a part of it.
#[derive(Debug)]
pub struct Calendar {
    /// `FR`, `FR-57`, `US-TX`: what rules and callers name.
    pub name: Box<str>,
    /// The last year for which the announced days (Islamic, Hindu, one-off) are known; `None` when all are computed.
    pub tabled_until: Option<i32>,
    holidays: Vec<(Box<str>, Holiday)>,
    table: OnceLock<Box<[(Day, u16)]>>,
}

impl Calendar {
    /// A calendar of these holidays: names and rules, at most 65,535.
    #[must_use]
    pub fn new(name: &str, tabled_until: Option<i32>, holidays: Vec<(Box<str>, Holiday)>) -> Calendar {
        assert!(holidays.len() <= usize::from(u16::MAX), "the pack's limits are far below");
        Calendar { name: name.into(), tabled_until, holidays, table: OnceLock::new() }
    }

    /// The number of the holiday on `day`, for `title`.
    #[must_use]
    pub fn on(&self, day: Day) -> Option<u16> {
        let table = self.dates();
        table.binary_search_by_key(&day, |(date, _)| *date).ok().map(|at| table[at].1)
    }

    /// The name of a holiday that `on` gave.
    #[must_use]
    pub fn title(&self, holiday: u16) -> &str {
        self.holidays.get(usize::from(holiday)).map_or("", |(name, _)| name)
    }

    /// All dates with their holidays, in order, each date once.
    pub fn dates(&self) -> &[(Day, u16)] {
        self.table.get_or_init(|| lay_out(&self.holidays))
    }
}

/// First the days themselves, then what weekends add: a substitute day looks for a day that is free of both.
fn lay_out(holidays: &[(Box<str>, Holiday)]) -> Box<[(Day, u16)]> {
    let (mut dates, mut weekends) = (Vec::new(), Vec::new());
    for (number, (_, holiday)) in holidays.iter().enumerate() {
        let number = number as u16;
        match holiday {
            Holiday::Tabled(days) => dates.extend(days.iter().map(|day| (*day, number))),
            Holiday::Ruled { on, moved, observed, skip, years } => {
                for day in YEARS.filter(|year| years.hold(*year)).filter_map(|year| on.in_year(year)) {
                    if skip[day.weekday() as usize] {
                        continue;
                    }
                    let day = moved.of(day).unwrap_or(day);
                    dates.push((day, number));
                    weekends.extend((*observed != Observed::Never).then_some((day, number, observed)));
                }
            }
        }
    }
    // The sort is stable: of two holidays on one date the first rule names it.
    dates.sort_by_key(|(day, _)| *day);
    dates.dedup_by_key(|(day, _)| *day);
    weekends.sort_by_key(|(day, _, _)| *day);
    let insert = |dates: &mut Vec<(Day, u16)>, day: Day, number: u16| {
        if let Err(at) = dates.binary_search_by_key(&day, |(date, _)| *date) {
            dates.insert(at, (day, number));
        }
    };
    for (day, number, observed) in weekends {
        match observed {
            Observed::Never => {}
            Observed::Shifted(shift) => {
                if let Some(other) = shift.of(day) {
                    insert(&mut dates, other, number);
                }
            }
            Observed::NextFree if day.weekday() as usize >= 5 => {
                let taken = |date: Day| date.weekday() as usize >= 5 || dates.binary_search_by_key(&date, |(one, _)| *one).is_ok();
                let free = (1..=30).map(|days| day.plus(days)).find(|date| !taken(*date));
                insert(&mut dates, free.unwrap_or(day), number);
            }
            Observed::NextFree => {}
        }
    }
    dates.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::super::rule::{On, Shift, Years};
    use super::*;

    fn ruled(on: &str, observed: Observed) -> Holiday {
        let years = Years { since: 0, until: 9999, every: 1 };
        Holiday::Ruled { on: On::parse(on).expect("a rule"), moved: Shift::default(), observed, skip: [false; 7], years }
    }

    #[test]
    fn christmas_on_a_sunday_gives_way_to_boxing_day() {
        let days = vec![("Christmas".into(), ruled("12-25", Observed::NextFree)), ("Boxing".into(), ruled("12-26", Observed::NextFree))];
        let calendar = Calendar::new("X", None, days);
        let name = |date: &str| calendar.on(Day::parse(date).expect("a date")).map(|one| calendar.title(one));
        assert_eq!(name("2033-12-25"), Some("Christmas"));
        assert_eq!(name("2033-12-26"), Some("Boxing"));
        assert_eq!(name("2033-12-27"), Some("Christmas"));
        assert_eq!(name("2033-12-28"), None);
    }

    #[test]
    fn new_year_on_a_saturday_is_kept_in_the_old_year_too() {
        let shift = Observed::Shifted(Shift::parse("sat>fri sun>mon").expect("a shift"));
        let calendar = Calendar::new("X", None, vec![("New Year".into(), ruled("01-01", shift))]);
        assert!(calendar.on(Day::parse("2027-12-31").expect("a date")).is_some());
        assert!(calendar.on(Day::parse("2028-01-01").expect("a date")).is_some());
        assert!(calendar.on(Day::parse("2028-12-31").expect("a date")).is_none());
    }
}
