//! When a set of rules is open in a set of zones, in seconds of UTC. A day of UTC is cut where a zone's offset changes; inside
//! a piece the wall clock runs evenly, so windows are moved by one offset. Gaps and folds need no rule of their own: an instant
//! is open when its wall clock is, in every zone, for every rule.

use super::rule::{Holidays, Minutes, Rule, Tier};
use crate::directory::calendar::{Calendar, Day};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds of a day of UTC.
pub(super) const DAY: i64 = 86_400;
/// How far ahead an opening is looked for, in days.
pub(super) const HORIZON_DAYS: i64 = 400;
/// The end of what does not close within the horizon.
pub(super) const UNENDING: i64 = i64::MAX;

/// The holiday of a day whose holidays are not known; a calendar has far fewer.
pub(super) const UNTABLED: u16 = u16::MAX;

/// One rule of a question, with the calendar that closes it.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub rule: &'a Rule,
    pub tier: Tier,
    pub calendar: Option<&'a Calendar>,
}

impl<'a> Bound<'a> {
    /// `asked`: the calendar the question names, which replaces the rule's own.
    pub(super) fn new(rule: &'a Rule, tier: Tier, asked: Option<&'a Calendar>, calendars: &'a [Calendar]) -> Bound<'a> {
        let calendar = match rule.holidays {
            Holidays::Ignored => None,
            Holidays::Of(own) => asked.or_else(|| calendars.get(usize::from(own))),
            Holidays::OfRecipient => asked,
        };
        Bound { rule, tier, calendar }
    }

    fn day(&self, day: Day) -> Result<std::borrow::Cow<'a, [Minutes]>, u16> {
        // After the end of its table nobody knows which days are holidays: all are closed.
        if self.calendar.and_then(|calendar| calendar.tabled_until).is_some_and(|last| day.parts().0 > last) {
            return Err(UNTABLED);
        }
        if let Some(holiday) = self.calendar.and_then(|calendar| calendar.on(day))
            && !crate::base::planted::is("holiday-ignored")
        {
            return Err(holiday);
        }
        let eve = self.rule.eve.is_some() && self.calendar.is_some_and(|calendar| calendar.on(day.plus(1)).is_some());
        Ok(self.rule.windows(self.tier, day, eve))
    }
}

/// Why an instant is closed, by number in the question: the first zone, and in it the first rule, that says no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    Holiday {
        rule: u16,
        zone: u16,
        holiday: u16,
    },
    Weekday {
        rule: u16,
        zone: u16,
    },
    Hours {
        rule: u16,
        zone: u16,
    },
    /// Every rule is open: the margin before closing.
    Margin,
}

/// What is asked, with its references resolved.
pub(super) struct Question<'a> {
    pub rules: Vec<Bound<'a>>,
    pub zones: Vec<&'a TimeZone>,
}

/// A stretch of UTC in which a zone keeps one offset.
struct Piece {
    from: i64,
    to: i64,
    offset: i64,
}

fn pieces(zone: &TimeZone, from: i64, to: i64) -> Vec<Piece> {
    let start = Timestamp::from_second(from).expect("decisions are bounded to years a timestamp has");
    if crate::base::planted::is("window-in-utc") {
        return vec![Piece { from, to, offset: 0 }];
    }
    let mut list = vec![Piece { from, to, offset: i64::from(zone.to_offset(start).seconds()) }];
    for change in zone.following(start) {
        let (at, offset) = (change.timestamp().as_second(), i64::from(change.offset().seconds()));
        if at >= to {
            break;
        }
        list.last_mut().expect("it began with one").to = at;
        list.push(Piece { from: at, to, offset });
    }
    list
}

fn local_day(local: i64) -> Day {
    Day(local.div_euclid(DAY) as i32)
}

impl Question<'_> {
    /// What is open of the day of UTC `day` (days since 1970), in order, apart.
    pub(super) fn day(&self, day: i64) -> Vec<(i64, i64)> {
        let (from, to) = (day * DAY, (day + 1) * DAY);
        let mut open = vec![(from, to)];
        for zone in &self.zones {
            let pieces = pieces(zone, from, to);
            for bound in &self.rules {
                open = common(&open, &windows(bound, &pieces));
                if open.is_empty() {
                    return open;
                }
            }
        }
        open
    }

    /// Open stretches whole, from the day `day` on to the horizon; the first may have begun before.
    pub(super) fn openings(&self, day: i64) -> Openings<'_> {
        Openings { question: self, day, end: day + HORIZON_DAYS, found: Vec::new().into_iter() }
    }

    /// Why `at` (seconds of UTC) is closed.
    pub(super) fn why(&self, at: i64) -> Why {
        let instant = Timestamp::from_second(at).expect("decisions are bounded to years a timestamp has");
        for (zone, number) in self.zones.iter().zip(0..) {
            let local = at + i64::from(zone.to_offset(instant).seconds());
            let minute = (local.rem_euclid(DAY) / 60) as u16;
            for (bound, rule) in self.rules.iter().zip(0..) {
                match bound.day(local_day(local)) {
                    Err(holiday) => return Why::Holiday { rule, zone: number, holiday },
                    Ok(windows) if windows.is_empty() => return Why::Weekday { rule, zone: number },
                    Ok(windows) if !windows.iter().any(|one| (one.from..one.to).contains(&minute)) => {
                        return Why::Hours { rule, zone: number };
                    }
                    Ok(_) => {}
                }
            }
        }
        Why::Margin
    }

    /// The instants of a day of UTC at which `why` may change: edges of windows, midnights and changes of offset.
    pub(super) fn edges(&self, day: i64) -> Vec<i64> {
        let (from, to) = (day * DAY, (day + 1) * DAY);
        let mut edges = vec![from];
        for zone in &self.zones {
            let pieces = pieces(zone, from, to);
            for piece in &pieces {
                edges.push(piece.from);
                edges.extend((1..=2).map(|days| ((piece.from + piece.offset).div_euclid(DAY) + days) * DAY - piece.offset));
            }
            for bound in &self.rules {
                edges.extend(windows(bound, &pieces).into_iter().flat_map(|(from, to)| [from, to]));
            }
        }
        edges.retain(|edge| (from..to).contains(edge));
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

/// The windows of one rule in one zone, in UTC.
fn windows(bound: &Bound<'_>, pieces: &[Piece]) -> Vec<(i64, i64)> {
    let mut list: Vec<(i64, i64)> = Vec::new();
    for piece in pieces {
        let (first, last) = (local_day(piece.from + piece.offset), local_day(piece.to - 1 + piece.offset));
        for day in first.0..=last.0 {
            let midnight = i64::from(day) * DAY - piece.offset;
            for one in bound.day(Day(day)).iter().flat_map(|windows| windows.iter()) {
                let from = (midnight + 60 * i64::from(one.from)).max(piece.from);
                let to = (midnight + 60 * (i64::from(one.to) + i64::from(crate::base::planted::is("window-ends-late")))).min(piece.to);
                match list.last_mut() {
                    // Across midnight or a change of offset the stretch goes on.
                    Some(before) if before.1 == from && from < to => before.1 = to,
                    _ if from < to => list.push((from, to)),
                    _ => {}
                }
            }
        }
    }
    list
}

/// What two ordered lists have in common.
fn common(a: &[(i64, i64)], b: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut list, mut i, mut j) = (Vec::new(), 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let (from, to) = (x.0.max(y.0), x.1.min(y.1));
        list.extend((from < to).then_some((from, to)));
        if x.1 < y.1 { i += 1 } else { j += 1 }
    }
    list
}

/// See `Question::openings`.
pub(super) struct Openings<'a> {
    question: &'a Question<'a>,
    day: i64,
    end: i64,
    found: std::vec::IntoIter<(i64, i64)>,
}

impl Openings<'_> {
    /// The next piece of a stretch; those that touch are joined by `next`.
    fn piece(&mut self) -> Option<(i64, i64)> {
        loop {
            if let Some(found) = self.found.next() {
                return Some(found);
            }
            if self.day >= self.end {
                return None;
            }
            self.found = self.question.day(self.day).into_iter();
            self.day += 1;
        }
    }
}

impl Iterator for Openings<'_> {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<(i64, i64)> {
        let (from, mut to) = self.piece()?;
        // Only a stretch that ends with its day of UTC can go on in the next.
        while to == self.day * DAY {
            if self.day >= self.end {
                return Some((from, UNENDING));
            }
            self.found = self.question.day(self.day).into_iter();
            self.day += 1;
            match self.found.as_slice().first() {
                Some((start, end)) if *start == to => to = *end,
                _ => break,
            }
            self.found.next();
        }
        Some((from, to))
    }
}
