//! Receipts: matched, folded, acknowledged after the commit; or kept as orphans.

use super::Desk;
use super::effects::{After, Now};
use super::undoubt::{Found, Told};
use crate::base::MessageRef;
use crate::channel::session::{Keys, Receipt};
use crate::message::Event;
use crate::message::event::PartState;
use crate::message::outcome::Reason;
use crate::pipeline::track::{Awaited, Orphan, Readings};

/// What the names of a receipt say.
enum Matched {
    /// This part, under these keys.
    One(Awaited, Keys),
    /// One of these, or one that has no name yet.
    Unclear(Readings),
    /// Nobody we know.
    Nobody,
}

impl Desk {
    /// A receipt on a link; it is acknowledged after the commit.
    pub fn receipt(&mut self, link: usize, era: u32, sequence: u32, receipt: &Receipt<'_>, now: Now) {
        self.effects.after.push(After::Acknowledge { link, era, sequence });
        let readings = match self.matched(receipt, now) {
            Matched::One(awaited, keys) => {
                self.learn_zone(awaited.at, receipt.submit_date, now);
                return self.reported(awaited, &keys, receipt.state, receipt.error, now);
            }
            Matched::Unclear(readings) => Some(readings),
            Matched::Nobody => None,
        };
        match self.undoubted(receipt.into(), now) {
            // The receipt is about a message whose answer was lost: it is with the carrier after all.
            Found::One(awaited) if !self.is_contested(awaited, receipt.carrier_id, now) => {
                return self.settled_by_receipt(awaited, Told::from(receipt), now);
            }
            Found::Nobody => {}
            Found::One(_) | Found::Unsure => self.counts.ambiguous += 1,
        }
        self.orphan(receipt, now);
        if let Some(readings) = readings {
            self.keep_unclear(readings, receipt.into(), now);
        }
    }

    /// The message, and the keys under which it was found.
    fn matched(&mut self, receipt: &Receipt<'_>, now: Now) -> Matched {
        if crate::base::planted::is("receipt-matched-by-number") {
            let at = self.open.iter().filter(|(_, open)| open.to == receipt.number).map(|(at, _)| *at).min();
            return at.map_or(Matched::Nobody, |at| Matched::One(Awaited { at, part: 0 }, receipt.keys[0]));
        }
        if self.awaiting.chosen().is_some() {
            let found = receipt.keys.iter().find_map(|keys| Some((self.awaiting.find(keys)?, *keys)));
            return found.map_or(Matched::Nobody, |(awaited, keys)| Matched::One(awaited, keys));
        }
        let readings = self.read(&receipt.keys, receipt.number);
        if readings.found.iter().all(Option::is_none) {
            return Matched::Nobody;
        }
        match self.meant(&readings, receipt.into(), false, now) {
            Some(awaited) => Matched::One(awaited, self.key_of(&receipt.keys, awaited)),
            None => Matched::Unclear(readings),
        }
    }

    /// A message from a handset or a part of one: journaled, then acknowledged. Without events it is known already.
    pub fn inbound(&mut self, link: usize, era: u32, sequence: u32, events: impl IntoIterator<Item = Event>) {
        self.effects.events.extend(events.into_iter().filter(|_| !crate::base::planted::is("inbound-not-journaled")));
        self.effects.after.push(After::Acknowledge { link, era, sequence });
    }

    /// A message from a handset that waited for parts that did not come: they were acknowledged long ago.
    pub fn inbound_late(&mut self, event: Event) {
        self.effects.events.push(event);
    }

    fn orphan(&mut self, receipt: &Receipt<'_>, now: Now) {
        if crate::base::planted::is("orphan-dropped") {
            return;
        }
        self.counts.orphaned += 1;
        let carrier = self.rules.carrier.clone();
        self.effects.events.push(Event::Orphaned {
            carrier,
            carrier_id: receipt.carrier_id.into(),
            other_id: receipt.other_id.into(),
            number: receipt.number,
            reference: receipt.reference,
            submit_date: receipt.submit_date,
            state: receipt.state,
            error: receipt.error.into(),
            when: now.wall,
        });
        let orphan = Orphan {
            carrier_id: receipt.carrier_id.into(),
            other_id: receipt.other_id.into(),
            keys: receipt.keys,
            number: receipt.number,
            reference: receipt.reference,
            submit_date: receipt.submit_date,
            state: receipt.state,
            error: receipt.error.into(),
        };
        if let Some(dropped) = self.orphans.keep(orphan, now.mono) {
            self.drop_orphan(dropped, now);
        }
    }

    pub(super) fn drop_orphan(&mut self, orphan: Orphan, now: Now) {
        self.counts.orphans_dropped += 1;
        self.unclaimed = Some(now.mono);
        let carrier = self.rules.carrier.clone();
        self.effects.events.push(Event::OrphanGone { carrier, carrier_id: orphan.carrier_id, when: now.wall });
    }

    /// What a receipt says of a part is recorded and folded.
    pub(super) fn reported(&mut self, awaited: Awaited, keys: &Keys, state: PartState, error: &str, now: Now) {
        let Awaited { at, part } = awaited;
        let settled = self.open.get(&at).is_none_or(|open| (open.life.delivered | open.life.failed) & (1 << part) != 0);
        if settled {
            self.counts.repeated += 1;
            if crate::base::planted::is("second-receipt-ends-again") {
                self.end(at, crate::message::Status::Unknown, Reason::Receipt, 0, now);
            }
            return;
        }
        if state.is_final() {
            self.counts.receipts += 1;
            let named = self.open.get(&at).map_or(now.mono, |open| open.named);
            self.effects.waited.push(now.mono.since(named));
            self.awaiting.retire(keys, awaited, now.mono);
        } else {
            self.counts.intermediate += 1;
        }
        self.emit(Event::Receipt { at, part, state, error: error.into(), when: now.wall });
        self.conclude(at, now);
    }

    /// Ends a message all of whose parts are settled.
    pub(super) fn conclude(&mut self, at: MessageRef, now: Now) {
        if let Some(verdict) = self.open.get(&at).and_then(|open| open.life.verdict()) {
            self.end(at, verdict, Reason::Receipt, 0, now);
        }
    }
}
