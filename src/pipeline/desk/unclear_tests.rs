//! Receipts while the form of ids is being learnt: the parts 13 and 19 to one number, where 19 is 0x13.

use super::tests::{Bench, frame_to, rules};
use super::*;
use crate::channel::session::{Answer, Keys, Receipt};
use crate::message::event::{NamedIn, PartState};

const NUMBER: u64 = 33_600_000_000;
/// As the channel marks decimal answers, which stand in one map with the others.
const DECIMAL: u128 = 1 << 126;

fn hexadecimal(name: &str) -> Option<u128> {
    u128::from_str_radix(name, 16).ok()
}

/// As an answer writes it: as it is, without what follows @, for decimal receipts, for hexadecimal ones.
fn answer_keys(name: &str) -> Keys {
    let plain = hexadecimal(name);
    Keys([plain, plain, plain, name.parse::<u128>().ok().map_or(plain, |number| Some(number | DECIMAL))])
}

fn receipt_keys(name: &str) -> Keys {
    let plain = hexadecimal(name);
    Keys([plain, plain, name.parse::<u128>().ok().or(plain), plain.map(|number| number | DECIMAL)])
}

fn keys_in(name: &str, named_in: NamedIn) -> Keys {
    if named_in == NamedIn::Answer { answer_keys(name) } else { receipt_keys(name) }
}

fn learning() -> Rules {
    Rules { form: None, window: 60, ..rules() }
}

/// Messages for one number, all written, none answered.
fn written(count: u32) -> Bench {
    written_to(count, |_| NUMBER)
}

fn written_to(count: u32, to: impl Fn(u32) -> u64) -> Bench {
    let mut bench = Bench::new(&frame_to(count, to), learning());
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.wire.len(), count as usize);
    bench
}

/// Two messages whose names are the same number in two bases.
fn named() -> Bench {
    let mut bench = written(2);
    name(&mut bench, 1, "13");
    name(&mut bench, 2, "19");
    bench
}

/// The submit with this number (from 1) gets its name.
fn name(bench: &mut Bench, sequence: u32, name: &str) {
    bench.desk.answered(0, sequence, Answer::Accepted(name), &answer_keys(name), bench.now);
    bench.turn();
}

fn tell(bench: &mut Bench, name: &str, number: u64, state: PartState, reference: Option<u16>) {
    let keys = [receipt_keys(name), Keys::default()];
    let receipt = Receipt { carrier_id: name, other_id: "", keys, number, reference, submit_date: 0, state, error: "" };
    bench.desk.receipt(0, 0, 7, &receipt, bench.now);
    bench.turn();
}

fn delivered(bench: &mut Bench, name: &str) {
    tell(bench, name, NUMBER, PartState::Delivered, None);
}

fn rejected(bench: &mut Bench, name: &str) {
    tell(bench, name, NUMBER, PartState::Rejected, None);
}

/// The message behind each submit that has ended, with how.
fn ends(bench: &Bench) -> Vec<(u32, Status)> {
    let sequence = |ordinal: u32| bench.wire.iter().find(|wire| wire.2.ordinal == ordinal).expect("written").1;
    bench.ends().into_iter().map(|(ordinal, status, _)| (sequence(ordinal), status)).collect()
}

/// The same when everything has had its time, by submit.
fn ends_at_last(bench: &mut Bench) -> Vec<(u32, Status)> {
    bench.pass(Span::secs(100));
    bench.turn();
    let mut ends = ends(bench);
    ends.sort_unstable_by_key(|end| end.0);
    ends
}

#[test]
fn an_early_receipt_is_not_taken_for_the_part_whose_name_it_is_in_another_base() {
    for (first, second) in [("13", "19"), ("19", "13")] {
        let mut bench = written(2);
        name(&mut bench, 1, first);
        rejected(&mut bench, second);
        assert_eq!(ends(&bench), [], "its own part may have no name yet");
        name(&mut bench, 2, second);
        // Both can be meant, and nothing was learnt yet: the receipt of the other one tells.
        delivered(&mut bench, first);
        assert_eq!(ends_at_last(&mut bench), [(1, Status::Delivered), (2, Status::Rejected)]);
        assert_eq!(bench.desk.gauges().orphans, 0);
    }
}

#[test]
fn a_carrier_that_does_use_two_bases_is_not_read_literally() {
    // Its numbers are 19 and 25; it answers in hexadecimal.
    let mut bench = named();
    delivered(&mut bench, "19");
    assert_eq!(ends(&bench), [], "the second, literally");
    rejected(&mut bench, "25");
    assert_eq!(ends_at_last(&mut bench), [(1, Status::Delivered), (2, Status::Rejected)]);
}

#[test]
fn a_receipt_that_nothing_else_can_be_is_not_kept_waiting() {
    let mut bench = written(2);
    name(&mut bench, 1, "13");
    name(&mut bench, 2, "200");
    delivered(&mut bench, "19");
    delivered(&mut bench, "200");
    assert_eq!(ends(&bench), [(1, Status::Delivered), (2, Status::Delivered)]);
    assert_eq!((bench.desk.counts().orphaned, bench.desk.counts().ambiguous), (0, 0));
}

#[test]
fn between_equals_what_is_literally_so_is_believed_when_all_have_their_names_or_time_is_over() {
    let mut bench = named();
    delivered(&mut bench, "19");
    bench.pass(Span::secs(69));
    bench.turn();
    assert_eq!(ends(&bench), []);
    assert!(bench.desk.deadline(bench.now).is_some_and(|at| at <= bench.now.mono + Span::secs(1)));
    bench.pass(Span::secs(1));
    bench.turn();
    assert_eq!(ends(&bench), [(2, Status::Delivered)]);
}

#[test]
fn three_receipts_that_can_be_read_in_one_way_only_settle_how_the_next_is_read() {
    let mut bench = written(6);
    for (sequence, id) in [(1, "a0"), (2, "b0"), (3, "c0"), (4, "13"), (5, "19")] {
        name(&mut bench, sequence, id);
    }
    bench.desk.answered(0, 6, Answer::Refused { command_status: 11 }, &Keys::default(), bench.now);
    bench.turn();
    for id in ["160", "176", "192"] {
        delivered(&mut bench, id);
    }
    assert_eq!(ends(&bench).len(), 4);
    rejected(&mut bench, "19");
    assert_eq!(ends(&bench).last(), Some(&(4, Status::Rejected)));
}

#[test]
fn our_reference_tells_at_once() {
    let mut bench = named();
    let second = bench.wire.iter().find(|wire| wire.1 == 1).expect("written").2;
    tell(&mut bench, "19", NUMBER, PartState::Delivered, Some(reference_of(second, 0)));
    assert_eq!(ends(&bench), [(1, Status::Delivered)]);
}

#[test]
fn another_number_is_never_in_doubt() {
    let mut bench = written_to(2, |n| NUMBER + u64::from(n));
    let number =
        |bench: &Bench, sequence| NUMBER + u64::from(bench.wire.iter().find(|wire| wire.1 == sequence).expect("written").2.ordinal);
    name(&mut bench, 1, "13");
    let other = number(&bench, 2);
    tell(&mut bench, "19", other, PartState::Delivered, None);
    name(&mut bench, 2, "19");
    assert_eq!(ends(&bench), [(2, Status::Delivered)]);
}

#[test]
fn a_second_receipt_of_one_part_is_not_the_first_of_another() {
    let mut bench = written(2);
    name(&mut bench, 2, "200");
    name(&mut bench, 1, "13");
    delivered(&mut bench, "13");
    let mut more = Bench { frame: bench.frame.clone(), ..bench };
    let next = super::tests::frame(1, 1, false);
    more.desk.load(next.head.clone(), Some(next.clone()), 1);
    more.turn();
    name(&mut more, 3, "19");
    // 0x13 is 19, and the first message has ended.
    delivered(&mut more, "13");
    assert!(!ends(&more).contains(&(3, Status::Delivered)));
    rejected(&mut more, "19");
    more.pass(Span::secs(100));
    more.turn();
    assert!(
        more.journal
            .iter()
            .any(|event| matches!(event, Event::Receipt { at, state: PartState::Rejected, .. } if at.frame == next.head.first))
    );
    assert!(
        !more
            .journal
            .iter()
            .any(|event| matches!(event, Event::Receipt { at, state: PartState::Delivered, .. } if at.frame == next.head.first))
    );
}

#[test]
fn more_unclear_receipts_than_there_is_room_for_are_decided_and_the_form_is_learnt_from_them() {
    let mut bench = written(50);
    for n in 0..49u32 {
        name(&mut bench, n + 1, &format!("{}", 100 + n));
    }
    for n in 0..49u32 {
        delivered(&mut bench, &format!("{}", 100 + n));
    }
    assert_eq!(bench.desk.form().0, Some(0));
    assert_eq!((ends(&bench).len(), bench.desk.gauges().orphans), (49, 0));
}

#[test]
fn what_was_unclear_outlives_a_kill() {
    let mut bench = named();
    rejected(&mut bench, "19");
    assert_eq!((ends(&bench).len(), bench.desk.gauges().orphans), (0, 1));
    let mut replay = Replay::of([bench.frame.head.first]);
    bench.journal.iter().cloned().for_each(|event| replay.event(event));
    let mut desk = Desk::new(learning(), 2, 1, Box::new(bench.book.clone()));
    bench.pass(Span::secs(5));
    desk.restore(bench.frame.head.clone(), Some(&bench.frame), replay.take_frame(&bench.frame.head), 1, &keys_in, bench.now);
    desk.restored(replay.orphans_of("one"), &receipt_keys, bench.now);
    bench.desk = desk;
    bench.commit();
    assert_eq!(ends(&bench), []);
    delivered(&mut bench, "13");
    assert_eq!(ends_at_last(&mut bench), [(1, Status::Delivered), (2, Status::Rejected)]);
}
