//! Reading the archive from an asynchronous task: its calls block, so they run on a blocking thread (or in
//! place, in a simulation). Frames lately used or accepted are kept on a shelf that all readers share, so that
//! the ordinary path reads nothing.

use crate::base::MessageId;
use crate::storage::{Archive, Frame, LogRow, StoreFault};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Where blocking calls run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Calls {
    /// On the runtime's blocking threads.
    Threads,
    /// In place: the simulator's store never blocks.
    Direct,
}

#[derive(Default)]
struct Generations {
    young: HashMap<u64, Arc<Frame>, RandomState>,
    old: HashMap<u64, Arc<Frame>, RandomState>,
    young_bytes: usize,
}

/// Frames in memory: two generations; a frame used while old is young again, the rest of the old is dropped when
/// the young have grown to half the bound.
pub struct Shelf {
    frames: Mutex<Generations>,
    bytes_max: usize,
    /// Counts the frames that were replaced: what was read before is not put here after.
    replaced: AtomicU64,
}

impl Shelf {
    /// Keeps roughly so many octets of frames.
    #[must_use]
    pub fn new(bytes_max: usize) -> Shelf {
        Shelf { frames: Mutex::default(), bytes_max, replaced: AtomicU64::new(0) }
    }

    /// Puts a frame on the shelf: the journal's writer does, after a commit.
    pub fn put(&self, frame: Arc<Frame>) {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).insert(frame, self.bytes_max);
    }

    /// Puts frames on the shelf that were read while `replaced` was so.
    fn put_read(&self, read: &[(MessageId, Arc<Frame>)], replaced: u64) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if self.replaced.load(Ordering::Acquire) == replaced {
            read.iter().for_each(|(_, frame)| frames.insert(frame.clone(), self.bytes_max));
        }
    }

    /// Puts a frame in the place of the one that is here, if one is.
    pub fn replace(&self, frame: Arc<Frame>) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        self.replaced.fetch_add(1, Ordering::AcqRel);
        let first = frame.head.first.0;
        let Generations { young, old, .. } = &mut *frames;
        [young, old].into_iter().filter_map(|frames| frames.get_mut(&first)).for_each(|one| *one = frame.clone());
    }

    /// The frames that are here, ascending, and the ids of the others. `ids` ascend.
    fn pick(&self, ids: &[MessageId]) -> (Vec<(MessageId, Arc<Frame>)>, Vec<MessageId>) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut found, mut missing) = (Vec::with_capacity(ids.len()), Vec::new());
        for id in ids {
            match frames.find(*id, self.bytes_max) {
                Some(frame) => found.push((*id, frame)),
                None => missing.push(*id),
            }
        }
        (found, missing)
    }
}

impl Generations {
    fn find(&mut self, id: MessageId, bytes_max: usize) -> Option<Arc<Frame>> {
        if let Some(frame) = self.young.get(&id.0) {
            return Some(frame.clone());
        }
        let frame = self.old.remove(&id.0)?;
        self.insert(frame.clone(), bytes_max);
        Some(frame)
    }

    fn insert(&mut self, frame: Arc<Frame>, bytes_max: usize) {
        let bytes = frame.body.len() + frame.places.len() * 8 + 256;
        if self.young.insert(frame.head.first.0, frame).is_none() {
            self.young_bytes += bytes;
        }
        if self.young_bytes > bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// Reads the archive for a task.
#[derive(Clone)]
pub struct Reader {
    archive: Arc<dyn Archive>,
    shelf: Arc<Shelf>,
    calls: Calls,
}

impl Reader {
    /// A reader; the shelf is shared by all of a process.
    #[must_use]
    pub fn new(archive: Arc<dyn Archive>, shelf: Arc<Shelf>, calls: Calls) -> Reader {
        Reader { archive, shelf, calls }
    }

    /// Makes one call where it may block.
    pub async fn call<T: Send + 'static>(&self, call: impl FnOnce(&dyn Archive) -> T + Send + 'static) -> T {
        if self.calls == Calls::Direct {
            return call(&*self.archive);
        }
        // On a thread with other workers beside it the call is made at once and the others take over what else is to do:
        // no second thread must be woken before the answer, and none after it.
        if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
            return tokio::task::block_in_place(|| call(&*self.archive));
        }
        let archive = self.archive.clone();
        match tokio::task::spawn_blocking(move || call(&*archive)).await {
            Ok(value) => value,
            Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
            // The runtime is shutting down; this task will not be polled again.
            Err(_) => std::future::pending().await,
        }
    }

    /// The frames among `ids` (ascending) that exist, ascending. One that is damaged does not exist.
    pub async fn frames(&self, ids: &[MessageId]) -> Result<Vec<(MessageId, Arc<Frame>)>, StoreFault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (mut found, missing) = self.shelf.pick(ids);
        if missing.is_empty() {
            return Ok(found);
        }
        let read = move |archive: &dyn Archive| {
            let mut frames = Vec::with_capacity(missing.len());
            for id in missing {
                match archive.frame(id) {
                    Ok(Some(frame)) => frames.push((id, frame)),
                    Ok(None) | Err(StoreFault::Damaged { .. }) => {}
                    Err(fault) => return Err(fault),
                }
            }
            Ok(frames)
        };
        let replaced = self.shelf.replaced.load(Ordering::Acquire);
        let mut read = self.call(read).await?;
        self.shelf.put_read(&read, replaced);
        found.append(&mut read);
        found.sort_unstable_by_key(|(id, _)| *id);
        Ok(found)
    }

    /// See `Archive::log_from`.
    pub async fn log_from(&self, seq: u64, bytes_max: usize) -> Result<Vec<LogRow>, StoreFault> {
        self.call(move |archive| archive.log_from(seq, bytes_max)).await
    }

    /// See `Archive::touches`.
    pub async fn touches(&self, frame: MessageId) -> Result<Vec<LogRow>, StoreFault> {
        self.call(move |archive| archive.touches(frame)).await
    }

    /// See `Archive::notes`.
    pub async fn notes(&self, prefix: String) -> Result<Vec<(String, Vec<u8>)>, StoreFault> {
        self.call(move |archive| archive.notes(&prefix)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::storage::{FrameHead, Lane};

    fn frame(id: u64, bytes: usize) -> Arc<Frame> {
        let lane = Lane { carrier: "c".into(), account: "a".into(), priority: 1 };
        let head = FrameHead {
            first: MessageId(id),
            count: 0,
            seq: 1,
            lane,
            batch: None,
            accepted: Time(0),
            expires: Time(0),
            due: Time(0),
            why: 0,
        };
        Arc::new(Frame { head, body: vec![0; bytes].into(), places: Box::new([]) })
    }

    #[test]
    fn the_shelf_keeps_what_is_used_and_stays_within_its_bound() {
        let shelf = Shelf::new(20_000);
        for id in 1..=100 {
            shelf.put(frame(id, 1_000));
            let (found, missing) = shelf.pick(&[MessageId(1)]);
            assert_eq!((found.len(), missing.len()), (1, 0), "used each time: stays");
        }
        let ids: Vec<MessageId> = (1..=100).map(MessageId).collect();
        let (found, missing) = shelf.pick(&ids);
        assert!((5..=20).contains(&found.len()), "{}", found.len());
        assert_eq!(found.len() + missing.len(), 100);
    }
}
