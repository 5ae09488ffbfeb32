//! After a restart: the journal's events, folded, put every message where it was. What was leased and has no
//! outcome is in doubt; everything else is certain.

use super::effects::Now;
use super::law::{Revival, UNKNOWN};
use super::learning::About;
use super::parts::{LostPart, LostParts};
use super::{Desk, Open};
use crate::base::{MessageId, MessageRef, Mono, Span, Time};
use crate::channel::session::Keys;
use crate::message::event::{Moved, NamedIn, PartState, all_parts};
use crate::message::late::Rendering;
use crate::message::outcome::{Reason, Status, Tally};
use crate::message::{Class, Event, Life};
use crate::pipeline::schedule::{OpenFrame, first_wait};
use crate::pipeline::track::{Awaited, Orphan};
use crate::storage::{Frame, FrameHead};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// What the journal tells of one touched message.
#[derive(Clone, Debug, Default)]
pub struct Recovering {
    /// The fold of its events.
    pub life: Life,
    /// The carrier's names of its parts.
    pub names: Vec<Name>,
    /// When a retry is due.
    pub due: Option<Time>,
    /// How many temporary refusals there were since its last lease: each has cost an attempt. Whatever else put it back did not,
    /// nor is a resend counted before its lease: until then it is in doubt, and is put back once more.
    pub refusals: u8,
    /// What the customer has changed.
    pub moved: Option<Moved>,
    /// What came out, of a text that is made when it is sent.
    pub rendered: Option<Rendering>,
}

/// A carrier's name of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// Which part.
    pub part: u8,
    /// The name, and in what it was written so.
    pub carrier_id: Box<str>,
    /// See `carrier_id`.
    pub named_in: NamedIn,
    /// When it was journaled.
    pub when: Time,
}

/// What the journal tells of a frame.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// Its touched messages, by ordinal.
    pub messages: BTreeMap<u32, Recovering>,
    /// Until when it was parked last, and why.
    pub parked: Option<(Time, Reason)>,
}

impl Recovering {
    /// Whether it still waits with its frame: it may have been held, moved, but never leased.
    #[must_use]
    pub fn waits(&self) -> bool {
        let life = &self.life;
        let parts = life.leased | life.submitted | life.doubted | life.delivered | life.failed;
        life.count == 0 && parts == 0 && self.names.is_empty() && self.due.is_none() && !life.status.is_final()
    }
}

/// An orphan in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostReceipt {
    /// The names it gave.
    pub carrier_id: Box<str>,
    /// The other one, or empty.
    pub other_id: Box<str>,
    /// The number it was about.
    pub number: u64,
    /// The echo of our reference.
    pub reference: Option<u16>,
    /// When the carrier took the message, in its own local time; 0 when it did not say.
    pub submit_date: i64,
    /// What it said.
    pub state: PartState,
    /// The carrier's error.
    pub error: Box<str>,
    /// When it came.
    pub when: Time,
}

/// Folds a log from `replay_from` on.
#[derive(Debug, Default)]
pub struct Replay {
    /// By frame, so that a frame nothing happened to costs nothing. Only the open frames have a place.
    frames: HashMap<MessageId, Touched, foldhash::fast::RandomState>,
    /// By carrier and name, those of one name in the order in which they came.
    orphans: BTreeMap<(Box<str>, Box<str>), VecDeque<LostReceipt>>,
    parts: LostParts,
}

impl Replay {
    /// For these open frames; events of others are passed over.
    #[must_use]
    pub fn of(open: impl IntoIterator<Item = MessageId>) -> Replay {
        Replay { frames: open.into_iter().map(|frame| (frame, Touched::default())).collect(), ..Replay::default() }
    }

    /// Whether events of this frame are taken.
    #[must_use]
    pub fn is_open(&self, frame: MessageId) -> bool {
        self.frames.contains_key(&frame)
    }

    fn message(&mut self, at: MessageRef) -> Option<&mut Recovering> {
        self.frames.get_mut(&at.frame).map(|touched| touched.messages.entry(at.ordinal).or_default())
    }

    /// One event, in the journal's order.
    pub fn event(&mut self, event: Event) {
        match event {
            Event::Leased { messages, .. } => {
                for lease in messages {
                    if let Some(message) = self.message(lease.at) {
                        message.life.lease(&lease);
                        message.refusals = 0;
                    }
                }
            }
            Event::Orphaned { carrier, carrier_id, other_id, number, reference, submit_date, state, error, when } => {
                let lost = LostReceipt { carrier_id: carrier_id.clone(), other_id, number, reference, submit_date, state, error, when };
                self.orphans.entry((carrier, carrier_id)).or_default().push_back(lost);
            }
            Event::OrphanGone { carrier, carrier_id, .. } => {
                // Each says of one, and the oldest go first.
                let key = (carrier, carrier_id);
                if self.orphans.get_mut(&key).is_some_and(|list| list.pop_front().is_none() || list.is_empty()) {
                    self.orphans.remove(&key);
                }
            }
            Event::Parked { frame, until, why, .. } => {
                if let Some(touched) = self.frames.get_mut(&frame) {
                    touched.parked = Some((until, why));
                }
            }
            Event::Inbound { of, when, is_incomplete, .. } => self.parts.told(of, is_incomplete, when),
            // Without a sender it was erased.
            Event::InboundPart(part) if part.piece.from.is_empty() => {}
            Event::InboundPart(part) => self.parts.came(*part),
            event => {
                let Some(message) = event.at().and_then(|at| self.message(at)) else { return };
                message.life.apply(&event);
                match event {
                    Event::Submitted { part, carrier_id, named_in, when, .. } => {
                        message.names.push(Name { part, carrier_id, named_in, when })
                    }
                    Event::Requeued { due, reason, .. } => {
                        message.due = Some(due);
                        message.refusals = message.refusals.saturating_add(u8::from(reason == Reason::CarrierRefused));
                    }
                    Event::Rescheduled { moved, .. } => message.moved = Some(message.moved.unwrap_or_default().then(moved)),
                    Event::Rendered { rendering, .. } => message.rendered = Some(rendering),
                    _ => {}
                }
            }
        }
    }

    /// The touched messages of one frame, and nothing of it any more afterwards.
    pub fn take_frame(&mut self, head: &FrameHead) -> Touched {
        self.frames.remove(&head.first).unwrap_or_default()
    }

    /// The parts of long texts from handsets of one carrier, in the order in which they came.
    #[must_use]
    pub fn parts_of(&self, carrier: &str) -> Vec<LostPart> {
        self.parts.of(carrier)
    }

    /// The orphans of one carrier, in the order in which they came.
    #[must_use]
    pub fn orphans_of(&self, carrier: &str) -> Vec<LostReceipt> {
        let mut lost: Vec<LostReceipt> =
            self.orphans.iter().filter(|((of, _), _)| **of == *carrier).flat_map(|(_, lost)| lost).cloned().collect();
        lost.sort_by_key(|lost| lost.when);
        lost
    }
}

impl Desk {
    /// Puts a frame back, and tells where its messages stood. `body` is needed only when some of them were touched
    /// and are not final.
    /// `keys_of` gives the keys of a carrier's name, as it is written there.
    pub fn restore(
        &mut self,
        head: FrameHead,
        body: Option<&Arc<Frame>>,
        touched: Touched,
        weight: u32,
        keys_of: &dyn Fn(&str, NamedIn) -> Keys,
        now: Now,
    ) -> Tally {
        let mut frame = OpenFrame::new(head.clone(), None, weight);
        let (mut pending, mut earliest) = (Vec::new(), Time(i64::MAX));
        for (ordinal, recovering) in touched.messages {
            let at = MessageRef { frame: head.first, ordinal };
            if let Some(moved) = recovering.moved.filter(|_| !recovering.life.status.is_final()) {
                self.law.moved.insert(at, moved);
                earliest = earliest.min(moved.due.unwrap_or(earliest));
                frame.head.expires = frame.head.expires.min(moved.expires.unwrap_or(frame.head.expires));
            }
            if recovering.waits() {
                continue;
            }
            frame.skip(ordinal);
            let status = recovering.life.status;
            if status != Status::Accepted {
                frame.tally.shift(Status::Accepted, status);
            }
            if status.is_final() {
                frame.left -= 1;
            } else {
                pending.push((at, recovering));
            }
        }
        if frame.left == 0 {
            // Closed in truth, the row was in a commit that never was: write it now.
            let closed = crate::storage::Closed { frame: head.first, batch: head.batch, tally: frame.tally.to_bytes() };
            self.effects.closed.push(closed);
            return frame.tally;
        }
        let class = Class::from_priority(head.lane.priority);
        let has_waiting = frame.advance();
        let parked = touched.parked.or(first_wait(&head)).map(|(until, why)| (until.min(earliest), why));
        // What waited for somebody is asked about again: the reason may be gone.
        let parked = parked.map(|(until, why)| (if until == UNKNOWN { Time(0) } else { until }, why));
        if has_waiting && let Some((_, why)) = parked {
            frame.tally.shift_many(Status::Accepted, Status::waiting(why), frame.waiting());
        }
        self.frames.insert(frame);
        match parked {
            _ if !has_waiting => self.frames.all_taken(head.first),
            Some(_) if crate::base::planted::is("parked-frame-forgotten-at-restart") => {}
            Some((until, why)) => _ = self.frames.park(head.first, until, why),
            None if self.law.revival == Revival::Held && class == Class::Marketing => {
                // Not one of them need be read for it.
                let held = self.frames.park(head.first, UNKNOWN, Reason::Revival);
                if let Some(frame) = self.frames.get_mut(head.first) {
                    frame.tally.shift_many(Status::Accepted, Status::Held, held);
                }
                self.effects.touch(head.first);
                let law = self.law.jury.stamp();
                let event = Event::Parked { frame: head.first, until: UNKNOWN, why: Reason::Revival, held, law, when: now.wall };
                self.effects.events.push(event);
            }
            None => self.lanes.push(&head.lane.account, class, weight, head.first),
        }
        let tally = self.frames.get(head.first).map_or_else(Tally::default, |frame| frame.tally);
        for (at, recovering) in pending {
            self.restore_message(at, &head, body, recovering, keys_of, now);
        }
        tally
    }

    fn restore_message(
        &mut self,
        at: MessageRef,
        head: &FrameHead,
        body: Option<&Arc<Frame>>,
        recovering: Recovering,
        keys_of: &dyn Fn(&str, NamedIn) -> Keys,
        now: Now,
    ) {
        let mut record =
            body.and_then(|body| body.record(at.ordinal)).and_then(|bytes| crate::message::record::MessageRecord::read(bytes).ok());
        record.iter_mut().for_each(|record| self.law.amend(at, head.accepted, record));
        let Recovering { mut life, names, due, refusals, rendered, .. } = recovering;
        self.late.restore(at, rendered);
        if crate::base::planted::is("no-doubt-after-restart") {
            life.leased = 0;
        }
        if life.reference != 0 {
            self.references.after(life.reference);
        }
        let (to, expires, policy) = match &record {
            Some(record) => (record.to, record.expires(head.accepted), record.policy()),
            // Its frame cannot be read: it can still get its receipt, and is never sent again.
            None => (0, Time(i64::MIN), crate::message::DoubtPolicy::AtMostOnce),
        };
        let attempt = life.attempt.max(1).saturating_add(refusals);
        let last = names.iter().map(|name| name.when).max().unwrap_or(now.wall);
        let named = Mono(now.mono.0.saturating_sub(now.wall.since(last).0));
        let open = Open { life, to, expires, policy, attempt, named, queued: 0 };
        self.open.insert(at, open);
        for Name { part, carrier_id, named_in, .. } in &names {
            if (life.delivered | life.failed) & (1 << part) == 0 && !crate::base::planted::is("names-forgotten-at-restart") {
                self.awaiting.insert(&keys_of(carrier_id, *named_in), Awaited { at, part: *part });
            }
        }
        if life.status == Status::Sent {
            let left = self.rules.receipt_wait.0.saturating_sub(now.wall.since(last).0);
            self.unreceipted.push_back((now.mono + Span(left), at));
        }
        if life.leased != 0 {
            // I4: a durable lease without durable outcome is in doubt, and nothing else is.
            self.doubt(at, life.leased, Reason::Restart, None, now);
        } else if life.doubted != 0 {
            self.doubts.hold(at, now.mono, self.rules.ambiguity_hold);
            self.note_nameless(at, to, None);
        }
        let missing = all_parts(life.count) & !life.submitted & !life.doubted & !life.leased;
        if missing != 0 && !crate::base::planted::is("retry-forgotten-at-restart") {
            // Whether it may go is asked again then; until when it was held is only an upper bound for that.
            let wait = due.map_or(Span::ZERO, |due| due.since(now.wall));
            let wait = if life.waits.is_some() { wait.min(Span::secs(60)) } else { wait };
            self.queue_again(at, missing, Some(now.mono + wait));
        }
        // The commit may have held the last receipt and not the end.
        self.conclude(at, now);
    }

    /// To be called once after the last `restore`: orders what must be in order, and takes the orphans back.
    pub fn restored(&mut self, orphans: Vec<LostReceipt>, keys_of: &dyn Fn(&str) -> Keys, now: Now) {
        self.unreceipted.make_contiguous().sort_unstable();
        self.nameless.begin(now.mono);
        self.begun = now.mono;
        // The process before may have spent a whole burst in the instant it died (INV-20).
        if !crate::base::planted::is("burst-forgotten-at-restart") {
            self.bucket.begin_empty(now.mono);
        }
        for lost in orphans {
            if now.wall.since(lost.when) >= self.rules.orphan_ttl {
                continue;
            }
            let keys = [keys_of(&lost.carrier_id), keys_of(&lost.other_id)];
            let orphan = Orphan {
                carrier_id: lost.carrier_id,
                other_id: lost.other_id,
                keys,
                number: lost.number,
                reference: lost.reference,
                submit_date: lost.submit_date,
                state: lost.state,
                error: lost.error,
            };
            let about = About::from(&orphan);
            // A clock that begins with the process cannot go back further than that.
            let since = Mono(now.mono.0.saturating_sub(now.wall.since(lost.when).0));
            if let Some(dropped) = self.orphans.keep(orphan, since) {
                self.drop_orphan(dropped, now);
            }
            self.restored_orphan(&keys, about, since, now);
        }
        self.look_again(now);
        let held: Vec<MessageRef> = if self.orphans.is_empty() { Vec::new() } else { self.doubts.iter().collect() };
        held.into_iter().for_each(|at| self.rematch(at, now));
    }
}
