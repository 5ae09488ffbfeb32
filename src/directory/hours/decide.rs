//! May this message go now, and if not, when? Pure: rules, zones, calendar and `at` in; a decision with its reasons out.
//! Nothing fails: what is unknown or stale is closed (INV-18), and the reason says so.

use super::cache::HoursCache;
use super::open::{Bound, DAY, HORIZON_DAYS, Question, UNENDING, UNTABLED, Why};
use super::pack::Pack;
use super::refs::{Ask, CalendarNumber, CalendarRef, RuleRef, Zone};
use super::rule::{Rule, Tier};
use super::select::Selection;
use super::sheet::Sheet;
use super::zone::Zones;
use crate::base::time::Time;
use crate::directory::calendar::table::YEARS;
use crate::directory::calendar::{Calendar, Day};
use crate::message::content::Channel;
use crate::message::content::Class;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// A rule pack with a zone database: everything a decision depends on. A reload makes another one.
#[derive(Debug)]
pub struct Hours {
    pub(super) pack: Pack,
    pub(super) zones: Zones,
    pub(super) selection: Selection,
    /// Tells references of this value from those of another.
    pub(super) stamp: u32,
    /// The first and the last second decided about.
    span: (i64, i64),
}

/// What was decided with; recorded beside each decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version<'a> {
    /// Of the rule pack: `2026-11-21+1f2e3d4c`.
    pub pack: &'a str,
    /// Of the zone database: `2026a`.
    pub zones: &'a str,
}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rules {} tzdata {}", self.pack, self.zones)
    }
}

/// Why it is as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason<'a> {
    /// Open.
    Open,
    /// No rule limits the hours.
    NoRule,
    /// Outside the hours of that day.
    Hours { rule: &'a str, zone: &'a str },
    /// That day of the week has no hours at all.
    Weekday { rule: &'a str, zone: &'a str },
    /// A public holiday there.
    Holiday { rule: &'a str, zone: &'a str, name: &'a str },
    /// After the last year for which that calendar's holidays are known.
    Untabled { rule: &'a str, zone: &'a str },
    /// Open, but about to close.
    Margin,
    /// The rules have no common opening in all the zones within 400 days: ask for a zone, or drop it.
    Never,
    /// No zone is known: the caller takes all zones of the country (`docs/rules.md`).
    NoZone,
    /// A reference of other rules or zones, after a reload: make it anew.
    Stale,
    /// Before 2010 or after 2058.
    OutOfRange,
}

impl Reason<'_> {
    /// One word for logs, metrics and the API.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Reason::Open => "open",
            Reason::NoRule => "no_rule",
            Reason::Hours { .. } => "hours",
            Reason::Weekday { .. } => "weekday",
            Reason::Holiday { .. } => "holiday",
            Reason::Untabled { .. } => "untabled",
            Reason::Margin => "margin",
            Reason::Never => "never",
            Reason::NoZone => "no_zone",
            Reason::Stale => "stale",
            Reason::OutOfRange => "out_of_range",
        }
    }
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision<'a> {
    /// Whether a message may go at the instant asked about.
    pub allowed: bool,
    /// When it may go: the instant itself when allowed; `None` when never within 400 days (`reason` says why).
    pub next_open: Option<Time>,
    /// When it may no longer, margin taken off, if allowed now; `None` when closed, or when it does not close in 400 days.
    pub closes_at: Option<Time>,
    /// Why.
    pub reason: Reason<'a>,
    /// The rules asked; `Hours::rule_name` has their names.
    pub rules: &'a [RuleRef],
    /// The zones asked; `Hours::zone_name` has their names.
    pub zones: &'a [Zone],
    /// By which rules and zones.
    pub version: Version<'a>,
}

impl Hours {
    /// Rules and zones together.
    #[must_use]
    pub fn new(pack: Pack, zones: Zones) -> Hours {
        let digest = Sha256::new_with_prefix(pack.version()).chain_update([0]).chain_update(zones.version()).finalize();
        let stamp = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let first_of = |year: i32| i64::from(Day::new(year, 1, 1).expect("a year of the table").0) * DAY;
        let span = (first_of(*YEARS.start()), first_of(YEARS.end() - 1));
        Hours { selection: Selection::new(&pack, stamp), pack, zones, stamp, span }
    }

    /// What is in this program.
    #[must_use]
    pub fn shipped() -> Hours {
        Hours::new(Pack::shipped(), Zones::shipped())
    }

    /// The same, read once a program: it takes some milliseconds.
    #[must_use]
    pub fn shared() -> Arc<Hours> {
        static SHIPPED: LazyLock<Arc<Hours>> = LazyLock::new(|| Arc::new(Hours::shipped()));
        SHIPPED.clone()
    }

    /// What decisions are made with.
    #[must_use]
    pub fn version(&self) -> Version<'_> {
        Version { pack: self.pack.version(), zones: self.zones.version() }
    }

    /// Decides without a cache: a few microseconds in most cases, half a millisecond when it is never open.
    #[must_use]
    pub fn decide<'a>(&'a self, ask: &Ask<'a>, at: Time) -> Decision<'a> {
        self.known(ask, at).unwrap_or_else(|| self.read(ask, &self.sheet(ask, at.0.div_euclid(1_000 * DAY)), at))
    }

    /// Decides, keeping the day's sheet in the caller's cache: the way for messages.
    #[must_use]
    pub fn decide_with<'a>(&'a self, cache: &mut HoursCache, ask: &Ask<'a>, at: Time) -> Decision<'a> {
        self.known(ask, at).unwrap_or_else(|| {
            let day = at.0.div_euclid(1_000 * DAY);
            self.read(ask, cache.sheet(self.stamp, ask, day, || self.sheet(ask, day)), at)
        })
    }

    /// What needs no calendar.
    fn known<'a>(&'a self, ask: &Ask<'a>, at: Time) -> Option<Decision<'a>> {
        let stale = ask.rules.iter().any(|one| one.stamp != self.stamp) || ask.zones.iter().any(|one| one.stamp != self.stamp);
        let stale = stale || matches!(ask.calendar, CalendarRef::Named(one) if one.stamp != self.stamp);
        let reason = match () {
            () if stale => Reason::Stale,
            () if ask.rules.is_empty() => Reason::NoRule,
            () if ask.zones.is_empty() => Reason::NoZone,
            () if !(self.span.0..self.span.1).contains(&at.0.div_euclid(1_000)) => Reason::OutOfRange,
            () => return None,
        };
        let allowed = reason == Reason::NoRule;
        Some(self.decision(ask, allowed, allowed.then_some(at), None, reason))
    }

    fn decision<'a>(
        &'a self,
        ask: &Ask<'a>,
        allowed: bool,
        next_open: Option<Time>,
        closes_at: Option<Time>,
        reason: Reason<'a>,
    ) -> Decision<'a> {
        Decision { allowed, next_open, closes_at, reason, rules: ask.rules, zones: ask.zones, version: self.version() }
    }

    fn question<'a>(&'a self, ask: &Ask<'_>) -> Question<'a> {
        let asked = match ask.calendar {
            CalendarRef::OfRules => None,
            CalendarRef::Named(one) => Some(self.calendar_of(one)),
        };
        let bound = |one: &RuleRef| Bound::new(self.rule(*one), one.tier, asked, &self.pack.calendars);
        let zone = |one: &Zone| self.zones.get(one.number).expect("a reference of this stamp names a zone that was read");
        Question { rules: ask.rules.iter().map(bound).collect(), zones: ask.zones.iter().map(zone).collect() }
    }

    fn sheet(&self, ask: &Ask<'_>, day: i64) -> Sheet {
        Sheet::new(&self.question(ask), ask.margin, day)
    }

    fn read<'a>(&'a self, ask: &Ask<'a>, sheet: &Sheet, at: Time) -> Decision<'a> {
        // Every bound is a whole second, so the second decides for its milliseconds.
        let second = at.0.div_euclid(1_000);
        let time = |second: i64| Time(second.saturating_mul(1_000));
        match sheet.opens.iter().find(|(_, to)| *to > second) {
            Some((from, to)) if *from <= second => self.decision(ask, true, Some(at), (*to != UNENDING).then(|| time(*to)), Reason::Open),
            Some((from, _)) => self.decision(ask, false, Some(time(*from)), None, self.reason(ask, sheet, second)),
            None => self.decision(ask, false, None, None, self.untabled(ask, second).unwrap_or(Reason::Never)),
        }
    }

    /// The rule whose calendar is known only to an end within the days that are searched: no opening is found behind it, and
    /// there may be one once the table is longer.
    fn untabled<'a>(&'a self, ask: &Ask<'a>, second: i64) -> Option<Reason<'a>> {
        let last_searched = Day((second.div_euclid(DAY) + HORIZON_DAYS) as i32).parts().0;
        let question = self.question(ask);
        let ends = |bound: &Bound<'_>| bound.calendar.and_then(|calendar| calendar.tabled_until).is_some_and(|last| last <= last_searched);
        let at = question.rules.iter().position(ends)?;
        Some(Reason::Untabled { rule: self.rule_name(ask.rules[at]), zone: self.zone_name(ask.zones[0]) })
    }

    fn reason<'a>(&'a self, ask: &Ask<'a>, sheet: &Sheet, second: i64) -> Reason<'a> {
        let at = sheet.whys.partition_point(|(from, _)| *from <= second).saturating_sub(1);
        let named = |rule: u16, zone: u16| (self.rule_name(ask.rules[usize::from(rule)]), self.zone_name(ask.zones[usize::from(zone)]));
        match sheet.whys[at].1 {
            Why::Margin => Reason::Margin,
            Why::Hours { rule, zone } => {
                let (rule, zone) = named(rule, zone);
                Reason::Hours { rule, zone }
            }
            Why::Weekday { rule, zone } => {
                let (rule, zone) = named(rule, zone);
                Reason::Weekday { rule, zone }
            }
            Why::Holiday { rule: number, zone, holiday } => {
                let (rule, zone) = named(number, zone);
                if holiday == UNTABLED {
                    return Reason::Untabled { rule, zone };
                }
                let name = self.title(ask, ask.rules[usize::from(number)], holiday);
                Reason::Holiday { rule, zone, name }
            }
        }
    }

    fn title(&self, ask: &Ask<'_>, rule: RuleRef, holiday: u16) -> &str {
        let asked = match ask.calendar {
            CalendarRef::OfRules => None,
            CalendarRef::Named(one) => Some(self.calendar_of(one)),
        };
        let bound = Bound::new(self.rule(rule), rule.tier, asked, &self.pack.calendars);
        bound.calendar.map_or("", |calendar| calendar.title(holiday))
    }

    /// A rule by its id.
    #[must_use]
    pub fn rule_by_name(&self, id: &str) -> Option<RuleRef> {
        let number = self.pack.rules.iter().position(|rule| *rule.id == *id)?;
        Some(RuleRef { stamp: self.stamp, number: number as u16, tier: Tier::Recommended })
    }

    /// A zone by its IANA name, exactly written. `Etc/Unknown` and others that do not exist are `None`.
    #[must_use]
    pub fn zone_by_name(&self, name: &str) -> Option<Zone> {
        let zone = Zone { stamp: self.stamp, number: self.zones.number(name)? };
        self.zones.get(zone.number).map(|_| zone)
    }

    /// Seconds by which clocks of a zone are ahead of UTC at an instant; `None` for a stale reference.
    #[must_use]
    pub fn offset(&self, one: Zone, at: Time) -> Option<i32> {
        let zone = if one.stamp == self.stamp { self.zones.get(one.number)? } else { return None };
        Timestamp::from_millisecond(at.0).ok().map(|at| zone.to_offset(at).seconds())
    }

    /// A calendar by its name.
    #[must_use]
    pub fn calendar_by_name(&self, name: &str) -> Option<CalendarRef> {
        let number = self.pack.calendars.iter().position(|one| *one.name == *name)?;
        Some(CalendarRef::Named(CalendarNumber { stamp: self.stamp, number: number as u16 }))
    }

    /// The rules and calendars.
    #[must_use]
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// The calendars whose announced holidays end within a year of `now`, or have ended, with their last year; by name.
    #[must_use]
    pub fn endings(&self, now: Time) -> Vec<(String, i32)> {
        let in_a_year = Day((now.0.div_euclid(1_000 * DAY) + 365).clamp(0, 1 << 30) as i32).parts().0;
        let ends = |one: &Calendar| one.tabled_until.filter(|last| *last < in_a_year).map(|last| (one.name.to_string(), last));
        let mut all: Vec<(String, i32)> = self.pack.calendars.iter().filter_map(ends).collect();
        all.sort_unstable();
        all
    }

    /// The rule itself. A stale reference may give another rule, never a decision.
    ///
    /// # Panics
    /// When the reference was made by a pack with more rules.
    #[must_use]
    pub fn rule(&self, one: RuleRef) -> &Rule {
        &self.pack.rules[usize::from(one.number)]
    }

    /// The rule's id; empty for a stale reference.
    #[must_use]
    pub fn rule_name(&self, one: RuleRef) -> &str {
        if one.stamp == self.stamp { &self.rule(one).id } else { "" }
    }

    /// The zone's name; empty for a stale reference.
    #[must_use]
    pub fn zone_name(&self, one: Zone) -> &str {
        if one.stamp == self.stamp { self.zones.name(one.number) } else { "" }
    }

    /// The rules that bind such a message: those of the country and, when the state is known, of the state. All must allow.
    /// `country` is the region of the number (ISO 3166: `RE` lives under France's rules); empty or unknown: the default rule.
    /// Transactional classes have none. With two states (address and prefix) the caller asks with both lists.
    #[must_use]
    pub fn rules_for(&self, country: &str, state: Option<&str>, channel: Channel, class: Class) -> &[RuleRef] {
        let (country, state) = self.place(country, state);
        self.selection.rules(country, state, channel, class)
    }

    /// The holidays of the recipient's place: of the state when it has a calendar, else of the country, else the rules' own.
    #[must_use]
    pub fn calendar_for(&self, country: &str, state: Option<&str>) -> CalendarRef {
        let (country, state) = self.place(country, state);
        self.selection
            .holidays(country, state)
            .map_or(CalendarRef::OfRules, |number| CalendarRef::Named(CalendarNumber { stamp: self.stamp, number }))
    }

    /// The last year for which a calendar's announced days are known; `None` when all are computed.
    #[must_use]
    pub fn tabled_until(&self, calendar: CalendarRef) -> Option<i32> {
        match calendar {
            CalendarRef::Named(one) if one.stamp == self.stamp => self.pack.calendars[usize::from(one.number)].tabled_until,
            _ => None,
        }
    }

    fn place<'a>(&'a self, country: &'a str, state: Option<&'a str>) -> (&'a str, &'a str) {
        match self.pack.territories.get(country) {
            Some((country, territory)) => (country, state.unwrap_or(territory)),
            None => (country, state.unwrap_or_default()),
        }
    }

    fn calendar_of(&self, one: CalendarNumber) -> &Calendar {
        &self.pack.calendars[usize::from(one.number)]
    }
}
