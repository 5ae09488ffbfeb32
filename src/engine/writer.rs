//! The journal's writer: one thread takes what all others posted in the last tick, commits it as one group, and
//! only then tells them. Fail-stop: after a failed write or sync nothing is committed, answered or believed any more.

use crate::base::Span;
use crate::directory::Consent;
use crate::directory::caps::Caps;
use crate::engine::batches::Batches;
use crate::engine::erasures::Erasures;
use crate::engine::letter::{Load, ToShard};
use crate::engine::mailbox::Mailbox;
use crate::engine::reader::Shelf;
use crate::engine::stops::Stops;
use crate::engine::tail::Tail;
use crate::message::Status;
use crate::message::outcome::Tally;
use crate::pipeline::journal::{Acceptance, Grouping, Place, Prepared, Turn};
use crate::pipeline::schedule::first_wait;
use crate::storage::{Frame, Group, Journal, Rewrite, Scrubbed, StoreFault};
use crate::telemetry::Metrics;
use crate::world::World;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

/// Why something was not made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotDurable {
    /// The disk is full; nothing of it was stored.
    #[error("the disk is full")]
    Full,
    /// The journal has failed and the process is ending; nothing of it was acknowledged.
    #[error("the journal has failed")]
    Failed,
}

/// Small durable values: key, and value or removal.
pub type Notes = Vec<(String, Option<Vec<u8>>)>;

/// Where the messages of an acceptance lie now.
pub type Places = Result<Vec<Place>, NotDurable>;

/// A letter to the writer.
pub enum ToWriter {
    /// A request's messages; the permit is given back after the commit.
    Accept { acceptance: Acceptance, reply: oneshot::Sender<Places>, permit: Option<OwnedSemaphorePermit> },
    /// A shard's turn.
    Turn { shard: usize, ticket: u64, turn: Turn },
    /// Small durable values.
    Notes { notes: Notes, reply: oneshot::Sender<Result<(), NotDurable>> },
    /// Remove what is past its retention and move the log into the files.
    Upkeep { before: crate::base::Time, told: u64 },
    /// Put rows in the place of others, for an erasure.
    Rewrite { rewrite: Rewrite, reply: oneshot::Sender<Result<(), NotDurable>> },
    /// After the last of them.
    Seclude(oneshot::Sender<Result<Scrubbed, NotDurable>>),
    /// Commit what is here, then end.
    Stop,
}

/// What the rest may know of the writer at any time.
#[derive(Debug, Default)]
pub struct WriterState {
    /// The journal has failed: the process must end.
    pub has_failed: AtomicBool,
    /// Wakes who waits for the failure.
    pub failed: Notify,
    /// The disk is full: new messages are refused.
    pub is_full: AtomicBool,
    /// The last committed position.
    pub seq: AtomicU64,
}

/// The writer.
pub struct Writer {
    pub(crate) world: World,
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) grouping: Grouping,
    pub(crate) inbox: Arc<Mailbox<ToWriter>>,
    pub(crate) shards: Vec<Arc<Mailbox<ToShard>>>,
    /// The shard of each carrier.
    pub(crate) shard_of: HashMap<String, usize>,
    pub(crate) tail: Arc<Tail>,
    /// Committed frames that somebody will read soon.
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) state: Arc<WriterState>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tick: Span,
    pub(crate) commit_bytes_max: usize,
    /// What is not to be written any more.
    pub(crate) erasures: Arc<Erasures>,
    /// Who has opted out: it holds when it is committed.
    pub(crate) consent: Arc<Consent>,
    /// Opt-outs whose waiting messages are still to end.
    pub(crate) stops: Arc<Stops>,
    /// What was sent, for a metric.
    pub(crate) caps: Arc<Caps>,
    /// The account's share, for lanes.
    pub(crate) weights: HashMap<String, u32>,
}

#[derive(Default)]
struct Letters {
    acceptances: Vec<Acceptance>,
    replies: Vec<(oneshot::Sender<Places>, Option<OwnedSemaphorePermit>)>,
    turns: Vec<Turn>,
    tickets: Vec<(usize, u64)>,
    notes: Notes,
    note_replies: Vec<oneshot::Sender<Result<(), NotDurable>>>,
    upkeep: Option<(crate::base::Time, u64)>,
    rewrites: Vec<(Rewrite, oneshot::Sender<Result<(), NotDurable>>)>,
    seclude: Option<oneshot::Sender<Result<Scrubbed, NotDurable>>>,
    stop: bool,
}

/// What of a group was written although the disk is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Written {
    /// The group held new messages only.
    Nothing,
    /// The events of accepted messages.
    Events,
}

impl Writer {
    /// Runs until told to stop, or until the journal fails.
    pub async fn run(mut self) {
        let (mut committed_at, mut stop) = (self.world.mono(), false);
        loop {
            if self.inbox.is_empty() {
                self.inbox.wait().await;
            }
            // One commit serves all that is posted within a tick of the last one.
            let since = self.world.mono().since(committed_at);
            if since < self.tick {
                tokio::time::sleep(Span(self.tick.0 - since.0).std()).await;
            }
            let mut letters = self.collect();
            committed_at = self.world.mono();
            let upkeep = letters.upkeep;
            // Kept: what was put back, or came since, is committed before the end.
            stop |= letters.stop;
            if self.commit(&mut letters).await.is_err() {
                return self.fail(letters).await;
            }
            if let Some((before, told)) = upkeep
                && self.upkeep(before, told).is_err()
            {
                return self.fail(letters).await;
            }
            for (rewrite, reply) in letters.rewrites.drain(..) {
                let _ = reply.send(self.rewrite(&rewrite));
            }
            if let Some(reply) = letters.seclude.take() {
                let _ = reply.send(self.journal.seclude().map_err(|fault| not_durable(&fault)));
            }
            if stop && self.inbox.is_empty() {
                return;
            }
        }
    }

    /// The journal has failed: the process is told to end.
    async fn fail(self, letters: Letters) {
        self.state.has_failed.store(true, Ordering::Release);
        self.state.failed.notify_waiters();
        drop(letters);
        self.refuse_all().await;
    }

    /// The journal has failed: who still writes is told so at once, by the loss of the answer, and does not wait for the
    /// process to end.
    async fn refuse_all(self) {
        while !self.inbox.take().iter().any(|letter| matches!(letter, ToWriter::Stop)) {
            self.inbox.wait().await;
        }
    }

    fn collect(&mut self) -> Letters {
        let mut letters = Letters::default();
        let mut bytes = 0;
        let mut taken = self.inbox.take();
        while let Some(letter) = taken.pop_front() {
            match letter {
                ToWriter::Accept { acceptance, reply, permit } => {
                    bytes += acceptance.bytes();
                    letters.acceptances.push(acceptance);
                    letters.replies.push((reply, permit));
                }
                ToWriter::Turn { shard, ticket, turn } => {
                    bytes += turn.log.len() + turn.people.len() * 128;
                    letters.turns.push(turn);
                    letters.tickets.push((shard, ticket));
                }
                ToWriter::Notes { notes, reply } => {
                    letters.notes.extend(notes.into_iter().map(|note| self.erasures.let_through(note)));
                    letters.note_replies.push(reply);
                }
                ToWriter::Upkeep { before, told } => letters.upkeep = Some((before, told)),
                ToWriter::Rewrite { rewrite, reply } => letters.rewrites.push((rewrite, reply)),
                ToWriter::Seclude(reply) => letters.seclude = Some(reply),
                ToWriter::Stop => letters.stop = true,
            }
            if bytes >= self.commit_bytes_max && !taken.is_empty() {
                // The rest goes into the next commit, in order; but turns do not wait behind new messages, or a flood of
                // these would stop what is being sent. A turn speaks only of frames that are committed already.
                let mut rest = VecDeque::with_capacity(taken.len());
                for letter in taken {
                    match letter {
                        ToWriter::Turn { shard, ticket, turn } => {
                            letters.turns.push(turn);
                            letters.tickets.push((shard, ticket));
                        }
                        other => rest.push_back(other),
                    }
                }
                self.inbox.put_back(rest);
                break;
            }
        }
        letters
    }

    async fn commit(&mut self, letters: &mut Letters) -> Result<(), NotDurable> {
        let now = self.world.now();
        let began = self.world.mono();
        let acceptances = std::mem::take(&mut letters.acceptances);
        let mut prepared = self.grouping.prepare(acceptances, std::mem::take(&mut letters.turns), std::mem::take(&mut letters.notes), now);
        Stops::note(&mut prepared.group);
        if prepared.group.is_empty() {
            // Nothing to write: those who asked are told at once.
            self.grouping.undo(&prepared);
            self.answer(letters, &prepared);
            return Ok(());
        }
        if crate::base::planted::is("webhook-before-commit") {
            self.tail.publish(prepared.group.seq, std::mem::take(&mut prepared.events).into());
        }
        if crate::base::planted::is("live-before-commit") {
            std::mem::take(&mut prepared.live).iter().for_each(|frame| self.load(frame));
        }
        if crate::base::planted::is("answer-before-commit") {
            self.answer_requests(letters, &prepared);
        }
        match self.put(&prepared.group).await {
            Ok(()) => {}
            Err(StoreFault::Broken(_)) if crate::base::planted::is("failed-sync-ignored") => {}
            Err(StoreFault::Full) => {
                if self.without_room(letters, &mut prepared).await? == Written::Nothing {
                    self.answer(letters, &prepared);
                    return Ok(());
                }
            }
            Err(fault) => {
                tracing::error!(%fault, "the journal has failed; the process ends, and a restart recovers all that was acknowledged");
                return Err(NotDurable::Failed);
            }
        }
        self.state.seq.store(prepared.group.seq, Ordering::Release);
        let journal = &self.metrics.journal;
        journal.commit_seconds.observe(self.world.mono().since(began));
        journal.commit_bytes.observe_bytes(prepared.group.bytes() as u64);
        journal.commits.inc();
        journal.seq.set(prepared.group.seq as i64);
        self.tell(letters, &mut prepared);
        Ok(())
    }

    async fn put(&mut self, group: &Group) -> Result<(), StoreFault> {
        self.journal.commit(group)?;
        while let Some(rest) = self.journal.syncing()? {
            if crate::base::planted::is("sync-skipped") {
                break;
            }
            tokio::time::sleep(rest.std()).await;
        }
        Ok(())
    }

    /// The disk is full: new messages are refused, events of accepted ones wait for the reserve or for room.
    async fn without_room(&mut self, letters: &mut Letters, prepared: &mut Prepared) -> Result<Written, NotDurable> {
        self.state.is_full.store(true, Ordering::Release);
        self.metrics.journal.full.set(1);
        tracing::error!("the disk is full: new messages are refused until there is room");
        self.grouping.undo(prepared);
        for (reply, _) in letters.replies.drain(..) {
            let _ = reply.send(Err(NotDurable::Full));
        }
        let turn = Turn {
            log: if crate::base::planted::is("full-disk-loses-events") { Vec::new() } else { std::mem::take(&mut prepared.group.log) },
            touched: std::mem::take(&mut prepared.group.touched),
            closed: std::mem::take(&mut prepared.group.closed),
            // What recipients said is kept; what customers bring is refused; an answer is not worth the reserve.
            people: match crate::base::planted::is("full-disk-loses-stops") {
                true => Vec::new(),
                false => prepared.group.people.split_off(prepared.people_accepted),
            },
            frames: Vec::new(),
            events: std::mem::take(&mut prepared.events),
            spent: std::mem::take(&mut prepared.group.spent),
            notes: Vec::new(),
        };
        let mut notes = std::mem::take(&mut prepared.group.notes);
        Stops::without(&mut notes);
        *prepared = self.grouping.prepare(Vec::new(), vec![turn], notes, self.world.now());
        Stops::note(&mut prepared.group);
        if prepared.group.is_empty() {
            self.grouping.undo(prepared);
            return Ok(Written::Nothing);
        }
        self.journal.release_reserve();
        loop {
            match self.put(&prepared.group).await {
                Ok(()) => return Ok(Written::Events),
                Err(StoreFault::Full) => tokio::time::sleep(Span::millis(200).std()).await,
                Err(fault) => {
                    tracing::error!(%fault, "the journal has failed");
                    return Err(NotDurable::Failed);
                }
            }
        }
    }

    /// The group is durable: everyone is told, and live frames go to their shards.
    fn tell(&mut self, letters: &mut Letters, prepared: &mut Prepared) {
        if prepared.group.frames.is_empty() && self.state.is_full.load(Ordering::Acquire) {
            // Looked at again by the next acceptance; upkeep restores the reserve.
        } else if !prepared.group.frames.is_empty() && self.state.is_full.swap(false, Ordering::AcqRel) {
            self.metrics.journal.full.set(0);
            self.journal.restore_reserve();
        }
        for new in &prepared.group.frames {
            self.shelf.put(new.frame.clone());
        }
        for frame in &prepared.live {
            self.load(frame);
        }
        if !prepared.group.people.is_empty() {
            self.consent.apply(&prepared.group.people);
            self.stops.committed(&prepared.group);
            self.metrics.consent.suppressions.set(i64::try_from(self.consent.entries()).unwrap_or(i64::MAX));
        }
        if !prepared.group.spent.is_empty() || self.caps.is_full() {
            self.metrics.consent.cap_sends.set(i64::try_from(self.caps.sends()).unwrap_or(i64::MAX));
            self.metrics.consent.caps_full.set(i64::from(self.caps.is_full()));
        }
        self.answer(letters, prepared);
        if !crate::base::planted::is("webhook-before-commit") {
            self.tail.publish(prepared.group.seq, std::mem::take(&mut prepared.events).into());
        }
    }

    fn answer_requests(&self, letters: &mut Letters, prepared: &Prepared) {
        for ((reply, permit), places) in letters.replies.drain(..).zip(&prepared.places) {
            drop(permit);
            // The caller may have gone; the messages are live all the same.
            let _ = reply.send(Ok(places.clone()));
        }
    }

    fn answer(&self, letters: &mut Letters, prepared: &Prepared) {
        self.answer_requests(letters, prepared);
        for (shard, ticket) in letters.tickets.drain(..) {
            self.shards[shard].force(ToShard::Committed(ticket));
        }
        for reply in letters.note_replies.drain(..) {
            let _ = reply.send(Ok(()));
        }
    }

    fn load(&self, frame: &Arc<Frame>) {
        let head = frame.head.clone();
        if let Some(batch) = head.batch {
            let mut tally = Tally::default();
            let standing = first_wait(&head).map_or(Status::Accepted, |(_, why)| Status::waiting(why));
            tally.0[standing as usize] = head.count;
            self.batches.open(batch, &tally);
        }
        let weight = self.weights.get(&head.lane.account).copied().unwrap_or(1);
        match self.shard_of.get(&head.lane.carrier) {
            Some(shard) => self.shards[*shard].force(ToShard::Load(Load { head, body: Some(frame.clone()), weight })),
            None => tracing::error!("a frame for a carrier that is not configured stays in the journal"),
        }
    }

    /// What is replaced on the disk is replaced in memory, too.
    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<(), NotDurable> {
        self.journal.rewrite(rewrite).map_err(|fault| not_durable(&fault))?;
        for one in &rewrite.frames {
            self.shelf.replace(one.frame.clone());
            if let Some(shard) = self.shard_of.get(&one.frame.head.lane.carrier) {
                self.shards[*shard].force(ToShard::Erased(one.frame.clone()));
            }
        }
        if !rewrite.logs.is_empty() {
            self.tail.forget();
        }
        self.consent.apply(&rewrite.people);
        Ok(())
    }

    fn upkeep(&mut self, before: crate::base::Time, told: u64) -> Result<(), NotDurable> {
        match self.journal.upkeep(before, told) {
            Ok(0) => {}
            Ok(slices) => tracing::info!(slices, "slices past their retention were removed"),
            Err(fault) => tracing::warn!(%fault, "upkeep of the journal did not succeed"),
        }
        // A gateway without traffic is to notice too: the next message would be taken in vain.
        if let Err(fault) = self.journal.check() {
            tracing::error!(%fault, "the journal has failed; the process ends, and a restart recovers all that was acknowledged");
            return Err(NotDurable::Failed);
        }
        if self.state.is_full.load(Ordering::Acquire) {
            self.journal.restore_reserve();
            self.state.is_full.store(false, Ordering::Release);
            self.metrics.journal.full.set(0);
        }
        Ok(())
    }
}

/// A journal that has failed fails at the next commit as well, which ends the process.
fn not_durable(fault: &StoreFault) -> NotDurable {
    tracing::warn!(%fault, "rows of an erasure were not replaced");
    if matches!(fault, StoreFault::Full) { NotDurable::Full } else { NotDurable::Failed }
}
