//! Messages that are erased while they wait, while they are with the carrier, and before a start.

use super::tests::{Bench, at, frame, rules};
use super::*;
use crate::channel::session::Answer;
use crate::message::event::PartState;

/// The frame with empty records in some places.
fn without(frame: &Frame, ordinals: &[u32]) -> Arc<Frame> {
    let mut body = Vec::new();
    for ordinal in 0..frame.head.count {
        let record = frame.record(ordinal).filter(|_| !ordinals.contains(&ordinal)).unwrap_or_default();
        prost::encoding::encode_varint(record.len() as u64, &mut body);
        body.extend_from_slice(&record);
    }
    Arc::new(Frame::new(frame.head.clone(), body.into()).expect("as many records"))
}

fn written(bench: &Bench, ordinal: u32) -> usize {
    bench.wire.iter().filter(|written| written.2 == at(ordinal)).count()
}

#[test]
fn what_waits_ends_at_once_and_what_is_with_the_carrier_goes_on_and_is_not_sent_again() {
    let mut bench = Bench::new(&frame(60, 1, false), rules());
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.wire.len(), 4);
    bench.frame = without(&bench.frame, &[0, 2, 58]);
    let blank = bench.frame.clone();
    bench.desk.erased(&blank, bench.now);
    bench.commit();
    assert_eq!(bench.ends(), [(58, Status::Refused, Reason::Erased)]);
    // Said twice, as after a restart of the erasure: nothing more.
    bench.desk.erased(&blank, bench.now);
    bench.answer(1, Answer::Accepted("100"));
    bench.answer(3, Answer::Later { command_status: 8 });
    bench.receipt("100", 0, PartState::Delivered);
    let mut answered = 4;
    bench.answer(2, Answer::Accepted("1002"));
    bench.answer(4, Answer::Accepted("1004"));
    for _ in 0..30 {
        bench.pass(Span::secs(6));
        bench.turn();
        for sequence in answered + 1..=bench.sequence {
            bench.answer(sequence, Answer::Accepted(&(sequence + 1_000).to_string()));
        }
        answered = bench.sequence;
    }
    let ends = bench.ends();
    assert!(ends.contains(&(0, Status::Delivered, Reason::Receipt)), "{ends:?}");
    assert!(ends.contains(&(2, Status::Refused, Reason::Erased)), "{ends:?}");
    assert_eq!((written(&bench, 2), written(&bench, 58), written(&bench, 59)), (1, 0, 1));
}

#[test]
fn what_was_erased_before_a_start_is_never_written() {
    let mut bench = Bench::new(&without(&frame(3, 1, false), &[1]), rules());
    bench.desk.link_up(0);
    bench.turn();
    bench.turn();
    assert_eq!((written(&bench, 0), written(&bench, 1), written(&bench, 2)), (1, 0, 1));
    assert_eq!(bench.ends(), [(1, Status::Refused, Reason::Erased)]);
}

#[test]
fn a_body_that_was_on_its_way_while_the_frame_was_blanked_is_not_used() {
    // No body is kept in memory: what is sent again has to be read.
    let mut bench = Bench::new(&frame(4, 1, false), Rules { bodies_bytes_max: 0, ..rules() });
    bench.desk.link_up(0);
    bench.turn();
    assert_eq!(bench.wire.len(), 4);
    // 0 is answered; 1 is refused for now, so that it waits unleased; 2 and 3 are in doubt.
    bench.answer(1, Answer::Accepted("100"));
    bench.answer(2, Answer::Later { command_status: 8 });
    bench.desk.link_down(0, bench.now);
    bench.commit();
    bench.pass(Span::secs(61));
    bench.desk.link_up(0);
    bench.desk.tick(bench.now);
    bench.desk.plan(bench.now);
    assert_eq!(bench.desk.wanted(), [at(0).frame], "the texts are asked for");
    let old = std::mem::replace(&mut bench.frame, without(&frame(4, 1, false), &[1, 2]));
    let blank = bench.frame.clone();
    bench.desk.erased(&blank, bench.now);
    // Read before the frame was replaced, and come after.
    bench.desk.fetched(old);
    bench.desk.plan(bench.now);
    bench.commit();
    bench.write();
    assert_eq!((written(&bench, 1), written(&bench, 2), written(&bench, 3)), (1, 1, 1), "nothing is written from it");
    bench.turn();
    bench.turn();
    assert_eq!((written(&bench, 1), written(&bench, 2), written(&bench, 3)), (1, 1, 2));
    let ends = bench.ends();
    assert!(ends.contains(&(1, Status::Refused, Reason::Erased)), "{ends:?}");
    assert!(ends.iter().any(|(ordinal, ..)| *ordinal == 2), "{ends:?}");
}

#[test]
fn what_was_never_leased_is_never_written_after_the_erasure_wherever_its_body_was() {
    for (bodies_bytes_max, outdated) in [(1 << 20, false), (0, false), (0, true)] {
        let whole = frame(9, 1, false);
        let mut bench = Bench::new(&whole, Rules { bodies_bytes_max, ..rules() });
        // Nothing is leased yet; the body may be asked for already.
        bench.desk.link_up(0);
        bench.desk.link_down(0, bench.now);
        bench.desk.link_up(1);
        if outdated {
            bench.desk.plan(bench.now);
            assert_eq!(bench.desk.wanted(), [at(0).frame]);
        }
        bench.frame = without(&whole, &[0, 3, 8]);
        let blank = bench.frame.clone();
        bench.desk.erased(&blank, bench.now);
        if outdated {
            bench.desk.fetched(whole.clone());
        }
        for _ in 0..20 {
            bench.turn();
            let fresh: Vec<u32> = bench.wire.iter().map(|written| written.1).collect();
            for sequence in fresh {
                bench.answer(sequence, Answer::Accepted(&sequence.to_string()));
            }
        }
        let mut sent: Vec<u32> = bench.wire.iter().map(|written| written.2.ordinal).collect();
        sent.sort_unstable();
        assert_eq!(sent, [1, 2, 4, 5, 6, 7]);
        let ends = bench.ends();
        assert!([0, 3, 8].iter().all(|ordinal| ends.contains(&(*ordinal, Status::Refused, Reason::Erased))), "{ends:?}");
    }
}
