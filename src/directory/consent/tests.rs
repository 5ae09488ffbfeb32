//! What opt-outs do: said by handsets and customers, asked about by judges.

use super::*;
use crate::base::{Msisdn, Span, Time};
use crate::directory::judge::{Judge, Law, Question, Verdict};
use crate::message::content::{Channel, Class};
use crate::message::event::Keyword;
use crate::message::outcome::Reason;
use crate::storage::{Origin, PersonChange, Suppression, SuppressionKey};
use std::sync::Arc;

const NOW: Time = Time(1_764_576_000_000);
const FR: &str = "33612345678";
const US: &str = "12025550123";

fn replies() -> Vec<Replies> {
    let all = Replies { stop: "You are out.".into(), start: "You are in.".into(), help: "Help: example.org".into(), ..Replies::default() };
    let france = Replies { countries: vec!["FR".into()], stop: "Vous êtes désinscrit.".into(), ..Replies::default() };
    vec![france, all]
}

/// A gateway's worth of it, without a gateway.
struct Rig {
    consent: Arc<Consent>,
    hearing: Hearing,
    judge: Judge,
}

fn rig(rule: StopRule) -> Rig {
    let accounts = [("shop".to_owned(), rule), ("bank".to_owned(), StopRule::default())];
    let consent = Arc::new(Consent::new(accounts, 1_000));
    let judge = Judge::new(Arc::new(Law::default().knowing(consent.clone())));
    Rig { consent, hearing: Hearing::new(vec!["US".into()], replies()), judge }
}

impl Rig {
    fn hear(&self, from: &str, text: &str, now: Time) -> Heard {
        self.hearing.hear(&self.consent, Said { account: "shop", from, to: "36111", text }, now)
    }

    fn judge(&mut self, account: &str, to: &str, class: Class, from: &str, content: u64, now: Time) -> Verdict {
        let to = Msisdn::parse(to).expect("a number");
        let question = Question { account, to, from, class, channel: Channel::Sms, campaign: "", zone: "", region: "", content };
        self.judge.judge(&question, now)
    }

    fn may(&mut self, to: &str, class: Class) -> bool {
        match self.judge("shop", to, class, "SHOP", 0, NOW) {
            Verdict::Go { .. } => true,
            Verdict::Refuse { why: Reason::OptedOut } => false,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_stop_holds_at_once_for_advertising_and_notices_and_not_for_codes_and_orders() {
    let mut rig = rig(StopRule::default());
    let before = rig.judge.version();
    let heard = rig.hear(FR, "stop !", NOW);
    assert_eq!(heard.keyword, Keyword::Stop);
    assert_eq!(Class::ALL.map(|class| rig.may(FR, class)), [true, true, false, false]);
    assert_ne!(rig.judge.version(), before, "what was judged before must be judged again");
    // Nobody else, and no other account.
    assert!(rig.may("33612345679", Class::Marketing));
    assert!(matches!(rig.judge("bank", FR, Class::Marketing, "BANK", 0, NOW), Verdict::Go { .. }));
    let [PersonChange::Suppress(row)] = &heard.changes[..] else { panic!("{heard:?}") };
    assert_eq!((row.key.number, row.key.origin, row.key.scope.as_str()), (33_612_345_678, Origin::Recipient, "all"));
    assert_eq!((row.classes, row.source.as_str(), row.reason.as_str(), row.since), (0b1100, "sms", "STOP", NOW));
}

#[test]
fn the_account_says_which_classes_a_stop_stops_and_how_far_it_reaches() {
    let mut every = rig(StopRule { classes: EVERY_CLASS, scope: StopScope::Account });
    every.hear(FR, "STOP", NOW);
    assert_eq!(Class::ALL.map(|class| every.may(FR, class)), [false; 4]);
    let mut sender = rig(StopRule { scope: StopScope::Sender, ..StopRule::default() });
    sender.hear(FR, "STOP", NOW);
    assert!(sender.may(FR, Class::Marketing), "another sender");
    let stopped = Verdict::Refuse { why: Reason::OptedOut };
    assert_eq!(sender.judge("shop", FR, Class::Marketing, "36111", 0, NOW), stopped);
    assert!(matches!(sender.judge("shop", FR, Class::Otp, "36111", 0, NOW), Verdict::Go { .. }));
    assert_eq!(sender.hear(FR, "START", NOW).changes.len(), 1);
}

#[test]
fn a_start_takes_back_what_the_recipient_said_and_nothing_the_customer_said() {
    let mut rig = rig(StopRule::default());
    let theirs = SuppressionKey { account: "shop".into(), number: 33_612_345_678, origin: Origin::Customer, scope: "class:service".into() };
    let import = Suppression { key: theirs, classes: 0b100, source: "import".into(), reason: String::new(), since: NOW };
    rig.consent.apply(&[PersonChange::Suppress(import)]);
    assert_eq!(rig.hear(FR, "START", NOW).changes, [], "nothing to take back");
    rig.hear(FR, "STOP", NOW);
    let heard = rig.hear(FR, "start", NOW);
    assert_eq!(heard.keyword, Keyword::Start);
    // I2: it is not in force before its commit.
    assert!(!rig.may(FR, Class::Marketing));
    rig.consent.apply(&heard.changes);
    assert!((rig.may(FR, Class::Marketing), rig.may(FR, Class::Service)) == (true, false));
}

#[test]
fn wording_that_may_mean_stop_is_a_stop_where_any_wording_counts() {
    let mut rig = rig(StopRule::default());
    let text = "can you stop this";
    let heard = rig.hear(US, text, NOW);
    assert_eq!((heard.keyword, heard.changes.len()), (Keyword::Review, 1));
    assert!(!rig.may(US, Class::Marketing));
    let heard = rig.hear(FR, text, NOW);
    assert_eq!((heard.keyword, heard.changes.len(), heard.answer), (Keyword::Review, 0, None));
    assert!(rig.may(FR, Class::Marketing));
    // A word counts by the country of who wrote it.
    assert_eq!(
        (rig.hear("5215512345678", "baja", NOW).keyword, rig.hear("4915112345678", "baja", NOW).keyword),
        (Keyword::Stop, Keyword::None)
    );
}

#[test]
fn a_stop_is_confirmed_once_and_the_confirmation_passes_the_stop_for_five_minutes() {
    let mut rig = rig(StopRule::default());
    let answer = rig.hear(FR, "STOP", NOW).answer.expect("an answer");
    assert_eq!(answer.text, "Vous êtes désinscrit.");
    assert_eq!(rig.hear(FR, "STOP", NOW).answer, None, "it says nothing new");
    let content = content_hash(answer.to, &answer.text);
    let pass = |rig: &mut Rig, content, class, now| matches!(rig.judge("shop", FR, class, "36111", content, now), Verdict::Go { .. });
    assert!(pass(&mut rig, content, Class::Service, NOW.after(Span::secs(299))));
    assert!(!pass(&mut rig, content, Class::Service, NOW.after(Span::secs(300))));
    assert!(!pass(&mut rig, content, Class::Marketing, NOW));
    assert!(!pass(&mut rig, content + 1, Class::Service, NOW));
    assert!(!pass(&mut rig, 0, Class::Service, NOW));
    // Stop, start, stop within an hour: heard, not answered again.
    let start = rig.hear(FR, "START", NOW);
    assert_eq!(start.answer, None, "France has no text for a start");
    rig.consent.apply(&start.changes);
    assert_eq!(rig.hear(FR, "STOP", NOW).answer, None);
    rig.consent.apply(&rig.hear(FR, "START", NOW).changes);
    assert!(rig.hear(FR, "STOP", NOW.after(Span::secs(3_600))).answer.is_some());
}

#[test]
fn help_is_answered_also_to_who_has_opted_out_and_not_to_a_machine_that_answers_back() {
    let mut rig = rig(StopRule::default());
    rig.hear(US, "STOP", NOW);
    let heard = rig.hear(US, "HELP", NOW);
    assert_eq!((heard.keyword, heard.changes.len()), (Keyword::Help, 0));
    let answer = heard.answer.expect("an answer");
    let content = content_hash(answer.to, &answer.text);
    assert!(matches!(rig.judge("shop", US, Class::Service, "36111", content, NOW), Verdict::Go { .. }));
    assert_eq!(rig.hear(US, "HELP", NOW).answer, None);
}

#[test]
fn who_writes_from_what_is_no_number_cannot_be_stopped_and_that_is_told() {
    let rig = rig(StopRule::default());
    let heard = rig.hear("0612345678", "STOP", NOW);
    assert!((heard.keyword, heard.changes.len(), heard.is_unread) == (Keyword::Stop, 0, true));
    assert!(!rig.hear("0612345678", "merci", NOW).is_unread);
}

#[test]
fn while_opt_outs_are_lost_advertising_and_notices_wait_and_codes_go() {
    let mut consent = Consent::new([("shop".to_owned(), StopRule::default())], 10);
    consent.doubt();
    let mut judge = Judge::new(Arc::new(Law::default().knowing(Arc::new(consent))));
    let to = Msisdn::parse(FR).expect("a number");
    let question =
        |account, class| Question { account, to, from: "S", class, channel: Channel::Sms, campaign: "", zone: "", region: "", content: 0 };
    for account in ["shop", "gone"] {
        let verdict = judge.judge(&question(account, Class::Marketing), NOW);
        assert_eq!(verdict, Verdict::Hold { until: NOW.after(Span::secs(60)), why: Reason::Revival }, "{account}");
    }
    assert!(matches!(judge.judge(&question("shop", Class::Otp), NOW), Verdict::Go { .. }));
}

#[test]
fn rows_of_a_newer_version_stop_more_rather_than_less_and_those_of_former_accounts_still_hold() {
    let mut consent = Consent::new([("shop".to_owned(), StopRule::default())], 10);
    let row = |account: &str, scope: &str| {
        let key = SuppressionKey { account: account.into(), number: 33_612_345_678, origin: Origin::Customer, scope: scope.into() };
        PersonChange::Suppress(Suppression { key, classes: 8, source: String::new(), reason: String::new(), since: NOW })
    };
    consent.load(&row("shop", "planet:mars"));
    consent.load(&row("former", "all"));
    let mut rig = Rig { judge: Judge::new(Arc::new(Law::default().knowing(Arc::new(consent)))), ..rig(StopRule::default()) };
    for account in ["shop", "former"] {
        assert_eq!(rig.judge(account, FR, Class::Otp, "S", 0, NOW), Verdict::Refuse { why: Reason::OptedOut }, "{account}");
    }
}

#[test]
fn customers_are_refused_beyond_the_bound_and_recipients_never() {
    let consent = Consent::new([("shop".to_owned(), StopRule::default())], 2);
    assert_eq!((consent.admits(2), consent.admits(3)), (Ok(()), Err(ConsentFault::Full)));
    let hearing = Hearing::new(Vec::new(), Vec::new());
    for n in 0..5 {
        let from = (33_612_345_600_u64 + n).to_string();
        let _ = hearing.hear(&consent, Said { account: "shop", from: &from, to: "36111", text: "STOP" }, NOW);
    }
    assert_eq!((consent.entries(), consent.admits(0)), (5, Err(ConsentFault::Full)));
}
