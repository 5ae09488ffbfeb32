//! The handle: which process holds it, and how its life ends.

use super::disk::{Disk, SimulatedFault};
use crate::base::Span;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A store in memory. Clones are handles of one process: they fail together at a crash.
#[derive(Clone)]
pub struct Memory {
    disk: Arc<Mutex<Disk>>,
    /// Which process this handle belongs to.
    pub(super) life: u64,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Memory {
    /// An empty store with hourly slices.
    #[must_use]
    pub fn new() -> Memory {
        Memory::with_slice(Span::secs(3_600))
    }

    /// An empty store with slices of this length.
    #[must_use]
    pub fn with_slice(slice: Span) -> Memory {
        Memory { disk: Arc::new(Mutex::new(Disk::new(slice))), life: 0 }
    }

    /// Ends the life of all handles: their commits fail from now on. What was committed stays.
    pub fn crash(&self) {
        let mut disk = self.disk();
        disk.life += 1;
        disk.next_fault = None;
    }

    /// What the next process finds: the same disk, to be recovered. Former handles are dead.
    #[must_use]
    pub fn reopen(&self) -> Memory {
        self.crash();
        let life = self.disk().life;
        Memory { disk: self.disk.clone(), life }
    }

    /// The next commit that has something to write fails so.
    pub fn fail_next_commit(&self, fault: SimulatedFault) {
        self.disk().next_fault = Some(fault);
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
