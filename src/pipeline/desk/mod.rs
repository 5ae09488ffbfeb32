//! The desk of one carrier: all its messages between load and outcome. It composes schedule, submit and track
//! into one machine that a shard turns: inputs and `now` come in, `Effects` go out, and what must wait for the
//! journal comes back through `after`. It knows links by number and ids by key; it never sees an octet of a
//! protocol, a socket or a clock.
//!
//! Invariants kept here: lease before write; nothing leased or written that may not go at that instant; a slot is freed, a receipt acknowledged, only after the commit; one
//! final status per message; the tallies of a frame add up to its size.

mod answer;
pub mod effects;
pub mod held;
mod hold;
mod late;
mod law;
mod learning;
mod lease;
mod parts;
mod receipt;
mod restore;
mod timers;
mod unclear;
mod undoubt;

pub use effects::{After, Counts, Effects, Now, Ready};
pub use law::Revival;
pub use parts::LostPart;
pub use restore::{Recovering, Replay, Touched};
pub use undoubt::reference_of;

use crate::base::{Bucket, MessageRef, Mono, Span, Time};
use crate::directory::judge::Jury;
use crate::message::outcome::{Reason, Status};
use crate::message::record::MessageRecord;
use crate::message::{DoubtPolicy, Event, Life};
use crate::pipeline::schedule::{Again, Frames, Lanes, OpenFrame, Retries, first_wait};
use crate::pipeline::submit::settle::Limits;
use crate::pipeline::submit::{Doubts, Nameless, References, Window};
use crate::pipeline::track::{Awaiting, Orphans};
use crate::storage::{Frame, FrameHead};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Which receipts the carrier is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipts {
    /// A final receipt for every message.
    Final,
    /// None: being sent is all that will be known.
    None,
}

/// By what a receipt with an unknown name is matched to a part in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unnamed {
    /// By the echo of our reference alone.
    ByReference,
    /// Also by number and submit date, where nothing else can be meant.
    ByDate,
}

/// What a carrier is like: data, never an `if` on its name.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Its name, as in events and metrics.
    pub carrier: Box<str>,
    /// Outstanding submits per link.
    pub window: u32,
    /// Segments a second over all links; 0 = unlimited.
    pub rate: f64,
    /// Segments at once.
    pub burst: u32,
    /// Unanswered for so long is in doubt.
    pub response_timeout: Span,
    /// How long a message in doubt waits for a receipt or a late answer.
    pub ambiguity_hold: Span,
    /// How long a throttled carrier rests.
    pub throttle_pause: Span,
    /// Sent and without receipt for so long ends as unknown.
    pub receipt_wait: Span,
    /// Which receipts are asked for.
    pub receipts: Receipts,
    /// Attempts and their spacing.
    pub limits: Limits,
    /// The id form, when it is configured and not learnt.
    pub form: Option<usize>,
    /// How receipts with unknown names are matched.
    pub unnamed: Unnamed,
    /// Most orphans kept.
    pub orphans_max: usize,
    /// How long an orphan is kept.
    pub orphan_ttl: Span,
    /// How many settled parts are remembered to recognise a second receipt.
    pub retired_max: usize,
    /// Octets of frame bodies kept in memory before they are read from the journal on demand.
    pub bodies_bytes_max: usize,
    /// Messages between lease and outcome: beyond this no more are leased.
    pub open_max: usize,
}

/// A message between its first lease and its outcome.
#[derive(Clone, Debug)]
struct Open {
    life: Life,
    to: u64,
    expires: Time,
    policy: DoubtPolicy,
    /// The number the next lease will carry.
    attempt: u8,
    /// When the carrier last named a part.
    named: Mono,
    /// Parts that wait in the retries: a part waits there once, whatever sent it there.
    queued: crate::message::event::Parts,
}

/// One connection over which messages can be submitted.
#[derive(Debug)]
struct Link {
    is_up: bool,
    window: Window,
    /// Durable leases not yet written.
    ready: VecDeque<Ready>,
    /// Parts in `ready`.
    ready_parts: u32,
    /// Parts in leases on their way to the journal.
    leasing_parts: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Desk {
    rules: Rules,
    frames: Frames,
    lanes: Lanes,
    retries: Retries,
    /// Retries whose frame is being read from the journal.
    blocked: Vec<Again>,
    open: HashMap<MessageRef, Open, foldhash::fast::RandomState>,
    links: Vec<Link>,
    bucket: Bucket,
    law: law::Law,
    late: late::Late,
    /// Messages left behind in this turn.
    left_behind: u32,
    doubts: Doubts,
    nameless: Nameless,
    /// How far the carrier's clock is ahead of UTC, in quarters of an hour, as its last receipts had it.
    zone: Option<i64>,
    /// When this process took over.
    begun: Mono,
    awaiting: Awaiting,
    learning: learning::Learning,
    orphans: Orphans,
    /// When the last orphan went that nobody had claimed.
    unclaimed: Option<Mono>,
    references: References,
    /// Messages all sent, in the order in which their wait for receipts ends.
    unreceipted: VecDeque<(Mono, MessageRef)>,
    next_link: usize,
    is_draining: bool,
    jitter: u64,
    counts: Counts,
    effects: Effects,
}

impl Desk {
    /// An empty desk with `links` connections that carry submits. `seed` feeds the jitter of retries; `jury` says what may go.
    #[must_use]
    pub fn new(rules: Rules, links: usize, seed: u64, jury: Box<dyn Jury>) -> Desk {
        let link = |_| Link { is_up: false, window: Window::new(rules.window), ready: VecDeque::new(), ready_parts: 0, leasing_parts: 0 };
        Desk {
            frames: Frames::default(),
            lanes: Lanes::default(),
            retries: Retries::default(),
            blocked: Vec::new(),
            open: HashMap::default(),
            links: (0..links).map(link).collect(),
            bucket: Bucket::new(rules.rate, rules.burst << u32::from(crate::base::planted::is("burst-doubled"))),
            law: law::Law::new(jury),
            late: late::Late::default(),
            left_behind: 0,
            doubts: Doubts::default(),
            nameless: Nameless::new(rules.orphans_max),
            zone: None,
            begun: Mono(0),
            awaiting: Awaiting::new(rules.form, rules.retired_max),
            learning: learning::Learning::default(),
            orphans: Orphans::new(rules.orphans_max, rules.orphan_ttl),
            unclaimed: None,
            references: References::default(),
            unreceipted: VecDeque::new(),
            next_link: 0,
            is_draining: false,
            jitter: seed | 1,
            counts: Counts::default(),
            effects: Effects::default(),
            rules,
        }
    }

    /// Takes a durable frame. `weight` is its account's share.
    pub fn load(&mut self, head: FrameHead, body: Option<Arc<Frame>>, weight: u32) {
        let class = crate::message::Class::from_priority(head.lane.priority);
        // Beyond the bound only the place is kept: the body comes back from the journal when it is its turn.
        let body = body.filter(|body| self.frames.bytes() + body.body.len() <= self.rules.bodies_bytes_max);
        self.counts.loaded += u64::from(head.count);
        let first = head.first;
        if let Some((until, why)) = first_wait(&head) {
            // Also when it is due by now: whoever counts them counted them as waiting.
            let mut frame = OpenFrame::new(head, None, weight);
            frame.tally.shift_many(Status::Accepted, Status::waiting(why), frame.head.count);
            self.frames.insert(frame);
            self.frames.park(first, until, why);
            return;
        }
        self.lanes.push(&head.lane.account, class, weight, first);
        self.frames.insert(OpenFrame::new(head, body, weight));
    }

    /// A body that was asked for.
    pub fn fetched(&mut self, body: Arc<Frame>) {
        let first = body.head.first;
        self.frames.fetched(body);
        let (ready, blocked) = self.blocked.drain(..).partition(|again| again.at.frame == first);
        self.blocked = blocked;
        for again in ready as Vec<_> {
            self.retries.push_front(again);
        }
    }

    /// A body that could not be read now; it will be asked for again.
    pub fn not_fetched(&mut self, first: crate::base::MessageId) {
        self.frames.not_fetched(first);
        for again in std::mem::take(&mut self.blocked) {
            self.retries.push_front(again);
        }
    }

    /// Frames whose bodies are to be read from the journal.
    pub fn wanted(&mut self) -> Vec<crate::base::MessageId> {
        self.frames.take_wanted()
    }

    /// What the turn has done. Events must be made durable before `after` is carried out.
    pub fn take_effects(&mut self) -> Effects {
        self.effects.spent = self.law.jury.take_spent();
        std::mem::take(&mut self.effects)
    }

    /// Events that have not been taken yet.
    #[must_use]
    pub fn gathered(&self) -> usize {
        self.effects.events.len()
    }

    /// Running totals for metrics.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The carrier's name.
    #[must_use]
    pub fn carrier(&self) -> &str {
        &self.rules.carrier
    }

    /// Messages that are neither final nor leased.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.frames.totals().left.saturating_sub(self.open.len() as u64)
    }

    /// Gauges: (in flight, window slots, between lease and outcome, in doubt, orphans, retries, names awaited).
    #[must_use]
    pub fn gauges(&self) -> effects::Gauges {
        effects::Gauges {
            in_flight: self.links.iter().map(|link| u64::from(link.window.used())).sum(),
            window: self.links.iter().filter(|link| link.is_up).map(|link| u64::from(link.window.size())).sum(),
            open: self.open.len() as u64,
            in_doubt: self.doubts.len() as u64,
            orphans: self.orphans.len() as u64,
            retries: (self.retries.len() + self.blocked.len()) as u64,
            awaited: self.awaiting.len() as u64,
            frames: self.frames.len() as u64,
            body_bytes: self.frames.bytes() as u64,
            held: self.frames.totals().held,
        }
    }

    /// The id form in use, once it is known, and the matches under each form.
    #[must_use]
    pub const fn form(&self) -> (Option<usize>, [u32; crate::channel::session::FORMS_MAX]) {
        (self.awaiting.chosen(), self.awaiting.hits())
    }

    /// No more leases: what is leased goes out, what is in flight is answered.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether nothing is leased, in flight or settling any more.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        crate::base::planted::is("drain-in-flight")
            || self.links.iter().all(|link| link.window.used() == 0 && link.ready.is_empty() && link.leasing_parts == 0)
    }

    /// Cancels a message if it has not left: `true` when it is now canceled.
    pub fn cancel(&mut self, at: MessageRef, now: Now) -> bool {
        let untouched = self.is_untouched(at);
        if untouched {
            self.end(at, Status::Canceled, Reason::Canceled, 0, now);
        }
        untouched
    }

    /// Messages of a frame were erased: `body` takes its place, and those of them that have not left end. What is with the
    /// carrier goes on, and is not sent again.
    pub fn erased(&mut self, body: &Arc<Frame>, now: Now) {
        self.frames.replace(body);
        for ordinal in (0..body.head.count).filter(|ordinal| body.is_blank(*ordinal)) {
            let at = MessageRef { frame: body.head.first, ordinal };
            if self.is_untouched(at) {
                self.end(at, Status::Refused, Reason::Erased, 0, now);
            }
        }
    }

    /// A recipient has opted out: those of these messages of a frame end that have not left and may not go any more; how
    /// many. `body` is the frame, which need not be in memory here.
    pub fn stopped(&mut self, body: &Frame, ordinals: &[u32], now: Now) -> u32 {
        let mut ended = 0;
        for ordinal in ordinals {
            let at = MessageRef { frame: body.head.first, ordinal: *ordinal };
            if !self.is_untouched(at) {
                continue;
            }
            let Some(Ok(record)) = body.record(*ordinal).map(MessageRecord::read) else { continue };
            if self.law.is_stopped(&record, &body.head, now.wall) {
                self.end(at, Status::Refused, Reason::OptedOut, 0, now);
                ended += 1;
            }
        }
        ended
    }

    /// Whether nothing of it has left, or is about to.
    fn is_untouched(&self, at: MessageRef) -> bool {
        match self.open.get(&at) {
            Some(_) if crate::base::planted::is("cancel-after-lease") => true,
            Some(open) => open.life.leased | open.life.doubted | open.life.submitted == 0 && !open.life.status.is_final(),
            None => self.frames.get(at.frame).is_some_and(|frame| frame.is_waiting(at.ordinal)),
        }
    }

    /// Cancels every message of a bulk that has not left; how many were canceled.
    pub fn cancel_batch(&mut self, batch: crate::base::BatchId, now: Now) -> u32 {
        let frames: Vec<(crate::base::MessageId, u32)> =
            self.frames.iter().filter(|frame| frame.head.batch == Some(batch)).map(|frame| (frame.head.first, frame.head.count)).collect();
        let mut canceled = 0;
        for (frame, count) in frames {
            canceled += (0..count).filter(|ordinal| self.cancel(MessageRef { frame, ordinal: *ordinal }, now)).count() as u32;
        }
        canceled
    }

    /// Puts parts into the retries, now (at the head) or when due; parts that wait there already stay where they are.
    fn queue_again(&mut self, at: MessageRef, parts: crate::message::event::Parts, due: Option<Mono>) {
        let Some(open) = self.open.get_mut(&at) else { return };
        let parts = parts & !open.queued;
        open.queued |= parts;
        if parts != 0
            && let Some(frame) = self.frames.get_mut(at.frame)
        {
            frame.retries += 1;
        }
        match due {
            _ if parts == 0 => {}
            None => self.retries.push_front(Again { at, parts }),
            Some(due) => self.retries.push_due(due, Again { at, parts }),
        }
    }

    fn jitter(&mut self) -> u64 {
        // xorshift64: spreads retries; nothing depends on its quality.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        self.jitter
    }

    /// Ends a message: its one final status.
    fn end(&mut self, at: MessageRef, status: Status, reason: Reason, command_status: u32, now: Now) {
        let mut possible_duplicate = false;
        self.learning.stir();
        if let Some(Open { life, to, .. }) = self.open.get(&at) {
            possible_duplicate = life.possible_duplicate || life.doubted != 0;
            let unreported = (life.leased | life.submitted) & !(life.delivered | life.failed);
            if (possible_duplicate || unreported != 0) && self.rules.receipts == Receipts::Final {
                // A receipt for it may still come, under a name that is not known or not any more.
                self.nameless.gone(*to, now.mono);
            }
        }
        possible_duplicate &= !crate::base::planted::is("duplicate-unlabelled");
        self.counts.ended[status as usize] += 1;
        self.emit(Event::Ended { at, status, reason, command_status, possible_duplicate, when: now.wall });
    }

    /// Records an event of one message: folds it, keeps the tallies, hands it to the journal.
    fn emit(&mut self, event: Event) {
        let Some(at) = event.at() else {
            self.effects.events.push(event);
            return;
        };
        let (before, after) = match self.open.get_mut(&at) {
            Some(open) => {
                let before = open.life.status;
                open.life.apply(&event);
                (before, open.life.status)
            }
            None => {
                // Never leased: it stands as its frame does until it ends (refused, expired or canceled while it waited).
                let before = self.frames.get(at.frame).map_or(Status::Accepted, OpenFrame::standing);
                let mut after = before;
                if let Event::Ended { status, .. } = event {
                    after = status;
                    if let Some(frame) = self.frames.get_mut(at.frame) {
                        frame.skip(at.ordinal);
                    }
                }
                (before, after)
            }
        };
        self.effects.events.push(event);
        self.shift(at, before, after);
    }

    fn shift(&mut self, at: MessageRef, before: Status, after: Status) {
        self.effects.touch(at.frame);
        if before == after {
            return;
        }
        if let Some(batch) = self.frames.get(at.frame).and_then(|frame| frame.head.batch) {
            self.effects.shift(batch, before, after);
        }
        if let Some(closed) = self.frames.shift(at, before, after) {
            self.effects.closed.push(closed);
        }
        if after.is_final() {
            self.open.remove(&at);
            self.late.forget(at);
            if !self.law.moved.is_empty() {
                self.law.moved.remove(&at);
            }
        }
    }
}

#[cfg(test)]
mod attempts_tests;
#[cfg(test)]
mod erase_tests;
#[cfg(test)]
mod hold_tests;
#[cfg(test)]
mod late_tests;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unclear_tests;
#[cfg(test)]
mod undoubt_tests;
