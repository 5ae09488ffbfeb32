//! One file of the store: its schema, how it is made and opened, and what is known of it without reading it.
//!
//! `slice-<13 digits of milliseconds>.db` holds what was committed from that instant on; `meta.db` holds what has
//! no time. Each group lies in one slice, so a commit is one transaction of one file. Frame ids grow with commits
//! and commits never go back to an older slice, so the slices' ranges of ids do not overlap.

use crate::base::Time;
use crate::storage::port::StoreFault;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// The version of the slices' and of `meta.db`'s schema.
pub(super) const FORMAT: u32 = 2;
/// What turns a slice of the format before into one of this: frames that wait for an instant.
const SLICE_FROM_1: &str = "ALTER TABLE frames ADD COLUMN due INTEGER; ALTER TABLE frames ADD COLUMN why INTEGER;";
/// Octets in a page of a slice. A commit writes each page it touches whole, some ten of them beside the frames: with
/// 16 KiB pages commits of 200 messages wrote 1,204 MB per million messages, with 8 KiB 772, with 4 KiB 574, for
/// 0.78, 0.72 and 0.66 CPU-seconds; reading a frame took the same.
pub(super) const PAGE_BYTES: u64 = 4_096;
/// What a connection keeps of a slice's pages: frames have a cache of their own.
const READER_CACHE_KIB: i64 = 1_024;
const WRITER_CACHE_KIB: i64 = 16_384;

const SLICE_SCHEMA: &str = "
    CREATE TABLE groups(seq INTEGER PRIMARY KEY, at INTEGER, top INTEGER, crc INTEGER, log BLOB, keys BLOB);
    CREATE TABLE frames(first INTEGER PRIMARY KEY, count INTEGER, seq INTEGER, carrier TEXT, account TEXT,
        priority INTEGER, batch INTEGER, accepted INTEGER, expires INTEGER, crc INTEGER, due INTEGER, why INTEGER);
    CREATE INDEX frames_by_account ON frames(account);
    CREATE INDEX frames_by_batch ON frames(batch) WHERE batch IS NOT NULL;
    CREATE TABLE bodies(first INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE touches(frame INTEGER, seq INTEGER, PRIMARY KEY(frame, seq)) WITHOUT ROWID;
    CREATE TABLE answers(account TEXT, key TEXT, request BLOB, until INTEGER, body BLOB, crc INTEGER,
        PRIMARY KEY(account, key));
    CREATE TABLE batches(id INTEGER PRIMARY KEY, account TEXT, at INTEGER, received INTEGER, accepted INTEGER,
        detail BLOB, crc INTEGER);
    CREATE INDEX batches_by_account ON batches(account);
    CREATE TABLE closed(frame INTEGER PRIMARY KEY, batch INTEGER, tally BLOB, crc INTEGER);
    CREATE INDEX closed_by_batch ON closed(batch) WHERE batch IS NOT NULL;
    CREATE TABLE runs(run INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE chunks(id INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE format(version INTEGER NOT NULL);";
const META_SCHEMA: &str = "
    CREATE TABLE notes(key TEXT PRIMARY KEY, body BLOB, crc INTEGER) WITHOUT ROWID;
    CREATE TABLE tip(id INTEGER PRIMARY KEY, seq INTEGER, at INTEGER);
    CREATE TABLE format(version INTEGER NOT NULL);";

/// A slice, and what is known of it. The writer alone changes the numbers; readers may see them a commit late,
/// never early, as they are set after the commit and before its caller hears of it.
pub(super) struct Slice {
    /// The instant of its first commit at the latest; unique.
    pub(super) start: i64,
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The least frame id, `u64::MAX` when there is none.
    pub(super) first_frame: AtomicU64,
    /// The greatest position, 0 when there is none.
    pub(super) last_seq: AtomicU64,
    /// The instant of the last commit.
    pub(super) last_at: AtomicI64,
    /// The greatest bulk, 0 when there is none.
    pub(super) last_batch: AtomicU64,
    /// When the last answer may be forgotten; `i64::MIN` when there is none.
    pub(super) answers_until: AtomicI64,
    /// Something was committed since the last complete checkpoint began.
    pub(super) dirty: AtomicBool,
    /// Removed by retention: a reader that still holds it finds nothing.
    pub(super) gone: AtomicBool,
}

impl Slice {
    pub(super) fn new(dir: &Path, start: i64) -> Slice {
        let name = format!("slice-{start:013}.db");
        Slice {
            start,
            path: dir.join(&name),
            name,
            first_frame: AtomicU64::new(u64::MAX),
            last_seq: AtomicU64::new(0),
            last_at: AtomicI64::new(start),
            last_batch: AtomicU64::new(0),
            answers_until: AtomicI64::new(i64::MIN),
            dirty: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// The start in a file's name, if it is a slice's.
    pub(super) fn start_in(file_name: &str) -> Option<i64> {
        let digits = file_name.strip_prefix("slice-")?.strip_suffix(".db")?;
        (digits.len() == 13 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    }

    /// Takes note of a commit.
    pub(super) fn committed(&self, seq: u64, at: Time) {
        self.last_seq.store(seq, Ordering::Release);
        self.last_at.store(at.0, Ordering::Release);
        self.dirty.store(true, Ordering::Release);
    }
}

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A slice.
    Frames,
    /// `meta.db`.
    Notes,
}

/// Who opens a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
}

/// Opens a file that exists. Nothing is checked by it but that SQLite takes it.
pub(super) fn connect(path: &Path, role: Role) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&conn, role)?;
    Ok(conn)
}

fn prepare(conn: &Connection, role: Role) -> rusqlite::Result<()> {
    // Closing must not checkpoint: a sync that failed there would be seen by nobody (INV-3).
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(64);
    let cache = if role == Role::Writer { WRITER_CACHE_KIB } else { READER_CACHE_KIB };
    conn.execute_batch(&format!(
        "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;
         PRAGMA temp_store=MEMORY; PRAGMA cache_size=-{cache}; PRAGMA query_only={};",
        if role == Role::Reader { "ON" } else { "OFF" }
    ))
}

/// Makes a new slice under another name and moves it to its place, so that a slice that exists is whole.
pub(super) fn create_slice(dir: &Path, slice: &Slice) -> Result<(), StoreFault> {
    create(dir, &slice.path, SLICE_SCHEMA).map_err(|error| write_fault(&error))
}

/// Makes `meta.db` the same way.
pub(super) fn create_meta(dir: &Path, path: &Path) -> Result<(), StoreFault> {
    create(dir, path, META_SCHEMA).map_err(|error| write_fault(&error))
}

/// Makes another database the same way.
pub(super) fn create_database(dir: &Path, path: &Path, schema: &str) -> Result<(), StoreFault> {
    create(dir, path, schema).map_err(|error| write_fault(&error))
}

/// Renames a database with its log, so that renaming it back gives the whole again.
pub(super) fn set_aside(path: &Path) {
    let aside = beside(path, ".quarantine");
    let _ = std::fs::rename(beside(path, "-wal"), beside(&aside, "-wal"));
    let _ = std::fs::rename(path, &aside);
    remove_database(path);
}

fn create(dir: &Path, path: &Path, schema: &str) -> rusqlite::Result<()> {
    let new = dir.join("new.db");
    remove_database(&new);
    let made = (|| {
        let conn = Connection::open(&new)?;
        // Its one sync is that of the whole file, below: with a sync for each step a slow disk would hold up the first commit of a
        // slice by a dozen of them.
        conn.execute_batch(&format!("PRAGMA page_size={PAGE_BYTES}; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"))?;
        conn.execute_batch(&format!("BEGIN; {schema} INSERT INTO format VALUES ({FORMAT}); COMMIT;"))?;
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        conn.close().map_err(|(_, error)| error)
    })();
    let moved = made.and_then(|()| {
        let io = |error: std::io::Error| rusqlite::Error::SqliteFailure(ffi::Error::new(io_code(&error)), Some(error.to_string()));
        // A log without its file is left from a removal that was cut short; it must not be read into this one.
        remove_database(path);
        std::fs::File::open(&new).and_then(|file| file.sync_all()).map_err(io)?;
        std::fs::rename(&new, path).map_err(io)?;
        sync_dir(dir).map_err(io)
    });
    if moved.is_err() {
        remove_database(&new);
    }
    moved
}

fn io_code(error: &std::io::Error) -> std::ffi::c_int {
    if error.kind() == std::io::ErrorKind::StorageFull { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR }
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}

/// The file, its write-ahead log and its index, in the order in which a crash between leaves no half truth: a log
/// without a file is nothing, a file without its log would be an older state.
pub(super) fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}

/// `path` with something appended to the name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What is wrong with a file that was just opened.
pub(super) enum Unfit {
    /// It cannot be read as a database of ours.
    Unreadable(String),
    /// The fault is not the file's.
    Fault(StoreFault),
}

/// Checks the version: this one, or the one before, which `upgrade` then lifts. `Ok` holds what was found.
pub(super) fn check_version(conn: &Connection, name: &str) -> Result<u32, Unfit> {
    let version = conn.query_row("SELECT version FROM format", [], |row| row.get::<_, u32>(0)).map_err(unfit)?;
    match version {
        1..=FORMAT => Ok(version),
        0 => Err(Unfit::Unreadable("no version".into())),
        version => Err(Unfit::Fault(StoreFault::TooNew { slice: name.into(), version, known: FORMAT })),
    }
}

/// Lifts a file of the format before to this one, all or nothing. No row is rewritten.
pub(super) fn upgrade(conn: &Connection, found: u32, holds: Holds) -> Result<(), Unfit> {
    if found == FORMAT {
        return Ok(());
    }
    let change = if holds == Holds::Frames { SLICE_FROM_1 } else { "" };
    conn.execute_batch(&format!("BEGIN IMMEDIATE; {change} UPDATE format SET version = {FORMAT}; COMMIT;")).map_err(|error| {
        let _ = conn.execute_batch("ROLLBACK");
        unfit(error)
    })
}

/// Sorts an error of opening.
pub(super) fn unfit(error: rusqlite::Error) -> Unfit {
    match error.sqlite_error_code() {
        // Not the content's fault: to rename the file would help nobody.
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseBusy
            | ErrorCode::DiskFull,
        ) => Unfit::Fault(write_fault(&error)),
        _ if is_full(&error) => Unfit::Fault(StoreFault::Full),
        _ => Unfit::Unreadable(error.to_string()),
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    // The index beside the log reports a full disk by a code of its own.
    let extended = error.sqlite_error().map_or(0, |e| e.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || extended == ffi::SQLITE_IOERR_SHMSIZE
}

/// Whether the file's content, not the disk, is the trouble.
pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether another connection was at the file for too long.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// What a failed write means.
pub(super) fn write_fault(error: &rusqlite::Error) -> StoreFault {
    if is_full(error) { StoreFault::Full } else { StoreFault::Broken(error.to_string()) }
}

/// What a failed read means: pages that cannot be read are damage, anything else is not the content's fault.
pub(super) fn read_fault(error: &rusqlite::Error, slice: &str) -> StoreFault {
    let value_of_another_type = error.sqlite_error().is_none();
    if is_corrupt(error) || value_of_another_type || error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
        return StoreFault::Damaged { slice: slice.into(), at: 0 };
    }
    write_fault(error)
}

/// How far the write-ahead log is: pages in it, and how many of them are in the file as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WalState {
    pub(super) pages: u64,
    pub(super) done: u64,
}

/// Moves what it can without waiting for anybody (`PASSIVE`), empties the log if nobody reads it (`TRUNCATE`), or
/// only looks (`NOOP`).
pub(super) fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<WalState> {
    let sql = match mode {
        "PASSIVE" => "PRAGMA wal_checkpoint(PASSIVE)",
        "TRUNCATE" => "PRAGMA wal_checkpoint(TRUNCATE)",
        _ => "PRAGMA wal_checkpoint(NOOP)",
    };
    let state = conn.prepare_cached(sql)?.query_row([], |row| {
        let (pages, done) = (row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
        Ok(WalState { pages: pages.max(0) as u64, done: done.max(0) as u64 })
    });
    match state {
        // Another checkpoint is at work: it does what this one would.
        Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {
            Ok(WalState { pages: u64::MAX, done: 0 })
        }
        other => other,
    }
}

/// An id or position as SQLite holds it; those above the signed range are in no file.
pub(super) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slices_own_name_is_taken_for_one() {
        assert_eq!(Slice::start_in(&Slice::new(Path::new("/"), 1_764_576_000_123).name), Some(1_764_576_000_123));
        for name in ["slice-1.db", "slice-0000000000001.db-wal", "slice-0000000000001.db.quarantine", "meta.db", "slice-00000000000+1.db"] {
            assert_eq!(Slice::start_in(name), None, "{name}");
        }
    }
}
