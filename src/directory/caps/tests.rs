//! Caps and the guard over their edges: the instant they open, restarts, room, wrong clocks, threads.

use super::*;
use crate::base::Msisdn;
use crate::config::MapSecrets;
use crate::directory::judge::{Judge, Jury, Law, Question, Verdict};
use proptest::prelude::*;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;
/// Wednesday 3 January 2018, 10:00 in Paris.
const NOW: i64 = 1_514_970_000_000;

fn config(account: &str) -> Config {
    let hash = "00".repeat(32);
    let text = format!(
        "[secrets]\npepper = {{ env = \"P\" }}\n[journal]\nretention = \"60d\"\n[consent]\ncaps_max = 1000\n[[accounts]]\nname = \"shop\"\n\
         {account}\n[[accounts.keys]]\nid = \"k\"\nhash = \"{hash}\"\n[[accounts]]\nname = \"free\"\n[[accounts.keys]]\nid = \"l\"\nhash = \"{hash}\"\n"
    );
    let secrets = MapSecrets::default().with_env("P", "0123456789abcdef");
    config::load(&text, &secrets).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

const FOUR_A_MONTH: &str = "[[accounts.caps]]\ncount = 4\nperiod = \"30d\"\n";

fn sending(to: u64, class: Class, content: u64) -> Sending<'static> {
    let to = Msisdn::from_u64(33_612_000_000 + to).expect("a number");
    Sending { to, class, channel: Channel::Sms, content, prefers: None, rules: &[] }
}

/// A ledger and the rows it gave.
struct Bench {
    caps: Caps,
    rows: Vec<Spent>,
}

impl Bench {
    fn new(account: &str) -> Bench {
        Bench { caps: Caps::new(&config(account)), rows: Vec::new() }
    }
    fn send(&mut self, sending: &Sending<'_>, at: i64) -> Answer {
        let of = self.caps.of("shop").cloned();
        self.caps.count("shop", of.as_deref(), sending, Time(at), &mut self.rows)
    }
    fn restart(&mut self, account: &str, at: i64) {
        self.caps = Caps::new(&config(account));
        assert!(self.rows.iter().all(|row| self.caps.load(*row, Time(at))));
    }
}

#[test]
fn the_fifth_of_four_a_month_waits_until_the_first_is_a_month_old_also_after_a_restart() {
    let mut bench = Bench::new(FOUR_A_MONTH);
    let one = sending(1, Class::Marketing, 0);
    for day in 0..4 {
        assert_eq!(bench.send(&one, NOW + day * DAY), Answer::Go);
    }
    for _ in 0..2 {
        assert_eq!(bench.send(&one, NOW + 4 * DAY), Answer::Hold(Time(NOW + 30 * DAY)));
        assert_eq!(bench.send(&one, NOW + 30 * DAY - 1), Answer::Hold(Time(NOW + 30 * DAY)));
        bench.restart(FOUR_A_MONTH, NOW + 4 * DAY);
    }
    assert_eq!(bench.rows.len(), 4, "what was held is not counted");
    // Others are not meant: another recipient, another class, another account.
    assert_eq!(bench.send(&sending(2, Class::Marketing, 0), NOW + 4 * DAY), Answer::Go);
    assert_eq!(bench.send(&sending(1, Class::Otp, 0), NOW + 4 * DAY), Answer::Go);
    assert_eq!(bench.caps.count("free", None, &one, Time(NOW + 4 * DAY), &mut Vec::new()), Answer::Go);
    assert_eq!(bench.send(&one, NOW + 30 * DAY), Answer::Go);
    assert_eq!(bench.send(&one, NOW + 30 * DAY), Answer::Hold(Time(NOW + 31 * DAY)));
}

#[test]
fn a_send_within_a_minute_counts_until_that_minute_is_over() {
    let mut bench = Bench::new("caps = [{ count = 1, period = \"1d\" }]");
    let one = sending(1, Class::Marketing, 0);
    assert_eq!(bench.send(&one, NOW + 1), Answer::Go);
    assert_eq!(bench.send(&one, NOW + DAY + 1), Answer::Hold(Time(NOW + DAY + MINUTE)));
    assert_eq!(bench.send(&one, NOW + DAY + MINUTE), Answer::Go);
}

#[test]
fn what_was_sent_counts_under_caps_that_were_changed() {
    let mut bench = Bench::new("caps = [{ count = 3, period = \"1d\", classes = [\"marketing\", \"service\"] }]");
    assert_eq!(bench.send(&sending(1, Class::Marketing, 0), NOW), Answer::Go);
    assert_eq!(bench.send(&sending(1, Class::Service, 0), NOW), Answer::Go);
    bench.restart("caps = [{ count = 2, period = \"1d\", classes = [\"marketing\", \"service\"] }, { count = 2, period = \"2d\" }]", NOW);
    assert_eq!(bench.send(&sending(1, Class::Service, 0), NOW), Answer::Hold(Time(NOW + DAY)));
    bench.restart("caps = [{ count = 2, period = \"2d\" }]", NOW);
    assert_eq!(bench.send(&sending(1, Class::Marketing, 0), NOW), Answer::Go);
}

#[test]
fn the_stricter_of_the_accounts_and_the_recipients_own_cap_holds() {
    let prefers = |count, days: u64| Prefers { zone: "".into(), locale: "".into(), cap: Some((count, Span::secs(days * 86_400))) };
    for (own, until) in [(prefers(1, 2), 2), (prefers(9, 2), 1)] {
        let mut bench = Bench::new("caps = [{ count = 1, period = \"1d\" }]");
        let one = Sending { prefers: Some(&own), ..sending(1, Class::Marketing, 0) };
        assert_eq!(bench.send(&one, NOW), Answer::Go);
        assert_eq!(bench.send(&one, NOW), Answer::Hold(Time(NOW + until * DAY)));
    }
    // An account without caps: the recipient's own holds, for what advertises and informs.
    let (own, caps, mut rows) = (prefers(1, 1), Caps::default(), Vec::new());
    let mut ask = |class| {
        let sending = Sending { prefers: Some(&own), ..sending(1, class, 0) };
        caps.count("free", None, &sending, Time(NOW), &mut rows)
    };
    assert_eq!([Class::Service, Class::Marketing, Class::Otp].map(&mut ask), [Answer::Go, Answer::Hold(Time(NOW + DAY)), Answer::Go]);
}

#[test]
fn the_same_content_goes_once_in_the_period_to_each_recipient() {
    let guard = "repeat_guard = \"1d\"";
    let mut bench = Bench::new(guard);
    let (text, other) = (content_key(0, b"", b"hello"), content_key(0, b"", b"hello!"));
    let repeated = Answer::Refuse(Reason::DuplicateContent);
    assert_eq!(bench.send(&sending(1, Class::Otp, text), NOW), Answer::Go);
    bench.restart(guard, NOW);
    assert_eq!(bench.send(&sending(1, Class::Otp, text), NOW + DAY - 1), repeated);
    assert_eq!(bench.send(&sending(1, Class::Otp, other), NOW), Answer::Go);
    assert_eq!(bench.send(&sending(2, Class::Otp, text), NOW), Answer::Go);
    assert_eq!(bench.send(&sending(1, Class::Otp, 0), NOW), Answer::Go, "without a hash nothing is known");
    assert_eq!(bench.send(&sending(1, Class::Otp, text), NOW + DAY), Answer::Go);
    assert_ne!(content_key(0, b"", b"hello"), content_key(2, b"", b"hello"));
    assert_ne!(content_key(2, b"ab", b"c"), content_key(2, b"a", b"bc"));
}

#[test]
fn a_full_ledger_holds_marketing_alone_and_takes_again_what_has_room_when_the_old_is_too_old() {
    let mut bench = Bench::new("caps = [{ count = 1, period = \"1d\", classes = [\"marketing\", \"otp\"] }]");
    for to in 0..1_000 {
        assert_eq!(bench.send(&sending(to, Class::Marketing, 0), NOW), Answer::Go);
    }
    assert!(bench.caps.is_full());
    assert_eq!(bench.send(&sending(1_001, Class::Marketing, 0), NOW), Answer::Hold(Time(NOW + MINUTE)));
    assert_eq!(bench.send(&sending(1_001, Class::Otp, 0), NOW), Answer::Go);
    assert_eq!(bench.send(&sending(1_001, Class::Marketing, 0), NOW + DAY), Answer::Go);
    assert!(bench.caps.sends() < 1_000);
}

#[test]
fn what_is_lost_holds_the_marketing_of_accounts_with_caps_until_no_cap_reaches_back() {
    let mut bench = Bench::new(FOUR_A_MONTH);
    bench.caps.doubt(Time(NOW));
    assert_eq!(bench.send(&sending(1, Class::Marketing, 0), NOW), Answer::Hold(Time(NOW + MINUTE)));
    assert_eq!(bench.send(&sending(1, Class::Otp, 0), NOW), Answer::Go);
    assert_eq!(bench.caps.count("free", None, &sending(1, Class::Marketing, 0), Time(NOW), &mut Vec::new()), Answer::Go);
    assert_eq!(bench.send(&sending(1, Class::Marketing, 0), NOW + 30 * DAY), Answer::Go);
}

#[test]
fn a_send_remembered_by_a_clock_that_was_ahead_counts_from_when_it_is_seen() {
    let mut bench = Bench::new("caps = [{ count = 1, period = \"1d\" }]");
    let one = sending(1, Class::Marketing, 0);
    assert_eq!(bench.send(&one, NOW + 400 * DAY), Answer::Go);
    assert_eq!(bench.send(&one, NOW), Answer::Hold(Time(NOW + DAY)));
    assert_eq!(bench.send(&one, NOW + DAY), Answer::Go);
}

#[test]
fn threads_that_ask_at_once_count_no_more_than_the_cap() {
    let caps = Caps::new(&config("caps = [{ count = 4, period = \"30d\" }]"));
    let went: usize = std::thread::scope(|scope| {
        let ask = || {
            let of = caps.of("shop").cloned();
            let mut rows = Vec::new();
            let mut ask = |to| caps.count("shop", of.as_deref(), &sending(to, Class::Marketing, 0), Time(NOW), &mut rows) == Answer::Go;
            (0..200).filter(|round| ask(round % 50)).count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(went, 4 * 50);
}

#[test]
fn the_judge_counts_once_and_the_rules_of_a_country_count_too() {
    let mut judge = Judge::new(Arc::new(Law::new(&config(FOUR_A_MONTH))));
    let to = Msisdn::from_u64(33_612_345_678).expect("a number");
    let question =
        |class, channel| Question { account: "shop", to, from: "", class, channel, campaign: "", zone: "", region: "", content: 0 };
    let (sms, voice) = (question(Class::Marketing, Channel::Sms), question(Class::Marketing, Channel::Voice));
    for _ in 0..4 {
        assert!(matches!(judge.spend(&sms, Time(NOW)), Verdict::Go { .. }));
    }
    assert!(matches!(judge.judge(&sms, Time(NOW)), Verdict::Go { .. }), "what was counted may be sent again");
    assert_eq!(judge.spend(&sms, Time(NOW)), Verdict::Hold { until: Time(NOW + 30 * DAY), why: Reason::FrequencyCap });
    assert_eq!(Jury::take_spent(&mut judge).len(), 4);
    assert_eq!(Jury::take_spent(&mut judge), []);
    // French law: four calls in thirty days, whoever calls (config/rules/FR.toml).
    let voice = Question { account: "free", ..voice };
    for _ in 0..4 {
        assert!(matches!(judge.spend(&voice, Time(NOW)), Verdict::Go { .. }));
    }
    assert_eq!(judge.spend(&voice, Time(NOW)), Verdict::Hold { until: Time(NOW + 30 * DAY), why: Reason::FrequencyCap });
    let sms = Question { account: "free", ..sms };
    assert!(matches!(judge.spend(&sms, Time(NOW)), Verdict::Go { .. }));
}

#[test]
fn a_look_says_what_counting_would_say_then_and_counts_nothing() {
    let mut bench = Bench::new("caps = [{ count = 2, period = \"1d\" }]\nrepeat_guard = \"1h\"");
    let (hello, other) = (sending(1, Class::Marketing, 7), sending(1, Class::Marketing, 8));
    let look = |bench: &Bench, sending: &Sending<'_>, at: i64| {
        let of = bench.caps.of("shop").cloned();
        bench.caps.foresee("shop", of.as_deref(), sending, Time(NOW), Time(at))
    };
    for _ in 0..5 {
        assert_eq!(look(&bench, &hello, NOW), Answer::Go);
    }
    assert_eq!(bench.caps.sends(), 0);
    assert_eq!(bench.send(&hello, NOW), Answer::Go);
    let repeated = Answer::Refuse(Reason::DuplicateContent);
    assert_eq!([NOW, NOW + 59 * MINUTE, NOW + 60 * MINUTE].map(|at| look(&bench, &hello, at)), [repeated, repeated, Answer::Go]);
    assert_eq!(look(&bench, &other, NOW), Answer::Go);
    assert_eq!(bench.send(&other, NOW), Answer::Go);
    let third = sending(1, Class::Marketing, 9);
    let held = Answer::Hold(Time(NOW + DAY));
    assert_eq!([NOW, NOW + DAY - 1, NOW + DAY].map(|at| look(&bench, &third, at)), [held, held, Answer::Go]);
    assert_eq!(look(&bench, &sending(1, Class::Otp, 9), NOW), Answer::Go);
    assert_eq!(bench.send(&third, NOW), held);
    // What a clock that was ahead remembered counts as sent now, whatever instant is asked about.
    let mut ahead = Bench::new("caps = [{ count = 1, period = \"1d\" }]");
    assert_eq!(ahead.send(&hello, NOW + 400 * DAY), Answer::Go);
    assert_eq!(look(&ahead, &hello, NOW + MINUTE), Answer::Hold(Time(NOW + DAY)));
}

#[test]
fn a_look_says_when_nothing_can_be_remembered_or_known_but_not_of_later() {
    let mut bench = Bench::new("caps = [{ count = 1, period = \"1d\", classes = [\"marketing\", \"otp\"] }]");
    (0..1_000).for_each(|to| assert_eq!(bench.send(&sending(to, Class::Marketing, 0), NOW), Answer::Go));
    let look = |caps: &Caps, class, now: i64, at: i64| {
        let of = caps.of("shop").cloned();
        caps.foresee("shop", of.as_deref(), &sending(1_001, class, 0), Time(now), Time(at))
    };
    let wait = Answer::Hold(Time(NOW + MINUTE));
    assert_eq!(look(&bench.caps, Class::Marketing, NOW, NOW), wait);
    assert_eq!(look(&bench.caps, Class::Marketing, NOW, NOW + MINUTE), Answer::Go);
    assert_eq!(look(&bench.caps, Class::Otp, NOW, NOW), Answer::Go);
    assert_eq!(look(&bench.caps, Class::Marketing, NOW + DAY, NOW + DAY), Answer::Go, "the old made room");
    let lost = Bench::new(FOUR_A_MONTH);
    lost.caps.doubt(Time(NOW));
    assert_eq!(look(&lost.caps, Class::Marketing, NOW, NOW), wait);
    assert_eq!(look(&lost.caps, Class::Service, NOW, NOW), Answer::Go);
}

#[test]
fn after_a_refusal_on_the_telephone_no_call_for_sixty_days_also_after_a_restart() {
    let law = Arc::new(Law::new(&config("")));
    let mut judge = Judge::new(law);
    let to = Msisdn::from_u64(33_612_345_678).expect("a number");
    let channel = Channel::Voice;
    let call = Question { account: "free", to, from: "", class: Class::Marketing, channel, campaign: "", zone: "", region: "", content: 0 };
    assert!(matches!(judge.spend(&call, Time(NOW)), Verdict::Go { .. }));
    judge.refused(&call, Time(NOW));
    let silent = Verdict::Hold { until: Time(NOW + 60 * DAY), why: Reason::FrequencyCap };
    let rows = Jury::take_spent(&mut judge);
    assert_eq!(rows.len(), 2, "the call and the refusal");
    let after = Arc::new(Law::new(&config("")));
    after.hours.limits().into_iter().for_each(|limit| after.caps.reach_of(limit, Span::secs(60 * 86_400)));
    assert_eq!(after.caps.longest(), Span::secs(60 * 86_400));
    assert!(rows.iter().all(|row| after.caps.load(*row, Time(NOW + 40 * DAY))));
    for mut judge in [judge, Judge::new(after)] {
        // 40 days later: a Monday morning; the call is forgotten, the refusal is not.
        for at in [NOW, NOW + 40 * DAY] {
            assert_eq!(judge.spend(&call, Time(at)), silent);
            assert_eq!(judge.foresee(&call, Time(at), Time(at)), silent);
        }
        // It bars calls to him, of that account, that advertise.
        let others = [
            Question { channel: Channel::Sms, ..call },
            Question { class: Class::Service, ..call },
            Question { account: "shop", ..call },
            Question { to: Msisdn::from_u64(33_612_345_679).expect("a number"), ..call },
        ];
        others.iter().for_each(|other| assert!(matches!(judge.spend(other, Time(NOW)), Verdict::Go { .. }), "{other:?}"));
        let over = judge.spend(&call, Time(NOW + 61 * DAY));
        assert!(matches!(over, Verdict::Go { .. }), "{over:?}");
    }
    // Where no rule asks for silence, nothing is remembered.
    let mut elsewhere = Judge::new(Arc::new(Law::new(&config(""))));
    elsewhere.refused(&Question { channel: Channel::Sms, ..call }, Time(NOW));
    assert_eq!(Jury::take_spent(&mut elsewhere), []);
}

proptest! {
    /// Against the definition: in any period there are never more than the cap allows, and what is held goes at its instant.
    #[test]
    fn no_window_ever_holds_more_than_the_cap(waits in prop::collection::vec(0i64..200 * MINUTE, 1..60), count in 1u32..5, period in 1i64..300) {
        let mut bench = Bench::new(&format!("caps = [{{ count = {count}, period = \"{period}m\" }}]"));
        let (mut at, mut sent) = (NOW, Vec::new());
        for wait in waits {
            at += wait;
            match bench.send(&sending(1, Class::Marketing, 0), at) {
                Answer::Go => {}
                Answer::Hold(until) => {
                    prop_assert!(until.0 > at);
                    prop_assert_ne!(bench.send(&sending(1, Class::Marketing, 0), until.0 - 1), Answer::Go);
                    at = until.0;
                    prop_assert_eq!(bench.send(&sending(1, Class::Marketing, 0), at), Answer::Go);
                }
                Answer::Refuse(_) => prop_assert!(false),
            }
            sent.push(at);
        }
        for window in sent.windows(count as usize + 1) {
            prop_assert!(window[count as usize] - window[0] >= period * MINUTE);
        }
    }
}
