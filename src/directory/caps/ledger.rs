//! When recipients were sent something last: minutes by key, bounded, in stripes with a lock each. All keys of one account's
//! recipient lie in one stripe, so that asking and counting are one step, whichever threads ask. Full it counts nothing
//! more and says so. What is too old for every cap is swept when a stripe has doubled.

use super::limit::{KINDS, Limit, REPEAT, STRIPES, bars, repeat_key, stamp, stripe, unstamp};
use crate::storage::Spent;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Below this a stripe is not swept.
const SWEEP_MIN: usize = 1_024;

/// What is asked of the ledger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<'a> {
    /// The account's recipient.
    pub key: u64,
    /// Class and channel.
    pub kind: u8,
    /// All that may bind; those of other kinds do not.
    pub limits: &'a [&'a [Limit]],
    /// The content and for how many minutes it must not be repeated.
    pub repeat: Option<(u64, u32)>,
    /// The minute that is asked about, and the one by which the present one is over: nothing was sent after it.
    pub minute: (u32, u32),
}

impl Count<'_> {
    /// The limits that bind.
    fn limits(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter().flat_map(|limits| limits.iter()).filter(|limit| limit.binds(self.kind))
    }

    fn is_bound(&self) -> bool {
        self.limits().next().is_some()
    }

    /// How many rows it makes when it is counted.
    fn rows(&self) -> u64 {
        u64::from(self.is_bound()) + u64::from(self.repeat.is_some())
    }
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counted {
    /// It is counted, if anything counts it.
    Free,
    /// The caps allow it from the beginning of this minute on.
    Until(u32),
    /// The same was sent a while ago.
    Repeat,
    /// Nothing more can be remembered.
    Full,
}

/// Most have one.
#[derive(Debug)]
enum Sends {
    One(u32),
    Many(Vec<u32>),
}

impl Sends {
    fn all(&self) -> &[u32] {
        match self {
            Sends::One(one) => std::slice::from_ref(one),
            Sends::Many(many) => many,
        }
    }

    fn all_mut(&mut self) -> &mut [u32] {
        match self {
            Sends::One(one) => std::slice::from_mut(one),
            Sends::Many(many) => many,
        }
    }

    fn push(&mut self, stamp: u32) {
        match self {
            Sends::One(one) => *self = Sends::Many(vec![*one, stamp]),
            Sends::Many(many) => many.push(stamp),
        }
    }

    /// How many went; `None` when none is left.
    fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) -> Option<usize> {
        match self {
            Sends::One(one) => keep(*one).then_some(0),
            Sends::Many(many) => {
                let before = many.len();
                many.retain(|one| keep(*one));
                let gone = before - many.len();
                (!many.is_empty()).then_some(gone)
            }
        }
    }
}

#[derive(Debug, Default)]
struct Stripe {
    sends: HashMap<u64, Sends, RandomState>,
    /// Sends in it.
    count: usize,
    /// Sends that were left by the last sweep, and when it was.
    swept: (usize, u32),
    scratch: Vec<u32>,
}

impl Stripe {
    /// What is said against it, whatever the room.
    fn objection(&mut self, ask: &Count<'_>) -> Option<Counted> {
        let (now, by) = ask.minute;
        if let Some((content, minutes)) = ask.repeat
            && let Some(sends) = self.sends.get_mut(&repeat_key(ask.key, content))
            && believed(sends, by).iter().any(|one| now < unstamp(*one).0.saturating_add(minutes))
        {
            return Some(Counted::Repeat);
        }
        if !ask.is_bound() {
            return None;
        }
        let sends = believed(self.sends.get_mut(&ask.key)?, by);
        let until = ask.limits().filter_map(|limit| full_until(limit, sends, now, &mut self.scratch)).max();
        until.map(Counted::Until)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    stripes: Box<[Mutex<Stripe>]>,
    /// Sends in all of them.
    len: AtomicU64,
    max: u64,
    /// Minutes after which a send of a kind is too old for every cap of that kind; they grow. A rule of calls that reaches
    /// back for months keeps no texts.
    keep: [AtomicU32; KINDS],
    /// The same for contents.
    keep_repeats: u32,
}

impl Ledger {
    pub(super) fn new(max: u64, keep_repeats: u32) -> Ledger {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Ledger { stripes, len: AtomicU64::new(0), max, keep: Default::default(), keep_repeats }
    }

    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.max
    }

    /// What the limit counts is kept for as long as it reaches back, at least.
    pub(super) fn keep_for(&self, limit: &Limit) {
        let of_it = self.keep.iter().enumerate().filter(|(kind, _)| limit.counts(*kind as u8));
        for (_, keep) in of_it.filter(|(_, keep)| keep.load(Ordering::Relaxed) < limit.minutes) {
            keep.fetch_max(limit.minutes, Ordering::AcqRel);
        }
    }

    /// Minutes after which nothing is asked for any more that bears on a kind: sends of it, refusals over its channel, contents.
    pub(super) fn reaches(&self, kind: u8) -> u32 {
        let of = |kind: u8| self.keep.get(usize::from(kind)).map_or(0, |keep| keep.load(Ordering::Acquire));
        of(kind).max(of(bars(kind))).max(self.keep_repeats)
    }

    /// Minutes after which nothing is asked for any more.
    pub(super) fn longest(&self) -> u32 {
        (0..KINDS as u8).map(|kind| self.reaches(kind)).max().unwrap_or(0)
    }

    fn stripe(&self, key: u64) -> MutexGuard<'_, Stripe> {
        self.stripes[stripe(key)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, and counts if it is free; what was counted is pushed to `rows`.
    pub(super) fn count(&self, ask: &Count<'_>, rows: &mut Vec<Spent>) -> Counted {
        let stripe = &mut *self.stripe(ask.key);
        if let Some(no) = stripe.objection(ask) {
            return no;
        }
        let (now, by) = ask.minute;
        self.sweep_if_due(stripe, now);
        // Other stripes may pass it at the same instant: by 64 at most.
        if self.len() + ask.rows() > self.max {
            return Counted::Full;
        }
        if ask.is_bound() {
            self.put(stripe, Spent { key: ask.key, stamp: stamp(by, ask.kind) }, rows);
        }
        if let Some((content, _)) = ask.repeat {
            self.put(stripe, Spent { key: repeat_key(ask.key, content), stamp: stamp(by, REPEAT) }, rows);
        }
        Counted::Free
    }

    /// What `count` would say at a minute from now on, if nothing is sent until then; nothing is counted. Whether there will
    /// be room then, nobody knows.
    pub(super) fn look(&self, ask: &Count<'_>) -> Counted {
        self.stripe(ask.key).objection(ask).unwrap_or(Counted::Free)
    }

    /// Whether there is room now for what is asked about; what is too old makes some.
    pub(super) fn has_room(&self, ask: &Count<'_>) -> bool {
        if self.len() + ask.rows() > self.max {
            self.sweep_if_due(&mut self.stripe(ask.key), ask.minute.0);
        }
        self.len() + ask.rows() <= self.max
    }

    /// Remembers what is no send. When there is no room it is remembered all the same: it is rare, and bars sends.
    pub(super) fn note(&self, key: u64, kind: u8, by: u32, rows: &mut Vec<Spent>) {
        self.put(&mut self.stripe(key), Spent { key, stamp: stamp(by, kind) }, rows);
    }

    /// Takes in a row of the journal, at start. `false` when there is no room.
    pub(super) fn load(&self, row: Spent, (now, by): (u32, u32)) -> bool {
        let (minute, kind) = unstamp(row.stamp);
        if !self.is_kept(row.stamp, now) {
            return true;
        }
        if self.is_full() {
            return false;
        }
        let mut stripe = self.stripe(row.key);
        self.put(&mut stripe, Spent { stamp: stamp(minute.min(by), kind), ..row }, &mut Vec::new());
        true
    }

    fn put(&self, stripe: &mut Stripe, row: Spent, rows: &mut Vec<Spent>) {
        stripe.sends.entry(row.key).and_modify(|sends| sends.push(row.stamp)).or_insert(Sends::One(row.stamp));
        stripe.count += 1;
        self.len.fetch_add(1, Ordering::Relaxed);
        rows.push(row);
    }

    fn is_kept(&self, one: u32, now: u32) -> bool {
        let (minute, kind) = unstamp(one);
        let of_kind = || self.keep.get(usize::from(kind)).map_or(0, |keep| keep.load(Ordering::Relaxed));
        let keep = if kind == REPEAT { self.keep_repeats } else { of_kind() };
        now < minute.saturating_add(keep)
    }

    /// When the stripe has doubled; and once a minute when there is no room at all.
    fn sweep_if_due(&self, stripe: &mut Stripe, now: u32) {
        let (left, at) = stripe.swept;
        let is_due = stripe.count >= (2 * left).max(SWEEP_MIN) || (self.len() + 2 > self.max && at != now);
        if !is_due {
            return;
        }
        let mut gone = 0;
        stripe.sends.retain(|_, sends| {
            let before = sends.all().len();
            let left = sends.retain(|one| self.is_kept(one, now));
            gone += left.unwrap_or(before);
            left.is_some()
        });
        stripe.count -= gone;
        stripe.swept = (stripe.count, now);
        stripe.sends.shrink_to(stripe.sends.len() * 2);
        self.len.fetch_sub(gone as u64, Ordering::Relaxed);
    }
}

/// A send from the future is one that a wrong clock remembered: it counts as sent now, or it would count for ever.
fn believed(sends: &mut Sends, by: u32) -> &[u32] {
    for one in sends.all_mut() {
        let (minute, kind) = unstamp(*one);
        if minute > by {
            *one = stamp(by, kind);
        }
    }
    sends.all()
}

/// From which minute on a limit allows one more, if it does not now.
fn full_until(limit: &Limit, sends: &[u32], now: u32, scratch: &mut Vec<u32>) -> Option<u32> {
    let of_it = |one: &u32| {
        let (minute, kind) = unstamp(*one);
        (limit.counts(kind) && now < minute.saturating_add(limit.minutes)).then_some(minute)
    };
    scratch.clear();
    scratch.extend(sends.iter().filter_map(of_it));
    let count = limit.count as usize;
    if scratch.len() < count {
        return None;
    }
    // The youngest but so many decides.
    let at = scratch.len() - count;
    let (_, decides, _) = scratch.select_nth_unstable(at);
    Some(decides.saturating_add(limit.minutes))
}
