//! What was written and never named, by recipient: whom a receipt with an unknown name may be about. It answers with
//! certainty or not at all, so it also remembers whom it no longer knows: numbers whose message ended with a copy
//! unnamed. Pure; bounded by the messages in doubt and by `gone_max`. Cannot fail.

use crate::base::{MessageRef, Mono, Span};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// A carrier's clock and ours may differ by so much (and minutes without seconds count within it).
pub const SKEW: Span = Span::secs(120);

/// Two messages written closer to each other than this can not be told apart by the carrier's date.
const APART: Span = Span(2 * SKEW.0 + Span::secs(60).0);

/// A message with a part that is or was in doubt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Doubtful {
    /// Which.
    pub at: MessageRef,
    /// When the part in doubt was written; `None` when another process did that.
    pub written: Option<Mono>,
}

/// See the module.
#[derive(Debug)]
pub struct Nameless {
    by_number: HashMap<u64, Vec<Doubtful>, foldhash::fast::RandomState>,
    sweep_at: usize,
    /// Ended while a name was missing, oldest first.
    gone: VecDeque<(Mono, u64)>,
    gone_max: usize,
    /// What ended up to here may be unknown to us.
    blind: Option<Mono>,
}

impl Nameless {
    /// Remembers at most `gone_max` messages that have ended.
    #[must_use]
    pub fn new(gone_max: usize) -> Nameless {
        Nameless { by_number: HashMap::default(), sweep_at: 64, gone: VecDeque::new(), gone_max, blind: None }
    }

    /// A part for `number` fell in doubt. `is_doubtful` says of which messages that is still true.
    pub fn doubted(&mut self, number: u64, doubtful: Doubtful, is_doubtful: impl Fn(MessageRef) -> bool) {
        if self.by_number.len() >= self.sweep_at {
            self.by_number.retain(|_, list| {
                list.retain(|doubtful| is_doubtful(doubtful.at));
                !list.is_empty()
            });
            self.sweep_at = 64 + 2 * self.by_number.len();
        }
        let list = self.by_number.entry(number).or_default();
        list.retain(|doubtful| is_doubtful(doubtful.at));
        list.push(doubtful);
    }

    /// A message for `number` ended, and a copy of it may have a name that we never learnt.
    pub fn gone(&mut self, number: u64, now: Mono) {
        self.gone.push_back((now, number));
        if self.gone.len() > self.gone_max {
            self.blind = self.gone.pop_front().map(|(at, _)| at).max(self.blind);
        }
    }

    /// What ended before this process is not known.
    pub fn begin(&mut self, now: Mono) {
        self.blind = Some(now);
    }

    /// Those that are or were in doubt for this number.
    #[must_use]
    pub fn of(&self, number: u64) -> &[Doubtful] {
        self.by_number.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Whether no message for this number that has ended can be mistaken for one written then.
    #[must_use]
    pub fn is_alone(&self, number: u64, written: Mono) -> bool {
        let near = self.gone.iter().rev().take_while(|(ended, _)| !is_apart(*ended, written));
        self.blind.is_none_or(|ended| is_apart(ended, written)) && near.map(|(_, gone)| *gone).all(|gone| gone != number)
    }
}

/// Whether what was written before it had ended then is told apart from what was written later by the carrier's date.
#[must_use]
pub const fn is_apart(ended: Mono, written: Mono) -> bool {
    written.since(ended).0 > APART.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::MessageId;

    fn doubtful(n: u32) -> Doubtful {
        Doubtful { at: MessageRef { frame: MessageId(1), ordinal: n }, written: Some(Mono(0)) }
    }
    fn secs(n: u64) -> Mono {
        Mono(0) + Span::secs(n)
    }

    #[test]
    fn a_number_that_is_gone_is_in_the_way_of_what_was_written_near_it_and_of_nothing_else() {
        let mut nameless = Nameless::new(2);
        nameless.gone(33, secs(1_000));
        assert!(!nameless.is_alone(33, secs(990)) && !nameless.is_alone(33, secs(1_300)));
        assert!(nameless.is_alone(33, secs(1_301)) && nameless.is_alone(34, secs(990)));
        nameless.gone(34, secs(1_100));
        nameless.gone(35, secs(1_200));
        assert!(!nameless.is_alone(36, secs(1_300)), "one was forgotten: it may have been anybody's");
        assert!(nameless.is_alone(36, secs(1_301)));
        nameless.begin(secs(2_000));
        assert!(!nameless.is_alone(36, secs(2_300)));
    }

    #[test]
    fn what_is_no_longer_in_doubt_is_forgotten() {
        let mut nameless = Nameless::new(2);
        for n in 0..10_000 {
            nameless.doubted(u64::from(n), doubtful(n), |at| at.ordinal + 10 > n);
        }
        assert!(nameless.by_number.len() < 200, "{}", nameless.by_number.len());
        nameless.doubted(9_999, doubtful(10_000), |_| true);
        assert_eq!(nameless.of(9_999), [doubtful(9_999), doubtful(10_000)]);
    }
}
