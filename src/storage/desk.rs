//! For the backends' tests: a journal at hand, and the next group under construction.

use crate::base::{BatchId, MessageId, Time};
use crate::storage::frame::{Frame, FrameHead, Lane};
use crate::storage::port::{BatchRow, Closed, Group, Journal, NewFrame, Recovered, StoreFault};
use std::sync::Arc;

/// When a new store's first commit is.
pub(super) const START: i64 = 1_764_576_000_000;

/// A journal with the next group under construction.
pub(super) struct Desk {
    pub(super) journal: Box<dyn Journal>,
    pub(super) group: Group,
    pub(super) id: u64,
    pub(super) now: Time,
    /// What the next frames are to wait for.
    pub(super) due: (Time, u8),
}

impl Desk {
    pub(super) fn new(mut journal: Box<dyn Journal>) -> (Desk, Recovered) {
        let found = journal.recover().expect("a store that recovers");
        let group = Group { seq: found.last_seq + 1, ..Group::default() };
        let now = found.last_at.unwrap_or(Time(START));
        (Desk { journal, group, id: found.last_id.map_or(1_000, |id| id + 10), now, due: (Time(0), 0) }, found)
    }

    /// Adds a frame whose records are numbered and whose keys are `key` (recipients) and `key + ordinal + 1`.
    pub(super) fn frame(&mut self, account: &str, batch: Option<BatchId>, count: u32, key: u64) -> MessageId {
        let first = MessageId(self.id);
        self.id += u64::from(count) + 3;
        let lane = Lane { carrier: "north".into(), account: account.into(), priority: 1 };
        let (accepted, expires, (due, why)) = (self.now, Time(self.now.0 + 1_000), self.due);
        let head = FrameHead { first, count, seq: self.group.seq, lane, batch, accepted, expires, due, why };
        let mut body = Vec::new();
        for ordinal in 0..count {
            let record = format!("record {ordinal} of {first}");
            body.push(record.len() as u8);
            body.extend_from_slice(record.as_bytes());
        }
        let frame = Arc::new(Frame::new(head, body.into()).expect("well formed"));
        let recipients = vec![key; count as usize];
        let references = (0..u64::from(count)).map(|ordinal| key + ordinal + 1).collect();
        self.group.frames.push(NewFrame { frame, recipients, references, cancel_keys: Vec::new(), campaigns: Vec::new() });
        first
    }

    /// A bulk's row; its id is one that is older than its frames' unless given.
    pub(super) fn complete(&mut self, id: BatchId, account: &str) {
        let row = BatchRow { id, account: account.into(), at: self.now, received: 7, accepted: 5, detail: vec![1, 2, id.0 as u8] };
        self.group.batches.push(row);
    }

    pub(super) fn close(&mut self, frame: MessageId, batch: Option<BatchId>) {
        self.group.closed.push(Closed { frame, batch, tally: vec![9, frame.0 as u8] });
    }

    pub(super) fn log(&mut self, events: &str, touched: &[MessageId]) {
        self.group.log = events.as_bytes().to_vec();
        self.group.touched = touched.to_vec();
    }

    pub(super) fn try_commit(&mut self) -> Result<u64, StoreFault> {
        self.group.at = self.now;
        let seq = self.group.seq;
        self.journal.commit(&self.group)?;
        self.group = Group { seq: seq + 1, ..Group::default() };
        Ok(seq)
    }

    pub(super) fn commit(&mut self) -> u64 {
        self.try_commit().expect("a commit")
    }

    pub(super) fn wait(&mut self, ms: i64) {
        self.now = Time(self.now.0 + ms);
    }
}
