//! What costs an attempt and what does not, over deaths of the process.

use super::hold_tests::crash;
use super::tests::{Bench, frame, rules};
use super::*;
use crate::channel::session::Answer;

/// The attempts of all leases, in their order.
fn attempts(bench: &Bench) -> Vec<u8> {
    let leases = bench.journal.iter().filter_map(|event| if let Event::Leased { messages, .. } = event { Some(messages) } else { None });
    leases.flatten().map(|lease| lease.attempt).collect()
}

/// Answers the last submit there was, and makes that durable.
fn answer(bench: &mut Bench, answer: Answer<'_>) {
    let sequence = bench.sequence;
    bench.answer(sequence, answer);
    bench.commit();
}

#[test]
fn what_was_throttled_or_not_written_costs_no_attempt_however_often_the_process_dies() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    for round in 1..=6 {
        bench.turn();
        assert_eq!(bench.wire.len(), round);
        answer(&mut bench, Answer::Throttled { command_status: 0x58 });
        crash(&mut bench);
        bench.pass(Span::secs(1));
        // Leased, durable, and the link is lost before it is written.
        bench.desk.plan(bench.now);
        assert_eq!(bench.desk.wanted().len(), 1);
        bench.desk.fetched(bench.frame.clone());
        bench.desk.plan(bench.now);
        bench.commit();
        bench.desk.link_down(0, bench.now);
        bench.commit();
        crash(&mut bench);
    }
    assert_eq!(attempts(&bench), [1; 12]);
    bench.turn();
    answer(&mut bench, Answer::Later { command_status: 8 });
    assert_eq!(bench.ends(), [], "the first of three temporary refusals ends nothing");
}

#[test]
fn a_temporary_refusal_costs_one_attempt_however_often_the_process_dies_after_it() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    for round in 1..=3 {
        bench.turn();
        assert_eq!(attempts(&bench).last(), Some(&round));
        // Throttled once more after it: that does not count, and forgets nothing that does.
        answer(&mut bench, Answer::Throttled { command_status: 0x58 });
        crash(&mut bench);
        bench.pass(Span::secs(1));
        bench.turn();
        assert_eq!(attempts(&bench).last(), Some(&round));
        answer(&mut bench, Answer::Later { command_status: 8 });
        crash(&mut bench);
        crash(&mut bench);
        bench.pass(Span::secs(60));
    }
    assert_eq!(attempts(&bench), [1, 1, 2, 2, 3, 3]);
    assert_eq!(bench.ends(), [(0, Status::Rejected, Reason::AttemptsUsedUp)]);
}

#[test]
fn the_resend_of_a_doubt_costs_one_attempt_also_when_the_process_dies_before_its_lease() {
    let mut bench = Bench::new(&frame(1, 1, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    crash(&mut bench);
    for _ in 0..3 {
        bench.pass(Span::secs(60));
        bench.desk.tick(bench.now);
        bench.commit();
        let is_put_back = |event: &Event| matches!(event, Event::Requeued { reason: Reason::InDoubt, .. });
        assert!(bench.journal.last().is_some_and(is_put_back), "{:?}", bench.journal);
        crash(&mut bench);
    }
    bench.pass(Span::secs(60));
    bench.turn();
    assert_eq!(attempts(&bench), [1, 2]);
}
