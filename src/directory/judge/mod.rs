//! May this message go now? One place asks, in this order: has the recipient opted out (`consent`), are all rules open at
//! the recipient's place (`hours`), has the recipient had enough (`caps`). In: what the question needs of a message, and
//! the wall clock. Out: a verdict. Asked when a message is accepted, when it is leased and again when it is written.
//!
//! Caps are asked and counted in one step, when a message is leased first; a message that was counted is not asked again. At
//! acceptance they are looked at, and nothing is counted.
//!
//! A `Judge` belongs to one thread and holds its caches; what it asks (`Law`) is shared and may be replaced while
//! messages wait. Nothing here reads a clock.

mod book;
mod case;
mod fault;
#[cfg(test)]
mod hours_test;
mod local;
mod office;
mod overview;
mod people;
mod policy;
mod question;
mod sources;
mod statute;
mod together;

pub use fault::LawFault;
pub use office::Office;
pub use overview::{Advice, Ending, Former, Loosened, Overview};
pub use question::{Question, Verdict};
pub use sources::{Kept, Sources, ZoneFiles};
pub use statute::law_stamp;

use crate::base::Time;
use crate::config::Config;
use crate::directory::caps::{AccountCaps, Answer, Caps, Sending};
use crate::directory::consent::{Consent, Prefers};
use crate::message::outcome::Reason;
use crate::storage::Spent;
use book::Book;
use people::{Before, People};
use std::sync::Arc;

/// What all judges share.
#[derive(Debug, Default)]
pub struct Law {
    /// The send windows. The default has none: nothing limits the hours.
    pub hours: Office,
    /// Who has opted out, and what recipients prefer. The default knows nobody.
    pub consent: Arc<Consent>,
    /// How often. The default has no caps but recipients' own.
    pub caps: Arc<Caps>,
}

impl Law {
    /// The law of a configuration, with the rules and zones in this program. Where it names directories, messages with rules
    /// wait until what is in them was handed in (`Office::reload`). Nobody has opted out of it: see `knowing`.
    #[must_use]
    pub fn new(config: &Config) -> Law {
        Law { hours: Office::new(config), consent: Arc::default(), caps: Arc::new(Caps::new(config)) }
    }

    /// What the judge would say of a message's hours at `at`, with the reasons: in the zone its recipient prefers when it names
    /// none. Works it out each time: for people, not for messages.
    #[must_use]
    pub fn advise(&self, question: &Question<'_>, at: Time) -> Advice {
        let prefers = self.consent.of(question.account).and_then(|of| of.prefers(question.to));
        self.hours.advise(&placed(question, prefers.as_ref()), at)
    }

    /// The same, for those who know who has opted out.
    #[must_use]
    pub fn knowing(self, consent: Arc<Consent>) -> Law {
        Law { consent, ..self }
    }
}

/// What asks a judge: a desk. Tests give it a law of their own.
pub trait Jury: std::fmt::Debug + Send {
    /// Whether it may go at `now`; counts nothing and asks for no caps: what was leased has been counted.
    fn judge(&mut self, question: &Question<'_>, now: Time) -> Verdict;
    /// As `judge`, then the caps; and if it may go it counts as sent to the recipient.
    fn spend(&mut self, question: &Question<'_>, now: Time) -> Verdict;
    /// A number that is another one whenever an earlier verdict may not hold any more for other reasons than time.
    fn version(&self) -> u64;
    /// Which rules and zones it decides by: a checksum of their versions, as `GET /v1/rules` shows it. 0: by none.
    fn stamp(&self) -> u32 {
        0
    }
    /// What was counted since the last call: for the commit that holds the leases.
    fn take_spent(&mut self) -> Vec<Spent> {
        Vec::new()
    }
    /// As [`Judge::offset`].
    fn offset(&mut self, _question: &Question<'_>, _otherwise: &str, _now: Time) -> i32 {
        0
    }
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
    fn stamp(&self) -> u32 {
        self.book.stamp()
    }
    fn take_spent(&mut self) -> Vec<Spent> {
        std::mem::take(&mut self.spent)
    }
    fn offset(&mut self, question: &Question<'_>, otherwise: &str, now: Time) -> i32 {
        Judge::offset(self, question, otherwise, now)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Judge {
    law: Arc<Law>,
    book: Book,
    people: People,
    /// The account asked about last, and what it says of caps.
    account: (String, Option<Arc<AccountCaps>>),
    spent: Vec<Spent>,
}

impl Judge {
    /// A judge over a law.
    #[must_use]
    pub fn new(law: Arc<Law>) -> Judge {
        let book = Book::new(law.hours.current());
        Judge { law, book, people: People::default(), account: (String::new(), None), spent: Vec::new() }
    }

    /// Whether it may go at `now`; counts nothing and asks for no caps.
    pub fn judge(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        match self.people.ask(&self.law.consent, question, now) {
            Before::Settled(Verdict::Refuse { .. }) if crate::base::planted::is("stop-ignored-for-queued") => {
                Verdict::Go { closes: Time(i64::MAX) }
            }
            Before::Settled(verdict) => verdict,
            Before::Open(prefers) => self.book.judge(&self.law.hours, &placed(question, prefers.as_ref()), now),
        }
    }

    /// As `judge`, then the caps; and if it may go it counts as sent to the recipient. Called once a message, when it is
    /// leased for the first time.
    pub fn spend(&mut self, question: &Question<'_>, now: Time) -> Verdict {
        match self.people.ask(&self.law.consent, question, now) {
            Before::Settled(verdict) => verdict,
            Before::Open(prefers) => match self.book.judge(&self.law.hours, &placed(question, prefers.as_ref()), now) {
                Verdict::Go { closes } => self.count(question, prefers.as_ref(), closes, now),
                verdict => verdict,
            },
        }
    }

    /// What `spend` would say at `at`, as far as is known at `now`; counts nothing. For those who accept: the lease decides.
    pub fn foresee(&mut self, question: &Question<'_>, now: Time, at: Time) -> Verdict {
        match self.people.ask(&self.law.consent, question, at) {
            Before::Settled(verdict) => verdict,
            Before::Open(prefers) => match self.book.judge(&self.law.hours, &placed(question, prefers.as_ref()), at) {
                Verdict::Go { closes } => {
                    let seen =
                        self.with_caps(question, prefers.as_ref(), |caps, of, send, _| caps.foresee(question.account, of, send, now, at));
                    capped(seen, closes)
                }
                verdict => verdict,
            },
        }
    }

    /// The recipient has refused, in what the question is about, to hear more of its kind (a consumer on the telephone): what
    /// the rules of his place say of that holds from now on, and is counted as a send is.
    pub fn refused(&mut self, question: &Question<'_>, now: Time) {
        let prefers = self.people.prefers(&self.law.consent, question);
        // So that the rules are at hand, also while nothing may go by them.
        self.book.judge(&self.law.hours, &placed(question, prefers.as_ref()), now);
        self.book.group(&self.law.hours, &placed(question, prefers.as_ref()));
        self.with_caps(question, prefers.as_ref(), |caps, of, send, spent| caps.refused(question.account, of, send, now, spent));
    }

    fn count(&mut self, question: &Question<'_>, prefers: Option<&Prefers>, closes: Time, now: Time) -> Verdict {
        let counted = self.with_caps(question, prefers, |caps, of, send, spent| caps.count(question.account, of, send, now, spent));
        capped(counted, closes)
    }

    /// Puts a question to the caps that was put to the hours just before.
    fn with_caps<T>(
        &mut self,
        question: &Question<'_>,
        prefers: Option<&Prefers>,
        ask: impl FnOnce(&Caps, Option<&AccountCaps>, &Sending<'_>, &mut Vec<Spent>) -> T,
    ) -> T {
        if self.account.0 != question.account {
            self.account = (question.account.to_owned(), self.law.caps.of(question.account).cloned());
        }
        let Question { to, class, channel, content, .. } = *question;
        let rules = self.book.limits(&self.law.hours, &placed(question, prefers));
        ask(&self.law.caps, self.account.1.as_deref(), &Sending { to, class, channel, content, prefers, rules }, &mut self.spent)
    }

    /// The same number for messages with the same hours (rules, zones, holidays, margin), 0 for those that nothing limits.
    /// Different hours may share a number, one time in 65,535.
    pub fn group(&mut self, question: &Question<'_>) -> u16 {
        let prefers = self.people.prefers(&self.law.consent, question);
        self.book.group(&self.law.hours, &placed(question, prefers.as_ref()))
    }

    /// A number that is another one whenever an earlier verdict may not hold any more for other reasons than time.
    #[must_use]
    pub fn version(&self) -> u64 {
        // Both only grow, so another of either is another sum.
        self.law.hours.version().wrapping_add(self.law.consent.version())
    }

    /// The versions of the rules and of the time zones by which it decided last: for records.
    #[must_use]
    pub fn stamp(&self) -> (&str, &str) {
        let version = self.book.version();
        (version.pack, version.zones)
    }
}

fn capped(answer: Answer, closes: Time) -> Verdict {
    match answer {
        Answer::Go => Verdict::Go { closes },
        Answer::Hold(until) => Verdict::Hold { until, why: Reason::FrequencyCap },
        Answer::Refuse(why) => Verdict::Refuse { why },
    }
}

/// The zone a recipient is known to live in, as if it had been given with the message that gives none.
fn placed<'a>(question: &Question<'a>, prefers: Option<&'a Prefers>) -> Question<'a> {
    match prefers {
        Some(prefers) if question.zone.is_empty() => Question { zone: &prefers.zone, ..*question },
        _ => *question,
    }
}
