//! `consent.db`: who has opted out and what recipients prefer, for as long as the gateway lives, in ordinary rows, each
//! under a checksum.
//!
//! A change is first a blob in the slice, in the transaction of the commit that brings it, and so as durable as the
//! event beside it; then it is applied here, with the position it comes from. What a crash leaves between the two is
//! applied at the next start, before anything is read. I1: a slice whose changes are not applied is not removed.
//! I2: rows that cannot be read are never taken for none: the loss is marked, and stays marked.

use crate::base::Time;
use crate::storage::people::{Origin, PersonChange, Preference, Suppression, SuppressionKey, read_changes, write_changes};
use crate::storage::port::StoreFault;
use crate::storage::sqlite::codec::{self, Kind, Sealer};
use crate::storage::sqlite::slice::{self, Role, Slice, Unfit};
use crate::storage::sqlite::store::Trouble;
use rusqlite::{Connection, OptionalExtension, Row};
use std::path::Path;
use std::sync::Arc;

/// In each slice.
const IN_SLICE: &str = "CREATE TABLE IF NOT EXISTS people(seq INTEGER PRIMARY KEY, body BLOB)";
/// In `meta.db`, once there is a `consent.db`: without it a file that has vanished would be one that never was.
const IN_META: &str = "CREATE TABLE IF NOT EXISTS people(is_kept INTEGER)";
const SCHEMA: &str = "
    CREATE TABLE suppressions(account TEXT, number INTEGER, origin INTEGER, scope TEXT, classes INTEGER, source TEXT,
        reason TEXT, since INTEGER, crc INTEGER, PRIMARY KEY(account, number, origin, scope)) WITHOUT ROWID;
    CREATE TABLE preferences(account TEXT, number INTEGER, cap_count INTEGER, cap_seconds INTEGER, zone TEXT, locale TEXT,
        since INTEGER, crc INTEGER, PRIMARY KEY(account, number)) WITHOUT ROWID;
    CREATE TABLE applied(id INTEGER PRIMARY KEY, seq INTEGER, is_lost INTEGER);
    INSERT INTO applied VALUES (1, 0, 0);
    CREATE TABLE format(version INTEGER NOT NULL);";

/// Rows after which the log of `consent.db` is moved into the file: a row of a list in no order may touch a page of its own,
/// so this is some eight MiB, and some tens of milliseconds.
const LOG_ROWS_MAX: usize = 2_000;

/// The rows, writer's side.
pub(super) struct People {
    conn: Connection,
    /// Changes that are in their slices and not here yet: the disk was full.
    behind: Vec<(u64, Vec<PersonChange>)>,
    /// Rows written since the log was moved.
    rows: usize,
}

impl People {
    pub(super) const fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Takes rows away without a word of it in any log; `is_behind` must be false.
    pub(super) fn remove(&self, changes: &[PersonChange]) -> Result<(), StoreFault> {
        apply(&self.conn, 0, changes)
    }

    /// Whether a slice has the only copy of something.
    pub(super) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Takes the changes of a commit.
    pub(super) fn take(&mut self, seq: u64, changes: &[PersonChange]) -> Result<(), StoreFault> {
        self.behind.push((seq, changes.to_vec()));
        self.catch_up()
    }

    /// Applies what is committed. On a full disk the rest waits: it is durable in its slice.
    pub(super) fn catch_up(&mut self) -> Result<(), StoreFault> {
        while let Some((seq, changes)) = self.behind.first() {
            match apply(&self.conn, *seq, changes) {
                Ok(()) => {
                    self.rows += changes.len();
                    self.behind.remove(0);
                }
                Err(StoreFault::Full) => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
        if self.rows >= LOG_ROWS_MAX {
            self.rows = 0;
            slice::checkpoint(&self.conn, "PASSIVE").map_err(|error| slice::write_fault(&error))?;
        }
        Ok(())
    }
}

/// What a start finds.
pub(super) struct Opened {
    pub(super) people: People,
    /// Rows are gone or unreadable, now or at an earlier start.
    pub(super) is_lost: bool,
}

/// Opens the file, or makes it; applies what the slices hold and it does not. Damage is named in `damage`.
pub(super) fn open(dir: &Path, meta: &Connection, slices: &[Arc<Slice>], damage: &mut Vec<String>) -> Result<Opened, StoreFault> {
    let path = dir.join("consent.db");
    let was_kept = has_table(meta).map_err(|error| slice::write_fault(&error))?;
    let mut is_lost = false;
    if path.exists() {
        if let Some(why) = unreadable(&path)? {
            slice::set_aside(&path);
            damage.push(format!("consent.db: cannot be read ({why}); renamed to consent.db.quarantine, opt-outs are lost"));
            is_lost = true;
        }
    } else if was_kept {
        damage.push("consent.db is gone: opt-outs are lost".to_owned());
        is_lost = true;
    }
    if !path.exists() {
        slice::create_database(dir, &path, SCHEMA)?;
    }
    let conn = slice::connect(&path, Role::Writer).map_err(|error| slice::write_fault(&error))?;
    let read = (|| {
        if is_lost {
            conn.execute("UPDATE applied SET is_lost = 1", [])?;
        }
        meta.execute_batch(IN_META)?;
        conn.query_row("SELECT seq, is_lost FROM applied", [], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, bool>(1)?)))
    })();
    let (applied, mut is_lost) = read.map_err(|error| slice::write_fault(&error))?;
    for slice in slices {
        is_lost |= !catch_up(&conn, slice, applied, damage)?;
    }
    Ok(Opened { people: People { conn, behind: Vec::new(), rows: 0 }, is_lost })
}

/// Why the file cannot be read, if so: every page is looked at, so that no later write stumbles over one.
fn unreadable(path: &Path) -> Result<Option<String>, StoreFault> {
    let read = slice::connect(path, Role::Writer).map_err(slice::unfit).and_then(|conn| {
        slice::check_version(&conn, "consent.db")?;
        let count = |table: &str| conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        ["suppressions", "preferences", "applied"].into_iter().try_for_each(|table| count(table).map(|_| ())).map_err(slice::unfit)
    });
    match read {
        Ok(()) => Ok(None),
        Err(Unfit::Unreadable(why)) => Ok(Some(why)),
        Err(Unfit::Fault(fault)) => Err(fault),
    }
}

pub(super) fn has_table(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'people'", [], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

/// Applies a slice's changes after `applied`; `false` when some cannot be read.
fn catch_up(conn: &Connection, slice: &Slice, applied: u64, damage: &mut Vec<String>) -> Result<bool, StoreFault> {
    let mut is_whole = true;
    let read = (|| {
        let from = slice::connect(&slice.path, Role::Reader)?;
        if !has_table(&from)? {
            return Ok(Vec::new());
        }
        let mut statement = from.prepare("SELECT seq, body FROM people WHERE seq > ? ORDER BY seq")?;
        let mut rows = statement.query([slice::sql(applied)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let seq = row.get::<_, i64>(0)? as u64;
            let blob = row.get_ref(1)?.as_blob().unwrap_or_default();
            match codec::open(Kind::People, seq, blob).and_then(|raw| read_changes(&raw)) {
                Some(changes) => found.push((seq, changes)),
                None => {
                    is_whole = false;
                    damage.push(format!("{}: commit {seq}: opt-outs are damaged", slice.name));
                }
            }
        }
        Ok::<_, rusqlite::Error>(found)
    })();
    match read {
        Ok(found) => found.iter().try_for_each(|(seq, changes)| apply(conn, *seq, changes))?,
        Err(error) => {
            is_whole = false;
            damage.push(format!("{}: opt-outs: {error}", slice.name));
        }
    }
    if !is_whole {
        conn.execute("UPDATE applied SET is_lost = 1", []).map_err(|error| slice::write_fault(&error))?;
    }
    Ok(is_whole)
}

/// Writes a commit's changes beside its events, inside the caller's transaction.
pub(super) fn write(conn: &Connection, sealer: &mut Sealer, seq: u64, changes: &[PersonChange]) -> rusqlite::Result<u64> {
    if changes.is_empty() {
        return Ok(0);
    }
    // Slices made by an earlier version have no such table.
    conn.prepare_cached(IN_SLICE)?.execute([])?;
    let blob = sealer.seal(Kind::People, seq, &[], &write_changes(changes));
    conn.prepare_cached("INSERT INTO people VALUES (?, ?)")?.execute((slice::sql(seq), blob))?;
    Ok(blob.len() as u64)
}

/// Applies a commit's changes, in one transaction of their own.
fn apply(conn: &Connection, seq: u64, changes: &[PersonChange]) -> Result<(), StoreFault> {
    let write = || {
        let transaction = conn.unchecked_transaction()?;
        for change in changes {
            apply_one(&transaction, change)?;
        }
        transaction.prepare_cached("UPDATE applied SET seq = max(seq, ?)")?.execute([slice::sql(seq)])?;
        transaction.commit()
    };
    write().map_err(|error: rusqlite::Error| slice::write_fault(&error))
}

fn apply_one(conn: &Connection, change: &PersonChange) -> rusqlite::Result<()> {
    match change {
        PersonChange::Suppress(row) => {
            let before = if row.key.origin == Origin::Recipient { find(conn, &row.key)? } else { None };
            let row = row.clone().after(before.as_ref());
            let crc = suppression_crc(&row);
            let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO suppressions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
            let Suppression { key, classes, source, reason, since } = &row;
            insert.execute((&key.account, slice::sql(key.number), key.origin as u8, &key.scope, classes, source, reason, since.0, crc))?;
        }
        PersonChange::Lift(key) => {
            let mut delete =
                conn.prepare_cached("DELETE FROM suppressions WHERE account = ? AND number = ? AND origin = ? AND scope = ?")?;
            delete.execute((&key.account, slice::sql(key.number), key.origin as u8, &key.scope))?;
        }
        PersonChange::Prefer(one) => {
            let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO preferences VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?;
            let (count, seconds) = one.cap;
            let crc = preference_crc(one);
            insert.execute((&one.account, slice::sql(one.number), count, seconds, &one.zone, &one.locale, one.since.0, crc))?;
        }
        PersonChange::Forget { account, number } => {
            conn.prepare_cached("DELETE FROM preferences WHERE account = ? AND number = ?")?.execute((account, slice::sql(*number)))?;
        }
    }
    Ok(())
}

/// A row; one that is damaged is written anew.
fn find(conn: &Connection, key: &SuppressionKey) -> rusqlite::Result<Option<Suppression>> {
    let mut find = conn.prepare_cached(&format!("{SUPPRESSION} WHERE account = ? AND number = ? AND origin = ? AND scope = ?"))?;
    let found = find.query_row((&key.account, slice::sql(key.number), key.origin as u8, &key.scope), |row| Ok(suppression(row).ok()));
    Ok(found.optional()?.flatten())
}

const SUPPRESSION: &str = "SELECT account, number, origin, scope, classes, source, reason, since, crc FROM suppressions";
const PREFERENCE: &str = "SELECT account, number, cap_count, cap_seconds, zone, locale, since, crc FROM preferences";

/// See `Archive::suppressions`.
pub(super) fn suppressions(conn: &Connection, after: Option<&SuppressionKey>, limit: usize) -> Result<Vec<Suppression>, Trouble> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let order = "ORDER BY account, number, origin, scope LIMIT ?";
    let mut take = |rows: &mut rusqlite::Rows<'_>| {
        while let Some(row) = rows.next()? {
            found.push(suppression(row)?);
        }
        Ok::<_, Trouble>(())
    };
    match after {
        None => take(&mut conn.prepare_cached(&format!("{SUPPRESSION} {order}"))?.query([limit])?)?,
        Some(key) => {
            let sql = format!("{SUPPRESSION} WHERE (account, number, origin, scope) > (?, ?, ?, ?) {order}");
            let values = (&key.account, slice::sql(key.number), key.origin as u8, &key.scope, limit);
            take(&mut conn.prepare_cached(&sql)?.query(values)?)?;
        }
    }
    Ok(found)
}

/// See `Archive::preferences`.
pub(super) fn preferences(conn: &Connection, after: Option<(&str, u64)>, limit: usize) -> Result<Vec<Preference>, Trouble> {
    let (account, number) = after.map_or(("", -1), |(account, number)| (account, slice::sql(number)));
    let sql = format!("{PREFERENCE} WHERE (account, number) > (?, ?) ORDER BY account, number LIMIT ?");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query((account, number, i64::try_from(limit).unwrap_or(i64::MAX)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(preference(row)?);
    }
    Ok(found)
}

fn suppression(row: &Row<'_>) -> Result<Suppression, Trouble> {
    let number = row.get::<_, i64>(1)? as u64;
    let origin = Origin::from_number(row.get(2)?).ok_or(Trouble::Damaged(number))?;
    let key = SuppressionKey { account: row.get(0)?, number, origin, scope: row.get(3)? };
    let (classes, source, reason, since) = (row.get(4)?, row.get(5)?, row.get(6)?, Time(row.get(7)?));
    let read = Suppression { key, classes, source, reason, since };
    if row.get::<_, i64>(8)? == suppression_crc(&read) { Ok(read) } else { Err(Trouble::Damaged(0)) }
}

fn preference(row: &Row<'_>) -> Result<Preference, Trouble> {
    let number = row.get::<_, i64>(1)? as u64;
    let (account, cap, zone, locale, since) = (row.get(0)?, (row.get(2)?, row.get(3)?), row.get(4)?, row.get(5)?, Time(row.get(6)?));
    let read = Preference { account, number, cap, zone, locale, since };
    if row.get::<_, i64>(7)? == preference_crc(&read) { Ok(read) } else { Err(Trouble::Damaged(0)) }
}

fn suppression_crc(row: &Suppression) -> i64 {
    let Suppression { key, classes, source, reason, since } = row;
    let (number, marks) = (key.number.to_le_bytes(), [key.origin as u8, *classes]);
    let fields =
        [key.account.as_bytes(), &number, &marks, key.scope.as_bytes(), source.as_bytes(), reason.as_bytes(), &since.0.to_le_bytes()];
    codec::row_crc(&fields)
}

fn preference_crc(one: &Preference) -> i64 {
    let Preference { account, number, cap, zone, locale, since } = one;
    let cap = [cap.0, cap.1].map(u32::to_le_bytes).concat();
    codec::row_crc(&[account.as_bytes(), &number.to_le_bytes(), &cap, zone.as_bytes(), locale.as_bytes(), &since.0.to_le_bytes()])
}
