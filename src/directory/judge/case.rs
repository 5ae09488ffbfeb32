//! From a question to what is asked of a pack: rules, candidate zones, calendar, margin. One way for all who ask, the desk and
//! the advice alike (`docs/rules.md`). Pure; what is unknown becomes more zones or none, which is stricter.

use super::policy;
use crate::base::{Span, Time};
use crate::config::AccountHours;
use crate::directory::hours::{Ask, CalendarRef, Decision, Hours, HoursCache, RuleRef, Zone};
use crate::directory::number::{Place, Places};
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

/// The state of the recipient's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address<'a> {
    /// ISO 3166.
    pub country: &'a str,
    /// ISO 3166-2 without the country.
    pub state: &'a str,
    /// The zones of the state; none when they are not known apart from those of the country.
    pub zones: &'a [crate::directory::number::Zone],
}

impl<'a> Address<'a> {
    /// From `US-TX`; `None` for what has another form.
    pub(super) fn of(region: &'a str, places: &'a Places) -> Option<Address<'a>> {
        let (country, state) = region.split_once('-')?;
        Some(Address { country, state, zones: places.of_state(country, state) })
    }
}

/// What a message is, as far as its hours go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub place: &'a Place,
    pub own: OwnZone<'a>,
    pub address: Option<Address<'a>>,
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
    let Subject { place, own, address, class, channel, policy } = *subject;
    let region = region(place, own);
    let zones: Box<[Zone]> = match own {
        OwnZone::Known(name) => hours.zone_by_name(name).into_iter().collect(),
        // The number tells the country alone: the address says more. Otherwise both may be right.
        OwnZone::None if address.is_some_and(|one| place.states.is_empty() && one.country == region && !one.zones.is_empty()) => {
            zones(hours, address.map_or(&[], |one| one.zones))
        }
        OwnZone::None | OwnZone::Unknown => {
            let of_number = if own == OwnZone::None { &place.zones } else { &place.all };
            both(hours, of_number, address.map_or(&[], |one| one.zones))
        }
    };
    for (region, state) in parts(&region, &place.states, address) {
        let rules = policy::bind(hours, policy, hours.rules_for(region, state, channel, class), (class, channel), now);
        if rules.is_empty() {
            continue;
        }
        let calendar = policy::calendar(hours, policy, region).unwrap_or_else(|| hours.calendar_for(region, state));
        let case = Case { hours: hours.clone(), rules: rules.into(), zones: zones.clone(), calendar, margin: policy.margin, until };
        if to.iter().all(|other| other.ask() != case.ask()) {
            to.push(case);
        }
    }
}

/// Countries and states whose rules must all allow: those of the number, and that of the address, which takes the place of
/// a number's country without state.
fn parts<'a>(region: &'a str, states: &[&'static str], address: Option<Address<'a>>) -> Vec<(&'a str, Option<&'a str>)> {
    let mut all: Vec<(&str, Option<&str>)> = states.iter().map(|state| (region, Some(*state))).collect();
    let address = address.map(|one| (one.country, Some(one.state)));
    if all.is_empty() && address.is_none_or(|(country, _)| country != region) {
        all.push((region, None));
    }
    all.extend(address.filter(|one| !all.contains(one)));
    all
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

/// The zones of a number and of an address, each once.
fn both(hours: &Hours, number: &[crate::directory::number::Zone], address: &[crate::directory::number::Zone]) -> Box<[Zone]> {
    let more: Vec<_> = number.iter().chain(address.iter().filter(|zone| !number.contains(zone))).copied().collect();
    zones(hours, &more)
}

/// All of them or none: with one that the database lacks nothing can be said.
fn zones(hours: &Hours, names: &[crate::directory::number::Zone]) -> Box<[Zone]> {
    names.iter().map(|zone| hours.zone_by_name(zone.name())).collect::<Option<_>>().unwrap_or_default()
}
