//! The window of one bind: how many submit_sm may be outstanding. A slot is taken by `claim`, answered by
//! `answer`, and freed by `release` only when the answer's outcome is durable, so that a crash leaves at most
//! the window's size in doubt (`docs/adr/0004-doubt.md`).

use crate::base::{MessageRef, Mono, Span};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// One written and unanswered submit_sm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InFlight {
    /// The message.
    pub at: MessageRef,
    /// The part.
    pub part: u8,
    /// When it was written.
    pub written: Mono,
}

/// The slots of a bind.
#[derive(Debug)]
pub struct Window {
    size: u32,
    open: HashMap<u32, InFlight, foldhash::fast::RandomState>,
    /// Sequence numbers in the order of writing; answered ones are passed over lazily.
    order: VecDeque<(u32, Mono)>,
    /// Answered, the outcome not yet durable.
    settling: u32,
    /// Timed out: a late answer still finds its message here.
    late: VecDeque<(u32, InFlight)>,
}

/// How many timed-out submits are remembered for a late answer: a peer that answers later than this many
/// time-outs has lost its place.
const LATE_MAX: usize = 1_024;

impl Window {
    /// `size` slots, 1 to 1,000.
    #[must_use]
    pub fn new(size: u32) -> Window {
        Window { size: size.max(1), open: HashMap::default(), order: VecDeque::new(), settling: 0, late: VecDeque::new() }
    }
    /// How many submits may be written now.
    #[must_use]
    pub fn free(&self) -> u32 {
        (self.size + u32::from(crate::base::planted::is("window-one-too-large"))).saturating_sub(self.used())
    }
    /// Slots taken: unanswered, or answered and not yet durable.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.open.len() as u32 + self.settling
    }
    /// Slots of submits that the peer has not answered.
    #[must_use]
    pub fn unanswered(&self) -> u32 {
        self.open.len() as u32
    }
    /// The number of slots.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }
    /// Takes a slot; gives the submit back when there is none, or when the sequence number is outstanding.
    pub fn claim(&mut self, sequence: u32, submit: InFlight) -> Result<(), InFlight> {
        if self.free() == 0 || self.open.contains_key(&sequence) {
            return Err(submit);
        }
        self.open.insert(sequence, submit);
        self.order.push_back((sequence, submit.written));
        Ok(())
    }
    /// Whether a sequence number is outstanding.
    #[must_use]
    pub fn is_outstanding(&self, sequence: u32) -> bool {
        self.open.contains_key(&sequence)
    }
    /// The answer to a submit: its slot now settles. `None` for a number that is not outstanding (unknown, of an
    /// old session, or answered before).
    pub fn answer(&mut self, sequence: u32) -> Option<InFlight> {
        let oldest = || self.order.iter().map(|(number, _)| *number).find(|number| self.open.contains_key(number));
        let sequence = match self.open.contains_key(&sequence) {
            true if crate::base::planted::is("answer-matched-by-order") => oldest()?,
            false if crate::base::planted::is("stray-answer-believed") => oldest()?,
            _ => sequence,
        };
        let submit = self.open.remove(&sequence)?;
        self.settling += 1;
        Some(submit)
    }
    /// The answer to a submit that has timed out. Takes no slot.
    pub fn late_answer(&mut self, sequence: u32) -> Option<InFlight> {
        let place =
            self.late.iter().position(|(number, _)| *number == sequence || crate::base::planted::is("late-answer-completes-another"))?;
        self.late.remove(place).map(|(_, submit)| submit)
    }
    /// Frees `count` slots whose outcomes are durable.
    pub fn release(&mut self, count: u32) {
        debug_assert!(count <= self.settling, "a slot is freed once");
        self.settling = self.settling.saturating_sub(count);
    }
    /// The next submit unanswered for `limit`; its slot now settles.
    pub fn timed_out(&mut self, now: Mono, limit: Span) -> Option<InFlight> {
        loop {
            let (sequence, written) = *self.order.front()?;
            match self.open.get(&sequence) {
                Some(submit) if submit.written == written => {
                    if now.since(written) < limit {
                        return None;
                    }
                    self.order.pop_front();
                    let submit = self.answer(sequence)?;
                    if self.late.len() == LATE_MAX {
                        self.late.pop_front();
                    }
                    self.late.push_back((sequence, submit));
                    return Some(submit);
                }
                _ => {
                    self.order.pop_front();
                }
            }
        }
    }
    /// Everything unanswered, in no order.
    pub fn unanswered_submits(&self) -> impl Iterator<Item = &InFlight> {
        self.open.values()
    }
    /// When the oldest unanswered submit was written.
    pub fn oldest(&mut self) -> Option<Mono> {
        while let Some((sequence, written)) = self.order.front() {
            if self.open.get(sequence).is_some_and(|submit| submit.written == *written) {
                return Some(*written);
            }
            self.order.pop_front();
        }
        None
    }
    /// The session is gone: everything unanswered, oldest first. Slots that settle go on settling.
    pub fn abandon(&mut self) -> Vec<InFlight> {
        self.late.clear();
        let order = std::mem::take(&mut self.order);
        let mut lost: Vec<InFlight> = order
            .into_iter()
            .filter_map(|(sequence, written)| self.open.get(&sequence).filter(|s| s.written == written).copied())
            .collect();
        self.open.clear();
        lost.dedup();
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::MessageId;
    use proptest::prelude::*;

    fn submit(n: u32, written: u64) -> InFlight {
        InFlight { at: MessageRef { frame: MessageId(1), ordinal: n }, part: 0, written: Mono(written) }
    }

    #[test]
    fn a_slot_is_free_only_after_release() {
        let mut window = Window::new(1);
        assert_eq!(window.claim(7, submit(0, 0)), Ok(()));
        assert_eq!(window.claim(8, submit(1, 0)), Err(submit(1, 0)));
        assert_eq!(window.answer(7), Some(submit(0, 0)));
        assert_eq!(window.answer(7), None);
        assert_eq!(window.claim(8, submit(1, 0)), Err(submit(1, 0)));
        window.release(1);
        assert_eq!(window.claim(8, submit(1, 0)), Ok(()));
    }

    #[test]
    fn time_outs_come_in_order_and_late_answers_are_known() {
        let mut window = Window::new(10);
        for n in 0..3 {
            window.claim(n, submit(n, u64::from(n) * 10)).expect("free");
        }
        window.answer(0);
        assert_eq!(window.oldest(), Some(Mono(10)));
        assert_eq!(window.timed_out(Mono(110), Span(100)), Some(submit(1, 10)));
        assert_eq!(window.timed_out(Mono(110), Span(100)), None);
        assert_eq!(window.late_answer(1), Some(submit(1, 10)));
        assert_eq!(window.late_answer(1), None);
        assert_eq!(window.abandon(), vec![submit(2, 20)]);
        assert_eq!(window.used(), 2);
    }

    proptest! {
        #[test]
        fn never_more_than_its_size_is_in_flight(size in 1u32..20, steps in prop::collection::vec((0u8..4, 0u32..40), 1..300)) {
            let mut window = Window::new(size);
            let mut settling = 0;
            for (turn, (step, n)) in steps.into_iter().enumerate() {
                match step {
                    0 => { let _ = window.claim(n, submit(n, turn as u64)); }
                    1 => settling += u32::from(window.answer(n).is_some()),
                    2 => { window.release(settling); settling = 0; }
                    _ => settling += u32::from(window.timed_out(Mono(turn as u64), Span(10)).is_some()),
                }
                prop_assert!(window.used() <= size);
            }
        }
    }
}
