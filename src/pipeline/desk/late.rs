//! Texts that are made when they are sent (`docs/adr/0021-late-binding.md`): made at the first lease, and made the same again
//! for every later one, also after a restart. In: the record of a message that may go. Out: the record with its text, or
//! why it ends.
//!
//! Messages whose text was made at acceptance cost a look at an empty field.

use super::law::{Asked, Law, Ruling};
use crate::base::{MessageRef, Time};
use crate::config::limits::LATE_TURN_BYTES;
use crate::message::late::{LateText, Moment, Rendering};
use crate::message::outcome::{Reason, Status};
use crate::message::record::MessageRecord;
use crate::pipeline::compose::late::Renderer;
use crate::storage::FrameHead;
use hashbrown::HashMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// Made with the first such message: most desks never have one.
    renderer: Option<Box<Renderer>>,
    /// What came out for the messages between their first lease and their outcome: bounded by `Rules::open_max`.
    made: HashMap<MessageRef, Rendering, foldhash::fast::RandomState>,
    /// What came out for the message at hand, to be journaled.
    fresh: Option<Rendering>,
    /// What was done in this turn, as octets (`Renderer::take_cost`).
    spent: usize,
}

impl Late {
    /// A turn begins.
    pub(super) fn begin(&mut self) {
        self.spent = 0;
    }

    /// Whether there is room for more work in this turn; one text more than the bound at most is made.
    pub(super) const fn has_room(&self) -> bool {
        self.spent < LATE_TURN_BYTES
    }

    /// Whether a message that may go at its first lease has a text that may: it is put into the record. What will not go
    /// does not count as sent to the recipient, so the law is asked, then the text is made, then it counts.
    pub(super) fn first(&mut self, law: &mut Law, at: MessageRef, record: &mut MessageRecord, head: &FrameHead, now: Time) -> Ruling {
        let ruling = law.rule(at, record, head, Asked::Again, now);
        if !matches!(ruling, Ruling::Go { .. }) {
            return ruling;
        }
        let made = LateText::read(&record.late).map_err(|_| Reason::NotRendered).and_then(|text| {
            let moment = Moment { at: now, offset: law.offset(head, record, &text.zone, now) };
            self.make(|renderer| renderer.render(record, &text, moment))
        });
        let (whole, rendering) = match made {
            Ok(made) => made,
            Err(reason) => return Ruling::Over { status: Status::Refused, reason },
        };
        // By the content that it has now.
        let ruling = law.rule(at, &whole, head, Asked::First, now);
        if matches!(ruling, Ruling::Go { .. }) {
            self.made.insert(at, rendering);
            self.fresh = Some(rendering);
            *record = whole;
        }
        ruling
    }

    /// What came out for the message that was opened just now.
    pub(super) fn take_fresh(&mut self) -> Option<Rendering> {
        self.fresh.take()
    }

    /// The record of a message that was leased before, with its text.
    ///
    /// # Errors
    /// `NotRendered`: it would be another text.
    pub(super) fn again(&mut self, at: MessageRef, record: MessageRecord) -> Result<MessageRecord, Reason> {
        if record.late.is_empty() {
            return Ok(record);
        }
        let former = *self.made.get(&at).ok_or(Reason::NotRendered)?;
        let text = LateText::read(&record.late).map_err(|_| Reason::NotRendered)?;
        self.make(|renderer| renderer.again(&record, &text, former))
    }

    /// Has a text made, and counts what it cost.
    fn make<T>(&mut self, make: impl FnOnce(&mut Renderer) -> T) -> T {
        let renderer = self.renderer.get_or_insert_default();
        let made = make(renderer);
        self.spent += renderer.take_cost();
        made
    }

    /// What the journal tells of a message that has no outcome.
    pub(super) fn restore(&mut self, at: MessageRef, rendering: Option<Rendering>) {
        if let Some(rendering) = rendering {
            self.made.insert(at, rendering);
        }
    }

    /// Whether nothing is remembered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// A message has its outcome.
    pub(super) fn forget(&mut self, at: MessageRef) {
        if !self.made.is_empty() {
            self.made.remove(&at);
        }
    }
}
