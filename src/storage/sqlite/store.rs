//! What the writer and the readers share: the list of slices, the pool of read connections, the frame cache, the
//! search index, which bulks are still staged, and whether the journal has failed.

use crate::base::{BatchId, MessageId, Span};
use crate::storage::frame::Frame;
use crate::storage::port::StoreFault;
use crate::storage::sqlite::cache::FrameCache;
use crate::storage::sqlite::codec::{self, Kind};
use crate::storage::sqlite::search::Index;
use crate::storage::sqlite::slice::{self, Role, Slice};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Read connections that wait, over all files. Each holds three descriptors and at most a MiB of pages.
const IDLE_READERS_MAX: usize = 24;
/// Where `meta.db`'s connections are kept in the pool: no slice starts then.
const META: i64 = i64::MIN;
/// And `consent.db`'s.
const PEOPLE: i64 = i64::MIN + 1;

/// Where the store lies and how it is cut.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory, made if it does not exist. One process at a time.
    pub dir: PathBuf,
    /// How long a slice takes commits: retention works in this unit.
    pub slice: Span,
    /// A slice larger than so many octets is followed by another before its time.
    pub slice_bytes_max: u64,
    /// Octets kept for events of accepted messages on a full disk; 0 for none.
    pub reserve_bytes: u64,
    /// Octets of decoded frames kept in memory.
    pub frame_cache_bytes: usize,
}

impl Options {
    /// Hourly slices of at most 4 GiB, 64 MiB in reserve, 64 MiB of frames in memory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Options {
        Options {
            dir: dir.into(),
            slice: Span::secs(3_600),
            slice_bytes_max: 4 << 30,
            reserve_bytes: 64 << 20,
            frame_cache_bytes: 64 << 20,
        }
    }
}

/// Why a query has no result.
pub(super) enum Trouble {
    /// SQLite's.
    Sql(rusqlite::Error),
    /// A checksum is wrong, near this id or position.
    Damaged(u64),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        Trouble::Sql(error)
    }
}

/// The shared part.
pub(super) struct Store {
    pub(super) options: Options,
    pub(super) meta_path: PathBuf,
    slices: RwLock<Arc<Vec<Arc<Slice>>>>,
    /// Bulks whose frames are not shown: not complete, or given up and not yet removed.
    hidden: RwLock<HashSet<BatchId>>,
    cache: Mutex<FrameCache>,
    /// Counts the rewrites of frames: what was read before one is not put into the cache after it.
    rewrites: AtomicU64,
    index: RwLock<Index>,
    idle: Mutex<Vec<(i64, Connection)>>,
    /// Notes that `meta.db` had no room for: shown, and written as soon as there is.
    pub(super) waiting_notes: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
    /// The instant of the last commit: answers that may be forgotten by then are.
    pub(super) last_at: AtomicI64,
    /// I3: what failed; nothing is written any more.
    broken: OnceLock<String>,
}

/// A poisoned lock guards data that is only ever replaced whole or counted: it is as good as before.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shared<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn alone<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    pub(super) fn new(options: Options) -> Store {
        Store {
            meta_path: options.dir.join("meta.db"),
            slices: RwLock::default(),
            hidden: RwLock::default(),
            cache: Mutex::new(FrameCache::new(options.frame_cache_bytes)),
            rewrites: AtomicU64::new(0),
            index: RwLock::default(),
            idle: Mutex::default(),
            waiting_notes: Mutex::default(),
            last_at: AtomicI64::new(i64::MIN),
            broken: OnceLock::new(),
            options,
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// The slices, oldest first.
    pub(super) fn slices(&self) -> Arc<Vec<Arc<Slice>>> {
        shared(&self.slices).clone()
    }

    pub(super) fn add_slice(&self, slice: Arc<Slice>) {
        Arc::make_mut(&mut alone(&self.slices)).push(slice);
    }

    /// For a recovery that begins again.
    pub(super) fn forget_slices(&self) {
        *alone(&self.slices) = Arc::default();
        locked(&self.idle).clear();
    }

    pub(super) fn remove_slice(&self, slice: &Slice) {
        slice.gone.store(true, Ordering::Release);
        Arc::make_mut(&mut alone(&self.slices)).retain(|other| other.start != slice.start);
        self.index_mut().drop_slice(slice.start);
        locked(&self.idle).retain(|(start, _)| *start != slice.start);
        let newer = self.slices().iter().filter(|other| other.start > slice.start).map(|s| s.first_frame.load(Ordering::Acquire)).min();
        self.cache().remove_range(slice.first_frame.load(Ordering::Acquire)..newer.unwrap_or(u64::MAX));
    }

    pub(super) fn is_hidden(&self, batch: Option<BatchId>) -> bool {
        batch.is_some_and(|id| shared(&self.hidden).contains(&id))
    }

    /// Returns whether it was shown.
    pub(super) fn hide(&self, batch: BatchId) -> bool {
        alone(&self.hidden).insert(batch)
    }

    pub(super) fn show(&self, batch: BatchId) {
        alone(&self.hidden).remove(&batch);
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, FrameCache> {
        locked(&self.cache)
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        shared(&self.index)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        alone(&self.index)
    }

    /// Ends all writing when the fault says that the files cannot be trusted.
    pub(super) fn note_fault(&self, fault: StoreFault) -> StoreFault {
        if let StoreFault::Broken(why) = &fault {
            let _ = self.broken.set(why.clone());
        }
        fault
    }

    /// INV-3: after a failed write or sync nothing is written until the process has started anew.
    pub(super) fn check_sound(&self) -> Result<(), StoreFault> {
        self.broken.get().map_or(Ok(()), |why| Err(StoreFault::Broken(why.clone())))
    }

    /// Runs a query on a slice; `None` when the slice has been removed.
    pub(super) fn read<T>(&self, slice: &Slice, query: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<Option<T>, StoreFault> {
        match self.query(slice.start, &slice.path, &slice.name, Some(&slice.gone), query) {
            Ok(found) => Ok(Some(found)),
            Err(_) if slice.gone.load(Ordering::Acquire) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Runs a query on `meta.db`.
    pub(super) fn read_meta<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, StoreFault> {
        self.query(META, &self.meta_path, "meta.db", None, query)
    }

    /// Runs a query on `consent.db`.
    pub(super) fn read_people<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, StoreFault> {
        self.query(PEOPLE, &self.dir().join("consent.db"), "consent.db", None, query)
    }

    fn query<T>(
        &self,
        place: i64,
        path: &Path,
        name: &str,
        gone: Option<&AtomicBool>,
        query: impl FnOnce(&Connection) -> Result<T, Trouble>,
    ) -> Result<T, StoreFault> {
        let idle = {
            let mut idle = locked(&self.idle);
            idle.iter().rposition(|(start, _)| *start == place).map(|at| idle.remove(at).1)
        };
        let conn = match idle {
            Some(conn) => conn,
            None => slice::connect(path, Role::Reader).map_err(|error| slice::read_fault(&error, name))?,
        };
        let found = query(&conn).map_err(|trouble| match trouble {
            Trouble::Sql(error) => slice::read_fault(&error, name),
            Trouble::Damaged(at) => StoreFault::Damaged { slice: name.into(), at },
        });
        let mut idle = locked(&self.idle);
        // A connection to a removed file would keep its room on the disk.
        if gone.is_none_or(|gone| !gone.load(Ordering::Acquire)) {
            idle.push((place, conn));
            if idle.len() > IDLE_READERS_MAX {
                idle.remove(0);
            }
        }
        found
    }

    /// The slice whose frames include this id, if any does.
    pub(super) fn slice_of(&self, id: MessageId) -> Option<Arc<Slice>> {
        self.slices().iter().rev().find(|slice| slice.first_frame.load(Ordering::Acquire) <= id.0).cloned()
    }

    /// Reads the frame that holds a message, and caches it.
    pub(super) fn load(&self, id: MessageId) -> Result<Option<Arc<Frame>>, StoreFault> {
        let Some(slice) = self.slice_of(id) else { return Ok(None) };
        let rewrites = self.rewrites.load(Ordering::Acquire);
        let frame = self.read(&slice, |conn| {
            let mut statement = conn.prepare_cached("SELECT first, body FROM bodies WHERE first <= ? ORDER BY first DESC LIMIT 1")?;
            let mut rows = statement.query([slice::sql(id.0)])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let first = row.get::<_, i64>(0)? as u64;
            let blob = row.get_ref(1)?.as_blob().map_err(|_| Trouble::Damaged(first))?;
            let sealed = codec::check(Kind::Frame, first, blob).ok_or(Trouble::Damaged(first))?;
            let head = codec::read_head(sealed.head).ok_or(Trouble::Damaged(first))?;
            // An id that was never dealt is not worth unpacking for.
            if id.0 - first >= u64::from(head.count) {
                return Ok(None);
            }
            let body = sealed.unpack().ok_or(Trouble::Damaged(first))?;
            Frame::new(head, body.into()).map(Arc::new).map(Some).ok_or(Trouble::Damaged(first))
        })?;
        let Some(frame) = frame.flatten() else { return Ok(None) };
        // The writer put staged frames in; a reader that was slow must not bring back one that was given up.
        if !self.is_hidden(frame.head.batch) {
            let mut cache = self.cache();
            // The same of one that was rewritten meanwhile.
            if self.rewrites.load(Ordering::Acquire) == rewrites {
                cache.put(frame.clone());
            }
        }
        Ok(Some(frame))
    }

    /// Frames were rewritten: the cache has them as they are now.
    pub(super) fn rewritten<'a>(&self, frames: impl Iterator<Item = &'a Arc<Frame>>) {
        let mut cache = self.cache();
        self.rewrites.fetch_add(1, Ordering::AcqRel);
        frames.for_each(|frame| cache.put(frame.clone()));
    }

    /// One turn of the checkpoint thread: moves the pages of every slice that has new ones.
    pub(super) fn checkpoint_dirty(&self, held: &mut Option<(i64, Connection)>) {
        for slice in self.slices().iter() {
            if self.broken.get().is_some() || !slice.dirty.swap(false, Ordering::AcqRel) {
                continue;
            }
            let turn = (|| {
                if held.as_ref().is_none_or(|(start, _)| *start != slice.start) {
                    *held = Some((slice.start, slice::connect(&slice.path, Role::Writer)?));
                }
                let (_, conn) = held.as_ref().expect("set above");
                slice::checkpoint(conn, "PASSIVE")
            })();
            match turn {
                Ok(state) if state.done >= state.pages => {}
                Ok(_) => slice.dirty.store(true, Ordering::Release),
                Err(_) if slice.gone.load(Ordering::Acquire) => {}
                Err(error) => {
                    slice.dirty.store(true, Ordering::Release);
                    if !slice::is_corrupt(&error) {
                        self.note_fault(slice::write_fault(&error));
                    }
                }
            }
        }
    }
}
