//! One frame with unfinished messages: which of them are taken, which wait, which were left behind.

use crate::base::Time;
use crate::message::outcome::{Reason, Tally};
use crate::message::{Status, record::MessageRecord};
use crate::storage::{Frame, FrameHead};
use std::sync::Arc;

/// Messages left behind in a frame that wait for something else than the first of them are told apart up to so many: what
/// they wait for is for the reader of a message only, each is judged again in any case.
const OTHERS_MAX: usize = 64;

/// What was left behind in a frame while its lane passed over it.
#[derive(Debug, Default)]
pub(super) struct Behind {
    bits: Vec<u64>,
    /// The least instant any of them waits for, and why.
    pub(super) until: Option<(Time, Reason)>,
    /// Those that wait for another one than the first, as far as they are told apart.
    pub(super) others: Vec<(u32, Time, Reason)>,
}

/// A frame with unfinished messages.
#[derive(Debug)]
pub struct OpenFrame {
    /// What it is.
    pub head: FrameHead,
    /// Its messages, while some of them are about to be sent.
    pub body: Option<Arc<Frame>>,
    /// The first ordinal not yet taken for sending.
    pub next: u32,
    /// How many messages are not final.
    pub left: u32,
    /// Ordinals at or after `next` that must not be taken: ended while they waited, or taken before a restart.
    skip: Vec<u64>,
    /// How many entries of the retries are about it: its body is kept until they have been served.
    pub retries: u32,
    /// Where its messages stand.
    pub tally: Tally,
    /// Its account's share, for when it enters its lane.
    pub weight: u32,
    /// Until when it is in no lane, and why.
    pub(super) parked: Option<(Time, Reason)>,
    /// When it last left its parking.
    pub(super) since: Time,
    behind: Option<Box<Behind>>,
}

/// Until when a frame waits before anything has happened to it, and why; `None` when it may go at once.
#[must_use]
pub fn first_wait(head: &FrameHead) -> Option<(Time, Reason)> {
    (head.due > Time(0)).then(|| (head.due, Reason::from_number(head.why.into()).unwrap_or(Reason::Scheduled)))
}

impl OpenFrame {
    /// A frame none of whose messages has moved.
    #[must_use]
    pub fn new(head: FrameHead, body: Option<Arc<Frame>>, weight: u32) -> OpenFrame {
        let mut tally = Tally::default();
        tally.0[Status::Accepted as usize] = head.count;
        OpenFrame {
            left: head.count,
            head,
            body,
            next: 0,
            skip: Vec::new(),
            retries: 0,
            tally,
            weight,
            parked: None,
            since: Time(i64::MIN),
            behind: None,
        }
    }

    /// Until when it is in no lane, and why; `None` when it is in one, or all is taken.
    #[must_use]
    pub const fn parked(&self) -> Option<(Time, Reason)> {
        self.parked
    }

    /// How those of its messages stand that were never taken.
    #[must_use]
    pub fn standing(&self) -> Status {
        self.parked.map_or(Status::Accepted, |(_, why)| Status::waiting(why))
    }

    /// A message that was just taken may not go: it is left behind while the lane goes on.
    pub fn leave_behind(&mut self, ordinal: u32, until: Time, why: Reason) {
        let behind = self.behind.get_or_insert_default();
        let word = ordinal as usize / 64;
        if behind.bits.len() <= word {
            behind.bits.resize(word + 1, 0);
        }
        behind.bits[word] |= 1 << (ordinal % 64);
        match behind.until {
            None => behind.until = Some((until, why)),
            Some(one) if one == (until, why) => {}
            // The least one is the frame's; which of them are not the first is known, as far as there is room.
            Some((least, _)) => {
                if behind.others.len() < OTHERS_MAX {
                    behind.others.push((ordinal, until, why));
                }
                if until < least {
                    behind.until = Some((until, why));
                }
            }
        }
    }

    fn is_behind(&self, ordinal: u32) -> bool {
        let word = |behind: &Behind| behind.bits.get(ordinal as usize / 64).is_some_and(|word| word & (1 << (ordinal % 64)) != 0);
        self.behind.as_ref().is_some_and(|behind| word(behind))
    }

    /// Whether messages were left behind.
    pub(super) const fn has_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// Begins anew with what was left behind and what was not reached.
    pub(super) fn gather(&mut self) -> Option<Behind> {
        let behind = *self.behind.take()?;
        for ordinal in 0..self.next.min(self.head.count) {
            let stays = behind.bits.get(ordinal as usize / 64).is_some_and(|word| word & (1 << (ordinal % 64)) != 0);
            if !stays {
                self.skip(ordinal);
            }
        }
        self.next = 0;
        Some(behind)
    }

    /// How many messages were never taken.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        let behind = self.behind.as_ref().map_or(0, |behind| behind.bits.iter().map(|word| word.count_ones()).sum());
        if self.skip.is_empty() {
            return behind + self.head.count - self.next.min(self.head.count);
        }
        behind + (self.next..self.head.count).filter(|ordinal| !self.is_skipped(*ordinal)).count() as u32
    }

    /// Marks a waiting message as not to be taken.
    pub fn skip(&mut self, ordinal: u32) {
        let word = ordinal as usize / 64;
        if self.skip.len() <= word {
            self.skip.resize(word + 1, 0);
        }
        self.skip[word] |= 1 << (ordinal % 64);
        if let Some(bits) = self.behind.as_mut().and_then(|behind| behind.bits.get_mut(word)) {
            *bits &= !(1 << (ordinal % 64));
        }
    }

    /// Whether a message must not be taken.
    #[must_use]
    pub fn is_skipped(&self, ordinal: u32) -> bool {
        self.skip.get(ordinal as usize / 64).is_some_and(|word| word & (1 << (ordinal % 64)) != 0)
    }

    /// Whether a message still waits to be taken for the first time.
    #[must_use]
    pub fn is_waiting(&self, ordinal: u32) -> bool {
        ordinal < self.head.count && (ordinal >= self.next && !self.is_skipped(ordinal) || self.is_behind(ordinal))
    }

    /// Moves `next` past what must not be taken; false when nothing is left to take.
    pub fn advance(&mut self) -> bool {
        while self.next < self.head.count && self.is_skipped(self.next) {
            self.next += 1;
        }
        self.next < self.head.count
    }

    /// Whether a message was erased, as far as the body in memory says.
    #[must_use]
    pub fn is_blank(&self, ordinal: u32) -> bool {
        self.body.as_ref().is_some_and(|body| body.is_blank(ordinal))
    }

    /// Reads one message, if the body is in memory.
    #[must_use]
    pub fn read(&self, ordinal: u32) -> Option<Result<MessageRecord, crate::message::record::Unreadable>> {
        let bytes = self.body.as_ref()?.record(ordinal)?;
        Some(MessageRecord::read(bytes))
    }
}
