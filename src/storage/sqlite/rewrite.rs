//! The parts of a rewrite on the writer's side: first the search keys, wherever their runs lie, then the rows. In that
//! order a process that is killed between finds the rows again and begins anew.

use super::Sqlite;
use crate::base::Time;
use crate::storage::port::{Rewrite, Scrubbed, StoreFault};
use crate::storage::sqlite::erase;
use crate::storage::sqlite::people::People;
use crate::storage::sqlite::search::Run;
use crate::storage::sqlite::slice;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

impl Sqlite {
    /// See `Journal::rewrite`.
    pub(super) fn put(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault> {
        self.store.check_sound()?;
        if self.people.as_ref().is_some_and(People::is_behind) {
            return Err(StoreFault::Full);
        }
        self.unfile(rewrite)?;
        let done = self.replace(rewrite).map_err(|error| slice::write_fault(&error));
        done.map_err(|fault| self.store.note_fault(fault))?;
        let people = self.people.as_ref().expect("recovered before");
        if rewrite.people.is_empty() {
            return Ok(());
        }
        self.people_removed = true;
        people.remove(&rewrite.people).map_err(|fault| self.store.note_fault(fault))
    }

    /// See `Journal::seclude`.
    pub(super) fn set_apart(&mut self) -> Result<Scrubbed, StoreFault> {
        self.store.check_sound()?;
        let done = self.close_current().map_err(|error| slice::write_fault(&error)).and_then(|is_closed| {
            if is_closed {
                self.choose_slice(Time(self.store.last_at.load(Ordering::Acquire)))?;
            }
            // Rows of people may be many: their file is written anew only when some have gone.
            let people = self.people.as_ref().filter(|_| self.people_removed).map(People::conn);
            let small = [self.meta.as_ref(), people].into_iter().flatten().map(erase::whole);
            let scrubbed: Result<Vec<Scrubbed>, _> = small.collect();
            let scrubbed = scrubbed.map_err(|error| slice::write_fault(&error))?;
            let is_busy = scrubbed.contains(&Scrubbed::Busy);
            self.people_removed &= is_busy;
            Ok(if is_busy { Scrubbed::Busy } else { Scrubbed::Clean })
        });
        done.map_err(|fault| self.store.note_fault(fault))
    }

    /// Takes the messages that are erased out of every search key.
    fn unfile(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault> {
        let ids = rewrite.frames.iter().flat_map(|one| one.ordinals.iter().map(|ordinal| one.frame.head.first.0 + u64::from(*ordinal)));
        let gone: HashSet<u64> = ids.collect();
        let (Some(least), Some(greatest)) = (gone.iter().min(), gone.iter().max()) else { return Ok(()) };
        self.store.index_mut().tail.forget(&gone);
        for frame in self.staged.values_mut().flatten() {
            frame.pairs.retain(|(_, id)| !gone.contains(id));
        }
        let (runs, slices) = (self.store.index().runs(), self.store.slices());
        for run in runs.iter().filter(|run| run.head.least <= *greatest && run.head.greatest >= *least) {
            let Some(slice) = slices.iter().find(|slice| slice.start == run.slice) else { continue };
            let written = erase::connect(slice).and_then(|conn| erase::run(&conn, &mut self.sealer, run, &gone));
            match written {
                Ok(None) => {}
                Ok(Some(head)) => {
                    slice.dirty.store(true, Ordering::Release);
                    self.store.index_mut().replace(Run { head, slice: run.slice });
                }
                // What cannot be read finds nothing.
                Err(error) if slice::is_corrupt(&error) => {}
                Err(error) => return Err(self.store.note_fault(slice::write_fault(&error))),
            }
        }
        Ok(())
    }

    /// Puts the rows in their places, each slice's in one transaction.
    fn replace(&mut self, rewrite: &Rewrite) -> rusqlite::Result<()> {
        let slices = self.store.slices();
        let mut by_slice: BTreeMap<i64, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for one in &rewrite.frames {
            if let Some(slice) = self.store.slice_of(one.frame.head.first) {
                by_slice.entry(slice.start).or_default().0.push(one);
            }
        }
        for row in &rewrite.logs {
            if let Some(slice) = slices.iter().find(|slice| slice.last_seq.load(Ordering::Acquire) >= row.seq) {
                by_slice.entry(slice.start).or_default().1.push(row);
            }
        }
        for slice in slices.iter() {
            let rows = by_slice.remove(&slice.start);
            if rows.is_none() && rewrite.answers.is_empty() {
                continue;
            }
            let conn = erase::connect(slice)?;
            if rows.is_none() && !erase::has_answer(&conn, &rewrite.answers)? {
                continue;
            }
            let (frames, logs) = rows.unwrap_or_default();
            erase::marked(&conn, |conn| {
                erase::frames(conn, &mut self.sealer, &frames)?;
                erase::logs(conn, &mut self.sealer, &logs)?;
                erase::answers(conn, &rewrite.answers)
            })?;
            slice.dirty.store(true, Ordering::Release);
        }
        self.store.rewritten(rewrite.frames.iter().map(|one| &one.frame));
        Ok(())
    }

    /// Ends the current slice if it was rewritten; whether it was.
    fn close_current(&mut self) -> rusqlite::Result<bool> {
        let Some(current) = &self.current else { return Ok(false) };
        if !erase::wants_scrub(&current.conn)? {
            return Ok(false);
        }
        let former = self.current.take().expect("just seen");
        self.retired.push((former.slice, former.conn));
        Ok(true)
    }
}
