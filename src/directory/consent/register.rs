//! Every account's opt-outs and preferences in memory: loaded at start, changed by commits and by stops that were just
//! heard, asked by judges. Shared by all threads; no call waits for more than one stripe of an index.

use super::answers::Answers;
use super::ask::{Ask, Prefers, Stand, StopRule};
use super::index::{Asked, Index};
use super::scope::{EVERY_CLASS, Scope, sender_form};
use crate::base::{Msisdn, Span, Time};
use crate::directory::keywords::Class as Word;
use crate::message::content::Class;
use crate::message::outcome::Reason;
use crate::storage::{Origin, PersonChange, Preference, Suppression, SuppressionKey};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// While opt-outs are not known, what waits is asked about again so often.
const UNSURE_RECHECK: Span = Span::secs(60);

/// One account's part. A judge holds the one it asked last.
#[derive(Debug, Default)]
pub struct Recipients {
    name: Box<str>,
    rule: StopRule,
    index: Index,
    preferences: RwLock<HashMap<u64, Prefers>>,
}

impl Recipients {
    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why a change is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConsentFault {
    /// `consent.suppressions_max` is reached. Only customers are refused: recipients are always heard.
    #[error("there are as many opt-outs as the configuration allows")]
    Full,
}

/// See the module.
#[derive(Debug)]
pub struct Consent {
    accounts: HashMap<Box<str>, Arc<Recipients>>,
    entries_max: u64,
    version: AtomicU64,
    is_unsure: AtomicBool,
    answers: Answers,
}

impl Default for Consent {
    fn default() -> Consent {
        Consent::new([], u64::MAX)
    }
}

impl Recipients {
    /// What a recipient prefers, also one who has opted out.
    #[must_use]
    pub fn prefers(&self, to: Msisdn) -> Option<Prefers> {
        self.preferences.read().unwrap_or_else(PoisonError::into_inner).get(&to.as_u64()).cloned()
    }
}

impl Consent {
    /// For these accounts, with at most so many entries over all of them.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = (String, StopRule)>, entries_max: u64) -> Consent {
        let recipients = |(name, rule): (String, StopRule)| {
            let name: Box<str> = name.into();
            (name.clone(), Arc::new(Recipients { name, rule, ..Recipients::default() }))
        };
        Consent {
            accounts: accounts.into_iter().map(recipients).collect(),
            entries_max,
            version: AtomicU64::new(1),
            is_unsure: AtomicBool::new(false),
            answers: Answers::default(),
        }
    }

    /// Takes in a row of the store, at start. Accounts that are not configured any more may still have messages waiting.
    pub fn load(&mut self, change: &PersonChange) {
        let account = account_of(change);
        if !self.accounts.contains_key(account) {
            let name: Box<str> = account.into();
            self.accounts.insert(name.clone(), Arc::new(Recipients { name, ..Recipients::default() }));
        }
        self.change(change);
    }

    /// From now on it is not known who has opted out (I3).
    pub fn doubt(&mut self) {
        *self.is_unsure.get_mut() = true;
    }

    /// Whether it is not known who has opted out.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        self.is_unsure.load(Ordering::Relaxed)
    }

    /// An account's part.
    #[must_use]
    pub fn of(&self, account: &str) -> Option<&Arc<Recipients>> {
        self.accounts.get(account)
    }

    /// Another number whenever an earlier answer may not hold any more.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The longest period of all recipients' own caps.
    #[must_use]
    pub fn longest_cap(&self) -> Span {
        let of = |account: &Arc<Recipients>| {
            let preferences = account.preferences.read().unwrap_or_else(PoisonError::into_inner);
            preferences.values().filter_map(|one| one.cap).map(|(_, period)| period.0).max()
        };
        Span(self.accounts.values().filter_map(of).max().unwrap_or(0))
    }

    /// Entries in memory, over all accounts: for a metric, and the bound.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.accounts.values().map(|account| account.index.entries()).sum()
    }

    /// Whether a customer may add so many more.
    ///
    /// # Errors
    /// `Full`.
    pub fn admits(&self, more: u64) -> Result<(), ConsentFault> {
        if self.entries().saturating_add(more) > self.entries_max { Err(ConsentFault::Full) } else { Ok(()) }
    }

    /// Whether a message is stopped; and what its recipient prefers.
    #[must_use]
    pub fn ask(&self, of: &Recipients, ask: &Ask<'_>, now: Time) -> (Stand, Option<Prefers>) {
        if self.is_unsure() && matches!(ask.class, Class::Marketing | Class::Service) {
            return (Stand::Unsure, None);
        }
        let number = ask.to.as_u64();
        let asked = Asked { number, class: ask.class, channel: ask.channel, from: ask.from, campaign: ask.campaign };
        let known = of.index.ask(&asked);
        let prefers = || of.preferences.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        let stand = match known.is_stopped {
            false => Stand::Free,
            true if self.answers.is_one(&of.name, ask, now) => Stand::Answer,
            true => Stand::Stopped,
        };
        (stand, if known.prefers { prefers() } else { None })
    }

    /// When a message that waits because opt-outs are not known is asked about again.
    #[must_use]
    pub fn unsure_until(now: Time) -> (Time, Reason) {
        (now.after(UNSURE_RECHECK), Reason::Revival)
    }

    /// Committed changes, in their order: from now on they hold. Called by the writer alone.
    pub fn apply(&self, changes: &[PersonChange]) {
        if changes.is_empty() {
            return;
        }
        changes.iter().for_each(|change| self.change(change));
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    fn change(&self, change: &PersonChange) {
        let Some(of) = self.accounts.get(account_of(change)) else { return };
        match change {
            PersonChange::Suppress(row) => match Scope::parse(&row.key.scope) {
                Some(scope) => _ = of.index.add(row.key.number, row.key.origin, &scope, row.classes),
                // Written by a newer version: more is stopped rather than less.
                None => _ = of.index.add(row.key.number, row.key.origin, &Scope::All, EVERY_CLASS),
            },
            PersonChange::Lift(key) => {
                if let Some(scope) = Scope::parse(&key.scope) {
                    of.index.lift(key.number, key.origin, &scope);
                }
            }
            PersonChange::Prefer(one) => {
                of.preferences.write().unwrap_or_else(PoisonError::into_inner).insert(one.number, prefers(one));
                of.index.prefer(one.number, true);
            }
            PersonChange::Forget { number, .. } => {
                of.index.prefer(*number, false);
                of.preferences.write().unwrap_or_else(PoisonError::into_inner).remove(number);
            }
        }
    }

    /// I1: a stop holds at once; whether it is new.
    pub(super) fn stop_now(&self, row: &Suppression) -> bool {
        let (Some(of), Some(scope)) = (self.accounts.get(row.key.account.as_str()), Scope::parse(&row.key.scope)) else { return false };
        let is_new = of.index.add(row.key.number, row.key.origin, &scope, row.classes);
        self.version.fetch_add(1, Ordering::AcqRel);
        is_new
    }

    /// The rows a start written to `to` takes back: the account's, and that sender's.
    pub(super) fn stops_of(&self, account: &str, number: u64, to: &str) -> Vec<SuppressionKey> {
        let Some(of) = self.accounts.get(account) else { return Vec::new() };
        let scopes = [Scope::All, Scope::Sender(sender_form(to))];
        let held = scopes.iter().filter(|scope| of.index.has_stopped(number, scope));
        held.map(|scope| SuppressionKey { account: account.to_owned(), number, origin: Origin::Recipient, scope: scope.text() }).collect()
    }

    pub(super) fn stop_rule(&self, account: &str) -> StopRule {
        self.accounts.get(account).map_or_else(StopRule::default, |of| of.rule)
    }

    /// Whether an answer may be sent, and if so, that it passes the stop it answers.
    pub(super) fn may_answer(&self, account: &str, to: Msisdn, word: Word, text: &str, now: Time) -> bool {
        self.answers.permit(account, to, word, content_hash(to, text), now)
    }
}

/// The hash of recipient and content by which an answer is known again; never 0.
#[must_use]
pub fn content_hash(to: Msisdn, text: &str) -> u64 {
    crate::storage::port::search_key(crate::storage::port::SearchKind::Recipient, text, &to.as_u64().to_string())
}

fn account_of(change: &PersonChange) -> &str {
    match change {
        PersonChange::Suppress(row) => &row.key.account,
        PersonChange::Lift(key) => &key.account,
        PersonChange::Prefer(one) => &one.account,
        PersonChange::Forget { account, .. } => account,
    }
}

fn prefers(one: &Preference) -> Prefers {
    let (count, seconds) = one.cap;
    let cap = (count > 0 && seconds > 0).then(|| (count, Span::secs(u64::from(seconds))));
    Prefers { zone: one.zone.as_str().into(), locale: one.locale.as_str().into(), cap }
}
