//! The readers' side in memory. It reads what was committed, also after the writer's end.

use crate::base::{BatchId, MessageId, Time};
use crate::storage::frame::{Frame, FrameHead};
use crate::storage::memory::store::Memory;
use crate::storage::people::{Preference, Suppression, SuppressionKey};
use crate::storage::port::{Answer, Archive, BatchRow, Closed, FramePage, LogRow, Person, Scrubbed, StoreFault};
use crate::storage::spent::Spent;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

/// A reader of the store in memory.
pub(super) struct Reader(pub(super) Memory);

impl Archive for Reader {
    fn frame(&self, first: MessageId) -> Result<Option<Arc<Frame>>, StoreFault> {
        let disk = self.0.disk();
        Ok(disk.slices.iter().rev().find_map(|slice| slice.frames.get(&first.0)).cloned())
    }

    fn frame_of(&self, id: MessageId) -> Result<Option<Arc<Frame>>, StoreFault> {
        let disk = self.0.disk();
        Ok(disk.frame_of(id).filter(|frame| !disk.is_staged(frame.head.batch)).cloned())
    }

    fn touches(&self, frame: MessageId) -> Result<Vec<LogRow>, StoreFault> {
        let disk = self.0.disk();
        let rows = disk.slices.iter().flat_map(|slice| {
            let touches = slice.touches.range((frame.0, 0)..=(frame.0, u64::MAX));
            touches.filter_map(|(_, seq)| slice.log.get(seq).map(|log| LogRow { seq: *seq, log: log.clone() }))
        });
        Ok(rows.collect())
    }

    fn log_from(&self, seq: u64, bytes_max: usize) -> Result<Vec<LogRow>, StoreFault> {
        let disk = self.0.disk();
        let mut found: Vec<LogRow> = Vec::new();
        let mut bytes = 0;
        for (seq, log) in disk.slices.iter().flat_map(|slice| slice.log.range(seq..)) {
            bytes += log.len();
            if !found.is_empty() && bytes > bytes_max {
                break;
            }
            found.push(LogRow { seq: *seq, log: log.clone() });
        }
        Ok(found)
    }

    fn answer(&self, account: &str, key: &str) -> Result<Option<Answer>, StoreFault> {
        let disk = self.0.disk();
        let key = (account.to_owned(), key.to_owned());
        Ok(disk.slices.iter().rev().find_map(|slice| slice.answers.get(&key)).cloned())
    }

    fn batch(&self, id: BatchId) -> Result<Option<BatchRow>, StoreFault> {
        Ok(self.0.disk().slices.iter().find_map(|slice| slice.batches.get(&id.0)).cloned())
    }

    fn batches(&self, account: &str, before: Option<BatchId>, limit: usize) -> Result<Vec<BatchRow>, StoreFault> {
        let disk = self.0.disk();
        let below = before.map_or(u64::MAX, |id| id.0);
        let mut found = BTreeMap::new();
        for slice in &disk.slices {
            found.extend(slice.batches.range(..below).filter(|(_, row)| row.account == account));
        }
        Ok(found.into_values().rev().take(limit).cloned().collect())
    }

    fn frames_of_batch(&self, batch: BatchId, after: Option<MessageId>, limit: usize) -> Result<Vec<FrameHead>, StoreFault> {
        let disk = self.0.disk();
        if disk.is_staged(Some(batch)) {
            return Ok(Vec::new());
        }
        let heads = disk.slices.iter().flat_map(|slice| slice.frames.values().map(|frame| &frame.head));
        let those = heads.filter(|head| head.batch == Some(batch) && after.is_none_or(|id| head.first > id));
        Ok(those.take(limit).cloned().collect())
    }

    fn closed_of_batch(&self, batch: BatchId) -> Result<Vec<Closed>, StoreFault> {
        let disk = self.0.disk();
        // Its frames end after it was complete.
        let begins = disk.slices.iter().position(|slice| slice.batches.contains_key(&batch.0)).unwrap_or(0);
        let rows = disk.slices[begins..].iter().flat_map(|slice| slice.closed.values()).filter(|closed| closed.batch == Some(batch));
        let by_frame: BTreeMap<_, _> = rows.map(|closed| (closed.frame, closed)).collect();
        Ok(by_frame.into_values().cloned().collect())
    }

    fn search(&self, key: u64, before: Option<MessageId>, limit: usize) -> Result<Vec<MessageId>, StoreFault> {
        let disk = self.0.disk();
        let below = before.map_or(u64::MAX, |id| id.0);
        let mut found: Vec<MessageId> = Vec::new();
        for slice in &disk.slices {
            found.extend(slice.keys.range((key, 0)..(key, below)).rev().take(limit).map(|(_, id)| MessageId(*id)));
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        found.truncate(limit);
        Ok(found)
    }

    fn frames_of_account(&self, account: &str, before: Option<MessageId>, limit: usize) -> Result<Vec<FrameHead>, StoreFault> {
        let disk = self.0.disk();
        let below = before.map_or(u64::MAX, |id| id.0);
        let heads = disk.slices.iter().rev().flat_map(|slice| slice.frames.range(..below).rev().map(|(_, frame)| &frame.head));
        let those = heads.filter(|head| head.lane.account == account && !disk.is_staged(head.batch));
        Ok(those.take(limit).cloned().collect())
    }

    fn frames_from(&self, from: MessageId, limit: usize) -> Result<FramePage, StoreFault> {
        let disk = self.0.disk();
        let rows: Vec<&Arc<Frame>> =
            disk.slices.iter().flat_map(|slice| slice.frames.range(from.0..).map(|(_, frame)| frame)).take(limit).collect();
        let next = rows.last().filter(|_| rows.len() == limit).map(|frame| MessageId(frame.head.first.0 + 1));
        let shown = rows.into_iter().filter(|frame| !disk.is_staged(frame.head.batch)).cloned().collect();
        Ok(FramePage { frames: shown, damaged: 0, next })
    }

    fn answers_about(&self, ids: &HashSet<u64>) -> Result<Vec<Answer>, StoreFault> {
        let is_about = |answer: &&Answer| answer.body.first_chunk::<8>().is_some_and(|id| ids.contains(&u64::from_le_bytes(*id)));
        Ok(self.0.disk().slices.iter().flat_map(|slice| slice.answers.values()).filter(is_about).cloned().collect())
    }

    fn scrub(&self, person: &Person) -> Result<Scrubbed, StoreFault> {
        self.0.disk().slices.iter_mut().for_each(|slice| slice.spent.retain(|row| !person.is_sent(row)));
        Ok(Scrubbed::Clean)
    }

    fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreFault> {
        let disk = self.0.disk();
        let from = disk.notes.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        Ok(from.take_while(|(key, _)| key.starts_with(prefix)).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn suppressions(&self, after: Option<&SuppressionKey>, limit: usize) -> Result<Vec<Suppression>, StoreFault> {
        let disk = self.0.disk();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(disk.suppressions.range::<SuppressionKey, _>((from, Bound::Unbounded)).take(limit).map(|(_, row)| row.clone()).collect())
    }

    fn spent(&self, from: Time, each: &mut dyn FnMut(Spent)) -> Result<(), StoreFault> {
        let disk = self.0.disk();
        disk.slices.iter().filter(|slice| slice.last_at >= from).flat_map(|slice| &slice.spent).for_each(|row| each(*row));
        Ok(())
    }

    fn preferences(&self, after: Option<(&str, u64)>, limit: usize) -> Result<Vec<Preference>, StoreFault> {
        let disk = self.0.disk();
        let from = after.map_or(Bound::Unbounded, |(account, number)| Bound::Excluded((account.to_owned(), number)));
        Ok(disk.preferences.range((from, Bound::Unbounded)).take(limit).map(|(_, one)| one.clone()).collect())
    }
}
