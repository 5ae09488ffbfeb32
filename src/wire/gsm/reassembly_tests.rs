//! Parts in every order, twice, late, by strangers: what comes out is what was sent, once, or flagged.

use proptest::prelude::*;

use super::super::{Encoding, Segmented, SplitRule, alphabet, segment, ucs2};
use super::*;

const GSM: u32 = 0;
const UCS2: u32 = 8;
/// What keeping an empty part takes.
const KEPT: usize = cost(&[]);

fn key(source: &str, reference: u16, total: u8) -> Key<'_> {
    Key { source, destination: "36111", width: ConcatRef::Bits8, reference, total }
}

fn part(sequence: u8, octets: &[u8]) -> Part<'_> {
    Part { sequence, coding: GSM, octets, id: u64::from(sequence) }
}

fn small() -> Reassembly {
    Reassembly::new(Bounds { texts_max: 3, octets_max: 20 + 4 * KEPT, wait: Span::secs(600) })
}

fn secs(n: u64) -> Mono {
    Mono(n * 1_000_000)
}

fn text_of(whole: &Whole) -> String {
    let mut text = String::new();
    for run in &whole.runs {
        match run.coding {
            GSM => alphabet::decode(&run.octets, &mut text),
            _ => ucs2::decode(&run.octets, &mut text),
        }
    }
    text
}

#[test]
fn the_last_part_to_come_gives_the_text_in_its_order() {
    let mut reassembly = small();
    assert_eq!(reassembly.part(key("a", 1, 3), part(3, b"c"), secs(0)), None);
    assert_eq!(reassembly.part(key("a", 1, 3), part(1, b"a"), secs(1)), None);
    let whole = reassembly.part(key("a", 1, 3), part(2, b"b"), secs(2)).expect("whole");
    let run = Run { coding: GSM, after_hole: false, octets: b"abc".to_vec() };
    let expected = Whole {
        source: "a".into(),
        destination: "36111".into(),
        total: 3,
        present: 3,
        since: secs(0),
        runs: vec![run],
        ids: vec![1, 2, 3],
    };
    assert_eq!((whole.is_complete(), whole), (true, expected));
    assert_eq!((reassembly.waiting(), reassembly.next_at()), ((0, 0), None));
}

#[test]
fn what_differs_in_any_word_of_the_key_is_another_text() {
    let of = key("a", 1, 2);
    let others = [
        Key { source: "b", ..of },
        Key { destination: "b", ..of },
        Key { reference: 2, ..of },
        Key { width: ConcatRef::Bits16, ..of },
        Key { total: 3, ..of },
        Key { source: "a3", destination: "6111", ..of },
    ];
    for other in others {
        let mut reassembly = small();
        assert_eq!(reassembly.part(of, part(1, b"1"), secs(0)), None);
        assert_eq!(reassembly.part(other, part(2, b"2"), secs(0)), None, "{other:?}");
        assert_eq!(reassembly.waiting().0, 2);
    }
}

#[test]
fn numbers_without_sense_make_a_plain_message() {
    for (total, sequence) in [(0, 0), (0, 1), (1, 1), (2, 0), (2, 3), (255, 0), (1, 255)] {
        let mut reassembly = small();
        let whole = reassembly.part(key("a", 1, total), part(sequence, b"x"), secs(0)).expect("at once");
        assert_eq!((whole.total, whole.is_complete(), text_of(&whole)), (1, true, "x".to_owned()), "{total} {sequence}");
        assert_eq!(reassembly.waiting(), (0, 0));
    }
}

#[test]
fn after_ten_minutes_what_is_there_is_given_with_its_holes() {
    let mut reassembly = Reassembly::new(Bounds::DEFAULT);
    for (sequence, octets) in [(2, b"b"), (3, b"c"), (5, b"e")] {
        assert_eq!(reassembly.part(key("a", 1, 6), part(sequence, octets), secs(u64::from(sequence))), None);
    }
    // Later parts do not put it off.
    assert_eq!(reassembly.next_at(), Some(secs(602)));
    assert_eq!(reassembly.due(Mono(secs(602).0 - 1)), None);
    let whole = reassembly.due(secs(602)).expect("due");
    assert_eq!((whole.total, whole.present, whole.is_complete(), whole.since), (6, 3, false, secs(2)));
    let runs: Vec<_> = whole.runs.iter().map(|run| (run.after_hole, &run.octets[..])).collect();
    assert_eq!(runs, [(true, &b"bc"[..]), (true, b"e")]);
    assert_eq!((reassembly.due(secs(602)), reassembly.waiting()), (None, (0, 0)));
}

#[test]
fn parts_that_come_again_are_dropped_before_and_after_the_text_is_whole() {
    let mut reassembly = small();
    let given = [1, 1, 2].map(|sequence| reassembly.part(key("a", 1, 2), part(sequence, &[sequence]), secs(0)).is_some());
    assert_eq!(given, [false, false, true]);
    assert_eq!(reassembly.part(key("a", 1, 2), part(2, &[2]), secs(1)), None, "one again");
    assert_eq!(reassembly.part(key("a", 1, 2), part(1, &[1]), secs(1)), None, "all again");
    assert_eq!(reassembly.waiting(), (0, 0));
    assert_eq!(reassembly.part(key("a", 1, 2), part(2, &[2]), secs(2)), None);
    assert_eq!(reassembly.due(secs(9_999)), None, "half of it again is no text of its own");
    assert_eq!(reassembly.waiting(), (0, 0));
}

#[test]
fn a_new_text_under_an_old_reference_is_given_even_if_a_part_is_the_same() {
    let mut reassembly = small();
    reassembly.part(key("a", 1, 2), part(1, b"Dear"), secs(0));
    assert_eq!(text_of(&reassembly.part(key("a", 1, 2), part(2, b"A"), secs(0)).expect("whole")), "DearA");
    assert_eq!(reassembly.part(key("a", 1, 2), part(1, b"Dear"), secs(1)), None);
    assert_eq!(text_of(&reassembly.part(key("a", 1, 2), part(2, b"B"), secs(1)).expect("whole")), "DearB");
}

#[test]
fn a_text_that_takes_over_a_reference_pushes_the_older_out_with_its_holes() {
    let mut reassembly = small();
    reassembly.part(key("a", 1, 2), part(1, b"old"), secs(0));
    let older = reassembly.part(key("a", 1, 2), part(1, b"new"), secs(1)).expect("the older");
    assert_eq!((older.is_complete(), text_of(&older)), (false, "old".to_owned()));
    assert_eq!(text_of(&reassembly.part(key("a", 1, 2), part(2, b"!"), secs(1)).expect("whole")), "new!");
}

#[test]
fn beyond_the_bounds_the_oldest_make_room() {
    let mut reassembly = small();
    for reference in 0..4 {
        assert_eq!(reassembly.part(key("a", reference, 2), part(1, &[b'0' + reference as u8]), secs(0)), None);
    }
    assert_eq!(text_of(&reassembly.due(secs(0)).expect("the fourth is one too many")), "0");
    assert_eq!(reassembly.due(secs(0)), None);
    // Three parts of one octet are there; this one makes 21 in four.
    assert_eq!(reassembly.part(key("b", 1, 3), part(1, &[b'x'; 18]), secs(1)), None);
    let pushed: Vec<_> = std::iter::from_fn(|| reassembly.due(secs(1))).map(|whole| text_of(&whole)).collect();
    assert_eq!(pushed, ["1"]);
    assert_eq!(reassembly.waiting(), (3, 20 + 3 * KEPT));
}

#[test]
fn whoever_never_asks_gets_parts_back_once_the_bounds_are_overrun() {
    let mut reassembly = small();
    assert_eq!(reassembly.part(key("a", 1, 3), part(1, &[b'x'; 200]), secs(0)), None);
    for (reference, total, sequence) in [(2, 2, 1), (1, 3, 2), (1, 3, 1)] {
        let alone = reassembly.part(key("a", reference, total), part(sequence, b"y"), secs(0)).expect("given back");
        assert_eq!((alone.is_complete(), alone.total, text_of(&alone)), (false, total, "y".to_owned()));
    }
    assert_eq!(reassembly.waiting(), (1, 200 + KEPT));
}

#[test]
fn parts_of_another_coding_are_not_joined() {
    let mut reassembly = Reassembly::new(Bounds::DEFAULT);
    reassembly.part(key("a", 1, 2), Part { sequence: 2, coding: UCS2, octets: &[0x04, 0x16], id: 2 }, secs(0));
    let whole = reassembly.part(key("a", 1, 2), part(1, b"a"), secs(0)).expect("whole");
    assert_eq!((whole.runs.len(), text_of(&whole)), (2, "aЖ".to_owned()));
}

#[test]
fn pairs_that_a_careless_sender_cut_are_whole_again() {
    let mut reassembly = Reassembly::new(Bounds::DEFAULT);
    reassembly.part(key("a", 1, 2), part(1, &[b'a', 0x1B]), secs(0));
    assert_eq!(text_of(&reassembly.part(key("a", 1, 2), part(2, &[0x65]), secs(0)).expect("whole")), "a€");
    let half = |sequence, octets| Part { sequence, coding: UCS2, octets, id: u64::from(sequence) };
    reassembly.part(key("a", 2, 2), half(1, &[0xD8, 0x3D]), secs(0));
    assert_eq!(text_of(&reassembly.part(key("a", 2, 2), half(2, &[0xDE, 0]), secs(0)).expect("whole")), "😀");
}

#[test]
fn at_the_end_everything_that_waits_is_given() {
    let mut reassembly = small();
    reassembly.part(key("a", 1, 2), part(1, b"1"), secs(0));
    reassembly.part(key("b", 1, 2), part(2, b"2"), secs(1));
    assert_eq!(reassembly.drain().map(|whole| text_of(&whole)).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((reassembly.waiting(), reassembly.next_at()), ((0, 0), None));
}

proptest! {
    #[test]
    fn any_order_with_any_repetition_gives_the_same_text_once(
        texts in prop::collection::vec("[a-z€{ж😀]{200,700}", 1..5), order in prop::collection::vec(any::<prop::sample::Index>(), 0..40), seed in any::<u64>(),
    ) {
        let mut out = Segmented::default();
        let mut parts = Vec::new();
        for (reference, text) in texts.iter().enumerate() {
            segment(text, SplitRule::CodePoint, ConcatRef::Bits8, &mut out);
            let coding = if out.encoding == Encoding::Gsm7 { GSM } else { UCS2 };
            for (place, octets) in out.parts().enumerate() {
                parts.push((reference as u16, out.segments() as u8, place as u8 + 1, coding, octets.to_vec()));
            }
        }
        // Some again, anywhere; then all of it shuffled.
        let again: Vec<_> = order.iter().map(|index| index.get(&parts).clone()).collect();
        parts.extend(again);
        let mut state = seed | 1;
        for place in (1..parts.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            parts.swap(place, (state >> 33) as usize % (place + 1));
        }
        let mut reassembly = Reassembly::new(Bounds::DEFAULT);
        let mut given = Vec::new();
        for (now, (reference, total, sequence, coding, octets)) in parts.iter().enumerate() {
            let one = Part { sequence: *sequence, coding: *coding, octets, id: 0 };
            given.extend(reassembly.part(key("33612345678", *reference, *total), one, secs(now as u64)));
        }
        prop_assert!(given.iter().all(Whole::is_complete));
        let mut shown: Vec<_> = given.iter().map(text_of).collect();
        let mut sent: Vec<_> = texts;
        shown.sort();
        sent.sort();
        prop_assert_eq!(shown, sent);
        prop_assert_eq!(reassembly.due(secs(100_000)), None, "parts that came again are no text");
        prop_assert_eq!(reassembly.waiting(), (0, 0));
    }

    #[test]
    fn hostile_parts_lose_nothing_and_stay_within_the_bounds(
        parts in prop::collection::vec((0u16..3, 0u8..5, 0u8..6, prop::collection::vec(any::<u8>(), 0..9), 0u64..200), 0..200),
    ) {
        let mut reassembly = small();
        let (mut now, mut given, mut kinds) = (0, Vec::new(), std::collections::BTreeSet::new());
        for (reference, total, sequence, octets, later) in &parts {
            now += later;
            kinds.insert(octets.clone());
            given.extend(reassembly.part(key("a", *reference, *total), part(*sequence, octets), secs(now)));
            given.extend(std::iter::from_fn(|| reassembly.due(secs(now))));
            let (texts, held) = reassembly.waiting();
            prop_assert!(texts <= 3 && held <= 20 + 4 * KEPT);
            prop_assert!(reassembly.done.len() <= 3);
        }
        given.extend(reassembly.drain());
        for whole in &given {
            prop_assert!(whole.present >= 1 && whole.present <= whole.total);
            prop_assert!(!whole.is_complete() || whole.runs.iter().all(|run| !run.after_hole));
        }
        // Whatever came is in something that was given.
        for octets in kinds {
            let is_there = |run: &Run| octets.is_empty() || run.octets.windows(octets.len()).any(|window| window == octets);
            prop_assert!(given.iter().any(|whole| whole.runs.iter().any(is_there)));
        }
    }
}
