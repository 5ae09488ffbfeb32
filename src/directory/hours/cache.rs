//! Sheets of decisions already worked out, owned by whoever asks (one a shard): a hit is a hash and two short searches.
//! Bounded; it empties itself when full and when the rules or zones are new. Never wrong, only empty.

use super::refs::{Ask, CalendarRef, RuleRef, Zone};
use super::sheet::Sheet;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// The sheets kept when nobody says otherwise: all rules of the pack for a week, with room. About 300 octets each.
pub const SHEETS: usize = 4_096;

/// Kept sheets, by question and day of UTC.
#[derive(Debug)]
pub struct HoursCache {
    stamp: u32,
    most: usize,
    hasher: FixedState,
    kept: HashTable<Kept>,
}

#[derive(Debug)]
struct Kept {
    hash: u64,
    day: i64,
    calendar: CalendarRef,
    margin: u64,
    rules: Box<[RuleRef]>,
    zones: Box<[Zone]>,
    sheet: Sheet,
}

impl HoursCache {
    /// An empty cache of at most `most` sheets (at least 1).
    #[must_use]
    pub fn new(most: usize) -> HoursCache {
        HoursCache { stamp: 0, most: most.max(1), hasher: FixedState::default(), kept: HashTable::new() }
    }

    /// How many sheets are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn sheet(&mut self, stamp: u32, ask: &Ask<'_>, day: i64, make: impl FnOnce() -> Sheet) -> &Sheet {
        if stamp != self.stamp {
            self.kept.clear();
            self.stamp = stamp;
        }
        let hash = self.hasher.hash_one((ask, day));
        let same = |kept: &Kept| {
            kept.hash == hash
                && kept.day == day
                && kept.calendar == ask.calendar
                && kept.margin == ask.margin.0
                && *kept.rules == *ask.rules
                && *kept.zones == *ask.zones
        };
        if self.kept.len() >= self.most && self.kept.find(hash, same).is_none() {
            self.kept.clear();
        }
        let entry = self.kept.entry(hash, same, |kept| kept.hash).or_insert_with(|| Kept {
            hash,
            day,
            calendar: ask.calendar,
            margin: ask.margin.0,
            rules: ask.rules.into(),
            zones: ask.zones.into(),
            sheet: make(),
        });
        &entry.into_mut().sheet
    }
}

impl Default for HoursCache {
    fn default() -> HoursCache {
        HoursCache::new(SHEETS)
    }
}
