//! Who has opted out, in memory: one account's numbers, eight octets each, in tables that double (9 to 21 octets an entry,
//! 15 on average: ten million are 150 MB). Read by every thread that judges, changed by the journal's writer and, at a
//! STOP, by the shard that heard it.
//!
//! An account nobody has opted out of costs one atomic load. Others cost the lock of one of 64 stripes, which readers
//! share. Numbers are compared whole; senders and campaigns by 60 bits of a keyed hash.

use super::scope::Scope;
use crate::message::{Channel, Class};
use crate::storage::Origin;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

const STRIPES: usize = 64;

/// An entry is a number (50 bits) above these marks.
const MARKS: u32 = 14;
/// The customer stops everything.
const ALL: u64 = 1;
/// The customer stops classes: four bits.
const CLASSES: u32 = 1;
/// The customer stops channels: three bits.
const CHANNELS: u32 = 5;
/// The recipient stops classes: four bits.
const STOPPED: u32 = 8;
/// There may be senders or campaigns under the number. Never taken away: it only costs a second look.
const NAMED: u64 = 1 << 12;
/// The recipient has preferences.
const PREFERS: u64 = 1 << 13;

/// What is asked of an index: a message, without its account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) number: u64,
    pub(super) class: Class,
    pub(super) channel: Channel,
    pub(super) from: &'a str,
    pub(super) campaign: &'a str,
}

/// What an index knows of a number.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Known {
    /// The message is stopped.
    pub(super) is_stopped: bool,
    /// The recipient has preferences.
    pub(super) prefers: bool,
}

#[derive(Debug, Default)]
struct Stripe {
    numbers: HashTable<u64>,
    /// Hashes of number and sender or campaign (60 bits) above the classes they stop (four bits).
    named: HashTable<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Index {
    stripes: OnceLock<Box<[RwLock<Stripe>]>>,
    entries: AtomicU64,
    hasher: RandomState,
}

impl Index {
    /// How many entries there are: numbers, and senders and campaigns under them.
    pub(super) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether a message is stopped.
    pub(super) fn ask(&self, asked: &Asked<'_>) -> Known {
        // One load is the whole cost of an account without entries.
        let Some(stripes) = self.stripes.get() else { return Known::default() };
        let hash = self.hasher.hash_one(asked.number);
        let stripe = stripes[stripe_of(hash)].read().unwrap_or_else(PoisonError::into_inner);
        let Some(marks) = stripe.numbers.find(hash, |entry| entry >> MARKS == asked.number) else { return Known::default() };
        let class = u32::from(asked.class.priority());
        // A rule for SMS holds for MMS, too.
        let channels = channel_bit(asked.channel) | if asked.channel == Channel::Mms { channel_bit(Channel::Sms) } else { 0 };
        let stops = ALL | 1 << (CLASSES + class) | 1 << (STOPPED + class) | channels;
        let named = || {
            let has = |origin, scope| self.is_named(&stripe, asked.number, origin, scope, 1 << class);
            let sender = Scope::Sender(super::scope::sender_form(asked.from));
            let campaign = Scope::Campaign(asked.campaign.to_owned());
            [Origin::Recipient, Origin::Customer]
                .into_iter()
                .any(|origin| has(origin, &sender) || (!asked.campaign.is_empty() && has(origin, &campaign)))
        };
        Known { is_stopped: marks & stops != 0 || (marks & NAMED != 0 && named()), prefers: marks & PREFERS != 0 }
    }

    fn is_named(&self, stripe: &Stripe, number: u64, origin: Origin, scope: &Scope, classes: u64) -> bool {
        let key = self.name_hash(number, origin, scope);
        stripe.named.find(place(key), |entry| entry >> 4 == key >> 4).is_some_and(|entry| entry & classes != 0)
    }

    fn name_hash(&self, number: u64, origin: Origin, scope: &Scope) -> u64 {
        let (kind, name) = match scope {
            Scope::Sender(name) => (1, name.as_str()),
            Scope::Campaign(name) => (2, name.as_str()),
            _ => (0, ""),
        };
        self.hasher.hash_one((number, origin as u8, kind, name))
    }

    /// Adds an opt-out; whether it says anything new.
    pub(super) fn add(&self, number: u64, origin: Origin, scope: &Scope, classes: u8) -> bool {
        let mut added = 0;
        let is_new = self.with(number, |index, stripe, hash| match scope {
            Scope::Sender(_) | Scope::Campaign(_) => {
                added += mark(stripe, hash, number, NAMED, &index.hasher).1;
                let key = index.name_hash(number, origin, scope);
                match stripe.named.find_mut(place(key), |entry| *entry >> 4 == key >> 4) {
                    Some(entry) => {
                        let before = *entry;
                        *entry |= u64::from(classes);
                        *entry != before
                    }
                    None => {
                        stripe.named.insert_unique(place(key), key >> 4 << 4 | u64::from(classes), |entry| place(*entry));
                        added += 1;
                        true
                    }
                }
            }
            _ => {
                let (is_new, entries) = mark(stripe, hash, number, marks_of(origin, scope, classes), &index.hasher);
                added += entries;
                is_new
            }
        });
        self.entries.fetch_add(added, Ordering::Relaxed);
        is_new
    }

    /// Takes an opt-out away; whether it was there.
    pub(super) fn lift(&self, number: u64, origin: Origin, scope: &Scope) -> bool {
        if self.stripes.get().is_none() {
            return false;
        }
        let mut removed = 0;
        let was_there = self.with(number, |index, stripe, hash| match scope {
            Scope::Sender(_) | Scope::Campaign(_) => {
                let key = index.name_hash(number, origin, scope);
                let found = stripe.named.find_entry(place(key), |entry| *entry >> 4 == key >> 4);
                let was_there = found.is_ok();
                if let Ok(entry) = found {
                    entry.remove();
                    removed += 1;
                }
                was_there
            }
            // The recipient's classes are one row.
            _ => {
                let classes = if origin == Origin::Recipient { super::scope::EVERY_CLASS } else { scope.classes() };
                let (was_there, entries) = unmark(stripe, hash, number, marks_of(origin, scope, classes));
                removed += entries;
                was_there
            }
        });
        self.entries.fetch_sub(removed, Ordering::Relaxed);
        was_there
    }

    /// Whether the recipient has opted out in this scope.
    pub(super) fn has_stopped(&self, number: u64, scope: &Scope) -> bool {
        let Some(stripes) = self.stripes.get() else { return false };
        let hash = self.hasher.hash_one(number);
        let stripe = stripes[stripe_of(hash)].read().unwrap_or_else(PoisonError::into_inner);
        match scope {
            Scope::Sender(_) | Scope::Campaign(_) => self.is_named(&stripe, number, Origin::Recipient, scope, 0b1111),
            _ => stripe.numbers.find(hash, |entry| entry >> MARKS == number).is_some_and(|entry| entry & (0b1111 << STOPPED) != 0),
        }
    }

    /// Notes whether there are preferences.
    pub(super) fn prefer(&self, number: u64, prefers: bool) {
        if prefers {
            let mut added = 0;
            self.with(number, |index, stripe, hash| added = mark(stripe, hash, number, PREFERS, &index.hasher).1);
            self.entries.fetch_add(added, Ordering::Relaxed);
        } else if self.stripes.get().is_some() {
            let mut removed = 0;
            self.with(number, |_, stripe, hash| removed = unmark(stripe, hash, number, PREFERS).1);
            self.entries.fetch_sub(removed, Ordering::Relaxed);
        }
    }

    fn with<T>(&self, number: u64, change: impl FnOnce(&Index, &mut Stripe, u64) -> T) -> T {
        let stripes = self.stripes.get_or_init(|| (0..STRIPES).map(|_| RwLock::default()).collect());
        let hash = self.hasher.hash_one(number);
        change(self, &mut stripes[stripe_of(hash)].write().unwrap_or_else(PoisonError::into_inner), hash)
    }
}

/// Bits that the tables use neither for places nor for tags.
const fn stripe_of(hash: u64) -> usize {
    (hash >> 48) as usize % STRIPES
}

/// Where a hash of a name lies: by the 60 bits that are kept, so that a table that grows finds them again.
const fn place(key: u64) -> u64 {
    (key >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const fn channel_bit(channel: Channel) -> u64 {
    1 << (CHANNELS + channel as u32)
}

fn marks_of(origin: Origin, scope: &Scope, classes: u8) -> u64 {
    match (origin, scope) {
        // Whatever a recipient says, short of a sender, is said to the account.
        (Origin::Recipient, _) => u64::from(classes & 0b1111) << STOPPED,
        (Origin::Customer, Scope::All) => ALL,
        (Origin::Customer, Scope::Channel(channel)) => channel_bit(*channel),
        (Origin::Customer, _) => u64::from(classes & 0b1111) << CLASSES,
    }
}

/// Sets marks; whether any is new, and how many entries were added.
fn mark(stripe: &mut Stripe, hash: u64, number: u64, marks: u64, hasher: &RandomState) -> (bool, u64) {
    match stripe.numbers.find_mut(hash, |entry| *entry >> MARKS == number) {
        Some(entry) => {
            let before = *entry;
            *entry |= marks;
            (*entry != before, 0)
        }
        None => {
            stripe.numbers.insert_unique(hash, number << MARKS | marks, |entry| hasher.hash_one(entry >> MARKS));
            (true, 1)
        }
    }
}

/// Takes marks away; whether any was there, and how many entries went.
fn unmark(stripe: &mut Stripe, hash: u64, number: u64, marks: u64) -> (bool, u64) {
    let Ok(mut found) = stripe.numbers.find_entry(hash, |entry| *entry >> MARKS == number) else { return (false, 0) };
    let before = *found.get();
    *found.get_mut() &= !marks;
    if *found.get() & ((1 << MARKS) - 1) == 0 {
        found.remove();
        return (true, 1);
    }
    (before & marks != 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const NUMBER: u64 = 33_612_345_678;

    fn asked(class: Class, channel: Channel, from: &'static str, campaign: &'static str) -> Asked<'static> {
        Asked { number: NUMBER, class, channel, from, campaign }
    }

    fn is_stopped(index: &Index, class: Class) -> bool {
        index.ask(&asked(class, Channel::Sms, "SHOP", "xmas")).is_stopped
    }

    #[test]
    fn each_scope_stops_what_it_names_and_nothing_else() {
        let ordinary = asked(Class::Marketing, Channel::Sms, "Shop", "xmas");
        for (scope, stopped, free) in [
            (Scope::All, ordinary, None),
            (Scope::Class(Class::Marketing), ordinary, Some(Asked { class: Class::Otp, ..ordinary })),
            (Scope::Channel(Channel::Sms), ordinary, Some(Asked { channel: Channel::Voice, ..ordinary })),
            (Scope::Channel(Channel::Sms), Asked { channel: Channel::Mms, ..ordinary }, None),
            (Scope::Sender("SHOP".into()), ordinary, Some(Asked { from: "36111", ..ordinary })),
            (Scope::Campaign("xmas".into()), ordinary, Some(Asked { campaign: "", ..ordinary })),
        ] {
            let index = Index::default();
            assert!(index.add(NUMBER, Origin::Customer, &scope, scope.classes()), "{scope:?}");
            assert!(!index.add(NUMBER, Origin::Customer, &scope, scope.classes()), "nothing new");
            assert!(index.ask(&stopped).is_stopped, "{scope:?}");
            assert!(!index.ask(&Asked { number: NUMBER + 1, ..stopped }).is_stopped);
            if let Some(free) = free {
                assert!(!index.ask(&free).is_stopped, "{scope:?}");
            }
            assert!(index.lift(NUMBER, Origin::Customer, &scope));
            assert!(!index.ask(&stopped).is_stopped, "{scope:?}");
            assert!(!index.lift(NUMBER, Origin::Customer, &scope));
        }
    }

    #[test]
    fn what_the_recipient_said_and_what_the_customer_said_are_taken_back_apart() {
        let index = Index::default();
        index.add(NUMBER, Origin::Recipient, &Scope::All, 0b1100);
        assert!((is_stopped(&index, Class::Marketing), is_stopped(&index, Class::Otp)) == (true, false));
        index.add(NUMBER, Origin::Customer, &Scope::Class(Class::Marketing), 0b1000);
        assert!(index.lift(NUMBER, Origin::Recipient, &Scope::All));
        assert!((is_stopped(&index, Class::Marketing), is_stopped(&index, Class::Service)) == (true, false));
        assert!(index.lift(NUMBER, Origin::Customer, &Scope::Class(Class::Marketing)));
        assert!(!is_stopped(&index, Class::Marketing));
        assert_eq!(index.entries(), 0);
    }

    #[test]
    fn preferences_are_known_beside_opt_outs() {
        let index = Index::default();
        index.prefer(NUMBER, true);
        index.add(NUMBER, Origin::Customer, &Scope::All, 0b1111);
        let question = asked(Class::Otp, Channel::Sms, "S", "");
        assert_eq!(index.ask(&question), Known { is_stopped: true, prefers: true });
        index.prefer(NUMBER, false);
        assert_eq!(index.ask(&question), Known { is_stopped: true, prefers: false });
    }

    proptest! {
        #[test]
        fn an_index_is_the_set_of_its_rows(steps in prop::collection::vec((0..4u64, 0..2u8, 0..6usize, any::<bool>()), 1..200)) {
            let scopes = [
                Scope::All, Scope::Class(Class::Marketing), Scope::Class(Class::Otp), Scope::Channel(Channel::Sms),
                Scope::Sender("SHOP".into()), Scope::Campaign("xmas".into()),
            ];
            let index = Index::default();
            let mut rows: HashSet<(u64, u8, usize)> = HashSet::new();
            for (number, origin, scope, adds) in steps {
                let of = if origin == 0 { Origin::Recipient } else { Origin::Customer };
                // A recipient's row is one for the account, or one for a sender.
                let scope = if origin == 0 { if scope % 2 == 0 { 0 } else { 4 } } else { scope };
                let number = NUMBER + number;
                if adds {
                    prop_assert_eq!(index.add(number, of, &scopes[scope], scopes[scope].classes()), rows.insert((number, origin, scope)));
                } else {
                    prop_assert_eq!(index.lift(number, of, &scopes[scope]), rows.remove(&(number, origin, scope)));
                }
                for number in NUMBER..NUMBER + 4 {
                    for (class, campaign) in [(Class::Marketing, "xmas"), (Class::Service, "")] {
                        let stops = |(of, _, scope): &(u64, u8, usize)| *of == number && match scope {
                            0 | 3 | 4 => true,
                            1 => class == Class::Marketing,
                            2 => class == Class::Otp,
                            _ => campaign == "xmas",
                        };
                        let asked = Asked { number, class, channel: Channel::Sms, from: "shop", campaign };
                        prop_assert_eq!(index.ask(&asked).is_stopped, rows.iter().any(stops));
                    }
                }
            }
        }
    }
}
