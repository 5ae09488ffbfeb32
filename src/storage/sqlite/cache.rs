//! Decoded frames, the least recently used dropped first, bounded by octets. Shared by the writer, which puts in
//! what it commits, and the readers. Locked per frame, never per message.

use crate::base::MessageId;
use crate::storage::frame::Frame;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The cache of frames.
pub(super) struct FrameCache {
    bytes_max: usize,
    bytes: usize,
    tick: u64,
    by_first: BTreeMap<u64, (u64, Arc<Frame>)>,
    by_use: BTreeMap<u64, u64>,
}

/// What a frame takes in memory, about.
fn weight(frame: &Frame) -> usize {
    frame.body.len() + frame.places.len() * 8 + 256
}

impl FrameCache {
    pub(super) fn new(bytes_max: usize) -> FrameCache {
        FrameCache { bytes_max, bytes: 0, tick: 0, by_first: BTreeMap::new(), by_use: BTreeMap::new() }
    }

    /// Puts a frame in; one that is larger than the whole cache is left out.
    pub(super) fn put(&mut self, frame: Arc<Frame>) {
        let first = frame.head.first.0;
        self.remove(first);
        let size = weight(&frame);
        if size > self.bytes_max {
            return;
        }
        self.tick += 1;
        self.bytes += size;
        self.by_use.insert(self.tick, first);
        self.by_first.insert(first, (self.tick, frame));
        while self.bytes > self.bytes_max {
            let (_, oldest) = self.by_use.pop_first().expect("octets are counted for frames that are there");
            self.forget(oldest);
        }
    }

    /// The frame of this name.
    pub(super) fn get(&mut self, first: MessageId) -> Option<Arc<Frame>> {
        self.tick += 1;
        let tick = self.tick;
        let (used, frame) = self.by_first.get_mut(&first.0)?;
        self.by_use.remove(used);
        *used = tick;
        self.by_use.insert(tick, first.0);
        Some(frame.clone())
    }

    /// The frame that holds this message.
    pub(super) fn holder(&mut self, id: MessageId) -> Option<Arc<Frame>> {
        let (first, (_, frame)) = self.by_first.range(..=id.0).next_back()?;
        if id.0 - first >= u64::from(frame.head.count) {
            return None;
        }
        self.get(MessageId(*first))
    }

    /// Drops a frame, if it is there.
    pub(super) fn remove(&mut self, first: u64) {
        if let Some((used, _)) = self.by_first.get(&first) {
            self.by_use.remove(used);
            self.forget(first);
        }
    }

    /// Drops the frames of a range of ids.
    pub(super) fn remove_range(&mut self, range: std::ops::Range<u64>) {
        if range.is_empty() {
            return;
        }
        let firsts: Vec<u64> = self.by_first.range(range).map(|(first, _)| *first).collect();
        firsts.into_iter().for_each(|first| self.remove(first));
    }

    fn forget(&mut self, first: u64) {
        if let Some((_, frame)) = self.by_first.remove(&first) {
            self.bytes -= weight(&frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::storage::frame::{FrameHead, Lane};
    use bytes::Bytes;

    fn frame(first: u64) -> Arc<Frame> {
        let lane = Lane { carrier: "c".into(), account: "a".into(), priority: 1 };
        let head = FrameHead {
            first: MessageId(first),
            count: 10,
            seq: 1,
            lane,
            batch: None,
            accepted: Time(0),
            expires: Time(1),
            due: Time(0),
            why: 0,
        };
        Arc::new(Frame::new(head, Bytes::from(vec![0; 10])).expect("ten empty records"))
    }

    #[test]
    fn the_least_recently_used_goes_first_and_octets_are_counted_once() {
        let size = weight(&frame(0));
        let mut cache = FrameCache::new(size * 2);
        cache.put(frame(100));
        cache.put(frame(200));
        cache.put(frame(200));
        assert!(cache.get(MessageId(100)).is_some());
        cache.put(frame(300));
        assert!(cache.get(MessageId(200)).is_none());
        assert_eq!(cache.holder(MessageId(109)).map(|f| f.head.first), Some(MessageId(100)));
        assert!(cache.holder(MessageId(110)).is_none());
        cache.remove(100);
        cache.remove(300);
        assert_eq!((cache.bytes, cache.by_first.len(), cache.by_use.len()), (0, 0, 0));
    }

    #[test]
    fn a_frame_larger_than_the_cache_is_left_out() {
        let mut cache = FrameCache::new(5);
        cache.put(frame(1));
        assert!(cache.get(MessageId(1)).is_none());
    }
}
