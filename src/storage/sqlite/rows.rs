//! The rows of a slice, as they are written and as they are read: each is under a checksum, as SQLite checks the
//! pages of its log and not those of its files. Writers here run inside a transaction of their caller's.

use crate::base::{BatchId, MessageId, Time};
use crate::storage::frame::{FrameHead, Lane};
use crate::storage::port::{BatchRow, Group, LogRow, NewFrame, StoreFault};
use crate::storage::sqlite::codec::{self, Kind, Sealer};
use crate::storage::sqlite::erase;
use crate::storage::sqlite::search::{CHUNK_PAIRS, Pair, RunHead, write_pairs};
use crate::storage::sqlite::slice;
use crate::storage::sqlite::store::Trouble;
use rusqlite::{Connection, Row};

/// A run that is written with the next commit.
pub(super) struct NewRun {
    pub(super) head: RunHead,
    pub(super) pairs: Vec<Pair>,
}

/// The greatest id that a group shows to have been dealt.
pub(super) fn greatest_id(group: &Group) -> u64 {
    let frames = group.frames.iter().map(|new| new.frame.head.first.0 + u64::from(new.frame.head.count.max(1)) - 1);
    let bulks = group.batches.iter().map(|batch| batch.id.0).chain(group.aborted.iter().map(|id| id.0));
    let staged = group.frames.iter().filter_map(|new| new.frame.head.batch).map(|id| id.0);
    frames.chain(bulks).chain(staged).max().unwrap_or(0)
}

/// A frame's messages under all of their keys.
pub(super) fn pairs_of(new: &NewFrame) -> Vec<Pair> {
    let first = new.frame.head.first.0;
    let filed = |keys: &[u64]| keys.iter().zip(first..).filter(|(key, _)| **key != 0).map(|(key, id)| (*key, id)).collect::<Vec<_>>();
    let mut pairs = filed(&new.recipients);
    pairs.extend(filed(&new.references));
    pairs.extend(filed(&new.cancel_keys));
    pairs.extend(filed(&new.campaigns));
    pairs
}

/// A frame's row and its body; returns about how many octets.
pub(super) fn write_frame(conn: &Connection, sealer: &mut Sealer, buffer: &mut Vec<u8>, new: &NewFrame) -> rusqlite::Result<u64> {
    let head = &new.frame.head;
    insert_head(conn, head, buffer)?;
    // `buffer` holds the head now, as it goes into the blob.
    let blob = sealer.seal(Kind::Frame, head.first.0, buffer, &new.frame.body);
    conn.prepare_cached("INSERT INTO bodies VALUES (?, ?)")?.execute((slice::sql(head.first.0), blob))?;
    Ok(blob.len() as u64)
}

/// The commit's own row: its position, its log, its search keys.
pub(super) fn write_group(conn: &Connection, sealer: &mut Sealer, buffer: &mut Vec<u8>, group: &Group, top: u64) -> rusqlite::Result<u64> {
    buffer.clear();
    group.frames.iter().for_each(|new| codec::write_keys(new, buffer));
    let keys = (!buffer.is_empty()).then(|| sealer.seal(Kind::Keys, group.seq, &[], buffer).to_vec());
    let log = (!group.log.is_empty()).then(|| sealer.seal(Kind::Log, group.seq, &[], &group.log));
    let (seq, top) = (slice::sql(group.seq), slice::sql(top));
    let crc = group_crc(seq, group.at.0, top);
    let mut insert = conn.prepare_cached("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?)")?;
    insert.execute((seq, group.at.0, top, crc, log, keys.as_deref()))?;
    Ok((keys.map_or(0, |blob| blob.len()) + log.map_or(0, <[u8]>::len)) as u64)
}

/// Everything else but runs.
pub(super) fn write_rows(conn: &Connection, group: &Group) -> rusqlite::Result<()> {
    if !group.log.is_empty() && !group.touched.is_empty() {
        let mut touch = conn.prepare_cached("INSERT INTO touches VALUES (?, ?)")?;
        for frame in &group.touched {
            touch.execute((slice::sql(frame.0), slice::sql(group.seq)))?;
        }
    }
    for answer in &group.answers {
        let crc = codec::row_crc(&[
            answer.account.as_bytes(),
            answer.key.as_bytes(),
            &answer.request,
            &answer.until.0.to_le_bytes(),
            &answer.body,
        ]);
        let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)")?;
        insert.execute((&answer.account, &answer.key, answer.request, answer.until.0, &answer.body, crc))?;
    }
    for batch in &group.batches {
        let numbers = [batch.received, batch.accepted].map(u32::to_le_bytes).concat();
        let id = slice::sql(batch.id.0);
        let crc = codec::row_crc(&[&id.to_le_bytes(), batch.account.as_bytes(), &batch.at.0.to_le_bytes(), &numbers, &batch.detail]);
        let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)")?;
        insert.execute((id, &batch.account, batch.at.0, batch.received, batch.accepted, &batch.detail, crc))?;
    }
    for closed in &group.closed {
        let (frame, batch) = (slice::sql(closed.frame.0), closed.batch.map(|id| slice::sql(id.0)));
        let crc = closed_crc(frame, batch, &closed.tally);
        let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO closed VALUES (?, ?, ?, ?)")?;
        insert.execute((frame, batch, &closed.tally, crc))?;
    }
    Ok(())
}

/// A sorted run.
pub(super) fn write_run(conn: &Connection, sealer: &mut Sealer, run: &NewRun) -> rusqlite::Result<u64> {
    let mut bytes = 0;
    let mut raw = Vec::with_capacity(CHUNK_PAIRS * 16);
    let mut insert = conn.prepare_cached("INSERT INTO chunks VALUES (?, ?)")?;
    for (place, chunk) in run.pairs.chunks(CHUNK_PAIRS).enumerate() {
        raw.clear();
        write_pairs(chunk, &mut raw);
        let id = run.head.chunk_id(place);
        let blob = sealer.seal(Kind::RunChunk, id, &[], &raw);
        bytes += blob.len() as u64;
        insert.execute((slice::sql(id), blob))?;
    }
    let blob = sealer.seal(Kind::RunHead, run.head.number, &[], &run.head.write());
    conn.prepare_cached("INSERT INTO runs VALUES (?, ?)")?.execute((slice::sql(run.head.number), blob))?;
    Ok(bytes + blob.len() as u64)
}

/// One transaction on `meta.db`; `tip` is the position that goes with it.
pub(super) fn write_notes<'a>(
    meta: &Connection,
    notes: impl Iterator<Item = (&'a String, &'a Option<Vec<u8>>)>,
    tip: Option<(u64, Time)>,
) -> Result<(), StoreFault> {
    let write = || {
        let transaction = meta.unchecked_transaction()?;
        for (key, value) in notes {
            match value {
                Some(value) => {
                    let crc = codec::row_crc(&[key.as_bytes(), value]);
                    let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)")?;
                    insert.execute((key, value, crc))?;
                }
                None => _ = transaction.prepare_cached("DELETE FROM notes WHERE key = ?")?.execute([key])?,
            }
        }
        if let Some((seq, at)) = tip {
            transaction.prepare_cached("INSERT OR REPLACE INTO tip VALUES (1, ?, ?)")?.execute((slice::sql(seq), at.0))?;
        }
        transaction.commit()
    };
    write().map_err(|error: rusqlite::Error| slice::write_fault(&error))
}

/// Removes frames that never became live, in one transaction.
pub(super) fn delete_frames(conn: &Connection, firsts: &[u64]) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    delete_frames_within(&transaction, firsts)?;
    transaction.commit()
}

/// The same inside a transaction.
pub(super) fn delete_frames_within(conn: &Connection, firsts: &[u64]) -> rusqlite::Result<()> {
    if !firsts.is_empty() {
        // What they held stays in unused places of the file: the next erasure writes it anew.
        conn.execute_batch(erase::MARK)?;
    }
    for first in firsts {
        conn.prepare_cached("DELETE FROM frames WHERE first = ?")?.execute([slice::sql(*first)])?;
        conn.prepare_cached("DELETE FROM bodies WHERE first = ?")?.execute([slice::sql(*first)])?;
    }
    Ok(())
}

/// The columns of a frame's row.
pub(super) const HEAD: &str = "SELECT first, count, seq, carrier, account, priority, batch, accepted, expires, crc, due, why FROM frames";
/// The place of the checksum among them.
pub(super) const HEAD_CRC: usize = 9;
/// The columns of a bulk's row.
pub(super) const BATCH: &str = "SELECT id, account, at, received, accepted, detail, crc FROM batches";

/// A row of the log: its position and its blob.
pub(super) fn log_row(row: &Row<'_>) -> Result<LogRow, Trouble> {
    let seq = row.get::<_, i64>(0)? as u64;
    let blob = row.get_ref(1)?.as_blob().map_err(|_| Trouble::Damaged(seq))?;
    let log = codec::open(Kind::Log, seq, blob).ok_or(Trouble::Damaged(seq))?;
    Ok(LogRow { seq, log: log.into() })
}

/// A bulk's row.
pub(super) fn batch_row(row: &Row<'_>) -> Result<BatchRow, Trouble> {
    let id = row.get::<_, i64>(0)?;
    let batch = BatchRow {
        id: BatchId(id as u64),
        account: row.get(1)?,
        at: Time(row.get(2)?),
        received: row.get(3)?,
        accepted: row.get(4)?,
        detail: row.get(5)?,
    };
    let numbers = [batch.received, batch.accepted].map(u32::to_le_bytes).concat();
    let crc = codec::row_crc(&[&id.to_le_bytes(), batch.account.as_bytes(), &batch.at.0.to_le_bytes(), &numbers, &batch.detail]);
    if row.get::<_, i64>(6)? == crc { Ok(batch) } else { Err(Trouble::Damaged(id as u64)) }
}

/// A frame's head from its row, not checked.
pub(super) fn head_of(row: &Row<'_>) -> rusqlite::Result<FrameHead> {
    Ok(FrameHead {
        first: MessageId(row.get::<_, i64>(0)? as u64),
        count: row.get(1)?,
        seq: row.get::<_, i64>(2)? as u64,
        lane: Lane { carrier: row.get(3)?, account: row.get(4)?, priority: row.get(5)? },
        batch: row.get::<_, Option<i64>>(6)?.map(|id| BatchId(id as u64)),
        accepted: Time(row.get(7)?),
        expires: Time(row.get(8)?),
        // Rows of the first format have none.
        due: Time(row.get::<_, Option<i64>>(10)?.unwrap_or(0)),
        why: row.get::<_, Option<u8>>(11)?.unwrap_or(0),
    })
}

/// Writes a frame's row.
pub(super) fn insert_head(conn: &Connection, head: &FrameHead, buffer: &mut Vec<u8>) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached("INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let later = head.due != Time(0) || head.why != 0;
    statement.execute((
        slice::sql(head.first.0),
        head.count,
        slice::sql(head.seq),
        &head.lane.carrier,
        &head.lane.account,
        head.lane.priority,
        head.batch.map(|id| slice::sql(id.0)),
        head.accepted.0,
        head.expires.0,
        head_crc(head, buffer),
        later.then_some(head.due.0),
        later.then_some(head.why),
    ))?;
    Ok(())
}

/// The checksum of a frame's row.
pub(super) fn head_crc(head: &FrameHead, buffer: &mut Vec<u8>) -> i64 {
    buffer.clear();
    codec::write_head(head, buffer);
    codec::row_crc(&[buffer])
}

/// The checksum of a row of `closed`.
pub(super) fn closed_crc(frame: i64, batch: Option<i64>, tally: &[u8]) -> i64 {
    codec::row_crc(&[&frame.to_le_bytes(), &batch.map_or([0; 8], i64::to_le_bytes), tally])
}

/// The checksum of a row of `groups`, without its blobs, which have their own.
pub(super) fn group_crc(seq: i64, at: i64, top: i64) -> i64 {
    codec::row_crc(&[&seq.to_le_bytes(), &at.to_le_bytes(), &top.to_le_bytes()])
}
