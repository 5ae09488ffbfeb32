//! Which rules bind a message, by country, state, channel and class; whose holidays. Worked out once for a pack: a question
//! of a message is two searches in short lists. Countries without a rule get the default one; only marketing does.

use super::pack::Pack;
use super::refs::RuleRef;
use super::rule::{Rule, Tier};
use crate::message::content::Channel;
use crate::message::content::Class;
use std::collections::BTreeSet;

/// The rules of one part of one country.
#[derive(Debug)]
struct Group {
    country: Box<str>,
    state: Box<str>,
    /// By class and channel, in their order.
    lists: Vec<Box<[RuleRef]>>,
}

/// See above.
#[derive(Debug)]
pub(super) struct Selection {
    /// Sorted by country and state; the whole country has the empty state, all others have `*`.
    groups: Vec<Group>,
    /// Calendars by country and state, sorted.
    calendars: Vec<(Box<str>, Box<str>, u16)>,
}

impl Selection {
    pub(super) fn new(pack: &Pack, stamp: u32) -> Selection {
        let places: BTreeSet<(&str, &str)> = pack
            .rules
            .iter()
            .filter(|rule| !rule.country.is_empty())
            .flat_map(|rule| [(&*rule.country, ""), (&*rule.country, &*rule.state)])
            .chain([("*", "")])
            .collect();
        let group = |(country, state): (&str, &str)| {
            let kinds = Class::ALL.into_iter().flat_map(|class| Channel::ALL.map(|channel| (class, channel)));
            let lists = kinds.map(|(class, channel)| list(pack, stamp, (country, state), class, channel)).collect();
            Group { country: country.into(), state: state.into(), lists }
        };
        let mut calendars: Vec<(Box<str>, Box<str>, u16)> = pack
            .calendars
            .iter()
            .zip(0..)
            .map(|(one, number)| {
                let (country, state) = one.name.split_once('-').unwrap_or((&one.name, ""));
                (country.into(), state.into(), number)
            })
            .collect();
        calendars.sort_unstable();
        Selection { groups: places.into_iter().map(group).collect(), calendars }
    }

    /// The rules of a place: those of the state, of the country, of the rest of the world.
    pub(super) fn rules(&self, country: &str, state: &str, channel: Channel, class: Class) -> &[RuleRef] {
        let group = self.group(country, state).or_else(|| self.group(country, "")).or_else(|| self.group("*", ""));
        let kind = Class::ALL.iter().position(|one| *one == class).unwrap_or_default() * Channel::ALL.len() + channel as usize;
        group.and_then(|group| group.lists.get(kind)).map_or(&[], |list| list)
    }

    /// The number of the calendar of a place: of the state, else of the country.
    pub(super) fn holidays(&self, country: &str, state: &str) -> Option<u16> {
        self.calendar(country, state).or_else(|| self.calendar(country, ""))
    }

    fn group(&self, country: &str, state: &str) -> Option<&Group> {
        let at = self.groups.binary_search_by(|one| (&*one.country, &*one.state).cmp(&(country, state)));
        at.ok().map(|at| &self.groups[at])
    }

    fn calendar(&self, country: &str, state: &str) -> Option<u16> {
        let at = self.calendars.binary_search_by(|(one, part, _)| (&**one, &**part).cmp(&(country, state)));
        at.ok().map(|at| self.calendars[at].2)
    }
}

fn list(pack: &Pack, stamp: u32, (country, state): (&str, &str), class: Class, channel: Channel) -> Box<[RuleRef]> {
    let of = |wanted: &dyn Fn(&Rule) -> bool| -> Box<[RuleRef]> {
        let bound = |(rule, _): &(&Rule, u16)| rule.class == class && rule.speaks(channel) && wanted(rule);
        let number = |(_, number)| RuleRef { stamp, number, tier: Tier::Recommended };
        pack.rules.iter().zip(0..).filter(bound).map(number).collect()
    };
    let own = of(&|rule| *rule.country == *country && (rule.state.is_empty() || *rule.state == *state));
    if own.is_empty() { of(&|rule| *rule.country == *"*") } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::hours::{CalendarRef, Hours};

    fn names(hours: &Hours, country: &str, state: Option<&str>, channel: Channel, class: Class) -> Vec<String> {
        hours.rules_for(country, state, channel, class).iter().map(|one| hours.rule_name(*one).to_owned()).collect()
    }

    #[test]
    fn rules_are_those_of_the_country_and_the_state() {
        let hours = Hours::shipped();
        let check = |country: &str, state: Option<&str>, channel, expect: &[&str]| {
            assert_eq!(names(&hours, country, state, channel, Class::Marketing), expect, "{country} {state:?} {channel:?}");
        };
        check("FR", None, Channel::Sms, &["FR-sms"]);
        check("FR", Some("57"), Channel::Voice, &["FR-voice"]);
        check("RE", None, Channel::Mms, &["FR-sms"]);
        check("US", None, Channel::Sms, &["US-federal"]);
        check("US", Some("FL"), Channel::Sms, &["US-federal", "US-FL"]);
        check("US", Some("MS"), Channel::Mms, &["US-federal", "US-MS"]);
        check("US", Some("LA"), Channel::Sms, &["US-federal"]);
        check("US", Some("LA"), Channel::Voice, &["US-federal", "US-LA"]);
        check("US", Some("ZZ"), Channel::Sms, &["US-federal"]);
        check("PR", None, Channel::Sms, &["US-federal"]);
        check("NL", None, Channel::Voice, &["NL-voice"]);
        check("NL", None, Channel::Sms, &["DEFAULT"]);
        check("PT", None, Channel::Sms, &["DEFAULT"]);
        check("", None, Channel::Sms, &["DEFAULT"]);
    }

    #[test]
    fn only_marketing_has_windows() {
        let hours = Hours::shipped();
        for class in [Class::Otp, Class::Transactional, Class::Service] {
            assert!(names(&hours, "FR", None, Channel::Sms, class).is_empty());
            assert!(names(&hours, "XX", None, Channel::Voice, class).is_empty());
        }
    }

    #[test]
    fn holidays_are_those_of_the_state_then_of_the_country() {
        let hours = Hours::shipped();
        let named = |name: &str| hours.calendar_by_name(name).expect("a calendar");
        assert_eq!(hours.calendar_for("FR", Some("57")), named("FR-57"));
        assert_eq!(hours.calendar_for("FR", Some("75")), named("FR"));
        assert_eq!(hours.calendar_for("RE", None), named("FR-974"));
        assert_eq!(hours.calendar_for("PM", None), named("FR"));
        assert_eq!(hours.calendar_for("PT", None), named("PT"));
        assert_eq!(hours.calendar_for("XX", None), CalendarRef::OfRules);
        assert_eq!(hours.tabled_until(named("TR")), Some(2035));
        assert_eq!(hours.tabled_until(named("FR-57")), None);
    }
}
