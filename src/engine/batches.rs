//! The counters of bulks that still have open messages. Shards post what moved once per commit; the API reads.
//! Bulks that are over are counted from the journal's closed frames.

use crate::base::BatchId;
use crate::message::Status;
use crate::message::outcome::Tally;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// How a bulk's counters moved, by status.
pub type Shift = [i64; Status::ALL.len()];

/// See the module.
#[derive(Debug, Default)]
pub struct Batches {
    live: Mutex<HashMap<BatchId, Shift>>,
}

impl Batches {
    /// Messages of a bulk became live, standing so.
    pub fn open(&self, batch: BatchId, tally: &Tally) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = live.entry(batch).or_default();
        for (counter, number) in counters.iter_mut().zip(tally.0) {
            *counter += i64::from(number);
        }
    }

    /// What a commit moved. A bulk whose messages are all final is forgotten here: its frames are closed.
    pub fn shift(&self, shifts: &BTreeMap<BatchId, Shift>) {
        if shifts.is_empty() {
            return;
        }
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        for (batch, shift) in shifts {
            let Some(counters) = live.get_mut(batch) else { continue };
            let skipped = usize::from(crate::base::planted::is("batch-counters-off"));
            for (counter, moved) in counters.iter_mut().zip(shift).skip(skipped) {
                *counter += moved;
            }
            let open: i64 = Status::ALL.iter().filter(|status| !status.is_final()).map(|status| counters[*status as usize]).sum();
            if open == 0 {
                live.remove(batch);
            }
        }
    }

    /// Where a bulk's messages stand; `None` when all are final (or it was never here).
    #[must_use]
    pub fn get(&self, batch: BatchId) -> Option<Tally> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = live.get(&batch)?;
        let mut tally = Tally::default();
        for (number, counter) in tally.0.iter_mut().zip(counters) {
            *number = u32::try_from(*counter).unwrap_or(0);
        }
        Some(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_move_and_a_finished_bulk_is_forgotten() {
        let batches = Batches::default();
        let mut tally = Tally::default();
        tally.0[0] = 2;
        batches.open(BatchId(1), &tally);
        let mut shift: Shift = [0; Status::ALL.len()];
        shift[Status::Accepted as usize] = -2;
        shift[Status::Delivered as usize] = 1;
        shift[Status::Sent as usize] = 1;
        batches.shift(&BTreeMap::from([(BatchId(1), shift)]));
        assert_eq!(batches.get(BatchId(1)).map(|tally| (tally.total(), tally.of(Status::Delivered))), Some((2, 1)));
        let mut last: Shift = [0; Status::ALL.len()];
        last[Status::Sent as usize] = -1;
        last[Status::Unknown as usize] = 1;
        batches.shift(&BTreeMap::from([(BatchId(1), last)]));
        assert_eq!(batches.get(BatchId(1)), None);
    }
}
