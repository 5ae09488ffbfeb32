//! How often: has the recipient had enough of an account (frequency caps), and was the very same sent a moment ago (the
//! guard against repeats)? In: a message that may go as far as its hours are concerned. Out: whether it may as far as
//! this goes; and if so it is counted, with rows for the commit that holds its lease. What cannot be remembered or was lost
//! holds the marketing messages of accounts with caps. Accounts without pay a look at a flag.
//!
//! I1: asked and counted in one step, once a message, when it is leased first; before that (at acceptance) it is only looked
//! at, and what is seen then may be overtaken. I2: counted before it is durable: a message
//! whose lease is never written stays counted, which errs on the safe side.

mod ledger;
mod limit;
#[cfg(test)]
mod tests;

pub use limit::{Limit, content_key, kind, kinds, minutes, rows_of};

use crate::base::{Msisdn, Span, Time};
use crate::config::{self, Config};
use crate::directory::consent::Prefers;
use crate::message::content::{Channel, Class};
use crate::message::outcome::Reason;
use crate::storage::Spent;
use hashbrown::HashMap;
use ledger::{Count, Counted, Ledger};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// When a message is asked about again that waits for room, or for what was lost.
const AGAIN: Span = Span::secs(60);

/// What an account says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountCaps {
    key: u64,
    limits: Box<[Limit]>,
    /// Minutes in which a content is not repeated; 0 = no guard.
    repeat: u32,
}

impl AccountCaps {
    fn of(name: &str, limits: Box<[Limit]>, repeat: u32) -> AccountCaps {
        AccountCaps { key: limit::account_key(name), limits, repeat }
    }
}

/// See the module. Shared by all judges.
#[derive(Debug)]
pub struct Caps {
    accounts: HashMap<Box<str>, Arc<AccountCaps>>,
    ledger: Ledger,
    /// What was sent before is not known; the least instant when all is.
    unknown_before: AtomicI64,
}

/// No caps; but recipients' own are counted.
impl Default for Caps {
    fn default() -> Caps {
        Caps::over(HashMap::new(), u64::MAX)
    }
}

/// A message that may go, as it is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The recipient.
    pub to: Msisdn,
    /// What it is for.
    pub class: Class,
    /// How it travels.
    pub channel: Channel,
    /// The hash of its content; 0 when there is none.
    pub content: u64,
    /// What the recipient prefers.
    pub prefers: Option<&'a Prefers>,
    /// What the rules of the place say.
    pub rules: &'a [Limit],
}

impl Caps {
    /// The caps of a configuration, nothing sent yet.
    #[must_use]
    pub fn new(config: &Config) -> Caps {
        let mut accounts = HashMap::new();
        for account in &config.accounts {
            let limits: Box<[Limit]> = account.caps.iter().map(limit_of).collect();
            let repeat = minutes(account.repeat_guard);
            if !limits.is_empty() || repeat > 0 {
                accounts.insert(account.name.as_str().into(), Arc::new(AccountCaps::of(&account.name, limits, repeat)));
            }
        }
        Caps::over(accounts, config.consent.caps_max)
    }

    fn over(accounts: HashMap<Box<str>, Arc<AccountCaps>>, max: u64) -> Caps {
        let keep_repeats = accounts.values().map(|one: &Arc<AccountCaps>| one.repeat).max();
        let ledger = Ledger::new(max, keep_repeats.unwrap_or(0));
        accounts.values().flat_map(|one| &one.limits).for_each(|limit| ledger.keep_for(limit));
        Caps { accounts, ledger, unknown_before: AtomicI64::new(i64::MIN) }
    }

    /// What an account says; `None` when it says nothing.
    #[must_use]
    pub fn of(&self, account: &str) -> Option<&Arc<AccountCaps>> {
        if self.accounts.is_empty() { None } else { self.accounts.get(account) }
    }

    /// How long what was sent is asked for at most: so much is read back at start.
    #[must_use]
    pub fn longest(&self) -> Span {
        Span::secs(u64::from(self.ledger.longest()) * 60)
    }

    /// Recipients' own caps reach back so long.
    pub fn reach(&self, span: Span) {
        self.ledger.keep_for(&Limit::new(1, span, own_kinds()));
    }

    /// Rules limit so, and reach back at most `bound`.
    pub fn reach_of(&self, limit: Limit, bound: Span) {
        self.ledger.keep_for(&Limit { minutes: limit.minutes.min(minutes(bound)), ..limit });
    }

    /// Takes in a row of the journal, at start, before anything is leased. `false` when there is no room for it.
    pub fn load(&self, row: Spent, now: Time) -> bool {
        self.ledger.load(row, limit::minute(now))
    }

    /// What was sent before then is not known whole.
    pub fn doubt(&self, before: Time) {
        self.unknown_before.fetch_max(before.0, Ordering::AcqRel);
    }

    /// Whether a cap of a kind of message reaches back to what is not known.
    fn is_unsure(&self, kind: u8, now: Time) -> bool {
        let before = self.unknown_before.load(Ordering::Relaxed);
        before != i64::MIN && now < Time(before).after(Span::secs(u64::from(self.ledger.reaches(kind)) * 60))
    }

    /// Sends remembered, for a metric.
    #[must_use]
    pub fn sends(&self) -> u64 {
        self.ledger.len()
    }

    /// Whether nothing more can be remembered, for a metric.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ledger.is_full()
    }

    /// Counts a message that may go, or says why it may not: when it may, and why, or for ever. Rows for the journal are
    /// pushed to `rows`.
    pub fn count(&self, account: &str, of: Option<&AccountCaps>, send: &Sending<'_>, now: Time, rows: &mut Vec<Spent>) -> Answer {
        self.ask(account, of, send, |ask| {
            let unsure = send.class == Class::Marketing && self.is_unsure(ask.kind, now);
            let minute = limit::minute(now);
            let counted = if unsure { Counted::Full } else { self.ledger.count(&Count { minute, ..*ask }, rows) };
            answer(counted, send.class, now)
        })
    }

    /// What `count` would say at `at`, `now` or later, if nothing were sent until then. Nothing is counted, so what is asked
    /// about meanwhile may still be too much when it is leased.
    #[must_use]
    pub fn foresee(&self, account: &str, of: Option<&AccountCaps>, send: &Sending<'_>, now: Time, at: Time) -> Answer {
        self.ask(account, of, send, |ask| {
            let ((_, over), (wanted, _)) = (limit::minute(now), limit::minute(at.max(now)));
            let ask = Count { minute: (wanted, over), ..*ask };
            // What is not known, or has no room, is so now: of later nobody can tell.
            let is_shut = || at <= now && send.class == Class::Marketing && (self.is_unsure(ask.kind, now) || !self.ledger.has_room(&ask));
            let seen = match self.ledger.look(&ask) {
                Counted::Free if is_shut() => Counted::Full,
                seen => seen,
            };
            answer(seen, send.class, now)
        })
    }

    /// The recipient has refused to hear more of the kind of this message, over its channel: what rules say of that holds from
    /// now on. Rows for the journal are pushed to `rows`; none when no rule asks.
    pub fn refused(&self, account: &str, of: Option<&AccountCaps>, send: &Sending<'_>, now: Time, rows: &mut Vec<Spent>) {
        let kind = limit::refusal(send.channel);
        if !send.rules.iter().any(|limit| limit.counts(kind)) {
            return;
        }
        send.rules.iter().for_each(|limit| self.ledger.keep_for(limit));
        let (_, by) = limit::minute(now);
        self.ledger.note(key(account, of, send.to), kind, by, rows);
    }

    /// Puts what binds a message to `then`, with the minute 0; what nothing binds goes.
    fn ask(&self, account: &str, of: Option<&AccountCaps>, send: &Sending<'_>, then: impl FnOnce(&Count<'_>) -> Answer) -> Answer {
        let own = send.prefers.and_then(|prefers| prefers.cap).map(|(count, period)| Limit::new(count, period, own_kinds()));
        if of.is_none() && own.is_none() && send.rules.is_empty() {
            return Answer::Go;
        }
        let kind = kind(send.class, send.channel);
        let limits = [of.map_or(&[][..], |of| &of.limits), own.as_slice(), send.rules];
        let is_bound = limits.iter().flat_map(|limits| limits.iter()).any(|limit| limit.binds(kind));
        let repeat = of.filter(|of| of.repeat > 0 && send.content != 0).map(|of| (send.content, of.repeat));
        if !is_bound && repeat.is_none() {
            return Answer::Go;
        }
        own.iter().chain(send.rules).for_each(|limit| self.ledger.keep_for(limit));
        then(&Count { key: key(account, of, send.to), kind, limits: &limits, repeat, minute: (0, 0) })
    }
}

fn key(account: &str, of: Option<&AccountCaps>, to: Msisdn) -> u64 {
    limit::recipient_key(of.map_or_else(|| limit::account_key(account), |of| of.key), to)
}

fn answer(counted: Counted, class: Class, now: Time) -> Answer {
    match counted {
        Counted::Free => Answer::Go,
        Counted::Until(minute) => Answer::Hold(limit::instant(minute)),
        Counted::Repeat => Answer::Refuse(Reason::DuplicateContent),
        // Codes and orders are not held for want of room.
        Counted::Full if class == Class::Marketing => Answer::Hold(now.after(AGAIN)),
        Counted::Full => Answer::Go,
    }
}

/// What the caps say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It may go, and is counted.
    Go,
    /// Not before; it is `Reason::FrequencyCap`.
    Hold(Time),
    /// Never.
    Refuse(Reason),
}

/// What a recipient's own cap counts: what a plain stop stops. Codes and orders go on.
fn own_kinds() -> u16 {
    kinds(&[Class::Marketing, Class::Service], &Channel::ALL)
}

fn limit_of(cap: &config::Cap) -> Limit {
    let classes: Vec<Class> = cap.classes.iter().map(class_of).collect();
    let channels: Vec<Channel> = cap.channels.iter().map(channel_of).collect();
    Limit::new(cap.count, cap.period, kinds(&classes, &channels))
}

fn class_of(class: &config::Class) -> Class {
    match class {
        config::Class::Otp => Class::Otp,
        config::Class::Transactional => Class::Transactional,
        config::Class::Service => Class::Service,
        config::Class::Marketing => Class::Marketing,
    }
}

fn channel_of(channel: &config::Channel) -> Channel {
    match channel {
        config::Channel::Sms => Channel::Sms,
        config::Channel::Mms => Channel::Mms,
        config::Channel::Voice => Channel::Voice,
    }
}
