//! Which slices go. One stays while a frame of its own is open, be it for years; and those after it say things of its
//! frames: that one has ended, that a bulk is complete, what happened to a message, under which key it is found. Before
//! a slice goes, the frames it says the end of go too (their time is over), their ends and the rows of bulks are written
//! to where they were; and a slice that knows more of a frame stays with it.

use super::Sqlite;
use crate::base::Time;
use crate::storage::port::StoreFault;
use crate::storage::sqlite::erase;
use crate::storage::sqlite::follow::finds_open;
use crate::storage::sqlite::people::People;
use crate::storage::sqlite::slice::{self, Role, Slice};
use rusqlite::Connection;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Sqlite {
    /// Removes the slices whose last commit was before this instant and at a position that was told; how many.
    pub(super) fn remove_old(&mut self, before: Time, told: u64) -> Result<usize, StoreFault> {
        let slices = self.store.slices();
        let Some((_newest, old)) = slices.split_last() else { return Ok(0) };
        let is_past = |slice: &Slice| slice.last_at.load(Ordering::Acquire) < before.0 && slice.last_seq.load(Ordering::Acquire) < told;
        let late: HashSet<i64> = slices.iter().filter(|slice| !is_past(slice)).map(|slice| slice.start).collect();
        let mut removed = 0;
        let mut kept: Vec<Arc<Slice>> = Vec::new();
        for slice in old {
            let done = self.open.get(&slice.start).is_none_or(HashSet::is_empty);
            // What became of its messages may have been said later.
            let past = is_past(slice) && !self.followed.by(slice.start).any(|later| late.contains(&later));
            // A change of people that is not applied has its only copy here.
            let goes = done && past && !self.people.as_ref().is_some_and(People::is_behind);
            let goes = goes && (kept.is_empty() || self.hands_over(slice, &kept)?);
            if !goes {
                kept.push(slice.clone());
                continue;
            }
            self.followed.forget(slice.start);
            self.store.remove_slice(slice);
            self.retired.retain(|(retired, _)| retired.start != slice.start);
            self.open.remove(&slice.start);
            slice::remove_database(&slice.path);
            removed += 1;
        }
        if removed > 0 {
            // A removal that a power cut undoes is done again.
            let _ = slice::sync_dir(self.store.dir());
        }
        Ok(removed)
    }

    /// Writes what a slice says of frames in those before it to where they are; `false` when it must stay with them.
    fn hands_over(&self, slice: &Slice, kept: &[Arc<Slice>]) -> Result<bool, StoreFault> {
        if finds_open(&self.store.index().runs(), slice.start, &self.open) {
            return Ok(false);
        }
        let done = (|| {
            let from = slice::connect(&slice.path, Role::Reader)?;
            if has_more(slice, &from, kept)? {
                return Ok(false);
            }
            kept.iter().try_for_each(|home| self.hand_over(&from, slice, home))?;
            Ok(true)
        })();
        match done {
            Ok(goes) => Ok(goes),
            // What cannot be read cannot be handed over: the slice stays.
            Err(error) if slice::is_corrupt(&error) => Ok(false),
            Err(error) => Err(self.store.note_fault(slice::write_fault(&error))),
        }
    }

    /// One transaction on a slice that stays: its frames that ended go, their ends and its bulks' rows come.
    fn hand_over(&self, from: &Connection, slice: &Slice, home: &Slice) -> rusqlite::Result<()> {
        let to = slice::connect(&home.path, Role::Writer)?;
        let transaction = to.unchecked_transaction()?;
        let ended = take_ends(from, slice.first_frame.load(Ordering::Acquire), &transaction)?;
        if !ended.is_empty() {
            // What they held stays in unused places of the file: the next erasure writes it anew.
            transaction.execute_batch(erase::MARK)?;
        }
        let last_batch = take_bulks(from, &transaction)?;
        transaction.commit()?;
        home.last_batch.fetch_max(last_batch, Ordering::AcqRel);
        ended.into_iter().for_each(|first| self.store.cache().remove_range(first..first + 1));
        // A reader may be at it; then the log is emptied at the next start.
        slice::checkpoint(&to, "TRUNCATE").map(|_| ())
    }
}

/// Whether the slice tells what happened to a frame that stays: one of those before it has it, and its end is said later.
fn has_more(slice: &Slice, from: &Connection, kept: &[Arc<Slice>]) -> rusqlite::Result<bool> {
    let mut touched = from.prepare("SELECT DISTINCT frame FROM touches WHERE frame < ? AND frame NOT IN (SELECT frame FROM closed)")?;
    let mut rows = touched.query([slice::sql(slice.first_frame.load(Ordering::Acquire))])?;
    let mut homes: Vec<(&Slice, Option<Connection>)> = kept.iter().map(|home| (&**home, None)).collect();
    while let Some(row) = rows.next()? {
        let frame = row.get::<_, i64>(0)?;
        let begins = |home: &Slice| home.first_frame.load(Ordering::Acquire) <= frame as u64;
        let Some((home, conn)) = homes.iter_mut().rev().find(|(home, _)| begins(home)) else { continue };
        let conn = match conn {
            Some(conn) => conn,
            None => conn.insert(slice::connect(&home.path, Role::Reader)?),
        };
        let mut stays =
            conn.prepare_cached("SELECT 1 FROM frames WHERE first = ?1 AND NOT EXISTS (SELECT 1 FROM closed WHERE frame = ?1)")?;
        if stays.exists([frame])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The frames that went.
fn take_ends(from: &Connection, below: u64, to: &Connection) -> rusqlite::Result<Vec<u64>> {
    let mut ended = from.prepare("SELECT frame, batch, tally, crc FROM closed WHERE frame < ?")?;
    let mut rows = ended.query([slice::sql(below)])?;
    let mut remove = to.prepare("DELETE FROM frames WHERE first = ?")?;
    let mut others = [to.prepare("DELETE FROM bodies WHERE first = ?")?, to.prepare("DELETE FROM touches WHERE frame = ?")?];
    let mut insert = to.prepare("INSERT OR IGNORE INTO closed VALUES (?, ?, ?, ?)")?;
    let mut gone = Vec::new();
    while let Some(row) = rows.next()? {
        let (frame, batch, tally, crc): (i64, Option<i64>, Vec<u8>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if remove.execute([frame])? > 0 {
            others.iter_mut().try_for_each(|statement| statement.execute([frame]).map(|_| ()))?;
            insert.execute((frame, batch, tally, crc))?;
            gone.push(frame as u64);
        }
    }
    Ok(gone)
}

/// The greatest bulk whose row was taken, 0 when there is none.
fn take_bulks(from: &Connection, to: &Connection) -> rusqlite::Result<u64> {
    let mut bulks = from.prepare("SELECT id, account, at, received, accepted, detail, crc FROM batches")?;
    let mut rows = bulks.query([])?;
    let mut insert = to.prepare(
        "INSERT OR IGNORE INTO batches SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
         WHERE EXISTS (SELECT 1 FROM frames WHERE batch = ?1) OR EXISTS (SELECT 1 FROM closed WHERE batch = ?1)",
    )?;
    let mut last = 0;
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?;
        let (account, at): (String, i64) = (row.get(1)?, row.get(2)?);
        let (received, accepted): (i64, i64) = (row.get(3)?, row.get(4)?);
        let (detail, crc): (Vec<u8>, i64) = (row.get(5)?, row.get(6)?);
        if insert.execute((id, account, at, received, accepted, detail, crc))? > 0 {
            last = last.max(id as u64);
        }
    }
    Ok(last)
}
