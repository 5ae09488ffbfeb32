//! From a question to what is asked of a pack: rules, candidate zones, calendar, margin. One way for all who ask, the desk and
//! the advice alike (`docs/rules.md`). Pure; what is unknown becomes more zones or none, which is stricter.

use super::policy;
use crate::base::{Span, Time};
use crate::config::AccountHours;
use crate::directory::hours::{Ask, CalendarRef, Decision, Hours, HoursCache, RuleRef, Zone};
use crate::directory::number::Place;
use crate::message::content::{Channel, Class};
use std::sync::Arc;

/// The zones of overseas France, whose numbers are sometimes the mainland's: a recipient's own zone tells the territory.
const OVERSEAS: [(&str, &str); 11] = [
    ("America/Guadeloupe", "GP"),
    ("America/Martinique", "MQ"),
    ("America/Cayenne", "GF"),
    ("Indian/Reunion", "RE"),
    ("Indian/Mayotte", "YT"),
    ("America/Miquelon", "PM"),
    ("Pacific/Noumea", "NC"),
    ("Pacific/Tahiti", "PF"),
    ("Pacific/Marquesas", "PF"),
    ("Pacific/Gambier", "PF"),
    ("Pacific/Wallis", "WF"),
];

/// The recipient's own zone, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OwnZone<'a> {
    /// Nobody gave one.
    None,
    /// By its name in the time zone database.
    Known(&'a str),
    /// One that the database does not have: the recipient may be anywhere in the country.
    Unknown,
}

/// What a message is, as far as its hours go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub place: &'a Place,
    pub own: OwnZone<'a>,
    pub class: Class,
    pub channel: Channel,
    pub policy: &'a AccountHours,
}

/// One question to one pack. A message has several when its area code is of several states, and for some days after a
/// reload; all must allow.
#[derive(Debug)]
pub(super) struct Case {
    pub hours: Arc<Hours>,
    pub rules: Box<[RuleRef]>,
    pub zones: Box<[Zone]>,
    pub calendar: CalendarRef,
    pub margin: Span,
    /// For rules that were replaced: from then on they are not asked any more.
    pub until: Option<Time>,
}

impl Case {
    pub(super) fn decide<'a>(&'a self, cache: &mut HoursCache, at: Time) -> Decision<'a> {
        self.hours.decide_with(cache, &self.ask(), at)
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask { rules: &self.rules, zones: &self.zones, calendar: self.calendar, margin: self.margin }
    }

    /// Whether it has a say at an instant.
    pub(super) fn binds(&self, at: Time) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

/// Adds what one pack is to be asked; nothing when no rule binds.
pub(super) fn cases(subject: &Subject<'_>, hours: &Arc<Hours>, until: Option<Time>, now: Time, to: &mut Vec<Case>) {
    let Subject { place, own, class, channel, policy } = *subject;
    let region = region(place, own);
    let zones: Box<[Zone]> = match own {
        OwnZone::Known(name) => hours.zone_by_name(name).into_iter().collect(),
        OwnZone::None => zones(hours, &place.zones),
        OwnZone::Unknown => zones(hours, &place.all),
    };
    let states: Vec<Option<&str>> =
        if place.states.is_empty() { vec![None] } else { place.states.iter().map(|state| Some(*state)).collect() };
    for state in states {
        let rules = policy::bind(hours, policy, hours.rules_for(&region, state, channel, class), (class, channel), now);
        if rules.is_empty() {
            continue;
        }
        let calendar = policy::calendar(hours, policy, &region).unwrap_or_else(|| hours.calendar_for(&region, state));
        let case = Case { hours: hours.clone(), rules: rules.into(), zones: zones.clone(), calendar, margin: policy.margin, until };
        if to.iter().all(|other| other.ask() != case.ask()) {
            to.push(case);
        }
    }
}

/// The country whose rules hold: that of the number, or the territory that the own zone tells.
fn region(place: &Place, own: OwnZone<'_>) -> String {
    let region = place.region.map(|region| region.to_string()).unwrap_or_default();
    let is_french = region == "FR" || OVERSEAS.iter().any(|(_, territory)| *territory == region);
    match own {
        OwnZone::Known("Europe/Paris") if is_french => "FR".to_owned(),
        OwnZone::Known(name) if is_french => {
            OVERSEAS.iter().find(|(zone, _)| *zone == name).map_or(region, |(_, territory)| (*territory).to_owned())
        }
        _ => region,
    }
}

/// All of them or none: with one that the database lacks nothing can be said.
fn zones(hours: &Hours, names: &[crate::directory::number::Zone]) -> Box<[Zone]> {
    names.iter().map(|zone| hours.zone_by_name(zone.name())).collect::<Option<_>>().unwrap_or_default()
}
