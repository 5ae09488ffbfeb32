//! Rows that take the place of others, and files without what was there before (`docs/adr/0020-erase.md`).
//!
//! In: what `Journal::rewrite` is given, one slice at a time. A slice in which rows were replaced is marked, in the same
//! transaction; the mark goes only after the file was written anew and its log emptied, so a process that is killed between
//! does that at its next turn. Here is nothing of what a record or an event means. Fails as any write does.

use crate::storage::people::{PersonChange, read_changes, write_changes};
use crate::storage::port::{Answer, Blanked, LogRow, Person, Scrubbed, StoreFault};
use crate::storage::sqlite::codec::{self, Kind, Sealer};
use crate::storage::sqlite::people;
use crate::storage::sqlite::search::{Pair, Run, RunHead, read_pairs, write_pairs};
use crate::storage::sqlite::slice::{self, Role, Slice};
use crate::storage::sqlite::spent;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashSet;

/// A slice that has this table is to be written anew by the next erasure.
pub(super) const MARK: &str = "CREATE TABLE IF NOT EXISTS scrub(is_due INTEGER)";

/// A connection on which what is removed is overwritten.
pub(super) fn connect(slice: &Slice) -> rusqlite::Result<Connection> {
    let conn = slice::connect(&slice.path, Role::Writer)?;
    conn.query_row("PRAGMA secure_delete=ON", [], |_| Ok(()))?;
    Ok(conn)
}

/// Runs a change of a slice and marks the slice, both or neither.
pub(super) fn marked(conn: &Connection, change: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = conn.execute_batch(MARK).and_then(|()| change(conn)).and_then(|()| conn.execute_batch("COMMIT"));
    if done.is_err() && !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    done
}

/// Whether a slice is marked, or holds changes of people or sends that counted: each wants a closer look.
pub(super) fn wants_scrub(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(is_marked(conn)? || people::has_table(conn)? || spent::has_table(conn)?)
}

fn is_marked(conn: &Connection) -> rusqlite::Result<bool> {
    let found = conn.query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'scrub'", [], |_| Ok(())).optional();
    found.map(|found| found.is_some())
}

/// Frames of this slice, and the search keys their commits keep.
pub(super) fn frames(conn: &Connection, sealer: &mut Sealer, frames: &[&Blanked]) -> rusqlite::Result<()> {
    let mut head = Vec::new();
    for Blanked { frame, ordinals } in frames {
        let (first, seq) = (frame.head.first.0, frame.head.seq);
        head.clear();
        codec::write_head(&frame.head, &mut head);
        let blob = sealer.seal(Kind::Frame, first, &head, &frame.body);
        conn.prepare_cached("UPDATE bodies SET body = ? WHERE first = ?")?.execute((blob, slice::sql(first)))?;
        let keys = conn.prepare_cached("SELECT keys FROM groups WHERE seq = ?")?;
        let blob = { keys }.query_row([slice::sql(seq)], |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?.flatten();
        let Some(mut raw) = blob.and_then(|blob| codec::open(Kind::Keys, seq, &blob)) else { continue };
        if codec::unfile(&mut raw, first, ordinals) == Some(true) {
            let blob = sealer.seal(Kind::Keys, seq, &[], &raw);
            conn.prepare_cached("UPDATE groups SET keys = ? WHERE seq = ?")?.execute((blob, slice::sql(seq)))?;
        }
    }
    Ok(())
}

/// Log rows of this slice.
pub(super) fn logs(conn: &Connection, sealer: &mut Sealer, rows: &[&LogRow]) -> rusqlite::Result<()> {
    for row in rows {
        let blob = sealer.seal(Kind::Log, row.seq, &[], &row.log);
        conn.prepare_cached("UPDATE groups SET log = ? WHERE seq = ? AND log IS NOT NULL")?.execute((blob, slice::sql(row.seq)))?;
    }
    Ok(())
}

/// Stored answers, whatever slice holds them.
pub(super) fn answers(conn: &Connection, rows: &[(String, String, Option<Answer>)]) -> rusqlite::Result<()> {
    for (account, key, answer) in rows {
        match answer {
            None => _ = conn.prepare_cached("DELETE FROM answers WHERE account = ? AND key = ?")?.execute((account, key))?,
            Some(Answer { request, body, until, .. }) => {
                let crc = codec::row_crc(&[account.as_bytes(), key.as_bytes(), request, &until.0.to_le_bytes(), body]);
                let sql = "UPDATE answers SET request = ?, body = ?, crc = ? WHERE account = ? AND key = ? AND until = ?";
                conn.prepare_cached(sql)?.execute((request, body, crc, account, key, until.0))?;
            }
        }
    }
    Ok(())
}

/// Whether a slice has one of these answers.
pub(super) fn has_answer(conn: &Connection, rows: &[(String, String, Option<Answer>)]) -> rusqlite::Result<bool> {
    let mut find = conn.prepare_cached("SELECT 1 FROM answers WHERE account = ? AND key = ?")?;
    for (account, key, _) in rows {
        if find.query_row((account, key), |_| Ok(())).optional()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A run without these messages, written to its slice; `None` when it has none of them.
pub(super) fn run(conn: &Connection, sealer: &mut Sealer, run: &Run, gone: &HashSet<u64>) -> rusqlite::Result<Option<RunHead>> {
    let mut head = run.head.clone();
    let mut changed: Vec<(usize, Vec<Pair>)> = Vec::new();
    for place in 0..head.firsts.len() {
        let id = head.chunk_id(place);
        let mut read = conn.prepare_cached("SELECT body FROM chunks WHERE id = ?")?;
        let blob = read.query_row([slice::sql(id)], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        // One that is damaged answers no look-up either.
        let Some(mut pairs) = blob.and_then(|blob| codec::open(Kind::RunChunk, id, &blob)).and_then(|raw| read_pairs(&raw)) else {
            continue;
        };
        let before = pairs.len();
        pairs.retain(|(_, id)| !gone.contains(id));
        if pairs.len() < before {
            changed.push((place, pairs));
        }
    }
    if changed.is_empty() {
        return Ok(None);
    }
    // From the last on: a chunk that is empty now begins where the next one does, or past the one before it.
    for (place, pairs) in changed.iter().rev() {
        let next = head.firsts.get(place + 1).copied().unwrap_or((u64::MAX, u64::MAX));
        head.firsts[*place] = pairs.first().copied().unwrap_or(next);
    }
    marked(conn, |conn| {
        let mut raw = Vec::new();
        for (place, pairs) in &changed {
            raw.clear();
            write_pairs(pairs, &mut raw);
            let id = head.chunk_id(*place);
            let blob = sealer.seal(Kind::RunChunk, id, &[], &raw);
            conn.prepare_cached("UPDATE chunks SET body = ? WHERE id = ?")?.execute((blob, slice::sql(id)))?;
        }
        let blob = sealer.seal(Kind::RunHead, head.number, &[], &head.write());
        conn.prepare_cached("UPDATE runs SET body = ? WHERE run = ?")?.execute((blob, slice::sql(head.number)))?;
        Ok(())
    })?;
    Ok(Some(head))
}

/// A slice that takes no commits: what its logs of people and of sends say of one goes, then the file is written anew if it is
/// marked.
pub(super) fn scrub(slice: &Slice, person: &Person) -> Result<Scrubbed, StoreFault> {
    let work = || {
        let conn = connect(slice)?;
        if !wants_scrub(&conn)? {
            return Ok(Scrubbed::Clean);
        }
        forget(&conn, person)?;
        if !is_marked(&conn)? {
            return Ok(Scrubbed::Clean);
        }
        // The copy that is made on the way may be as large as the slice.
        conn.execute_batch("PRAGMA temp_store=FILE; VACUUM")?;
        if slice::checkpoint(&conn, "TRUNCATE")?.pages != 0 {
            return Ok(Scrubbed::Busy);
        }
        conn.execute_batch("DROP TABLE scrub")?;
        let _ = slice::checkpoint(&conn, "TRUNCATE")?;
        Ok(Scrubbed::Clean)
    };
    match work() {
        Ok(scrubbed) => Ok(scrubbed),
        Err(error) if slice::is_busy(&error) => Ok(Scrubbed::Busy),
        Err(error) => Err(slice::read_fault(&error, &slice.name)),
    }
}

/// Rows of the logs of people and of sends without what they say of one.
fn forget(conn: &Connection, person: &Person) -> rusqlite::Result<()> {
    let (people, sends) = (without(conn, person)?, spent::without(conn, person)?);
    if people.is_empty() && sends.is_empty() {
        return Ok(());
    }
    marked(conn, |conn| {
        for (table, changed) in [("people", &people), ("spent", &sends)].into_iter().filter(|(_, changed)| !changed.is_empty()) {
            let mut update = conn.prepare(&format!("UPDATE {table} SET body = ? WHERE seq = ?"))?;
            changed.iter().try_for_each(|(seq, blob)| update.execute((blob, seq)).map(|_| ()))?;
        }
        Ok(())
    })
}

/// The blobs of the log of people that take the place of those that name one.
fn without(conn: &Connection, person: &Person) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut changed = Vec::new();
    if !people::has_table(conn)? {
        return Ok(changed);
    }
    let mut sealer = Sealer::new();
    let mut statement = conn.prepare("SELECT seq, body FROM people")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let seq = row.get::<_, i64>(0)?;
        let blob = row.get_ref(1)?.as_blob().unwrap_or_default();
        let Some(changes) = codec::open(Kind::People, seq as u64, blob).and_then(|raw| read_changes(&raw)) else { continue };
        let kept: Vec<PersonChange> = changes.iter().filter(|change| !person.is_in(change)).cloned().collect();
        if kept.len() < changes.len() {
            changed.push((seq, sealer.seal(Kind::People, seq as u64, &[], &write_changes(&kept)).to_vec()));
        }
    }
    Ok(changed)
}

/// A small database, written anew, its log emptied.
pub(super) fn whole(conn: &Connection) -> rusqlite::Result<Scrubbed> {
    conn.execute_batch("VACUUM")?;
    let state = slice::checkpoint(conn, "TRUNCATE")?;
    Ok(if state.pages == 0 { Scrubbed::Clean } else { Scrubbed::Busy })
}
