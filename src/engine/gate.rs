//! The gate new messages come through: what shards say of their carriers, and the governor that judges by it
//! (`pipeline::accept::govern`). Shards store, requests read; a lock is taken only while messages are held up.

use crate::base::{Bucket, Mono, Span};
use crate::pipeline::accept::{Bringing, Governor};
use crate::world::World;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The longest the first in line waits between two looks.
const LOOK_MAX: Span = Span::millis(50);

/// KiB a second of refused bodies that are read, to be dropped. Reading is most of what a refusal costs: a flood that is
/// refused as fast as it comes would take the cores all the same. Its senders wait instead, their octets in sockets.
const REFUSED_KIB: f64 = 32.0 * 1_024.0;
/// KiB at once: single refusals are not slowed.
const REFUSED_BURST: u32 = 8 * 1_024;

/// What a shard says of one carrier.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// Messages that wait for us and not for the carrier.
    pub(crate) ahead: AtomicU64,
    /// Messages that have left, a running total.
    pub(crate) left: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub struct Gate {
    cells: Vec<Cell>,
    /// Up to so many waiting messages the governor need not be asked.
    open_below: u64,
    governor: Mutex<Governor>,
    /// Those who wait stand in line, new bulks and those being read each in theirs: only the first looks again, and a
    /// flood of waiting bulks costs nothing.
    door: tokio::sync::Mutex<()>,
    inside: tokio::sync::Mutex<()>,
    /// Admits the reading of refused bodies, in KiB.
    refused: Mutex<Bucket>,
}

impl Gate {
    /// For so many carriers; the bounds are the governor's.
    #[must_use]
    pub fn new(carriers: usize, ahead_max: u64, accept_min: u64) -> Gate {
        let cells = (0..carriers).map(|_| Cell::default()).collect();
        Gate {
            cells,
            open_below: Governor::open_below(ahead_max),
            governor: Mutex::new(Governor::new(ahead_max, accept_min)),
            door: tokio::sync::Mutex::default(),
            inside: tokio::sync::Mutex::default(),
            refused: Mutex::new(Bucket::new(REFUSED_KIB, REFUSED_BURST)),
        }
    }

    pub(crate) fn cell(&self, carrier: usize) -> &Cell {
        &self.cells[carrier]
    }

    fn ahead(&self) -> u64 {
        self.cells.iter().map(|cell| cell.ahead.load(Relaxed)).sum()
    }

    fn is_open(&self) -> bool {
        self.ahead() <= self.open_below
    }

    /// See `Governor::ask`.
    pub(crate) fn ask(&self, who: Bringing, messages: u32, now: Mono) -> Result<(), Span> {
        let ahead = self.ahead();
        if ahead <= self.open_below {
            return Ok(());
        }
        let left = self.cells.iter().map(|cell| cell.left.load(Relaxed)).sum();
        self.governor.lock().unwrap_or_else(PoisonError::into_inner).ask(who, messages, ahead, left, now)
    }
}

impl Gate {
    /// Waits at the door until a bulk that brings about so many messages may come, or for as long as it has patience.
    ///
    /// # Errors
    /// How long until it is worth asking again.
    pub(crate) async fn wait(&self, world: &World, messages: u32, patience: Span) -> Result<(), Span> {
        if self.is_open() {
            return Ok(());
        }
        let first = async {
            let _first = self.door.lock().await;
            self.first(world, messages).await;
        };
        tokio::time::timeout(patience.std(), first).await.map_err(|_| patience)
    }

    /// Waits until so many more messages of a bulk that is being read may come.
    pub(crate) async fn pace(&self, world: &World, messages: u32) {
        if !self.is_open() {
            let _first = self.inside.lock().await;
            self.first(world, messages).await;
        }
    }

    /// How long until so many octets of a refused body may be read; they are counted.
    pub(crate) fn refuse(&self, octets: u64, now: Mono) -> Span {
        let mut bucket = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = bucket.wait(now);
        bucket.take(now, u32::try_from(octets.div_ceil(1_024)).unwrap_or(u32::MAX));
        wait
    }

    async fn first(&self, world: &World, messages: u32) {
        while let Err(wait) = self.ask(Bringing::Bulk, messages, world.mono()) {
            // Looked at again soon: what waits may be gone by then.
            tokio::time::sleep(wait.min(LOOK_MAX).std()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_added_up_and_the_gate_is_open_until_they_are_behind() {
        let gate = Gate::new(2, 400, 1);
        for (carrier, ahead, is_open) in [(0, 60, true), (1, 40, true), (1, 41, false), (0, 0, true)] {
            gate.cell(carrier).ahead.store(ahead, Relaxed);
            let came = (0..10).filter(|_| gate.ask(Bringing::Bulk, 1_000, Mono(1_000_000)).is_ok()).count();
            assert_eq!(came == 10, is_open, "{carrier} {ahead}");
        }
    }

    #[test]
    fn refused_bodies_wait_for_those_before_them_beyond_the_first_eight_mebibytes() {
        let (gate, now) = (Gate::new(1, 4, 1), Mono(1_000_000));
        let waits: Vec<u64> = (0..6).map(|_| gate.refuse(4 << 20, now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 125, 250, 375]);
        assert_eq!(gate.refuse(1, now + Span::secs(1)), Span::ZERO, "and are paid off");
    }

    #[tokio::test]
    async fn a_bulk_is_refused_when_its_patience_in_line_is_over_and_none_waits_at_an_open_gate() {
        let (gate, world) = (Gate::new(1, 4, 1), World::real());
        gate.pace(&world, u32::MAX).await;
        gate.cell(0).ahead.store(2, Relaxed);
        // What is begun is taken whole; it is owed for days.
        gate.pace(&world, 1_000_000).await;
        assert_eq!(gate.wait(&world, 1, Span::millis(1)).await, Err(Span::millis(1)));
        gate.cell(0).ahead.store(1, Relaxed);
        assert_eq!(gate.wait(&world, 1, Span::secs(3_600)).await, Ok(()));
    }
}
