//! Journal: what all cores posted in one tick becomes one group, committed together. Single messages of one lane
//! are joined into one frame. Pure: posts and `now` in, a group out; the writer thread commits it.

pub mod drafts;
pub mod start;

pub use drafts::{Drafts, Slot};
pub use start::Start;

use crate::base::id::IdSource;
use crate::base::{BatchId, MessageId, Span, Time};
use crate::message::Event;
use crate::storage::port::NewFrame;
use crate::storage::{Answer, BatchRow, Closed, Frame, FrameHead, Group, Lane, PersonChange, Spent};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// Messages of one lane, composed, waiting for their ids.
#[derive(Debug)]
pub struct FrameDraft {
    /// Where they will wait.
    pub lane: Lane,
    /// Their bulk, if any. Frames of a bulk are staged until its row is committed.
    pub batch: Option<BatchId>,
    /// When the first of its messages may go, and why not before.
    pub start: Start,
    /// How many.
    pub count: u32,
    /// Their records (`message::record::write`).
    pub body: Vec<u8>,
    /// The shortest lifetime among them.
    pub lifetime_min: Span,
    /// Search keys by recipient, one a message.
    pub recipients: Vec<u64>,
    /// Search keys by client reference, one a message, 0 when none.
    pub references: Vec<u64>,
    /// Search keys to cancel by, 0 when none; empty when no message has one.
    pub cancel_keys: Vec<u64>,
    /// Search keys by campaign, likewise.
    pub campaigns: Vec<u64>,
}

impl FrameDraft {
    /// Takes the start of one more message: the frame waits for the least of them.
    fn start_no_later_than(&mut self, start: Start) {
        if start.due < self.start.due {
            (self.start.due, self.start.why) = (start.due, start.why);
        }
    }
}

/// What a request wants to be durable.
#[derive(Debug, Default)]
pub struct Acceptance {
    /// Messages.
    pub frames: Vec<FrameDraft>,
    /// The bulk's row, with the last of its frames: now they are live.
    pub seal: Option<BatchRow>,
    /// The answer under an idempotency key.
    pub answer: Option<Answer>,
    /// A bulk that will not be completed.
    pub abort: Option<BatchId>,
    /// What the customer says of recipients.
    pub people: Vec<PersonChange>,
}

impl Acceptance {
    /// Roughly how many octets the journal will write.
    #[must_use]
    pub fn bytes(&self) -> usize {
        256 + self
            .frames
            .iter()
            .map(|frame| frame.body.len() + 24 * frame.count as usize + 8 * (frame.cancel_keys.len() + frame.campaigns.len()))
            .sum::<usize>()
            + self.answer.as_ref().map_or(0, |answer| answer.body.len())
            + self.seal.as_ref().map_or(0, |row| row.detail.len())
            + self.people.len() * 128
    }
}

/// What a shard wants to be durable.
#[derive(Debug, Default)]
pub struct Turn {
    /// What happened, encoded.
    pub log: Vec<u8>,
    /// The same, for those who listen.
    pub events: Vec<Event>,
    /// The frames it is about, ascending.
    pub touched: Vec<MessageId>,
    /// Frames that are over.
    pub closed: Vec<Closed>,
    /// Small values that change with the events: key, and value or removal.
    pub notes: Vec<(String, Option<Vec<u8>>)>,
    /// What recipients said, in order.
    pub people: Vec<PersonChange>,
    /// Answers to them.
    pub frames: Vec<FrameDraft>,
    /// What counts for caps with the leases among the events.
    pub spent: Vec<Spent>,
}

/// The first octets of the stored answer to a single message: the writer puts its id in their place.
pub const UNNAMED: [u8; 8] = [0xff; 8];

/// Where one draft's messages came to lie: the id of its first message; the others follow.
pub type Place = MessageId;

/// A group, and what to tell whom when it is durable.
#[derive(Debug, Default)]
pub struct Prepared {
    /// To be committed.
    pub group: Group,
    /// Per acceptance, in their order, the places of its drafts.
    pub places: Vec<Vec<Place>>,
    /// Frames that are live with this commit.
    pub live: Vec<Arc<Frame>>,
    /// All events of the group, in order.
    pub events: Vec<Event>,
    /// How many of the group's first changes of people came with acceptances.
    pub people_accepted: usize,
}

/// Builds groups. Owned by the writer.
#[derive(Debug)]
pub struct Grouping {
    ids: IdSource,
    seq: u64,
    frame_messages_max: u32,
    /// Frames of bulks that are not complete yet.
    staged: HashMap<BatchId, Vec<Arc<Frame>>>,
}

impl Grouping {
    /// After what the journal holds. `frame_messages_max` bounds the joining of single messages.
    #[must_use]
    pub fn new(node: u8, last_seq: u64, last_id: Option<u64>, frame_messages_max: u32) -> Grouping {
        Grouping { ids: IdSource::new(node, last_id), seq: last_seq, frame_messages_max, staged: HashMap::new() }
    }

    /// One group of everything posted. If its commit fails, nothing of it happened: `undo` must be called.
    pub fn prepare(
        &mut self,
        acceptances: Vec<Acceptance>,
        turns: Vec<Turn>,
        notes: Vec<(String, Option<Vec<u8>>)>,
        now: Time,
    ) -> Prepared {
        self.seq += 1;
        let mut prepared = Prepared { group: Group { seq: self.seq, at: now, notes, ..Group::default() }, ..Prepared::default() };
        // Which acceptance each answer belongs to.
        let mut named: Vec<usize> = Vec::new();
        let mut joined: Vec<(FrameDraft, Vec<(usize, usize)>)> = Vec::new();
        for (index, acceptance) in acceptances.into_iter().enumerate() {
            prepared.places.push(vec![MessageId(0); acceptance.frames.len()]);
            for (slot, draft) in acceptance.frames.into_iter().enumerate() {
                self.join(&mut joined, draft, (index, slot));
            }
            prepared.group.answers.extend(acceptance.answer.filter(|_| !crate::base::planted::is("key-not-stored")));
            if prepared.group.answers.len() > named.len() {
                named.push(index);
            }
            prepared.group.batches.extend(acceptance.seal);
            prepared.group.aborted.extend(acceptance.abort);
            prepared.group.people.extend(acceptance.people);
        }
        prepared.people_accepted = prepared.group.people.len();
        let mut turns = turns;
        for turn in &mut turns {
            // Nobody asked for them, so nobody is told their places.
            joined.extend(turn.frames.drain(..).map(|draft| (draft, Vec::new())));
            prepared.group.people.append(&mut turn.people);
        }
        // Given up in the same tick: its frames need not be written to be removed.
        joined.retain(|(draft, _)| draft.batch.is_none_or(|batch| !prepared.group.aborted.contains(&batch)));
        for (draft, owners) in joined {
            self.frame(draft, &owners, &mut prepared, now);
        }
        for (answer, index) in prepared.group.answers.iter_mut().zip(named) {
            // The answer of a single message begins with its id, which nobody knew before now.
            if let ([place], Some(id)) = (&*prepared.places[index], answer.body.first_chunk_mut::<8>())
                && *id == UNNAMED
            {
                *id = place.0.to_le_bytes();
            }
        }
        for batch in &prepared.group.aborted {
            self.staged.remove(batch);
        }
        for row in &prepared.group.batches {
            prepared.live.extend(self.staged.remove(&row.id).unwrap_or_default());
        }
        for turn in turns {
            prepared.group.log.extend_from_slice(&turn.log);
            prepared.group.touched.extend(turn.touched);
            prepared.group.closed.extend(turn.closed);
            prepared.events.extend(turn.events);
            prepared.group.notes.extend(turn.notes);
            prepared.group.spent.extend(turn.spent);
        }
        prepared.group.touched.sort_unstable();
        prepared.group.touched.dedup();
        prepared
    }

    /// Small drafts without a bulk join one of the same lane; `owners` says who asked for which message.
    fn join(&self, joined: &mut Vec<(FrameDraft, Vec<(usize, usize)>)>, draft: FrameDraft, owner: (usize, usize)) {
        let fits = |other: &FrameDraft| {
            draft.batch.is_none()
                && other.batch.is_none()
                && other.lane == draft.lane
                && other.start.goes_with(&draft.start)
                && other.count + draft.count <= self.frame_messages_max
        };
        // The owners' messages are found again by count, so only drafts of one message each are joined.
        match joined.iter_mut().rev().take(64).find(|(other, owners)| fits(other) && draft.count == 1 && owners.len() as u32 == other.count)
        {
            Some((other, owners)) => {
                let place = other.count as usize;
                join_keys(&mut other.cancel_keys, place, &draft.cancel_keys);
                join_keys(&mut other.campaigns, place, &draft.campaigns);
                other.count += 1;
                other.start_no_later_than(draft.start);
                other.body.extend_from_slice(&draft.body);
                other.lifetime_min = other.lifetime_min.min(draft.lifetime_min);
                other.recipients.extend_from_slice(&draft.recipients);
                other.references.extend_from_slice(&draft.references);
                owners.push(owner);
            }
            None => joined.push((draft, vec![owner])),
        }
    }

    fn frame(&mut self, draft: FrameDraft, owners: &[(usize, usize)], prepared: &mut Prepared, now: Time) {
        let first = MessageId(self.ids.take(draft.count, now));
        for (place, (index, slot)) in owners.iter().enumerate() {
            prepared.places[*index][*slot] = MessageId(first.0 + place as u64);
        }
        let head = FrameHead {
            first,
            count: draft.count,
            seq: self.seq,
            lane: draft.lane,
            batch: draft.batch,
            accepted: now,
            expires: now.after(draft.lifetime_min),
            due: draft.start.due.max(Time(0)),
            why: if draft.start.due > Time(0) { draft.start.why as u8 } else { 0 },
        };
        // What is counted as its octets is what it takes: the room it grew into is given back.
        let frame = Frame::new(head, Bytes::from(draft.body.into_boxed_slice())).expect("the accept stage counted what it wrote");
        let frame = Arc::new(frame);
        match frame.head.batch {
            Some(batch) if !crate::base::planted::is("bulk-live-without-seal") => self.staged.entry(batch).or_default().push(frame.clone()),
            _ => prepared.live.push(frame.clone()),
        }
        prepared.group.frames.push(NewFrame {
            frame,
            recipients: draft.recipients,
            references: draft.references,
            cancel_keys: draft.cancel_keys,
            campaigns: draft.campaigns,
        });
    }

    /// The group was not committed: its position is free again, its staged frames never were.
    pub fn undo(&mut self, prepared: &Prepared) {
        self.seq -= 1;
        for new in &prepared.group.frames {
            if let Some(batch) = new.frame.head.batch {
                self.staged.remove(&batch);
            }
        }
    }
}

/// The keys of one more message, which is the one at `place`; nothing while no message has one.
fn join_keys(keys: &mut Vec<u64>, place: usize, more: &[u64]) {
    if !keys.is_empty() || !more.is_empty() {
        keys.resize(place, 0);
        keys.push(more.first().copied().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::outcome::Reason;

    fn draft(batch: Option<BatchId>, count: u32) -> FrameDraft {
        let lane = Lane { carrier: "c".into(), account: "a".into(), priority: 1 };
        let keys = vec![7; count as usize];
        FrameDraft {
            lane,
            batch,
            start: Start::NOW,
            count,
            body: vec![0; count as usize],
            lifetime_min: Span::secs(60),
            recipients: keys.clone(),
            references: keys,
            cancel_keys: Vec::new(),
            campaigns: Vec::new(),
        }
    }

    fn accept(frames: Vec<FrameDraft>) -> Acceptance {
        Acceptance { frames, ..Acceptance::default() }
    }

    #[test]
    fn single_messages_of_a_lane_share_a_frame_and_each_gets_its_own_id() {
        let mut grouping = Grouping::new(0, 0, None, 100);
        let prepared = grouping.prepare((0..5).map(|_| accept(vec![draft(None, 1)])).collect(), vec![], vec![], Time(1));
        assert_eq!(prepared.group.frames.len(), 1);
        let first = prepared.group.frames[0].frame.head.first.0;
        let ids: Vec<u64> = prepared.places.iter().map(|places| places[0].0).collect();
        assert_eq!(ids, (first..first + 5).collect::<Vec<_>>());
        assert_eq!(prepared.live.len(), 1);
    }

    #[test]
    fn single_messages_join_only_those_that_start_with_them() {
        let mut grouping = Grouping::new(0, 0, None, 100);
        let at = |due, group| {
            let start = Start { due: Time(due), why: Reason::WindowClosed, group };
            accept(vec![FrameDraft {
                start,
                cancel_keys: vec![due as u64],
                campaigns: if group == 1 { vec![7] } else { vec![] },
                ..draft(None, 1)
            }])
        };
        let posted = vec![at(120_500, 0), accept(vec![draft(None, 1)]), at(120_000, 0), at(180_000, 0), at(120_000, 1)];
        let prepared = grouping.prepare(posted, vec![], vec![], Time(1));
        let heads: Vec<_> = prepared.live.iter().map(|frame| (frame.head.count, frame.head.due.0, frame.head.why)).collect();
        assert_eq!(heads, [(2, 120_000, 14), (1, 0, 0), (1, 180_000, 14), (1, 120_000, 14)]);
        assert_eq!(prepared.group.frames[0].cancel_keys, [120_500, 120_000]);
        assert!(prepared.group.frames[1].cancel_keys.is_empty());
        assert_eq!(prepared.group.frames.iter().map(|frame| &*frame.campaigns).collect::<Vec<_>>(), [&[][..], &[], &[], &[7]]);
    }

    #[test]
    fn a_bulk_is_live_only_with_its_seal() {
        let mut grouping = Grouping::new(0, 0, None, 100);
        let batch = BatchId(9);
        let staged = grouping.prepare(vec![accept(vec![draft(Some(batch), 3)])], vec![], vec![], Time(1));
        assert!(staged.live.is_empty());
        let row = BatchRow { id: batch, account: "a".into(), at: Time(1), received: 5, accepted: 5, detail: vec![] };
        let seal = Acceptance { frames: vec![draft(Some(batch), 2)], seal: Some(row), ..Acceptance::default() };
        let sealed = grouping.prepare(vec![seal], vec![], vec![], Time(2));
        assert_eq!(sealed.live.iter().map(|frame| frame.head.count).sum::<u32>(), 5);
        let gone = grouping.prepare(vec![Acceptance { abort: Some(batch), ..Acceptance::default() }], vec![], vec![], Time(3));
        assert!(gone.live.is_empty() && gone.group.aborted == [batch]);
    }

    #[test]
    fn a_bulk_given_up_in_the_tick_of_its_frames_writes_none_of_them() {
        let mut grouping = Grouping::new(0, 0, None, 100);
        let batch = BatchId(9);
        let abort = Acceptance { abort: Some(batch), ..Acceptance::default() };
        let prepared = grouping.prepare(vec![accept(vec![draft(Some(batch), 3)]), abort], vec![], vec![], Time(1));
        assert!(prepared.group.frames.is_empty() && prepared.group.aborted == [batch]);
    }

    #[test]
    fn an_answer_of_a_turn_is_live_with_the_commit_that_holds_its_events() {
        let mut grouping = Grouping::new(0, 0, None, 100);
        let turn = Turn { log: vec![1], frames: vec![draft(None, 1)], ..Turn::default() };
        let prepared = grouping.prepare(vec![accept(vec![draft(None, 1)])], vec![turn], vec![], Time(1));
        assert_eq!((prepared.group.frames.len(), prepared.live.len(), prepared.places.len()), (2, 2, 1));
        let ids: Vec<u64> = prepared.live.iter().map(|frame| frame.head.first.0).collect();
        assert!(ids[0] != ids[1] && prepared.places[0][0].0 == ids[0]);
    }

    #[test]
    fn a_group_that_was_not_committed_leaves_no_trace() {
        let mut grouping = Grouping::new(0, 7, None, 100);
        let batch = BatchId(9);
        let failed = grouping.prepare(vec![accept(vec![draft(Some(batch), 3)])], vec![], vec![], Time(1));
        assert_eq!(failed.group.seq, 8);
        grouping.undo(&failed);
        let next = grouping.prepare(vec![], vec![Turn::default()], vec![], Time(1));
        assert_eq!(next.group.seq, 8);
    }
}
