//! One endpoint as a machine: events go in, in the journal's order; deliveries come out, one at a time; outcomes
//! go back in. It decides what is sent together, when it is tried again, what is set aside and what is given up.
//!
//! - Events that are taken leave in order. The cursor is the row before the oldest event not yet settled.
//! - A failure waits (`Backoff`). What is as old as `retry_for`, while nothing was taken for `retry_for`, is given up.
//! - An event that is refused for itself is *parked*: durable, tried on its own schedule, and the others go on. It
//!   is found by halving. Later events of its message wait behind it, so that a message's order holds.
//! - An endpoint that refuses everything must not park everything: after `REFUSED_IN_ROW_MAX` parked events
//!   without one taken, a refusal is a failure of the endpoint.

use crate::base::{Mono, Span, Time};
use crate::pipeline::webhook::delivery::{Counts, Delivery, Failure, Now, Outcome, Policy, Step};
use crate::pipeline::webhook::notes::{self, DeadLetter, Note, Notes, ParkedNote, Place};
use crate::pipeline::webhook::tell::Telling;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// Events set aside per endpoint; when there are as many, a refusal stops the queue like a failure. Later events
/// of parked messages (one each at most) come on top.
pub const PARKED_MAX: usize = 1_000;
/// Dead letters kept per endpoint; of more, the oldest are dropped and counted.
pub const DEAD_MAX: usize = 10_000;
/// Events parked without one taken in between, before the endpoint itself is held to be at fault.
const REFUSED_IN_ROW_MAX: u32 = 8;
/// Failures in a row after which the fault is looked for in the events.
const FAILURES_BEFORE_NARROWING: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flight {
    Head(usize),
    Parked(Place),
}

#[derive(Debug)]
struct Parked {
    telling: Telling,
    attempts: u32,
    due: Mono,
    expires: Mono,
    /// Waits for an earlier event of the same message.
    behind: bool,
}

/// The machine.
#[derive(Debug)]
pub struct Endpoint {
    name: String,
    policy: Policy,
    queue: VecDeque<Telling>,
    queued_bytes: usize,
    /// The last row that was offered.
    offered: u64,
    flight: Option<Flight>,
    /// How many events were in the delivery that is being retried, so that it stays the same.
    batch: Option<usize>,
    /// At most so many events in the next delivery: halved to find the event at fault, doubled on success.
    limit: usize,
    /// No delivery before it.
    until: Option<Mono>,
    failures: u32,
    waits: u32,
    /// When nothing will have been taken for `retry_for`.
    give_up: Option<Mono>,
    /// When the oldest event will have been tried for `retry_for`.
    front_expires: Option<Mono>,
    refused_in_row: u32,
    parked: BTreeMap<Place, Parked>,
    /// How many parked events each message has.
    parked_messages: HashMap<u64, u32, RandomState>,
    parked_turn: bool,
    dead: VecDeque<Place>,
    notes: Vec<Note>,
    is_failing_noted: bool,
    is_gone: bool,
    counts: Counts,
}

impl Endpoint {
    /// An endpoint as its notes left it. `head` is the journal's last position: an endpoint without a cursor is
    /// new and is told what comes after it.
    #[must_use]
    pub fn new(name: &str, policy: Policy, notes: Notes, head: u64, now: Now) -> Endpoint {
        assert!(policy.max_batch > 0, "a delivery holds at least one event");
        let left = |since: Time| now.mono + Span(policy.retry_for.0.saturating_sub(now.wall.since(since).0));
        let mut endpoint = Endpoint {
            name: name.into(),
            limit: policy.max_batch,
            queue: VecDeque::new(),
            queued_bytes: 0,
            offered: notes.cursor.unwrap_or(head),
            flight: None,
            batch: None,
            until: None,
            failures: 0,
            waits: 0,
            give_up: notes.failing.map(left),
            front_expires: None,
            refused_in_row: 0,
            parked: BTreeMap::new(),
            parked_messages: HashMap::default(),
            parked_turn: false,
            dead: notes.dead.into(),
            notes: Vec::new(),
            is_failing_noted: notes.failing.is_some(),
            is_gone: false,
            counts: Counts::default(),
            policy,
        };
        for ParkedNote { first, attempts, telling } in notes.parked {
            let expires = now.mono + Span(endpoint.policy.retry_for.0.saturating_sub(now.wall.since(first).0));
            endpoint.set_aside(telling, attempts, now.mono, expires);
        }
        endpoint
    }

    /// The last row that was offered.
    #[must_use]
    pub const fn offered(&self) -> u64 {
        self.offered
    }

    /// The position up to which everything is taken, parked or given up; durable together with `take_notes`.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.queue.front().filter(|_| !crate::base::planted::is("cursor-early")).map_or(self.offered, |oldest| oldest.row - 1)
    }

    /// Totals.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { parked: self.parked.len(), ..self.counts }
    }

    /// Whether deliveries fail at present.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether another row should be offered.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.is_gone && self.queue.len() < self.policy.max_batch && self.queued_bytes < self.policy.body_max
    }

    /// Notes that must become durable before, or together with, a cursor read after this call.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// What row `row` tells this endpoint, whole; rows come in ascending order.
    pub fn offer(&mut self, row: u64, tellings: Vec<Telling>, now: Now) {
        debug_assert!(row > self.offered, "rows ascend");
        self.offered = row;
        let is_hopeless = self.give_up.is_some_and(|at| at <= now.mono);
        for telling in tellings {
            if !self.parked.is_empty() && self.parked.contains_key(&Place::of(&telling)) {
                continue;
            }
            if self.parked_messages.contains_key(&telling.message) {
                self.park(telling, 0, now);
            } else if is_hopeless && now.wall.since(telling.when) >= self.policy.retry_for {
                self.bury(telling, now, "nothing was taken while it was to be told");
            } else {
                self.queued_bytes += telling.json.len();
                let place = if crate::base::planted::is("webhook-order-broken") { 0 } else { self.queue.len() };
                self.queue.insert(place, telling);
            }
        }
    }

    /// What to do next. After `Send`, `settle` comes before the next call.
    pub fn next(&mut self, now: Now) -> Step {
        assert!(self.flight.is_none(), "one delivery at a time");
        if self.is_gone {
            return Step::Gone;
        }
        self.expire_parked(now);
        let ready = self.parked.iter().filter(|(_, parked)| !parked.behind).map(|(place, parked)| (parked.due, *place)).min();
        if self.queue.is_empty() && ready.is_none() {
            return Step::Idle;
        }
        if let Some(until) = self.until.filter(|until| *until > now.mono) {
            return Step::Wait(until);
        }
        match ready {
            Some((due, place)) if due <= now.mono && (self.queue.is_empty() || self.parked_turn) => {
                self.parked_turn = false;
                self.flight = Some(Flight::Parked(place));
                Step::Send(Delivery::of([&self.parked[&place].telling].into_iter()))
            }
            Some((due, _)) if self.queue.is_empty() => Step::Wait(due),
            _ => {
                self.parked_turn = true;
                let count = self.batch.unwrap_or_else(|| self.fitting());
                self.batch = Some(count);
                self.front_expires.get_or_insert(now.mono + self.policy.retry_for);
                self.flight = Some(Flight::Head(count));
                Step::Send(Delivery::of(self.queue.iter().take(count)))
            }
        }
    }

    /// How many events the next delivery holds.
    fn fitting(&self) -> usize {
        let mut bytes = 2;
        let fits = |telling: &&Telling| {
            bytes += telling.json.len() + 1;
            bytes <= self.policy.body_max
        };
        self.queue.iter().take(self.limit).take_while(fits).count().max(1)
    }

    /// What became of the delivery. `random` is any 64 random bits.
    pub fn settle(&mut self, outcome: Outcome, now: Now, random: u64) {
        let flight = self.flight.take().expect("settle follows next");
        if outcome != Outcome::Taken {
            self.counts.failed += 1;
        }
        if outcome == Outcome::Gone {
            self.is_gone = true;
            return;
        }
        match flight {
            Flight::Parked(place) => self.settle_parked(place, outcome, now, random),
            Flight::Head(count) => match outcome {
                Outcome::Failed(_) if crate::base::planted::is("failed-delivery-dropped") => self.taken(count, now),
                Outcome::Taken => self.taken(count, now),
                Outcome::Refused(_) if count > 1 => self.narrow(count),
                Outcome::Refused(_) if self.may_park() => self.park_front(now),
                _ => self.failed(count, outcome, now, random),
            },
        }
    }

    fn taken(&mut self, count: usize, now: Now) {
        self.counts.taken += count as u64;
        for _ in 0..count {
            self.pop();
        }
        if self.failures > 0 || self.is_failing_noted {
            for parked in self.parked.values_mut() {
                parked.due = parked.due.min(now.mono);
            }
        }
        if std::mem::take(&mut self.is_failing_noted) {
            self.notes.push((notes::failing_key(&self.name), None));
        }
        (self.failures, self.waits, self.refused_in_row) = (0, 0, 0);
        (self.give_up, self.until) = (None, None);
        self.limit = (self.limit * 2).min(self.policy.max_batch);
    }

    fn narrow(&mut self, count: usize) {
        self.limit = count.div_ceil(2);
        self.batch = None;
    }

    fn failed(&mut self, count: usize, outcome: Outcome, now: Now, random: u64) {
        self.failures = self.failures.saturating_add(1);
        if self.give_up.is_none() {
            self.give_up = Some(now.mono + self.policy.retry_for);
            self.notes.push((notes::failing_key(&self.name), Some(now.wall.0.to_le_bytes().to_vec())));
            self.is_failing_noted = true;
        }
        let (blames_event, retry_after) = match outcome {
            Outcome::Failed(failure @ Failure::Answered { retry_after, .. }) => (failure.may_be_the_event(), retry_after),
            Outcome::Failed(failure) => (failure.may_be_the_event(), None),
            _ => (false, None),
        };
        let narrowing = blames_event && self.failures >= FAILURES_BEFORE_NARROWING && (count > 1 || self.may_park());
        // While the event at fault is looked for, the wait does not grow: it takes a dozen deliveries.
        self.waits = if narrowing { self.waits.clamp(1, FAILURES_BEFORE_NARROWING) } else { self.waits.saturating_add(1) };
        let wait = self.policy.backoff.wait(self.waits, random);
        let asked = retry_after.unwrap_or(Span::ZERO).min(self.policy.backoff.cap);
        self.until = Some(now.mono + wait.max(asked));
        if self.give_up.is_some_and(|at| at <= now.mono) {
            self.give_up_old(count, &outcome.words(), now);
        } else if narrowing && count > 1 {
            self.narrow(count);
        } else if narrowing {
            self.park_front(now);
        }
    }

    /// Gives up the delivery when it was tried for long enough, and whatever is old enough behind it.
    fn give_up_old(&mut self, count: usize, why: &str, now: Now) {
        let tried = if self.front_expires.is_some_and(|at| at <= now.mono) { count } else { 0 };
        let mut given_up = 0;
        while let Some(front) = self.queue.front() {
            if given_up >= tried && now.wall.since(front.when) < self.policy.retry_for {
                break;
            }
            given_up += 1;
            if let Some(telling) = self.pop() {
                self.bury(telling, now, why);
            }
        }
    }

    fn pop(&mut self) -> Option<Telling> {
        (self.batch, self.front_expires) = (None, None);
        let telling = self.queue.pop_front()?;
        self.queued_bytes -= telling.json.len();
        Some(telling)
    }

    fn bury(&mut self, telling: Telling, now: Now, why: &str) {
        let place = Place::of(&telling);
        self.notes.push((notes::dead_key(&self.name, place), Some(DeadLetter::write(&telling, now.wall, why))));
        self.counts.dead += 1;
        self.dead.push_back(place);
        if self.dead.len() > DEAD_MAX {
            let oldest = self.dead.pop_front().expect("there are more than DEAD_MAX");
            self.notes.push((notes::dead_key(&self.name, oldest), None));
            self.counts.dropped += 1;
        }
    }

    fn may_park(&self) -> bool {
        self.refused_in_row < REFUSED_IN_ROW_MAX && self.parked.len() < PARKED_MAX
    }

    /// Sets the oldest event aside, and behind it the later events of its message.
    fn park_front(&mut self, now: Now) {
        self.refused_in_row += 1;
        let Some(front) = self.pop() else { return };
        let message = front.message;
        self.park(front, 1, now);
        if self.queue.iter().any(|telling| telling.message == message) {
            for telling in std::mem::take(&mut self.queue) {
                if telling.message == message {
                    self.queued_bytes -= telling.json.len();
                    self.park(telling, 0, now);
                } else {
                    self.queue.push_back(telling);
                }
            }
        }
    }

    fn park(&mut self, telling: Telling, attempts: u32, now: Now) {
        let note = ParkedNote { first: now.wall, attempts, telling };
        self.notes.push((notes::parked_key(&self.name, Place::of(&note.telling)), Some(note.write())));
        let due = now.mono + self.policy.backoff.bound(attempts.max(1));
        self.set_aside(note.telling, attempts, due, now.mono + self.policy.retry_for);
    }

    fn set_aside(&mut self, telling: Telling, attempts: u32, due: Mono, expires: Mono) {
        let siblings = self.parked_messages.entry(telling.message).or_insert(0);
        let behind = *siblings > 0;
        *siblings += 1;
        self.parked.insert(Place::of(&telling), Parked { telling, attempts, due, expires, behind });
    }

    fn settle_parked(&mut self, place: Place, outcome: Outcome, now: Now, random: u64) {
        if outcome == Outcome::Taken {
            self.counts.taken += 1;
            self.refused_in_row = 0;
            self.unpark(place, now);
            return;
        }
        let Some(parked) = self.parked.get_mut(&place) else { return };
        parked.attempts = parked.attempts.saturating_add(1);
        parked.due = now.mono + self.policy.backoff.wait(parked.attempts, random);
        if parked.expires <= now.mono
            && let Some(telling) = self.unpark(place, now)
        {
            self.bury(telling, now, &outcome.words());
        }
    }

    fn unpark(&mut self, place: Place, now: Now) -> Option<Telling> {
        let parked = self.parked.remove(&place)?;
        self.notes.push((notes::parked_key(&self.name, place), None));
        let message = parked.telling.message;
        let left = self.parked_messages.get_mut(&message).map_or(0, |siblings| {
            *siblings -= 1;
            *siblings
        });
        if left == 0 {
            self.parked_messages.remove(&message);
        } else if let Some(next) = self.parked.values_mut().find(|parked| parked.telling.message == message) {
            (next.behind, next.due) = (false, now.mono);
        }
        Some(parked.telling)
    }

    /// Gives up parked events whose time is over while the endpoint as a whole is not tried.
    fn expire_parked(&mut self, now: Now) {
        let is_waiting = self.until.is_some_and(|until| until > now.mono);
        let over: Vec<Place> =
            self.parked.iter().filter(|(_, p)| p.expires <= now.mono && (is_waiting || p.behind)).map(|(at, _)| *at).collect();
        for place in over {
            if let Some(telling) = self.unpark(place, now) {
                self.bury(telling, now, "nothing was taken while it was to be told");
            }
        }
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
