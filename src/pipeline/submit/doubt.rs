//! Doubt: written and unanswered. The message is held for a while, because a receipt or a late answer may settle
//! it; then the policy decides, here and nowhere else (`docs/adr/0004-doubt.md`).

use crate::base::{MessageRef, Mono, Span};
use crate::message::{DoubtPolicy, Life};
use std::collections::VecDeque;

/// What becomes of a message in doubt when its hold is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// It was settled meanwhile.
    Settled,
    /// The parts in doubt are sent once more, labelled.
    Resend,
    /// It ends as unknown.
    GiveUp,
}

/// Judges a message whose hold is over.
#[must_use]
pub fn resolve(life: &Life, policy: DoubtPolicy) -> Resolution {
    match policy {
        _ if life.status.is_final() || life.doubted == 0 => Resolution::Settled,
        DoubtPolicy::AtMostOnce if !crate::base::planted::is("resent-at-most-once") => Resolution::GiveUp,
        // A copy was already sent once: never more than two in all (INV-10).
        DoubtPolicy::ResendOnce if life.possible_duplicate && !crate::base::planted::is("resent-twice") => Resolution::GiveUp,
        _ => Resolution::Resend,
    }
}

/// Messages held in doubt, in the order in which their holds end.
#[derive(Debug, Default)]
pub struct Doubts {
    held: VecDeque<(Mono, MessageRef)>,
}

impl Doubts {
    /// Holds a message until `now + hold`. Holds of one carrier are equally long, so the order is by arrival.
    pub fn hold(&mut self, at: MessageRef, now: Mono, hold: Span) {
        let until = now + hold;
        let until = self.held.back().map_or(until, |(last, _)| until.max(*last));
        self.held.push_back((until, at));
    }
    /// The next message whose hold is over.
    pub fn due(&mut self, now: Mono) -> Option<MessageRef> {
        if self.held.front().is_some_and(|(until, _)| *until <= now) { self.held.pop_front().map(|(_, at)| at) } else { None }
    }
    /// When the next hold ends.
    #[must_use]
    pub fn next_due(&self) -> Option<Mono> {
        self.held.front().map(|(until, _)| *until)
    }
    /// Those held, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = MessageRef> + '_ {
        self.held.iter().map(|(_, at)| *at)
    }
    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }
    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{MessageId, Time};
    use crate::message::Event;
    use crate::message::event::{LeasedMessage, NamedIn};
    use crate::message::outcome::Reason;

    const AT: MessageRef = MessageRef { frame: MessageId(1), ordinal: 0 };

    fn doubted(times: u8) -> Life {
        let mut life = Life::new();
        for attempt in 1..=times {
            life.lease(&LeasedMessage { at: AT, attempt, count: 1, parts: 1, reference: 0 });
            life.apply(&Event::Doubted { at: AT, parts: 1, reason: Reason::SessionLost, when: Time(0) });
        }
        life
    }

    #[test]
    fn at_most_once_is_never_resent_and_resend_once_never_twice() {
        assert_eq!(resolve(&doubted(1), DoubtPolicy::AtMostOnce), Resolution::GiveUp);
        assert_eq!(resolve(&doubted(1), DoubtPolicy::ResendOnce), Resolution::Resend);
        assert_eq!(resolve(&doubted(2), DoubtPolicy::ResendOnce), Resolution::GiveUp);
        let mut settled = doubted(1);
        settled.apply(&Event::Submitted { at: AT, part: 0, carrier_id: "1".into(), named_in: NamedIn::Answer, when: Time(0) });
        assert_eq!(resolve(&settled, DoubtPolicy::AtMostOnce), Resolution::Settled);
    }

    #[test]
    fn holds_end_in_order() {
        let mut doubts = Doubts::default();
        doubts.hold(AT, Mono(0), Span(60));
        assert_eq!(doubts.due(Mono(59)), None);
        assert_eq!(doubts.next_due(), Some(Mono(60)));
        assert_eq!(doubts.due(Mono(60)), Some(AT));
        assert!(doubts.is_empty());
    }
}
