//! Whom a receipt with an unknown name is about: a part whose name was never learnt, because its answer was lost. By our own
//! reference when the carrier echoes it (SMPP 3.4 §5.3.2.17); else by recipient and submit date, and then only when nothing else
//! can be meant. What is not certain stays an orphan, and is asked about again when a doubt begins and when its hold
//! is over (`docs/adr/0004-doubt.md`).

use super::effects::Now;
use super::learning::About;
use super::{Desk, Unnamed};
use crate::base::{MessageRef, Mono, Span};
use crate::channel::session::Receipt;
use crate::message::Event;
use crate::message::event::{NamedIn, PartState, Parts};
use crate::pipeline::submit::nameless::{Doubtful, SKEW, is_apart};
use crate::pipeline::track::{Awaited, Orphan};

/// Orphans about one number that are looked at: with more of them nothing is certain.
const ABOUT_MAX: usize = 16;

/// A quarter of an hour, in seconds: all zones are multiples of it.
const QUARTER: i64 = 900;

/// The furthest zones, in quarters, with an hour to spare.
const ZONE_MAX: i64 = 60;

/// Whom it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Nobody we know.
    Nobody,
    /// This part.
    One(Awaited),
    /// There is one it may be about, and another one, or one that we may have forgotten.
    Unsure,
}

/// The reference we put into a submit: enough to tell the few messages in doubt for one number apart.
#[must_use]
pub const fn reference_of(at: MessageRef, part: u8) -> u16 {
    (at.id().0 as u16).wrapping_add((part as u16) << 10)
}

fn bits(parts: Parts) -> impl Iterator<Item = u8> {
    (0..Parts::BITS as u8).filter(move |part| parts & (1 << part) != 0)
}

/// The one thing that is named, once or several times.
fn only(mut named: impl Iterator<Item = Awaited>) -> Found {
    let Some(first) = named.next() else { return Found::Nobody };
    if named.all(|next| next == first) { Found::One(first) } else { Found::Unsure }
}

impl Desk {
    /// The one part in doubt that this can be about.
    pub(super) fn undoubted(&self, about: About, now: Now) -> Found {
        if about.number == 0 {
            return Found::Nobody;
        }
        match about.reference {
            Some(reference) => only(self.doubtful(about.number, |_| true).filter(|a| reference_of(a.at, a.part) == reference)),
            None if self.rules.unnamed == Unnamed::ByReference => Found::Nobody,
            None => self.by_date(about, now),
        }
    }

    /// Parts in doubt for a number, by when they were written. Some of them more than once.
    pub(super) fn doubtful(&self, number: u64, is_meant: impl Fn(Option<Mono>) -> bool) -> impl Iterator<Item = Awaited> {
        self.nameless.of(number).iter().filter(move |one| is_meant(one.written)).flat_map(move |one| {
            let open = self.open.get(&one.at).filter(|open| open.to == number);
            bits(open.map_or(0, |open| open.life.doubted)).map(|part| Awaited { at: one.at, part })
        })
    }

    fn by_date(&self, about: About, now: Now) -> Found {
        // With the form of ids known, a name that is not known is none of those we were given; with the zone, the carrier's date is an instant.
        if self.zone.is_none() || self.awaiting.chosen().is_none() || about.submit_date == 0 || self.has_strangers(now) {
            return Found::Nobody;
        }
        let fits = |written: Mono| self.is_dated(about, written, Span::ZERO, now);
        let found = only(self.doubtful(about.number, |written| written.is_none_or(fits)));
        let Found::One(awaited) = found else { return found };
        // A copy that was sent again, and a part beside others, leave names behind that we never learnt.
        let is_plain = |one: &Doubtful| {
            self.open.get(&one.at).is_none_or(|open| !open.life.possible_duplicate && open.life.doubts == 1 && open.life.count == 1)
        };
        if !self.nameless.of(about.number).iter().all(is_plain) {
            return Found::Unsure;
        }
        let is_for_it = |at: MessageRef| self.open.get(&at).is_some_and(|open| open.to == about.number);
        let in_flight = self.links.iter().flat_map(|link| link.window.unanswered_submits());
        let is_forgotten = |written: Mono| self.awaiting.forgotten().is_some_and(|until| !is_apart(until, written));
        let is_certain = |written: Mono| self.nameless.is_alone(about.number, written) && !is_forgotten(written);
        // What another process wrote, it may have written beside others that we do not know.
        let is_alone = self.written(about.number, awaited.at).is_some_and(is_certain);
        match is_alone && !in_flight.filter(|submit| fits(submit.written)).any(|submit| is_for_it(submit.at)) {
            true => found,
            false => Found::Unsure,
        }
    }

    /// Whether there are receipts here that nobody claims: then another program may be sending under our account, perhaps to the
    /// same number in the same minute.
    fn has_strangers(&self, now: Now) -> bool {
        let patience = Span(2 * self.patience().0);
        let is_recent = |unclaimed: Mono| now.mono.since(unclaimed) <= self.rules.orphan_ttl;
        self.orphans.oldest().is_some_and(|came| now.mono.since(came) > patience) || self.unclaimed.is_some_and(is_recent)
    }

    /// Whether the carrier's date can be that of what was written at most `late` before this instant, as far as date and zone are known.
    pub(super) fn is_dated(&self, about: About, at: Mono, late: Span, now: Now) -> bool {
        let (Some(zone), true) = (self.zone, about.submit_date != 0) else { return true };
        let skew = SKEW.as_secs_f64() as i64;
        // Many dates have no seconds.
        (-60 - skew - late.as_secs_f64() as i64..=skew).contains(&(about.submit_date - zone * QUARTER - seconds(at, now)))
    }

    /// When the part in doubt of a message was first written, as far as this process did that.
    fn written(&self, number: u64, at: MessageRef) -> Option<Mono> {
        let mut first: Option<Mono> = None;
        for one in self.nameless.of(number).iter().filter(|one| one.at == at) {
            let written = one.written?;
            first = Some(first.map_or(written, |first| first.min(written)));
        }
        first
    }

    /// What a receipt that found its message by name teaches of the carrier's local time.
    pub(super) fn learn_zone(&mut self, at: MessageRef, submit_date: i64, now: Now) {
        let named = self.open.get(&at).map(|open| open.named).filter(|named| *named > self.begun && submit_date != 0);
        let Some(ahead) = named.map(|named| submit_date.saturating_sub(seconds(named, now))) else { return };
        let zone = ahead.saturating_add(QUARTER / 2).div_euclid(QUARTER);
        let rest = ahead - zone * QUARTER;
        if zone.abs() <= ZONE_MAX && rest.abs() <= 60 + SKEW.as_secs_f64() as i64 {
            self.zone = Some(zone);
        }
    }

    /// It is with the carrier after all, under this name.
    pub(super) fn settled_by_receipt(&mut self, awaited: Awaited, told: Told<'_>, now: Now) {
        self.counts.undoubted += 1;
        let number = self.open.get(&awaited.at).map_or(0, |open| open.to);
        let written = self.written(number, awaited.at);
        self.named(awaited.at, awaited.part, (told.carrier_id, NamedIn::Receipt), told.keys, written, now);
        self.reported(awaited, told.keys, told.state, told.error, now);
    }

    /// Whether another receipt that we keep claims the same part under another name.
    pub(super) fn is_contested(&self, awaited: Awaited, carrier_id: &str, now: Now) -> bool {
        let number = self.open.get(&awaited.at).map_or(0, |open| open.to);
        let others = self.orphans.about(number).take(ABOUT_MAX + 1).filter(|(_, orphan)| *orphan.carrier_id != *carrier_id);
        let mut others = others.enumerate();
        others.any(|(count, (_, orphan))| count == ABOUT_MAX || self.undoubted(orphan.into(), now) == Found::One(awaited))
    }

    /// Gives a message in doubt the receipts that came for it before.
    pub(super) fn rematch(&mut self, at: MessageRef, now: Now) {
        let Some(open) = self.open.get(&at).filter(|open| open.life.doubted != 0) else { return };
        let (number, doubted) = (open.to, open.life.doubted);
        if self.orphans.is_empty() || self.orphans.about(number).take(ABOUT_MAX + 1).count() > ABOUT_MAX {
            return;
        }
        for part in bits(doubted) {
            let awaited = Awaited { at, part };
            let claims = self.orphans.about(number).filter(|(_, orphan)| self.undoubted((*orphan).into(), now) == Found::One(awaited));
            let claims: Vec<(u64, &Orphan)> = claims.collect();
            let Some((place, first)) = claims.first() else { continue };
            if claims.iter().any(|(_, orphan)| orphan.carrier_id != first.carrier_id) {
                self.counts.ambiguous += 1;
                continue;
            }
            let place = *place;
            let Some(orphan) = self.orphans.take(place) else { continue };
            self.counts.adopted += 1;
            self.emit(Event::OrphanGone { carrier: self.rules.carrier.clone(), carrier_id: orphan.carrier_id.clone(), when: now.wall });
            self.settled_by_receipt(awaited, Told::from(&orphan), now);
        }
    }
}

/// What a receipt tells of the message it is about.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    carrier_id: &'a str,
    keys: &'a crate::channel::session::Keys,
    state: PartState,
    error: &'a str,
}

impl<'a> From<&'a Receipt<'_>> for Told<'a> {
    fn from(receipt: &'a Receipt<'_>) -> Told<'a> {
        Told { carrier_id: receipt.carrier_id, keys: &receipt.keys[0], state: receipt.state, error: receipt.error }
    }
}

impl<'a> From<&'a Orphan> for Told<'a> {
    fn from(orphan: &'a Orphan) -> Told<'a> {
        Told { carrier_id: &orphan.carrier_id, keys: &orphan.keys[0], state: orphan.state, error: &orphan.error }
    }
}

/// The wall clock's second at an instant of this process.
fn seconds(at: Mono, now: Now) -> i64 {
    (now.wall.0 - now.mono.since(at).as_millis() as i64).div_euclid(1_000)
}
