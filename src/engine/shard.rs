//! A shard: one thread that owns the desks and sessions of its carriers. Inputs are collected, then a turn is
//! taken, then effects go out: batching follows by itself. No lock, no shared map on the path of a message.

use crate::base::{BatchId, MessageId, Mono, Span, Time};
use crate::channel::session::{Fault, Heard, Note, Over};
use crate::channel::sms::{Profile, Session};
use crate::engine::batches::{Batches, Shift};
use crate::engine::handsets::Handsets;
use crate::engine::ids::Ids;
use crate::engine::mailbox::Mailbox;
use crate::engine::people::{Ear, Ears};
use crate::engine::report::{Complaint, Reporter};
use crate::engine::writer::ToWriter;
use crate::message::log;
use crate::pipeline::desk::{After, Desk, Now, reference_of};
use crate::pipeline::journal::Turn;
use crate::pipeline::schedule::clock::{Clock, ClockWatch};
use crate::telemetry::Counter;
use crate::wire::smpp::pdu::BindKind;
use crate::world::World;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

pub use crate::engine::letter::{CarrierView, Load, ToShard};

/// Turns on their way to the journal at once. Beyond it effects gather in memory and sockets are read no more, so
/// that a slow disk is felt by the carriers and not by our memory.
const TICKETS_MAX: usize = 16;

/// Events gathered beyond which sockets are not read until a commit has come back.
const GATHERED_MAX: usize = 50_000;

/// One connection of a carrier.
pub(crate) struct Line {
    pub(crate) kind: BindKind,
    pub(crate) session: Option<Session>,
    /// Counts the sessions of this line, so that an acknowledgement never reaches a later one.
    pub(crate) era: u32,
    /// Something to write, or to stop.
    pub(crate) wake: Rc<Notify>,
    /// Why the last session ended.
    pub(crate) last_over: Option<Over>,
    /// A session that the desk wants made anew.
    pub(crate) must_close: bool,
    /// The first instant at which something of the session's output may not be written any more.
    pub(crate) closes: Time,
}

/// One carrier in a shard.
pub(crate) struct Slot {
    pub(crate) desk: Desk,
    pub(crate) profile: Arc<Profile>,
    pub(crate) lines: Vec<Line>,
    pub(crate) reporter: Reporter,
    pub(crate) learnt: Option<usize>,
    pub(crate) handsets: Handsets,
}

enum Reply {
    One(oneshot::Sender<bool>, bool),
    Many(oneshot::Sender<u32>, u32),
}

struct Pending {
    ticket: u64,
    after: Vec<(usize, After)>,
    shifts: BTreeMap<BatchId, Shift>,
    replies: Vec<Reply>,
}

/// The state of a shard, shared by the tasks of its one thread.
pub(crate) struct Core {
    pub(crate) world: World,
    pub(crate) index: usize,
    pub(crate) slots: Vec<Slot>,
    pub(crate) inbox: Arc<Mailbox<ToShard>>,
    pub(crate) writer: Arc<Mailbox<ToWriter>>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) ids: Arc<Ids>,
    /// What handsets say.
    ear: Ear,
    pub(crate) is_stopping: bool,
    ticket: u64,
    pending: VecDeque<Pending>,
    replies: Vec<Reply>,
    /// Sockets wait on it while too much is on its way to the journal.
    pub(crate) room: Rc<Notify>,
    watch: ClockWatch,
    clock: Clock,
    clock_events: Counter,
}

/// What a shard needs of the rest.
pub(crate) struct Surroundings {
    pub(crate) inbox: Arc<Mailbox<ToShard>>,
    pub(crate) writer: Arc<Mailbox<ToWriter>>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) ears: Ears,
    /// How long the wall clock must have been steady after a jump.
    pub(crate) clock_settle: Span,
    /// Counts the jumps; the first shard's is published.
    pub(crate) clock_events: Counter,
}

impl Core {
    pub(crate) fn new(world: World, index: usize, slots: Vec<Slot>, around: Surroundings) -> Core {
        let Surroundings { inbox, writer, batches, ids, ears, clock_settle, clock_events } = around;
        Core {
            world,
            index,
            slots,
            inbox,
            writer,
            batches,
            ids,
            ear: Ear::new(ears),
            is_stopping: false,
            ticket: 0,
            pending: VecDeque::new(),
            replies: Vec::new(),
            room: Rc::new(Notify::new()),
            watch: ClockWatch::new(clock_settle),
            clock: Clock::Sure,
            clock_events,
        }
    }

    /// What was heard of this shard's carriers before it ran.
    pub(crate) fn heard_before(&mut self, ear: Ear) {
        self.ear.join(ear);
    }

    fn now(&self) -> Now {
        Now { wall: self.world.now(), mono: self.world.mono() }
    }

    /// Both clocks, and whether the wall clock can be believed: every desk is told before it acts on what it says.
    fn looked(&mut self) -> Now {
        let now = self.now();
        let events = self.watch.events();
        let clock = self.watch.look(now.wall, now.mono);
        if self.watch.events() > events {
            if self.index == 0 {
                self.clock_events.inc();
            }
            tracing::warn!("the wall clock has jumped: what depends on the hour waits until it has been steady");
        }
        if clock != self.clock {
            self.clock = clock;
            self.slots.iter_mut().for_each(|slot| slot.desk.clock(clock));
        }
        now
    }

    /// Whether sockets must not be read now.
    pub(crate) fn is_congested(&self) -> bool {
        self.slots.iter().map(|slot| slot.desk.gathered()).sum::<usize>() > GATHERED_MAX
    }

    /// Octets from a carrier.
    pub(crate) fn heard(&mut self, slot: usize, line: usize, octets: &[u8]) -> Result<(), Over> {
        let now = self.now();
        let ids = self.ids.clone();
        let Slot { desk, lines, reporter, handsets, .. } = &mut self.slots[slot];
        let ear = &mut self.ear;
        let Line { session, era, must_close, .. } = &mut lines[line];
        let Some(session) = session else { return Ok(()) };
        let era = *era;
        let carries = session_carries(session);
        let outcome = session.read(octets, now.mono, &mut |heard| match heard {
            Heard::Up => {
                reporter.link(line, true);
                if carries {
                    desk.link_up(line);
                }
            }
            Heard::Answer { sequence, answer, keys } => {
                if matches!(answer, crate::channel::session::Answer::WrongSession { .. }) {
                    *must_close = true;
                }
                if let Some(answered) = desk.answered(line, sequence, answer, &keys, now) {
                    reporter.answered(now.mono.since(answered.written));
                }
            }
            Heard::Receipt { sequence, .. } if !carries && crate::base::planted::is("receipts-of-receivers-ignored") => {
                desk.inbound(line, era, sequence, None);
            }
            Heard::Receipt { sequence, receipt } => desk.receipt(line, era, sequence, &receipt, now),
            Heard::Inbound { sequence, message } => {
                reporter.inbound();
                let event = ear.listen(handsets.message(message, &ids, now), now, reporter);
                desk.inbound(line, era, sequence, Some(event));
            }
            Heard::InboundPart { sequence, piece } => {
                reporter.inbound();
                let events: Vec<_> = handsets.piece(piece, &ids, now).map(|event| ear.listen(event, now, reporter)).collect();
                desk.inbound(line, era, sequence, events);
            }
            Heard::Note(Note::Malformed(fault)) => {
                reporter.malformed(fault);
                if fault == Fault::State && reporter.may_say(Complaint::State, now.mono) {
                    tracing::warn!(carrier = desk.carrier(), "a receipt has a state word that is not in our table");
                }
            }
            Heard::Note(Note::Acknowledgement) => {}
        });
        if *must_close { outcome.and(Err(Over::WrongState)) } else { outcome }
    }

    /// Serves a session's timers.
    pub(crate) fn tick(&mut self, slot: usize, line: usize, now: Mono) -> Result<(), Over> {
        let Slot { lines, reporter, .. } = &mut self.slots[slot];
        let Some(session) = &mut lines[line].session else { return Err(Over::Cut) };
        let before = session.missed();
        let ticked = session.tick(now);
        if session.missed() > before {
            reporter.enquiry_missed();
        }
        ticked
    }

    /// A connection is there: a new session begins.
    pub(crate) fn open(&mut self, slot: usize, line: usize) {
        let now = self.now().mono;
        let Slot { profile, lines, .. } = &mut self.slots[slot];
        let line = &mut lines[line];
        line.era = line.era.wrapping_add(1);
        line.must_close = false;
        line.closes = Time(i64::MAX);
        line.session = Some(Session::new(profile.clone(), line.kind, now));
    }

    /// A session is over.
    pub(crate) fn close(&mut self, slot: usize, line: usize, over: Over) {
        let now = self.now();
        let Slot { desk, lines, reporter, .. } = &mut self.slots[slot];
        let was_there = lines[line].session.take().is_some();
        lines[line].last_over = Some(over);
        reporter.link(line, false);
        if was_there {
            desk.link_down(line, now);
        }
        self.inbox.nudge();
    }

    /// One turn: letters, timers, plans, writes; then what happened goes to the journal.
    fn turn(&mut self) {
        let now = self.looked();
        for letter in self.inbox.take() {
            self.letter(letter, now);
        }
        let is_away = |slot: &Slot| slot.lines.iter().all(|line| line.session.is_none());
        let is_held_up = crate::base::planted::is("dead-carrier-stops-its-shard") && self.slots.iter().any(is_away);
        for index in 0..self.slots.len() {
            let Slot { desk, handsets, reporter, .. } = &mut self.slots[index];
            while let Some(event) = handsets.due(&self.ids, now) {
                desk.inbound_late(self.ear.listen(event, now, reporter));
            }
            desk.tick(now);
            if !is_held_up {
                desk.plan(now);
            }
            // Read anew: the process may have been stopped since, and what was open then may be closed.
            let now = if desk.has_ready() { self.looked() } else { now };
            let Slot { desk, lines, reporter, learnt, .. } = &mut self.slots[index];
            desk.write(now, |line, ready, part| {
                let line = &mut lines[line];
                let session = line.session.as_mut()?;
                let is_unguarded = crate::base::planted::is("expiry-ignored")
                    || crate::base::planted::is("expiry-ignored-at-write")
                    || crate::base::planted::is("hours-not-judged-at-write");
                line.closes = if is_unguarded { line.closes } else { line.closes.min(ready.valid()) };
                reporter.written(now.wall, ready);
                session.submit(&ready.record, part, ready.reference as u16, reference_of(ready.at, part), ready.validity(), now.mono)
            });
            if self.is_stopping && desk.is_quiet() {
                for line in lines.iter_mut() {
                    if let Some(session) = &mut line.session {
                        session.unbind(now.mono);
                    }
                    line.wake.notify_one();
                }
            }
            for line in lines.iter_mut() {
                if line.session.as_ref().is_some_and(Session::has_output) {
                    line.wake.notify_one();
                }
            }
            if let (Some(form), _) = desk.form()
                && *learnt != Some(form)
            {
                *learnt = Some(form);
                tracing::info!(
                    carrier = desk.carrier(),
                    form = Profile::form_word(form),
                    "message ids of this carrier compare in this form"
                );
            }
            reporter.unsaid(desk.carrier(), now.mono);
            reporter.publish(desk, now.mono);
        }
        self.post();
    }

    fn letter(&mut self, letter: ToShard, now: Now) {
        match letter {
            ToShard::Load(load) => {
                if let Some(slot) = self.slot_of(&load.head.lane.carrier) {
                    self.slots[slot].desk.load(load.head, load.body, load.weight);
                }
            }
            ToShard::Committed(ticket) => self.committed(ticket, now),
            ToShard::Fetched(frame) => {
                if let Some(slot) = self.slot_of(&frame.head.lane.carrier) {
                    self.slots[slot].desk.fetched(frame);
                }
            }
            ToShard::Erased(frame) => {
                if let Some(slot) = self.slot_of(&frame.head.lane.carrier) {
                    self.slots[slot].desk.erased(&frame, now);
                }
            }
            ToShard::NotFetched(first) => self.slots.iter_mut().for_each(|slot| slot.desk.not_fetched(first)),
            ToShard::Cancel { carrier, at, reply } => {
                let canceled = self.slot_of(&carrier).is_some_and(|slot| self.slots[slot].desk.cancel(at, now));
                self.replies.push(Reply::One(reply, canceled));
            }
            ToShard::Stopped { frame, ordinals, reply } => {
                let slot = self.slot_of(&frame.head.lane.carrier);
                let ended = slot.map_or(0, |slot| self.slots[slot].desk.stopped(&frame, &ordinals, now));
                self.replies.push(Reply::Many(reply, ended));
            }
            ToShard::CancelBatch { batch, reply } => {
                let canceled = self.slots.iter_mut().map(|slot| slot.desk.cancel_batch(batch, now)).sum();
                self.replies.push(Reply::Many(reply, canceled));
            }
            ToShard::Reschedule { carrier, at, moved, reply } => {
                let moved = self.slot_of(&carrier).is_some_and(|slot| self.slots[slot].desk.reschedule(at, moved, now));
                self.replies.push(Reply::One(reply, moved));
            }
            ToShard::Release(reply) => {
                let released = self.slots.iter_mut().map(|slot| slot.desk.release()).sum();
                self.replies.push(Reply::Many(reply, released));
            }
            ToShard::Inspect(reply) => {
                let _ = reply.send(self.slots.iter_mut().map(view).collect());
            }
            ToShard::Stop => {
                self.is_stopping = true;
                for slot in &mut self.slots {
                    slot.desk.drain();
                    slot.lines.iter().for_each(|line| line.wake.notify_one());
                }
            }
        }
    }

    fn slot_of(&self, carrier: &str) -> Option<usize> {
        self.slots.iter().position(|slot| slot.desk.carrier() == carrier)
    }

    /// A turn is durable: what waited for it happens now.
    fn committed(&mut self, ticket: u64, now: Now) {
        let Some(pending) = self.pending.pop_front() else { return };
        assert_eq!(pending.ticket, ticket, "commits come back in the order of the turns");
        for (slot, after) in pending.after {
            let Slot { desk, lines, .. } = &mut self.slots[slot];
            match after {
                After::Free { link, slots } => desk.free(link, slots),
                After::Leased { link, ready } => desk.leased(link, ready, now),
                After::Acknowledge { link, era, sequence } => {
                    if !crate::base::planted::is("receipt-acknowledged-early")
                        && lines[link].era == era
                        && let Some(session) = &mut lines[link].session
                    {
                        session.acknowledge(sequence);
                    }
                }
            }
        }
        self.batches.shift(&pending.shifts);
        for reply in pending.replies {
            match reply {
                Reply::One(to, canceled) => drop(to.send(canceled)),
                Reply::Many(to, canceled) => drop(to.send(canceled)),
            }
        }
        self.room.notify_waiters();
    }

    /// Sends what happened to the journal, unless too much is on its way already.
    fn post(&mut self) {
        if self.pending.len() >= TICKETS_MAX {
            return;
        }
        let (mut turn, now) = (Turn::default(), self.world.mono());
        let (mut after, mut shifts) = (Vec::new(), BTreeMap::<BatchId, Shift>::new());
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let mut effects = slot.desk.take_effects();
            slot.reporter.waited(&effects.waited);
            turn.notes.extend(slot.handsets.note(now));
            turn.touched.extend(effects.take_touched());
            turn.closed.append(&mut effects.closed);
            turn.spent.append(&mut effects.spent);
            for (batch, moved) in effects.take_shifts() {
                let sum = shifts.entry(batch).or_default();
                sum.iter_mut().zip(moved).for_each(|(sum, moved)| *sum += moved);
            }
            after.extend(effects.after.into_iter().map(|after| (index, after)));
            turn.events.append(&mut effects.events);
        }
        let is_idle = turn.events.is_empty() && after.is_empty() && turn.closed.is_empty();
        if is_idle && shifts.is_empty() && turn.notes.is_empty() && self.replies.is_empty() {
            return;
        }
        self.ear.give(&mut turn);
        log::write_events(&turn.events, &mut turn.log);
        turn.touched.sort_unstable();
        turn.touched.dedup();
        self.ticket += 1;
        self.pending.push_back(Pending { ticket: self.ticket, after, shifts, replies: std::mem::take(&mut self.replies) });
        self.writer.force(ToWriter::Turn { shard: self.index, ticket: self.ticket, turn });
    }

    /// Frames to be read from the journal.
    fn wanted(&mut self) -> Vec<MessageId> {
        self.slots.iter_mut().flat_map(|slot| slot.desk.wanted()).collect()
    }

    /// How long until something is due.
    fn rest(&mut self) -> Span {
        let now = self.now();
        let next = self.slots.iter_mut().filter_map(|slot| [slot.desk.deadline(now), slot.handsets.next_at()].into_iter().flatten().min());
        let next = next.min();
        let longest = Span::secs(1);
        next.map_or(longest, |at: Mono| at.since(now.mono)).min(longest)
    }
}

fn session_carries(session: &Session) -> bool {
    session.kind() != BindKind::Receiver
}

fn view(slot: &mut Slot) -> CarrierView {
    let state = |line: &Line| match &line.session {
        Some(session) if session.is_bound() => ("bound", ""),
        Some(_) => ("binding", ""),
        None => ("down", line.last_over.map_or("", Over::word)),
    };
    CarrierView {
        carrier: slot.desk.carrier().to_owned(),
        links: slot.lines.iter().map(state).collect(),
        counts: *slot.desk.counts(),
        gauges: slot.desk.gauges(),
        waiting: slot.desk.waiting(),
        form: slot.desk.form(),
    }
}

/// Runs a shard until its sessions have ended after a stop. `read` is a task that fetches a frame from the archive and sends it
/// to the shard's mailbox.
pub(crate) async fn run<F>(core: Rc<RefCell<Core>>, read: impl Fn(MessageId) -> F, mut drivers: tokio::task::JoinSet<()>)
where
    F: Future<Output = ()> + 'static,
{
    let inbox = core.borrow().inbox.clone();
    loop {
        core.borrow_mut().turn();
        let wanted = core.borrow_mut().wanted();
        for first in wanted {
            // Among the drivers: a frame that nobody fetches any more would hold up its lane for ever.
            drivers.spawn_local(read(first));
        }
        if core.borrow().is_stopping && drivers.is_empty() && core.borrow().pending.is_empty() {
            return;
        }
        let rest = core.borrow_mut().rest();
        tokio::select! {
            biased;
            () = inbox.wait() => {}
            Some(ended) = drivers.join_next(), if !drivers.is_empty() => {
                if ended.is_err() {
                    tracing::error!("a task of a session, or one that reads a frame, has panicked");
                    assert!(core.borrow().is_stopping, "a task of the shard has panicked: the process ends and recovers");
                }
            }
            () = tokio::time::sleep(rest.std().max(std::time::Duration::from_millis(1))), if rest > Span::ZERO => {}
            () = tokio::task::yield_now(), if rest == Span::ZERO => {}
        }
    }
}
