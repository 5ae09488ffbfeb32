//! What only the embedded store can suffer: kills, torn and damaged files, a full disk, another version.

use crate::base::{BatchId, MessageId, Time};
use crate::storage::desk::Desk;
use crate::storage::port::{Archive, Journal, Recovered, StoreFault};
use crate::storage::sqlite::search::RUN_MESSAGES;
use crate::storage::sqlite::slice::{self, PAGE_BYTES, Role};
use crate::storage::sqlite::{Options, Sqlite};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const HOUR: i64 = 3_600_000;

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn options(dir: &Path) -> Options {
    Options { reserve_bytes: 0, frame_cache_bytes: 0, ..Options::new(dir) }
}

fn desk(dir: &Path) -> (Desk, Recovered, Arc<dyn Archive>) {
    let (desk, found) = Desk::new(Box::new(Sqlite::open(options(dir)).expect("free")));
    let archive = desk.journal.archive();
    (desk, found, archive)
}

/// The files as a kill at this moment would leave them.
fn copy(from: &Path) -> TempDir {
    let to = dir();
    for entry in std::fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        // The index beside the log lives in memory only and does not survive a power cut.
        if !name.ends_with("-shm") && name != "lock" {
            std::fs::copy(&path, to.path().join(&name)).expect("copied");
        }
    }
    to
}

fn only(dir: &Path, suffix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("slice-")));
    found.retain(|path| path.to_string_lossy().ends_with(suffix));
    assert_eq!(found.len(), 1, "one file *{suffix}");
    found.remove(0)
}

fn whole(archive: &dyn Archive, first: MessageId) -> bool {
    let frame = archive.frame(first).expect("readable");
    frame.is_some_and(|frame| frame.record(0).is_some_and(|record| record.starts_with(b"record 0 of")))
}

#[test]
fn a_process_that_was_killed_loses_nothing_that_it_committed() {
    let home = dir();
    let (mut desk_a, _, _) = desk(home.path());
    let mut frames = Vec::new();
    for round in 0..20 {
        let frame = desk_a.frame("bank", None, 50, 7);
        frames.push(frame);
        desk_a.log("events", &[frame]);
        desk_a.group.notes = vec![("cursor".into(), Some(vec![round]))];
        desk_a.commit();
        if round == 10 {
            desk_a.journal.upkeep(Time(0), 0).expect("upkeep");
        }
        let killed = copy(home.path());
        let (_desk, found, archive) = desk(killed.path());
        assert_eq!((found.last_seq, found.open.len()), (u64::from(round) + 1, frames.len()));
        assert!(found.damage.is_empty(), "{:?}", found.damage);
        assert!(frames.iter().all(|first| whole(&*archive, *first)));
        assert_eq!(archive.notes("cursor").expect("readable")[0].1, [round]);
        assert_eq!(archive.search(7, None, 10_000).expect("readable").len(), frames.len() * 50);
    }
}

#[test]
fn every_group_committed_before_a_torn_end_of_the_log_survives() {
    let home = dir();
    let (mut desk_a, _, _) = desk(home.path());
    // How long the log is after each commit, and what is committed by then.
    let mut ends = Vec::new();
    let mut frames = Vec::new();
    for _ in 0..6 {
        frames.push(desk_a.frame("bank", None, 40, 7));
        desk_a.commit();
        ends.push(std::fs::metadata(only(home.path(), "-wal")).expect("there").len());
    }
    let length = *ends.last().expect("six");
    for step in 0..60 {
        let cut = length * step / 60 + step % 7;
        let torn = copy(home.path());
        let log = std::fs::OpenOptions::new().write(true).open(only(torn.path(), "-wal")).expect("there");
        log.set_len(cut).expect("cut");
        let (mut desk_b, found, archive) = desk(torn.path());
        let survive = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(found.last_seq, survive as u64, "cut at {cut}");
        assert!(found.damage.is_empty(), "{:?}", found.damage);
        assert!(frames[..survive].iter().all(|first| whole(&*archive, *first)));
        assert!(frames[survive..].iter().all(|first| archive.frame(*first).expect("readable").is_none()));
        desk_b.frame("bank", None, 1, 7);
        desk_b.commit();
    }
}

#[test]
fn damage_inside_the_log_is_named() {
    let home = dir();
    let (mut desk_a, _, _) = desk(home.path());
    for _ in 0..6 {
        desk_a.frame("bank", None, 40, 7);
        desk_a.commit();
    }
    let bad = copy(home.path());
    let log = only(bad.path(), "-wal");
    flip(&log, 32 + 24 + PAGE_BYTES + 1_000);
    let (_desk, found, _) = desk(bad.path());
    assert!(found.last_seq < 6);
    assert!(found.damage.iter().any(|what| what.contains("-wal: damaged")), "{:?}", found.damage);
    let bad = copy(home.path());
    flip(&only(bad.path(), "-wal"), 17);
    let (_desk, found, _) = desk(bad.path());
    assert!(found.damage.iter().any(|what| what.contains("-wal: damaged")), "{:?}", found.damage);
}

fn flip(path: &Path, at: u64) {
    let mut bytes = std::fs::read(path).expect("readable");
    bytes[at as usize] ^= 0x10;
    std::fs::write(path, bytes).expect("written");
}

/// A store whose one slice is in the file and not in the log.
fn settled() -> (TempDir, Vec<MessageId>) {
    let home = dir();
    let mut frames = Vec::new();
    {
        let (mut desk, _, _) = desk(home.path());
        for _ in 0..8 {
            let frame = desk.frame("bank", None, 200, 7);
            frames.push(frame);
            desk.log("some events of this commit", &[frame]);
            desk.commit();
        }
        desk.journal.upkeep(Time(0), 0).expect("upkeep");
        desk.wait(2 * HOUR);
        desk.group.notes = vec![("note".into(), Some(vec![1]))];
        desk.frame("bank", None, 1, 7);
        desk.commit();
        desk.journal.upkeep(Time(0), 0).expect("upkeep");
    }
    (home, frames)
}

fn oldest(dir: &Path) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    found.retain(|path| {
        path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("slice-")) && path.extension() == Some("db".as_ref())
    });
    found.into_iter().min().expect("a slice")
}

#[test]
fn a_flipped_bit_in_a_body_is_damage_of_that_frame_and_its_neighbours_are_served() {
    let (home, frames) = settled();
    let victim = frames[3];
    {
        let conn = slice::connect(&oldest(home.path()), Role::Writer).expect("a database");
        let mut body: Vec<u8> =
            conn.query_row("SELECT body FROM bodies WHERE first = ?", [slice::sql(victim.0)], |row| row.get(0)).expect("there");
        body[300] ^= 1;
        conn.execute("UPDATE bodies SET body = ? WHERE first = ?", (body, slice::sql(victim.0))).expect("written");
    }
    let (_desk, found, archive) = desk(home.path());
    assert_eq!(found.open.len(), frames.len() + 1);
    for first in frames {
        if first == victim {
            assert!(matches!(archive.frame(first), Err(StoreFault::Damaged { at, .. }) if at == first.0));
            assert!(matches!(archive.frame_of(MessageId(first.0 + 1)), Err(StoreFault::Damaged { .. })));
        } else {
            assert!(whole(&*archive, first));
        }
    }
}

#[test]
fn a_damaged_log_row_is_named_by_its_position_and_the_rows_around_it_are_given() {
    let (home, frames) = settled();
    {
        let conn = slice::connect(&oldest(home.path()), Role::Writer).expect("a database");
        conn.execute("UPDATE groups SET log = zeroblob(40) WHERE seq = 4", []).expect("written");
    }
    let (_desk, _, archive) = desk(home.path());
    assert_eq!(archive.log_from(1, usize::MAX).expect("readable").len(), 3);
    assert!(matches!(archive.log_from(4, usize::MAX), Err(StoreFault::Damaged { at: 4, .. })));
    assert_eq!(archive.log_from(5, usize::MAX).expect("readable").len(), 4);
    assert!(archive.touches(frames[3]).is_err());
    assert_eq!(archive.touches(frames[4]).expect("readable").len(), 1);
}

#[test]
fn a_damaged_head_is_restored_from_the_body_and_named() {
    let (home, frames) = settled();
    {
        let conn = slice::connect(&oldest(home.path()), Role::Writer).expect("a database");
        conn.execute("UPDATE frames SET count = 9 WHERE first = ?", [slice::sql(frames[2].0)]).expect("written");
        conn.execute("UPDATE frames SET account = x'ff' WHERE first = ?", [slice::sql(frames[4].0)]).expect("written");
        conn.execute("DELETE FROM frames WHERE first = ?", [slice::sql(frames[6].0)]).expect("written");
    }
    let (desk_a, found, archive) = desk(home.path());
    assert_eq!(found.damage.len(), 3, "{:?}", found.damage);
    assert_eq!(found.open.iter().filter(|head| head.count == 200).count(), 8);
    assert_eq!(archive.frames_of_account("bank", None, 100).expect("readable").len(), 9);
    drop((desk_a, archive));
    assert!(desk(home.path()).1.damage.is_empty());
}

#[test]
fn whatever_page_of_a_slice_is_overwritten_it_opens_says_so_or_serves_all() {
    let (home, frames) = settled();
    let pages = std::fs::metadata(oldest(home.path())).expect("there").len() / PAGE_BYTES;
    assert!(pages > 10);
    for page in 0..pages {
        let bad = copy(home.path());
        let path = oldest(bad.path());
        let mut bytes = std::fs::read(&path).expect("readable");
        let from = (page * PAGE_BYTES) as usize;
        bytes[from..from + PAGE_BYTES as usize].fill(0x5A);
        std::fs::write(&path, bytes).expect("written");
        let (mut desk_b, found, archive) = desk(bad.path());
        let lost = frames.iter().filter(|first| !matches!(archive.frame(**first), Ok(Some(_)))).count();
        assert!(
            lost == 0 || !found.damage.is_empty() || frames.iter().any(|first| archive.frame(*first).is_err()),
            "page {page}: silent loss"
        );
        // The newer slice is whole.
        assert!(found.last_seq >= 9, "page {page}");
        desk_b.frame("bank", None, 1, 7);
        desk_b.commit();
    }
}

#[test]
fn a_file_that_is_no_database_is_set_aside_and_named() {
    let (home, _) = settled();
    let path = oldest(home.path());
    std::fs::write(&path, b"no database at all").expect("written");
    std::fs::write(home.path().join("meta.db"), vec![7; 9_000]).expect("written");
    let (mut desk_a, found, archive) = desk(home.path());
    assert_eq!(found.damage.len(), 2, "{:?}", found.damage);
    assert!(slice::beside(&path, ".quarantine").exists() && !path.exists());
    assert_eq!((found.last_seq, found.open.len()), (9, 1));
    assert_eq!(archive.notes("").expect("readable").len(), 0);
    desk_a.group.notes = vec![("note".into(), Some(vec![2]))];
    desk_a.frame("bank", None, 1, 7);
    desk_a.commit();
    drop(desk_a);
    assert!(desk(home.path()).1.damage.is_empty());
}

#[test]
fn a_bulk_whose_row_was_in_a_damaged_slice_is_not_cut() {
    let home = dir();
    let bulk = BatchId(990);
    let (mut desk_a, _, _) = desk(home.path());
    let first = desk_a.frame("bank", Some(bulk), 10, 7);
    desk_a.commit();
    let early = oldest(home.path());
    desk_a.wait(2 * HOUR);
    desk_a.complete(bulk, "bank");
    desk_a.commit();
    drop(desk_a);
    for entry in std::fs::read_dir(home.path()).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with("slice-") && name.ends_with(".db") && path != early {
            std::fs::write(&path, b"overwritten").expect("written");
        }
    }
    let (_desk, found, archive) = desk(home.path());
    assert_eq!(found.open.iter().map(|head| head.first).collect::<Vec<_>>(), [first]);
    assert_eq!(found.damage.len(), 2, "{:?}", found.damage);
    assert!(archive.frame_of(first).expect("readable").is_some());
}

#[test]
fn a_second_process_is_refused_while_the_first_lives() {
    let home = dir();
    let first = Sqlite::open(options(home.path())).expect("free");
    assert!(matches!(Sqlite::open(options(home.path())), Err(StoreFault::Broken(_))));
    drop(first);
    assert!(Sqlite::open(options(home.path())).is_ok());
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_changed() {
    let (home, _) = settled();
    let path = oldest(home.path());
    let conn = slice::connect(&path, Role::Writer).expect("a database");
    conn.execute("UPDATE format SET version = 9", []).expect("written");
    drop(conn);
    let refused = Sqlite::open(options(home.path())).expect("free").recover();
    assert!(matches!(refused, Err(StoreFault::TooNew { version: 9, known: 2, .. })));
    assert!(path.exists());
}

#[test]
fn a_slice_of_the_format_before_is_read_and_written_on() {
    let (home, _) = settled();
    let path = oldest(home.path());
    let mut paths: Vec<_> = std::fs::read_dir(home.path()).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "db"));
    assert!(paths.contains(&path) && paths.len() > 2);
    for path in &paths {
        let conn = slice::connect(path, Role::Writer).expect("a database");
        if !path.ends_with("meta.db") && !path.ends_with("consent.db") {
            conn.execute_batch("ALTER TABLE frames DROP COLUMN due; ALTER TABLE frames DROP COLUMN why").expect("as it was");
        }
        conn.execute("UPDATE format SET version = 1", []).expect("written");
    }
    let (mut desk_a, found, _) = desk(home.path());
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    assert_eq!((found.last_seq, found.open.iter().all(|head| head.due == Time(0))), (9, true));
    let before = found.open.len();
    desk_a.due = (Time(9_000_000_000_000), 13);
    let first = desk_a.frame("bank", None, 1, 7);
    desk_a.commit();
    drop(desk_a);
    let (_desk, found, _) = desk(home.path());
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    let heads: Vec<_> = found.open.iter().filter(|head| head.due != Time(0)).map(|head| (head.first, head.due, head.why)).collect();
    assert_eq!((heads, found.open.len()), (vec![(first, Time(9_000_000_000_000), 13)], before + 1));
}

#[test]
fn a_full_disk_refuses_the_group_whole_and_the_same_handle_goes_on() {
    let home = dir();
    let mut journal = Sqlite::open(options(home.path())).expect("free");
    let found = journal.recover().expect("empty");
    assert_eq!(found.last_seq, 0);
    let archive = journal.archive();
    let (mut desk, _) =
        (Desk { journal: Box::new(Nobody), group: Default::default(), id: 1_000, now: Time(1_764_576_000_000), due: (Time(0), 0) }, ());
    desk.group.seq = 1;
    desk.group.at = desk.now;
    let first = desk.frame("bank", None, 100, 7);
    journal.commit(&desk.group).expect("room");
    let bulk = BatchId(990);
    let mut refused = crate::storage::port::Group { seq: 2, at: desk.now, ..Default::default() };
    std::mem::swap(&mut refused, &mut desk.group);
    desk.group.frames.clear();
    let staged = desk.frame("bank", Some(bulk), 3_000, 7);
    desk.log("events", &[first]);
    desk.group.notes = vec![("cursor".into(), Some(vec![1]))];
    let pages: u32 = journal.pragma("PRAGMA page_count");
    journal.pragma::<u32>(&format!("PRAGMA max_page_count={pages}"));
    for _ in 0..3 {
        assert!(matches!(journal.commit(&desk.group), Err(StoreFault::Full)));
        assert!(archive.frame(staged).expect("readable").is_none());
        assert_eq!(archive.log_from(2, 100).expect("readable").len(), 0);
        assert_eq!(archive.notes("").expect("readable").len(), 0);
        assert!(archive.frame(first).expect("readable").is_some());
    }
    journal.pragma::<u32>("PRAGMA max_page_count=1000000");
    journal.commit(&desk.group).expect("room again");
    assert!(archive.frame(staged).expect("readable").is_some());
    assert_eq!(archive.notes("").expect("readable").len(), 1);
    drop(journal);
    let (_, found, _) = self::desk(home.path());
    assert_eq!((found.last_seq, found.open.len()), (2, 1));
}

/// A file system of some MiB of its own, gone with the value.
struct Small(TempDir);

impl Small {
    fn new(size: &str) -> Option<Small> {
        let dir = dir();
        let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|done| done.status.success()).then_some(Small(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn on_a_full_file_system_the_reserve_gives_room_and_a_restart_succeeds() {
    let Some(small) = Small::new("size=24m") else {
        eprintln!("skipped: mounting a small file system is not permitted here");
        return;
    };
    let options = || Options { reserve_bytes: 2 << 20, ..options(small.0.path()) };
    let (mut desk, _) = Desk::new(Box::new(Sqlite::open(options()).expect("free")));
    let ballast = small.0.path().join("ballast");
    let mut taken = std::fs::File::create(&ballast).expect("room");
    std::io::Write::write_all(&mut taken, &vec![1; 12 << 20]).expect("room");
    let noise: Vec<u8> = (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let mut frames = Vec::new();
    let refused = loop {
        frames.push(desk.frame("bank", None, 100, 7));
        desk.group.log.clone_from(&noise);
        match desk.try_commit() {
            Ok(_) => {}
            Err(fault) => break fault,
        }
    };
    assert!(matches!(refused, StoreFault::Full), "{refused}");
    frames.pop();
    assert!(frames.len() > 3);
    // What is left is taken by somebody else.
    while std::io::Write::write_all(&mut taken, &[1; 4_096]).is_ok() {}
    desk.group.frames.clear();
    // Events still fit into what the log took before; then they do not.
    let refused = loop {
        desk.group.log = b"an event".to_vec();
        if let Err(fault) = desk.try_commit() {
            break fault;
        }
    };
    assert!(matches!(refused, StoreFault::Full), "{refused}");
    assert!(desk.journal.release_reserve());
    let told = desk.commit();
    desk.journal.restore_reserve();
    drop(desk);
    while std::io::Write::write_all(&mut taken, &[1; 4_096]).is_ok() {}
    let (mut desk, found) = Desk::new(Box::new(Sqlite::open(options()).expect("free")));
    assert_eq!((found.last_seq, found.open.len()), (told, frames.len()));
    let archive = desk.journal.archive();
    assert!(frames.iter().all(|first| whole(&*archive, *first)));
    drop(taken);
    std::fs::remove_file(&ballast).expect("there");
    desk.frame("bank", None, 100, 7);
    desk.commit();
    desk.journal.upkeep(Time(0), 0).expect("room again");
}

/// Stands where no journal is needed.
struct Nobody;

impl Journal for Nobody {
    fn recover(&mut self) -> Result<Recovered, StoreFault> {
        Ok(Recovered::default())
    }
    fn commit(&mut self, _: &crate::storage::port::Group) -> Result<(), StoreFault> {
        Ok(())
    }
    fn release_reserve(&mut self) -> bool {
        false
    }
    fn restore_reserve(&mut self) {}
    fn upkeep(&mut self, _: Time, _: u64) -> Result<usize, StoreFault> {
        Ok(0)
    }
    fn rewrite(&mut self, _: &crate::storage::Rewrite) -> Result<(), StoreFault> {
        Ok(())
    }
    fn seclude(&mut self) -> Result<crate::storage::Scrubbed, StoreFault> {
        Ok(crate::storage::Scrubbed::Clean)
    }
    fn archive(&self) -> Arc<dyn Archive> {
        unreachable!("not asked for")
    }
}

#[test]
fn search_over_runs_tail_and_a_late_bulk_survives_restarts() {
    let home = dir();
    let bulk = BatchId(990);
    let mut filed: HashMap<u64, Vec<u64>> = HashMap::new();
    let (mut desk_a, _, _) = desk(home.path());
    let late = desk_a.frame("bank", Some(bulk), 500, 3);
    filed.entry(3).or_default().extend(late.0..late.0 + 500);
    desk_a.commit();
    let frames = RUN_MESSAGES / 4_000 * 5 / 2;
    for round in 0..frames as u64 {
        let key = 10_000 * (round % 9);
        let first = desk_a.frame("bank", None, 4_000, key);
        desk_a.group.frames[0].references.clear();
        filed.entry(key).or_default().extend(first.0..first.0 + 4_000);
        desk_a.commit();
        if round % 30 == 29 {
            desk_a.wait(HOUR);
        }
    }
    desk_a.complete(bulk, "bank");
    desk_a.commit();
    let mut archive = desk_a.journal.archive();
    for round in 0..3 {
        for (key, ids) in &filed {
            let limit = if round == 0 { 100_000 } else { 1_001 };
            let found = archive.search(*key, None, limit).expect("readable");
            let expected = ids.iter().rev().filter(|_| *key != 0).take(limit).map(|id| MessageId(*id));
            assert_eq!(found, expected.collect::<Vec<_>>(), "key {key}, round {round}");
            let before = ids[ids.len() / 2];
            let found = archive.search(*key, Some(MessageId(before)), 10).expect("readable");
            assert!(*key == 0 || found.iter().map(|id| id.0).eq((0..ids.len() / 2).rev().take(10).map(|at| ids[at])));
        }
        drop(desk_a);
        (desk_a, _, archive) = desk(home.path());
    }
    drop(desk_a);
}

#[test]
fn what_waits_is_found_after_the_slices_between_are_gone_but_the_one_whose_run_has_its_keys() {
    let home = dir();
    let (mut desk_a, _, _) = desk(home.path());
    let waits = desk_a.frame("bank", None, 5, 3);
    desk_a.commit();
    let (mut firsts, mut slices) = (Vec::new(), 0);
    for _ in 0..4 {
        desk_a.wait(30 * HOUR);
        slices += 1;
        for _ in 0..RUN_MESSAGES / 4_000 / 2 {
            firsts.push(desk_a.frame("bank", None, 4_000, 10_000));
            desk_a.group.frames[0].references.clear();
            desk_a.commit();
        }
    }
    desk_a.wait(30 * HOUR);
    slices += 1;
    firsts.iter().for_each(|first| desk_a.close(*first, None));
    desk_a.commit();
    // Their ends are old, too, when a day has passed.
    desk_a.wait(30 * HOUR);
    desk_a.log("later", &[]);
    desk_a.commit();
    let (before, told) = (Time(desk_a.now.0 - HOUR), u64::MAX);
    let removed = desk_a.journal.upkeep(before, told).expect("upkeep");
    assert!((1..slices).contains(&removed), "{removed} of {slices}");
    let mut archive = desk_a.journal.archive();
    for round in 0..2 {
        assert_eq!(archive.search(3, None, 9).expect("readable").len(), 5, "round {round}");
        assert!(archive.frame(waits).expect("readable").is_some());
        drop(desk_a);
        (desk_a, _, archive) = desk(home.path());
    }
    // When it is over, the slice with the run goes too.
    desk_a.close(waits, None);
    desk_a.commit();
    desk_a.wait(30 * HOUR);
    desk_a.log("later", &[]);
    desk_a.commit();
    assert!(desk_a.journal.upkeep(Time(desk_a.now.0 - HOUR), told).expect("upkeep") >= 2);
}

#[test]
fn the_log_is_emptied_by_commits_alone_and_by_the_checkpoint_thread() {
    let home = dir();
    let mut journal = Sqlite::open(Options { slice: crate::base::Span::secs(360_000), ..options(home.path()) }).expect("free");
    let mut turn = journal.checkpointer();
    let (mut desk, _) = Desk::new(Box::new(Nobody));
    journal.recover().expect("empty");
    let noise: Vec<u8> = {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..1 << 20).map(|_| next()).collect()
    };
    for seq in 1..=260 {
        desk.group.seq = seq;
        desk.group.log.clone_from(&noise);
        journal.commit(&desk.group).expect("room");
        if seq == 130 {
            let log = std::fs::metadata(only(home.path(), "-wal")).expect("there").len();
            assert!(log < 140 << 20, "{log}: commits alone");
        }
        if seq > 130 {
            turn();
        }
    }
    let log = std::fs::metadata(only(home.path(), "-wal")).expect("there").len();
    assert!(log < 140 << 20, "{log}: with the thread");
    assert_eq!(journal.archive().log_from(1, usize::MAX).expect("readable").len(), 260);
}
