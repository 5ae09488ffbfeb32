//! Random histories on both backends at once: whatever is asked, both say the same, also after restarts.

use crate::base::{BatchId, MessageId, Span, Time};
use crate::storage::desk::Desk;
use crate::storage::memory::Memory;
use crate::storage::people::{Origin, PersonChange, Preference, Suppression, SuppressionKey};
use crate::storage::port::{Archive, Recovered};
use crate::storage::sqlite::{Options, Sqlite};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Frame { account: u8, bulk: Option<u8>, count: u32, key: u64 },
    Complete(u8),
    Abort(u8),
    Close(usize),
    Log(usize),
    Note(u8, Option<u8>),
    Person { number: u64, scope: u8, what: u8 },
    Commit { wait_minutes: i64 },
    Upkeep { age_hours: i64, told_back: u64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3u8, prop::option::of(0..6u8), 1..9u32, 0..5u64)
            .prop_map(|(account, bulk, count, key)| Step::Frame { account, bulk, count, key: key * 100 }),
        1 => (0..6u8).prop_map(Step::Complete),
        1 => (0..6u8).prop_map(Step::Abort),
        3 => (0..40usize).prop_map(Step::Close),
        3 => (0..40usize).prop_map(Step::Log),
        1 => (0..3u8, prop::option::of(0..9u8)).prop_map(|(key, value)| Step::Note(key, value)),
        2 => (1..4u64, 0..2u8, 0..5u8).prop_map(|(number, scope, what)| Step::Person { number, scope, what }),
        7 => (-10..50i64).prop_map(|wait_minutes| Step::Commit { wait_minutes }),
        1 => (0..3i64, 0..9u64).prop_map(|(age_hours, told_back)| Step::Upkeep { age_hours, told_back }),
        1 => Just(Step::Restart),
    ]
}

/// Everything an archive says, in words.
fn all(archive: &dyn Archive, frames: &[MessageId]) -> Vec<String> {
    let mut said = vec![format!("{:?}", archive.notes(""))];
    said.push(format!("{:?} {:?}", archive.suppressions(None, 99), archive.preferences(None, 99)));
    for seq in [1, 7] {
        said.push(format!("{:?}", archive.log_from(seq, 60)));
    }
    for account in ["0", "1", "2"] {
        let before = frames.get(frames.len() / 2).copied();
        said.push(format!("{:?}", archive.frames_of_account(account, None, 5)));
        said.push(format!("{:?}", archive.frames_of_account(account, before, 5)));
        said.push(format!("{:?} {:?}", archive.batches(account, None, 3), archive.batches(account, Some(BatchId(5)), 3)));
    }
    for bulk in 0..30 {
        let bulk = BatchId(bulk);
        said.push(format!("{:?} {:?} {:?}", archive.batch(bulk), archive.frames_of_batch(bulk, None, 4), archive.closed_of_batch(bulk)));
    }
    for frame in frames {
        let id = MessageId(frame.0 + 2);
        said.push(format!("{:?} {:?} {:?}", archive.frame(*frame), archive.frame_of(id), archive.touches(*frame)));
    }
    for key in 0..6 {
        // Search may name messages whose frames are gone; its callers look at the frame.
        let found = archive.search(key * 100, None, usize::MAX).expect("readable");
        let there: Vec<_> = found.into_iter().filter(|id| matches!(archive.frame_of(*id), Ok(Some(_)))).collect();
        said.push(format!("{there:?}"));
    }
    said
}

fn person(number: u64, scope: u8, what: u8) -> PersonChange {
    let (account, origin) = ("0".to_owned(), if what == 0 { Origin::Recipient } else { Origin::Customer });
    let key = SuppressionKey { account: account.clone(), number, origin, scope: scope.to_string() };
    let since = Time(i64::from(what));
    match what {
        0 | 1 => PersonChange::Suppress(Suppression { key, classes: 1 << scope, source: String::new(), reason: String::new(), since }),
        2 => PersonChange::Lift(key),
        3 => PersonChange::Prefer(Preference { account, number, cap: (1, 2), zone: scope.to_string(), locale: String::new(), since }),
        _ => PersonChange::Forget { account, number },
    }
}

fn words(found: &Recovered) -> String {
    let Recovered { last_seq, last_id, last_at, open, replay_from, damage, people_lost, notes_lost, spent_lost } = found;
    format!("{last_seq} {last_id:?} {last_at:?} {open:?} {replay_from} {damage:?} {people_lost} {notes_lost} {spent_lost}")
}

/// One history; the bulks' names are used once each, as those of real bulks are.
fn play(steps: &[Step]) {
    let dir = tempfile::tempdir().expect("a directory");
    let options = || Options { reserve_bytes: 0, frame_cache_bytes: 2_000, ..Options::new(dir.path()) };
    let memory = Memory::with_slice(Span::secs(3_600));
    let mut desks = [Desk::new(Box::new(memory.clone())).0, Desk::new(Box::new(Sqlite::open(options()).expect("free"))).0];
    let (mut frames, mut names, mut bulks, mut told) = (Vec::new(), 0, [None; 6], 0);
    for step in steps {
        match step {
            Step::Frame { account, bulk, count, key } => {
                let name = bulk.map(|slot| {
                    *bulks[usize::from(slot)].get_or_insert_with(|| {
                        names += 1;
                        BatchId(names)
                    })
                });
                let made = desks.each_mut().map(|desk| desk.frame(&account.to_string(), name, *count, *key));
                assert_eq!(made[0], made[1]);
                frames.push(made[0]);
            }
            Step::Complete(slot) => {
                if let Some(name) = bulks[usize::from(*slot)].take() {
                    desks.iter_mut().for_each(|desk| desk.complete(name, &(slot % 3).to_string()));
                }
            }
            Step::Abort(slot) => {
                // A bulk is given up after what was staged of it is committed.
                if let Some(name) = bulks[usize::from(*slot)].take() {
                    desks.iter_mut().for_each(|desk| _ = desk.commit());
                    desks.iter_mut().for_each(|desk| desk.group.aborted.push(name));
                }
            }
            Step::Close(place) => {
                if let Some(frame) = frames.get(*place) {
                    let batch = desks[0].journal.archive().frame_of(*frame).ok().flatten().map(|frame| frame.head.batch);
                    batch.into_iter().for_each(|batch| desks.iter_mut().for_each(|desk| desk.close(*frame, batch)));
                }
            }
            Step::Log(place) => {
                // Nothing happens to messages of a bulk that is not complete.
                let is_live = |frame: &MessageId| matches!(desks[0].journal.archive().frame_of(*frame), Ok(Some(_)));
                let touched: Vec<MessageId> = frames.get(*place).copied().filter(is_live).into_iter().collect();
                desks.iter_mut().for_each(|desk| desk.log(&format!("about {place} at {}", desk.group.seq), &touched));
            }
            Step::Note(key, value) => {
                let note = (format!("note {key}"), value.map(|value| vec![value]));
                desks.iter_mut().for_each(|desk| desk.group.notes.push(note.clone()));
            }
            Step::Person { number, scope, what } => {
                desks.iter_mut().for_each(|desk| desk.group.people.push(person(*number, *scope, *what)));
            }
            Step::Commit { wait_minutes } => {
                for desk in &mut desks {
                    desk.wait(wait_minutes * 60_000);
                    told = desk.commit();
                }
            }
            Step::Upkeep { age_hours, told_back } => {
                let before = Time(desks[0].now.0 - age_hours * 3_600_000);
                let told = told.saturating_sub(*told_back);
                let removed = desks.each_mut().map(|desk| desk.journal.upkeep(before, told).expect("upkeep"));
                assert_eq!(removed[0], removed[1]);
            }
            Step::Restart => {
                let nothing = [Memory::new(), Memory::new()].map(|memory| Desk::new(Box::new(memory)).0);
                let ids = desks.each_ref().map(|desk| desk.id);
                drop(std::mem::replace(&mut desks, nothing));
                let (a, found_a) = Desk::new(Box::new(memory.reopen()));
                let (b, found_b) = Desk::new(Box::new(Sqlite::open(options()).expect("free")));
                assert_eq!(words(&found_a), words(&found_b));
                desks = [a, b];
                desks.iter_mut().zip(ids).for_each(|(desk, id)| desk.id = id);
                bulks = [None; 6];
            }
        }
        if matches!(step, Step::Commit { .. } | Step::Restart | Step::Upkeep { .. }) {
            let said = desks.each_ref().map(|desk| all(&*desk.journal.archive(), &frames));
            assert_eq!(said[0], said[1]);
        }
    }
}

#[test]
fn a_bulk_is_found_while_it_is_open_though_the_slice_it_was_completed_in_is_gone() {
    use Step::{Commit, Complete, Frame, Upkeep};
    let wait = |wait_minutes| Commit { wait_minutes };
    let single = || Frame { account: 0, bulk: None, count: 1, key: 0 };
    let bulk = Frame { account: 0, bulk: Some(5), count: 1, key: 100 };
    play(&[
        bulk,
        wait(0),
        wait(51),
        Complete(5),
        wait(9),
        wait(54),
        single(),
        single(),
        wait(34),
        wait(33),
        Upkeep { age_hours: 0, told_back: 0 },
    ]);
}

#[test]
fn a_bulk_that_was_completed_in_a_slice_that_is_gone_is_complete_after_a_restart_and_what_ended_has_ended() {
    use Step::{Close, Commit, Complete, Frame, Restart, Upkeep};
    let wait = |wait_minutes| Commit { wait_minutes };
    let single = |account| Frame { account, bulk: None, count: 1, key: 0 };
    let bulk = Frame { account: 0, bulk: Some(4), count: 1, key: 0 };
    play(&[
        single(0),
        single(0),
        wait(0),
        bulk,
        wait(18),
        Complete(4),
        wait(78),
        Close(0),
        wait(34),
        single(1),
        wait(3),
        Upkeep { age_hours: 0, told_back: 0 },
        Restart,
    ]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn both_backends_say_the_same_over_any_history(steps in prop::collection::vec(step(), 1..60)) {
        play(&steps);
    }
}
