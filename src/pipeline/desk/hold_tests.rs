//! What may not go now: held, told, judged again, never lost and never written.

use super::tests::{Bench, Book, DAY, FIRST, HOUR, at, frame, framed, keys, rules};
use super::*;
use crate::base::MessageId;
use crate::channel::session::Answer;
use crate::message::Class;
use crate::message::event::{Moved, PartState};
use crate::message::outcome::Tally;
use crate::pipeline::schedule::clock::Clock;

/// A bench under a daily window, at an hour of the day; its messages were accepted at midnight, for a day.
fn bench(count: u32, window: (i64, i64), hour: i64) -> Bench {
    bench_of(&frame(count, 1, false), window, hour)
}

/// The same; its messages have just been accepted.
fn fresh_bench(count: u32, window: (i64, i64), hour: i64) -> Bench {
    let mut frame = (*frame(count, 1, false)).clone();
    (frame.head.accepted, frame.head.expires) = (Time(hour * HOUR), Time(DAY + hour * HOUR));
    bench_of(&Arc::new(frame), window, hour)
}

fn bench_of(frame: &Arc<Frame>, window: (i64, i64), hour: i64) -> Bench {
    let mut bench = Bench::under(frame, rules(), Book::open(window, 0));
    bench.now.wall = Time(hour * HOUR);
    bench.desk.link_up(0);
    bench
}

fn parkings(bench: &Bench) -> Vec<(Time, Reason, u32)> {
    let parked = |event: &Event| if let Event::Parked { until, why, held, .. } = event { Some((*until, *why, *held)) } else { None };
    bench.journal.iter().filter_map(parked).collect()
}

fn tally(bench: &Bench) -> Tally {
    bench.desk.frames.get(FIRST).expect("open").tally
}

/// Takes every written submit as accepted and delivered.
fn deliver(bench: &mut Bench) {
    for (_, sequence, _, _) in bench.wire.clone().into_iter().filter(|(link, ..)| *link == 0) {
        bench.answer(sequence, Answer::Accepted(&sequence.to_string()));
        bench.receipt(&sequence.to_string(), 0, PartState::Delivered);
    }
    bench.commit();
}

pub(super) fn crash(bench: &mut Bench) {
    let mut replay = Replay::of([FIRST]);
    bench.journal.iter().cloned().for_each(|event| replay.event(event));
    let mut desk = Desk::new(rules(), 2, 7, Box::new(bench.book.clone()));
    let head = bench.frame.head.clone();
    let touched = replay.take_frame(&head);
    desk.restore(head, Some(&bench.frame), touched, 1, &super::tests::keys_in, bench.now);
    desk.restored(vec![], &keys, bench.now);
    desk.link_up(0);
    bench.desk = desk;
}

#[test]
fn a_frame_before_its_opening_is_parked_once_without_its_body_and_goes_at_the_opening() {
    let mut bench = bench(20, (9 * HOUR, 20 * HOUR), 3);
    bench.turn();
    bench.turn();
    assert_eq!(parkings(&bench), [(Time(9 * HOUR), Reason::WindowClosed, 20)]);
    assert_eq!((tally(&bench).of(Status::Held), bench.desk.gauges().body_bytes, bench.desk.gauges().held), (20, 0, 20));
    assert!(bench.book.page().spent.is_empty());
    assert_eq!(bench.desk.deadline(bench.now), Some(bench.now.mono + Span::secs(60)));
    bench.pass(Span::millis(6 * HOUR as u64 - 1));
    bench.turn();
    assert!(bench.wire.is_empty());
    bench.pass(Span::millis(1));
    for _ in 0..30 {
        bench.turn();
        deliver(&mut bench);
    }
    assert_eq!(bench.ends().len(), 20);
    assert_eq!(bench.book.page().spent.len(), 20);
    assert_eq!(bench.closed.last().map(|tally| tally.of(Status::Delivered)), Some(20));
}

#[test]
fn a_frame_that_is_due_later_is_neither_read_nor_judged_before() {
    let due = (Time(5 * HOUR), Reason::Scheduled as u8);
    let mut bench = Bench::under(&framed(3, 1, false, due, |_| Some(Time(5 * HOUR))), rules(), Book::free());
    bench.desk.link_up(0);
    bench.turn();
    assert!(bench.desk.wanted().is_empty() && bench.journal.is_empty());
    assert_eq!((tally(&bench).of(Status::Scheduled), bench.desk.gauges().body_bytes), (3, 0));
    bench.now.wall = Time(5 * HOUR);
    bench.turn();
    assert_eq!((bench.wire.len(), tally(&bench).of(Status::Scheduled)), (3, 0));
}

#[test]
fn messages_of_one_frame_with_instants_of_their_own_go_each_at_its_own() {
    let instants = |n: u32| Some(Time(i64::from(n) * 10_000));
    let mut bench = Bench::under(&framed(4, 1, false, (Time(0), 0), instants), rules(), Book::free());
    bench.desk.link_up(0);
    bench.now.wall = Time(1);
    for step in 0..4 {
        bench.now.wall = Time(step * 10_000 + 1);
        bench.turn();
        assert_eq!(bench.wire.len() as i64, step + 1, "Bench::write checks that none is early");
    }
    let held: Vec<(u32, Time)> = bench
        .journal
        .iter()
        .filter_map(|event| if let Event::Held { at, until, .. } = event { Some((at.ordinal, *until)) } else { None })
        .collect();
    assert!(held.starts_with(&[(2, Time(20_000)), (3, Time(30_000))]), "{held:?}");
}

#[test]
fn a_backlog_at_closing_time_stops_at_the_instant_and_what_was_leased_goes_back_at_no_cost() {
    let mut bench = fresh_bench(30, (9 * HOUR, 20 * HOUR), 19);
    bench.now.wall = Time(20 * HOUR - 1);
    bench.turn();
    assert_eq!(bench.wire.len(), 4);
    // The others of the lease are durable and would go now: but it is closed.
    bench.pass(Span::millis(1));
    deliver(&mut bench);
    bench.turn();
    assert_eq!(bench.wire.len(), 4);
    let back: Vec<Time> = bench
        .journal
        .iter()
        .filter_map(|event| if let Event::Requeued { due, reason: Reason::WindowClosed, .. } = event { Some(*due) } else { None })
        .collect();
    assert_eq!(back, [Time(DAY + 9 * HOUR); 4]);
    assert_eq!(parkings(&bench), [(Time(DAY + 9 * HOUR), Reason::WindowClosed, 22)]);
    bench.pass(Span::secs(13 * 3_600));
    for _ in 0..30 {
        bench.pass(Span::secs(61));
        bench.turn();
        deliver(&mut bench);
    }
    assert_eq!(bench.ends().len(), 30);
    let attempts = bench.journal.iter().filter_map(|e| if let Event::Leased { messages, .. } = e { Some(messages) } else { None });
    assert!(attempts.flatten().all(|lease| lease.attempt == 1));
    assert_eq!(bench.book.page().spent.len(), 30, "each counts once, however often it was leased");
}

#[test]
fn a_process_stopped_between_lease_and_write_writes_nothing_outside_the_window() {
    let mut bench = fresh_bench(4, (9 * HOUR, 20 * HOUR), 19);
    bench.desk.plan(bench.now);
    bench.commit();
    bench.now.wall = Time(23 * HOUR);
    bench.write();
    bench.commit();
    assert!(bench.wire.is_empty());
    assert_eq!(bench.desk.gauges().retries, 4);
    assert!(bench.desk.is_quiet());
}

#[test]
fn the_carrier_may_deliver_until_the_window_closes_and_not_until_the_lifetime_ends() {
    let mut bench = bench(1, (9 * HOUR, 20 * HOUR), 19);
    bench.desk.plan(bench.now);
    bench.commit();
    let mut valid = None;
    bench.desk.write(bench.now, |_, ready, _| {
        valid = Some(ready.valid());
        Some(1)
    });
    assert_eq!(valid, Some(Time(20 * HOUR)));
}

#[test]
fn who_opts_out_between_lease_and_write_is_not_written_to() {
    let mut bench = bench(2, (0, 0), 1);
    bench.desk.plan(bench.now);
    bench.commit();
    bench.book.page().out.push(33_600_000_001);
    bench.book.page().version += 1;
    bench.write();
    bench.commit();
    assert_eq!(bench.wire.iter().map(|w| w.2.ordinal).collect::<Vec<_>>(), [0]);
    assert_eq!(bench.ends(), [(1, Status::Refused, Reason::OptedOut)]);
}

#[test]
fn who_opts_out_between_two_parts_gets_no_more_of_them_and_it_is_not_called_refused() {
    let mut bench = Bench::under(&frame(1, 2, false), Rules { window: 1, ..rules() }, Book::free());
    bench.desk.link_up(0);
    bench.turn();
    bench.answer(1, Answer::Accepted("1"));
    bench.receipt("1", 0, PartState::Delivered);
    bench.book.page().out.push(33_600_000_000);
    bench.book.page().version += 1;
    bench.commit();
    bench.turn();
    assert_eq!(bench.wire.len(), 1);
    assert_eq!(bench.ends(), [(0, Status::PartiallyDelivered, Reason::OptedOut)]);
}

#[test]
fn a_part_that_is_tried_again_waits_for_the_opening_and_ends_with_its_lifetime() {
    for (lifetime_hours, end) in [(24, Some(Status::PartiallyDelivered)), (0, None)] {
        let mut bench = Bench::under(&frame(1, 2, false), rules(), Book::open((9 * HOUR, 20 * HOUR), 0));
        bench.now.wall = Time(20 * HOUR - 1_000);
        bench.desk.link_up(0);
        bench.turn();
        bench.answer(1, Answer::Accepted("1"));
        bench.receipt("1", 0, PartState::Delivered);
        bench.answer(2, Answer::Later { command_status: 8 });
        bench.commit();
        bench.pass(Span::secs(10));
        bench.turn();
        assert_eq!(bench.wire.len(), 2);
        assert!(bench.journal.iter().any(|event| matches!(event, Event::Held { why: Reason::WindowClosed, .. })));
        // Its lifetime of a day ends before the next opening at 9: it waits until then, and is told as what it is.
        bench.pass(Span::secs(lifetime_hours * 3_600));
        bench.turn();
        assert_eq!(bench.ends().first().map(|end| end.1), end);
    }
}

#[test]
fn what_never_opens_in_its_lifetime_is_refused_and_what_missed_its_opening_is_expired() {
    // Accepted at 0:00, its lifetime ends at 24:00.
    let mut bench = bench(1, (0, 10 * HOUR), 11);
    bench.turn();
    assert_eq!(bench.ends(), [(0, Status::Expired, Reason::LifetimeOver)]);
    let book = Book::open((9 * HOUR, 10 * HOUR), 16 * HOUR);
    let mut bench = Bench::under(&frame(2, 1, false), rules(), book);
    bench.now.wall = Time(11 * HOUR);
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.ends(), [(0, Status::Refused, Reason::NoOpening), (1, Status::Refused, Reason::NoOpening)]);
}

#[test]
fn one_that_may_not_go_stops_none_of_its_frame_and_goes_when_it_may() {
    let mut bench = bench(6, (0, 0), 1);
    bench.book.page().capped = vec![(33_600_000_002, Time(3 * HOUR)), (33_600_000_004, Time(4 * HOUR))];
    for _ in 0..3 {
        bench.turn();
        deliver(&mut bench);
    }
    assert_eq!(bench.wire.iter().map(|w| w.2.ordinal).collect::<Vec<_>>(), [0, 1, 3, 5]);
    assert_eq!(parkings(&bench), [(Time(3 * HOUR), Reason::FrequencyCap, 2)]);
    let held = |event: &Event| matches!(event, Event::Held { at, until: Time(14_400_000), .. } if at.ordinal == 4);
    assert!(bench.journal.iter().any(held), "the other's instant is told");
    bench.now.wall = Time(3 * HOUR);
    bench.turn();
    bench.now.wall = Time(4 * HOUR);
    bench.turn();
    assert_eq!(bench.wire.iter().map(|w| w.2.ordinal).collect::<Vec<_>>(), [0, 1, 3, 5, 2, 4]);
}

#[test]
fn one_whose_recipient_has_had_enough_for_longer_than_it_lives_ends_for_that_reason() {
    let mut bench = bench(2, (0, 0), 1);
    bench.book.page().capped = vec![(33_600_000_000, Time(DAY)), (33_600_000_001, Time(DAY - 1))];
    bench.turn();
    assert_eq!(bench.ends(), [(0, Status::Expired, Reason::FrequencyCap)]);
    assert_eq!(parkings(&bench), [(Time(DAY - 1), Reason::FrequencyCap, 1)]);
}

#[test]
fn what_is_held_can_be_canceled_and_expires_and_the_counters_add_up() {
    let mut bench = bench(5, (9 * HOUR, 10 * HOUR), 3);
    bench.turn();
    assert!(bench.desk.cancel(at(1), bench.now) && !bench.desk.cancel(at(1), bench.now));
    bench.commit();
    assert_eq!((tally(&bench).of(Status::Held), tally(&bench).of(Status::Canceled), tally(&bench).total()), (4, 1, 5));
    bench.desk.link_down(0, bench.now);
    bench.pass(Span::secs(22 * 3_600));
    bench.turn();
    bench.turn();
    assert_eq!(bench.ends().len(), 5);
    assert_eq!(bench.closed.last().map(|tally| (tally.of(Status::Expired), tally.of(Status::Canceled))), Some((4, 1)));
    assert_eq!(bench.desk.deadline(bench.now), None);
}

#[test]
fn a_restart_finds_held_messages_held_and_judges_them_before_any_lease() {
    let mut bench = bench(10, (9 * HOUR, 20 * HOUR), 3);
    bench.turn();
    crash(&mut bench);
    assert_eq!((tally(&bench).of(Status::Held), bench.desk.gauges().body_bytes), (10, 0));
    bench.turn();
    assert!(bench.wire.is_empty());
    // Down over the opening and the next closing: what it was parked for has come and gone.
    bench.pass(Span::secs(19 * 3_600));
    crash(&mut bench);
    bench.turn();
    bench.turn();
    assert!(bench.wire.is_empty());
    assert_eq!(bench.ends().len(), 10, "their lifetime ends before the next opening");
    assert!(bench.ends().iter().all(|end| end.1 == Status::Refused));
}

/// Another hour before which it does not go.
fn to(hour: i64) -> Moved {
    Moved { due: Some(Time(hour * HOUR)), expires: None }
}

/// Another hour from which on it is too late.
fn until(hour: i64) -> Moved {
    Moved { due: None, expires: Some(Time(hour * HOUR)) }
}

#[test]
fn a_message_lives_until_the_instant_set_anew_sooner_or_later_also_after_a_restart() {
    for restarts in [false, true] {
        // Accepted at midnight, due at 5, over after a day.
        let due = (Time(5 * HOUR), Reason::Scheduled as u8);
        let mut bench = Bench::under(&framed(4, 1, false, due, |_| Some(Time(5 * HOUR))), rules(), Book::free());
        bench.desk.link_up(0);
        assert!(bench.desk.reschedule(at(0), to(40), bench.now), "its lifetime is another matter");
        assert!(bench.desk.reschedule(at(0), until(50), bench.now));
        assert!(bench.desk.reschedule(at(1), until(4), bench.now));
        // This one cannot go in its lifetime: it ends when it is asked about.
        assert!(bench.desk.reschedule(at(2), to(40), bench.now));
        bench.commit();
        if restarts {
            crash(&mut bench);
        }
        let mut sent = Vec::new();
        for hour in 1..60 {
            bench.now.wall = Time(hour * HOUR);
            for _ in 0..3 {
                bench.desk.tick(bench.now);
                bench.desk.plan(bench.now);
                bench.desk.wanted().iter().for_each(|_| bench.desk.fetched(bench.frame.clone()));
            }
            bench.commit();
            bench.desk.write(bench.now, |_, ready, _| {
                sent.push((hour, ready.at.ordinal, ready.expires));
                Some(1 + sent.len() as u32)
            });
        }
        assert_eq!(sent, [(5, 3, Time(DAY)), (40, 0, Time(50 * HOUR))], "restarted: {restarts}");
        let ended =
            |event: &Event| if let Event::Ended { at, status, when, .. } = event { Some((at.ordinal, *status, *when)) } else { None };
        let ended: Vec<_> = bench.journal.iter().filter_map(ended).filter(|(ordinal, ..)| [1, 2].contains(ordinal)).collect();
        assert_eq!(ended, [(1, Status::Expired, Time(4 * HOUR)), (2, Status::Expired, Time(5 * HOUR))], "restarted: {restarts}");
    }
}

#[test]
fn a_moved_message_goes_at_its_new_instant_earlier_or_later_also_after_a_restart() {
    for restarts in [false, true] {
        let due = (Time(5 * HOUR), Reason::Scheduled as u8);
        let mut bench = Bench::under(&framed(3, 1, false, due, |_| Some(Time(5 * HOUR))), rules(), Book::free());
        bench.desk.link_up(0);
        assert!(bench.desk.reschedule(at(0), to(2), bench.now));
        assert!(bench.desk.reschedule(at(2), to(7), bench.now));
        bench.commit();
        if restarts {
            crash(&mut bench);
        }
        let mut sent = Vec::new();
        for hour in 1..9 {
            bench.now.wall = Time(hour * HOUR);
            bench.desk.tick(bench.now);
            for _ in 0..3 {
                bench.desk.plan(bench.now);
                bench.desk.wanted().iter().for_each(|_| bench.desk.fetched(bench.frame.clone()));
            }
            bench.commit();
            bench.desk.write(bench.now, |_, ready, _| {
                sent.push((hour, ready.at.ordinal));
                Some(1 + sent.len() as u32)
            });
        }
        assert_eq!(sent, [(2, 0), (5, 1), (7, 2)], "restarted: {restarts}");
        assert!(!bench.desk.reschedule(at(0), to(9), bench.now), "it has left");
    }
}

#[test]
fn after_a_clock_event_what_has_a_window_waits_and_the_rest_goes_on() {
    for (window, written) in [((9 * HOUR, 20 * HOUR), 0), ((0, 0), 4)] {
        let mut bench = bench(4, window, 12);
        bench.desk.clock(Clock::Unsure);
        bench.turn();
        assert_eq!(bench.wire.len(), written);
        assert_eq!(bench.book.page().spent.len(), written, "what waits is not counted as sent");
        bench.desk.clock(Clock::Sure);
        bench.turn();
        assert_eq!(bench.wire.len(), 4);
    }
}

#[test]
fn a_clock_event_between_lease_and_write_holds_what_has_a_window() {
    let mut bench = bench(2, (9 * HOUR, 20 * HOUR), 12);
    bench.desk.plan(bench.now);
    bench.commit();
    bench.desk.clock(Clock::Unsure);
    bench.write();
    bench.commit();
    assert!(bench.wire.is_empty() && bench.ends().is_empty());
    bench.desk.clock(Clock::Sure);
    bench.pass(Span::secs(1));
    bench.turn();
    assert_eq!(bench.wire.len(), 2);
}

#[test]
fn what_a_wrong_clock_has_parked_is_judged_anew_when_the_clock_is_right_again() {
    let mut bench = bench(2, (9 * HOUR, 20 * HOUR), 12);
    let right = bench.now.wall;
    // A year ahead, at an hour that is closed; nobody noticed.
    bench.now.wall = Time(21 * HOUR);
    bench.frame = frame(2, 1, false);
    bench.book.page().window = (8 * HOUR, 20 * HOUR);
    bench.desk.law.clock = Clock::Unsure;
    bench.turn();
    assert_eq!(parkings(&bench), [(Time(DAY + 8 * HOUR), Reason::WindowClosed, 2)]);
    bench.now.wall = right;
    bench.desk.clock(Clock::Sure);
    bench.turn();
    assert_eq!(bench.wire.len(), 2);
}

#[test]
fn after_a_long_absence_advertising_waits_until_it_is_released() {
    let mut marketing = (*frame(3, 1, false)).clone();
    marketing.head.lane.priority = Class::Marketing.priority();
    let mut bench = Bench::new(&frame(0, 1, false), rules());
    let mut desk = Desk::new(rules(), 2, 7, Box::new(Book::free()));
    desk.hold_advertising();
    let tally = desk.restore(marketing.head.clone(), None, Touched::default(), 1, &super::tests::keys_in, bench.now);
    assert_eq!(tally.of(Status::Held), 3);
    desk.link_up(0);
    bench.desk = desk;
    bench.frame = Arc::new(marketing);
    bench.turn();
    assert!(bench.wire.is_empty());
    assert_eq!(parkings(&bench), [(Time(i64::MAX), Reason::Revival, 3)]);
    assert_eq!(bench.desk.release(), 3);
    bench.turn();
    assert_eq!(bench.wire.len(), 3);
}

#[test]
fn ten_million_parked_messages_cost_their_frames_and_nothing_more() {
    let mut desk = Desk::new(rules(), 1, 1, Box::new(Book::free()));
    let body = framed(2_048, 1, false, (Time(HOUR), 13), |_| None);
    for n in 0..4_883u64 {
        let head = FrameHead { first: MessageId(FIRST.0 + n * 2_048), due: Time(HOUR + n as i64), ..body.head.clone() };
        desk.load(head, Some(body.clone()), 1);
    }
    let gauges = desk.gauges();
    assert_eq!((gauges.frames, gauges.held, gauges.body_bytes, gauges.open, gauges.retries), (4_883, 10_000_384, 0, 0, 0));
    assert_eq!(desk.wanted().len(), 0);
    let now = Now { wall: Time(HOUR + 2_000), mono: Mono(1) };
    desk.tick(now);
    assert_eq!(desk.frames.iter().filter(|frame| frame.parked().is_none()).count(), 1_000, "a turn lets go of so many");
}
