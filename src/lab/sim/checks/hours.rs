//! INV-15: advertising reaches a carrier in the hours in which it may go, and the carrier may deliver it in them alone. Who is
//! open when is worked out here from the wall clock of Paris, by another library than the gateway's own tables, from what
//! `config/rules/FR.toml` says in words: Monday to Saturday from 08:00 to 20:00, on no public holiday; and so long before the end as the account wants.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::config::MARGIN_M;
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::cell::Cell;

/// The public holidays, those that hang on Easter for 2027 (28 March).
const HOLIDAYS: [(i8, i8); 11] = [(1, 1), (3, 29), (5, 1), (5, 6), (5, 8), (5, 17), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)];

/// See the module.
pub(super) struct Hours {
    paris: TimeZone,
    /// The day asked about last.
    day: Cell<Day>,
}

/// A day of Paris, in milliseconds: from its midnight to the next, and when something may leave on it.
#[derive(Clone, Copy, Default)]
struct Day {
    from: i64,
    to: i64,
    opens: i64,
    closes: i64,
    /// Whether anything may leave on it at all.
    is_open: bool,
}

impl Hours {
    pub(super) fn new() -> Hours {
        Hours { paris: TimeZone::get("Europe/Paris").expect("the database is in the program"), day: Cell::default() }
    }

    fn local(&self, at: i64) -> Zoned {
        Timestamp::from_millisecond(at).expect("a year of four digits").to_zoned(self.paris.clone())
    }

    fn day(&self, at: i64) -> Day {
        let known = self.day.get();
        if (known.from..known.to).contains(&at) {
            return known;
        }
        let date = self.local(at).date();
        let instant = |date: jiff::civil::Date, hour| {
            let zoned = date.at(hour, 0, 0, 0).to_zoned(self.paris.clone()).expect("a clock is changed at night");
            zoned.timestamp().as_millisecond()
        };
        let day = Day {
            from: instant(date, 0),
            to: instant(date.tomorrow().expect("a year of four digits"), 0),
            opens: instant(date, 8),
            closes: instant(date, 20) - MARGIN_M * 60_000,
            is_open: date.weekday() != Weekday::Sunday && !HOLIDAYS.contains(&(date.month(), date.day())),
        };
        self.day.set(day);
        day
    }

    fn is_open(&self, at: i64) -> bool {
        let day = self.day(at);
        day.is_open && (day.opens..day.closes).contains(&at)
    }

    /// When nothing may leave any more on the day of an instant.
    fn closes(&self, at: i64) -> i64 {
        self.day(at).closes
    }
}

impl Check for Hours {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        let Seen::Submit(submit) = seen else {
            let Seen::Refused { n, code: "no_opening" } = seen else { return Ok(()) };
            // Asked for a while ago.
            let is_true = ledger.wanted(*n).is_marketing && (!self.is_open(at) || !self.is_open(at - ledger.settling_ms()));
            return keep(is_true, "INV-15", || format!("message {n} is refused at {}, which is in its hours", self.local(at)));
        };
        let Some(n) = submit.n.filter(|n| ledger.wanted(*n).is_marketing) else { return Ok(()) };
        // What stood on the way may arrive later than it was written.
        let late_by = ledger.terms.latency_max_ms + 100;
        let written = if self.is_open(at) { at } else { at - late_by };
        if !self.is_open(written) {
            let stood = ledger.stood_still(submit.carrier, written);
            return keep(stood, "INV-15", || format!("message {n} is sent at {}, outside its hours", self.local(at)));
        }
        let closes = self.closes(written);
        keep((1..=closes).contains(&submit.validity), "INV-15", || {
            format!("message {n} may be delivered until {}, its hours end at {}", self.local(submit.validity), self.local(closes))
        })
    }
}
