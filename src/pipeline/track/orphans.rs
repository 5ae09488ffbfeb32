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
    /// Our reference, when the carrier echoed it.
    pub reference: Option<u16>,
    /// When the carrier says it took the message, in seconds of its own local time; 0 when it does not say.
    pub submit_date: i64,
    /// What it says.
    pub state: PartState,
    /// The carrier's error text.
    pub error: Box<str>,
}

/// The orphans of one carrier.
#[derive(Debug)]
pub struct Orphans {
    held: HashMap<u64, (Mono, Orphan), foldhash::fast::RandomState>,
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
    /// `now` is when it came; not before that of the one kept last.
    pub fn keep(&mut self, orphan: Orphan, now: Mono) -> Option<Orphan> {
        let pushed_out = if self.held.len() >= self.max { self.drop_oldest() } else { None };
        let number = self.next;
        self.next += 1;
        for place in places(&orphan) {
            self.by_key.entry(place).or_default().push(number);
        }
        self.held.insert(number, (now, orphan));
        self.order.push_back((now, number));
        pushed_out
    }

    /// The orphans a freshly named part may claim, oldest first; they are no longer kept. One that came before the part was
    /// `written` is about another message, whose name was used again.
    pub fn claim(&mut self, keys: &Keys, form: usize, written: Option<Mono>) -> Vec<Orphan> {
        if self.held.is_empty() || crate::base::planted::is("orphan-not-claimed") {
            return Vec::new();
        }
        let named = keys.0[form].and_then(|key| self.by_key.get(&(form as u8, key)));
        let places: Vec<u64> = named.into_iter().flatten().copied().filter(|place| self.came_after(*place, written)).collect();
        places.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    /// While forms are open: the orphans about a number that a freshly named part for it may claim, oldest first: their place, the
    /// forms (bits) under which they have its name, and when they came.
    #[must_use]
    pub fn of_name(&self, keys: &Keys, number: u64, written: Option<Mono>) -> Vec<(u64, u8, Mono)> {
        let mut found: Vec<(u64, u8, Mono)> = Vec::new();
        for form in (0..FORMS_MAX).filter(|_| !self.held.is_empty() && !crate::base::planted::is("orphan-not-claimed")) {
            let named = keys.0[form].and_then(|key| self.by_key.get(&(form as u8, key)));
            for place in named.into_iter().flatten().copied().filter(|place| self.came_after(*place, written)) {
                let Some((came, _)) = self.held.get(&place).filter(|(_, orphan)| orphan.number == number) else { continue };
                match found.iter_mut().find(|(known, ..)| *known == place) {
                    Some((_, forms, _)) => *forms |= 1 << form,
                    None => found.push((place, 1 << form, *came)),
                }
            }
        }
        found.sort_unstable();
        found
    }

    fn came_after(&self, place: u64, written: Option<Mono>) -> bool {
        self.held.get(&place).is_some_and(|(came, _)| written.is_none_or(|written| *came >= written))
    }

    /// When the one came that is kept longest.
    #[must_use]
    pub fn oldest(&self) -> Option<Mono> {
        self.order.front().map(|(came, _)| *came)
    }

    /// The place of the orphan that was kept last.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// The orphan at a place, if it is still kept.
    #[must_use]
    pub fn at(&self, place: u64) -> Option<&Orphan> {
        self.held.get(&place).map(|(_, orphan)| orphan)
    }

    /// The orphans about a number, oldest first, each with its place.
    pub fn about(&self, number: u64) -> impl Iterator<Item = (u64, &Orphan)> {
        let places = self.by_key.get(&(ABOUT, u128::from(number))).filter(|_| number != 0);
        places.into_iter().flatten().filter_map(|place| Some((*place, &self.held.get(place)?.1)))
    }

    /// The orphan at a place, no longer kept.
    pub fn take(&mut self, place: u64) -> Option<Orphan> {
        self.remove(place)
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
        let (_, orphan) = self.held.remove(&number)?;
        for place in places(&orphan) {
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

/// Where orphans are filed by number: no form has this one.
const ABOUT: u8 = FORMS_MAX as u8;

/// Where an orphan is filed: once per form and name, without repetition, and by its number.
fn places(orphan: &Orphan) -> impl Iterator<Item = (u8, u128)> + '_ {
    let named = (0..FORMS_MAX).flat_map(move |form| {
        let [first, second] = [orphan.keys[0].0[form], orphan.keys[1].0[form]];
        [first, second.filter(|key| Some(*key) != first)].into_iter().flatten().map(move |key| (form as u8, key))
    });
    named.chain((orphan.number != 0).then_some((ABOUT, u128::from(orphan.number))))
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
            reference: None,
            submit_date: 0,
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
        assert_eq!(orphans.claim(&Keys([Some(1), None, None, None]), 0, None).len(), 2);
        assert_eq!(orphans.claim(&Keys([Some(1), None, None, None]), 0, None).len(), 0);
        assert_eq!(orphans.len(), 1);
    }

    #[test]
    fn a_name_that_is_used_again_does_not_claim_what_came_before_its_submit() {
        let mut orphans = Orphans::new(10, Span(100));
        orphans.keep(orphan(1, 33), Mono(5));
        let keys = Keys([Some(1), None, None, None]);
        assert_eq!(orphans.claim(&keys, 0, Some(Mono(6))).len(), 0);
        assert_eq!(orphans.about(33).count(), 1);
        assert_eq!(orphans.claim(&keys, 0, Some(Mono(5))).len(), 1);
        assert_eq!(orphans.about(33).count(), 0);
    }

    #[test]
    fn while_forms_are_open_the_number_must_agree() {
        let mut orphans = Orphans::new(10, Span(100));
        orphans.keep(orphan(1, 33), Mono(0));
        let keys = Keys([None, Some(901), None, None]);
        assert_eq!(orphans.of_name(&keys, 99, None), []);
        assert_eq!(orphans.of_name(&keys, 33, None), [(0, 0b10, Mono(0))]);
        assert!(orphans.take(0).is_some() && orphans.at(0).is_none());
        assert_eq!(orphans.of_name(&keys, 33, None), []);
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
