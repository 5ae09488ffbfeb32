//! Receipts about parts whose answer was lost: who is meant, and when nobody is.

use super::tests::{Bench, at, frame, keys, rules};
use super::*;
use crate::channel::session::{Answer, Keys, Receipt};
use crate::message::event::{NamedIn, PartState};

/// Noon of the day on which the bench's messages were accepted.
const NOON: i64 = 43_200_000;
/// The carrier's clock: two hours ahead.
const AHEAD: i64 = 7_200;

/// Messages are for 33600000000 and up; here all are for the same two numbers in turn.
const NUMBER: u64 = 33_600_000_000;

struct Told<'a> {
    name: &'a str,
    number: u64,
    reference: Option<u16>,
    submit_date: i64,
    state: PartState,
}

impl Default for Told<'_> {
    fn default() -> Self {
        Told { name: "900", number: NUMBER, reference: None, submit_date: 0, state: PartState::Delivered }
    }
}

fn tell(bench: &mut Bench, told: Told<'_>) {
    let Told { name, number, reference, submit_date, state } = told;
    let keys = [keys(name), Keys::default()];
    let receipt = Receipt { carrier_id: name, other_id: "", keys, number, reference, submit_date, state, error: "" };
    bench.desk.receipt(0, 0, 7, &receipt, bench.now);
    bench.commit();
}

/// The carrier's date for what it takes now, without seconds.
fn date(bench: &Bench) -> i64 {
    (bench.now.wall.0 / 1_000 + AHEAD) / 60 * 60
}

/// A desk, ten minutes after its start, whose first message had a receipt with the carrier's date.
fn dated(count: u32) -> Bench {
    let mut bench = Bench::new(&frame(count, 1, true), Rules { window: 1, ..rules() });
    bench.now.wall = Time(NOON);
    bench.desk.restored(vec![], &keys, bench.now);
    bench.pass(Span::secs(600));
    bench.desk.link_up(0);
    bench.turn();
    bench.answer(1, Answer::Accepted("1"));
    let told = Told { name: "1", submit_date: date(&bench), ..Told::default() };
    tell(&mut bench, told);
    bench
}

/// A desk that knows the carrier's zone from the receipt of message 9, long after its start; 0 to 3 are written at `date`.
fn learnt(count: u32) -> (Bench, i64) {
    let mut bench = dated(count);
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt)]);
    // Later than what the first one could be mistaken for.
    bench.pass(Span::secs(600));
    bench.turn();
    bench.pass(Span::secs(5));
    let date = date(&bench);
    (bench, date)
}

/// The number of a message of the bench's frame.
fn number(ordinal: u64) -> u64 {
    NUMBER + ordinal
}

#[test]
fn a_receipt_without_reference_settles_the_one_message_in_doubt_for_its_number_and_date() {
    // 1 is at-most-once: it must not end as unknown when the carrier says that it was delivered.
    let (mut bench, date) = learnt(2);
    bench.desk.link_down(0, bench.now);
    tell(&mut bench, Told { number: number(1), submit_date: date, ..Told::default() });
    assert_eq!(bench.ends().last(), Some(&(1, Status::Delivered, Reason::Receipt)));
    assert_eq!((bench.desk.counts().undoubted, bench.desk.counts().ambiguous, bench.desk.gauges().orphans), (1, 0, 0));
    assert!(bench.journal.iter().any(|event| matches!(event, Event::Submitted { carrier_id, .. } if **carrier_id == *"900")));
}

#[test]
fn a_receipt_that_came_before_the_doubt_settles_it_when_it_begins() {
    let (mut bench, date) = learnt(2);
    tell(&mut bench, Told { number: number(1), submit_date: date, state: PartState::Enroute, ..Told::default() });
    tell(&mut bench, Told { number: number(1), submit_date: date, ..Told::default() });
    assert_eq!(bench.desk.gauges().orphans, 2, "its answer may still come");
    bench.desk.link_down(0, bench.now);
    bench.commit();
    assert_eq!(bench.ends().last(), Some(&(1, Status::Delivered, Reason::Receipt)));
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().adopted), (0, 2));
}

#[test]
fn another_number_another_date_or_none_settles_nothing() {
    let (mut bench, date) = learnt(2);
    bench.desk.link_down(0, bench.now);
    for told in [
        Told { number: number(7), submit_date: date, ..Told::default() },
        Told { number: number(1), submit_date: 0, ..Told::default() },
        Told { number: number(1), submit_date: date - 900, ..Told::default() },
        Told { number: number(1), submit_date: date + 240, ..Told::default() },
        Told { number: number(1), submit_date: date, reference: Some(reference_of(at(0), 0)), ..Told::default() },
        Told { number: 0, submit_date: date, ..Told::default() },
    ] {
        tell(&mut bench, told);
    }
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().undoubted), (6, 0));
    bench.pass(Span::secs(60));
    bench.turn();
    assert_eq!(bench.ends().last(), Some(&(1, Status::Unknown, Reason::InDoubt)));
}

#[test]
fn before_the_copy_goes_a_receipt_settles_a_message_that_would_be_sent_again() {
    let (mut bench, _) = learnt(3);
    bench.answer(2, Answer::Accepted("2"));
    bench.commit();
    bench.turn();
    let date = date(&bench);
    bench.desk.link_down(0, bench.now);
    bench.commit();
    // The hold is over and the copy waits for a link.
    bench.pass(Span::secs(61));
    bench.turn();
    assert!(bench.journal.iter().any(|event| matches!(event, Event::Requeued { reason: Reason::InDoubt, .. })));
    tell(&mut bench, Told { number: number(2), submit_date: date, ..Told::default() });
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.wire.len(), 3, "no copy is written");
    assert_eq!(bench.ends().last(), Some(&(2, Status::Delivered, Reason::Receipt)));
}

/// Two messages for one number: the first was written and never answered, the second is in flight.
fn twins(receipts: &[Told<'_>]) -> Bench {
    let (mut bench, _) = learnt(1);
    let twins = super::tests::frame_to(2, |_| NUMBER + 50);
    bench.desk.load(twins.head.clone(), Some(twins.clone()), 1);
    bench.turn();
    let date = date(&bench);
    bench.pass(Span::secs(10));
    bench.turn();
    assert_eq!((bench.wire.len(), bench.desk.gauges().in_doubt), (3, 1));
    for told in receipts {
        tell(&mut bench, Told { name: told.name, number: NUMBER + 50, submit_date: date, ..Told::default() });
    }
    bench
}

#[test]
fn with_two_that_it_may_be_about_a_receipt_stays_an_orphan_and_is_counted() {
    let mut bench = twins(&[Told::default()]);
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().ambiguous, bench.desk.counts().undoubted), (1, 1, 0));
    // The one that was in flight gets its name, which is not the receipt's: now only one is left.
    bench.answer(3, Answer::Accepted("3"));
    bench.pass(Span::secs(61));
    bench.turn();
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt); 2]);
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().adopted), (0, 1));
}

#[test]
fn with_both_in_doubt_neither_is_settled_and_nothing_of_it_is_guessed_later() {
    let mut bench = twins(&[]);
    bench.desk.link_down(0, bench.now);
    bench.commit();
    let date = date(&bench);
    tell(&mut bench, Told { number: NUMBER + 50, submit_date: date, ..Told::default() });
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().ambiguous, bench.desk.counts().undoubted), (1, 1, 0));
    bench.pass(Span::secs(61));
    bench.turn();
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().undoubted), (1, 0));
}

#[test]
fn two_receipts_that_claim_one_message_settle_nothing() {
    let (mut bench, date) = learnt(2);
    tell(&mut bench, Told { name: "900", number: number(1), submit_date: date, ..Told::default() });
    tell(&mut bench, Told { name: "901", number: number(1), submit_date: date, ..Told::default() });
    bench.desk.link_down(0, bench.now);
    bench.commit();
    tell(&mut bench, Told { name: "902", number: number(1), submit_date: date, ..Told::default() });
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().undoubted), (3, 0));
}

#[test]
fn a_message_for_the_same_number_that_ended_unnamed_a_moment_ago_makes_it_uncertain() {
    let (mut bench, _) = learnt(2);
    bench.desk.link_down(0, bench.now);
    bench.commit();
    bench.pass(Span::secs(60));
    bench.turn();
    assert_eq!(bench.ends().last(), Some(&(1, Status::Unknown, Reason::InDoubt)));
    let next = super::tests::frame_to(1, |_| number(1));
    bench.desk.load(next.head.clone(), Some(next.clone()), 1);
    bench.desk.link_up(1);
    bench.turn();
    let date = date(&bench);
    bench.desk.link_down(1, bench.now);
    bench.commit();
    tell(&mut bench, Told { number: number(1), submit_date: date, ..Told::default() });
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().ambiguous, bench.desk.counts().undoubted), (1, 1, 0));
}

#[test]
fn a_name_that_is_used_again_is_not_settled_by_what_was_said_before_its_submit() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    tell(&mut bench, Told { name: "1", number: number(0), state: PartState::Undeliverable, ..Told::default() });
    bench.pass(Span::secs(1));
    bench.desk.link_up(0);
    bench.turn();
    bench.answer(1, Answer::Accepted("1"));
    bench.commit();
    assert!(bench.ends().is_empty());
    bench.receipt("1", 0, PartState::Delivered);
    bench.commit();
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt)]);
}

/// The desk after a kill: only what was committed is known.
fn after_a_kill(bench: &mut Bench) {
    let mut replay = Replay::of([bench.frame.head.first]);
    bench.journal.iter().cloned().for_each(|event| replay.event(event));
    let mut desk = Desk::new(rules(), 2, 1, Box::new(bench.book.clone()));
    desk.restore(bench.frame.head.clone(), Some(&bench.frame), replay.take_frame(&bench.frame.head), 1, &super::tests::keys_in, bench.now);
    desk.restored(replay.orphans_of("one"), &keys, bench.now);
    bench.desk = desk;
}

#[test]
fn a_receipt_kept_before_a_kill_settles_the_doubt_that_the_kill_made() {
    let mut bench = Bench::new(&frame(2, 1, true), rules());
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.wire.len(), 2);
    for (ordinal, name) in [(0, "70"), (1, "71")] {
        tell(&mut bench, Told { name, number: number(ordinal), reference: Some(reference_of(at(ordinal as u32), 0)), ..Told::default() });
    }
    bench.pass(Span::secs(30));
    after_a_kill(&mut bench);
    bench.commit();
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt), (1, Status::Delivered, Reason::Receipt)]);
    assert_eq!((bench.desk.gauges().orphans, bench.desk.gauges().in_doubt > 0), (0, true));
    bench.desk.link_up(0);
    bench.pass(Span::secs(100));
    bench.turn();
    assert_eq!(bench.wire.len(), 2, "nothing is sent again");
}

#[test]
fn while_receipts_come_that_nobody_claims_none_is_matched_by_date() {
    for since in [145, 3_700] {
        let mut bench = dated(2);
        bench.turn();
        tell(&mut bench, Told { name: "777", number: number(50), ..Told::default() });
        bench.desk.answered(0, 2, Answer::Throttled { command_status: 0x58 }, &Keys::default(), bench.now);
        bench.commit();
        bench.pass(Span::secs(since));
        bench.turn();
        assert_eq!(bench.wire.len(), 3);
        let date = date(&bench);
        bench.desk.link_down(0, bench.now);
        tell(&mut bench, Told { number: number(1), submit_date: date, ..Told::default() });
        assert_eq!((bench.desk.counts().undoubted, bench.ends().len()), (0, 1), "{since}");
    }
}

#[test]
fn a_name_learnt_from_a_receipt_is_read_back_as_receipts_write_it() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    bench.desk.link_down(0, bench.now);
    let told =
        Told { name: "70", number: number(0), reference: Some(reference_of(at(0), 0)), state: PartState::Enroute, ..Told::default() };
    tell(&mut bench, told);
    let mut replay = Replay::of([bench.frame.head.first]);
    bench.journal.iter().cloned().for_each(|event| replay.event(event));
    let mut desk = Desk::new(rules(), 2, 1, Box::new(bench.book.clone()));
    // This carrier's answers write ids in another base.
    let keys_in = |name: &str, named_in: NamedIn| if named_in == NamedIn::Receipt { keys(name) } else { keys("112") };
    desk.restore(bench.frame.head.clone(), Some(&bench.frame), replay.take_frame(&bench.frame.head), 1, &keys_in, bench.now);
    desk.restored(replay.orphans_of("one"), &keys, bench.now);
    bench.desk = desk;
    tell(&mut bench, Told { name: "70", number: number(0), ..Told::default() });
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt)]);
}

#[test]
fn what_another_process_wrote_is_not_matched_by_date_alone() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.now.wall = Time(NOON);
    bench.desk.link_up(0);
    bench.turn();
    let date = date(&bench);
    after_a_kill(&mut bench);
    tell(&mut bench, Told { number: number(0), submit_date: date, ..Told::default() });
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().undoubted), (1, 0));
}

#[test]
fn two_orphans_of_one_name_both_outlive_a_kill_and_a_kill_does_not_lengthen_their_time() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    tell(&mut bench, Told { state: PartState::Enroute, ..Told::default() });
    bench.pass(Span::secs(10));
    tell(&mut bench, Told::default());
    bench.pass(Span::secs(900));
    after_a_kill(&mut bench);
    assert_eq!(bench.desk.gauges().orphans, 2);
    bench.pass(Span::secs(2_690));
    bench.turn();
    assert_eq!(bench.desk.gauges().orphans, 1, "the first is an hour old");
    after_a_kill(&mut bench);
    assert_eq!(bench.desk.gauges().orphans, 1);
}
