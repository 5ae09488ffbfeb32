//! What every backend must do with rows of people, and what the files do when a crash or damage comes between.

use crate::base::Time;
use crate::storage::desk::Desk;
use crate::storage::memory::Memory;
use crate::storage::people::{Origin, PersonChange, Preference, Suppression, SuppressionKey};
use crate::storage::port::{Archive, Journal, StoreFault};
use crate::storage::spent::Spent;
use crate::storage::sqlite::{Options, Sqlite};
use std::path::Path;
use std::sync::Arc;

fn row(account: &str, number: u64, origin: Origin, scope: &str, classes: u8) -> Suppression {
    let key = SuppressionKey { account: account.into(), number, origin, scope: scope.into() };
    Suppression { key, classes, source: "sms".into(), reason: "STOP".into(), since: Time(number as i64) }
}

fn preference(number: u64, zone: &str) -> Preference {
    Preference { account: "shop".into(), number, cap: (2, 86_400), zone: zone.into(), locale: "fr".into(), since: Time(1) }
}

/// Runs a case on both backends; what it is given begins a process on the same disk again.
fn on_all(case: fn(&mut dyn FnMut() -> Box<dyn Journal>)) {
    let mut memory = Memory::new();
    case(&mut || {
        memory = memory.reopen();
        Box::new(memory.clone())
    });
    let home = tempfile::tempdir().expect("a directory");
    case(&mut || Box::new(open(home.path())));
}

fn open(at: &Path) -> Sqlite {
    Sqlite::open(Options { reserve_bytes: 0, ..Options::new(at) }).expect("free")
}

fn stops(archive: &dyn Archive) -> Vec<Suppression> {
    archive.suppressions(None, 1_000).expect("readable")
}

#[test]
fn what_is_said_of_a_recipient_is_kept_over_restarts_and_slices_until_it_is_taken_back() {
    on_all(|begin| {
        let (mut desk, _) = Desk::new(begin());
        let mine = row("shop", 33_612_345_678, Origin::Recipient, "all", 12);
        let theirs = row("shop", 33_612_345_678, Origin::Customer, "all", 15);
        let other = row("bank", 33_612_345_678, Origin::Customer, "channel:sms", 15);
        desk.group.people = [&mine, &theirs, &other].map(|row| PersonChange::Suppress(row.clone())).to_vec();
        desk.group.people.push(PersonChange::Prefer(preference(7_000_000, "Europe/Paris")));
        desk.group.people.push(PersonChange::Prefer(preference(8_000_000, "Asia/Tokyo")));
        desk.commit();
        // Said again, and more: the first instant stays.
        let again = Suppression { classes: 2, since: Time(1), ..mine.clone() };
        desk.group.people = vec![PersonChange::Suppress(again), PersonChange::Forget { account: "shop".into(), number: 8_000_000 }];
        desk.commit();
        let joined = Suppression { classes: 14, ..mine.clone() };
        for _ in 0..2 {
            let archive = desk.journal.archive();
            assert_eq!(stops(&*archive), [other.clone(), joined.clone(), theirs.clone()]);
            assert_eq!(archive.suppressions(Some(&other.key), 1).expect("readable"), std::slice::from_ref(&joined));
            assert_eq!(archive.suppressions(Some(&theirs.key), 9).expect("readable"), []);
            assert_eq!(archive.preferences(None, 9).expect("readable"), [preference(7_000_000, "Europe/Paris")]);
            assert_eq!(archive.preferences(Some(("shop", 7_000_000)), 9).expect("readable"), []);
            drop((archive, desk));
            let found;
            (desk, found) = Desk::new(begin());
            assert!(!found.people_lost && found.damage.is_empty(), "{found:?}");
        }
        // Retention removes slices and none of this.
        desk.wait(2 * 3_600_000);
        desk.frame("shop", None, 1, 9);
        desk.commit();
        assert_eq!(desk.journal.upkeep(Time(i64::MAX), u64::MAX).expect("upkeep"), 1);
        desk.group.people = vec![PersonChange::Lift(mine.key.clone()), PersonChange::Lift(mine.key.clone())];
        desk.commit();
        assert_eq!(stops(&*desk.journal.archive()), [other, theirs]);
    });
}

#[test]
fn a_commit_that_was_cut_off_before_the_rows_were_written_is_caught_up_with_at_the_next_start() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut desk, _) = Desk::new(Box::new(open(home.path())));
    let first = row("shop", 33_612_345_678, Origin::Recipient, "all", 12);
    desk.group.people = vec![PersonChange::Suppress(first.clone())];
    desk.commit();
    drop(desk);
    // As if the process had ended between the slice's commit and the rows.
    let conn = rusqlite::Connection::open(home.path().join("consent.db")).expect("a database");
    conn.execute_batch("DELETE FROM suppressions; UPDATE applied SET seq = 0;").expect("written");
    drop(conn);
    let (desk, found) = Desk::new(Box::new(open(home.path())));
    assert!(!found.people_lost);
    assert_eq!(stops(&*desk.journal.archive()), [first]);
}

#[test]
fn opt_outs_that_cannot_be_read_are_told_as_lost_and_stay_so() {
    let lose: [fn(&Path); 2] =
        [|file| std::fs::remove_file(file).expect("removed"), |file| std::fs::write(file, vec![7; 8_192]).expect("written")];
    for lose in lose {
        let home = tempfile::tempdir().expect("a directory");
        let (mut desk, found) = Desk::new(Box::new(open(home.path())));
        assert!(!found.people_lost, "a new store has lost nothing");
        desk.group.people = vec![PersonChange::Suppress(row("shop", 33_612_345_678, Origin::Recipient, "all", 12))];
        desk.commit();
        drop(desk);
        let file = home.path().join("consent.db");
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
        lose(&file);
        for _ in 0..2 {
            let (_, found) = Desk::new(Box::new(open(home.path())));
            assert!(found.people_lost);
        }
    }
}

#[test]
fn a_row_that_was_changed_on_disk_is_damage_and_not_another_row() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut desk, _) = Desk::new(Box::new(open(home.path())));
    desk.group.people = vec![PersonChange::Suppress(row("shop", 33_612_345_678, Origin::Recipient, "all", 12))];
    desk.commit();
    let conn = rusqlite::Connection::open(home.path().join("consent.db")).expect("a database");
    conn.execute("UPDATE suppressions SET classes = 0", []).expect("written");
    let archive: Arc<dyn Archive> = desk.journal.archive();
    assert!(matches!(archive.suppressions(None, 9), Err(StoreFault::Damaged { .. })));
}

fn spent(archive: &dyn Archive, from: i64) -> Vec<Spent> {
    let mut rows = Vec::new();
    archive.spent(Time(from), &mut |row| rows.push(row)).expect("readable");
    rows
}

#[test]
fn what_was_spent_is_kept_over_restarts_with_its_slice_and_gone_with_it() {
    on_all(|begin| {
        let (mut desk, _) = Desk::new(begin());
        let row = |n: u32| Spent { key: u64::MAX - u64::from(n), stamp: n };
        assert_eq!(spent(&*desk.journal.archive(), i64::MIN), []);
        desk.log("a lease", &[]);
        desk.group.spent = vec![row(1), row(2)];
        desk.commit();
        desk.group.spent = vec![row(3)];
        desk.commit();
        let first = desk.now.0;
        desk.wait(2 * 3_600_000);
        desk.group.spent = vec![row(4)];
        desk.commit();
        for _ in 0..2 {
            assert_eq!(spent(&*desk.journal.archive(), first), [row(1), row(2), row(3), row(4)]);
            assert_eq!(spent(&*desk.journal.archive(), first + 1), [row(4)]);
            drop(desk);
            let found;
            (desk, found) = Desk::new(begin());
            assert!(!found.spent_lost && found.damage.is_empty(), "{found:?}");
        }
        assert_eq!(desk.journal.upkeep(Time(i64::MAX), u64::MAX).expect("upkeep"), 1);
        assert_eq!(spent(&*desk.journal.archive(), i64::MIN), [row(4)]);
    });
}

#[test]
fn spent_rows_that_were_changed_on_disk_are_damage_and_the_rest_is_given() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut desk, _) = Desk::new(Box::new(open(home.path())));
    for key in 1..4 {
        desk.group.spent = vec![Spent { key, stamp: 7 }];
        desk.commit();
    }
    let slice = std::fs::read_dir(home.path()).expect("a directory").filter_map(Result::ok).map(|entry| entry.path());
    let slice = slice.into_iter().find(|path| path.to_string_lossy().ends_with(".db") && path.to_string_lossy().contains("slice-"));
    let conn = rusqlite::Connection::open(slice.expect("a slice")).expect("a database");
    conn.execute("UPDATE spent SET body = zeroblob(28) WHERE seq = 2", []).expect("written");
    let mut rows = Vec::new();
    let read = desk.journal.archive().spent(Time(0), &mut |row| rows.push(row.key));
    assert!(matches!(read, Err(StoreFault::Damaged { at: 2, .. })), "{read:?}");
    assert_eq!(rows, [1, 3]);
}
