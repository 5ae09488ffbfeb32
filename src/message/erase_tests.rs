//! Erasing in records, in rows, and in the files of the embedded store, cut short after every step.

use super::*;
use crate::base::{Span, Time};
use crate::message::event::{InboundPart, Keyword, PartState, Piece};
use crate::message::record::{MessageRecord, write};
use crate::message::{Class, Composed, DoubtPolicy, Encoding, Extras, Reference};
use crate::storage::port::{Group, NewFrame, Person, Rewrite, Scrubbed, SearchKind, search_key};
use crate::storage::sqlite::{Options, Sqlite};
use crate::storage::{Answer, Archive, Closed, FrameHead, Journal, Lane, LogRow, PersonChange, Preference, Spent, SpentLike};
use std::path::Path;

const NUMBER: &str = "33612345678";
const TEXT: &str = "zebra canary";
const REFERENCE: &str = "order-canary";
const NOW: Time = Time(1_764_576_000_000);
/// What a send to the number is remembered by, and one to somebody else.
const SENT: u64 = 0x5eba_c0de_0bad_cafe;
const OTHERS: u64 = 0x0123_4567_89ab_cdef;

fn subject(account: Option<&str>) -> Subject {
    Subject { number: Msisdn::parse("+33612345678").expect("valid"), account: account.map(str::to_owned) }
}

/// `count` messages, every third to the number.
fn frame(first: u64, seq: u64, account: &str, count: u32) -> Frame {
    let mut body = Vec::new();
    for ordinal in 0..count {
        let is_theirs = ordinal % 3 == 1;
        let other = format!("+3361111{ordinal:04}");
        let message = Composed {
            to: Msisdn::parse(if is_theirs { "+33612345678" } else { &other }).expect("valid"),
            from: "SHOP",
            client_ref: if is_theirs { REFERENCE } else { "plain" },
            encoding: Encoding::Gsm7,
            octets: if is_theirs { TEXT.as_bytes() } else { b"to somebody else" },
            ends: &[12],
            reference: Reference::Narrow,
            class: Class::Service,
            doubt: DoubtPolicy::ResendOnce,
            lifetime: Span::secs(3_600),
            line: ordinal,
            extras: Extras::default(),
        };
        write(&message, &mut body);
    }
    let lane = Lane { carrier: "one".into(), account: account.into(), priority: 1 };
    let first = MessageId(first);
    let head = FrameHead { first, count, seq, lane, batch: None, accepted: NOW, expires: NOW, due: Time(0), why: 0 };
    Frame::new(head, body.into()).expect("well formed")
}

fn events() -> Vec<Event> {
    let part = |id, from: &str| InboundPart {
        id,
        carrier: "one".into(),
        piece: Piece {
            from: from.into(),
            to: "36111".into(),
            is_wide: false,
            reference: 7,
            total: 2,
            place: 1,
            coding: 0,
            octets: TEXT.as_bytes().into(),
        },
        when: NOW,
    };
    let inbound = |id, account: &str, from: &str, of: &[u64]| Event::Inbound {
        id,
        carrier: "one".into(),
        account: account.into(),
        from: from.into(),
        to: "36111".into(),
        text: if from.ends_with("99999999") { "somebody else" } else { TEXT }.into(),
        keyword: Keyword::None,
        when: NOW,
        parts: 1,
        is_incomplete: false,
        port: 0,
        of: of.into(),
    };
    vec![
        Event::InboundPart(Box::new(part(11, NUMBER))),
        inbound(12, "shop", NUMBER, &[11]),
        inbound(13, "bank", "+33612345678", &[]),
        inbound(14, "shop", "33699999999", &[]),
        Event::Orphaned {
            reference: None,
            submit_date: 0,
            carrier: "one".into(),
            carrier_id: "A1".into(),
            other_id: "".into(),
            number: 33_612_345_678,
            state: PartState::Delivered,
            error: "".into(),
            when: NOW,
        },
    ]
}

fn log_of(events: &[Event]) -> Vec<u8> {
    let mut log = Vec::new();
    write_events(events, &mut log);
    log
}

#[test]
fn a_frame_keeps_its_places_and_loses_what_was_to_the_number() {
    let frame = frame(100, 1, "shop", 9);
    assert!(subject(Some("bank")).frame(&frame).0.is_none());
    let (blanked, blank) = subject(Some("shop")).frame(&frame);
    let blanked = blanked.expect("three messages");
    assert_eq!((blanked.ordinals.clone(), blank.clone()), (vec![1, 4, 7], vec![MessageId(101), MessageId(104), MessageId(107)]));
    for ordinal in 0..9 {
        let is_blank = ordinal % 3 == 1;
        assert_eq!(blanked.frame.is_blank(ordinal), is_blank);
        let kept = blanked.frame.record(ordinal).map(MessageRecord::read);
        assert_eq!(kept.is_some_and(|read| read.is_ok()), !is_blank, "an empty record is no message");
        assert!(is_blank || blanked.frame.record(ordinal) == frame.record(ordinal));
    }
    // Once more: nothing is done, and the same messages are blank.
    let (again, still) = subject(None).frame(&blanked.frame);
    assert!(again.is_none() && still == blank);
}

#[test]
fn a_row_loses_what_the_number_wrote_and_an_account_only_what_is_its_own() {
    let (events, mut log) = (events(), log_of(&events()));
    // An entry of a kind nobody knows yet.
    log.extend_from_slice(&[0x0a, 0x04, 0xfa, 0x01, 0x01, 0x05]);
    for (account, changed) in [(None, vec![0, 1, 2, 4]), (Some("shop"), vec![0, 1]), (Some("bank"), vec![2]), (Some("none"), vec![])] {
        let (mut parts, mut blank) = (HashSet::new(), Vec::new());
        subject(account).parts(&log, &mut parts).expect("readable");
        let row = subject(account).log(&log, &parts, &mut blank).expect("readable");
        let Some(row) = row else {
            assert!(changed.is_empty());
            continue;
        };
        assert!(row.ends_with(&[0x0a, 0x04, 0xfa, 0x01, 0x01, 0x05]));
        let read = read_events(&row).expect("readable");
        for (place, (before, after)) in events.iter().zip(&read).enumerate() {
            assert_eq!(before != after, changed.contains(&place), "{account:?} {place}");
        }
        assert_eq!(read.len(), events.len());
        let mut again = Vec::new();
        assert_eq!(subject(account).log(&row, &parts, &mut again), Ok(None));
        assert!(blank.iter().all(|id| again.contains(id)));
    }
    assert!(subject(None).log(&log[..log.len() - 1], &HashSet::new(), &mut Vec::new()).is_err());
}

fn open(dir: &Path) -> (Sqlite, Arc<dyn Archive>) {
    let mut journal = Sqlite::open(Options { reserve_bytes: 0, ..Options::new(dir) }).expect("free");
    assert!(journal.recover().expect("readable").damage.is_empty());
    let archive = journal.archive();
    (journal, archive)
}

/// How often the number, the text or the reference are found in the files, octet by octet.
fn raw(dir: &Path) -> usize {
    let mut varint = Vec::new();
    encode_varint(33_612_345_678, &mut varint);
    let number = 33_612_345_678u64;
    let (le, be, sent) = (number.to_le_bytes(), number.to_be_bytes(), SENT.to_le_bytes());
    let needles: [&[u8]; 7] = [NUMBER.as_bytes(), TEXT.as_bytes(), REFERENCE.as_bytes(), &varint, &le, &be[2..], &sent];
    let files = std::fs::read_dir(dir).expect("readable").map(|entry| std::fs::read(entry.expect("an entry").path()).expect("readable"));
    files.map(|octets| needles.iter().map(|needle| memchr::memmem::find_iter(&octets, needle).count()).sum::<usize>()).sum()
}

/// And in what is unpacked.
fn unpacked(archive: &dyn Archive) -> usize {
    let mut octets: Vec<u8> = Vec::new();
    for frame in archive.frames_from(MessageId(0), 1_000).expect("readable").frames {
        octets.extend_from_slice(&frame.body);
    }
    archive.log_from(0, usize::MAX).expect("readable").iter().for_each(|row| octets.extend_from_slice(&row.log));
    [NUMBER, TEXT, REFERENCE].iter().map(|needle| memchr::memmem::find_iter(&octets, needle).count()).sum()
}

fn key() -> u64 {
    search_key(SearchKind::Recipient, "shop", NUMBER)
}

fn commit(journal: &mut Sqlite, seq: u64, at: i64) {
    let frame = Arc::new(frame(seq * 10_000, seq, "shop", 600));
    let recipients = (0..600).map(|ordinal| if ordinal % 3 == 1 { key() } else { 77 }).collect();
    let (first, account) = (frame.head.first, "shop".to_owned());
    let body = [&(first.0 + 1).to_le_bytes()[..], &[1, 1, 0], REFERENCE.as_bytes()].concat();
    let answer = Answer { account: account.clone(), key: format!("k{seq}"), request: [9; 32], body, until: Time(at + 9_000_000) };
    let preference = Preference { account, number: 33_612_345_678, cap: (1, 60), zone: String::new(), locale: String::new(), since: NOW };
    let group = Group {
        seq,
        at: Time(at),
        frames: vec![NewFrame { frame, recipients, references: Vec::new(), cancel_keys: Vec::new(), campaigns: Vec::new() }],
        log: log_of(&events()),
        touched: vec![first],
        answers: vec![answer],
        people: vec![PersonChange::Prefer(preference)],
        spent: vec![Spent { key: SENT, stamp: seq as u32 }, Spent { key: OTHERS, stamp: seq as u32 }],
        ..Group::default()
    };
    journal.commit(&group).expect("a commit");
}

/// The keys of the sends that count.
fn sends(archive: &dyn Archive) -> Vec<u64> {
    let mut keys = Vec::new();
    archive.spent(Time(i64::MIN), &mut |row| keys.push(row.key)).expect("readable");
    keys
}

/// Erases as the engine does; stops after `steps` rewrites, as a kill would.
fn erase(journal: &mut Sqlite, archive: &dyn Archive, steps: usize) -> bool {
    let whose = subject(None);
    let (mut parts, mut blank, mut ids) = (HashSet::new(), Vec::new(), HashSet::new());
    let mut rewrites =
        vec![Rewrite { people: vec![PersonChange::Forget { account: "shop".into(), number: 33_612_345_678 }], ..Rewrite::default() }];
    for frame in archive.frames_from(MessageId(0), 1_000).expect("readable").frames {
        let (found, blank) = whose.frame(&frame);
        ids.extend(blank.into_iter().map(|id| id.0));
        rewrites.extend(found.map(|one| Rewrite { frames: vec![one], ..Rewrite::default() }));
    }
    let rows = archive.log_from(0, usize::MAX).expect("readable");
    rows.iter().for_each(|row| whose.parts(&row.log, &mut parts).expect("readable"));
    for LogRow { seq, log } in rows {
        let log = whose.log(&log, &parts, &mut blank).expect("readable");
        rewrites.extend(log.map(|log| Rewrite { logs: vec![LogRow { seq, log: log.into() }], ..Rewrite::default() }));
    }
    let answers = archive.answers_about(&ids).expect("readable");
    let cut = |answer: Answer| (answer.account.clone(), answer.key.clone(), Some(Answer { body: answer.body[..11].into(), ..answer }));
    rewrites.push(Rewrite { answers: answers.into_iter().map(cut).collect(), ..Rewrite::default() });
    for rewrite in rewrites.iter().take(steps) {
        journal.rewrite(rewrite).expect("written");
    }
    if steps < rewrites.len() {
        return false;
    }
    assert_eq!(journal.seclude().expect("written"), Scrubbed::Clean);
    let sends = vec![SpentLike { row: Spent { key: SENT, stamp: 0 }, key_mask: u64::MAX, stamp_mask: 0 }];
    let person = Person { number: 33_612_345_678, account: None, opt_outs: false, sends };
    assert_eq!(archive.scrub(&person).expect("written"), Scrubbed::Clean);
    true
}

#[test]
fn an_erasure_that_is_killed_after_any_step_leaves_nothing_when_it_is_done_again() {
    for steps in 0.. {
        let home = tempfile::tempdir().expect("a directory");
        let (mut journal, archive) = open(home.path());
        // Two slices, the first of them closed.
        commit(&mut journal, 1, NOW.0);
        commit(&mut journal, 2, NOW.0 + 7_200_000);
        commit(&mut journal, 3, NOW.0 + 7_200_001);
        assert!(raw(home.path()) > 0 && unpacked(&*archive) > 1_000);
        assert_eq!(sends(&*archive), [SENT, OTHERS, SENT, OTHERS, SENT, OTHERS]);
        assert_eq!(archive.search(key(), None, 1_000).expect("readable").len(), 600);
        let is_over = erase(&mut journal, &*archive, steps);
        drop((journal, archive));
        let (mut journal, archive) = open(home.path());
        assert!(erase(&mut journal, &*archive, usize::MAX));
        assert_eq!((unpacked(&*archive), raw(home.path())), (0, 0), "killed after {steps} steps");
        assert_eq!(archive.search(key(), None, 1_000).expect("readable"), []);
        assert_eq!(archive.search(77, None, 5_000).expect("readable").len(), 1_200, "others are found as before");
        assert_eq!(archive.preferences(None, 9).expect("readable"), []);
        assert_eq!(sends(&*archive), [OTHERS; 3], "what was sent to others goes on to count");
        // And what comes then is kept.
        commit(&mut journal, 4, NOW.0 + 7_200_002);
        drop((journal, archive));
        let (_journal, archive) = open(home.path());
        assert_eq!(archive.search(key(), None, 1_000).expect("readable").len(), 200);
        if is_over {
            assert!(steps > 6, "{steps}");
            break;
        }
    }
}

#[test]
fn what_retention_took_out_of_a_slice_that_stays_is_not_left_in_its_unused_places() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut journal, archive) = open(home.path());
    // Nothing but frames that end, so many that not all their places are used again; and one that keeps its slice, and is
    // to somebody else.
    let new = |first, seq, count: u32| NewFrame {
        frame: Arc::new(frame(first, seq, "shop", count)),
        recipients: vec![77; count as usize],
        references: Vec::new(),
        cancel_keys: Vec::new(),
        campaigns: Vec::new(),
    };
    let firsts: Vec<u64> = (0..9).map(|n| 10_000 + n * 1_000).collect();
    let first = MessageId(firsts[0]);
    let closed = firsts.iter().map(|first| Closed { frame: MessageId(*first), batch: None, tally: vec![1] }).collect();
    for group in [
        Group { seq: 1, at: NOW, frames: firsts.iter().map(|first| new(*first, 1, 3)).collect(), ..Group::default() },
        Group { seq: 2, at: Time(NOW.0 + 1), frames: vec![new(20_000, 2, 1)], ..Group::default() },
        Group { seq: 3, at: Time(NOW.0 + 7_200_000), closed, ..Group::default() },
        Group { seq: 4, at: Time(NOW.0 + 14_400_000), log: log_of(&events()[3..4]), ..Group::default() },
    ] {
        journal.commit(&group).expect("a commit");
    }
    assert_eq!(journal.upkeep(Time(i64::MAX), u64::MAX).expect("upkeep"), 1, "the slice that says the end");
    assert!(archive.frame_of(first).expect("readable").is_none() && archive.frame_of(MessageId(20_000)).expect("readable").is_some());
    assert!(raw(home.path()) > 0, "its octets are there, and nothing names them");
    assert!(erase(&mut journal, &*archive, usize::MAX));
    assert_eq!((unpacked(&*archive), raw(home.path())), (0, 0));
}
