//! What is remembered of receipts while the form of ids is learnt; how it is used is in `unclear`. Pure data.

use crate::base::Mono;
use crate::channel::session::Receipt;
use crate::pipeline::track::{Orphan, Readings};

/// What a receipt says of its message beside the name.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    pub(super) number: u64,
    pub(super) reference: Option<u16>,
    pub(super) submit_date: i64,
}

impl From<&Receipt<'_>> for About {
    fn from(receipt: &Receipt<'_>) -> About {
        About { number: receipt.number, reference: receipt.reference, submit_date: receipt.submit_date }
    }
}

impl From<&Orphan> for About {
    fn from(orphan: &Orphan) -> About {
        About { number: orphan.number, reference: orphan.reference, submit_date: orphan.submit_date }
    }
}

/// A receipt that may be about several parts, or about one that has no name yet.
#[derive(Debug)]
pub(super) struct Unclear {
    /// Where its orphan is kept.
    pub(super) place: u64,
    pub(super) about: About,
    pub(super) readings: Readings,
    /// When all that was unanswered when it came has its name, or its doubt is over.
    pub(super) until: Mono,
    pub(super) is_over: bool,
}

/// See `unclear`.
#[derive(Debug, Default)]
pub(super) struct Learning {
    pub(super) unclear: Vec<Unclear>,
    /// Something was named, answered or ended since they were looked at.
    pub(super) is_stirred: bool,
}

impl Learning {
    /// Something was named, answered or ended.
    pub(super) const fn stir(&mut self) {
        self.is_stirred = true;
    }

    /// When they are to be looked at next.
    pub(super) fn next_due(&self, now: Mono) -> Option<Mono> {
        match self.is_stirred && !self.unclear.is_empty() {
            true => Some(now),
            false => self.unclear.iter().filter(|one| !one.is_over).map(|one| one.until).min(),
        }
    }
}
