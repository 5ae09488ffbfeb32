//! What counts for caps, a blob a commit in the slice of its leases: as durable as they are, and gone with their slice.

use crate::storage::port::{Person, StoreFault};
use crate::storage::spent::{Spent, read_spent, write_spent};
use crate::storage::sqlite::codec::{self, Kind, Sealer};
use crate::storage::sqlite::slice::{self, Role, Slice};
use rusqlite::{Connection, OptionalExtension};

/// In each slice that has some.
const IN_SLICE: &str = "CREATE TABLE IF NOT EXISTS spent(seq INTEGER PRIMARY KEY, body BLOB)";

/// Writes a commit's rows beside its events, inside the caller's transaction.
pub(super) fn write(conn: &Connection, sealer: &mut Sealer, seq: u64, rows: &[Spent]) -> rusqlite::Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    conn.prepare_cached(IN_SLICE)?.execute([])?;
    let blob = sealer.seal(Kind::Spent, seq, &[], &write_spent(rows));
    conn.prepare_cached("INSERT INTO spent VALUES (?, ?)")?.execute((slice::sql(seq), blob))?;
    Ok(blob.len() as u64)
}

pub(super) fn has_table(conn: &Connection) -> rusqlite::Result<bool> {
    let found = conn.query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'spent'", [], |_| Ok(())).optional();
    found.map(|found| found.is_some())
}

/// The blobs of a slice that take the place of those with rows of one person, by position. What is damaged stays.
pub(super) fn without(conn: &Connection, person: &Person) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut changed = Vec::new();
    if person.sends.is_empty() || !has_table(conn)? {
        return Ok(changed);
    }
    let mut sealer = Sealer::new();
    let mut statement = conn.prepare("SELECT seq, body FROM spent")?;
    let mut blobs = statement.query([])?;
    while let Some(row) = blobs.next()? {
        let seq = row.get::<_, i64>(0)?;
        let raw = codec::open(Kind::Spent, seq as u64, row.get_ref(1)?.as_blob().unwrap_or_default());
        let Some(rows) = raw.as_deref().and_then(read_spent) else { continue };
        let rows: Vec<Spent> = rows.collect();
        let kept: Vec<Spent> = rows.iter().copied().filter(|row| !person.is_sent(row)).collect();
        if kept.len() < rows.len() {
            changed.push((seq, sealer.seal(Kind::Spent, seq as u64, &[], &write_spent(&kept)).to_vec()));
        }
    }
    Ok(changed)
}

/// Gives the rows of a slice. With damage, those that are sound and can be reached are given first.
pub(super) fn read(slice: &Slice, each: &mut dyn FnMut(Spent)) -> Result<(), StoreFault> {
    let fault = |error: rusqlite::Error| slice::read_fault(&error, &slice.name);
    let conn = slice::connect(&slice.path, Role::Reader).map_err(fault)?;
    if !has_table(&conn).map_err(fault)? {
        return Ok(());
    }
    let mut damaged = None;
    let mut statement = conn.prepare("SELECT seq, body FROM spent ORDER BY seq").map_err(fault)?;
    let mut rows = statement.query([]).map_err(fault)?;
    while let Some(row) = rows.next().map_err(fault)? {
        let seq = row.get::<_, i64>(0).map_err(fault)? as u64;
        let raw = row.get_ref(1).ok().and_then(|blob| codec::open(Kind::Spent, seq, blob.as_blob().unwrap_or_default()));
        match raw.as_deref().and_then(read_spent) {
            Some(sound) => sound.for_each(&mut *each),
            None => damaged = damaged.or(Some(seq)),
        }
    }
    damaged.map_or(Ok(()), |at| Err(StoreFault::Damaged { slice: slice.name.clone(), at }))
}
