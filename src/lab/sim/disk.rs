//! The journal of a simulated gateway: the store in memory behind a disk that takes its time, runs full, fails a sync,
//! and forgets what was not synced when its machine dies.

use crate::base::{Span, Time};
use crate::lab::Chance;
use crate::storage::memory::Memory;
use crate::storage::{Archive, Group, Journal, Recovered, Rewrite, Scrubbed, StoreFault};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Commits of events that the reserve has room for, in octets.
const RESERVE: usize = 16 << 20;

/// How the disk is.
#[derive(Debug)]
pub struct Health {
    /// The least and the longest sync, in microseconds.
    pub sync_us: [u64; 2],
    /// There is no room.
    pub is_full: bool,
    /// The next commit fails; whether what it wrote is there afterwards.
    pub breaks: Option<bool>,
    chance: Chance,
}

/// A disk that outlives the processes on it. Clones are the same disk.
#[derive(Clone)]
pub struct Disk {
    memory: Memory,
    health: Arc<Mutex<Health>>,
}

impl Disk {
    /// An empty one.
    #[must_use]
    pub fn new(seed: u64, sync_us: [u64; 2]) -> Disk {
        let health = Health { sync_us, is_full: false, breaks: None, chance: Chance::new(seed ^ 0x6469_736B) };
        Disk { memory: Memory::new(), health: Arc::new(Mutex::new(health)) }
    }

    /// Its health, to be changed.
    pub fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next process opens.
    #[must_use]
    pub fn open(&self) -> SimJournal {
        SimJournal { memory: self.memory.reopen(), disk: self.clone(), unsynced: None, reserve: RESERVE }
    }
}

/// One process's hold of the disk.
pub struct SimJournal {
    memory: Memory,
    disk: Disk,
    /// Written and not yet synced, and whether the sync is being waited for.
    unsynced: Option<(Group, Option<Span>)>,
    reserve: usize,
}

impl Journal for SimJournal {
    fn recover(&mut self) -> Result<Recovered, StoreFault> {
        self.memory.recover()
    }

    fn commit(&mut self, group: &Group) -> Result<(), StoreFault> {
        let mut health = self.disk.health.lock().unwrap_or_else(PoisonError::into_inner);
        if group.is_empty() {
            return Ok(());
        }
        if health.is_full {
            let octets = group.bytes() + 256;
            if !group.frames.is_empty() || self.reserve < octets {
                return Err(StoreFault::Full);
            }
            self.reserve -= octets;
        }
        if let Some(is_written) = health.breaks.take() {
            if is_written {
                self.memory.commit(group)?;
            }
            self.memory.crash();
            return Err(StoreFault::Broken("simulated".into()));
        }
        let [least, longest] = health.sync_us;
        let takes = Span(health.chance.between(least, longest));
        drop(health);
        if takes == Span::ZERO {
            return self.memory.commit(group);
        }
        self.unsynced = Some((group.clone(), Some(takes)));
        Ok(())
    }

    fn syncing(&mut self) -> Result<Option<Span>, StoreFault> {
        match &mut self.unsynced {
            None => Ok(None),
            Some((_, rest @ Some(_))) => Ok(rest.take()),
            Some((_, None)) => {
                let (group, _) = self.unsynced.take().expect("just seen");
                self.memory.commit(&group).map(|()| None)
            }
        }
    }

    fn release_reserve(&mut self) -> bool {
        self.reserve > 0
    }
    fn restore_reserve(&mut self) {
        if !self.disk.health().is_full {
            self.reserve = RESERVE;
        }
    }
    fn upkeep(&mut self, before: Time, told: u64) -> Result<usize, StoreFault> {
        self.memory.upkeep(before, told)
    }
    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault> {
        self.memory.rewrite(rewrite)
    }
    fn seclude(&mut self) -> Result<Scrubbed, StoreFault> {
        self.memory.seclude()
    }
    fn archive(&self) -> Arc<dyn Archive> {
        self.memory.archive()
    }
}

impl Drop for SimJournal {
    /// The process has died: what was not synced is there or not.
    fn drop(&mut self) {
        let Some((group, _)) = self.unsynced.take() else { return };
        if self.disk.health().chance.hit(0.5) {
            // A dead handle refuses, as it should: then it was not there.
            let _ = self.memory.commit(&group);
        }
    }
}
