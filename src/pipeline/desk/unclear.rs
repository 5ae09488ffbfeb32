//! Receipts while the carrier's form of ids is being learnt. An id of digits alone can be read in several ways (as it is written,
//! decimal for what the answer wrote in hexadecimal, and the other way round), and under two of them it may be the id of two
//! parts, one of which may not even have its name yet. So a match is believed at once only when nothing else can be meant:
//! every form says so; or no other part for that number is without a name and no form says otherwise; or our own reference is
//! echoed; or the forms that say so have explained several more receipts than any other. What is not believed is an orphan
//! (journaled and acknowledged like every other) that is looked at again when something was answered, when the form is known,
//! and when everything that was unanswered has its name or its doubt is over. Then the form that has explained most is believed,
//! and between equals the name as it is written.
//!
//! Nothing of this is used once the form is known: a receipt is one probe then. Bounded by [`UNCLEAR_MAX`]. Cannot fail.

use super::Desk;
use super::effects::Now;
use super::learning::{About, Unclear};
use super::undoubt::reference_of;
use crate::base::{MessageRef, Mono, Span};
use crate::channel::session::{FORMS_MAX, Keys, LITERAL_FORMS};
use crate::message::Event;
use crate::pipeline::track::{Awaited, Readings};

/// Most receipts looked at again: with more, the oldest is decided by what is known. While a form is learnt a few are unclear, and
/// each is compared with all that is in flight.
const UNCLEAR_MAX: usize = 32;

/// So many more receipts explained than any other form could: believed for one receipt, where the form itself takes twenty.
const LEAD: u32 = 3;

impl Desk {
    /// How the names of a receipt can be read, while the form is open. What agrees with the number is evidence.
    pub(super) fn read(&mut self, keys: &[Keys; 2], number: u64) -> Readings {
        let Desk { awaiting, open, .. } = self;
        let readings = awaiting.readings(keys, |at| open.get(&at).map(|open| number != 0 && open.to == number));
        self.explained(readings.confirmed);
        readings
    }

    /// These forms have explained a receipt.
    fn explained(&mut self, forms: u8) {
        if self.awaiting.explained(forms) {
            self.learning.stir();
        }
    }

    /// The one part that a receipt is about, when that can be said.
    pub(super) fn meant(&self, readings: &Readings, about: About, is_over: bool, now: Now) -> Option<Awaited> {
        if let Some(form) = self.awaiting.chosen() {
            return readings.found[form];
        }
        let found = readings.found.map(|found| found.filter(|one| self.may_be_of(one.at, about, now)));
        if let Some(reference) = about.reference
            && let Some(echoed) = found.iter().flatten().find(|one| reference_of(one.at, one.part) == reference)
        {
            return Some(*echoed);
        }
        let first = found.iter().flatten().next()?;
        let is_alone = found.iter().flatten().all(|one| one == first);
        if is_alone && found.iter().all(Option::is_some) {
            return Some(*first);
        }
        // What each form has explained beside this receipt.
        let hits = self.awaiting.hits();
        let score = |form: usize| hits[form] - u32::from(readings.confirmed >> form & 1);
        let best = (0..FORMS_MAX).filter(|form| found[*form].is_some()).max_by_key(|form| (score(*form), std::cmp::Reverse(*form)))?;
        let others = (0..FORMS_MAX).filter(|form| found[*form] != found[best]).map(score).max().unwrap_or(0);
        let is_believed = score(best) >= others + LEAD || is_alone && score(best) + LEAD > others && !self.has_nameless(about, now);
        // Between equals, what is literally so.
        let is_likeliest = score(best) > others || score(best) == others && best < LITERAL_FORMS;
        (is_believed || is_over && is_likeliest).then_some(found[best]).flatten()
    }

    /// Whether the carrier's date can be that of a message, as far as both are known.
    fn may_be_of(&self, at: MessageRef, about: About, now: Now) -> bool {
        // Of a long message only the last name's instant is known.
        let Some(open) = self.open.get(&at).filter(|open| open.named > self.begun && open.life.count == 1) else { return true };
        self.is_dated(about, open.named, self.patience(), now)
    }

    /// Whether there is a part for the number that was written and has no name.
    fn has_nameless(&self, about: About, now: Now) -> bool {
        let is_for_it = |at: MessageRef| self.open.get(&at).is_some_and(|open| open.to == about.number);
        let mut in_flight = self.links.iter().flat_map(|link| link.window.unanswered_submits());
        in_flight.any(|submit| is_for_it(submit.at) && self.is_dated(about, submit.written, Span::ZERO, now))
            || self.doubtful(about.number, |at| at.is_none_or(|at| self.is_dated(about, at, Span::ZERO, now))).next().is_some()
    }

    /// From a submit until it is named or its doubt is over.
    pub(super) fn patience(&self) -> Span {
        Span(self.rules.response_timeout.0 + self.rules.ambiguity_hold.0)
    }

    /// The orphan that was kept last is looked at again.
    pub(super) fn keep_unclear(&mut self, readings: Readings, about: About, now: Now) {
        self.counts.ambiguous += 1;
        self.note_unclear(self.orphans.newest(), readings, about, now.mono, now);
    }

    fn note_unclear(&mut self, place: u64, readings: Readings, about: About, came: Mono, now: Now) {
        if self.learning.unclear.len() >= UNCLEAR_MAX {
            let mut oldest = self.learning.unclear.remove(0);
            oldest.is_over = true;
            self.give(&oldest, now);
        }
        let until = came + self.patience();
        self.learning.unclear.push(Unclear { place, about, readings, until, is_over: false });
    }

    /// A part got its name while the form is open: what waits for such a name may be about it. `written`: when it was.
    pub(super) fn named_while_learning(&mut self, keys: &Keys, awaited: Awaited, number: u64, written: Option<Mono>, now: Now) {
        self.learning.stir();
        for (place, forms, came) in self.orphans.of_name(keys, number, written) {
            let fresh = match self.learning.unclear.iter_mut().find(|one| one.place == place) {
                Some(one) => one.readings.learn(forms, awaited),
                None => {
                    let Some(orphan) = self.orphans.at(place) else { continue };
                    let (mut readings, about) = (Readings::default(), About::from(orphan));
                    let fresh = readings.learn(forms, awaited);
                    self.note_unclear(place, readings, about, came, now);
                    fresh
                }
            };
            self.explained(fresh);
        }
        self.look_again(now);
    }

    /// An orphan of another process may be about what is named by now.
    pub(super) fn restored_orphan(&mut self, keys: &[Keys; 2], about: About, came: Mono, now: Now) {
        let (patience, Desk { awaiting, open, .. }) = (self.patience(), &*self);
        // What was written after it came is another message, whose name was used again.
        let is_before = |at: MessageRef| open.get(&at).is_some_and(|open| open.to == about.number && came + patience >= open.named);
        let readings = awaiting.readings(keys, |at| Some(about.number != 0 && is_before(at)));
        if readings.found.iter().any(Option::is_some) {
            self.explained(readings.confirmed);
            self.note_unclear(self.orphans.newest(), readings, about, came, now);
            self.learning.stir();
        }
    }

    /// Looks at all that is unclear, when something has happened or time is over.
    pub(super) fn look_again(&mut self, now: Now) {
        if self.learning.next_due(now.mono).is_none_or(|due| due > now.mono) {
            return;
        }
        // What is given may teach more; the list is short.
        self.learning.is_stirred = false;
        let mut unclear = std::mem::take(&mut self.learning.unclear);
        unclear.retain_mut(|one| {
            one.is_over |= one.until <= now.mono;
            !self.give(one, now)
        });
        unclear.append(&mut self.learning.unclear);
        self.learning.unclear = unclear;
    }

    /// Gives a part its receipt; `true` when nothing is left to be done.
    fn give(&mut self, one: &Unclear, now: Now) -> bool {
        if self.orphans.at(one.place).is_none() {
            return true;
        }
        let Some(awaited) = self.meant(&one.readings, one.about, one.is_over, now) else {
            // The form is known, and it is none of these: an orphan like others.
            return self.awaiting.chosen().is_some();
        };
        let Some(orphan) = self.orphans.take(one.place) else { return true };
        self.counts.adopted += 1;
        self.emit(Event::OrphanGone { carrier: self.rules.carrier.clone(), carrier_id: orphan.carrier_id.clone(), when: now.wall });
        let keys = self.key_of(&orphan.keys, awaited);
        self.reported(awaited, &keys, orphan.state, &orphan.error, now);
        true
    }

    /// Of a receipt's names, the one that is this part's.
    pub(super) fn key_of(&self, keys: &[Keys; 2], awaited: Awaited) -> Keys {
        *keys.iter().find(|keys| self.awaiting.is_key_of(keys, awaited)).unwrap_or(&keys[0])
    }
}
