//! Messages that were taken once and must go again: those put back at once (throttled, never written) in their
//! old order before everything else, those with a due time when it has come.

use crate::base::{MessageRef, Mono};
use crate::message::event::Parts;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A message to be sent again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Again {
    /// Which.
    pub at: MessageRef,
    /// The parts still to be sent.
    pub parts: Parts,
}

/// The queue of retries.
#[derive(Debug, Default)]
pub struct Retries {
    front: VecDeque<Again>,
    later: BinaryHeap<Reverse<(Mono, Again)>>,
}

impl Retries {
    /// Goes before everything else, behind what was put back earlier.
    pub fn push_front(&mut self, again: Again) {
        self.front.push_back(again);
    }
    /// Goes once `due` has come.
    pub fn push_due(&mut self, due: Mono, again: Again) {
        self.later.push(Reverse((due, again)));
    }
    /// The next one whose time has come.
    pub fn pick(&mut self, now: Mono) -> Option<Again> {
        if let Some(again) = self.front.pop_front() {
            return Some(again);
        }
        if self.later.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            return self.later.pop().map(|Reverse((_, again))| again);
        }
        None
    }
    /// When the next one is due; now or the past when one waits at the front.
    #[must_use]
    pub fn next_due(&self) -> Option<Mono> {
        if self.front.is_empty() { self.later.peek().map(|Reverse((due, _))| *due) } else { Some(Mono(0)) }
    }
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.front.len() + self.later.len()
    }
    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::MessageId;

    fn again(n: u64) -> Again {
        Again { at: MessageRef { frame: MessageId(n), ordinal: 0 }, parts: 1 }
    }

    #[test]
    fn what_was_put_back_goes_first_and_the_rest_when_due() {
        let mut retries = Retries::default();
        retries.push_due(Mono(50), again(3));
        retries.push_due(Mono(20), again(2));
        retries.push_front(again(1));
        assert_eq!(retries.pick(Mono(0)), Some(again(1)));
        assert_eq!(retries.pick(Mono(19)), None);
        assert_eq!(retries.next_due(), Some(Mono(20)));
        assert_eq!((retries.pick(Mono(60)), retries.pick(Mono(60))), (Some(again(2)), Some(again(3))));
        assert!(retries.is_empty());
    }
}
