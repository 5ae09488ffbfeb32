//! One courier per endpoint: it follows the journal from the endpoint's durable cursor, has its events written
//! (`pipeline::webhook::tell`), and POSTs what the endpoint's machine decides. Sequential, at least once.
//!
//! An endpoint that hangs or fails delays no other: couriers share nothing that waits. The store may fail to
//! answer; then the courier tries again in a second and events are told later.

use crate::base::quiet::{Quiet, Saying};
use crate::base::{Mono, Span};
use crate::config::limits;
use crate::engine::hook::{CourierStats, Settings, State};
use crate::engine::post::{Call, Post, PostFault};
use crate::engine::reader::Reader;
use crate::engine::tail::{Tail, TailRead};
use crate::message::event::Event;
use crate::message::log::read_events;
use crate::pipeline::webhook::notes::{self, Note};
use crate::pipeline::webhook::{Delivery, Endpoint, Failure, Now, Outcome, Step, Teller, sign};
use crate::storage::StoreFault;
use crate::world::{BoxFuture, Entropy64, World, tls};
use bytes::Bytes;
use hyper::Method;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// The least time between two writes of a cursor.
const SAVE_WAIT: Span = Span::millis(200);
/// The least time between two writes of a cursor that passed only others' events.
const SAVE_WAIT_IDLE: Span = Span::secs(10);
/// Positions a cursor may pass unwritten.
const SAVE_ROWS: u64 = 4_096;
/// Rows told before deliveries get their turn.
const FILL_ROWS_MAX: usize = 256;
/// Octets of the log read at once when the tail no longer has them.
const READ_BYTES: usize = 1024 * 1024;
/// Notes that may wait for the store before deliveries stop.
const PENDING_MAX: usize = 4_096;
/// After a fault of the store.
const FAULT_WAIT: Span = Span::secs(1);
/// What an exchange under way may still take when the courier is stopped, and then the last note.
const STOP_WAIT: Span = Span::secs(2);

/// What couriers must not share; only a planted bug does.
static ONE_FOR_ALL: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Makes notes durable; filled by the journal's writer.
pub trait Notes: Send + Sync {
    /// Writes all or none, in order; `None` removes a key. Resolves when they are on disk.
    fn put(&self, notes: Vec<(String, Option<Vec<u8>>)>) -> BoxFuture<'_, Result<(), StoreFault>>;
}

/// A courier.
pub struct Courier {
    settings: Settings,
    world: World,
    reader: Reader,
    tail: Arc<Tail>,
    notes: Arc<dyn Notes>,
    stats: Arc<CourierStats>,
    tls: tls::Client,
    /// What is said of the endpoint, which can go and come as often as it likes.
    quiet: Mutex<Quiet>,
}

/// What changes while it runs.
struct Round {
    endpoint: Endpoint,
    teller: Teller,
    /// Rows read from the archive and not yet told.
    backlog: VecDeque<(u64, Bytes)>,
    /// Notes not yet durable.
    pending: Vec<Note>,
    /// The cursor on disk.
    saved: u64,
    saved_at: Mono,
    /// The last row that told this endpoint something, and the last that held events at all.
    told: u64,
    eventful: u64,
}

/// What filling the queue came to.
enum Filled {
    /// Nothing more is there, or there is no room.
    Enough,
    /// More is there.
    More,
}

impl Courier {
    /// A courier for one endpoint.
    #[must_use]
    pub fn new(
        settings: Settings,
        world: World,
        tls: tls::Client,
        reader: Reader,
        tail: Arc<Tail>,
        notes: Arc<dyn Notes>,
        stats: Arc<CourierStats>,
    ) -> Courier {
        let quiet = Mutex::new(Quiet::new(limits::COMPLAINTS_MAX, limits::COMPLAINTS_EVERY));
        Courier { settings, world, reader, tail, notes, stats, tls, quiet }
    }

    /// Serves the endpoint until `stop`. Then an exchange under way may end within `STOP_WAIT`; what it did not
    /// settle is told again after the restart.
    pub async fn run(self, stop: CancellationToken) {
        let Some(mut round) = self.begin(&stop).await else { return };
        let mut post = Post::new(self.world.clone(), self.tls.clone(), Some(self.settings.rules.clone()));
        while !stop.is_cancelled() {
            let filled = match self.fill(&mut round).await {
                Ok(filled) => filled,
                Err(fault) => {
                    tracing::warn!(webhook = %self.settings.name, %fault, "the archive cannot be read; trying again");
                    self.pause(FAULT_WAIT, &stop).await;
                    continue;
                }
            };
            self.save_when_due(&mut round).await;
            if round.pending.len() > PENDING_MAX {
                self.pause(FAULT_WAIT, &stop).await;
                continue;
            }
            let wake = match round.endpoint.next(self.now()) {
                Step::Send(delivery) => {
                    self.deliver(&mut post, &mut round, delivery, &stop).await;
                    continue;
                }
                Step::Gone => {
                    self.save(&mut round).await;
                    stop.cancelled().await;
                    break;
                }
                Step::Wait(until) => Some(until),
                Step::Idle => None,
            };
            if matches!(filled, Filled::More) && round.endpoint.has_room() {
                tokio::task::yield_now().await;
                continue;
            }
            round.pending.extend(round.endpoint.take_notes());
            self.rest(&round, wake, &stop).await;
        }
        // The last word is allowed to fail: what it would have said is told again.
        let _ = tokio::time::timeout(STOP_WAIT.std(), self.save(&mut round)).await;
    }

    fn now(&self) -> Now {
        Now { wall: self.world.now(), mono: self.world.mono() }
    }

    async fn pause(&self, span: Span, stop: &CancellationToken) {
        let _ = tokio::time::timeout(span.std(), stop.cancelled()).await;
    }

    /// Reads the endpoint's notes; `None` when stopped meanwhile.
    async fn begin(&self, stop: &CancellationToken) -> Option<Round> {
        // Before the notes are read: a new endpoint misses nothing that is published from now on.
        let head = self.tail.head();
        loop {
            match self.recall(head).await {
                Ok(round) => return Some(round),
                Err(fault) => tracing::warn!(webhook = %self.settings.name, %fault, "the notes cannot be had; trying again"),
            }
            self.pause(FAULT_WAIT, stop).await;
            if stop.is_cancelled() {
                return None;
            }
        }
    }

    async fn recall(&self, head: u64) -> Result<Round, StoreFault> {
        let name = &self.settings.name;
        let mut stored = notes::Notes::read(name, &self.reader.notes(notes::prefix(name)).await?);
        let saved = match stored.cursor {
            Some(cursor) => cursor,
            None => {
                // An endpoint that is new begins here, also when the process dies before its first event.
                self.notes.put(vec![(notes::cursor_key(name), Some(head.to_le_bytes().to_vec()))]).await?;
                head
            }
        };
        stored.cursor = Some(saved);
        self.stats.cursor.store(saved, Relaxed);
        let teller = Teller::new(&self.settings.account, self.settings.kinds, saved);
        let endpoint = Endpoint::new(name, self.settings.policy.clone(), stored, head, self.now());
        let (backlog, pending, saved_at) = (VecDeque::new(), Vec::new(), self.world.mono());
        Ok(Round { endpoint, teller, backlog, pending, saved, saved_at, told: 0, eventful: 0 })
    }

    /// Offers rows while there are some and the endpoint has room.
    async fn fill(&self, round: &mut Round) -> Result<Filled, StoreFault> {
        let mut rows = 0;
        while round.endpoint.has_room() {
            if rows >= FILL_ROWS_MAX {
                return Ok(Filled::More);
            }
            if let Some((seq, log)) = round.backlog.pop_front() {
                rows += 1;
                let events = read_events(&log).unwrap_or_else(|fault| {
                    tracing::error!(webhook = %self.settings.name, row = seq, %fault, "a log row is passed over");
                    Vec::new()
                });
                if let Err(fault) = self.tell(round, seq, &events).await {
                    round.backlog.push_front((seq, log));
                    return Err(fault);
                }
                continue;
            }
            match self.tail.after(round.endpoint.offered()) {
                TailRead::UpToDate => return Ok(Filled::Enough),
                TailRead::Rows(read) => {
                    for row in read {
                        rows += 1;
                        self.tell(round, row.seq, &row.events).await?;
                        if !round.endpoint.has_room() {
                            break;
                        }
                    }
                }
                TailRead::Behind => self.catch_up(round).await?,
            }
        }
        Ok(Filled::Enough)
    }

    /// Reads rows the tail no longer has.
    async fn catch_up(&self, round: &mut Round) -> Result<(), StoreFault> {
        let head = self.tail.head();
        let from = round.endpoint.offered();
        let rows = self.reader.log_from(from + 1, READ_BYTES).await?;
        round.backlog.extend(rows.into_iter().filter(|row| row.seq > from).map(|row| (row.seq, row.log)));
        if round.backlog.is_empty() && head > from {
            // What was published before the read is on disk: up to there the log holds no event.
            round.endpoint.offer(head, Vec::new(), self.now());
        }
        Ok(())
    }

    /// Has a row written for this endpoint and offers it.
    async fn tell(&self, round: &mut Round, seq: u64, events: &[Event]) -> Result<(), StoreFault> {
        let mut tellings = Vec::new();
        if !events.is_empty() {
            let found = self.reader.frames(&round.teller.needs(events)).await?;
            for first in round.teller.unknown(events, &found) {
                let mut earlier = Vec::new();
                for row in self.reader.touches(first).await?.iter().filter(|row| row.seq < seq) {
                    earlier.extend(read_events(&row.log).unwrap_or_default());
                }
                if let Some((_, frame)) = found.iter().find(|(id, _)| *id == first) {
                    round.teller.learn(frame, &earlier);
                }
            }
            tellings = round.teller.tell(seq, events, &found);
            round.eventful = seq;
            if !tellings.is_empty() {
                round.told = seq;
            }
        }
        round.endpoint.offer(seq, tellings, self.now());
        Ok(())
    }

    async fn deliver(&self, post: &mut Post, round: &mut Round, delivery: Delivery, stop: &CancellationToken) {
        let began = self.world.mono();
        let timestamp = self.world.now().0.div_euclid(1_000);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("user-agent", concat!("relais/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", sign(&self.settings.keys, &delivery.id, timestamp, &delivery.body)),
            ("webhook-id", delivery.id),
        ];
        let (count, oldest) = (delivery.count, delivery.oldest);
        let Settings { target, timeout, .. } = &self.settings;
        let call = Call { method: Method::POST, target, headers: &headers, body: delivery.body, timeout: *timeout };
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_WAIT.std()).await;
        };
        let turn = if crate::base::planted::is("one-courier-for-all") { Some(ONE_FOR_ALL.lock().await) } else { None };
        let answer = tokio::select! {
            biased;
            answer = post.call(&call) => answer,
            () = stopped => return,
        };
        drop(turn);
        self.stats.posts.fetch_add(1, Relaxed);
        if answer.is_ok() {
            self.stats.answered.fetch_add(1, Relaxed);
            self.stats.answered_us.fetch_add(self.world.mono().since(began).0, Relaxed);
        }
        let outcome = outcome(&answer.map(|reply| {
            let seconds = reply.headers.get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
            (reply.status, seconds.map(Span::secs))
        }));
        if let (Outcome::Taken, Some(histogram)) = (outcome, &self.stats.told_after) {
            histogram.observe_many(self.world.now().since(oldest), count as u64);
        }
        round.endpoint.settle(outcome, self.now(), self.world.entropy.next_u64());
        self.count(round, outcome);
    }

    fn count(&self, round: &Round, outcome: Outcome) {
        let (counts, stats, name) = (round.endpoint.counts(), &self.stats, &self.settings.name);
        let died = counts.dead - stats.dead.load(Relaxed);
        if died > 0 && self.may_say() {
            tracing::error!(webhook = %name, events = died, why = %outcome.words(), "events are given up");
        }
        stats.delivered.store(counts.taken, Relaxed);
        stats.failed.store(counts.failed, Relaxed);
        stats.dead.store(counts.dead, Relaxed);
        stats.dropped.store(counts.dropped, Relaxed);
        stats.parked.store(counts.parked as u64, Relaxed);
        let state = match outcome {
            Outcome::Gone => State::Gone,
            _ if round.endpoint.is_failing() => State::Failing,
            _ => State::Working,
        };
        let before = stats.state.swap(state as u8, Relaxed);
        match state {
            State::Failing if before == State::Working as u8 && self.may_say() => {
                tracing::warn!(webhook = %name, why = %outcome.words(), "the endpoint takes nothing; its events wait");
            }
            State::Working if before == State::Failing as u8 && self.may_say() => {
                tracing::info!(webhook = %name, "the endpoint takes events again")
            }
            State::Gone => tracing::error!(webhook = %name, "the endpoint answered 410 and is left alone until the next start"),
            _ => {}
        }
    }

    /// Whether one more line may be said of the endpoint; what is not said is counted.
    fn may_say(&self) -> bool {
        let now = self.world.mono();
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = quiet.told(now) {
            tracing::warn!(webhook = %self.settings.name, times, "more was to be said of the endpoint");
        }
        quiet.ask(now) == Saying::Said
    }

    /// Waits for what comes first: the endpoint's next turn, a new row, a cursor to be written, the end.
    async fn rest(&self, round: &Round, wake: Option<Mono>, stop: &CancellationToken) {
        let now = self.world.mono();
        let at = [wake, self.save_at(round)].into_iter().flatten().min();
        let timer = async {
            match at {
                // One microsecond more: a timer that fires early would find nothing to do and spin.
                Some(at) => tokio::time::sleep(Span(at.since(now).0 + 1).std()).await,
                None => std::future::pending().await,
            }
        };
        let more = async {
            if round.endpoint.has_room() {
                self.tail.changed(round.endpoint.offered()).await;
            } else {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            () = timer => {}
            () = more => {}
            () = stop.cancelled() => {}
        }
    }

    /// When the cursor or notes should be written, if at all.
    fn save_at(&self, round: &Round) -> Option<Mono> {
        let cursor = round.endpoint.cursor();
        if !round.pending.is_empty() || (cursor > round.saved && round.told > round.saved) {
            Some(round.saved_at + SAVE_WAIT)
        } else if cursor > round.saved && round.eventful > round.saved {
            // A commit of notes has no events, so that cursors alone do not keep each other moving.
            Some(round.saved_at + SAVE_WAIT_IDLE)
        } else {
            None
        }
    }

    async fn save_when_due(&self, round: &mut Round) {
        round.pending.extend(round.endpoint.take_notes());
        self.stats.lost.store(round.teller.lost(), Relaxed);
        self.stats.lag.store(self.tail.head().saturating_sub(round.endpoint.cursor()), Relaxed);
        let is_due = self.save_at(round).is_some_and(|at| at <= self.world.mono());
        if is_due || round.endpoint.cursor() >= round.saved + SAVE_ROWS {
            self.save(round).await;
        }
    }

    /// Writes the notes and the cursor together.
    async fn save(&self, round: &mut Round) {
        round.pending.extend(round.endpoint.take_notes());
        let cursor = round.endpoint.cursor();
        if cursor <= round.saved && round.pending.is_empty() {
            return;
        }
        let mut notes = round.pending.clone();
        notes.push((notes::cursor_key(&self.settings.name), Some(cursor.to_le_bytes().to_vec())));
        match self.notes.put(notes).await {
            Ok(()) => {
                round.pending.clear();
                round.saved = cursor;
                self.stats.cursor.store(cursor, Relaxed);
                round.saved_at = self.world.mono();
            }
            Err(fault) => {
                tracing::warn!(webhook = %self.settings.name, %fault, "the cursor cannot be written; trying again");
                round.saved_at = self.world.mono() + FAULT_WAIT;
            }
        }
    }
}

/// What an exchange means to the endpoint's machine.
fn outcome(answer: &Result<(u16, Option<Span>), PostFault>) -> Outcome {
    match answer {
        Ok((status, retry_after)) => Outcome::of_status(*status, *retry_after),
        Err(PostFault::Forbidden) => Outcome::Failed(Failure::Forbidden),
        Err(PostFault::Unresolved | PostFault::Unreachable | PostFault::Tls | PostFault::Unwritable) => {
            Outcome::Failed(Failure::Unreachable)
        }
        Err(PostFault::Timeout | PostFault::Broken) => Outcome::Failed(Failure::Silent),
    }
}

#[cfg(test)]
#[path = "courier_rig.rs"]
mod rig;
#[cfg(test)]
#[path = "courier_tests.rs"]
mod tests;
