//! Receipts that match nothing yet: they raced the response, came on another bind, or belong to nobody. Kept
//! with a bound and a time to live, and looked at again whenever a part gets its name.

use crate::base::{Mono, Span};
use crate::channel::session::{FORMS_MAX, Keys};
use crate::message::event::PartState;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// A receipt without a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Orphan {
    /// The carrier's name as the receipt wrote it.
    pub carrier_id: Box<str>,
    /// The other name it gave (text and TLV may be in different bases), or empty.
    pub other_id: Box<str>,
    /// The keys of both names.
    pub keys: [Keys; 2],
    /// The number the receipt is about, 0 when it could not be read.
    pub number: u64,
    /// What it says.
    pub state: PartState,
    /// The carrier's error text.
    pub error: Box<str>,
}

/// The orphans of one carrier.
#[derive(Debug)]
pub struct Orphans {
    held: HashMap<u64, Orphan, foldhash::fast::RandomState>,
    by_key: HashMap<(u8, u128), Vec<u64>, foldhash::fast::RandomState>,
    order: VecDeque<(Mono, u64)>,
    next: u64,
    max: usize,
    ttl: Span,
}

impl Orphans {
    /// At most `max` orphans for at most `ttl`.
    #[must_use]
    pub fn new(max: usize, ttl: Span) -> Orphans {
        Orphans { held: HashMap::default(), by_key: HashMap::default(), order: VecDeque::new(), next: 0, max, ttl }
    }

    /// Keeps an orphan; the oldest is given back when there is no room.
    pub fn keep(&mut self, orphan: Orphan, now: Mono) -> Option<Orphan> {
        let pushed_out = if self.held.len() >= self.max { self.drop_oldest() } else { None };
        let number = self.next;
        self.next += 1;
        for place in places(&orphan.keys) {
            self.by_key.entry(place).or_default().push(number);
        }
        self.held.insert(number, orphan);
        self.order.push_back((now, number));
        pushed_out
    }

    /// The orphans a freshly named part may claim, oldest first; they are no longer kept. With several forms open
    /// only those about the same number.
    pub fn claim(&mut self, keys: &Keys, form: Option<usize>, number: u64) -> Vec<Orphan> {
        if self.held.is_empty() {
            return Vec::new();
        }
        let mut numbers: Vec<u64> = (0..FORMS_MAX)
            .filter(|candidate| form.is_none_or(|form| form == *candidate))
            .filter_map(|candidate| keys.0[candidate].and_then(|key| self.by_key.get(&(candidate as u8, key))))
            .flatten()
            .copied()
            .filter(|orphan| form.is_some() || self.held.get(orphan).is_some_and(|orphan| orphan.number == number))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// The next orphan whose time is over.
    pub fn expired(&mut self, now: Mono) -> Option<Orphan> {
        loop {
            let (since, number) = *self.order.front()?;
            if self.held.contains_key(&number) && now.since(since) < self.ttl {
                return None;
            }
            self.order.pop_front();
            if let Some(orphan) = self.remove(number) {
                return Some(orphan);
            }
        }
    }

    fn drop_oldest(&mut self) -> Option<Orphan> {
        while let Some((_, number)) = self.order.pop_front() {
            if let Some(orphan) = self.remove(number) {
                return Some(orphan);
            }
        }
        None
    }

    fn remove(&mut self, number: u64) -> Option<Orphan> {
        let orphan = self.held.remove(&number)?;
        for place in places(&orphan.keys) {
            if let Some(list) = self.by_key.get_mut(&place) {
                list.retain(|held| *held != number);
                if list.is_empty() {
                    self.by_key.remove(&place);
                }
            }
        }
        Some(orphan)
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }
    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

/// Where an orphan is filed: once per form and name, without repetition.
fn places(keys: &[Keys; 2]) -> impl Iterator<Item = (u8, u128)> + '_ {
    (0..FORMS_MAX).flat_map(move |form| {
        let [first, second] = [keys[0].0[form], keys[1].0[form]];
        [first, second.filter(|key| Some(*key) != first)].into_iter().flatten().map(move |key| (form as u8, key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphan(key: u128, number: u64) -> Orphan {
        Orphan {
            carrier_id: key.to_string().into(),
            other_id: "".into(),
            keys: [Keys([Some(key), Some(key + 900), None, None]), Keys::default()],
            number,
            state: PartState::Delivered,
            error: "".into(),
        }
    }

    #[test]
    fn a_named_part_claims_its_orphans_once() {
        let mut orphans = Orphans::new(10, Span(100));
        orphans.keep(orphan(1, 33), Mono(0));
        orphans.keep(orphan(1, 33), Mono(1));
        orphans.keep(orphan(2, 34), Mono(2));
        assert_eq!(orphans.claim(&Keys([Some(1), None, None, None]), Some(0), 0).len(), 2);
        assert_eq!(orphans.claim(&Keys([Some(1), None, None, None]), Some(0), 0).len(), 0);
        assert_eq!(orphans.len(), 1);
    }

    #[test]
    fn while_forms_are_open_the_number_must_agree() {
        let mut orphans = Orphans::new(10, Span(100));
        orphans.keep(orphan(1, 33), Mono(0));
        let keys = Keys([None, Some(901), None, None]);
        assert_eq!(orphans.claim(&keys, None, 99).len(), 0);
        assert_eq!(orphans.claim(&keys, None, 33).len(), 1);
    }

    #[test]
    fn the_oldest_go_first_when_room_or_time_is_over() {
        let mut orphans = Orphans::new(2, Span(100));
        assert!(orphans.keep(orphan(1, 1), Mono(0)).is_none());
        assert!(orphans.keep(orphan(2, 2), Mono(50)).is_none());
        assert_eq!(orphans.keep(orphan(3, 3), Mono(60)), Some(orphan(1, 1)));
        assert_eq!(orphans.expired(Mono(149)), None);
        assert_eq!(orphans.expired(Mono(150)), Some(orphan(2, 2)));
        assert_eq!(orphans.expired(Mono(150)), None);
    }
}
