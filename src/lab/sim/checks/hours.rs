//! INV-15, INV-18: advertising reaches a carrier in the hours in which it may go, and the carrier may deliver it in them alone. Who is
//! open when is worked out here from the wall clock of Paris, by another library than the gateway's own tables, from what
//! `config/rules/FR.toml` says in words: Monday to Saturday from 08:00 to 20:00, on no public holiday; and so long before the end as the
//! account wants. Where these rules, or the clock of Paris, were replaced by others (`editions`), all that were in force within seven days
//! must allow. Hours are those that the gateway's own clock shows.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::config::MARGIN_M;
use crate::lab::sim::editions::{EDITIONS, Edition};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use jiff::civil::{Date, Weekday, date};
use jiff::tz::{TimeZone, offset};
use jiff::{Timestamp, ToSpan as _, Zoned};
use std::cell::Cell;

/// The public holidays that are the same every year.
const HOLIDAYS: [(i8, i8); 8] = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)];

/// Those that hang on Easter, in days after it: Monday, Ascension, Whit Monday.
const AFTER_EASTER: [i64; 3] = [1, 39, 50];

/// How long what was replaced must go on allowing.
const BOTH_FOR_MS: i64 = 7 * 86_400_000;

/// A day by the clock of an edition, in milliseconds: from its midnight to the next, and when something may leave on it.
#[derive(Clone, Copy, Default)]
struct Day {
    from: i64,
    to: i64,
    opens: i64,
    closes: i64,
    /// Whether anything may leave on it at all.
    is_open: bool,
}

/// An edition that has a say.
struct Voice {
    edition: Edition,
    /// The day asked about last.
    day: Cell<Day>,
    /// From when on.
    since: i64,
    /// Until when, by the gateway's clock.
    until: i64,
    /// Whether a process has died before it can have noted that these are in force: the next one may never know.
    is_lost: bool,
}

impl Voice {
    fn new(edition: Edition, since: i64) -> Voice {
        Voice { edition, day: Cell::default(), since, until: i64::MAX, is_lost: false }
    }
}

/// See the module.
pub(super) struct Hours {
    paris: TimeZone,
    /// Those with a say; the last is in force.
    voices: Vec<Voice>,
}

impl Hours {
    pub(super) fn new() -> Hours {
        let paris = TimeZone::get("Europe/Paris").expect("the database is in the program");
        Hours { paris, voices: vec![Voice::new(EDITIONS[0], i64::MIN)] }
    }

    fn zone(&self, edition: &Edition) -> TimeZone {
        edition.ahead.map_or_else(|| self.paris.clone(), |hours| TimeZone::fixed(offset(hours)))
    }

    fn local(&self, edition: &Edition, at: i64) -> Zoned {
        Timestamp::from_millisecond(at).expect("a year of four digits").to_zoned(self.zone(edition))
    }

    /// When nothing may leave any more that may leave at an instant; `None` when nothing may. Everybody with a say since
    /// before `asked` must allow.
    fn closes(&self, at: i64, asked: i64) -> Option<i64> {
        let mut voices = self.voices.iter().filter(|voice| voice.since < asked);
        voices.try_fold(i64::MAX, |least, voice| Some(least.min(self.closes_by(voice, at)?)))
    }

    fn closes_by(&self, voice: &Voice, at: i64) -> Option<i64> {
        let mut day = voice.day.get();
        if !(day.from..day.to).contains(&at) {
            day = self.day(&voice.edition, at);
            voice.day.set(day);
        }
        (day.is_open && (day.opens..day.closes).contains(&at)).then_some(day.closes)
    }

    fn day(&self, edition: &Edition, at: i64) -> Day {
        let date = self.local(edition, at).date();
        let instant = |date: Date, hour| {
            let zoned = date.at(hour, 0, 0, 0).to_zoned(self.zone(edition)).expect("a clock is changed at night");
            zoned.timestamp().as_millisecond()
        };
        let is_movable = AFTER_EASTER.iter().any(|days| easter(date.year()).checked_add(days.days()).is_ok_and(|day| day == date));
        Day {
            from: instant(date, 0),
            to: instant(date.tomorrow().expect("a year of four digits"), 0),
            opens: instant(date, edition.opens),
            closes: instant(date, edition.closes) - MARGIN_M * 60_000,
            is_open: date.weekday() != Weekday::Sunday && !HOLIDAYS.contains(&(date.month(), date.day())) && !is_movable,
        }
    }

    fn editions(&self) -> Vec<Edition> {
        self.voices.iter().map(|voice| voice.edition).collect()
    }

    /// Rules are replaced: both must allow for a week.
    fn replaced(&mut self, at: i64, edition: Edition, ledger: &Ledger) {
        // What is taken back has a say anyway.
        self.voices.retain(|voice| voice.edition != edition || voice.until == i64::MAX);
        let last = self.voices.last_mut().expect("there is always one");
        last.until = ledger.shown_within(at, at).0 + BOTH_FOR_MS;
        self.voices.retain(|voice| !voice.is_lost);
        self.voices.push(Voice::new(edition, at));
    }
}

/// Easter Sunday, by the rule of Butcher's Ecclesiastical Calendar (1876).
fn easter(year: i16) -> Date {
    let year = i32::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let epact = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (b % 4) + 2 * (c / 4) - epact - c % 4) % 7;
    let shift = (a + 11 * epact + 22 * weekday) / 451;
    let from_march = epact + weekday - 7 * shift + 114;
    date(year as i16, (from_march / 31) as i8, (from_march % 31 + 1) as i8)
}

impl Check for Hours {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        let paris = &EDITIONS[0];
        if matches!(seen, Seen::Submit(_) | Seen::Rules { .. } | Seen::Clock { .. }) {
            let (_, shown) = ledger.shown_within(at, at);
            self.voices.retain(|voice| shown < voice.until);
        }
        let submit = match seen {
            Seen::Submit(submit) => submit,
            Seen::Rules { edition } => {
                self.replaced(at, EDITIONS[usize::from(*edition)], ledger);
                return Ok(());
            }
            Seen::Died | Seen::Stopped { is_clean: false } => {
                let noted = at - ledger.settling_ms() - 1_000;
                self.voices.iter_mut().for_each(|voice| voice.is_lost |= voice.since > noted);
                return Ok(());
            }
            Seen::Refused { n, code: "no_opening" } => {
                // Asked for a while ago.
                let is_shut = |shown: i64| self.closes(shown, i64::MAX).is_none();
                let is_true = ledger.wanted(*n).is_marketing
                    && ledger.shown(at - ledger.settling_ms(), at).any(|(first, last)| is_shut(first) || is_shut(last));
                return keep(is_true, "INV-15", || format!("message {n} is refused at {}, which is in its hours", self.local(paris, at)));
            }
            _ => return Ok(()),
        };
        let Some(n) = submit.n.filter(|n| ledger.wanted(*n).is_marketing) else { return Ok(()) };
        let (_, shown) = ledger.shown_within(at, at);
        // What stood on the way may arrive later than it was written.
        let written = at - ledger.terms.latency_max_ms - 100;
        let instants = ledger.shown(written, at).flat_map(|(first, last)| [last, first]);
        let place = || format!("at {} by c{}", self.local(paris, shown), submit.carrier);
        // By the rules in the program alone INV-15, with others as well INV-18.
        let number = if self.voices.len() == 1 { "INV-15" } else { "INV-18" };
        let Some(closes) = instants.filter_map(|shown| self.closes(shown, written)).max() else {
            let stood = ledger.stood_still(submit.carrier, written);
            return keep(stood, number, || format!("message {n} is sent {}, outside its hours: {:?}", place(), self.editions()));
        };
        keep((1..=closes).contains(&submit.validity), number, || {
            let (validity, closes) = (self.local(paris, submit.validity), self.local(paris, closes));
            format!("message {n} may be delivered until {validity}, its hours end at {closes}: {:?}", self.editions())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_is_when_almanacs_say() {
        let known = [(2000, 4, 23), (2008, 3, 23), (2019, 4, 21), (2025, 4, 20), (2026, 4, 5), (2027, 3, 28), (2028, 4, 16), (2038, 4, 25)];
        assert!(known.iter().all(|(year, month, day)| easter(*year) == date(*year, *month, *day)));
    }
}
