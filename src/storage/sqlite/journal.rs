//! The writer's side: one transaction of one slice per group, the change of slices, upkeep.
//!
//! Invariants. I1: what is in memory (index, cache, staged bulks, open frames) changes only after the commit that
//! it tells of. I2: frames of a bulk that is not complete are hidden before they are written and shown after its
//! row is. I3: after a write or sync that failed for anything but a full disk, nothing is written again.
//! Notes go to `meta.db` after the slice: they may be written again, never early.

use crate::base::{BatchId, MessageId, Time};
use crate::storage::port::{Archive, Group, Journal, Recovered, Rewrite, Scrubbed, StoreFault};
use crate::storage::sqlite::archive::Reader;
use crate::storage::sqlite::codec::Sealer;
use crate::storage::sqlite::follow::Followed;
use crate::storage::sqlite::people::{self, People};
use crate::storage::sqlite::recover::{self, Found};
use crate::storage::sqlite::reserve;
use crate::storage::sqlite::rows::{self, NewRun};
use crate::storage::sqlite::search::{Pair, RUN_MESSAGES, Run, RunHead};
use crate::storage::sqlite::slice::{self, PAGE_BYTES, Role, Slice};
use crate::storage::sqlite::spent;
use crate::storage::sqlite::store::{Options, Store, locked};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// From here a commit empties the log itself, when little is left to move or nobody else does.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// What a commit may move without its caller noticing.
const LEFT_BYTES_MAX: u64 = 4 << 20;
/// The log is looked at every so many octets.
const LOOK_BYTES: u64 = 2 << 20;
/// What a commit writes beside its blobs, about.
const ROWS_BYTES: u64 = 10 * PAGE_BYTES;

/// The embedded store, writer's side.
pub struct Sqlite {
    store: Arc<Store>,
    /// Held for life.
    lock: File,
    meta: Option<Connection>,
    people: Option<People>,
    /// Rows of people went since their file was written anew.
    people_removed: bool,
    current: Option<Current>,
    retired: Vec<(Arc<Slice>, Connection)>,
    /// Frames that are not over, by slice: a slice with one is not removed.
    open: BTreeMap<i64, HashSet<u64>>,
    followed: Followed,
    staged: HashMap<BatchId, Vec<Staged>>,
    last_id: u64,
    next_run: u64,
    sealer: Sealer,
    buffer: Vec<u8>,
}

struct Current {
    slice: Arc<Slice>,
    conn: Connection,
    /// About how large the file is.
    bytes: u64,
    /// Octets since the log was looked at.
    unseen: u64,
}

/// A frame of a bulk that is not complete.
struct Staged {
    first: u64,
    count: usize,
    seq: u64,
    slice: i64,
    pairs: Vec<Pair>,
}

impl Sqlite {
    /// Takes the directory (made if need be, for our user alone). Nothing is read before `recover`. `Broken` when another process
    /// has it or it cannot be written.
    pub fn open(options: Options) -> Result<Sqlite, StoreFault> {
        let mut maker = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut maker, 0o700);
        maker.recursive(true).create(&options.dir).map_err(|error| reserve::unusable(&options.dir, &error))?;
        let lock = reserve::lock(&options.dir)?;
        Ok(Sqlite {
            store: Arc::new(Store::new(options)),
            lock,
            meta: None,
            people: None,
            people_removed: false,
            current: None,
            retired: Vec::new(),
            open: BTreeMap::new(),
            followed: Followed::default(),
            staged: HashMap::new(),
            last_id: 0,
            next_run: 1,
            sealer: Sealer::new(),
            buffer: Vec::new(),
        })
    }

    /// One turn of a checkpoint thread: each call moves what was committed from the write-ahead logs into the
    /// files, on connections of its own, so that commits need not. Call it every some 100 ms. It blocks on disk.
    #[must_use]
    pub fn checkpointer(&self) -> Box<dyn FnMut() + Send> {
        let store = self.store.clone();
        let mut held = None;
        Box::new(move || store.checkpoint_dirty(&mut held))
    }

    /// Where this group goes: the current slice, or a new one. Never an older one, whatever the clock says.
    fn choose_slice(&mut self, at: Time) -> Result<(), StoreFault> {
        let options = &self.store.options;
        let newest = self.store.slices().last().map(|slice| slice.start);
        if let Some(current) = &self.current {
            let end = current.slice.start.saturating_add(options.slice.as_millis() as i64);
            if at.0 < end && current.bytes <= options.slice_bytes_max {
                return Ok(());
            }
        }
        let start = at.0.max(newest.map_or(0, |start| start + 1)).clamp(0, 9_999_999_999_999);
        let slice = Arc::new(Slice::new(&options.dir, start));
        slice::create_slice(&options.dir, &slice)?;
        let conn = slice::connect(&slice.path, Role::Writer).map_err(|error| slice::write_fault(&error))?;
        self.store.add_slice(slice.clone());
        if let Some(former) = self.current.replace(Current { slice, conn, bytes: 0, unseen: 0 }) {
            self.retired.push((former.slice, former.conn));
        }
        Ok(())
    }

    /// The run to write with this commit, when enough messages wait.
    fn due_run(&self, upto: u64) -> Option<NewRun> {
        let index = self.store.index();
        if index.tail.messages() < RUN_MESSAGES {
            return None;
        }
        let pairs = index.tail.sorted();
        let pending = self.staged.values().flatten().map(|frame| (frame.seq, frame.first)).collect();
        Some(NewRun { head: RunHead::of(self.next_run, &pairs, upto, pending), pairs })
    }

    /// The transaction. Returns about how many octets it wrote.
    fn write(&mut self, group: &Group, run: Option<&NewRun>, top: u64) -> rusqlite::Result<u64> {
        let Current { slice, conn, .. } = self.current.as_ref().expect("chosen before");
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut bytes = ROWS_BYTES;
        for new in &group.frames {
            bytes += rows::write_frame(conn, &mut self.sealer, &mut self.buffer, new)?;
        }
        bytes += rows::write_group(conn, &mut self.sealer, &mut self.buffer, group, top)?;
        rows::write_rows(conn, group)?;
        bytes += people::write(conn, &mut self.sealer, group.seq, &group.people)?;
        bytes += spent::write(conn, &mut self.sealer, group.seq, &group.spent)?;
        for batch in &group.aborted {
            let frames = self.staged.get(batch).into_iter().flatten();
            let here: Vec<u64> = frames.filter(|frame| frame.slice == slice.start).map(|frame| frame.first).collect();
            rows::delete_frames_within(conn, &here)?;
        }
        if let Some(run) = run {
            bytes += rows::write_run(conn, &mut self.sealer, run)?;
        }
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(bytes)
    }

    fn try_write(&mut self, group: &Group, run: Option<&NewRun>, top: u64) -> rusqlite::Result<()> {
        let written = self.write(group, run, top);
        let current = self.current.as_mut().expect("chosen before");
        match written {
            Ok(bytes) => {
                current.bytes += bytes;
                current.unseen += bytes;
                Ok(())
            }
            Err(error) => {
                if !current.conn.is_autocommit() {
                    let _ = current.conn.execute_batch("ROLLBACK");
                }
                Err(error)
            }
        }
    }

    fn commit_slice(&mut self, group: &Group) -> Result<(), StoreFault> {
        self.choose_slice(group.at)?;
        let run = self.due_run(group.seq - 1);
        let top = rows::greatest_id(group).max(self.last_id);
        let mut written = self.try_write(group, run.as_ref(), top);
        if written.as_ref().is_err_and(slice::is_corrupt) {
            // The file was damaged before: what it holds is read as far as it can be, what comes goes elsewhere.
            let former = self.current.take().expect("chosen before");
            self.retired.push((former.slice, former.conn));
            self.choose_slice(group.at)?;
            written = self.try_write(group, run.as_ref(), top);
        }
        written.map_err(|error| slice::write_fault(&error))?;
        self.last_id = top;
        self.take_note(group, run);
        Ok(())
    }

    /// I1: brings memory to what was committed.
    fn take_note(&mut self, group: &Group, run: Option<NewRun>) {
        let slice = self.current.as_ref().expect("just written").slice.clone();
        for new in &group.frames {
            slice.first_frame.fetch_min(new.frame.head.first.0, Ordering::AcqRel);
            self.open.entry(slice.start).or_default().insert(new.frame.head.first.0);
            self.store.cache().put(new.frame.clone());
        }
        if let Some(id) = group.batches.iter().map(|batch| batch.id.0).max() {
            slice.last_batch.fetch_max(id, Ordering::AcqRel);
        }
        if let Some(until) = group.answers.iter().map(|answer| answer.until.0).max() {
            slice.answers_until.fetch_max(until, Ordering::AcqRel);
        }
        slice.committed(group.seq, group.at);
        self.store.last_at.store(group.at.0, Ordering::Release);
        if let Some(run) = run {
            self.next_run += 1;
            let mut index = self.store.index_mut();
            index.tail = Default::default();
            index.push(Run { head: run.head, slice: slice.start });
        }
        self.file_frames(group, slice.start);
        let begins = slice.first_frame.load(Ordering::Acquire);
        let told = group.touched.iter().copied().chain(group.closed.iter().map(|closed| closed.frame));
        self.followed.note(&self.store.slices(), slice.start, told.map(|frame| frame.0).filter(|frame| *frame < begins));
        for closed in &group.closed {
            self.close(closed.frame);
        }
        for batch in &group.aborted {
            self.remove_aborted(*batch, slice.start);
        }
    }

    /// Files live frames for search, keeps staged ones until their bulk is complete, shows complete bulks.
    fn file_frames(&mut self, group: &Group, slice: i64) {
        let sealed: HashSet<BatchId> = group.batches.iter().map(|batch| batch.id).collect();
        let mut live = Vec::new();
        for batch in &sealed {
            live.extend(self.staged.remove(batch).into_iter().flatten());
            self.store.show(*batch);
        }
        for new in &group.frames {
            let head = &new.frame.head;
            let (first, count) = (head.first.0, head.count as usize);
            let frame = Staged { first, count, seq: group.seq, slice, pairs: rows::pairs_of(new) };
            match head.batch {
                Some(batch) if !sealed.contains(&batch) => self.staged.entry(batch).or_default().push(frame),
                _ => live.push(frame),
            }
        }
        if !live.is_empty() {
            let mut index = self.store.index_mut();
            live.iter().for_each(|frame| index.tail.add(&frame.pairs, frame.count));
        }
    }

    fn close(&mut self, frame: MessageId) {
        // Most are recent. A frame that was closed before, or whose slice is gone, is in none.
        let _ = self.open.values_mut().rev().any(|open| open.remove(&frame.0));
    }

    /// Removes what is left of a bulk that was given up. Rows that cannot be removed now stay hidden and are cut
    /// at the next start.
    fn remove_aborted(&mut self, batch: BatchId, current: i64) {
        let frames = self.staged.remove(&batch).unwrap_or_default();
        let mut by_slice: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for frame in &frames {
            by_slice.entry(frame.slice).or_default().push(frame.first);
        }
        let mut all_gone = true;
        for (start, firsts) in &by_slice {
            if let Some(open) = self.open.get_mut(start) {
                firsts.iter().for_each(|first| _ = open.remove(first));
            }
            if *start == current {
                continue;
            }
            let slices = self.store.slices();
            let Some(slice) = slices.iter().find(|slice| slice.start == *start) else { continue };
            let removed = slice::connect(&slice.path, Role::Writer).and_then(|conn| rows::delete_frames(&conn, firsts));
            // A file that is being scrubbed is busy for long: its frames stay hidden until the next start.
            if let Err(error) = &removed
                && !slice::is_corrupt(error)
                && !slice::is_busy(error)
            {
                self.store.note_fault(slice::write_fault(error));
            }
            all_gone &= removed.is_ok();
            slice.dirty.store(true, Ordering::Release);
        }
        let mut cache = self.store.cache();
        frames.iter().for_each(|frame| cache.remove(frame.first));
        if all_gone {
            self.store.show(batch);
        }
    }

    /// Writes notes; on a full disk they wait in memory if the rest of their group is committed already.
    fn commit_notes(&mut self, group: &Group, alone: bool) -> Result<(), StoreFault> {
        let mut waiting = locked(&self.store.waiting_notes);
        let meta = self.meta.as_ref().expect("recovered before");
        let notes = waiting.iter().chain(group.notes.iter().map(|(key, value)| (key, value)));
        match rows::write_notes(meta, notes, Some((group.seq, group.at))) {
            Ok(()) => {
                waiting.clear();
                Ok(())
            }
            Err(StoreFault::Full) if !alone => {
                waiting.extend(group.notes.iter().cloned());
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Keeps the log from growing without end when no upkeep comes between the commits.
    fn guard_log(&mut self) {
        let Some(current) = self.current.as_mut().filter(|current| current.unseen >= LOOK_BYTES) else { return };
        current.unseen = 0;
        let moved = slice::checkpoint(&current.conn, "NOOP").and_then(|state| {
            let (size, left) = (state.pages.saturating_mul(PAGE_BYTES), state.pages.saturating_sub(state.done) * PAGE_BYTES);
            // A checkpoint thread keeps `left` small; only a commit finds a moment when it is zero, after which
            // the log begins again at its front.
            if size > LOG_BYTES_MAX && (left < LEFT_BYTES_MAX || size > 2 * LOG_BYTES_MAX) {
                slice::checkpoint(&current.conn, "PASSIVE")?;
            }
            Ok(())
        });
        if let Err(error) = moved
            && !slice::is_corrupt(&error)
        {
            self.store.note_fault(slice::write_fault(&error));
        }
    }

    /// Moves the logs into the files; those of slices that take no commits any more are emptied and left.
    fn checkpoint_all(&mut self) -> rusqlite::Result<()> {
        let mut failed = None;
        self.retired.retain(|(_, conn)| match checkpoint_whole(conn) {
            Ok(emptied) => !emptied,
            // What is in such a log stays readable through it.
            Err(error) if slice::is_corrupt(&error) => false,
            Err(error) => {
                failed = Some(error);
                true
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(current) = &self.current {
            current.slice.dirty.store(false, Ordering::Release);
            slice::checkpoint(&current.conn, "PASSIVE")?;
        }
        let people = self.people.as_ref().map(People::conn);
        [self.meta.as_ref(), people].into_iter().flatten().try_for_each(|conn| slice::checkpoint(conn, "PASSIVE").map(|_| ()))
    }
}

#[path = "retire.rs"]
mod retire;
#[path = "rewrite.rs"]
mod rewrite;

#[cfg(test)]
impl Sqlite {
    /// A pragma on the current slice.
    pub(super) fn pragma<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        let current = self.current.as_ref().expect("a slice");
        current.conn.query_row(sql, [], |row| row.get(0)).expect("a pragma with a value")
    }
}

impl Journal for Sqlite {
    fn recover(&mut self) -> Result<Recovered, StoreFault> {
        assert!(self.meta.is_none(), "a journal is recovered once");
        let mut found = recover::recover(&self.store);
        if matches!(found, Err(StoreFault::Full)) && reserve::release(self.store.dir()) {
            // The index beside a log needs some room to be opened.
            self.store.forget_slices();
            found = recover::recover(&self.store);
        }
        let Found { recovered, meta, people, current, retired, open, followed, last_id, next_run } = found?;
        (self.meta, self.people) = (Some(meta), Some(people));
        self.current = current.map(|(slice, conn)| {
            let bytes = std::fs::metadata(&slice.path).map_or(0, |file| file.len());
            Current { slice, conn, bytes, unseen: LOOK_BYTES }
        });
        (self.retired, self.open, self.followed, self.last_id, self.next_run) = (retired, open, followed, last_id, next_run);
        reserve::restore(self.store.dir(), self.store.options.reserve_bytes);
        Ok(recovered)
    }

    fn commit(&mut self, group: &Group) -> Result<(), StoreFault> {
        assert!(self.meta.is_some(), "a journal is recovered before it is written");
        self.check()?;
        let beside_notes = !group.frames.is_empty()
            || !group.log.is_empty()
            || !group.answers.is_empty()
            || !group.batches.is_empty()
            || !group.aborted.is_empty()
            || !group.closed.is_empty()
            || !group.people.is_empty()
            || !group.spent.is_empty();
        if beside_notes {
            assert!(group.seq > 0, "positions begin at 1");
            // I2: hidden before they can be read.
            let complete = |id: &BatchId| group.batches.iter().any(|batch| batch.id == *id);
            let staged = group.frames.iter().filter_map(|new| new.frame.head.batch).filter(|id| !complete(id));
            let newly: Vec<BatchId> = staged.filter(|id| self.store.hide(*id)).collect();
            if let Err(fault) = self.commit_slice(group) {
                newly.into_iter().for_each(|id| self.store.show(id));
                return Err(self.store.note_fault(fault));
            }
            self.guard_log();
            if !group.people.is_empty() {
                let applied = self.people.as_mut().expect("recovered before").take(group.seq, &group.people);
                applied.map_err(|fault| self.store.note_fault(fault))?;
            }
        }
        if !group.notes.is_empty() {
            let store = self.store.clone();
            self.commit_notes(group, !beside_notes).map_err(|fault| store.note_fault(fault))?;
        }
        // INV-3: a sync of another thread may have failed meanwhile. Linux tells a failure to write back to the descriptor that asks
        // first, and the pages it was about are clean by then: a sync of the same file beside it succeeds, and nothing is there.
        self.store.check_sound()
    }

    fn check(&mut self) -> Result<(), StoreFault> {
        self.store.check_sound()?;
        // INV-1: what nobody will find again is not written, and so not answered for.
        if reserve::is_in_place(&self.lock, self.store.dir()) {
            return Ok(());
        }
        let why = format!("the data directory {} was removed, moved or replaced under the gateway", self.store.dir().display());
        Err(self.store.note_fault(StoreFault::Broken(why)))
    }

    fn release_reserve(&mut self) -> bool {
        reserve::release(self.store.dir())
    }

    fn restore_reserve(&mut self) {
        reserve::restore(self.store.dir(), self.store.options.reserve_bytes);
    }

    fn upkeep(&mut self, before: Time, told: u64) -> Result<usize, StoreFault> {
        self.check()?;
        if let Some(people) = &mut self.people {
            people.catch_up().map_err(|fault| self.store.note_fault(fault))?;
        }
        // First what frees room.
        let removed = self.remove_old(before, told)?;
        let moved = self.checkpoint_all().map_err(|error| slice::write_fault(&error));
        moved.map_err(|fault| self.store.note_fault(fault))?;
        let mut waiting = locked(&self.store.waiting_notes);
        if let Some(meta) = self.meta.as_ref().filter(|_| !waiting.is_empty()) {
            rows::write_notes(meta, waiting.iter(), None).map_err(|fault| self.store.note_fault(fault))?;
            waiting.clear();
        }
        Ok(removed)
    }

    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault> {
        self.put(rewrite)
    }

    fn seclude(&mut self) -> Result<Scrubbed, StoreFault> {
        self.set_apart()
    }

    fn archive(&self) -> Arc<dyn Archive> {
        Arc::new(Reader::new(self.store.clone()))
    }
}

/// Empties the log of a slice that takes no more commits; `false` while a reader is at it.
fn checkpoint_whole(conn: &Connection) -> rusqlite::Result<bool> {
    conn.busy_timeout(std::time::Duration::ZERO)?;
    slice::checkpoint(conn, "PASSIVE")?;
    Ok(slice::checkpoint(conn, "TRUNCATE")?.pages == 0)
}
