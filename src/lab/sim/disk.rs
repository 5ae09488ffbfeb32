//! The journal of a simulated gateway: the store in memory behind a disk that takes its time, runs full, fails a sync,
//! and forgets what was not synced when its machine dies.

use super::coverage::Coverage;
use crate::base::{Span, Time};
use crate::lab::Chance;
use crate::lab::points::{End, Points, Spot};
use crate::storage::memory::Memory;
use crate::storage::{Archive, Group, Journal, Recovered, Rewrite, Scrubbed, StoreFault};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A sync that a dead process waits for.
const NEVER: Span = Span::secs(1 << 30);
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
    points: Option<Points>,
    coverage: Coverage,
}

impl Disk {
    /// An empty one, on which processes die at `points`.
    #[must_use]
    pub fn new(seed: u64, sync_us: [u64; 2], points: Option<Points>) -> Disk {
        let health = Health { sync_us, is_full: false, breaks: None, chance: Chance::new(seed ^ 0x6469_736B) };
        Disk { memory: Memory::new(), health: Arc::new(Mutex::new(health)), points, coverage: Coverage::default() }
    }

    /// What was written; counted only where processes die at points.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    fn passes(&self, spot: Spot) -> bool {
        self.points.as_ref().is_none_or(|points| !points.pass(spot))
    }

    /// Whether the process that has the disk is dead and does not know.
    fn is_struck(&self) -> bool {
        self.points.as_ref().is_some_and(Points::is_struck)
    }

    /// A change of its own, which takes no time; the dead make none.
    fn change<T>(&self, nothing: T, change: impl FnOnce() -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        if self.is_struck() || !self.passes(Spot::UpkeepBegins) {
            return Ok(nothing);
        }
        let done = change();
        let _ = self.passes(Spot::UpkeepDone);
        done
    }

    /// Its health, to be changed.
    pub fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next process opens.
    #[must_use]
    pub fn open(&self) -> SimJournal {
        SimJournal { memory: self.memory.reopen(), disk: self.clone(), unsynced: None, reserve: RESERVE, is_dead: false }
    }
}

/// One process's hold of the disk.
pub struct SimJournal {
    memory: Memory,
    disk: Disk,
    /// Written and not yet synced, and whether the sync is being waited for.
    unsynced: Option<(Group, Option<Span>)>,
    reserve: usize,
    is_dead: bool,
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
        if self.disk.is_struck() || !self.disk.passes(Spot::CommitBegins) {
            self.is_dead = true;
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
        if self.disk.points.is_some() {
            self.disk.coverage.note(group);
        }
        if takes == Span::ZERO && self.disk.points.is_none() {
            return self.memory.commit(group);
        }
        self.unsynced = Some((group.clone(), Some(takes)));
        self.is_dead = !self.disk.passes(Spot::CommitWritten);
        Ok(())
    }

    fn syncing(&mut self) -> Result<Option<Span>, StoreFault> {
        if self.is_dead || self.disk.is_struck() {
            // It will hear no more of it.
            return Ok(Some(NEVER));
        }
        match &mut self.unsynced {
            None => Ok(None),
            Some((_, rest @ Some(_))) => Ok(rest.take()),
            Some((_, None)) => {
                let (group, _) = self.unsynced.take().expect("just seen");
                self.memory.commit(&group)?;
                Ok((!self.disk.passes(Spot::CommitSynced)).then_some(NEVER))
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
        if self.disk.is_struck() {
            return Ok(0);
        }
        // What finds nothing to remove leaves nothing behind.
        let removed = self.memory.upkeep(before, told)?;
        let _ = removed > 0 && !self.disk.passes(Spot::UpkeepDone);
        Ok(removed)
    }
    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault> {
        let memory = &mut self.memory;
        self.disk.change((), || memory.rewrite(rewrite))
    }
    fn seclude(&mut self) -> Result<Scrubbed, StoreFault> {
        let memory = &mut self.memory;
        self.disk.change(Scrubbed::Clean, || memory.seclude())
    }
    fn archive(&self) -> Arc<dyn Archive> {
        self.memory.archive()
    }
}

impl Drop for SimJournal {
    /// The process has died: what was not synced is there or not.
    fn drop(&mut self) {
        let Some((group, _)) = self.unsynced.take() else { return };
        let is_there = match &self.disk.points {
            // A kill leaves what was written to the file; a power cut, at a point, takes all it may.
            Some(points) if points.is_struck() => points.end() == End::Killed,
            _ => self.disk.health().chance.hit(0.5),
        };
        if is_there {
            // A dead handle refuses, as it should: then it was not there.
            let _ = self.memory.commit(&group);
        }
    }
}
