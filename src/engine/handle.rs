//! The engine as the rest of the program sees it: messages in, cancellations, look-ups, a stop. Shared by all
//! request handlers; nothing in it is locked per message.

use crate::base::{BatchId, MessageId, MessageRef, Span};
use crate::config::Config;
use crate::directory::{Consent, Keyring};
use crate::engine::batches::Batches;
use crate::engine::courier::Notes;
use crate::engine::erasures::Erasures;
use crate::engine::gate::Gate;
use crate::engine::hook::CourierStats;
use crate::engine::ids::Ids;
use crate::engine::mailbox::Mailbox;
use crate::engine::reader::Reader;
use crate::engine::rules::Rules;
use crate::engine::shard::{CarrierView, ToShard};
use crate::engine::stops::Stops;
use crate::engine::tail::Tail;
use crate::engine::writer::{NotDurable, ToWriter, WriterState};
use crate::message::event::Moved;
use crate::message::outcome::Tally;
use crate::message::record::MessageRecord;
use crate::pipeline::accept::Bringing;
use crate::pipeline::journal::{Acceptance, Place};
use crate::pipeline::schedule::clock::{Clock, ClockWatch};
use crate::storage::port::{SearchKind, search_key};
use crate::storage::{Archive, PersonChange, StoreFault};
use crate::telemetry::Metrics;
use crate::world::{BoxFuture, World};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// The journal's queue is counted in pieces of so many octets.
const PIECE: usize = 1_024;

/// How long a new bulk waits for its turn before it is refused: callers that send one after the other are slowed to the
/// rate at which messages leave and see no refusal, and a flood of refused bodies is slowed, too.
const ENTER_WAIT: Span = Span::millis(500);

/// Why messages were not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// Too much is on its way to the disk: come again in a moment.
    #[error("the journal's queue is full")]
    Overloaded,
    /// Too much is waiting to be sent: come again after this long.
    #[error("sending is behind")]
    Behind(Span),
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The process is stopping, or its journal has failed.
    #[error("the gateway is stopping")]
    Stopping,
}

/// What to do when the journal's queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// Refuse: for a request of which nothing has been taken yet.
    Refuse,
    /// Wait: for a bulk that is being read, whose sender then waits too.
    Wait,
}

/// Places that are on their way to the disk.
pub type Taken = oneshot::Receiver<Result<Vec<Place>, NotDurable>>;

/// See the module.
pub struct Engine {
    /// The outside.
    pub world: World,
    /// The configuration it runs with.
    pub config: Arc<Config>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Who may ask for what.
    pub keys: Keyring,
    /// The send windows.
    pub rules: Rules,
    /// Ids of bulks.
    pub ids: Arc<Ids>,
    /// Counters of live bulks.
    pub batches: Arc<Batches>,
    /// Who has opted out.
    pub consent: Arc<Consent>,
    /// Look-ups in the store, off the runtime's threads.
    pub reader: Reader,
    /// The store's readers.
    pub archive: Arc<dyn Archive>,
    /// Erasures by number.
    pub erasures: Arc<Erasures>,
    /// Opt-outs whose waiting messages are still to end.
    pub(crate) stops: Arc<Stops>,
    /// The head of the log.
    pub tail: Arc<Tail>,
    /// How the webhooks stand, by name.
    pub couriers: Vec<(String, Arc<CourierStats>)>,
    pub(crate) writer: Arc<Mailbox<ToWriter>>,
    pub(crate) shards: Vec<Arc<Mailbox<ToShard>>>,
    pub(crate) shard_of: HashMap<String, usize>,
    pub(crate) state: Arc<WriterState>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) queue: Arc<Semaphore>,
    pub(crate) queue_pieces: u32,
    pub(crate) is_draining: AtomicBool,
    pub(crate) watch: Mutex<ClockWatch>,
}

impl Engine {
    /// Whether new messages are taken at all; asked before a request is read.
    pub fn readiness(&self) -> Result<(), Refused> {
        if self.is_draining.load(Ordering::Acquire) || self.state.has_failed.load(Ordering::Acquire) {
            return Err(Refused::Stopping);
        }
        if self.state.is_full.load(Ordering::Acquire) {
            return Err(Refused::Full);
        }
        Ok(())
    }

    /// Lets in a request that brings about so many messages; asked before it is read. A bulk may have to wait in line.
    ///
    /// # Errors
    /// `Behind` when too much waits to be sent.
    pub async fn enter(&self, who: Bringing, messages: u32) -> Result<(), Refused> {
        let entered = match who {
            Bringing::Single => self.gate.ask(who, messages, self.world.mono()),
            Bringing::Bulk => self.gate.wait(&self.world, messages, ENTER_WAIT).await,
        };
        entered.map_err(|wait| {
            self.metrics.held_back.inc();
            Refused::Behind(wait)
        })
    }

    /// Waits until so many octets of a refused body may be read and dropped.
    pub async fn refuse(&self, octets: u64) {
        tokio::time::sleep(self.gate.refuse(octets, self.world.mono()).std()).await;
    }

    /// Waits until `messages` more of a bulk that was let in may come.
    pub async fn pace(&self, messages: u32) {
        self.gate.pace(&self.world, messages).await;
    }

    /// Hands messages to the journal. The answer comes when they are durable: only then may anybody be told.
    pub async fn take(&self, acceptance: Acceptance, when_full: WhenFull) -> Result<Taken, Refused> {
        self.readiness()?;
        let pieces = u32::try_from(acceptance.bytes().div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.queue_pieces);
        let permit = match when_full {
            WhenFull::Refuse => self.queue.clone().try_acquire_many_owned(pieces).map_err(|_| Refused::Overloaded)?,
            WhenFull::Wait => self.queue.clone().acquire_many_owned(pieces).await.map_err(|_| Refused::Stopping)?,
        };
        let (reply, taken) = oneshot::channel();
        self.metrics
            .journal
            .queue_bytes
            .set(((self.queue_pieces as usize - self.queue.available_permits().min(self.queue_pieces as usize)) * PIECE) as i64);
        self.writer.force(ToWriter::Accept { acceptance, reply, permit: Some(permit) });
        Ok(taken)
    }

    /// Waits for places.
    pub async fn durable(&self, taken: Taken) -> Result<Vec<Place>, Refused> {
        match taken.await {
            Ok(Ok(places)) => Ok(places),
            Ok(Err(NotDurable::Full)) => Err(Refused::Full),
            Ok(Err(NotDurable::Failed)) | Err(_) => Err(Refused::Stopping),
        }
    }

    /// Makes what a customer says of recipients durable; it holds when this returns.
    pub async fn say(&self, people: Vec<PersonChange>) -> Result<(), Refused> {
        let taken = self.take(Acceptance { people, ..Acceptance::default() }, WhenFull::Refuse).await?;
        self.durable(taken).await.map(|_| ())
    }

    /// Gives up a bulk whose frames were staged: they never were. Needs no answer: a bulk without its row is
    /// nothing after a restart, too.
    pub fn abort(&self, batch: BatchId) {
        let (reply, _) = oneshot::channel();
        let acceptance = Acceptance { abort: Some(batch), ..Acceptance::default() };
        self.writer.force(ToWriter::Accept { acceptance, reply, permit: None });
    }

    /// Cancels a message that has not left; whether it was. The answer comes when it is durable.
    pub async fn cancel(&self, carrier: &str, at: MessageRef) -> Result<bool, Refused> {
        let shard = self.shard_of.get(carrier).ok_or(Refused::Stopping)?;
        let (reply, answer) = oneshot::channel();
        let letter = ToShard::Cancel { carrier: carrier.to_owned(), at, reply };
        self.shards[*shard].send(letter).map_err(|_| Refused::Overloaded)?;
        answer.await.map_err(|_| Refused::Stopping)
    }

    /// Cancels what has not left of a bulk; how many messages were canceled.
    pub async fn cancel_batch(&self, batch: BatchId) -> Result<u32, Refused> {
        let mut answers = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            let (reply, answer) = oneshot::channel();
            shard.send(ToShard::CancelBatch { batch, reply }).map_err(|_| Refused::Overloaded)?;
            answers.push(answer);
        }
        let mut canceled = 0;
        for answer in answers {
            canceled += answer.await.map_err(|_| Refused::Stopping)?;
        }
        Ok(canceled)
    }

    /// Gives a message that has not left another instant before which it will not go, or another until which it lives;
    /// whether it was given. The answer comes when it is durable.
    pub async fn reschedule(&self, carrier: &str, at: MessageRef, moved: Moved) -> Result<bool, Refused> {
        let shard = self.shard_of.get(carrier).ok_or(Refused::Stopping)?;
        let (reply, answer) = oneshot::channel();
        let letter = ToShard::Reschedule { carrier: carrier.to_owned(), at, moved, reply };
        self.shards[*shard].send(letter).map_err(|_| Refused::Overloaded)?;
        answer.await.map_err(|_| Refused::Stopping)
    }

    /// Lets advertising go that waits for a person since a start after a long absence; how many messages waited.
    pub async fn release(&self) -> Result<u32, Refused> {
        WriterNotes(self.writer.clone()).put(vec![(REVIVAL_NOTE.into(), None)]).await.map_err(|_| Refused::Stopping)?;
        let mut answers = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            let (reply, answer) = oneshot::channel();
            shard.send(ToShard::Release(reply)).map_err(|_| Refused::Overloaded)?;
            answers.push(answer);
        }
        let mut released = 0;
        for answer in answers {
            released += answer.await.map_err(|_| Refused::Stopping)?;
        }
        Ok(released)
    }

    /// Cancels an account's messages that have this cancel key and have not left, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read or the engine cannot take the cancellations; some may be canceled by then, and asking
    /// again does no harm.
    pub async fn cancel_where(&self, account: &str, key: &str) -> Result<Canceled, CancelFault> {
        let filed = search_key(SearchKind::CancelKey, account, key);
        let (mut done, mut before) = (Canceled::default(), None);
        loop {
            let (account, key) = (account.to_owned(), key.to_owned());
            let page = self.reader.call(move |archive| keyed(archive, filed, before, &account, &key)).await?;
            for (carrier, at) in page.found {
                match self.cancel(&carrier, at).await? {
                    true => done.canceled += 1,
                    false => done.too_late += 1,
                }
            }
            before = page.last;
            if before.is_none() {
                return Ok(done);
            }
        }
    }

    /// Where the messages of a bulk stand: live counters while some are open, else from its closed frames.
    pub async fn tally(&self, batch: BatchId) -> Result<Tally, StoreFault> {
        if let Some(tally) = self.batches.get(batch) {
            return Ok(tally);
        }
        let closed = self.reader.call(move |archive| archive.closed_of_batch(batch)).await?;
        let mut tally = Tally::default();
        for frame in closed {
            tally.add(&Tally::from_bytes(&frame.tally));
        }
        Ok(tally)
    }

    /// How the carriers stand.
    pub async fn carriers(&self) -> Vec<CarrierView> {
        let mut views = Vec::new();
        for shard in &self.shards {
            let (reply, answer) = oneshot::channel();
            if shard.send(ToShard::Inspect(reply)).is_ok() {
                views.extend(answer.await.unwrap_or_default());
            }
        }
        views
    }

    /// Resolves when the journal has failed: the process must end at once and start anew (INV-3).
    pub async fn failed(&self) {
        loop {
            let failed = self.state.failed.notified();
            if self.state.has_failed.load(Ordering::Acquire) {
                return;
            }
            failed.await;
        }
    }

    /// The journal's last position that is durable.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.state.seq.load(Ordering::Acquire)
    }

    /// Takes no new messages from now on.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// Whether the journal has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state.has_failed.load(Ordering::Acquire)
    }

    /// Tells the shards to drain, unbind and end.
    pub fn stop_shards(&self) {
        self.shards.iter().for_each(|shard| shard.force(ToShard::Stop));
    }

    /// Tells the writer to commit what it has, and end.
    pub fn stop_writer(&self) {
        self.writer.force(ToWriter::Stop);
    }

    /// Whether the wall clock can be believed. Upkeep looks every two seconds; what is to be forgotten because of its age asks.
    pub fn clock(&self) -> Clock {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.look(self.world.now(), self.world.mono())
    }

    /// Has the journal looked after.
    pub fn upkeep(&self, before: crate::base::Time, told: u64) {
        self.writer.force(ToWriter::Upkeep { before, told });
    }

    /// The last committed position.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.state.seq.load(Ordering::Acquire)
    }

    /// Where a message lies, when its frame is known.
    #[must_use]
    pub fn place_in(frame: MessageId, id: MessageId) -> MessageRef {
        MessageRef { frame, ordinal: (id.0 - frame.0) as u32 }
    }
}

/// What became of the messages of a cancel key.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Canceled {
    /// Canceled by this call.
    pub canceled: u32,
    /// Left already, or ended by themselves.
    pub too_late: u32,
}

/// Why a cancel key could not be served.
#[derive(Debug, thiserror::Error)]
pub enum CancelFault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The engine.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Ids of one look-up by cancel key.
const KEYED_PAGE: usize = 500;

struct Keyed {
    found: Vec<(String, MessageRef)>,
    /// Where the next page begins; `None` after the last.
    last: Option<MessageId>,
}

/// A page of the messages of a cancel key that were not canceled yet.
fn keyed(archive: &dyn Archive, filed: u64, before: Option<MessageId>, account: &str, key: &str) -> Result<Keyed, StoreFault> {
    let ids = archive.search(filed, before, KEYED_PAGE)?;
    let last = if ids.len() == KEYED_PAGE { ids.last().copied() } else { None };
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        // Another message may share the hash.
        let Some(frame) = archive.frame_of(id)?.filter(|frame| frame.head.lane.account == account) else { continue };
        let at = Engine::place_in(frame.head.first, id);
        let record = frame.record(at.ordinal).and_then(|bytes| MessageRecord::read(bytes).ok());
        if record.is_some_and(|record| record.cancel_key() == key) {
            found.push((frame.head.lane.carrier.clone(), at));
        }
    }
    Ok(Keyed { found, last })
}

/// The note that advertising waits for a person: it outlives the process.
pub(crate) const REVIVAL_NOTE: &str = "engine/revival";

/// Couriers write their notes through the journal's writer.
pub(crate) struct WriterNotes(pub(crate) Arc<Mailbox<ToWriter>>);

impl Notes for WriterNotes {
    fn put(&self, notes: Vec<(String, Option<Vec<u8>>)>) -> BoxFuture<'_, Result<(), StoreFault>> {
        let (reply, answer) = oneshot::channel();
        self.0.force(ToWriter::Notes { notes, reply });
        Box::pin(async move {
            match answer.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(NotDurable::Full)) => Err(StoreFault::Full),
                _ => Err(StoreFault::Broken("the writer has ended".into())),
            }
        })
    }
}
