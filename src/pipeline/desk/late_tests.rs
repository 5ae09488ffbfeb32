//! Texts made when they are sent: once, at the first lease, and the same again for ever.

use super::tests::{Bench, Book, HOUR, at, rules};
use super::*;
use crate::base::MessageId;
use crate::channel::session::Answer;
use crate::directory::judge::{Judge, Law};
use crate::message::event::PartState;
use crate::message::{Class, Encoding, LateText, Rendering, record};
use crate::pipeline::accept::{AccountRules, Defaults, MessageReader, Repeats, check};
use crate::pipeline::compose::Composing;
use crate::storage::Lane;

const FIRST: MessageId = super::tests::FIRST;

/// A message as the interface takes it, composed into a frame's body.
fn write(message: &serde_json::Value, rules: &AccountRules, body: &mut Vec<u8>) {
    let (mut reader, defaults, message) = (MessageReader::default(), Defaults::default(), message.to_string());
    let draft = reader.read(message.as_bytes(), &defaults, 65_536).expect("a draft");
    let accepted = check(&draft, rules, Time(0)).expect("believed");
    let mut composing = Composing::default();
    let concat = crate::config::Concat::EightBit;
    let composed = composing.compose(&accepted, concat, &crate::channel::RouteText::default()).expect("composed");
    record::write(&composed, body);
}

fn framed(count: u32, body: Vec<u8>) -> Arc<Frame> {
    let lane = Lane { carrier: "one".into(), account: "a".into(), priority: Class::Transactional.priority() };
    let (accepted, expires) = (Time(0), Time(86_400_000));
    let head = FrameHead { first: FIRST, count, seq: 1, lane, batch: None, accepted, expires, due: Time(0), why: 0 };
    Arc::new(Frame::new(head, body.into()).expect("a sound frame"))
}

/// A frame of messages with this text, composed as any; one more than `late` says, the last one made at acceptance.
fn frame(text: &str, max_segments: u8, late: u32) -> Arc<Frame> {
    let mut body = Vec::new();
    for n in 0..=late {
        let render = if n < late { "send" } else { "accept" };
        let text = if n < late { text } else { "plain" };
        let message = serde_json::json!({
            "to": format!("+{}", 33_600_000_000u64 + u64::from(n)), "from": "SHOP", "text": text, "max_segments": max_segments,
            "render": render, "params": {"long": "y".repeat(200)},
        });
        write(&message, &AccountRules::default(), &mut body);
    }
    framed(late + 1, body)
}

fn bench(frame: &Arc<Frame>, hour: i64) -> Bench {
    let mut bench = Bench::new(frame, rules());
    bench.now.wall = Time(hour * HOUR);
    bench.desk.link_up(0);
    bench.desk.link_up(1);
    bench
}

fn rendered(bench: &Bench) -> Vec<(u32, Rendering)> {
    let one = |event: &Event| if let Event::Rendered { at, rendering } = event { Some((at.ordinal, *rendering)) } else { None };
    bench.journal.iter().filter_map(one).collect()
}

/// Lets the desk write; what it wrote, as (message, part, octets).
fn written(bench: &mut Bench) -> Vec<(u32, u8, String)> {
    let mut out = Vec::new();
    bench.desk.tick(bench.now);
    bench.desk.plan(bench.now);
    for _ in bench.desk.wanted() {
        bench.desk.fetched(bench.frame.clone());
        bench.desk.plan(bench.now);
    }
    bench.commit();
    let Bench { desk, now, wire, sequence, .. } = bench;
    desk.write(*now, |link, ready, part| {
        *sequence += 1;
        wire.push((link, *sequence, ready.at, part));
        out.push((ready.at.ordinal, part, String::from_utf8(ready.record.part(part).to_vec()).expect("ASCII")));
        Some(*sequence)
    });
    bench.commit();
    out
}

#[test]
fn a_text_is_made_at_the_first_lease_and_journaled_before_it_and_others_are_not() {
    let frame = frame("at {{ now }}", 1, 1);
    let mut bench = bench(&frame, 9);
    let texts = written(&mut bench);
    assert_eq!(texts, [(0, 0, "at 1970-01-01T09:00:00+00:00".to_owned()), (1, 0, "plain".to_owned())]);
    assert!(
        matches!(&bench.journal[..], [Event::Rendered { at, .. }, Event::Leased { messages, .. }] if at.ordinal == 0 && messages.len() == 2)
    );
    let [(0, made)] = rendered(&bench)[..] else { panic!("{:?}", bench.journal) };
    assert_eq!((made.moment.at, made.count, made.segments, made.encoding), (Time(9 * HOUR), 1, 1, Encoding::Gsm7));
    assert_eq!(bench.book.page().spent, [33_600_000_000, 33_600_000_001], "counted once");
}

#[test]
fn every_later_attempt_has_the_text_of_the_first_lease_also_after_a_crash() {
    let frame = frame("at {{ now }}", 1, 1);
    let mut bench = bench(&frame, 9);
    let first = written(&mut bench);
    let sequence = bench.wire.iter().find(|wire| wire.2 == at(0)).expect("written").1;
    bench.answer(sequence, Answer::Later { command_status: 0x58 });
    bench.commit();
    bench.pass(Span::secs(3_600));
    assert_eq!(written(&mut bench)[..], first[..1]);
    // The process dies with the second attempt unanswered.
    let mut replay = Replay::of([FIRST]);
    bench.journal.iter().cloned().for_each(|event| replay.event(event));
    let mut desk = Desk::new(rules(), 2, 7, Box::new(bench.book.clone()));
    let head = frame.head.clone();
    desk.restore(head.clone(), Some(&frame), replay.take_frame(&head), 1, &super::tests::keys_in, bench.now);
    desk.restored(vec![], &super::tests::keys, bench.now);
    desk.link_up(0);
    bench.desk = desk;
    bench.pass(Span::secs(7_200));
    let again = written(&mut bench);
    assert!(again.contains(&first[0]), "{again:?}");
    assert_eq!(rendered(&bench).len(), 1, "made once, whatever came after");
    let name = bench.wire.iter().rev().find(|wire| wire.2 == at(0)).expect("written").1;
    bench.answer(name, Answer::Accepted("100"));
    bench.receipt("100", 33_600_000_000, PartState::Delivered);
    bench.commit();
    assert!(bench.ends().contains(&(0, Status::Delivered, Reason::Receipt)));
    assert!(bench.desk.late.is_empty(), "nothing is remembered of what has ended");
}

#[test]
fn the_segments_are_those_of_the_lease_and_too_many_or_no_text_at_all_end_it_unwritten_and_uncounted() {
    let grows = "{% if now > \"1970-01-01T06\" %}{{ long }}{% else %}short{% endif %}";
    let mut two = bench(&frame(grows, 2, 1), 9);
    let parts = written(&mut two);
    assert_eq!(
        parts.iter().map(|(ordinal, part, text)| (*ordinal, *part, text.len())).collect::<Vec<_>>(),
        [(0, 0, 153), (0, 1, 47), (1, 0, 5)]
    );
    assert!(
        two.journal
            .iter()
            .any(|event| matches!(event, Event::Leased { messages, .. } if messages[0].count == 2 && messages[0].reference != 0))
    );
    let wrong = "{% if now > \"1970-01-01T06\" %}{{ long|int }}{% else %}short{% endif %}";
    for (text, most, reason) in [(grows, 1, Reason::TooManySegments), (wrong, 1, Reason::NotRendered)] {
        let mut bench = bench(&frame(text, most, 1), 9);
        assert_eq!(written(&mut bench), [(1, 0, "plain".to_owned())]);
        assert_eq!(bench.ends(), [(0, Status::Refused, reason)]);
        assert_eq!((rendered(&bench).len(), bench.book.page().spent.clone()), (0, vec![33_600_000_001]));
    }
    let mut early = bench(&frame(grows, 1, 1), 5);
    assert_eq!(written(&mut early)[0], (0, 0, "short".to_owned()));
}

#[test]
fn a_text_that_would_not_come_out_the_same_is_not_sent_again() {
    let frame = frame("at {{ now }}", 1, 1);
    for (answer, end) in [(true, Status::Refused), (false, Status::Unknown)] {
        let mut bench = bench(&frame, 9);
        written(&mut bench);
        if answer {
            let sequence = bench.wire.iter().find(|wire| wire.2 == at(0)).expect("written").1;
            bench.answer(sequence, Answer::Later { command_status: 0x58 });
        }
        bench.commit();
        for event in &mut bench.journal {
            if let Event::Rendered { rendering, .. } = event {
                rendering.check ^= 1;
            }
        }
        let mut replay = Replay::of([FIRST]);
        bench.journal.iter().cloned().for_each(|event| replay.event(event));
        let mut desk = Desk::new(rules(), 2, 7, Box::new(bench.book.clone()));
        let head = frame.head.clone();
        desk.restore(head.clone(), Some(&frame), replay.take_frame(&head), 1, &super::tests::keys_in, bench.now);
        desk.link_up(0);
        bench.desk = desk;
        bench.commit();
        bench.pass(Span::secs(120));
        let again = written(&mut bench);
        assert!(again.iter().all(|(ordinal, ..)| *ordinal != 0), "{again:?}");
        bench.pass(Span::secs(120));
        written(&mut bench);
        let ends = bench.ends();
        assert!(ends.contains(&(0, end, Reason::NotRendered)), "{ends:?}");
    }
}

#[test]
fn many_are_made_in_several_turns_and_all_of_them_go() {
    let count = 400;
    let frame = frame("{{ today }} {{ long }}", 2, count);
    let size = LateText::read(&record::MessageRecord::read(frame.record(0).expect("there")).expect("sound").late).expect("late");
    assert_eq!((size.max_segments, size.texts.len()), (2, 1));
    let wide = Rules { window: 1_000, ..rules() };
    let mut bench = Bench::new(&frame, wide);
    bench.desk.link_up(0);
    let first = written(&mut bench).len();
    assert!(first > 100 && first < 2 * count as usize, "{first}");
    let mut all = first;
    for _ in 0..20 {
        all += written(&mut bench).len();
    }
    assert_eq!(all, 2 * count as usize + 1);
}

#[test]
fn what_may_not_go_is_not_made_and_a_cap_that_says_no_leaves_nothing_behind() {
    let frame = frame("at {{ now }}", 1, 1);
    let mut bench = Bench::under(&frame, rules(), Book::open((9 * HOUR, 20 * HOUR), 0));
    bench.now.wall = Time(3 * HOUR);
    bench.desk.link_up(0);
    assert_eq!(written(&mut bench), []);
    assert!(rendered(&bench).is_empty());
    bench.pass(Span::millis(6 * HOUR as u64));
    bench.turn();
    let made = rendered(&bench);
    assert_eq!(made.iter().map(|(ordinal, one)| (*ordinal, one.moment.at)).collect::<Vec<_>>(), [(0, Time(9 * HOUR))]);
}

/// Three messages to one recipient, under a guard against repeats: two with a text of the moment, one that says what that is.
fn guarded() -> Arc<Frame> {
    let mut body = Vec::new();
    for (render, text) in [("send", "at {{ now }}"), ("send", "at {{ now }}"), ("accept", "at 1970-01-01T09:00:00+00:00")] {
        let message = serde_json::json!({ "to": "+3546101234", "from": "SHOP", "text": text, "render": render });
        write(&message, &AccountRules { repeats: Repeats::Guarded, ..AccountRules::default() }, &mut body);
    }
    framed(3, body)
}

#[test]
fn the_guard_against_repeats_compares_what_is_sent_not_what_it_would_have_been() {
    let text = format!(
        "[secrets]\npepper = {{ env = \"P\" }}\n[[accounts]]\nname = \"a\"\nrepeat_guard = \"1h\"\n[[accounts.keys]]\nid = \"k\"\nhash = \"{}\"\n",
        "00".repeat(32)
    );
    let secrets = crate::config::MapSecrets::default().with_env("P", "0123456789abcdef");
    let law = Law::new(&crate::config::load(&text, &secrets).expect("a configuration"));
    let frame = guarded();
    let mut bench = Bench::new(&frame, rules());
    bench.desk = Desk::new(rules(), 2, 1, Box::new(Judge::new(Arc::new(law))));
    bench.desk.load(frame.head.clone(), Some(frame.clone()), 1);
    bench.now.wall = Time(9 * HOUR);
    bench.desk.link_up(0);
    let texts = written(&mut bench);
    assert_eq!(texts, [(0, 0, "at 1970-01-01T09:00:00+00:00".to_owned())]);
    let repeated = |ordinal| (ordinal, Status::Refused, Reason::DuplicateContent);
    assert_eq!(bench.ends(), [repeated(1), repeated(2)]);
}
