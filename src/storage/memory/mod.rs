//! The store in memory: tests and the simulator. What a commit has returned survives `crash`; nothing else does.
//!
//! It cuts time into slices and keeps the same promises as `sqlite`; it has no files, damage or formats.

mod archive;
mod disk;
mod journal;

use crate::base::Span;
use disk::Disk;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong with a simulated disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SimulatedFault {
    /// No room: the group is not committed, the handle goes on.
    Full,
    /// The write failed and nothing of it lasts; the handle is of no more use.
    Broken,
    /// The write failed after it had reached the disk: reopened, the group is there. Nobody was told.
    BrokenButWritten,
}

/// A store in memory. Clones are handles of one process: they fail together at a crash.
#[derive(Clone)]
pub struct Memory {
    disk: Arc<Mutex<Disk>>,
    /// Which process this handle belongs to.
    life: u64,
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

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
