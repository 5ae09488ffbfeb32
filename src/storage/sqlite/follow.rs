//! Which slices say what became of the messages of older ones: they are kept as long as those, and those until what is said
//! of them is old and told. In memory by the start of a slice; a restart reads it from what the slices say.
//! Without it, a frame with one message for the year after next would keep its slice and lose its story: after a restart
//! its other messages would be open again.

use crate::storage::sqlite::search::{Run, RunHead};
use crate::storage::sqlite::slice::{Slice, sql};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// No frame has more messages, so none has ids further from its first (`journal.frame_messages_max` is a u16).
const FRAME_IDS: u64 = 1 << 16;

/// By slice, the later ones that tell of its frames.
#[derive(Default)]
pub(super) struct Followed(BTreeMap<i64, BTreeSet<i64>>);

impl Followed {
    /// Notes that a slice tells of these frames.
    pub(super) fn note(&mut self, slices: &[Arc<Slice>], later: i64, frames: impl Iterator<Item = u64>) {
        for frame in frames {
            let holder = slices.iter().rev().find(|slice| slice.first_frame.load(Ordering::Acquire) <= frame);
            if let Some(slice) = holder.filter(|slice| slice.start != later) {
                self.0.entry(slice.start).or_default().insert(later);
            }
        }
    }

    /// The later slices that tell of a slice's frames.
    pub(super) fn by(&self, slice: i64) -> impl Iterator<Item = i64> {
        self.0.get(&slice).into_iter().flatten().copied()
    }

    /// A slice is gone.
    pub(super) fn forget(&mut self, slice: i64) {
        self.0.remove(&slice);
    }
}

/// The frames of older slices that a slice tells of, as far as it can be read.
pub(super) fn told_by(slice: &Slice, conn: &Connection) -> Vec<u64> {
    let begins = slice.first_frame.load(Ordering::Acquire).min(i64::MAX as u64);
    let mut frames = Vec::new();
    // Damage is named where the rows themselves are read; here it costs at most that an old slice goes sooner.
    for sql_text in ["SELECT DISTINCT frame FROM touches WHERE frame < ?", "SELECT frame FROM closed WHERE frame < ?"] {
        let _ = (|| {
            let mut statement = conn.prepare(sql_text)?;
            let mut rows = statement.query([sql(begins)])?;
            while let Some(row) = rows.next()? {
                frames.push(row.get::<_, i64>(0)? as u64);
            }
            Ok::<_, rusqlite::Error>(())
        })();
    }
    frames
}

/// Whether a run in a slice has the keys of a frame that is open in another: a message that was accepted long ago and waits
/// is found as long as it waits.
pub(super) fn finds_open(runs: &[Arc<Run>], start: i64, open: &BTreeMap<i64, HashSet<u64>>) -> bool {
    let mut others = open.iter().filter(|(other, _)| **other != start).flat_map(|(_, firsts)| firsts);
    let heads: Vec<&RunHead> = runs.iter().filter(|run| run.slice == start).map(|run| &run.head).collect();
    !heads.is_empty() && others.any(|first| heads.iter().any(|run| *first <= run.greatest && first.saturating_add(FRAME_IDS) > run.least))
}
