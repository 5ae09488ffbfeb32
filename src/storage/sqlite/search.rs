//! Finding messages by a key: sorted runs instead of a row index.
//!
//! The pairs (key, message) of recent messages wait in memory (`Tail`); every `RUN_MESSAGES` of them are sorted
//! and written as one *run* of 16 KiB chunks, in the transaction of a commit. A look-up searches the tail and
//! then the runs, newest first, reading one chunk of each. Measured: a row index costs 5 to 13 CPU-seconds per
//! million messages, runs some 0.2.
//!
//! A restart rebuilds the tail from the keys that each group keeps in its slice: of the groups after the last
//! run's, and of the frames that were staged when it was written (`RunHead::pending`). Staged frames are in
//! neither tail nor runs until their bulk is complete.

use crate::storage::sqlite::codec::take;
use std::collections::HashSet;
use std::sync::Arc;

/// Messages in a run. More means fewer chunks to read per look-up (10 M messages: 77), and a longer sort and write
/// inside one commit (131,072: some 30 ms).
pub(super) const RUN_MESSAGES: usize = 131_072;
/// Pairs in a sorted block of the tail: a look-up scans at most so many unsorted ones.
const BLOCK_PAIRS: usize = 8_192;
/// Pairs of 16 octets in a chunk, which with its headers is four pages: what a look-up reads of each run, for 16
/// octets of memory.
pub(super) const CHUNK_PAIRS: usize = 1_018;

/// A key and a message filed under it.
pub(super) type Pair = (u64, u64);

/// The pairs that are in no run yet.
#[derive(Default)]
pub(super) struct Tail {
    blocks: Vec<Vec<Pair>>,
    fresh: Vec<Pair>,
    messages: usize,
}

impl Tail {
    /// Adds a frame's pairs.
    pub(super) fn add(&mut self, pairs: &[Pair], messages: usize) {
        self.messages += messages;
        self.fresh.extend_from_slice(pairs);
        if self.fresh.len() >= BLOCK_PAIRS {
            let mut block = std::mem::replace(&mut self.fresh, Vec::with_capacity(BLOCK_PAIRS * 2));
            block.sort_unstable();
            self.blocks.push(block);
        }
    }

    /// How many messages wait.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// The newest messages under a key, below `before`, in no order.
    fn find(&self, key: u64, before: u64, limit: usize) -> Vec<u64> {
        let mut found: Vec<u64> = self.fresh.iter().filter(|(k, id)| *k == key && *id < before).map(|(_, id)| *id).collect();
        for block in &self.blocks {
            let end = block.partition_point(|pair| *pair < (key, before));
            found.extend(block[..end].iter().rev().take_while(|(k, _)| *k == key).take(limit).map(|(_, id)| *id));
        }
        found
    }

    /// Forgets messages.
    pub(super) fn forget(&mut self, gone: &HashSet<u64>) {
        self.fresh.retain(|(_, id)| !gone.contains(id));
        self.blocks.iter_mut().for_each(|block| block.retain(|(_, id)| !gone.contains(id)));
    }

    /// All pairs in order.
    pub(super) fn sorted(&self) -> Vec<Pair> {
        let count = self.fresh.len() + self.blocks.iter().map(Vec::len).sum::<usize>();
        let mut all = Vec::with_capacity(count);
        for block in &self.blocks {
            all.extend_from_slice(block);
        }
        all.extend_from_slice(&self.fresh);
        // The stable sort finds the sorted blocks and merges them.
        all.sort();
        all
    }
}

/// What is kept in memory of a run: 16 octets per chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RunHead {
    /// Its number: each run's is greater than those of all before.
    pub(super) number: u64,
    /// The least and the greatest message in it.
    pub(super) least: u64,
    pub(super) greatest: u64,
    /// All groups up to this position are in runs, except
    pub(super) upto: u64,
    /// these frames (position, first id), which were staged.
    pub(super) pending: Vec<(u64, u64)>,
    /// The first pair of each chunk.
    pub(super) firsts: Vec<Pair>,
}

impl RunHead {
    /// The head of a run of these pairs, in order.
    pub(super) fn of(number: u64, pairs: &[Pair], upto: u64, pending: Vec<(u64, u64)>) -> RunHead {
        let ids = || pairs.iter().map(|(_, id)| *id);
        let firsts = pairs.chunks(CHUNK_PAIRS).map(|chunk| chunk[0]).collect();
        RunHead { number, least: ids().min().unwrap_or(u64::MAX), greatest: ids().max().unwrap_or(0), upto, pending, firsts }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48 + (self.pending.len() + self.firsts.len()) * 16);
        for number in [self.number, self.least, self.greatest, self.upto, self.pending.len() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        write_pairs(&self.pending, &mut out);
        write_pairs(&self.firsts, &mut out);
        out
    }

    pub(super) fn read(mut bytes: &[u8]) -> Option<RunHead> {
        let at = &mut bytes;
        let mut number = || Some(u64::from_le_bytes(take(at)?));
        let (run, least, greatest, upto, waiting) = (number()?, number()?, number()?, number()?, number()?);
        let (pending, firsts) = bytes.split_at_checked(usize::try_from(waiting).ok()?.checked_mul(16)?)?;
        Some(RunHead { number: run, least, greatest, upto, pending: read_pairs(pending)?, firsts: read_pairs(firsts)? })
    }

    /// The row of a chunk.
    pub(super) fn chunk_id(&self, chunk: usize) -> u64 {
        (self.number << 20) | chunk as u64
    }
}

/// Appends pairs in their stored form.
pub(super) fn write_pairs(pairs: &[Pair], out: &mut Vec<u8>) {
    for (a, b) in pairs {
        out.extend_from_slice(&a.to_le_bytes());
        out.extend_from_slice(&b.to_le_bytes());
    }
}

fn pair_at(bytes: &[u8], place: usize) -> Pair {
    let half = |from: usize| u64::from_le_bytes(bytes[from..from + 8].try_into().expect("eight octets"));
    (half(place * 16), half(place * 16 + 8))
}

pub(super) fn read_pairs(bytes: &[u8]) -> Option<Vec<Pair>> {
    bytes.len().is_multiple_of(16).then(|| (0..bytes.len() / 16).map(|place| pair_at(bytes, place)).collect())
}

/// A run, and the slice that holds it.
pub(super) struct Run {
    pub(super) head: RunHead,
    pub(super) slice: i64,
}

/// The tail and the runs.
#[derive(Default)]
pub(super) struct Index {
    pub(super) tail: Tail,
    /// By their greatest message, greatest first.
    runs: Arc<Vec<Arc<Run>>>,
}

impl Index {
    /// Adds a run.
    pub(super) fn push(&mut self, run: Run) {
        let runs = Arc::make_mut(&mut self.runs);
        let place = runs.partition_point(|other| other.head.greatest >= run.head.greatest);
        runs.insert(place, Arc::new(run));
    }

    /// All runs.
    pub(super) fn runs(&self) -> Arc<Vec<Arc<Run>>> {
        self.runs.clone()
    }

    /// Puts a run in the place of the one of its number.
    pub(super) fn replace(&mut self, run: Run) {
        Arc::make_mut(&mut self.runs).iter_mut().filter(|one| one.head.number == run.head.number).for_each(|one| {
            *one = Arc::new(Run { head: run.head.clone(), slice: run.slice });
        });
    }

    /// Forgets the runs of a slice that was removed.
    pub(super) fn drop_slice(&mut self, slice: i64) {
        Arc::make_mut(&mut self.runs).retain(|run| run.slice != slice);
    }

    /// The run that says what is in runs: the last that was written.
    pub(super) fn newest(&self) -> Option<&RunHead> {
        self.runs.iter().map(|run| &run.head).max_by_key(|head| head.number)
    }

    /// What the tail knows, and the runs to ask for the rest.
    pub(super) fn begin(&self, key: u64, before: u64, limit: usize) -> Search {
        let mut search = Search { key, before, limit, found: self.tail.find(key, before, limit), runs: self.runs.clone() };
        search.settle();
        search
    }
}

/// A look-up under way.
pub(super) struct Search {
    key: u64,
    before: u64,
    limit: usize,
    /// Newest first, without repetition, at most `limit`.
    found: Vec<u64>,
    runs: Arc<Vec<Arc<Run>>>,
}

impl Search {
    fn settle(&mut self) {
        self.found.sort_unstable_by(|a, b| b.cmp(a));
        // A message may be filed twice under one key, and be in the tail and in a run after a restart.
        self.found.dedup();
        self.found.truncate(self.limit);
    }

    /// Asks the runs. `read` gives a chunk's pairs; `None` when its slice is gone.
    pub(super) fn finish<E>(mut self, mut read: impl FnMut(&Run, usize) -> Result<Option<Vec<u8>>, E>) -> Result<Vec<u64>, E> {
        for run in self.runs.clone().iter() {
            if self.found.len() == self.limit && self.found.last().is_none_or(|least| *least >= run.head.greatest) {
                break;
            }
            if run.head.least >= self.before {
                continue;
            }
            self.ask(run, &mut read)?;
            self.settle();
        }
        Ok(self.found)
    }

    fn ask<E>(&mut self, run: &Run, read: &mut impl FnMut(&Run, usize) -> Result<Option<Vec<u8>>, E>) -> Result<(), E> {
        let mut chunk = run.head.firsts.partition_point(|first| *first < (self.key, self.before));
        let mut left = self.limit;
        while chunk > 0 && left > 0 {
            chunk -= 1;
            let Some(bytes) = read(run, chunk)? else { return Ok(()) };
            let mut place = lower_bound(&bytes, (self.key, self.before));
            while place > 0 && left > 0 {
                place -= 1;
                let (key, id) = pair_at(&bytes, place);
                if key != self.key {
                    return Ok(());
                }
                self.found.push(id);
                left -= 1;
            }
        }
        Ok(())
    }
}

/// How many pairs of a chunk are below this one.
fn lower_bound(bytes: &[u8], pair: Pair) -> usize {
    let (mut low, mut high) = (0, bytes.len() / 16);
    while low < high {
        let middle = low.midpoint(high);
        if pair_at(bytes, middle) < pair { low = middle + 1 } else { high = middle }
    }
    low
}

/// Which frames' keys a restart reads into the tail.
pub(super) struct Uncovered {
    /// All of groups after this position.
    pub(super) after: u64,
    /// And these frames.
    pub(super) frames: HashSet<u64>,
    /// Whose groups are these.
    pub(super) groups: Vec<u64>,
}

impl Uncovered {
    pub(super) fn by(newest: Option<&RunHead>) -> Uncovered {
        let Some(head) = newest else { return Uncovered { after: 0, frames: HashSet::new(), groups: Vec::new() } };
        let mut groups: Vec<u64> = head.pending.iter().map(|(seq, _)| *seq).collect();
        groups.sort_unstable();
        groups.dedup();
        Uncovered { after: head.upto, frames: head.pending.iter().map(|(_, first)| *first).collect(), groups }
    }

    /// Whether a frame committed at this position is in no run.
    pub(super) fn has(&self, seq: u64, first: u64) -> bool {
        seq > self.after || self.frames.contains(&first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn chunks(pairs: &[Pair]) -> Vec<Vec<u8>> {
        let piece = |chunk: &[Pair]| {
            let mut out = Vec::new();
            write_pairs(chunk, &mut out);
            out
        };
        pairs.chunks(CHUNK_PAIRS).map(piece).collect()
    }

    fn find(index: &Index, stored: &[Vec<Vec<u8>>], key: u64, before: u64, limit: usize) -> Vec<u64> {
        let read = |run: &Run, chunk: usize| Ok::<_, Infallible>(Some(stored[run.head.number as usize][chunk].clone()));
        index.begin(key, before, limit).finish(read).expect("infallible")
    }

    #[test]
    fn every_page_of_a_look_up_over_runs_and_tail_is_what_a_plain_scan_finds() {
        // Key 5 has more messages than a chunk holds; the second run overlaps the first (a bulk completed late).
        let mut all: Vec<Pair> = (0..9_000u64).map(|id| (if id % 3 == 0 { 5 } else { id % 50 }, id)).collect();
        let (mut index, mut stored) = (Index::default(), Vec::new());
        for (number, part) in [(0, 0..4_000), (1, 3_500..6_000)] {
            let mut tail = Tail::default();
            all[part].iter().for_each(|pair| tail.add(&[*pair], 1));
            let pairs = tail.sorted();
            assert!(pairs.is_sorted());
            index.push(Run { head: RunHead::of(number, &pairs, 0, Vec::new()), slice: 0 });
            stored.push(chunks(&pairs));
        }
        all[5_900..].iter().for_each(|pair| index.tail.add(&[*pair], 1));
        all.sort_unstable_by_key(|pair| std::cmp::Reverse(pair.1));
        for key in [5, 7, 49, 99] {
            for (before, limit) in [(u64::MAX, 10_000), (u64::MAX, 7), (5_950, 40), (3_600, 600), (1, 5), (0, 5)] {
                let plain: Vec<u64> = all.iter().filter(|(k, id)| *k == key && *id < before).map(|(_, id)| *id).take(limit).collect();
                assert_eq!(find(&index, &stored, key, before, limit), plain, "key {key} before {before} limit {limit}");
            }
        }
    }

    #[test]
    fn a_head_goes_both_ways_and_a_cut_one_is_refused_or_shorter() {
        let head = RunHead::of(3, &[(1, 9), (2, 4)], 17, vec![(8, 80), (9, 90)]);
        assert_eq!((head.least, head.greatest), (4, 9));
        let bytes = head.write();
        assert_eq!(RunHead::read(&bytes), Some(head));
        assert!((0..bytes.len() - 16).all(|cut| RunHead::read(&bytes[..cut]).is_none()));
    }
}
