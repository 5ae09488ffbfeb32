//! Which message a carrier's name stands for. A name has one key per *form* (way of comparing
//! ids). With one form the look-up is one probe. With several (the carrier's form is still being learnt) a
//! match must be confirmed by the recipient's number, and the form that matches is chosen once it has proved
//! itself: a wrong match can not happen silently.

use crate::base::{MessageId, MessageRef, Mono};
use crate::channel::session::{FORMS_MAX, Keys};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Matches after which a form is believed, when no other form matched anything.
const CONFIDENT: u32 = 20;

/// One mark of time for so many settled parts.
const MARK_EVERY: u64 = 1_000;

/// The message and part behind a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// The message.
    pub at: MessageRef,
    /// The part.
    pub part: u8,
}

/// 12 octets instead of 24: ordinals fit 24 bits, parts 8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    frame: MessageId,
    packed: u32,
}

impl Place {
    fn pack(awaited: Awaited) -> Place {
        Place { frame: awaited.at.frame, packed: awaited.at.ordinal << 8 | u32::from(awaited.part) }
    }
    fn unpack(self) -> Awaited {
        Awaited { at: MessageRef { frame: self.frame, ordinal: self.packed >> 8 }, part: self.packed as u8 }
    }
}

/// All parts of one carrier that wait for a receipt, and for a while those that have had theirs.
#[derive(Debug)]
pub struct Awaiting {
    map: HashMap<u128, Place, foldhash::fast::RandomState>,
    /// Keys of parts that are settled, oldest first: a second receipt is recognised as such while it is here.
    retired: VecDeque<u128>,
    retired_max: usize,
    /// How many were retired, and now and then when the count stood where.
    retirements: u64,
    marks: VecDeque<(Mono, u64)>,
    chosen: Option<usize>,
    hits: [u32; FORMS_MAX],
}

/// The bits of a key that say its form, so that different forms never meet (`channel::session::Keys` leaves them
/// zero).
const MARKS: [u128; FORMS_MAX] = [0, 0x20 << 120, 0x80 << 120, 0xA0 << 120];

fn marked(form: usize, key: u128) -> u128 {
    debug_assert!(key & MARKS[3] == 0, "a channel's key leaves the marks free");
    key & !MARKS[3] | MARKS[form]
}

fn form_of(marked: u128) -> usize {
    MARKS.iter().position(|mark| marked & MARKS[3] == *mark).unwrap_or(0)
}

impl Awaiting {
    /// `form`: the carrier's form if it is known. `retired_max`: how many settled parts are remembered.
    #[must_use]
    pub fn new(form: Option<usize>, retired_max: usize) -> Awaiting {
        Awaiting {
            map: HashMap::default(),
            retired: VecDeque::new(),
            retired_max,
            retirements: 0,
            marks: VecDeque::new(),
            chosen: form,
            hits: [0; FORMS_MAX],
        }
    }

    fn forms(&self) -> std::ops::Range<usize> {
        match self.chosen {
            Some(form) => form..form + 1,
            None => 0..FORMS_MAX,
        }
    }

    /// A part got its name.
    pub fn insert(&mut self, keys: &Keys, awaited: Awaited) {
        for form in self.forms() {
            if let Some(key) = keys.0[form] {
                // A name used again stands for the newest message.
                self.map.insert(marked(form, key), Place::pack(awaited));
            }
        }
    }

    /// The message a receipt is about. While the form is open, `confirm` must agree (it compares the number).
    pub fn find(&mut self, keys: &Keys, confirm: impl Fn(Awaited) -> bool) -> Option<Awaited> {
        if let Some(form) = self.chosen {
            return keys.0[form].and_then(|key| self.map.get(&marked(form, key))).map(|place| place.unpack());
        }
        let mut found = None;
        for form in self.forms() {
            let Some(place) = keys.0[form].and_then(|key| self.map.get(&marked(form, key))) else { continue };
            if confirm(place.unpack()) {
                self.hits[form] += 1;
                found.get_or_insert(place.unpack());
            }
        }
        self.choose();
        found
    }

    /// Chooses the form that matched often enough while no other did better. Forms that agree on an id (plain
    /// digits compare equal as text and as numbers) hit together: the first of them is taken.
    fn choose(&mut self) {
        let best = (0..FORMS_MAX).max_by_key(|form| (self.hits[*form], std::cmp::Reverse(*form))).unwrap_or(0);
        if self.hits[best] < CONFIDENT {
            return;
        }
        self.chosen = Some(best);
        self.map.retain(|key, _| form_of(*key) == best);
        self.retired.retain(|key| form_of(*key) == best);
    }

    /// The form that was chosen or learnt, if it is known.
    #[must_use]
    pub const fn chosen(&self) -> Option<usize> {
        self.chosen
    }

    /// How often each form has matched while learning.
    #[must_use]
    pub const fn hits(&self) -> [u32; FORMS_MAX] {
        self.hits
    }

    /// A part has its final receipt: its name is remembered for a second one.
    pub fn retire(&mut self, keys: &Keys, now: Mono) {
        if self.marks.back().is_none_or(|(_, count)| self.retirements - count >= MARK_EVERY) {
            self.marks.push_back((now, self.retirements));
            let forgotten = self.retirements.saturating_sub(self.retired.len() as u64);
            while self.marks.get(1).is_some_and(|(_, count)| *count <= forgotten) {
                self.marks.pop_front();
            }
        }
        for form in self.forms() {
            let Some(key) = keys.0[form] else { continue };
            self.retired.push_back(marked(form, key));
            self.retirements += 1;
            if self.retired.len() > self.retired_max
                && let Some(old) = self.retired.pop_front()
            {
                self.map.remove(&old);
            }
        }
    }

    /// Names retired up to this instant may be forgotten; `None` when none is.
    #[must_use]
    pub fn forgotten(&self) -> Option<Mono> {
        let forgotten = self.retirements.saturating_sub(self.retired.len() as u64);
        let next = self.marks.iter().find(|(_, count)| *count >= forgotten);
        (forgotten > 0).then(|| next.map_or(Mono(u64::MAX), |(at, _)| *at))
    }

    /// Forgets names whose message `is_open` denies and that are not among the remembered.
    pub fn sweep(&mut self, is_open: impl Fn(MessageRef) -> bool) {
        let retired: std::collections::HashSet<u128> = self.retired.iter().copied().collect();
        self.map.retain(|key, place| retired.contains(key) || is_open(place.unpack().at));
    }

    /// How many names are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }
    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awaited(n: u32) -> Awaited {
        Awaited { at: MessageRef { frame: MessageId(1 << 30), ordinal: n }, part: 1 }
    }
    fn keys(first: u128, second: u128) -> Keys {
        Keys([Some(first), Some(second), None, None])
    }

    #[test]
    fn a_known_form_is_one_probe_and_the_newest_use_of_a_name_wins() {
        let mut awaiting = Awaiting::new(Some(0), 10);
        awaiting.insert(&keys(7, 0), awaited(1));
        awaiting.insert(&keys(7, 0), awaited(2));
        assert_eq!(awaiting.find(&keys(7, 0), |_| false), Some(awaited(2)));
        assert_eq!(awaiting.find(&keys(8, 0), |_| true), None);
    }

    #[test]
    fn the_form_is_learnt_from_confirmed_matches_only() {
        let mut awaiting = Awaiting::new(None, 1_000);
        for n in 0..100u32 {
            // Under form 0 the receipt's key names the next message: always wrong, and the number tells.
            awaiting.insert(&keys(u128::from(n), u128::from(n) + 5_000), awaited(n));
        }
        for n in 0..CONFIDENT {
            let receipt = keys(u128::from(n) + 1, u128::from(n) + 5_000);
            assert_eq!(awaiting.find(&receipt, |found| found == awaited(n)), Some(awaited(n)));
        }
        assert_eq!(awaiting.chosen(), Some(1));
        assert_eq!(awaiting.find(&keys(3, 5_050), |_| false), Some(awaited(50)));
    }

    #[test]
    fn settled_names_are_remembered_up_to_a_bound_and_swept_after() {
        let mut awaiting = Awaiting::new(Some(0), 2);
        for n in 0..4 {
            awaiting.insert(&keys(n, 0), awaited(n as u32));
        }
        for n in 0..3 {
            awaiting.retire(&keys(n, 0), Mono(n as u64));
        }
        assert_eq!(awaiting.find(&keys(0, 0), |_| true), None);
        assert_eq!(awaiting.find(&keys(2, 0), |_| true), Some(awaited(2)));
        awaiting.sweep(|_| false);
        assert_eq!(awaiting.len(), 2);
    }
}
