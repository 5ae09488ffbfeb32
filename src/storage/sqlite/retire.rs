//! Which slices go. One stays while a frame of its own is open, be it for years; and those after it say things of its
//! frames: that one has ended, that a bulk is complete, what happened to a message, under which key it is found. What
//! ended and what is complete is written to where the frames are before a slice goes; a slice that knows more of an open
//! frame stays with it.

use super::Sqlite;
use crate::base::Time;
use crate::storage::port::StoreFault;
use crate::storage::sqlite::people::People;
use crate::storage::sqlite::search::RunHead;
use crate::storage::sqlite::slice::{self, Role, Slice};
use rusqlite::Connection;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// No frame has more messages, so none has ids further from its first (`journal.frame_messages_max` is a u16).
const FRAME_IDS: u64 = 1 << 16;

impl Sqlite {
    /// Removes the slices whose last commit was before this instant and at a position that was told; how many.
    pub(super) fn remove_old(&mut self, before: Time, told: u64) -> Result<usize, StoreFault> {
        let slices = self.store.slices();
        let Some((_newest, old)) = slices.split_last() else { return Ok(0) };
        let mut removed = 0;
        let mut kept: Vec<Arc<Slice>> = Vec::new();
        for slice in old {
            let done = self.open.get(&slice.start).is_none_or(HashSet::is_empty);
            let past = slice.last_at.load(Ordering::Acquire) < before.0 && slice.last_seq.load(Ordering::Acquire) < told;
            // A change of people that is not applied has its only copy here.
            let goes = done && past && !self.people.as_ref().is_some_and(People::is_behind);
            let goes = goes && (kept.is_empty() || self.hands_over(slice, &kept)?);
            if !goes {
                kept.push(slice.clone());
                continue;
            }
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
        if self.finds_open(slice.start) {
            return Ok(false);
        }
        let done = (|| {
            let from = slice::connect(&slice.path, Role::Reader)?;
            if self.has_log_of_open(slice, &from)? {
                return Ok(false);
            }
            kept.iter().try_for_each(|home| hand_over(&from, slice, home))?;
            Ok(true)
        })();
        match done {
            Ok(goes) => Ok(goes),
            // What cannot be read cannot be handed over: the slice stays.
            Err(error) if slice::is_corrupt(&error) => Ok(false),
            Err(error) => Err(self.store.note_fault(slice::write_fault(&error))),
        }
    }

    /// Whether a run in this slice has the keys of a frame that is open in another: a message that was accepted long ago
    /// and waits is found as long as it waits.
    fn finds_open(&self, start: i64) -> bool {
        let runs = self.store.index().runs();
        let mut others = self.open.iter().filter(|(other, _)| **other != start).flat_map(|(_, firsts)| firsts);
        let heads: Vec<&RunHead> = runs.iter().filter(|run| run.slice == start).map(|run| &run.head).collect();
        !heads.is_empty()
            && others.any(|first| heads.iter().any(|run| *first <= run.greatest && first.saturating_add(FRAME_IDS) > run.least))
    }

    /// Whether the slice tells what happened to a frame that is open in one before it.
    fn has_log_of_open(&self, slice: &Slice, from: &Connection) -> rusqlite::Result<bool> {
        let mut statement = from.prepare("SELECT DISTINCT frame FROM touches WHERE frame < ?")?;
        let mut rows = statement.query([slice::sql(slice.first_frame.load(Ordering::Acquire))])?;
        while let Some(row) = rows.next()? {
            let frame = row.get::<_, i64>(0)? as u64;
            if self.open.values().any(|open| open.contains(&frame)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// One transaction on a slice that stays: the ends of its frames, and the rows of its bulks.
fn hand_over(from: &Connection, slice: &Slice, home: &Slice) -> rusqlite::Result<()> {
    let to = slice::connect(&home.path, Role::Writer)?;
    let transaction = to.unchecked_transaction()?;
    {
        let mut ended = from.prepare("SELECT frame, batch, tally, crc FROM closed WHERE frame < ?")?;
        let mut rows = ended.query([slice::sql(slice.first_frame.load(Ordering::Acquire))])?;
        let mut insert = transaction
            .prepare("INSERT OR IGNORE INTO closed SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM frames WHERE first = ?1)")?;
        while let Some(row) = rows.next()? {
            let (frame, batch, tally, crc): (i64, Option<i64>, Vec<u8>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            insert.execute((frame, batch, tally, crc))?;
        }
        let mut bulks = from.prepare("SELECT id, account, at, received, accepted, detail, crc FROM batches")?;
        let mut rows = bulks.query([])?;
        let mut insert = transaction.prepare(
            "INSERT OR IGNORE INTO batches SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM frames WHERE batch = ?1)",
        )?;
        while let Some(row) = rows.next()? {
            let id = row.get::<_, i64>(0)?;
            let (account, at): (String, i64) = (row.get(1)?, row.get(2)?);
            let (received, accepted): (i64, i64) = (row.get(3)?, row.get(4)?);
            let (detail, crc): (Vec<u8>, i64) = (row.get(5)?, row.get(6)?);
            if insert.execute((id, account, at, received, accepted, detail, crc))? > 0 {
                home.last_batch.fetch_max(id as u64, Ordering::AcqRel);
            }
        }
    }
    transaction.commit()?;
    // A reader may be at it; then the log is emptied at the next start.
    slice::checkpoint(&to, "TRUNCATE").map(|_| ())
}
