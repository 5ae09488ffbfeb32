//! The gate new messages come through: what shards say of their carriers, and the governor that judges by it
//! (`pipeline::accept::govern`). Shards store, requests read; a lock is taken only while messages are held up.

use crate::base::{Mono, Span};
use crate::pipeline::accept::{Bringing, Governor};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

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
}

impl Gate {
    /// For so many carriers; the bounds are the governor's.
    #[must_use]
    pub fn new(carriers: usize, ahead_max: u64, accept_min: u64) -> Gate {
        let cells = (0..carriers).map(|_| Cell::default()).collect();
        Gate { cells, open_below: Governor::open_below(ahead_max), governor: Mutex::new(Governor::new(ahead_max, accept_min)) }
    }

    pub(crate) fn cell(&self, carrier: usize) -> &Cell {
        &self.cells[carrier]
    }

    /// See `Governor::ask`.
    pub(crate) fn ask(&self, who: Bringing, messages: u32, now: Mono) -> Result<(), Span> {
        let ahead = self.cells.iter().map(|cell| cell.ahead.load(Relaxed)).sum();
        if ahead <= self.open_below {
            return Ok(());
        }
        let left = self.cells.iter().map(|cell| cell.left.load(Relaxed)).sum();
        self.governor.lock().unwrap_or_else(PoisonError::into_inner).ask(who, messages, ahead, left, now)
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
}
