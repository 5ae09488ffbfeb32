//! What every backend must do, said once and run on each: `suite!` makes a test of every function below.

use crate::base::{BatchId, MessageId, Span, Time};
use crate::storage::desk::{Desk, START};
use crate::storage::frame::Frame;
use crate::storage::memory::Memory;
use crate::storage::port::{Answer, Archive, Blanked, Journal, LogRow, Person, Recovered, Rewrite, Scrubbed, StoreFault};
use crate::storage::sqlite::{Options, Sqlite};
use std::sync::Arc;

const HOUR: i64 = 3_600_000;

/// A backend whose process can end and begin anew on the same disk.
trait Subject {
    /// Ends the process that has it, if any, and begins another.
    fn begin(&mut self) -> Box<dyn Journal>;
}

struct InMemory(Memory);

impl Subject for InMemory {
    fn begin(&mut self) -> Box<dyn Journal> {
        self.0 = self.0.reopen();
        Box::new(self.0.clone())
    }
}

struct OnDisk(tempfile::TempDir);

impl Subject for OnDisk {
    fn begin(&mut self) -> Box<dyn Journal> {
        let options = Options { reserve_bytes: 1 << 20, frame_cache_bytes: 4_096, ..Options::new(self.0.path()) };
        Box::new(Sqlite::open(options).expect("the former process has ended"))
    }
}

/// Ends the process and begins another on the same disk.
fn again(desk: Desk, subject: &mut dyn Subject) -> (Desk, Recovered, Arc<dyn Archive>) {
    drop(desk);
    let (desk, found) = Desk::new(subject.begin());
    let archive = desk.journal.archive();
    (desk, found, archive)
}

fn begin(subject: &mut dyn Subject) -> (Desk, Arc<dyn Archive>) {
    let (desk, found) = Desk::new(subject.begin());
    assert_eq!((found.last_seq, found.last_id, found.last_at, found.replay_from), (0, None, None, 1));
    assert!(found.open.is_empty() && found.damage.is_empty());
    let archive = desk.journal.archive();
    (desk, archive)
}

fn text(archive: &dyn Archive, id: MessageId) -> Option<String> {
    let frame = archive.frame_of(id).expect("readable")?;
    let record = frame.record((id.0 - frame.head.first.0) as u32).expect("in the frame");
    Some(String::from_utf8(record.to_vec()).expect("text"))
}

fn logs(rows: Result<Vec<LogRow>, StoreFault>) -> Vec<(u64, String)> {
    rows.expect("readable").into_iter().map(|row| (row.seq, String::from_utf8(row.log.to_vec()).expect("text"))).collect()
}

fn what_is_committed_is_read_back_before_and_after_a_restart(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let a = desk.frame("bank", None, 3, 10);
    let b = desk.frame("shop", None, 500, 20);
    desk.log("one", &[a, b]);
    let seq = desk.commit();
    desk.wait(5);
    desk.log("two", &[b]);
    desk.commit();
    for round in 0..2 {
        assert_eq!(text(&*archive, MessageId(a.0 + 2)), Some(format!("record 2 of {a}")), "round {round}");
        assert_eq!(text(&*archive, MessageId(b.0 + 499)), Some(format!("record 499 of {b}")));
        assert_eq!(text(&*archive, MessageId(a.0 + 3)), None);
        assert_eq!(text(&*archive, MessageId(a.0 - 1)), None);
        assert_eq!(text(&*archive, MessageId(u64::MAX)), None);
        let frame = archive.frame(b).expect("readable").expect("there");
        assert_eq!((frame.head.seq, frame.head.count, frame.head.accepted), (seq, 500, Time(START)));
        assert_eq!((frame.head.lane.account.as_str(), frame.head.lane.priority, frame.head.batch), ("shop", 1, None));
        assert!(archive.frame(MessageId(b.0 + 1)).expect("readable").is_none());
        assert_eq!(logs(archive.log_from(1, 1_000)), [(1, "one".into()), (2, "two".into())]);
        assert_eq!(logs(archive.touches(a)), [(1, "one".into())]);
        if round == 0 {
            let found;
            (desk, found, archive) = again(desk, subject);
            assert_eq!((found.last_seq, found.last_id, found.last_at), (2, Some(b.0 + 499), Some(Time(START + 5))));
            assert_eq!(found.open.iter().map(|head| head.first).collect::<Vec<_>>(), [a, b]);
            assert_eq!(found.open[1].lane.account, "shop");
            assert_eq!(found.replay_from, 1);
        }
    }
    drop(desk);
}

fn what_a_frame_waits_for_is_read_back_before_and_after_a_restart(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let at_once = desk.frame("bank", None, 2, 10);
    desk.due = (Time(START + 90_000), 14);
    let later = desk.frame("bank", None, 3, 20);
    desk.group.frames[1].cancel_keys = vec![0, 4_711, 4_711];
    desk.group.frames[0].campaigns = vec![0, 1_812];
    desk.group.frames[1].campaigns = vec![1_812, 1_812, 0];
    desk.commit();
    for round in 0..2 {
        let seen = |first| archive.frame(first).expect("readable").map(|frame| (frame.head.due, frame.head.why));
        assert_eq!((seen(at_once), seen(later)), (Some((Time(0), 0)), Some((Time(START + 90_000), 14))), "round {round}");
        let heads = archive.frames_of_account("bank", None, 9).expect("readable");
        assert_eq!(heads.iter().map(|head| head.why).collect::<Vec<_>>(), [14, 0]);
        let filed = [MessageId(later.0 + 2), MessageId(later.0 + 1)];
        assert_eq!(archive.search(4_711, None, 9).expect("readable"), filed);
        // A campaign is found page by page, over frames.
        let page = |before| archive.search(1_812, before, 2).expect("readable");
        let (last, middle, least) = (MessageId(later.0 + 1), later, MessageId(at_once.0 + 1));
        assert_eq!((page(None), page(Some(middle)), page(Some(least))), (vec![last, middle], vec![least], vec![]));
        if round == 0 {
            let found;
            (desk, found, archive) = again(desk, subject);
            assert_eq!(found.open.iter().map(|head| (head.due, head.why)).collect::<Vec<_>>(), [(Time(0), 0), (Time(START + 90_000), 14)]);
        }
    }
    drop(desk);
}

fn a_staged_bulk_is_not_shown_until_its_row_is_committed(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let bulk = BatchId(990);
    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.push(desk.frame("bank", Some(bulk), 10, 77));
        desk.commit();
        desk.wait(HOUR);
    }
    let first = frames[0];
    assert!(archive.frame(first).expect("readable").is_some());
    assert_eq!(text(&*archive, first), None);
    assert_eq!(archive.search(77, None, 100).expect("readable"), []);
    assert_eq!(archive.frames_of_account("bank", None, 100).expect("readable"), []);
    assert_eq!(archive.frames_of_batch(bulk, None, 100).expect("readable"), []);
    assert!(archive.batch(bulk).expect("readable").is_none());
    frames.push(desk.frame("bank", Some(bulk), 10, 77));
    desk.complete(bulk, "bank");
    desk.commit();
    for round in 0..2 {
        assert_eq!(text(&*archive, first), Some(format!("record 0 of {first}")), "round {round}");
        let heads = archive.frames_of_batch(bulk, None, 100).expect("readable");
        assert_eq!(heads.iter().map(|head| head.first).collect::<Vec<_>>(), frames);
        let rest = archive.frames_of_batch(bulk, Some(frames[1]), 1).expect("readable");
        assert_eq!(rest.iter().map(|head| head.first).collect::<Vec<_>>(), frames[2..3]);
        assert_eq!(archive.search(77, None, 100).expect("readable").len(), 40);
        assert_eq!(archive.frames_of_account("bank", None, 100).expect("readable").len(), 4);
        assert_eq!(archive.batch(bulk).expect("readable").map(|row| row.accepted), Some(5));
        if round == 0 {
            let found;
            (desk, found, archive) = again(desk, subject);
            assert_eq!(found.open.len(), 4);
            assert_eq!(found.replay_from, 1);
        }
    }
    drop(desk);
}

fn a_bulk_that_was_never_completed_is_gone_after_a_restart_and_its_ids_are_not_dealt_again(subject: &mut dyn Subject) {
    let (mut desk, _) = begin(subject);
    let bulk = BatchId(990);
    let kept = desk.frame("bank", None, 2, 5);
    let early = desk.frame("bank", Some(bulk), 10, 77);
    desk.commit();
    desk.wait(HOUR);
    let late = desk.frame("bank", Some(bulk), 10, 77);
    let other = desk.frame("bank", None, 1, 77);
    desk.commit();
    desk.close(kept, None);
    desk.commit();
    desk.wait(1);
    let last = desk.frame("bank", Some(bulk), 4, 77);
    desk.commit();
    let (desk, found, _) = again(desk, subject);
    assert_eq!(found.open.iter().map(|head| head.first).collect::<Vec<_>>(), [other]);
    assert_eq!((found.replay_from, found.last_seq, found.last_id), (2, 4, Some(last.0 + 3)));
    let (mut desk, found, archive) = again(desk, subject);
    assert_eq!((found.open.len(), found.last_id), (1, Some(last.0 + 3)));
    for gone in [early, late, last] {
        assert!(archive.frame(gone).expect("readable").is_none());
        assert_eq!(text(&*archive, gone), None);
    }
    assert_eq!(archive.search(77, None, 100).expect("readable"), [other]);
    let heads = archive.frames_of_account("bank", None, 100).expect("readable");
    assert_eq!(heads.iter().map(|head| head.first).collect::<Vec<_>>(), [other, kept]);
    desk.log("goes on", &[]);
    assert_eq!(desk.commit(), 5);
}

fn an_aborted_bulk_is_gone_at_once_from_every_slice(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let (bulk, other) = (BatchId(990), BatchId(991));
    let one = desk.frame("bank", Some(bulk), 10, 77);
    let stays = desk.frame("bank", Some(other), 1, 77);
    desk.commit();
    desk.wait(HOUR);
    let two = desk.frame("bank", Some(bulk), 10, 77);
    desk.commit();
    desk.group.aborted.push(bulk);
    desk.commit();
    desk.complete(other, "bank");
    desk.commit();
    for round in 0..2 {
        for gone in [one, two] {
            assert!(archive.frame(gone).expect("readable").is_none(), "round {round}");
            assert_eq!(text(&*archive, gone), None);
        }
        assert_eq!(archive.search(77, None, 100).expect("readable"), [stays]);
        assert_eq!(archive.frames_of_batch(bulk, None, 100).expect("readable"), []);
        assert_eq!(archive.frames_of_account("bank", None, 100).expect("readable").len(), 1);
        if round == 0 {
            let found;
            (desk, found, archive) = again(desk, subject);
            assert_eq!(found.open.iter().map(|head| head.first).collect::<Vec<_>>(), [stays]);
            assert_eq!(found.last_id, Some(two.0 + 9));
        }
    }
    drop(desk);
}

fn the_log_of_a_frame_is_found_over_slices_oldest_first(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let (a, b) = (desk.frame("bank", None, 1, 1), desk.frame("bank", None, 1, 1));
    desk.commit();
    let mut expected = Vec::new();
    for round in 0..5 {
        desk.wait(HOUR / 2);
        let events = format!("round {round}");
        desk.log(&events, &[if round % 2 == 0 { a } else { b }]);
        let seq = desk.commit();
        if round % 2 == 0 {
            expected.push((seq, events));
        }
    }
    assert_eq!(logs(archive.touches(a)), expected);
    (desk, _, archive) = again(desk, subject);
    assert_eq!(logs(archive.touches(a)), expected);
    assert_eq!(logs(archive.touches(MessageId(5))), []);
    drop(desk);
}

fn log_from_gives_at_least_one_row_and_then_as_many_octets_as_asked_for(subject: &mut dyn Subject) {
    let (mut desk, archive) = begin(subject);
    for round in 0..6 {
        desk.log("0123456789", &[]);
        desk.commit();
        desk.frame("bank", None, 1, 1);
        desk.commit();
        desk.wait(HOUR * (round % 2));
    }
    let seqs = |from, bytes_max| logs(archive.log_from(from, bytes_max)).into_iter().map(|(seq, _)| seq).collect::<Vec<_>>();
    assert_eq!(seqs(1, 0), [1]);
    assert_eq!(seqs(2, 5), [3]);
    assert_eq!(seqs(1, 20), [1, 3]);
    assert_eq!(seqs(1, 25), [1, 3]);
    assert_eq!(seqs(4, usize::MAX), [5, 7, 9, 11]);
    assert_eq!(seqs(12, 100), [] as [u64; 0]);
    assert_eq!(seqs(u64::MAX, 100), [] as [u64; 0]);
}

fn the_answer_to_a_key_is_the_latest_one_for_that_account(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let answer = |account: &str, key: &str, body: u8, until: i64| Answer {
        account: account.into(),
        key: key.into(),
        request: [body; 32],
        body: vec![body; 40],
        until: Time(until),
    };
    let later = START + 10 * HOUR;
    desk.group.answers = vec![answer("bank", "k", 1, later), answer("shop", "k", 2, later)];
    desk.commit();
    desk.wait(2 * HOUR);
    desk.group.answers = vec![answer("bank", "k", 3, later), answer("bank", "", 4, later)];
    desk.commit();
    for _ in 0..2 {
        assert_eq!(archive.answer("bank", "k").expect("readable"), Some(answer("bank", "k", 3, later)));
        assert_eq!(archive.answer("shop", "k").expect("readable"), Some(answer("shop", "k", 2, later)));
        assert_eq!(archive.answer("bank", "").expect("readable").map(|a| a.body[0]), Some(4));
        assert_eq!(archive.answer("shop", "").expect("readable"), None);
        (desk, _, archive) = again(desk, subject);
    }
    drop(desk);
}

fn bulks_are_paged_newest_first_also_when_an_older_one_is_completed_later(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    for ids in [[100, 300], [200, 500], [400, 450]] {
        for id in ids {
            desk.complete(BatchId(id), "bank");
            desk.complete(BatchId(id + 1), "shop");
        }
        desk.commit();
        desk.wait(HOUR);
    }
    for _ in 0..2 {
        let page = |before: Option<u64>, limit| {
            let rows = archive.batches("bank", before.map(BatchId), limit).expect("readable");
            rows.into_iter().map(|row| row.id.0).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 100), [500, 450, 400, 300, 200, 100]);
        assert_eq!(page(None, 2), [500, 450]);
        assert_eq!(page(Some(450), 2), [400, 300]);
        assert_eq!(page(Some(300), 2), [200, 100]);
        assert_eq!(page(Some(100), 2), [0u64; 0]);
        assert_eq!(page(None, 0), [0u64; 0]);
        let row = archive.batch(BatchId(200)).expect("readable").expect("there");
        assert_eq!((row.received, row.accepted, row.detail, row.at), (7, 5, vec![1, 2, 200], Time(START + HOUR)));
        (desk, _, archive) = again(desk, subject);
    }
    drop(desk);
}

fn closed_frames_are_not_open_and_the_log_is_replayed_from_the_oldest_open_one(subject: &mut dyn Subject) {
    let (mut desk, _) = begin(subject);
    let bulk = BatchId(900);
    let mut frames = Vec::new();
    for _ in 0..4 {
        frames.push(desk.frame("bank", Some(bulk), 2, 5));
        desk.complete(bulk, "bank");
        desk.commit();
        desk.wait(HOUR);
    }
    desk.close(frames[0], Some(bulk));
    desk.close(frames[2], Some(bulk));
    desk.commit();
    let (mut desk, found, archive) = again(desk, subject);
    assert_eq!(found.open.iter().map(|head| head.first).collect::<Vec<_>>(), [frames[1], frames[3]]);
    assert_eq!((found.replay_from, found.last_seq), (2, 5));
    let closed = archive.closed_of_batch(bulk).expect("readable");
    assert_eq!(
        closed.iter().map(|c| (c.frame, c.tally.clone())).collect::<Vec<_>>(),
        [(frames[0], vec![9, frames[0].0 as u8]), (frames[2], vec![9, frames[2].0 as u8])]
    );
    desk.wait(HOUR);
    for frame in &frames {
        desk.close(*frame, Some(bulk));
    }
    desk.commit();
    let (_desk, found, archive) = again(desk, subject);
    assert!(found.open.is_empty());
    assert_eq!(found.replay_from, 7);
    assert_eq!(archive.closed_of_batch(bulk).expect("readable").len(), 4);
    assert_eq!(archive.closed_of_batch(BatchId(1)).expect("readable").len(), 0);
}

fn search_pages_newest_first_without_repetition(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let mut expected = Vec::new();
    for round in 0..40 {
        // Key 50 is a recipient here and a reference of ordinal 0 there: one key space, two kinds.
        let first = desk.frame("bank", None, 5, if round % 4 == 0 { 49 } else { 50 });
        if round % 4 == 0 {
            expected.push(first.0)
        } else {
            expected.extend(first.0..first.0 + 5)
        }
        desk.commit();
        desk.wait(HOUR / 7);
    }
    // Filed twice under one key: recipient and reference.
    let twice = desk.frame("bank", None, 1, 50);
    desk.group.frames[0].references = vec![50];
    desk.commit();
    expected.push(twice.0);
    expected.reverse();
    for _ in 0..2 {
        let mut paged = Vec::new();
        loop {
            let page = archive.search(50, paged.last().map(|id| MessageId(*id)), 7).expect("readable");
            assert!(page.len() <= 7);
            if page.is_empty() {
                break;
            }
            paged.extend(page.into_iter().map(|id| id.0));
        }
        assert_eq!(paged, expected);
        assert_eq!(archive.search(48, None, 10).expect("readable"), []);
        assert_eq!(archive.search(50, None, 0).expect("readable"), []);
        (desk, _, archive) = again(desk, subject);
    }
    drop(desk);
}

fn frames_of_an_account_are_paged_newest_first_over_slices(subject: &mut dyn Subject) {
    let (mut desk, archive) = begin(subject);
    let mut own = Vec::new();
    for _ in 0..9 {
        own.push(desk.frame("bank", None, 2, 5));
        desk.frame("shop", None, 2, 5);
        desk.commit();
        desk.wait(HOUR / 2);
    }
    own.reverse();
    let page = |before, limit| {
        let heads = archive.frames_of_account("bank", before, limit).expect("readable");
        heads.into_iter().map(|head| head.first).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 100), own);
    assert_eq!(page(None, 4), own[..4]);
    assert_eq!(page(Some(own[3]), 4), own[4..8]);
    assert_eq!(page(Some(own[8]), 4), []);
    assert_eq!(archive.frames_of_account("nobody", None, 4).expect("readable"), []);
}

fn notes_are_kept_replaced_and_removed_by_key(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let put = |key: &str, value: &str| (key.to_owned(), Some(value.as_bytes().to_vec()));
    desk.group.notes = vec![put("hook/b", "1"), put("hook/a", "2"), put("hookless", "3"), put("dead/a", "4")];
    desk.commit();
    desk.group.notes = vec![put("hook/b", "5"), ("hook/a".into(), None), ("never".into(), None), put("hook/c", "")];
    desk.log("beside", &[]);
    desk.commit();
    desk.wait(7);
    desk.group.notes = vec![put("hook/d", "6")];
    desk.commit();
    let expected = [("hook/b", "5"), ("hook/c", ""), ("hook/d", "6")].map(|(k, v)| (k.to_owned(), v.as_bytes().to_vec()));
    for round in 0..2 {
        assert_eq!(archive.notes("hook/").expect("readable"), expected);
        assert_eq!(archive.notes("").expect("readable").len(), 5);
        assert_eq!(archive.notes("x").expect("readable").len(), 0);
        if round == 0 {
            let found;
            (desk, found, archive) = again(desk, subject);
            assert_eq!((found.last_seq, found.last_at, found.last_id), (3, Some(Time(START + 7)), None));
        }
    }
    drop(desk);
}

fn nothing_to_commit_commits_nothing_and_a_clock_that_goes_back_loses_nothing(subject: &mut dyn Subject) {
    let (mut desk, _) = begin(subject);
    desk.commit();
    desk.wait(5 * HOUR);
    let a = desk.frame("bank", None, 1, 9);
    desk.commit();
    desk.wait(-3 * HOUR);
    let b = desk.frame("bank", None, 1, 9);
    desk.log("earlier", &[a, b]);
    desk.commit();
    let (mut desk, found, archive) = again(desk, subject);
    assert_eq!((found.last_seq, found.open.len()), (3, 2));
    assert_eq!(archive.search(9, None, 9).expect("readable"), [b, a]);
    assert_eq!(logs(archive.touches(a)), [(3, "earlier".into())]);
    assert_eq!(text(&*archive, a), Some(format!("record 0 of {a}")));
    desk.log("more", &[]);
    assert_eq!(desk.commit(), 4);
}

fn what_became_of_a_message_stays_as_long_as_the_message_and_it_until_that_is_old_and_told(subject: &mut dyn Subject) {
    let (mut desk, archive) = begin(subject);
    let (over, waits) = (desk.frame("bank", None, 3, 8), desk.frame("bank", None, 3, 8));
    desk.commit();
    desk.wait(HOUR);
    desk.log("over, moved", &[over, waits]);
    desk.close(over, None);
    let beside = desk.frame("bank", None, 1, 8);
    desk.close(beside, None);
    desk.commit();
    for _ in 0..2 {
        desk.wait(HOUR);
        let frame = desk.frame("bank", None, 1, 8);
        desk.close(frame, None);
        desk.log("another", &[frame]);
        desk.commit();
    }
    let end = Time(START + 100 * HOUR);
    // Of four slices the last takes commits, the first holds what waits, and the second says what became of its messages.
    assert_eq!(desk.journal.upkeep(end, 100).expect("upkeep"), 1);
    assert_eq!(logs(archive.log_from(1, 1_000)).len(), 2);
    let (mut desk, found, _) = again(desk, subject);
    assert_eq!(found.open.iter().map(|head| head.first).collect::<Vec<_>>(), [waits]);
    assert_eq!(desk.journal.upkeep(end, 100).expect("upkeep"), 0);
    desk.log("over", &[waits]);
    desk.close(waits, None);
    assert_eq!(desk.commit(), 5);
    // As long as its end is young or not told, it can be looked at.
    assert_eq!(desk.journal.upkeep(Time(START + 3 * HOUR), 100).expect("upkeep"), 0);
    assert_eq!(desk.journal.upkeep(end, 5).expect("upkeep"), 0);
    let (mut desk, found, archive) = again(desk, subject);
    assert!(found.open.is_empty());
    assert_eq!(text(&*archive, waits), Some(format!("record 0 of {waits}")));
    assert_eq!(desk.journal.upkeep(end, 5).expect("upkeep"), 0);
    assert_eq!(desk.journal.upkeep(end, 100).expect("upkeep"), 2);
    assert_eq!(text(&*archive, waits), None);
    drop(desk);
}

fn old_slices_go_only_when_past_told_and_over_and_never_the_newest(subject: &mut dyn Subject) {
    let (mut desk, archive) = begin(subject);
    let mut frames = Vec::new();
    for _ in 0..4 {
        let frame = desk.frame("bank", None, 3, 8);
        desk.log("accepted", &[frame]);
        if frames.is_empty() {
            desk.close(frame, None);
        }
        desk.commit();
        frames.push(frame);
        desk.wait(HOUR);
    }
    let end = Time(START + 100 * HOUR);
    assert_eq!(desk.journal.upkeep(Time(START), 100).expect("upkeep"), 0);
    assert_eq!(desk.journal.upkeep(end, 1).expect("upkeep"), 0);
    assert_eq!(desk.journal.upkeep(end, 100).expect("upkeep"), 1);
    assert_eq!(desk.journal.upkeep(end, 100).expect("upkeep"), 0);
    for frame in &frames[1..] {
        desk.close(*frame, None);
    }
    desk.wait(-HOUR);
    assert_eq!(desk.commit(), 5);
    // That they have ended is not told yet.
    assert_eq!(desk.journal.upkeep(end, 5).expect("upkeep"), 0);
    assert_eq!(text(&*archive, frames[0]), None);
    assert_eq!(text(&*archive, frames[1]), Some(format!("record 0 of {}", frames[1])));
    assert_eq!(logs(archive.log_from(1, 1_000)).len(), 3);
    let (mut desk, found, archive) = again(desk, subject);
    assert!(found.open.is_empty());
    assert_eq!((found.last_seq, found.last_id), (5, Some(frames[3].0 + 2)));
    assert_eq!(desk.journal.upkeep(end, 100).expect("upkeep"), 2);
    assert_eq!(desk.journal.upkeep(end, 100).expect("upkeep"), 0);
    assert_eq!(text(&*archive, frames[2]), None);
    assert_eq!(text(&*archive, frames[3]), Some(format!("record 0 of {}", frames[3])));
    desk.frame("bank", None, 1, 8);
    desk.commit();
}

fn the_reserve_is_released_once_and_can_be_restored(subject: &mut dyn Subject) {
    let (mut desk, _) = begin(subject);
    assert!(desk.journal.release_reserve());
    assert!(!desk.journal.release_reserve());
    desk.journal.restore_reserve();
    assert!(desk.journal.release_reserve());
}

/// A frame without some of its records.
fn without(frame: &Frame, ordinals: &[u32]) -> Blanked {
    let mut body = Vec::new();
    for ordinal in 0..frame.head.count {
        let record = frame.record(ordinal).filter(|_| !ordinals.contains(&ordinal)).unwrap_or_default();
        body.push(record.len() as u8);
        body.extend_from_slice(&record);
    }
    let frame = Frame::new(frame.head.clone(), body.into()).expect("as many records");
    Blanked { frame: Arc::new(frame), ordinals: ordinals.to_vec() }
}

fn what_is_rewritten_takes_its_place_and_is_found_under_no_key(subject: &mut dyn Subject) {
    let (mut desk, mut archive) = begin(subject);
    let (kept, first) = (desk.frame("bank", None, 2, 10), desk.frame("bank", None, 6, 10));
    desk.log("said", &[first]);
    let until = Time(START + 9 * HOUR);
    let answer = |body: &[u8]| Answer { account: "bank".into(), key: "k".into(), request: [1; 32], body: body.to_vec(), until };
    let body = [&(first.0 + 2).to_le_bytes()[..], b"name"].concat();
    desk.group.answers = vec![answer(&body)];
    let seq = desk.commit();
    desk.wait(HOUR);
    let staged = desk.frame("bank", Some(BatchId(990)), 3, 10);
    desk.commit();
    let all = archive.frames_from(MessageId(0), 9).expect("readable");
    assert_eq!(all.frames.iter().map(|frame| frame.head.first).collect::<Vec<_>>(), [kept, first], "{staged} is not complete");
    let page = archive.frames_from(MessageId(0), 1).expect("readable");
    assert_eq!((page.frames.len(), page.next), (1, Some(MessageId(kept.0 + 1))));
    let ids = std::collections::HashSet::from([first.0 + 2]);
    assert_eq!(archive.answers_about(&ids).expect("readable"), [answer(&body)]);
    let rewrite = Rewrite {
        frames: vec![without(&all.frames[1], &[2, 4])],
        logs: vec![LogRow { seq, log: "less".into() }],
        answers: vec![("bank".into(), "k".into(), Some(answer(&body[..8])))],
        people: Vec::new(),
    };
    for round in 0..3 {
        if round < 2 {
            desk.journal.rewrite(&rewrite).expect("written, and again");
        }
        assert_eq!(text(&*archive, MessageId(first.0 + 2)).as_deref(), Some(""), "round {round}");
        assert_eq!(text(&*archive, MessageId(first.0 + 3)), Some(format!("record 3 of {first}")));
        let filed: Vec<u64> = archive.search(10, None, 99).expect("readable").into_iter().map(|id| id.0).collect();
        assert_eq!(filed, [first.0 + 5, first.0 + 3, first.0 + 1, first.0, kept.0 + 1, kept.0]);
        assert_eq!(archive.search(13, None, 9).expect("readable"), [], "nor by reference");
        assert_eq!(logs(archive.touches(first)), [(seq, "less".into())]);
        assert_eq!(archive.answer("bank", "k").expect("readable"), Some(answer(&body[..8])));
        let person = Person { number: 1, account: None, opt_outs: true, sends: Vec::new() };
        assert_eq!(desk.journal.seclude().expect("written"), Scrubbed::Clean);
        assert_eq!(archive.scrub(&person).expect("written"), Scrubbed::Clean);
        desk.wait(1);
        desk.frame("bank", None, 1, 999);
        desk.commit();
        if round == 1 {
            (desk, _, archive) = again(desk, subject);
        }
    }
}

macro_rules! suite {
    ($backend:ident, $subject:expr, $($case:ident)*) => {
        mod $backend {
            use super::*;
            $(#[test] fn $case() { super::$case(&mut $subject); })*
        }
    };
}

macro_rules! on_all {
    ($($case:ident)*) => {
        suite!(in_memory, InMemory(Memory::with_slice(Span::secs(3_600))), $($case)*);
        suite!(on_disk, OnDisk(tempfile::tempdir().expect("a directory")), $($case)*);
    };
}

on_all! {
    what_is_committed_is_read_back_before_and_after_a_restart
    what_a_frame_waits_for_is_read_back_before_and_after_a_restart
    a_staged_bulk_is_not_shown_until_its_row_is_committed
    a_bulk_that_was_never_completed_is_gone_after_a_restart_and_its_ids_are_not_dealt_again
    an_aborted_bulk_is_gone_at_once_from_every_slice
    the_log_of_a_frame_is_found_over_slices_oldest_first
    log_from_gives_at_least_one_row_and_then_as_many_octets_as_asked_for
    the_answer_to_a_key_is_the_latest_one_for_that_account
    bulks_are_paged_newest_first_also_when_an_older_one_is_completed_later
    closed_frames_are_not_open_and_the_log_is_replayed_from_the_oldest_open_one
    search_pages_newest_first_without_repetition
    frames_of_an_account_are_paged_newest_first_over_slices
    notes_are_kept_replaced_and_removed_by_key
    nothing_to_commit_commits_nothing_and_a_clock_that_goes_back_loses_nothing
    old_slices_go_only_when_past_told_and_over_and_never_the_newest
    what_became_of_a_message_stays_as_long_as_the_message_and_it_until_that_is_old_and_told
    what_is_rewritten_takes_its_place_and_is_found_under_no_key
    the_reserve_is_released_once_and_can_be_restored
}
