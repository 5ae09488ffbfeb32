//! What lies on the simulated disk, in the order in which the embedded store would have it.

use crate::base::{BatchId, MessageId, Span, Time};
use crate::storage::frame::Frame;
use crate::storage::people::{PersonChange, Preference, Suppression, SuppressionKey};
use crate::storage::port::{Answer, BatchRow, Closed, Group, NewFrame, Rewrite};
use crate::storage::spent::Spent;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

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

/// The disk.
pub(super) struct Disk {
    slice: Span,
    /// Oldest first.
    pub(super) slices: Vec<Slice>,
    pub(super) notes: BTreeMap<String, Vec<u8>>,
    pub(super) suppressions: BTreeMap<SuppressionKey, Suppression>,
    pub(super) preferences: BTreeMap<(String, u64), Preference>,
    /// Bulks that are not complete: their frames are not shown, their keys wait here.
    pub(super) staged: HashMap<BatchId, Vec<(u64, u64)>>,
    pub(super) last_seq: u64,
    pub(super) last_id: Option<u64>,
    pub(super) last_at: Option<Time>,
    pub(super) reserve: bool,
    /// The process that may write.
    pub(super) life: u64,
    pub(super) next_fault: Option<SimulatedFault>,
}

/// What was committed in one span of time.
pub(super) struct Slice {
    pub(super) start: i64,
    pub(super) last_at: Time,
    pub(super) last_seq: u64,
    pub(super) frames: BTreeMap<u64, Arc<Frame>>,
    pub(super) open: HashSet<u64>,
    /// The later ones that say what became of its frames.
    pub(super) followed: BTreeSet<i64>,
    pub(super) log: BTreeMap<u64, Bytes>,
    pub(super) touches: BTreeSet<(u64, u64)>,
    pub(super) answers: HashMap<(String, String), Answer>,
    pub(super) batches: BTreeMap<u64, BatchRow>,
    pub(super) closed: BTreeMap<u64, Closed>,
    /// (key, message).
    pub(super) keys: BTreeSet<(u64, u64)>,
    pub(super) spent: Vec<Spent>,
}

impl Disk {
    pub(super) fn new(slice: Span) -> Disk {
        Disk {
            slice,
            slices: Vec::new(),
            notes: BTreeMap::new(),
            suppressions: BTreeMap::new(),
            preferences: BTreeMap::new(),
            staged: HashMap::new(),
            last_seq: 0,
            last_id: None,
            last_at: None,
            reserve: true,
            life: 0,
            next_fault: None,
        }
    }

    fn choose_slice(&mut self, at: Time) -> &mut Slice {
        let newest = self.slices.last().map(|slice| slice.start);
        if newest.is_none_or(|start| at.0 >= start.saturating_add(self.slice.as_millis() as i64)) {
            self.slices.push(Slice::new(at.0.max(newest.map_or(i64::MIN, |start| start + 1))));
        }
        self.slices.last_mut().expect("there is one now")
    }

    /// Puts a group on the disk. Nothing in it can fail.
    pub(super) fn write(&mut self, group: &Group) {
        self.last_seq = self.last_seq.max(group.seq);
        self.last_at = Some(group.at);
        for (key, value) in &group.notes {
            match value {
                Some(value) => _ = self.notes.insert(key.clone(), value.clone()),
                None => _ = self.notes.remove(key),
            }
        }
        for change in &group.people {
            self.change(change.clone());
        }
        if only_notes(group) {
            return;
        }
        self.last_id = self.last_id.max(greatest_id(group));
        let mut staged = std::mem::take(&mut self.staged);
        let slice = self.choose_slice(group.at);
        slice.write(group);
        for new in &group.frames {
            let complete = |id: &BatchId| group.batches.iter().any(|batch| batch.id == *id);
            match new.frame.head.batch {
                Some(id) if !complete(&id) => staged.entry(id).or_default().extend(pairs(new)),
                _ => slice.keys.extend(pairs(new)),
            }
        }
        for batch in &group.batches {
            slice.keys.extend(staged.remove(&batch.id).into_iter().flatten());
        }
        for id in &group.aborted {
            staged.remove(id);
            self.drop_bulk(*id);
        }
        let newest = self.slices.last().map_or(i64::MIN, |slice| slice.start);
        for frame in group.touched.iter().copied().chain(group.closed.iter().map(|closed| closed.frame)) {
            let begins = |slice: &Slice| slice.frames.keys().next().is_some_and(|first| *first <= frame.0);
            if let Some(slice) = self.slices.iter_mut().rev().find(|slice| begins(slice)).filter(|slice| slice.start != newest) {
                slice.followed.insert(newest);
            }
        }
        for closed in &group.closed {
            if let Some(slice) = self.slices.iter_mut().rev().find(|slice| slice.open.contains(&closed.frame.0)) {
                slice.open.remove(&closed.frame.0);
            }
        }
        self.staged = staged;
    }

    /// Removes the slices that are over, last committed to before this instant and told; how many. What one says of
    /// frames in those that stay goes to them.
    pub(super) fn remove_old(&mut self, before: Time, told: u64) -> usize {
        let is_past = |slice: &Slice| slice.last_at < before && slice.last_seq < told;
        if !self.slices.iter().any(|slice| slice.open.is_empty() && is_past(slice)) {
            return 0;
        }
        let Some(newest) = self.slices.pop() else { return 0 };
        let late: BTreeSet<i64> = self.slices.iter().chain([&newest]).filter(|slice| !is_past(slice)).map(|slice| slice.start).collect();
        let (mut kept, mut removed) = (Vec::<Slice>::new(), 0);
        for slice in self.slices.drain(..) {
            // Whether it tells what happened to a frame that stays: its end is said later. The last to be asked: it looks at all rows.
            let stays = |home: &Slice, frame: &u64| home.frames.contains_key(frame) && !home.closed.contains_key(frame);
            let knows_more =
                || slice.touches.iter().any(|(frame, _)| !slice.closed.contains_key(frame) && kept.iter().any(|home| stays(home, frame)));
            if slice.open.is_empty() && is_past(&slice) && slice.followed.is_disjoint(&late) && !knows_more() {
                removed += 1;
                slice.hand_over(&mut kept);
            } else {
                kept.push(slice);
            }
        }
        kept.push(newest);
        self.slices = kept;
        removed
    }

    /// Puts rows in the place of others.
    pub(super) fn rewrite(&mut self, rewrite: &Rewrite) {
        for one in &rewrite.frames {
            let first = one.frame.head.first.0;
            let gone: HashSet<u64> = one.ordinals.iter().map(|ordinal| first + u64::from(*ordinal)).collect();
            for slice in &mut self.slices {
                slice.keys.retain(|(_, id)| !gone.contains(id));
                slice.frames.entry(first).and_modify(|frame| *frame = one.frame.clone());
            }
            self.staged.values_mut().for_each(|pairs| pairs.retain(|(_, id)| !gone.contains(id)));
        }
        for slice in &mut self.slices {
            for row in &rewrite.logs {
                slice.log.entry(row.seq).and_modify(|log| *log = row.log.clone());
            }
            for (account, key, answer) in &rewrite.answers {
                let key = (account.clone(), key.clone());
                match answer {
                    Some(answer) => _ = slice.answers.entry(key).and_modify(|one| *one = answer.clone()),
                    None => _ = slice.answers.remove(&key),
                }
            }
        }
        rewrite.people.iter().for_each(|change| self.change(change.clone()));
    }

    fn change(&mut self, change: PersonChange) {
        match change {
            PersonChange::Suppress(row) => {
                let row = row.clone().after(self.suppressions.get(&row.key));
                self.suppressions.insert(row.key.clone(), row);
            }
            PersonChange::Lift(key) => _ = self.suppressions.remove(&key),
            PersonChange::Prefer(one) => _ = self.preferences.insert((one.account.clone(), one.number), one),
            PersonChange::Forget { account, number } => _ = self.preferences.remove(&(account, number)),
        }
    }

    /// Removes the frames of a bulk that never was.
    pub(super) fn drop_bulk(&mut self, id: BatchId) {
        for slice in &mut self.slices {
            slice.frames.retain(|_, frame| frame.head.batch != Some(id));
            slice.open.retain(|first| slice.frames.contains_key(first));
        }
    }

    pub(super) fn is_staged(&self, batch: Option<BatchId>) -> bool {
        batch.is_some_and(|id| self.staged.contains_key(&id))
    }

    /// The last frame that begins at or before an id, if it reaches to it.
    pub(super) fn frame_of(&self, id: MessageId) -> Option<&Arc<Frame>> {
        let (_, frame) = self.slices.iter().rev().find_map(|slice| slice.frames.range(..=id.0).next_back())?;
        (id.0 - frame.head.first.0 < u64::from(frame.head.count)).then_some(frame)
    }
}

impl Slice {
    fn new(start: i64) -> Slice {
        Slice {
            start,
            last_at: Time(start),
            last_seq: 0,
            frames: BTreeMap::new(),
            open: HashSet::new(),
            followed: BTreeSet::new(),
            log: BTreeMap::new(),
            touches: BTreeSet::new(),
            answers: HashMap::new(),
            batches: BTreeMap::new(),
            closed: BTreeMap::new(),
            keys: BTreeSet::new(),
            spent: Vec::new(),
        }
    }

    /// Whether one of its frames has this message.
    fn holds(&self, id: u64) -> bool {
        self.frames.range(..=id).next_back().is_some_and(|(first, frame)| id - first < frame.head.count.into())
    }

    /// Ends, bulks and keys go to the slices that have the frames.
    fn hand_over(self, kept: &mut [Slice]) {
        for home in kept {
            let keys: Vec<_> = self.keys.iter().filter(|(_, id)| home.holds(*id)).copied().collect();
            home.keys.extend(keys);
            for (frame, closed) in &self.closed {
                if home.frames.remove(frame).is_some() {
                    home.touches.retain(|(touched, _)| touched != frame);
                    home.closed.entry(*frame).or_insert_with(|| closed.clone());
                }
            }
            let of_frames = home.frames.values().filter_map(|frame| frame.head.batch);
            let named: HashSet<BatchId> = of_frames.chain(home.closed.values().filter_map(|closed| closed.batch)).collect();
            let has = |id: &u64| named.contains(&BatchId(*id));
            let bulks: Vec<_> = self.batches.iter().filter(|(id, _)| has(id)).map(|(id, row)| (*id, row.clone())).collect();
            bulks.into_iter().for_each(|(id, row)| _ = home.batches.entry(id).or_insert(row));
        }
    }

    fn write(&mut self, group: &Group) {
        self.last_at = group.at;
        self.last_seq = group.seq;
        for new in &group.frames {
            self.frames.insert(new.frame.head.first.0, new.frame.clone());
            self.open.insert(new.frame.head.first.0);
        }
        if !group.log.is_empty() {
            self.log.insert(group.seq, Bytes::copy_from_slice(&group.log));
            self.touches.extend(group.touched.iter().map(|frame| (frame.0, group.seq)));
        }
        for answer in &group.answers {
            self.answers.insert((answer.account.clone(), answer.key.clone()), answer.clone());
        }
        self.spent.extend_from_slice(&group.spent);
        self.batches.extend(group.batches.iter().map(|batch| (batch.id.0, batch.clone())));
        self.closed.extend(group.closed.iter().map(|closed| (closed.frame.0, closed.clone())));
    }
}

fn only_notes(group: &Group) -> bool {
    let Group { frames, log, answers, batches, aborted, closed, people, spent, .. } = group;
    people.is_empty()
        && spent.is_empty()
        && frames.is_empty()
        && log.is_empty()
        && answers.is_empty()
        && batches.is_empty()
        && aborted.is_empty()
        && closed.is_empty()
}

fn pairs(new: &NewFrame) -> Vec<(u64, u64)> {
    let first = new.frame.head.first.0;
    let filed = |keys: &[u64]| keys.iter().zip(first..).filter(|(key, _)| **key != 0).map(|(key, id)| (*key, id)).collect::<Vec<_>>();
    [filed(&new.recipients), filed(&new.references), filed(&new.cancel_keys), filed(&new.campaigns)].concat()
}

fn greatest_id(group: &Group) -> Option<u64> {
    let frames = group.frames.iter().map(|new| &new.frame.head);
    let bulks = group.batches.iter().map(|batch| batch.id).chain(group.aborted.iter().copied());
    let last = frames.clone().map(|head| head.first.0 + u64::from(head.count.max(1)) - 1);
    last.chain(bulks.chain(frames.filter_map(|head| head.batch)).map(|id| id.0)).max()
}
