//! References of long texts: what tells the parts of one from those of another on the same handset (3GPP TS 23.040
//! clause 9.2.3.24.1). In: who writes to whom, and when. Out: a number whose low 8 or 16 bits travel. Pure, one table
//! a carrier, of fixed size.
//!
//! A place in the table serves all pairs of sender and recipient whose hash it is. Its value is
//! `max(value + 1, seconds / 4)`, so that
//!
//! - it only rises: two long texts of one pair differ, unless 256 long texts of the place are between them, or 1024
//!   seconds (65,536 and three days with 16 bits); both are beyond the ten minutes for which parts are kept;
//! - it needs no journal of its own: after a restart the clock is ahead of every place that saw fewer than one long
//!   text in four seconds, and [`References::after`] lifts the floor above every reference of a lease that is still
//!   open, so that nothing unfinished is met again. What is finished is on the handset, or will never be;
//! - a resend does not come here: its reference is in its lease.

use crate::base::Time;

/// Places; 64 KiB a carrier once it has sent a long text. A thousand long texts a second are one in 16 seconds a place,
/// well below what the clock runs ahead.
const PLACES: usize = 16_384;

/// Milliseconds of a step of the clock: 256 steps are 17 minutes.
const STEP_MS: i64 = 4_000;

/// See the module.
#[derive(Debug, Default)]
pub struct References {
    places: Vec<u32>,
    floor: u32,
}

impl References {
    /// Nothing below or equal to `seen`, a reference of an open lease, is given any more.
    pub fn after(&mut self, seen: u32) {
        self.floor = self.floor.max(seen.saturating_add(1));
    }

    /// The reference of a new long text; never 0.
    pub fn next(&mut self, from: &[u8], to: u64, now: Time) -> u32 {
        if self.places.is_empty() {
            self.places.resize(PLACES, 0);
        }
        let clock = u32::try_from(now.0.max(0) / STEP_MS).unwrap_or(u32::MAX);
        let place = &mut self.places[place(from, to)];
        *place = place.saturating_add(1).max(clock).max(self.floor).max(1);
        *place
    }
}

/// FNV-1a with a finisher, as for search keys: quick on short values. Whoever makes two of his own pairs collide wins
/// nothing: the place only rises faster.
fn place(from: &[u8], to: u64) -> usize {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for octet in from.iter().copied().chain(to.to_le_bytes()) {
        hash = (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 40) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    const NOW: Time = Time(1_800_000_000_000);

    #[test]
    fn two_hundred_and_fifty_six_long_texts_in_a_row_to_one_number_all_differ_in_eight_bits() {
        let mut references = References::default();
        let seen: HashSet<u8> = (0..256).map(|_| references.next(b"SHOP", 33_612_345_678, NOW) as u8).collect();
        assert_eq!(seen.len(), 256);
    }

    #[test]
    fn a_restart_a_step_later_goes_on_above_and_so_does_one_at_once_when_leases_are_open() {
        let mut before = References::default();
        let last = before.next(b"SHOP", 33_612_345_678, NOW);
        let mut later = References::default();
        assert!(later.next(b"SHOP", 33_612_345_678, Time(NOW.0 + STEP_MS)) > last);
        let mut at_once = References::default();
        at_once.after(last);
        assert!(at_once.next(b"SHOP", 33_612_345_678, NOW) > last);
    }

    proptest! {
        /// The documented bound, on a busy carrier: within ten minutes no pair meets a reference again.
        #[test]
        fn no_pair_meets_a_reference_again_within_ten_minutes(
            texts in prop::collection::vec((0u64..40, 0i64..3_000), 1..1_500),
        ) {
            let (mut references, mut now) = (References::default(), NOW);
            let mut used: HashMap<(u64, u8), Time> = HashMap::new();
            let mut count: HashMap<u64, u32> = HashMap::new();
            for (to, pause) in texts {
                now = Time(now.0 + pause);
                let number = 33_600_000_000 + to;
                let reference = references.next(b"SHOP", number, now) as u8;
                *count.entry(to).or_default() += 1;
                // 255 long texts to one number in ten minutes are beyond the bound.
                if let Some(before) = used.insert((to, reference), now) {
                    prop_assert!(now.0 - before.0 > 600_000 || count[&to] > 255);
                }
            }
        }
    }
}
