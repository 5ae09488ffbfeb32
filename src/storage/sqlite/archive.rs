//! The readers' side. Rows that a kind of fact may have in several slices are looked for in all that can hold
//! them; most slices are passed over by what is known of them in memory.

use crate::base::{BatchId, MessageId, Time};
use crate::storage::frame::{Frame, FrameHead};
use crate::storage::people::{Preference, Suppression, SuppressionKey};
use crate::storage::port::{Answer, Archive, BatchRow, Closed, FramePage, LogRow, Person, Scrubbed, StoreFault};
use crate::storage::spent::Spent;
use crate::storage::sqlite::codec::{self, Kind};
use crate::storage::sqlite::rows::{BATCH, HEAD, batch_row, closed_crc, head_crc, head_of, log_row};
use crate::storage::sqlite::slice::{self, Slice};
use crate::storage::sqlite::spent;
use crate::storage::sqlite::store::{Store, Trouble, locked};
use crate::storage::sqlite::{erase, people};
use rusqlite::{Row, ToSql};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A reader of the embedded store.
pub(super) struct Reader {
    store: Arc<Store>,
}

impl Reader {
    pub(super) fn new(store: Arc<Store>) -> Reader {
        Reader { store }
    }

    /// All rows of a query on one slice, each checked; `take` ends the query early by `false`.
    fn rows(
        &self,
        slice: &Slice,
        sql: &str,
        values: &[&dyn ToSql],
        mut take: impl FnMut(&Row<'_>) -> Result<bool, Trouble>,
    ) -> Result<(), StoreFault> {
        let read = self.store.read(slice, |conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut rows = statement.query(values)?;
            while let Some(row) = rows.next()? {
                if !take(row)? {
                    break;
                }
            }
            Ok(())
        });
        read.map(|_| ())
    }

    /// The frames a query finds, without those of bulks that are not complete.
    fn heads(&self, slice: &Slice, sql: &str, values: &[&dyn ToSql], limit: usize, heads: &mut Vec<FrameHead>) -> Result<(), StoreFault> {
        let mut buffer = Vec::new();
        self.rows(slice, sql, values, |row| {
            let head = head_of(row)?;
            if row.get::<_, i64>(9)? != head_crc(&head, &mut buffer) {
                return Err(Trouble::Damaged(head.first.0));
            }
            if !self.store.is_hidden(head.batch) {
                heads.push(head);
            }
            Ok(heads.len() < limit)
        })
    }
}

/// A frame from its row.
fn unpack(first: u64, blob: &[u8]) -> Option<Frame> {
    let sealed = codec::check(Kind::Frame, first, blob)?;
    Frame::new(codec::read_head(sealed.head)?, sealed.unpack()?.into())
}

impl Archive for Reader {
    fn frame(&self, first: MessageId) -> Result<Option<Arc<Frame>>, StoreFault> {
        if let Some(frame) = self.store.cache().get(first) {
            return Ok(Some(frame));
        }
        Ok(self.store.load(first)?.filter(|frame| frame.head.first == first))
    }

    fn frame_of(&self, id: MessageId) -> Result<Option<Arc<Frame>>, StoreFault> {
        let cached = self.store.cache().holder(id);
        let frame = match cached {
            Some(frame) => Some(frame),
            None => self.store.load(id)?,
        };
        Ok(frame.filter(|frame| !self.store.is_hidden(frame.head.batch)))
    }

    fn touches(&self, frame: MessageId) -> Result<Vec<LogRow>, StoreFault> {
        let sql = "SELECT t.seq, g.log FROM touches t JOIN groups g ON g.seq = t.seq WHERE t.frame = ? ORDER BY t.seq";
        // Nothing is said of a frame before it is written.
        let from = self.store.slice_of(frame).map_or(i64::MIN, |slice| slice.start);
        let mut found = Vec::new();
        for slice in self.store.slices().iter().filter(|slice| slice.start >= from) {
            self.rows(slice, sql, &[&slice::sql(frame.0)], |row| {
                found.push(log_row(row)?);
                Ok(true)
            })?;
        }
        Ok(found)
    }

    fn log_from(&self, seq: u64, bytes_max: usize) -> Result<Vec<LogRow>, StoreFault> {
        let sql = "SELECT seq, log FROM groups WHERE seq >= ? AND log IS NOT NULL ORDER BY seq";
        let (mut found, mut bytes) = (Vec::new(), 0usize);
        for slice in self.store.slices().iter().filter(|slice| slice.last_seq.load(Ordering::Acquire) >= seq) {
            let read = self.rows(slice, sql, &[&slice::sql(seq)], |row| {
                let row = log_row(row)?;
                if !found.is_empty() && bytes.saturating_add(row.log.len()) > bytes_max {
                    bytes = usize::MAX;
                    return Ok(false);
                }
                bytes = bytes.saturating_add(row.log.len());
                found.push(row);
                Ok(bytes < bytes_max)
            });
            match read {
                Ok(()) if bytes < bytes_max => {}
                Ok(()) => break,
                // What was read before the damage is given; the next call, which begins with it, names it.
                Err(_) if !found.is_empty() => break,
                Err(fault) => return Err(fault),
            }
        }
        Ok(found)
    }

    fn answer(&self, account: &str, key: &str) -> Result<Option<Answer>, StoreFault> {
        let sql = "SELECT request, until, body, crc FROM answers WHERE account = ? AND key = ?";
        let now = self.store.last_at.load(Ordering::Acquire);
        let slices = self.store.slices();
        let mut found = None;
        for slice in slices.iter().rev().filter(|slice| slice.answers_until.load(Ordering::Acquire) >= now) {
            self.rows(slice, sql, &[&account, &key], |row| {
                let (request, until, body): ([u8; 32], i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let crc = codec::row_crc(&[account.as_bytes(), key.as_bytes(), &request, &until.to_le_bytes(), &body]);
                if row.get::<_, i64>(3)? != crc {
                    return Err(Trouble::Damaged(0));
                }
                found = Some(Answer { account: account.into(), key: key.into(), request, body, until: Time(until) });
                Ok(false)
            })?;
            if found.is_some() {
                break;
            }
        }
        Ok(found)
    }

    fn batch(&self, id: BatchId) -> Result<Option<BatchRow>, StoreFault> {
        let mut found = None;
        for slice in self.store.slices().iter().rev().filter(|slice| slice.last_batch.load(Ordering::Acquire) >= id.0) {
            self.rows(slice, &format!("{BATCH} WHERE id = ?"), &[&slice::sql(id.0)], |row| {
                found = Some(batch_row(row)?);
                Ok(false)
            })?;
            if found.is_some() {
                break;
            }
        }
        Ok(found)
    }

    fn batches(&self, account: &str, before: Option<BatchId>, limit: usize) -> Result<Vec<BatchRow>, StoreFault> {
        let below = before.map_or(i64::MAX, |id| slice::sql(id.0));
        let sql = format!("{BATCH} WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?");
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        // A long bulk may be complete after, and so lie in a later slice than, one that began later.
        let mut slices: Vec<_> = self.store.slices().iter().map(|s| (s.last_batch.load(Ordering::Acquire), s.clone())).collect();
        slices.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
        let mut found: Vec<BatchRow> = Vec::new();
        for (last, slice) in slices {
            if last == 0 || limit == 0 || (found.len() == limit && found.last().is_some_and(|row| row.id.0 > last)) {
                break;
            }
            self.rows(&slice, &sql, &[&account, &below, &count], |row| {
                found.push(batch_row(row)?);
                Ok(true)
            })?;
            found.sort_by_key(|row| std::cmp::Reverse(row.id));
            found.dedup_by_key(|row| row.id);
            found.truncate(limit);
        }
        Ok(found)
    }

    fn frames_of_batch(&self, batch: BatchId, after: Option<MessageId>, limit: usize) -> Result<Vec<FrameHead>, StoreFault> {
        let mut heads = Vec::new();
        if limit == 0 || self.store.is_hidden(Some(batch)) {
            return Ok(heads);
        }
        let above = after.map_or(-1, |id| slice::sql(id.0));
        let sql = format!("{HEAD} WHERE batch = ? AND first > ? ORDER BY first");
        for slice in self.store.slices().iter() {
            self.heads(slice, &sql, &[&slice::sql(batch.0), &above], limit, &mut heads)?;
            if heads.len() >= limit {
                break;
            }
        }
        Ok(heads)
    }

    fn closed_of_batch(&self, batch: BatchId) -> Result<Vec<Closed>, StoreFault> {
        // A frame may be closed again after a restart: the later row is as true, and one is enough.
        let mut found = BTreeMap::new();
        for slice in self.store.slices().iter() {
            self.rows(slice, "SELECT frame, tally, crc FROM closed WHERE batch = ?", &[&slice::sql(batch.0)], |row| {
                let (frame, tally): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
                if row.get::<_, i64>(2)? != closed_crc(frame, Some(slice::sql(batch.0)), &tally) {
                    return Err(Trouble::Damaged(frame as u64));
                }
                let frame = MessageId(frame as u64);
                found.insert(frame, Closed { frame, batch: Some(batch), tally });
                Ok(true)
            })?;
        }
        Ok(found.into_values().collect())
    }

    fn search(&self, key: u64, before: Option<MessageId>, limit: usize) -> Result<Vec<MessageId>, StoreFault> {
        let begun = self.store.index().begin(key, before.map_or(u64::MAX, |id| id.0), limit);
        let slices = self.store.slices();
        let ids = begun.finish(|run, chunk| {
            let Some(slice) = slices.iter().find(|slice| slice.start == run.slice) else { return Ok(None) };
            self.store.read(slice, |conn| {
                let id = run.head.chunk_id(chunk);
                let mut statement = conn.prepare_cached("SELECT body FROM chunks WHERE id = ?")?;
                let mut rows = statement.query([slice::sql(id)])?;
                let row = rows.next()?.ok_or(Trouble::Damaged(id))?;
                let blob = row.get_ref(0)?.as_blob().map_err(|_| Trouble::Damaged(id))?;
                codec::open(Kind::RunChunk, id, blob).ok_or(Trouble::Damaged(id))
            })
        })?;
        Ok(ids.into_iter().map(MessageId).collect())
    }

    fn frames_of_account(&self, account: &str, before: Option<MessageId>, limit: usize) -> Result<Vec<FrameHead>, StoreFault> {
        let below = before.map_or(i64::MAX, |id| slice::sql(id.0));
        let sql = format!("{HEAD} WHERE account = ? AND first < ? ORDER BY first DESC");
        let mut heads = Vec::new();
        for slice in self.store.slices().iter().rev() {
            if heads.len() >= limit {
                break;
            }
            self.heads(slice, &sql, &[&account, &below], limit, &mut heads)?;
        }
        Ok(heads)
    }

    fn frames_from(&self, from: MessageId, limit: usize) -> Result<FramePage, StoreFault> {
        let sql = "SELECT first, body FROM bodies WHERE first >= ? ORDER BY first LIMIT ?";
        let (mut page, mut rows) = (FramePage::default(), 0);
        for slice in self.store.slices().iter() {
            let room = i64::try_from(limit - rows).unwrap_or(i64::MAX);
            self.rows(slice, sql, &[&slice::sql(from.0), &room], |row| {
                let first = row.get::<_, i64>(0)? as u64;
                rows += 1;
                page.next = Some(MessageId(first + 1));
                match unpack(first, row.get_ref(1)?.as_blob().unwrap_or_default()) {
                    Some(frame) if self.store.is_hidden(frame.head.batch) => {}
                    Some(frame) => page.frames.push(Arc::new(frame)),
                    None => page.damaged += 1,
                }
                Ok(true)
            })?;
            if rows >= limit {
                return Ok(page);
            }
        }
        page.next = None;
        Ok(page)
    }

    fn answers_about(&self, ids: &HashSet<u64>) -> Result<Vec<Answer>, StoreFault> {
        let mut found = Vec::new();
        for slice in self.store.slices().iter() {
            self.rows(slice, "SELECT account, key, request, until, body FROM answers", &[], |row| {
                let body = row.get_ref(4)?.as_blob().unwrap_or_default();
                if body.first_chunk::<8>().is_some_and(|id| ids.contains(&u64::from_le_bytes(*id))) {
                    let (account, key, request, until) = (row.get(0)?, row.get(1)?, row.get(2)?, Time(row.get(3)?));
                    found.push(Answer { account, key, request, body: body.to_vec(), until });
                }
                Ok(true)
            })?;
        }
        Ok(found)
    }

    fn scrub(&self, person: &Person) -> Result<Scrubbed, StoreFault> {
        let slices = self.store.slices();
        // The last takes commits.
        let Some((_, old)) = slices.split_last() else { return Ok(Scrubbed::Clean) };
        let mut all = Scrubbed::Clean;
        for slice in old {
            match erase::scrub(slice, person) {
                Ok(Scrubbed::Clean) => {}
                Ok(Scrubbed::Busy) => all = Scrubbed::Busy,
                Err(_) if slice.gone.load(Ordering::Acquire) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(all)
    }

    fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreFault> {
        // Before the table: a note that is moved there meanwhile is then seen twice rather than not at all.
        let waiting: Vec<_> = locked(&self.store.waiting_notes).iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut found = self.store.read_meta(|conn| {
            let mut statement = conn.prepare_cached("SELECT key, body, crc FROM notes WHERE key >= ? ORDER BY key")?;
            let mut rows = statement.query([prefix])?;
            let mut found = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let (key, body): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
                if !key.starts_with(prefix) {
                    break;
                }
                if row.get::<_, i64>(2)? != codec::row_crc(&[key.as_bytes(), &body]) {
                    return Err(Trouble::Damaged(0));
                }
                found.insert(key, body);
            }
            Ok(found)
        })?;
        for (key, value) in waiting.into_iter().filter(|(key, _)| key.starts_with(prefix)) {
            match value {
                Some(value) => _ = found.insert(key, value),
                None => _ = found.remove(&key),
            }
        }
        Ok(found.into_iter().collect())
    }

    fn suppressions(&self, after: Option<&SuppressionKey>, limit: usize) -> Result<Vec<Suppression>, StoreFault> {
        self.store.read_people(|conn| people::suppressions(conn, after, limit))
    }

    fn spent(&self, from: Time, each: &mut dyn FnMut(Spent)) -> Result<(), StoreFault> {
        let mut damaged = None;
        for slice in self.store.slices().iter().filter(|slice| slice.last_at.load(Ordering::Acquire) >= from.0) {
            match spent::read(slice, each) {
                Err(StoreFault::Damaged { slice, at }) => damaged = damaged.or(Some(StoreFault::Damaged { slice, at })),
                read => read?,
            }
        }
        damaged.map_or(Ok(()), Err)
    }

    fn preferences(&self, after: Option<(&str, u64)>, limit: usize) -> Result<Vec<Preference>, StoreFault> {
        self.store.read_people(|conn| people::preferences(conn, after, limit))
    }
}
