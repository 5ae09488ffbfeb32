//! The writer's side in memory.

use crate::base::{BatchId, Time};
use crate::storage::memory::archive::Reader;
use crate::storage::memory::disk::{SimulatedFault, Slice};
use crate::storage::memory::store::Memory;
use crate::storage::port::{Archive, Group, Journal, Recovered, Rewrite, Scrubbed, StoreFault};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Memory {
    fn dead(&self) -> Result<(), StoreFault> {
        let alive = self.disk().life == self.life;
        if alive { Ok(()) } else { Err(StoreFault::Broken("this process has ended".into())) }
    }
}

impl Journal for Memory {
    fn recover(&mut self) -> Result<Recovered, StoreFault> {
        self.dead()?;
        let mut disk = self.disk();
        let unfinished: Vec<BatchId> = disk.staged.keys().copied().collect();
        for id in unfinished {
            disk.drop_bulk(id);
            disk.staged.remove(&id);
        }
        if crate::base::planted::is("last-commit-lost") {
            disk.slices.last_mut().map(|slice| slice.log.pop_last());
        }
        let open_in = |slice: &Slice| slice.open.iter().copied().collect::<BTreeSet<u64>>();
        let open = disk.slices.iter().flat_map(|slice| open_in(slice).into_iter().filter_map(|first| slice.frames.get(&first)));
        let open: Vec<_> = open.map(|frame| frame.head.clone()).collect();
        Ok(Recovered {
            last_seq: disk.last_seq,
            last_id: disk.last_id,
            last_at: disk.last_at,
            replay_from: open.iter().map(|head| head.seq).min().unwrap_or(disk.last_seq + 1),
            open,
            damage: Vec::new(),
            people_lost: false,
            notes_lost: false,
            spent_lost: false,
        })
    }

    fn commit(&mut self, group: &Group) -> Result<(), StoreFault> {
        self.dead()?;
        if group.is_empty() {
            return Ok(());
        }
        let mut disk = self.disk();
        let fault = disk.next_fault.take();
        if matches!(fault, None | Some(SimulatedFault::BrokenButWritten)) {
            disk.write(group);
        }
        match fault {
            None => Ok(()),
            Some(SimulatedFault::Full) => Err(StoreFault::Full),
            Some(SimulatedFault::Broken | SimulatedFault::BrokenButWritten) => {
                // INV-3: no commit of this process succeeds any more.
                disk.life += 1;
                Err(StoreFault::Broken("simulated".into()))
            }
        }
    }

    fn release_reserve(&mut self) -> bool {
        std::mem::take(&mut self.disk().reserve)
    }

    fn restore_reserve(&mut self) {
        self.disk().reserve = true;
    }

    fn check(&mut self) -> Result<(), StoreFault> {
        self.dead()
    }

    fn upkeep(&mut self, before: Time, told: u64) -> Result<usize, StoreFault> {
        self.dead()?;
        Ok(self.disk().remove_old(before, told))
    }

    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault> {
        self.dead()?;
        self.disk().rewrite(rewrite);
        Ok(())
    }

    fn seclude(&mut self) -> Result<Scrubbed, StoreFault> {
        self.dead().map(|()| Scrubbed::Clean)
    }

    fn archive(&self) -> Arc<dyn Archive> {
        Arc::new(Reader(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;

    fn group(seq: u64) -> Group {
        Group { seq, at: Time(seq as i64), log: vec![seq as u8], ..Group::default() }
    }

    #[test]
    fn a_simulated_fault_strikes_once_and_a_broken_handle_stays_broken() {
        let memory = Memory::new();
        let mut journal = memory.clone();
        memory.fail_next_commit(SimulatedFault::Full);
        assert!(matches!(journal.commit(&group(1)), Err(StoreFault::Full)));
        assert!(journal.commit(&group(1)).is_ok());
        memory.fail_next_commit(SimulatedFault::BrokenButWritten);
        assert!(matches!(journal.commit(&group(2)), Err(StoreFault::Broken(_))));
        assert!(matches!(journal.commit(&group(2)), Err(StoreFault::Broken(_))));
        let mut next = memory.reopen();
        assert_eq!(next.recover().map(|found| found.last_seq).ok(), Some(2));
        assert!(next.commit(&group(3)).is_ok());
        assert!(journal.commit(&group(4)).is_err());
    }

    #[test]
    fn a_crash_keeps_what_was_committed_and_ends_every_handle() {
        let memory = Memory::new();
        assert!(memory.clone().commit(&group(1)).is_ok());
        memory.crash();
        assert!(memory.clone().commit(&group(2)).is_err());
        assert_eq!(memory.reopen().recover().map(|found| found.last_seq).ok(), Some(1));
    }
}
