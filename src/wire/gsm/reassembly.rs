//! Parts of long texts from handsets, put together again (3GPP TS 23.040 clause 9.2.3.24.1).
//!
//! In: parts in any order, twice, from any bind of one carrier, and `now`. Out: whole texts, and after a while those
//! with holes. A machine without a clock: the caller asks [`Reassembly::due`] after each part and at [`Reassembly::next_at`].
//!
//! Nothing fails and nothing that came is lost: what makes no sense as a part, or finds no room, is given back at once.
//! Memory is bounded by [`Bounds`] and one part more. Octets are put together before they are decoded, because some
//! senders cut escape pairs and surrogate pairs.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::base::{Mono, Span};

use super::udh::ConcatRef;

/// How much waits, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Texts with holes at once; also how many whole ones are remembered.
    pub texts_max: usize,
    /// Octets of their parts, with what keeping a part takes (some dozens of octets each).
    pub octets_max: usize,
    /// From the first part of a text until it is given with its holes.
    pub wait: Span,
}

impl Bounds {
    /// A hundred thousand texts of some hundred octets, ten minutes: the far end of what networks need to bring a part
    /// that was sent again, and some tens of megabytes at worst.
    pub const DEFAULT: Bounds = Bounds { texts_max: 100_000, octets_max: 32 << 20, wait: Span::secs(600) };
}

/// Whose part, of which text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key<'a> {
    /// The handset's number as the carrier writes it.
    pub source: &'a str,
    /// Our number.
    pub destination: &'a str,
    /// How wide the reference is: references of different widths are different ones.
    pub width: ConcatRef,
    /// The same in all parts of the text.
    pub reference: u16,
    /// Number of parts as announced; 0 makes no sense.
    pub total: u8,
}

/// One part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// Its place, from 1; beyond the total it makes no sense.
    pub sequence: u8,
    /// How the caller will decode the octets (data coding, national tables): parts of one coding are joined.
    pub coding: u32,
    /// The user data behind the header, unpacked.
    pub octets: &'a [u8],
    /// The caller's name of this part.
    pub id: u64,
}

/// A text with all or some of its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whole {
    /// From whom.
    pub source: String,
    /// To whom.
    pub destination: String,
    /// How many parts it has, 1 for what was no part of a longer text.
    pub total: u8,
    /// How many of them are here; fewer than `total` = incomplete.
    pub present: u8,
    /// When its first part came.
    pub since: Mono,
    /// Octets in order, joined as long as neither a hole nor another coding comes between.
    pub runs: Vec<Run>,
    /// The caller's names of the parts that are here, in the order of their places.
    pub ids: Vec<u64>,
}

/// Octets that may be decoded together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// As in [`Part`].
    pub coding: u32,
    /// Whether parts are missing before these octets.
    pub after_hole: bool,
    /// One or more parts.
    pub octets: Vec<u8>,
}

impl Whole {
    /// Whether no part is missing.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.present >= self.total
    }

    /// A part that stands for itself.
    fn alone(key: Key<'_>, part: Part<'_>, total: u8, since: Mono) -> Whole {
        Whole {
            source: key.source.to_owned(),
            destination: key.destination.to_owned(),
            total,
            present: 1,
            since,
            runs: vec![Run { coding: part.coding, after_hole: total > 1 && part.sequence > 1, octets: part.octets.to_vec() }],
            ids: vec![part.id],
        }
    }
}

/// The machine; one for all binds of a carrier.
#[derive(Debug)]
pub struct Reassembly {
    bounds: Bounds,
    open: Aged<Text>,
    /// Digests of the parts of texts that are whole: a part that comes again is told from a new text by them.
    done: Aged<Box<[u64]>>,
    octets: usize,
    /// Parts that were taken in and not dropped, over all time.
    taken: u64,
    /// The octets of a key, built here so that looking one up does not allocate.
    name: Vec<u8>,
}

impl Reassembly {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Bounds) -> Reassembly {
        Reassembly { bounds, open: Aged::default(), done: Aged::default(), octets: 0, taken: 0, name: Vec::new() }
    }

    /// Takes a part. Gives the text it completes; or at once what is no part of a longer text (total below 2, place 0 or
    /// beyond the total: the clause wants the element ignored); or an older text whose reference the part takes over,
    /// with its holes; or, if bounds are overrun because nobody asked [`Reassembly::due`], the part itself.
    ///
    /// A part that is here already, or that belongs to a text already given, is dropped.
    pub fn part(&mut self, key: Key<'_>, part: Part<'_>, now: Mono) -> Option<Whole> {
        if key.total < 2 || part.sequence == 0 || part.sequence > key.total {
            return Some(Whole::alone(key, part, 1, now));
        }
        write_name(key, &mut self.name);
        let digest = digest(part);
        let Some(text) = self.open.get_mut(&self.name) else {
            return self.begin(key, part, digest, now);
        };
        let is_over = self.octets > self.bounds.octets_max;
        match text.find(part.sequence) {
            Ok(at) if text.slots[at].digest == digest => None,
            // The handset's counter has come round before the older text was whole.
            Ok(_) if !is_over => {
                let older = self.close(now);
                self.begin(key, part, digest, now);
                older
            }
            Err(at) if !is_over || text.present() + 1 == key.total => {
                text.put(at, part, digest);
                self.octets += cost(part.octets);
                self.taken += 1;
                if text.present() == key.total { self.close(now) } else { None }
            }
            _ => Some(Whole::alone(key, part, key.total, now)),
        }
    }

    /// The next text that has waited long enough or must make room, with its holes. To be asked until it gives none.
    pub fn due(&mut self, now: Mono) -> Option<Whole> {
        while self.done.oldest().is_some_and(|at| at + self.bounds.wait <= now) {
            self.done.take_oldest();
        }
        loop {
            let is_over = self.open.len() > self.bounds.texts_max || self.octets > self.bounds.octets_max;
            let is_late = self.open.oldest().is_some_and(|at| at + self.bounds.wait <= now);
            if !(is_over || is_late) {
                return None;
            }
            let (name, since, text) = self.open.take_oldest()?;
            self.octets -= text.octets();
            if !text.is_echo() {
                return Some(text.whole(&name, since));
            }
        }
    }

    /// When [`Reassembly::due`] should be asked next if no part comes.
    #[must_use]
    pub fn next_at(&self) -> Option<Mono> {
        self.open.oldest().map(|at| at + self.bounds.wait)
    }

    /// How many texts wait, and the octets of their parts.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.open.len(), self.octets)
    }

    /// Parts that were taken in and not dropped, over all time: whether it has grown tells whether a part is new.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether neither a text waits nor a whole one is remembered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.len() == 0 && self.done.len() == 0
    }

    /// Every text that waits, oldest first, with its holes: at the end of a carrier or of the process.
    pub fn drain(&mut self) -> impl Iterator<Item = Whole> + '_ {
        self.octets = 0;
        self.done = Aged::default();
        std::iter::from_fn(|| self.open.take_oldest())
            .filter(|(_, _, text)| !text.is_echo())
            .map(|(name, since, text)| text.whole(&name, since))
    }

    /// The first part of a text that has at least two.
    fn begin(&mut self, key: Key<'_>, part: Part<'_>, digest: u64, now: Mono) -> Option<Whole> {
        if self.open.len() > self.bounds.texts_max || self.octets > self.bounds.octets_max {
            return Some(Whole::alone(key, part, key.total, now));
        }
        let mut text = Text { total: key.total, slots: Vec::new(), before: self.done.get_mut(&self.name).map(|before| before.clone()) };
        text.put(0, part, digest);
        self.octets += cost(part.octets);
        self.taken += 1;
        self.open.insert(&self.name, now, text);
        None
    }

    /// Takes the named text out. One that only repeats the text given before it is dropped.
    fn close(&mut self, now: Mono) -> Option<Whole> {
        let (since, text) = self.open.remove(&self.name)?;
        self.octets -= text.octets();
        if text.is_echo() {
            return None;
        }
        if text.present() == text.total {
            self.done.remove(&self.name);
            self.done.insert(&self.name, now, text.slots.iter().map(|slot| slot.digest).collect());
            if self.done.len() > self.bounds.texts_max {
                self.done.take_oldest();
            }
        }
        Some(text.whole(&self.name, since))
    }
}

/// A text with holes. Only what is here takes room, whatever total was announced.
#[derive(Debug)]
struct Text {
    total: u8,
    /// By sequence, rising.
    slots: Vec<Slot>,
    /// The whole text that had the same name before, by the digests of its parts. A carrier that missed our answer
    /// sends parts again: as long as they are the same, this is that text once more and not a new one.
    before: Option<Box<[u64]>>,
}

#[derive(Debug)]
struct Slot {
    digest: u64,
    octets: Box<[u8]>,
    id: u64,
    coding: u32,
    sequence: u8,
}

/// What keeping a part takes.
const fn cost(octets: &[u8]) -> usize {
    octets.len() + size_of::<Slot>()
}

impl Text {
    /// Where the part is, or where it belongs.
    fn find(&self, sequence: u8) -> Result<usize, usize> {
        self.slots.binary_search_by_key(&sequence, |slot| slot.sequence)
    }

    fn put(&mut self, at: usize, part: Part<'_>, digest: u64) {
        let place = usize::from(part.sequence - 1);
        if self.before.as_ref().is_some_and(|before| before.get(place) != Some(&digest)) {
            self.before = None;
        }
        self.slots.insert(at, Slot { digest, octets: part.octets.into(), id: part.id, coding: part.coding, sequence: part.sequence });
    }

    fn is_echo(&self) -> bool {
        self.before.is_some()
    }

    fn present(&self) -> u8 {
        self.slots.len() as u8
    }

    fn octets(&self) -> usize {
        self.slots.iter().map(|slot| cost(&slot.octets)).sum()
    }

    fn whole(self, name: &[u8], since: Mono) -> Whole {
        let (source, destination) = read_name(name);
        let (total, present) = (self.total, self.present());
        let (mut runs, mut expected): (Vec<Run>, _) = (Vec::new(), 1);
        let ids = self.slots.iter().map(|slot| slot.id).collect();
        for slot in self.slots {
            let after_hole = slot.sequence != expected;
            match runs.last_mut() {
                Some(run) if run.coding == slot.coding && !after_hole => run.octets.extend_from_slice(&slot.octets),
                _ => runs.push(Run { coding: slot.coding, after_hole, octets: slot.octets.into() }),
            }
            expected = slot.sequence.saturating_add(1);
        }
        Whole { source, destination, total, present, since, runs, ids }
    }
}

/// What tells a part that came twice from another with the same place. Somebody who makes two of his own parts collide
/// loses one of them, nobody else's.
fn digest(part: Part<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.coding.hash(&mut hasher);
    part.octets.hash(&mut hasher);
    hasher.finish()
}

/// A key as octets: lengths are part of it, so that no two keys are written alike.
fn write_name(key: Key<'_>, name: &mut Vec<u8>) {
    name.clear();
    name.push(key.width.header_octets() as u8);
    name.push(key.total);
    name.extend_from_slice(&key.reference.to_be_bytes());
    name.extend_from_slice(&(key.source.len() as u32).to_be_bytes());
    name.extend_from_slice(key.source.as_bytes());
    name.extend_from_slice(key.destination.as_bytes());
}

/// Source and destination of a written key.
fn read_name(name: &[u8]) -> (String, String) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let (Some(length), Some(rest)) = (name.get(4..).and_then(<[u8]>::first_chunk::<4>), name.get(8..)) else { return Default::default() };
    let (source, destination) = rest.split_at(rest.len().min(u32::from_be_bytes(*length) as usize));
    (text(source), text(destination))
}

/// A map that knows which of its entries is the oldest. Ordered, not hashed: keys are chosen by strangers.
#[derive(Debug)]
struct Aged<T> {
    entries: BTreeMap<Box<[u8]>, (Age, T)>,
    ages: BTreeMap<Age, Box<[u8]>>,
    /// Tells entries of one instant apart.
    count: u64,
}

type Age = (Mono, u64);

impl<T> Default for Aged<T> {
    fn default() -> Aged<T> {
        Aged { entries: BTreeMap::new(), ages: BTreeMap::new(), count: 0 }
    }
}

impl<T> Aged<T> {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn get_mut(&mut self, name: &[u8]) -> Option<&mut T> {
        self.entries.get_mut(name).map(|entry| &mut entry.1)
    }

    /// The name must not be there.
    fn insert(&mut self, name: &[u8], now: Mono, value: T) {
        let age = (now, self.count);
        self.count += 1;
        self.ages.insert(age, name.into());
        let former = self.entries.insert(name.into(), (age, value));
        assert!(former.is_none(), "an entry is taken out before its name is used again");
    }

    fn remove(&mut self, name: &[u8]) -> Option<(Mono, T)> {
        let (age, value) = self.entries.remove(name)?;
        self.ages.remove(&age);
        Some((age.0, value))
    }

    /// When the oldest came.
    fn oldest(&self) -> Option<Mono> {
        self.ages.first_key_value().map(|(age, _)| age.0)
    }

    fn take_oldest(&mut self) -> Option<(Box<[u8]>, Mono, T)> {
        let (_, name) = self.ages.pop_first()?;
        let (age, value) = self.entries.remove(&name)?;
        Some((name, age.0, value))
    }
}

#[cfg(test)]
#[path = "reassembly_tests.rs"]
mod tests;
