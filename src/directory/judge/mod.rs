//! May this message go now? One place asks, in this order: has the recipient opted out (`consent`), are all rules open at
//! the recipient's place (`hours`), has the recipient had enough (`caps`). In: what the question needs of a message, and
//! the wall clock. Out: a verdict. Asked when a message is accepted, when it is leased and again when it is written.
//!
//! A `Judge` belongs to one thread and holds its caches; what it asks (`Law`) is shared and may be replaced while
//! messages wait. Nothing here reads a clock.

mod people;
mod question;

pub use question::{Question, Verdict};

use crate::base::Time;
use crate::directory::consent::Consent;
use people::{Before, People};
use std::sync::Arc;

/// What all judges share.
#[derive(Debug, Default)]
pub struct Law {
    /// Who has opted out, and what recipients prefer. The default knows nobody.
    pub consent: Arc<Consent>,
}

/// See the module.
#[derive(Debug)]
pub struct Judge {
    law: Arc<Law>,
    people: People,
}

impl Judge {
    /// A judge over a law.
    #[must_use]
    pub fn new(law: Arc<Law>) -> Judge {
        Judge { law, people: People::default() }
    }

    /// Whether it may go at `now`; counts nothing.
    pub fn judge(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        match self.people.ask(&self.law.consent, question, now) {
            Before::Settled(verdict) => verdict,
            Before::Open(_) => Verdict::Go { closes: Time(i64::MAX) },
        }
    }

    /// As `judge`, and if it may go it counts as sent to the recipient (caps, repeats). Called once a message, when it is
    /// leased for the first time.
    pub fn spend(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        self.judge(question, now)
    }

    /// A number that is another one whenever an earlier verdict may not hold any more for other reasons than time.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.law.consent.version()
    }
}
