//! The desk against a carrier and a journal made of numbers: single steps. `life_tests` has random lives with crashes,
//! `hold_tests` what waits.

use super::*;
use crate::base::{MessageId, Msisdn};
use crate::channel::session::{Answer, Keys, Receipt};
use crate::directory::judge::{Question, Verdict};
use crate::message::composed::Composed;
use crate::message::event::PartState;
use crate::message::outcome::Tally;
use crate::message::{Class, Encoding, record};
use crate::storage::Lane;
use std::sync::{Mutex, MutexGuard};

pub(super) const FIRST: MessageId = MessageId(1 << 30);

pub(super) fn rules() -> Rules {
    Rules {
        carrier: "one".into(),
        window: 4,
        rate: 0.0,
        burst: 1,
        response_timeout: Span::secs(10),
        ambiguity_hold: Span::secs(60),
        throttle_pause: Span::secs(1),
        receipt_wait: Span::secs(3_600),
        receipts: Receipts::Final,
        limits: Limits { attempts_max: 3, retry_min: Span::secs(5), retry_max: Span::secs(60) },
        form: Some(0),
        unnamed: Unnamed::ByDate,
        orphans_max: 100,
        orphan_ttl: Span::secs(3_600),
        retired_max: 1_000,
        bodies_bytes_max: 1 << 20,
        open_max: 1_000,
    }
}

pub(super) fn at(ordinal: u32) -> MessageRef {
    MessageRef { frame: FIRST, ordinal }
}

pub(super) fn keys(name: &str) -> Keys {
    Keys([name.parse::<u128>().ok(), None, None, None])
}

/// Answers and receipts write a name alike.
pub(super) fn keys_in(name: &str, _: crate::message::event::NamedIn) -> Keys {
    keys(name)
}

/// A frame of `count` messages of `parts` parts each; odd ones are at-most-once when `mixed`.
pub(super) fn frame(count: u32, parts: u32, mixed: bool) -> Arc<Frame> {
    framed(count, parts, mixed, (Time(0), 0), |_| None)
}

/// The same, waiting for an instant, each with a `not_before` of its own.
pub(super) fn framed(count: u32, parts: u32, mixed: bool, due: (Time, u8), not_before: impl Fn(u32) -> Option<Time>) -> Arc<Frame> {
    let head = FrameHead { due: due.0, why: due.1, ..head(FIRST, count) };
    written(head, parts, mixed, |n| 33_600_000_000 + u64::from(n), not_before)
}

/// A second frame, of at-most-once messages to given numbers.
pub(super) fn frame_to(count: u32, to: impl Fn(u32) -> u64) -> Arc<Frame> {
    written(head(MessageId(1 << 31), count), 1, true, to, |_| None)
}

fn head(first: MessageId, count: u32) -> FrameHead {
    let lane = Lane { carrier: "one".into(), account: "a".into(), priority: 1 };
    FrameHead { first, count, seq: 1, lane, batch: None, accepted: Time(0), expires: Time(86_400_000), due: Time(0), why: 0 }
}

fn written(head: FrameHead, parts: u32, mixed: bool, to: impl Fn(u32) -> u64, not_before: impl Fn(u32) -> Option<Time>) -> Arc<Frame> {
    let count = head.count;
    let mut body = Vec::new();
    let ends: Vec<u32> = (1..=parts).map(|part| part * 2).collect();
    for n in 0..count {
        let octets = vec![b'x'; parts as usize * 2];
        let doubt = if mixed && n % 2 == 1 { DoubtPolicy::AtMostOnce } else { DoubtPolicy::ResendOnce };
        record::write(
            &Composed {
                to: Msisdn::from_u64(to(n)).expect("a number"),
                from: "SHOP",
                client_ref: "",
                encoding: Encoding::Gsm7,
                octets: &octets,
                ends: &ends,
                reference: crate::message::Reference::Narrow,
                class: Class::Transactional,
                doubt,
                lifetime: Span::secs(86_400),
                line: n,
                extras: crate::message::Extras { not_before: not_before(n), ..Default::default() },
            },
            &mut body,
        );
    }
    Arc::new(Frame::new(head, body.into()).expect("a sound frame"))
}

/// A law for tests: a daily window, later by an hour for every other number; numbers that have opted out.
#[derive(Clone, Debug)]
pub(super) struct Book(Arc<Mutex<Page>>);

#[derive(Debug)]
pub(super) struct Page {
    /// Open from here to there, milliseconds of the day; everything is open when both are 0.
    pub(super) window: (i64, i64),
    /// Odd numbers live so much further west.
    pub(super) shift: i64,
    pub(super) out: Vec<u64>,
    /// Numbers that have had enough until an instant.
    pub(super) capped: Vec<(u64, Time)>,
    pub(super) version: u64,
    pub(super) spent: Vec<u64>,
}

pub(super) const HOUR: i64 = 3_600_000;
pub(super) const DAY: i64 = 24 * HOUR;

impl Book {
    pub(super) fn free() -> Book {
        Book::open((0, 0), 0)
    }
    pub(super) fn open(window: (i64, i64), shift: i64) -> Book {
        Book(Arc::new(Mutex::new(Page { window, shift, out: vec![], capped: vec![], version: 0, spent: vec![] })))
    }
    pub(super) fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().expect("no panic")
    }
    pub(super) fn verdict(&self, to: u64, now: Time) -> Verdict {
        let page = self.page();
        if page.out.contains(&to) {
            return Verdict::Refuse { why: Reason::OptedOut };
        }
        if let Some((_, until)) = page.capped.iter().find(|(number, until)| *number == to && *until > now) {
            return Verdict::Hold { until: *until, why: Reason::FrequencyCap };
        }
        let (from, to_end) = page.window;
        if to_end == 0 {
            return Verdict::Go { closes: Time(i64::MAX) };
        }
        let shift = if to % 2 == 1 { page.shift } else { 0 };
        let local = (now.0 - shift).rem_euclid(DAY);
        let midnight = now.0 - local;
        match () {
            () if local < from => Verdict::Hold { until: Time(midnight + from), why: Reason::WindowClosed },
            () if local < to_end => Verdict::Go { closes: Time(midnight + to_end) },
            () => Verdict::Hold { until: Time(midnight + DAY + from), why: Reason::WindowClosed },
        }
    }
}

impl Jury for Book {
    fn judge(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        self.verdict(question.to.as_u64(), now)
    }
    fn spend(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        let verdict = self.judge(question, now);
        if let Verdict::Go { .. } = verdict {
            self.page().spent.push(question.to.as_u64());
        }
        verdict
    }
    fn version(&self) -> u64 {
        self.page().version
    }
}

pub(super) struct Bench {
    pub(super) frame: Arc<Frame>,
    pub(super) desk: Desk,
    pub(super) now: Now,
    pub(super) book: Book,
    pub(super) journal: Vec<Event>,
    pub(super) closed: Vec<Tally>,
    /// (link, sequence, message, part), as written.
    pub(super) wire: Vec<(usize, u32, MessageRef, u8)>,
    pub(super) acknowledged: Vec<u32>,
    pub(super) sequence: u32,
}

impl Bench {
    pub(super) fn new(frame: &Arc<Frame>, rules: Rules) -> Bench {
        Bench::under(frame, rules, Book::free())
    }
    pub(super) fn under(frame: &Arc<Frame>, rules: Rules, book: Book) -> Bench {
        let mut desk = Desk::new(rules, 2, 1, Box::new(book.clone()));
        desk.load(frame.head.clone(), Some(frame.clone()), 1);
        let now = Now { wall: Time(1_000), mono: Mono(1_000_000) };
        Bench { frame: frame.clone(), desk, now, book, journal: vec![], closed: vec![], wire: vec![], acknowledged: vec![], sequence: 0 }
    }
    pub(super) fn pass(&mut self, span: Span) {
        self.now = Now { wall: self.now.wall.after(span), mono: self.now.mono + span };
    }
    pub(super) fn commit(&mut self) {
        let effects = self.desk.take_effects();
        self.journal.extend(effects.events);
        self.closed.extend(effects.closed.iter().map(|closed| Tally::from_bytes(&closed.tally)));
        for after in effects.after {
            match after {
                After::Free { link, slots } => self.desk.free(link, slots),
                After::Acknowledge { sequence, .. } => self.acknowledged.push(sequence),
                After::Leased { link, ready } => self.desk.leased(link, ready, self.now),
            }
        }
    }
    pub(super) fn write(&mut self) {
        let Bench { desk, now, wire, sequence, book, .. } = self;
        desk.write(*now, |link, ready, part| {
            assert!(
                matches!(book.verdict(ready.record.to, now.wall), Verdict::Go { closes } if ready.valid() <= closes),
                "written when it may not go"
            );
            assert!(ready.record.not_before().is_none_or(|due| due <= now.wall), "written before its instant");
            *sequence += 1;
            wire.push((link, *sequence, ready.at, part));
            Some(*sequence)
        });
    }
    pub(super) fn turn(&mut self) {
        self.desk.tick(self.now);
        self.desk.plan(self.now);
        for _ in self.desk.wanted() {
            self.desk.fetched(self.frame.clone());
            self.desk.plan(self.now);
        }
        self.commit();
        self.write();
        self.commit();
    }
    pub(super) fn answer(&mut self, sequence: u32, answer: Answer<'_>) {
        let link = self.wire.iter().find(|w| w.1 == sequence).expect("written").0;
        let keys = if let Answer::Accepted(name) = answer { keys(name) } else { Keys::default() };
        self.desk.answered(link, sequence, answer, &keys, self.now);
    }
    pub(super) fn receipt(&mut self, name: &str, number: u64, state: PartState) {
        let receipt = Receipt {
            carrier_id: name,
            other_id: "",
            keys: [keys(name), Keys::default()],
            number,
            reference: None,
            submit_date: 0,
            state,
            error: "000",
        };
        self.desk.receipt(0, 0, 7, &receipt, self.now);
    }
    pub(super) fn ends(&self) -> Vec<(u32, Status, Reason)> {
        let end = |event: &Event| match event {
            Event::Ended { at, status, reason, .. } => Some((at.ordinal, *status, *reason)),
            _ => None,
        };
        self.journal.iter().filter_map(end).collect()
    }
}

#[test]
fn nothing_is_written_before_its_lease_is_durable_and_no_slot_is_freed_before_its_outcome_is() {
    let mut bench = Bench::new(&frame(9, 1, false), rules());
    bench.desk.link_up(0);
    bench.desk.plan(bench.now);
    bench.write();
    assert!(bench.wire.is_empty());
    bench.commit();
    bench.write();
    assert_eq!(bench.wire.len(), 4);
    bench.answer(1, Answer::Accepted("100"));
    bench.write();
    assert_eq!(bench.wire.len(), 4);
    bench.commit();
    bench.write();
    assert_eq!(bench.wire.len(), 5);
}

#[test]
fn a_message_goes_from_load_to_delivered_and_its_receipt_is_acknowledged_after_the_commit() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    bench.answer(1, Answer::Accepted("100"));
    bench.receipt("100", 0, PartState::Delivered);
    assert!(bench.acknowledged.is_empty());
    bench.commit();
    assert_eq!(bench.acknowledged, [7]);
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt)]);
    assert_eq!(bench.closed.len(), 1);
    assert!(bench.desk.is_quiet() && bench.desk.waiting() == 0);
}

#[test]
fn a_receipt_before_its_response_waits_for_it_and_a_second_one_changes_nothing() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    bench.receipt("100", 0, PartState::Delivered);
    assert_eq!(bench.desk.gauges().orphans, 1);
    bench.answer(1, Answer::Accepted("100"));
    bench.receipt("100", 0, PartState::Undeliverable);
    bench.commit();
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt)]);
    assert_eq!((bench.desk.gauges().orphans, bench.desk.counts().repeated, bench.desk.counts().adopted), (0, 1, 1));
}

#[test]
fn throttling_pauses_the_carrier_and_costs_no_attempt() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    for round in 1..=10 {
        bench.turn();
        assert_eq!(bench.wire.len(), round);
        bench.answer(round as u32, Answer::Throttled { command_status: 0x58 });
        bench.turn();
        assert_eq!(bench.wire.len(), round, "the carrier rests");
        bench.pass(Span::secs(1));
    }
    let leases = |event: &Event| if let Event::Leased { messages, .. } = event { Some(messages[0].attempt) } else { None };
    assert!(bench.journal.iter().filter_map(leases).all(|attempt| attempt == 1));
    assert!(bench.ends().is_empty());
}

#[test]
fn being_throttled_pauses_the_carrier_also_when_another_part_has_ended_the_message() {
    let mut bench = Bench::new(&frame(3, 2, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.wire.len(), 4, "the window is full");
    bench.answer(2, Answer::Refused { command_status: 0x0B });
    bench.commit();
    assert_eq!(bench.ends(), [(0, Status::Rejected, Reason::CarrierRefused)]);
    bench.answer(1, Answer::Throttled { command_status: 0x14 });
    bench.turn();
    assert_eq!(bench.wire.len(), 4, "the carrier rests");
    bench.pass(Span::secs(1));
    bench.turn();
    assert_eq!(bench.wire.len(), 6);
}

#[test]
fn temporary_refusals_use_up_the_attempts_with_growing_waits() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    for round in 1..=3u32 {
        bench.turn();
        assert_eq!(bench.wire.len(), round as usize);
        bench.answer(round, Answer::Later { command_status: 8 });
        bench.turn();
        assert_eq!(bench.wire.len(), round as usize);
        bench.pass(Span::secs(60));
    }
    assert_eq!(bench.ends(), [(0, Status::Rejected, Reason::AttemptsUsedUp)]);
}

#[test]
fn a_lost_link_leaves_the_written_in_doubt_and_puts_the_unwritten_back() {
    let mut bench = Bench::new(&frame(8, 1, true), rules());
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.wire.len(), 4);
    bench.desk.link_down(0, bench.now);
    bench.commit();
    assert_eq!(bench.desk.gauges().in_doubt, 4);
    assert_eq!(bench.journal.iter().filter(|e| matches!(e, Event::Requeued { reason: Reason::NotWritten, .. })).count(), 4);
    bench.desk.link_up(0);
    bench.turn();
    let second: Vec<u32> = bench.wire[4..].iter().map(|w| w.2.ordinal).collect();
    assert_eq!(second, [4, 5, 6, 7], "those in doubt are held");
    for sequence in 5..=8 {
        bench.answer(sequence, Answer::Accepted(&format!("{sequence}")));
    }
    bench.commit();
    bench.pass(Span::secs(60));
    bench.turn();
    let again: Vec<u32> = bench.wire[8..].iter().map(|w| w.2.ordinal).collect();
    assert_eq!(again, [0, 2], "odd ones are at-most-once");
    assert_eq!(bench.ends(), [(1, Status::Unknown, Reason::InDoubt), (3, Status::Unknown, Reason::InDoubt)]);
    bench.answer(9, Answer::Accepted("9"));
    bench.receipt("9", 0, PartState::Delivered);
    bench.commit();
    assert!(matches!(bench.journal.last(), Some(Event::Ended { possible_duplicate: true, status: Status::Delivered, .. })));
}

#[test]
fn a_late_answer_settles_a_doubt() {
    let mut bench = Bench::new(&frame(1, 1, true), rules());
    bench.desk.link_up(0);
    bench.turn();
    bench.pass(Span::secs(10));
    bench.turn();
    assert_eq!(bench.desk.gauges().in_doubt, 1);
    bench.answer(1, Answer::Accepted("55"));
    bench.pass(Span::secs(60));
    bench.turn();
    assert_eq!(bench.wire.len(), 1);
    bench.receipt("55", 0, PartState::Delivered);
    bench.commit();
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt)]);
}

#[test]
fn a_receipt_that_echoes_our_reference_settles_a_doubt() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    bench.desk.link_down(0, bench.now);
    let receipt = Receipt {
        carrier_id: "77",
        other_id: "",
        keys: [keys("77"), Keys::default()],
        number: 33_600_000_000,
        reference: Some(reference_of(at(0), 0)),
        submit_date: 0,
        state: PartState::Delivered,
        error: "",
    };
    bench.desk.receipt(1, 0, 1, &receipt, bench.now);
    bench.commit();
    assert_eq!(bench.ends(), [(0, Status::Delivered, Reason::Receipt)]);
}

#[test]
fn parts_go_in_order_and_fold_into_one_outcome() {
    let mut bench = Bench::new(&frame(1, 3, false), rules());
    bench.desk.link_up(1);
    bench.turn();
    assert_eq!(bench.wire.iter().map(|w| w.3).collect::<Vec<_>>(), [0, 1, 2]);
    for sequence in [3, 1, 2] {
        bench.answer(sequence, Answer::Accepted(&format!("{sequence}")));
    }
    for (name, state) in [("2", PartState::Delivered), ("1", PartState::Undeliverable), ("3", PartState::Delivered)] {
        assert!(bench.ends().is_empty());
        bench.receipt(name, 0, state);
        bench.commit();
    }
    assert_eq!(bench.ends(), [(0, Status::PartiallyDelivered, Reason::Receipt)]);
}

#[test]
fn what_expires_while_it_waits_is_ended_and_no_receipt_ends_as_unknown() {
    let mut bench = Bench::new(&frame(3, 1, false), Rules { receipt_wait: Span::secs(90_000), ..rules() });
    bench.desk.link_up(0);
    bench.desk.plan(bench.now);
    bench.commit();
    bench.desk.write(bench.now, |_, ready, _| (ready.at.ordinal == 0).then_some(1));
    bench.wire.push((0, 1, at(0), 0));
    bench.answer(1, Answer::Accepted("1"));
    bench.commit();
    bench.pass(Span::secs(86_400));
    bench.turn();
    assert_eq!(bench.ends(), [(1, Status::Expired, Reason::LifetimeOver), (2, Status::Expired, Reason::LifetimeOver)]);
    bench.pass(Span::secs(3_600));
    bench.turn();
    assert_eq!(bench.ends().last(), Some(&(0, Status::Unknown, Reason::NoReceipt)));
}

#[test]
fn a_message_can_be_canceled_until_it_is_leased() {
    let mut bench = Bench::new(&frame(12, 1, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    assert!(!bench.desk.cancel(at(0), bench.now));
    assert!(bench.desk.cancel(at(11), bench.now));
    assert!(!bench.desk.cancel(at(11), bench.now));
    bench.commit();
    assert_eq!(bench.ends(), [(11, Status::Canceled, Reason::Canceled)]);
}

#[test]
fn the_rate_is_kept_on_the_wire() {
    let mut bench = Bench::new(&frame(50, 1, false), Rules { rate: 10.0, window: 100, ..rules() });
    bench.desk.link_up(0);
    for _ in 0..100 {
        bench.turn();
        bench.pass(Span::millis(10));
    }
    assert!((9..=11).contains(&bench.wire.len()), "{}", bench.wire.len());
}
