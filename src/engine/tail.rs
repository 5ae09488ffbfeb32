//! The last committed rows in memory, for whoever follows the journal near its head (webhooks, event streams).
//! Not durable and not complete: a follower that fell behind reads the archive. Cannot fail.

use crate::message::event::Event;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Rows handed out by one read.
const READ_ROWS_MAX: usize = 128;

/// A row of the log, read.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its position.
    pub seq: u64,
    /// What happened, in order; empty for a commit without events.
    pub events: Arc<Vec<Event>>,
}

/// What lies after a position.
#[derive(Clone, Debug)]
pub enum TailRead {
    /// The next rows, in order, at least one. Positions that are missing had no events.
    Rows(Vec<Row>),
    /// Some rows after it are no longer here: read the archive.
    Behind,
    /// Nothing.
    UpToDate,
}

struct Ring {
    rows: VecDeque<(Row, usize)>,
    bytes: usize,
    /// Everything after this position is in `rows`.
    floor: u64,
    head: u64,
}

/// The last rows, shared.
pub struct Tail {
    ring: Mutex<Ring>,
    changed: Notify,
    rows_max: usize,
    bytes_max: usize,
}

impl Tail {
    /// For a journal whose last position is `head`; keeps at most so many rows and roughly so many octets.
    #[must_use]
    pub fn new(head: u64, rows_max: usize, bytes_max: usize) -> Tail {
        let ring = Ring { rows: VecDeque::new(), bytes: 0, floor: head, head };
        Tail { ring: Mutex::new(ring), changed: Notify::new(), rows_max: rows_max.max(1), bytes_max }
    }

    /// Adds a commit's events; called by the journal's writer after each commit, in order.
    pub fn publish(&self, seq: u64, events: Arc<Vec<Event>>) {
        let bytes = weight(&events);
        {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(seq > ring.head, "commits are published in their order");
            ring.head = seq;
            ring.bytes += bytes;
            ring.rows.push_back((Row { seq, events }, bytes));
            while ring.rows.len() > self.rows_max || (ring.bytes > self.bytes_max && ring.rows.len() > 1) {
                let (row, bytes) = ring.rows.pop_front().expect("more rows than allowed");
                ring.bytes -= bytes;
                ring.floor = row.seq;
            }
        }
        self.changed.notify_waiters();
    }

    /// Keeps no row any more: who follows reads the archive.
    pub fn forget(&self) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.rows.clear();
        (ring.bytes, ring.floor) = (0, ring.head);
    }

    /// The last position that was published.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).head
    }

    /// What lies after `seq`.
    #[must_use]
    pub fn after(&self, seq: u64) -> TailRead {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if seq >= ring.head {
            return TailRead::UpToDate;
        }
        if seq < ring.floor {
            return TailRead::Behind;
        }
        let from = ring.rows.partition_point(|(row, _)| row.seq <= seq);
        TailRead::Rows(ring.rows.range(from..).take(READ_ROWS_MAX).map(|(row, _)| row.clone()).collect())
    }

    /// Waits until something lies after `seq`.
    pub async fn changed(&self, seq: u64) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before the look, so that no publication falls between the two.
            changed.as_mut().enable();
            if self.head() > seq {
                return;
            }
            changed.await;
        }
    }
}

/// Roughly the octets a row keeps alive.
fn weight(events: &[Event]) -> usize {
    let own = |event: &Event| match event {
        Event::Leased { messages, .. } => messages.len() * 24,
        Event::Submitted { carrier_id, .. } => carrier_id.len(),
        Event::Inbound { text, .. } => text.len() + 64,
        Event::InboundPart(part) => part.piece.octets.len() + size_of_val(&**part),
        Event::Receipt { error, .. } => error.len(),
        _ => 32,
    };
    64 + std::mem::size_of_val(events) + events.iter().map(own).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;

    fn row(n: i64) -> Arc<Vec<Event>> {
        Arc::new(vec![Event::OrphanGone { carrier: "one".into(), carrier_id: "x".into(), when: Time(n) }])
    }
    fn seqs(read: TailRead) -> Vec<u64> {
        match read {
            TailRead::Rows(rows) => rows.iter().map(|row| row.seq).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_follower_reads_what_is_kept_and_learns_when_it_fell_behind() {
        let tail = Tail::new(10, 3, usize::MAX);
        assert!(matches!(tail.after(9), TailRead::Behind));
        assert!(matches!(tail.after(10), TailRead::UpToDate));
        for seq in [11, 12, 14] {
            tail.publish(seq, row(0));
        }
        assert_eq!(seqs(tail.after(10)), [11, 12, 14]);
        assert_eq!(seqs(tail.after(13)), [14]);
        tail.publish(15, row(0));
        assert!(matches!(tail.after(10), TailRead::Behind));
        assert_eq!(seqs(tail.after(11)), [12, 14, 15]);
        assert!(matches!(tail.after(15), TailRead::UpToDate));
    }

    #[test]
    fn octets_bound_it_too_but_the_last_row_always_stays() {
        let tail = Tail::new(0, 1_000, 1);
        tail.publish(1, row(0));
        tail.publish(2, row(0));
        assert!(matches!(tail.after(0), TailRead::Behind));
        assert_eq!(seqs(tail.after(1)), [2]);
    }

    #[tokio::test]
    async fn a_waiting_follower_wakes_when_a_row_comes_and_at_once_when_one_is_there() {
        let tail = Arc::new(Tail::new(0, 10, usize::MAX));
        let (waiting, shared) = (
            tokio::spawn({
                let tail = tail.clone();
                async move { tail.changed(0).await }
            }),
            tail.clone(),
        );
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        shared.publish(1, row(0));
        waiting.await.expect("woken");
        tail.changed(0).await;
    }
}
