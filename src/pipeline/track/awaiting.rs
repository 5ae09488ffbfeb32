//! Which message a carrier's name stands for. A name has one key per *form* (way of comparing
//! ids). With one form the look-up is one probe. With several (the carrier's form is still being learnt) it tells whom
//! each form means, and the form that agrees with the recipients' numbers is chosen once it has proved itself; whom a single
//! receipt means until then is not decided here (`pipeline::desk`).

use crate::base::{MessageId, MessageRef, Mono};
use crate::channel::session::{FORMS_MAX, Keys, LITERAL_FORMS};
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

/// Whom a receipt means, under each form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Readings {
    /// By form.
    pub found: [Option<Awaited>; FORMS_MAX],
    /// The forms (bits) under which the recipient's number agrees.
    pub confirmed: u8,
}

impl Readings {
    /// Under these forms (bits) it means this part, for the same number. Gives those of them that are new.
    pub fn learn(&mut self, forms: u8, awaited: Awaited) -> u8 {
        (0..FORMS_MAX).filter(|form| forms >> form & 1 == 1).for_each(|form| self.found[form] = Some(awaited));
        let fresh = forms & !self.confirmed;
        self.confirmed |= forms;
        fresh
    }
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

    /// The message a receipt is about, once the form is known.
    #[must_use]
    pub fn find(&self, keys: &Keys) -> Option<Awaited> {
        keys.0[self.chosen?].and_then(|key| self.at(self.chosen?, key))
    }

    fn at(&self, form: usize, key: u128) -> Option<Awaited> {
        self.map.get(&marked(form, key)).map(|place| place.unpack())
    }

    /// Whom the names of a receipt mean under each form; the first name before the second. `agrees`: whether the message is for
    /// the receipt's number, `None` when it has ended (then it is meant only where it is named literally: a second receipt).
    #[must_use]
    pub fn readings(&self, keys: &[Keys; 2], agrees: impl Fn(MessageRef) -> Option<bool>) -> Readings {
        let mut readings = Readings::default();
        for form in self.forms() {
            for key in keys.iter().filter_map(|keys| keys.0[form]) {
                let Some(awaited) = self.at(form, key) else { continue };
                let agreed = agrees(awaited.at);
                if agreed.unwrap_or(form < LITERAL_FORMS) {
                    readings.found[form] = Some(awaited);
                    readings.confirmed |= u8::from(agreed == Some(true)) << form;
                    break;
                }
            }
        }
        readings
    }

    /// Whether a name is that of a part under some form.
    #[must_use]
    pub fn is_key_of(&self, keys: &Keys, awaited: Awaited) -> bool {
        self.forms().any(|form| keys.0[form].and_then(|key| self.at(form, key)) == Some(awaited))
    }

    /// A receipt was explained by these forms (bits): `true` when the form is known by that.
    pub fn explained(&mut self, forms: u8) -> bool {
        if self.chosen.is_some() {
            return false;
        }
        (0..FORMS_MAX).for_each(|form| self.hits[form] += u32::from(forms >> form & 1));
        self.choose();
        self.chosen.is_some()
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
    pub fn retire(&mut self, keys: &Keys, awaited: Awaited, now: Mono) {
        if self.marks.back().is_none_or(|(_, count)| self.retirements - count >= MARK_EVERY) {
            self.marks.push_back((now, self.retirements));
            let forgotten = self.retirements.saturating_sub(self.retired.len() as u64);
            while self.marks.get(1).is_some_and(|(_, count)| *count <= forgotten) {
                self.marks.pop_front();
            }
        }
        for form in self.forms() {
            let Some(key) = keys.0[form] else { continue };
            // Under another form it may be another part's.
            if self.chosen.is_none() && self.at(form, key) != Some(awaited) {
                continue;
            }
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
        assert_eq!(awaiting.find(&keys(7, 0)), Some(awaited(2)));
        assert_eq!(awaiting.find(&keys(8, 0)), None);
    }

    #[test]
    fn the_form_is_learnt_from_confirmed_matches_only() {
        let mut awaiting = Awaiting::new(None, 1_000);
        for n in 0..100u32 {
            // Under form 0 the receipt's key names the next message: always wrong, and the number tells.
            awaiting.insert(&keys(u128::from(n), u128::from(n) + 5_000), awaited(n));
        }
        for n in 0..CONFIDENT {
            let receipt = [keys(u128::from(n) + 1, u128::from(n) + 5_000), Keys::default()];
            let readings = awaiting.readings(&receipt, |at| Some(at == awaited(n).at));
            assert_eq!(readings.found, [None, Some(awaited(n)), None, None]);
            assert_eq!(awaiting.explained(readings.confirmed), n + 1 == CONFIDENT);
        }
        assert_eq!(awaiting.chosen(), Some(1));
        assert_eq!(awaiting.find(&keys(3, 5_050)), Some(awaited(50)));
    }

    #[test]
    fn while_forms_are_open_a_settled_name_is_forgotten_only_for_its_own_part() {
        let mut awaiting = Awaiting::new(None, 1);
        awaiting.insert(&keys(13, 19), awaited(13));
        awaiting.insert(&keys(19, 25), awaited(19));
        // Under the second form the name 19 is the first part's.
        awaiting.retire(&keys(19, 19), awaited(19), Mono(0));
        awaiting.insert(&keys(77, 78), awaited(77));
        awaiting.retire(&keys(77, 78), awaited(77), Mono(1));
        let readings = awaiting.readings(&[keys(19, 19), Keys::default()], |_| Some(true));
        assert_eq!(readings.found, [None, Some(awaited(13)), None, None]);
    }

    #[test]
    fn settled_names_are_remembered_up_to_a_bound_and_swept_after() {
        let mut awaiting = Awaiting::new(Some(0), 2);
        for n in 0..4 {
            awaiting.insert(&keys(n, 0), awaited(n as u32));
        }
        for n in 0..3 {
            awaiting.retire(&keys(n, 0), awaited(n as u32), Mono(n as u64));
        }
        assert_eq!(awaiting.find(&keys(0, 0)), None);
        assert_eq!(awaiting.find(&keys(2, 0)), Some(awaited(2)));
        awaiting.sweep(|_| false);
        assert_eq!(awaiting.len(), 2);
    }
}
