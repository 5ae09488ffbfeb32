//! Opening what a former process left: which frames are live, which are over, which never were.
//!
//! It never fails for damage inside: what is damaged is named and set aside, the rest is served (INV-4). It reads
//! rows of some hundred octets per frame, no bodies, so a million messages take some ten milliseconds (INV-5).
//! It fails for a newer format and for faults that are not the content's (no permission, no memory).

use crate::base::{BatchId, Time};
use crate::storage::frame::FrameHead;
use crate::storage::port::{Recovered, StoreFault};
use crate::storage::sqlite::codec::{self, Kind};
use crate::storage::sqlite::follow::{Followed, told_by};
use crate::storage::sqlite::people::{self, People};
use crate::storage::sqlite::rows::{HEAD, HEAD_CRC, closed_crc, delete_frames, group_crc, head_crc, head_of, insert_head};
use crate::storage::sqlite::search::{Index, Run, RunHead, Uncovered};
use crate::storage::sqlite::slice::{self, Holds, PAGE_BYTES, Role, Slice, Unfit};
use crate::storage::sqlite::store::Store;
use crate::storage::sqlite::wal;
use rusqlite::{Connection, Row};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Damage is named piece by piece up to here, then only counted.
const NAMED_MAX: usize = 1_000;

/// What a restart finds, for the writer.
pub(super) struct Found {
    pub(super) recovered: Recovered,
    pub(super) meta: Connection,
    pub(super) people: People,
    /// The newest slice, if it is fit to be written on.
    pub(super) current: Option<(Arc<Slice>, Connection)>,
    /// Older slices whose log still holds pages.
    pub(super) retired: Vec<(Arc<Slice>, Connection)>,
    /// Frames that are not over, by slice.
    pub(super) open: BTreeMap<i64, HashSet<u64>>,
    pub(super) followed: Followed,
    pub(super) last_id: u64,
    pub(super) next_run: u64,
}

/// What was found of the content, gathered over the slices.
#[derive(Default)]
struct Gathered {
    heads: Vec<(i64, FrameHead)>,
    closed: HashSet<u64>,
    sealed: HashSet<BatchId>,
    /// The newest slice that may have lost rows of bulks.
    lossy: i64,
    last: Last,
    damage: Damage,
}

#[derive(Default)]
struct Last {
    seq: u64,
    id: Option<u64>,
    at: Option<(u64, Time)>,
}

impl Last {
    fn saw(&mut self, seq: u64, id: u64) {
        self.seq = self.seq.max(seq);
        self.id = self.id.max((id > 0).then_some(id));
    }
    /// A sound commit. The clock may have gone back: the instant is that of the last one, not the greatest.
    fn committed(&mut self, seq: u64, at: Time) {
        if self.at.is_none_or(|(last, _)| seq >= last) {
            self.at = Some((seq, at));
        }
        self.seq = self.seq.max(seq);
    }
}

#[derive(Default)]
struct Damage {
    named: Vec<String>,
    more: usize,
}

impl Damage {
    fn name(&mut self, what: String) {
        if self.named.len() < NAMED_MAX {
            self.named.push(what);
        } else {
            self.more += 1;
        }
    }
    fn count(&self) -> usize {
        self.named.len() + self.more
    }
    fn told(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("and {} more", self.more));
        }
        self.named
    }
}

/// Opens everything, cuts what was never completed, fills the shared part.
pub(super) fn recover(store: &Store) -> Result<Found, StoreFault> {
    let mut all = Gathered { lossy: i64::MIN, ..Gathered::default() };
    let (meta, slices) = open_files(store, &mut all)?;
    let people = people::open(store.dir(), &meta, &slices, &mut all.damage.named)?;
    let mut conns = Vec::with_capacity(slices.len());
    let mut index = Index::default();
    let newest = slices.last().map(|slice| slice.start);
    let (mut sound, mut told) = (true, Vec::new());
    for slice in slices {
        let before = all.damage.count();
        let conn = slice::connect(&slice.path, Role::Writer).map_err(|error| slice::write_fault(&error))?;
        read_slice(&slice, &conn, &mut all, &mut index)?;
        sound = all.damage.count() == before;
        told.push((slice.start, told_by(&slice, &conn)));
        let logged = std::fs::metadata(slice::beside(&slice.path, "-wal")).map_or(0, |log| log.len());
        // Older slices without a log are not written on: their connections are not kept.
        conns.push((slice.clone(), (logged > 0 || Some(slice.start) == newest).then_some(conn)));
        store.add_slice(slice);
    }
    let live = settle(store, &conns, &mut all);
    fill_tail(&conns, &mut index, &live, &mut all.damage);
    let mut open: BTreeMap<i64, HashSet<u64>> = BTreeMap::new();
    let mut followed = Followed::default();
    told.into_iter().for_each(|(later, frames)| followed.note(&store.slices(), later, frames.into_iter()));
    let mut recovered = Recovered::default();
    for (start, head) in live {
        if !all.closed.contains(&head.first.0) {
            open.entry(start).or_default().insert(head.first.0);
            recovered.open.push(head);
        }
    }
    recovered.last_seq = all.last.seq;
    recovered.last_id = all.last.id;
    recovered.last_at = all.last.at.map(|(_, at)| at);
    recovered.replay_from = recovered.open.iter().map(|head| head.seq).min().unwrap_or(all.last.seq + 1);
    recovered.damage = all.damage.told();
    recovered.people_lost = people.is_lost;
    recovered.spent_lost = all.lossy != i64::MIN;
    let next_run = index.newest().map_or(0, |head| head.number) + 1;
    *store.index_mut() = index;
    store.last_at.store(recovered.last_at.map_or(i64::MIN, |at| at.0), Ordering::Release);
    // Nothing is appended to a file that is damaged.
    let current = if sound { conns.pop().and_then(|(slice, conn)| conn.map(|conn| (slice, conn))) } else { None };
    let retired = conns.into_iter().filter_map(|(slice, conn)| conn.map(|conn| (slice, conn))).collect();
    Ok(Found { recovered, meta, people: people.people, current, retired, open, followed, last_id: all.last.id.unwrap_or(0), next_run })
}

/// Finds and checks the files; what cannot be opened is renamed. Versions are checked before anything is changed.
fn open_files(store: &Store, all: &mut Gathered) -> Result<(Connection, Vec<Arc<Slice>>), StoreFault> {
    let dir = store.dir();
    slice::remove_database(&dir.join("new.db"));
    let mut starts = Vec::new();
    let broken = |error: std::io::Error| StoreFault::Broken(error.to_string());
    for entry in std::fs::read_dir(dir).map_err(broken)? {
        let name = entry.map_err(broken)?.file_name();
        let name = name.to_string_lossy();
        starts.extend(Slice::start_in(&name));
        // A log whose file is gone is the rest of a removal.
        if let Some(base) = name.strip_suffix("-wal").or_else(|| name.strip_suffix("-shm"))
            && Slice::start_in(base).is_some()
            && !dir.join(base).exists()
        {
            let _ = std::fs::remove_file(dir.join(name.as_ref()));
        }
    }
    starts.sort_unstable();
    let slices: Vec<_> = starts.into_iter().map(|start| Arc::new(Slice::new(dir, start))).collect();
    let mut unreadable = Vec::new();
    for slice in &slices {
        match open_checked(&slice.path, &slice.name) {
            Ok(_) => {}
            Err(Unfit::Unreadable(why)) => unreadable.push((slice.start, why)),
            Err(Unfit::Fault(fault)) => return Err(fault),
        }
    }
    let meta = open_meta(store, all)?;
    for (start, why) in &unreadable {
        let slice = Slice::new(dir, *start);
        slice::set_aside(&slice.path);
        all.lossy = *start;
        all.damage.name(format!("{}: cannot be opened ({why}); renamed to {}.quarantine", slice.name, slice.name));
    }
    let kept = slices.into_iter().filter(|slice| unreadable.iter().all(|(start, _)| *start != slice.start));
    Ok((meta, kept.collect()))
}

fn open_checked(path: &Path, name: &str) -> Result<Connection, Unfit> {
    let conn = slice::connect(path, Role::Writer).map_err(slice::unfit)?;
    slice::check_version(&conn, name)?;
    Ok(conn)
}

fn open_meta(store: &Store, all: &mut Gathered) -> Result<Connection, StoreFault> {
    let path = &store.meta_path;
    if path.exists() {
        match open_checked(path, "meta.db") {
            Ok(conn) => {
                lift(&conn, "meta.db", Holds::Notes, all)?;
                let tip = conn.query_row("SELECT seq, at FROM tip", [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
                if let Ok((seq, at)) = tip {
                    all.last.committed(seq as u64, Time(at));
                }
                return Ok(conn);
            }
            Err(Unfit::Fault(fault)) => return Err(fault),
            Err(Unfit::Unreadable(why)) => {
                slice::set_aside(path);
                all.damage.name(format!("meta.db: cannot be opened ({why}); renamed to meta.db.quarantine, notes are lost"));
            }
        }
    }
    slice::create_meta(store.dir(), path)?;
    slice::connect(path, Role::Writer).map_err(|error| slice::write_fault(&error))
}

/// Reads what a restart must know of one slice.
fn read_slice(slice: &Slice, conn: &Connection, all: &mut Gathered, index: &mut Index) -> Result<(), StoreFault> {
    let valid = slice::checkpoint(conn, "NOOP").map_or(0, |state| state.pages);
    let log = slice::beside(&slice.path, "-wal");
    if let Some(commits) = wal::commits_beyond(&log, valid, PAGE_BYTES) {
        let kept = slice::beside(&log, ".quarantine");
        let _ = std::fs::copy(&log, &kept);
        all.lossy = slice.start;
        all.damage.name(format!("{}-wal: damaged after page {valid}, {commits} commits beyond it are lost; a copy is kept", slice.name));
    }
    // Not before a damaged log has been copied: this writes over what lies beyond the damage.
    lift(conn, &slice.name, Holds::Frames, all)?;
    read_tip(slice, conn, all);
    read_heads(slice, conn, all);
    let ended = scan(conn, "frame, batch, tally, crc FROM closed", "frame", &mut |row| {
        let frame = row.get::<_, i64>(0)?;
        let (batch, tally, crc): (Option<i64>, Vec<u8>, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let sound = crc == closed_crc(frame, batch, &tally);
        if sound {
            all.closed.insert(frame as u64);
        }
        Ok(sound)
    });
    // A frame whose end is not known is open: its log says again that all is over.
    ended.name(slice, "end of frame", &mut all.damage);
    let bulks = scan(conn, "id FROM batches", "id", &mut |row| {
        let id = row.get::<_, i64>(0)? as u64;
        all.last.saw(0, id);
        slice.last_batch.fetch_max(id, Ordering::Release);
        all.sealed.insert(BatchId(id));
        Ok(true)
    });
    if bulks.cut.is_some() {
        all.lossy = slice.start;
    }
    bulks.name(slice, "bulk", &mut all.damage);
    let runs = scan(conn, "run, body FROM runs", "run", &mut |row| {
        let number = row.get::<_, i64>(0)? as u64;
        let blob = row.get_ref(1)?.as_blob().unwrap_or_default();
        let head = codec::open(Kind::RunHead, number, blob).and_then(|raw| RunHead::read(&raw));
        let sound = head.is_some();
        head.into_iter().for_each(|head| index.push(Run { head, slice: slice.start }));
        Ok(sound)
    });
    runs.name(slice, "search run", &mut all.damage);
    if let Ok(Some(until)) = conn.query_row("SELECT max(until) FROM answers", [], |row| row.get::<_, Option<i64>>(0)) {
        slice.answers_until.store(until, Ordering::Release);
    }
    Ok(())
}

/// Brings a file of the format before up to this one.
fn lift(conn: &Connection, name: &str, holds: Holds, all: &mut Gathered) -> Result<(), StoreFault> {
    match slice::check_version(conn, name).and_then(|version| slice::upgrade(conn, version, holds)) {
        Ok(()) => Ok(()),
        Err(Unfit::Fault(fault)) => Err(fault),
        Err(Unfit::Unreadable(why)) => {
            all.damage.name(format!("{name}: cannot be brought to this format: {why}"));
            Ok(())
        }
    }
}

/// The last sound row of `groups`: position, instant, greatest id.
fn read_tip(slice: &Slice, conn: &Connection, all: &mut Gathered) {
    let mut damaged = Vec::new();
    let read = (|| {
        let mut statement = conn.prepare("SELECT seq, at, top, crc FROM groups ORDER BY seq DESC LIMIT 100")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let seq = row.get::<_, i64>(0)?;
            all.last.saw(seq as u64, 0);
            slice.last_seq.fetch_max(seq as u64, Ordering::Release);
            if let (Ok(at), Ok(top), Ok(crc)) = (row.get::<_, i64>(1), row.get::<_, i64>(2), row.get::<_, i64>(3))
                && crc == group_crc(seq, at, top)
            {
                all.last.saw(0, top as u64);
                all.last.committed(seq as u64, Time(at));
                slice.last_at.store(at, Ordering::Release);
                return Ok(());
            }
            damaged.push(seq);
        }
        Ok::<_, rusqlite::Error>(())
    })();
    for seq in damaged {
        all.damage.name(format!("{}: commit {seq}: damaged row", slice.name));
    }
    if let Err(error) = read {
        all.damage.name(format!("{}: commits: {error}", slice.name));
    }
}

/// Reads the heads of a slice's frames; those that are damaged are restored from the copy in the body.
fn read_heads(slice: &Slice, conn: &Connection, all: &mut Gathered) {
    let from = all.heads.len();
    let mut buffer = Vec::new();
    let columns = HEAD.strip_prefix("SELECT ").expect("it is a query");
    let scanned = scan(conn, columns, "first", &mut |row| {
        let head = head_of(row)?;
        let sound = row.get::<_, i64>(HEAD_CRC)? == head_crc(&head, &mut buffer);
        if sound {
            all.heads.push((slice.start, head));
        }
        Ok(sound)
    });
    if scanned.cut.is_some() || !scanned.unsound.is_empty() {
        let known: HashSet<u64> = all.heads[from..].iter().map(|(_, head)| head.first.0).collect();
        let mut restored = Vec::new();
        let bodies = scan(conn, "first, body FROM bodies", "first", &mut |row| {
            let first = row.get::<_, i64>(0)? as u64;
            if known.contains(&first) {
                return Ok(true);
            }
            let blob = row.get_ref(1)?.as_blob().unwrap_or_default();
            let head = codec::check(Kind::Frame, first, blob).and_then(|blob| codec::read_head(blob.head));
            let sound = head.is_some();
            restored.extend(head);
            Ok(sound)
        });
        for head in restored {
            all.damage.name(format!("{}: frame {}: head damaged, restored from its body", slice.name, head.first));
            let _ = conn.execute("DELETE FROM frames WHERE first = ?", [slice::sql(head.first.0)]);
            let _ = insert_head(conn, &head, &mut buffer);
            all.heads.push((slice.start, head));
        }
        bodies.name(slice, "frame without a head", &mut all.damage);
        if let Some(why) = scanned.cut {
            all.damage.name(format!("{}: frames: {why}", slice.name));
        }
    }
    all.heads[from..].sort_unstable_by_key(|(_, head)| head.first);
    for (_, head) in &all.heads[from..] {
        all.last.saw(head.seq, head.first.0 + u64::from(head.count.max(1)) - 1);
    }
    // By the bodies: a look-up reads those, and a head may be lost.
    let least = conn.query_row("SELECT min(first) FROM bodies", [], |row| row.get::<_, Option<i64>>(0));
    let least = least.ok().flatten().map_or(u64::MAX, |first| first as u64);
    let least = all.heads.get(from).map_or(least, |(_, head)| head.first.0.min(least));
    slice.first_frame.store(least, Ordering::Release);
}

/// Drops what was never completed and returns the live frames, ascending.
fn settle(store: &Store, conns: &[(Arc<Slice>, Option<Connection>)], all: &mut Gathered) -> Vec<(i64, FrameHead)> {
    let mut staged: BTreeMap<i64, Vec<FrameHead>> = BTreeMap::new();
    let mut doubtful: HashMap<BatchId, usize> = HashMap::new();
    let mut live = Vec::with_capacity(all.heads.len());
    for (start, head) in std::mem::take(&mut all.heads) {
        match head.batch {
            Some(batch) if !all.sealed.contains(&batch) => {
                // I1: its row may have been in a later slice that is damaged; to drop accepted messages would be
                // worse than to send some that were not answered.
                if start <= all.lossy {
                    *doubtful.entry(batch).or_default() += 1;
                    live.push((start, head));
                } else {
                    staged.entry(start).or_default().push(head);
                }
            }
            _ => live.push((start, head)),
        }
    }
    for (batch, frames) in doubtful {
        all.damage.name(format!("{batch}: its row is missing beside damage; its {frames} frames are taken as accepted"));
    }
    for (start, heads) in staged {
        let Some((slice, kept)) = conns.iter().find(|(slice, _)| slice.start == start) else { continue };
        let firsts: Vec<u64> = heads.iter().map(|head| head.first.0).collect();
        let opened = if kept.is_none() { slice::connect(&slice.path, Role::Writer).ok() } else { None };
        let cut = kept.as_ref().or(opened.as_ref()).is_some_and(|conn| delete_frames(conn, &firsts).is_ok());
        slice.dirty.store(true, Ordering::Release);
        if !cut {
            // They stay out of sight and are cut at the next start.
            heads.iter().filter_map(|head| head.batch).for_each(|batch| _ = store.hide(batch));
        }
    }
    live
}

/// Reads the keys of what is in no run.
fn fill_tail(conns: &[(Arc<Slice>, Option<Connection>)], index: &mut Index, live: &[(i64, FrameHead)], damage: &mut Damage) {
    let uncovered = Uncovered::by(index.newest());
    let wanted: HashSet<u64> =
        live.iter().filter(|(_, head)| uncovered.has(head.seq, head.first.0)).map(|(_, head)| head.first.0).collect();
    for (slice, kept) in conns {
        let opened = if kept.is_none() { slice::connect(&slice.path, Role::Reader).ok() } else { None };
        let Some(conn) = kept.as_ref().or(opened.as_ref()) else { continue };
        let mut read = |condition: &str, seq: u64| {
            let sql = format!("SELECT seq, keys FROM groups WHERE seq {condition} ? AND keys IS NOT NULL ORDER BY seq");
            let mut statement = conn.prepare_cached(&sql)?;
            let mut rows = statement.query([slice::sql(seq)])?;
            while let Some(row) = rows.next()? {
                let seq = row.get::<_, i64>(0)? as u64;
                let blob = row.get_ref(1)?.as_blob().unwrap_or_default();
                let read = codec::open(Kind::Keys, seq, blob).and_then(|raw| {
                    codec::read_keys(&raw, |first, counted, pairs| {
                        if wanted.contains(&first) {
                            index.tail.add(&pairs, counted);
                        }
                    })
                });
                if read.is_none() {
                    damage.name(format!("{}: commit {seq}: its messages are not found by search", slice.name));
                }
            }
            Ok::<_, rusqlite::Error>(())
        };
        let mut done = uncovered.groups.iter().filter(|seq| **seq <= uncovered.after).try_for_each(|seq| read("=", *seq));
        if slice.last_seq.load(Ordering::Acquire) > uncovered.after {
            done = done.and_then(|()| read(">", uncovered.after));
        }
        if let Err(error) = done {
            damage.name(format!("{}: search keys: {error}", slice.name));
        }
    }
}

/// What a scan met.
struct Scanned {
    /// Rows that were not sound, by key.
    unsound: Vec<i64>,
    /// Why rows in the middle could not be reached.
    cut: Option<String>,
}

impl Scanned {
    fn name(self, slice: &Slice, what: &str, damage: &mut Damage) {
        for key in self.unsound {
            damage.name(format!("{}: {what} {key}: damaged row", slice.name));
        }
        if let Some(why) = self.cut {
            damage.name(format!("{}: {what}: {why}", slice.name));
        }
    }
}

/// Reads a table in the order of its key; when a page is damaged, from the other end up to it.
fn scan(conn: &Connection, columns: &str, key: &str, each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<bool>) -> Scanned {
    let mut scanned = Scanned { unsound: Vec::new(), cut: None };
    let mut last = i64::MIN;
    let forward = format!("SELECT {columns} WHERE {key} >= ? ORDER BY {key}");
    if let Err(error) = scan_one_way(conn, &forward, &mut last, &mut scanned.unsound, each) {
        scanned.cut = Some(error.to_string());
        let back = format!("SELECT {columns} WHERE {key} > ? ORDER BY {key} DESC");
        let _ = scan_one_way(conn, &back, &mut last, &mut scanned.unsound, each);
    }
    scanned
}

fn scan_one_way(
    conn: &Connection,
    sql: &str,
    last: &mut i64,
    unsound: &mut Vec<i64>,
    each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([*last])?;
    while let Some(row) = rows.next()? {
        *last = row.get(0)?;
        // A value of another type than was written is a damaged row, not the end of the table.
        if !each(row).unwrap_or(false) {
            unsound.push(*last);
        }
    }
    Ok(())
}
