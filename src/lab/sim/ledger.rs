//! What is known of every message from outside, and of what may have put it in doubt. No invariant is judged here:
//! the checks do, and read this.

use super::carrier_numbers::Numbers;
use super::seen::{Seen, Submit};
use super::standstill::Troubles;
use crate::base::Time;
use crate::lab::ClockError;
use crate::lab::id_style::IdStyle;
use crate::message::Status;
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What the run is like, as far as the checks must know it. Times are milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The greatest latency one way there ever is.
    pub latency_max_ms: i64,
    /// The longest sync there ever is.
    pub sync_max_ms: i64,
    /// The longest a message may have to wait for others and for binds when all is well.
    pub backlog_ms: i64,
    /// How long a message lives that does not say so.
    pub lifetime_ms: i64,
    /// By carrier.
    pub carriers: Vec<CarrierTerms>,
    /// How many accounts there are. Subscribers of carrier c write to account c modulo their number.
    pub accounts: u8,
    /// Whether everything is remembered to the end; otherwise submits are forgotten when their message is over.
    pub keeps_all: bool,
}

/// What was agreed with a carrier.
#[derive(Clone, Copy, Debug, Default)]
pub struct CarrierTerms {
    /// Segments a second; 0 = unlimited.
    pub rate: f64,
    /// Segments at once.
    pub burst: u32,
    /// How long what is in doubt is held.
    pub hold_ms: i64,
    /// Sessions that carry submits.
    pub sessions: u32,
    /// Unanswered submits of a session.
    pub window: u32,
    /// After which silence is doubt.
    pub response_timeout_ms: i64,
    /// How receipts write ids: in the text, and in receipted_message_id.
    pub receipt_ids: Option<[IdStyle; 2]>,
}

/// What is asked for in message `n`.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its parts.
    pub parts: u8,
    /// Never twice.
    pub at_most_once: bool,
    /// Seconds it may live, when it says so.
    pub expires_in: Option<u32>,
    /// Seconds it is to wait, when it says so.
    pub send_after: Option<u32>,
    /// Advertising, bound to hours and stops.
    pub is_marketing: bool,
    /// To whom.
    pub number: u64,
    /// Which carrier that leads to.
    pub carrier: u8,
}

/// One message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    /// Its id, once a 2xx has named it; 0 before.
    pub id: u64,
    /// When it was first asked for; 0 = never.
    pub asked_at: i64,
    /// The earliest the gateway's clock may have shown when it was accepted.
    pub accepted_at: i64,
    /// When it may last be sent, by the gateway's clock; 0 = there is no such instant.
    pub until: i64,
    /// When a 2xx first named it.
    pub took_at: i64,
    /// When its end happened, as the webhook said, by the gateway's clock; 0 = not yet.
    pub ended_at: i64,
    /// When it was told.
    pub told_at: i64,
    /// When the last receipt of a part came that had none, and the most the gateway's clock had shown since it was asked for.
    pub heard_at: i64,
    /// See `heard_at`.
    pub heard_shown: i64,
    /// Its account.
    pub account: u8,
    /// Refused for good.
    pub is_declined: bool,
    /// Called back.
    pub is_canceled: bool,
    /// Its number was erased: nothing more is said of it.
    pub is_erased: bool,
    /// Before which it may not be sent; 0 = at once.
    pub not_before: i64,
    /// The final status told.
    pub status: Option<Status>,
    /// The label told.
    pub is_labelled: bool,
    /// A part was taken twice.
    pub is_copied: bool,
    /// The gateway may have been in doubt of a part when it ended: then the carrier's name may never have come, and
    /// receipts under that name are orphans.
    pub was_doubted: bool,
    /// Parts (bits) that a carrier took, that were delivered, that failed.
    pub taken: u8,
    /// See `taken`.
    pub delivered: u8,
    /// See `taken`.
    pub failed: u8,
}

/// A bulk.
#[derive(Clone, Copy, Debug)]
pub struct BulkEntry {
    /// Its first message.
    pub first: u64,
    /// Its lines.
    pub count: u32,
    /// Its id.
    pub id: u64,
}

/// A part taken by a carrier.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Which part, from 1.
    pub part: u8,
    /// Where.
    pub carrier: u8,
    /// On which session.
    pub session: u64,
    /// When.
    pub at: i64,
    /// When its answer left; `None` when none did.
    pub answer_at: Option<i64>,
    /// The carrier's number of it.
    pub number: u64,
    /// The name it was given in the answer.
    pub message_id: Box<str>,
}

/// Why the gateway may not know what became of a submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The carrier never answered, or too late.
    Silence,
    /// The session ended around the answer.
    Session,
    /// The process ended around the answer.
    Death,
    /// The network or the disk stood still.
    Standstill,
}

/// See the module.
pub struct Ledger {
    /// What the run is like.
    pub terms: Terms,
    wanted: Box<dyn Fn(u64) -> Wanted + Send>,
    entries: Vec<Entry>,
    copies: Map<u64, Vec<Copy>>,
    bulks: BTreeMap<u64, BulkEntry>,
    /// By carrier.
    numbers: Vec<Numbers>,
    closed: Map<(u8, u64), (i64, bool)>,
    deaths: Vec<i64>,
    /// How wrong the gateway's clock was, from when on.
    clock: Vec<ClockError>,
    troubles: Troubles,
    /// Messages that were told, by when everything is known that may have put them in doubt.
    settling: VecDeque<(i64, u64)>,
    took: u64,
    told: u64,
}

impl Ledger {
    /// Nothing seen yet of so many messages.
    #[must_use]
    pub fn new(messages: u64, terms: Terms, wanted: Box<dyn Fn(u64) -> Wanted + Send>) -> Ledger {
        let entries = vec![Entry::default(); usize::try_from(messages).unwrap_or(0)];
        let numbers = terms.carriers.iter().map(|_| Numbers::default()).collect();
        let (copies, closed, bulks, deaths) = (Map::default(), Map::default(), BTreeMap::new(), Vec::new());
        let (troubles, settling, clock) = (Troubles::default(), VecDeque::new(), vec![ClockError::default()]);
        Ledger { terms, wanted, entries, copies, bulks, numbers, closed, deaths, troubles, settling, clock, took: 0, told: 0 }
    }

    /// A message.
    #[must_use]
    pub fn entry(&self, n: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(n).ok()?)
    }

    /// All of them, by number.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (0..).zip(&self.entries)
    }

    /// What it asked for.
    #[must_use]
    pub fn wanted(&self, n: u64) -> Wanted {
        (self.wanted)(n)
    }

    /// The submits of a message that carriers took.
    #[must_use]
    pub fn copies(&self, n: u64) -> &[Copy] {
        self.copies.get(&n).map_or(&[], Vec::as_slice)
    }

    /// Whether the carrier gave this name to a copy: in its answer, or in receipts where the answer may be lost.
    #[must_use]
    pub fn is_name_of(&self, copy: &Copy, id: &str) -> bool {
        let is_in_receipts = || {
            let mut styles = self.terms.carriers[usize::from(copy.carrier)].receipt_ids.into_iter().flatten();
            styles.any(|style| {
                // Carriers here send receipts under foreign names, too, that are this message's in all but the name.
                [copy.number, u64::MAX / 2 - copy.number].into_iter().any(|number| {
                    let mut written = Vec::new();
                    style.write(number, &mut written);
                    written == id.as_bytes()
                })
            })
        };
        *copy.message_id == *id || is_in_receipts() && self.doubt(copy.carrier, copy.session, copy.at, copy.answer_at).is_some()
    }

    /// A bulk, by its first message.
    #[must_use]
    pub fn bulk(&self, first: u64) -> Option<&BulkEntry> {
        self.bulks.get(&first)
    }

    /// All bulks.
    pub fn bulks(&self) -> impl Iterator<Item = &BulkEntry> {
        self.bulks.values()
    }

    /// The message and part behind a carrier's number.
    #[must_use]
    pub fn behind(&self, carrier: u8, number: u64) -> Option<(u64, u8)> {
        self.numbers.get(usize::from(carrier))?.get(number)
    }

    /// Messages accepted, and of these told final.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.took, self.told)
    }

    /// What the gateway needs at most from an answer's departure until it is durable.
    #[must_use]
    pub fn settling_ms(&self) -> i64 {
        2 * self.terms.latency_max_ms + 4 * self.terms.sync_max_ms + 100
    }

    /// Whether the gateway may be in doubt of a submit, and why.
    #[must_use]
    pub fn doubt(&self, carrier: u8, session: u64, at: i64, answer_at: Option<i64>) -> Option<Doubt> {
        let Some(answer_at) = answer_at else { return Some(Doubt::Silence) };
        let timeout = self.terms.carriers[usize::from(carrier)].response_timeout_ms;
        if answer_at - at + 2 * self.terms.latency_max_ms + 50 >= timeout {
            return Some(Doubt::Silence);
        }
        // Written before it was seen, settled after it was answered.
        let (from, to) = (at - self.terms.latency_max_ms - 50, answer_at + self.settling_ms());
        if self.deaths.iter().rev().take_while(|death| **death >= from).any(|death| *death <= to) {
            return Some(Doubt::Death);
        }
        // What stood on the way was given up one window after the other, before its session was lost: that loss is not what
        // each of them was in doubt for.
        if self.troubles.stood_between(carrier, from, to) {
            return Some(Doubt::Standstill);
        }
        let is_lost = self.closed.get(&(carrier, session)).is_some_and(|(closed, is_orderly)| !is_orderly && *closed <= to);
        is_lost.then_some(Doubt::Session)
    }

    /// Whether the way to a carrier stood still at some time from `from` on.
    #[must_use]
    pub fn stood_still(&self, carrier: u8, from: i64) -> bool {
        // A full disk holds up nothing that was written.
        self.troubles.stood_since(carrier, from)
    }

    /// What the gateway's clock showed between two instants: the stretches in which it ran on without a jump, as first and last.
    pub fn shown(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> {
        let ends = self.clock.iter().skip(1).map(|error| error.since).chain([i64::MAX]);
        self.clock.iter().zip(ends).filter(move |(error, end)| error.since <= to && *end >= from).map(move |(error, end)| {
            let (from, to) = (from.max(error.since), to.min(end));
            (from + error.at(from), to + error.at(to))
        })
    }

    /// The least and the most it showed.
    #[must_use]
    pub fn shown_within(&self, from: i64, to: i64) -> (i64, i64) {
        self.shown(from, to).fold((i64::MAX, i64::MIN), |(least, most), (first, last)| (least.min(first), most.max(last)))
    }

    /// Whether anybody has set it.
    #[must_use]
    pub fn is_clock_set(&self) -> bool {
        self.clock.len() > 1
    }

    /// When the gateway's clock last showed no more than `wall`, of the time until `to`.
    #[must_use]
    pub fn last_shown(&self, wall: i64, to: i64) -> i64 {
        let mut end = to;
        for error in self.clock.iter().rev() {
            let shown = error.since + error.ahead_ms;
            if shown <= wall && error.since <= end {
                return end.min(error.since + wall - shown);
            }
            end = end.min(error.since);
        }
        0
    }

    /// Notes what was seen.
    pub fn note(&mut self, at: i64, seen: &Seen<'_>) {
        self.settle(at);
        match *seen {
            Seen::Asked { account, first, count } => {
                for n in first..first + u64::from(count) {
                    let wait = (self.wanted)(n).send_after.map_or(0, |seconds| at + i64::from(seconds) * 1_000);
                    if let Some(entry) = self.entries.get_mut(n as usize).filter(|entry| entry.asked_at == 0) {
                        (entry.account, entry.asked_at) = (account, at);
                        entry.not_before = wait;
                    }
                }
            }
            Seen::Took { n, id } => {
                let expires_in = (self.wanted)(n).expires_in;
                let (least, most) = self.shown_within(self.entry(n).map_or(at, |entry| entry.asked_at), at);
                let Some(entry) = self.entries.get_mut(n as usize).filter(|entry| entry.id == 0) else { return };
                (entry.id, entry.took_at, entry.accepted_at) = (id, at, least);
                entry.until = expires_in.map_or(0, |seconds| most + i64::from(seconds) * 1_000);
                self.took += 1;
                self.told += u64::from(entry.status.is_some());
            }
            Seen::Bulk { first, count, id } => _ = self.bulks.entry(first).or_insert(BulkEntry { first, count, id }),
            Seen::Declined { n } => self.with(n, |entry| entry.is_declined = true),
            Seen::Canceled { n } => self.with(n, |entry| entry.is_canceled = true),
            Seen::Moved { n, until } => self.with(n, |entry| entry.not_before = until),
            Seen::Erased { n } => {
                let Some(entry) = self.entries.get_mut(n as usize).filter(|entry| !entry.is_erased) else { return };
                entry.is_erased = true;
                self.told += u64::from(entry.status.is_none() && entry.id != 0);
            }
            Seen::Submit(submit) => self.submit(at, &submit),
            Seen::Closed { carrier, session, is_orderly } => _ = self.closed.insert((carrier, session), (at, is_orderly)),
            Seen::Receipt { carrier, number, state } => {
                let Some((n, part)) = self.behind(carrier, number) else { return };
                let bit = 1 << (part - 1);
                let (_, shown) = self.shown_within(self.entry(n).map_or(at, |entry| entry.asked_at), at);
                self.with(n, |entry| {
                    if (entry.delivered | entry.failed) & bit == 0 && state != crate::lab::personality::State::Enroute {
                        (entry.heard_at, entry.heard_shown) = (at, shown);
                    }
                    match state {
                        crate::lab::personality::State::Enroute => {}
                        crate::lab::personality::State::Delivered => entry.delivered |= bit,
                        _ => entry.failed |= bit,
                    }
                });
            }
            Seen::Told { event, .. } => self.told(at, event),
            Seen::Clock { error } => self.clock.push(error),
            Seen::Died | Seen::Stopped { is_clean: false } => self.deaths.push(at),
            Seen::Fault { kind: "hold" | "hold_way" | "full", carrier, is_on } => {
                self.troubles.note(at, carrier, is_on, self.terms.latency_max_ms + 50);
            }
            _ => {}
        }
    }

    fn with(&mut self, n: u64, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(n as usize) {
            change(entry);
        }
    }

    fn submit(&mut self, at: i64, submit: &Submit<'_>) {
        let Some(n) = submit.n.filter(|_| submit.status == 0) else { return };
        let bit = 1u8.checked_shl(u32::from(submit.part) - 1).unwrap_or(0);
        let late_by = self.terms.latency_max_ms + 100;
        // What stood on the way until its message had ended was never answered in time.
        let told_at = self.entry(n).filter(|entry| entry.status.is_some()).map(|entry| entry.told_at);
        let stood = told_at.is_some_and(|told_at| self.stood_still(submit.carrier, told_at - late_by));
        self.with(n, |entry| {
            entry.is_copied |= entry.taken & bit != 0;
            entry.taken |= bit;
            entry.was_doubted |= stood;
        });
        if let Some(numbers) = self.numbers.get_mut(usize::from(submit.carrier)) {
            numbers.put(submit.number, n, submit.part);
        }
        self.copies.entry(n).or_default().push(Copy {
            part: submit.part,
            carrier: submit.carrier,
            session: submit.session,
            at,
            answer_at: submit.is_answered.then_some(at + submit.delay_ms as i64),
            number: submit.number,
            message_id: if self.terms.keeps_all { submit.message_id.into() } else { Box::default() },
        });
    }

    fn told(&mut self, at: i64, event: &crate::lab::sink::Event) {
        let Some(n) = event.client_ref.as_deref().and_then(|text| text.parse::<u64>().ok()).filter(|_| event.is_final) else { return };
        let status = event.status.as_deref().and_then(status_of);
        let happened = event.happened.as_deref().and_then(Time::parse_rfc3339).map_or(0, |time| time.0);
        self.weigh(n);
        let settling_ms = self.settling_ms();
        let Some(entry) = self.entries.get_mut(n as usize) else { return };
        if entry.status.is_none() {
            (entry.status, entry.told_at, entry.ended_at, entry.is_labelled) = (status, at, happened, event.possible_duplicate);
            self.told += u64::from(entry.id != 0 && !entry.is_erased);
            self.settling.push_back((at + settling_ms, n));
        }
    }

    /// Whether the gateway may have been in doubt of a message, by what is known now.
    fn weigh(&mut self, n: u64) {
        let was_doubted = self.copies(n).iter().any(|copy| self.doubt(copy.carrier, copy.session, copy.at, copy.answer_at).is_some());
        self.with(n, |entry| entry.was_doubted |= was_doubted);
    }

    /// The carrier's side of what ended a session may be seen after the webhook: a message that was told is weighed once more when
    /// nothing can come any more, and then its submits may be forgotten.
    fn settle(&mut self, at: i64) {
        while let Some((_, n)) = self.settling.pop_front_if(|(due, _)| *due < at) {
            self.weigh(n);
            if !self.terms.keeps_all {
                self.copies.remove(&n);
            }
        }
    }
}

/// The status of a word of the API.
#[must_use]
pub fn status_of(word: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.word() == word)
}
