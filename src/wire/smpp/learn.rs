//! Finding a carrier's id base from its first receipts, and noticing when it changes.
//!
//! The caller owns the map of messages in flight and does three things:
//!
//! 1. On a submit_sm_resp it files the message under every key of [`Learner::keys_of_response`]: all bases' keys while
//!    learning (one for most ids, at most three), the base's single key afterwards.
//! 2. On a receipt it calls [`Learner::observe`] with the receipt's ids and a way to look a key up. The learner tries
//!    the bases and gives back the message it means, if it is sure.
//! 3. On [`Event::Learnt`] it logs and stores the base, and may drop the keys of the other bases at leisure: the
//!    base's own key is among those filed before, so nothing in flight is lost. On [`Event::Drifted`] it alerts; the
//!    learner has gone back to learning by itself.
//!
//! A base is learnt after [`MATCHES`] receipts that it matches, when no other base has matched what it did not; each
//! contradiction asks for as many matches again. Receipts that match under no base (of an earlier life, or not ours),
//! or under two bases with two messages, are no evidence. Where bases cannot be told apart (ids that are no numbers match under all), the first of
//! [`IdBase::ALL`] is taken.

use super::ids::{IdBase, IdKey, IdKeys, IdSeed, key_of_receipt};

/// The receipts that must match before a base is believed.
pub const MATCHES: u32 = 20;
/// The last receipts that are looked at for drift.
pub const DRIFT_WINDOW: u32 = 64;
/// The misses among them that are a drift.
pub const DRIFT_MISSES: u32 = 48;

/// What a learner has to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The base is known now.
    Learnt {
        /// Which.
        base: IdBase,
        /// Receipts that it matched.
        matched: u32,
        /// Receipts that were seen while learning.
        tried: u32,
    },
    /// Most of the last receipts matched nothing under the base that was known: learning again.
    Drifted {
        /// The base until now.
        from: IdBase,
    },
}

/// What one receipt gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation<T> {
    /// The message that the receipt is for, and the key it was found under. `None` when nothing matches, or when two
    /// bases point at two messages and neither base has proved better: hold the receipt and try again.
    pub found: Option<(IdKey, T)>,
    /// At most one event.
    pub event: Option<Event>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Learner {
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Receipts matched by each base of [`IdBase::ALL`], by any of them, and seen at all.
    Learning { matched: [u32; 4], any: u32, tried: u32 },
    /// The last receipts, newest in the lowest bit, set where one missed.
    Learnt { base: IdBase, misses: u64, seen: u32 },
}

const START: Phase = Phase::Learning { matched: [0; 4], any: 0, tried: 0 };

impl Default for Learner {
    fn default() -> Learner {
        Learner { phase: START }
    }
}

impl Learner {
    /// One that knows the base already, from configuration or from an earlier life, and watches it.
    #[must_use]
    pub const fn knowing(base: IdBase) -> Learner {
        Learner { phase: Phase::Learnt { base, misses: 0, seen: 0 } }
    }

    /// The base, if it is known.
    #[must_use]
    pub const fn base(&self) -> Option<IdBase> {
        match self.phase {
            Phase::Learnt { base, .. } => Some(base),
            Phase::Learning { .. } => None,
        }
    }

    /// The keys to file a response under.
    #[must_use]
    #[inline]
    pub fn keys_of_response(&self, seed: IdSeed, id: impl AsRef<[u8]>) -> IdKeys {
        match self.phase {
            Phase::Learnt { base, .. } => IdKeys::under(base, seed, id),
            Phase::Learning { .. } => IdKeys::under_all(seed, id),
        }
    }

    /// Looks a receipt's ids up (the parameter's and the text's, in the order to prefer them) and learns from it.
    /// `find` gives what is filed under a key; two messages must give two different `T`.
    pub fn observe<T: Copy + PartialEq>(
        &mut self,
        seed: IdSeed,
        ids: [Option<&str>; 2],
        mut find: impl FnMut(IdKey) -> Option<T>,
    ) -> Observation<T> {
        let mut under = |base: IdBase| {
            ids.iter().flatten().find_map(|id| {
                let key = key_of_receipt(base, seed, id)?;
                find(key).map(|message| (key, message))
            })
        };
        match &mut self.phase {
            Phase::Learnt { base, misses, seen } => {
                let (base, found) = (*base, under(*base));
                *misses = *misses << 1 | u64::from(found.is_none());
                *seen = (*seen + 1).min(DRIFT_WINDOW);
                let drifted = *seen == DRIFT_WINDOW && misses.count_ones() >= DRIFT_MISSES;
                if drifted {
                    self.phase = START;
                }
                Observation { found, event: drifted.then_some(Event::Drifted { from: base }) }
            }
            Phase::Learning { matched, any, tried } => {
                let hits = IdBase::ALL.map(under);
                *tried = tried.saturating_add(1);
                let found = choose(&hits, matched);
                if agree(&hits) {
                    *any = any.saturating_add(1);
                    for (count, hit) in matched.iter_mut().zip(&hits) {
                        *count = count.saturating_add(u32::from(hit.is_some()));
                    }
                }
                let learnt = believed(matched, *any);
                let event = learnt.map(|(base, matched)| Event::Learnt { base, matched, tried: *tried });
                if let Some((base, _)) = learnt {
                    self.phase = Phase::Learnt { base, misses: 0, seen: 0 };
                }
                Observation { found, event }
            }
        }
    }
}

/// Whether at least one base matches, and none matches another message than the others. Ids from a counter close to
/// zero match under several bases, each a message of its own: that proves nothing for any of them.
fn agree<T: Copy + PartialEq>(hits: &[Option<(IdKey, T)>; 4]) -> bool {
    let mut hits = hits.iter().flatten();
    hits.next().is_some_and(|first| hits.all(|hit| hit.1 == first.1))
}

/// The message that the hits agree on, or the one of the base that has matched most before.
fn choose<T: Copy + PartialEq>(hits: &[Option<(IdKey, T)>; 4], matched: &[u32; 4]) -> Option<(IdKey, T)> {
    if agree(hits) {
        return hits.iter().flatten().next().copied();
    }
    let most = hits.iter().zip(matched).filter(|(hit, _)| hit.is_some()).map(|(_, count)| *count).max()?;
    let mut best = hits.iter().zip(matched).filter(|(_, count)| **count == most).filter_map(|(hit, _)| *hit);
    let chosen = best.next()?;
    best.all(|hit| hit.1 == chosen.1).then_some(chosen)
}

fn believed(matched: &[u32; 4], any: u32) -> Option<(IdBase, u32)> {
    let most = *matched.iter().max()?;
    let contradicted = any - most.min(any);
    let enough = MATCHES.saturating_mul(contradicted.saturating_add(1));
    let at = matched.iter().position(|count| *count == most)?;
    (most >= enough).then_some((IdBase::ALL[at], most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const SEED: IdSeed = IdSeed(11);

    /// A carrier's map of messages in flight, as a caller keeps it.
    #[derive(Default)]
    struct Flight {
        learner: Learner,
        map: HashMap<IdKey, u32>,
    }

    impl Flight {
        fn respond(&mut self, id: &str, message: u32) {
            for key in self.learner.keys_of_response(SEED, id).as_slice() {
                self.map.insert(*key, message);
            }
        }
        fn receipt(&mut self, id: &str) -> Observation<u32> {
            let Flight { learner, map } = self;
            learner.observe(SEED, [None, Some(id)], |key| map.get(&key).copied())
        }
    }

    /// A counter as SMSCs have it, over the whole range of digits.
    fn number(n: u32) -> u64 {
        0x1234_5678 + u64::from(n) * 0x9E37
    }

    fn learn(response: impl Fn(u32) -> String, receipt: impl Fn(u32) -> String) -> (Flight, Event) {
        let mut flight = Flight::default();
        (0..200).for_each(|n| flight.respond(&response(n), n));
        for n in 0..200 {
            let seen = flight.receipt(&receipt(n));
            assert_eq!(seen.found.map(|f| f.1), Some(n), "receipt {n}");
            if let Some(event) = seen.event {
                return (flight, event);
            }
        }
        panic!("nothing learnt")
    }

    #[test]
    fn every_base_is_learnt_after_twenty_matches_and_no_message_is_lost() {
        type Say = fn(u32) -> String;
        let cases: [(IdBase, Say, Say); 5] = [
            (IdBase::AsIs, |n| format!("{:08X}", number(n)), |n| format!("{:x}", number(n))),
            (IdBase::AsIs, |n| format!("a-uuid-like-thing-{n}"), |n| format!("A-uuid-like-thing-{n}")),
            (IdBase::AsIsStripAt, |n| format!("{n}.3937"), |n| format!("{n}.3937@1154905154")),
            (IdBase::RespHexReceiptDec, |n| format!("{:x}", number(n)), |n| format!("{:010}", number(n))),
            (IdBase::RespDecReceiptHex, |n| format!("{}", number(n)), |n| format!("{:X}", number(n))),
        ];
        for (base, response, receipt) in cases {
            let (mut flight, event) = learn(response, receipt);
            assert_eq!(event, Event::Learnt { base, matched: MATCHES, tried: MATCHES });
            // Filed while learning, found under the one base afterwards.
            for n in 20..200 {
                assert_eq!(flight.receipt(&receipt(n)).found.map(|f| f.1), Some(n));
            }
            flight.respond(&response(500), 500);
            assert_eq!(flight.receipt(&receipt(500)).found.map(|f| f.1), Some(500));
        }
    }

    #[test]
    fn receipts_that_match_nothing_are_no_evidence() {
        let mut flight = Flight::default();
        (0..100).for_each(|n| flight.respond(&format!("{:x}", number(n)), n));
        for n in 0..19 {
            assert_eq!(flight.receipt(&format!("{}", number(n))).event, None);
            assert_eq!(flight.receipt(&format!("stranger-{n}")), Observation { found: None, event: None });
        }
        let event = flight.receipt(&format!("{}", number(19))).event;
        assert_eq!(event, Some(Event::Learnt { base: IdBase::RespHexReceiptDec, matched: 20, tried: 39 }));
    }

    #[test]
    fn a_contradiction_asks_for_twenty_more() {
        let mut flight = Flight::default();
        (0..100).for_each(|n| flight.respond(&format!("{:x}", number(n)), n));
        // One receipt in the other base, by accident or by a test of the carrier's.
        assert_eq!(flight.receipt(&format!("{:x}", number(99))).found.map(|f| f.1), Some(99));
        let at = (0..99).find(|n| flight.receipt(&format!("{}", number(*n))).event.is_some());
        // The hexadecimal one has letters and so matches under the right base too, taken as it is.
        assert_eq!(at, Some(18));

        let mut flight = Flight::default();
        flight.respond("256", 900);
        (0..100).for_each(|n| flight.respond(&format!("{:x}", number(n)), n));
        // 0x100 written in hexadecimal: only resp_dec_receipt_hex finds it.
        assert_eq!(flight.receipt("100").found.map(|f| f.1), Some(900));
        let at = (0..99).find(|n| flight.receipt(&format!("{}", number(*n))).event.is_some());
        assert_eq!(at, Some(39));
    }

    #[test]
    fn two_bases_pointing_at_two_messages_are_held_until_one_has_proved_better() {
        let mut flight = Flight::default();
        flight.respond("100", 1);
        flight.respond("64", 2);
        (10..40).for_each(|n| flight.respond(&format!("{:x}", number(n)), n));
        // As it is, 100 is the first; from decimal, it is 0x64, the second.
        assert_eq!(flight.receipt("100").found, None);
        for n in 10..15 {
            assert!(flight.receipt(&format!("{}", number(n))).found.is_some());
        }
        assert_eq!(flight.receipt("100").found.map(|f| f.1), Some(2));
    }

    #[test]
    fn a_counter_close_to_zero_proves_nothing_until_its_receipts_tell_bases_apart() {
        let mut flight = Flight::default();
        (1..2_000).for_each(|n| flight.respond(&format!("{n:x}"), n));
        // As it is, the decimal 100 is the message 0x100: both are in flight, and no guess is made.
        for n in 100..200 {
            assert_eq!(flight.receipt(&format!("{n}")), Observation { found: None, event: None });
        }
        // From 2,000 on the decimal ids are no longer ids in flight as they are.
        let learnt = (800..2_000).find_map(|n| flight.receipt(&format!("{n}")).event.map(|event| (n, event)));
        let Some((_, Event::Learnt { base, .. })) = learnt else { panic!("never learnt") };
        assert_eq!(base, IdBase::RespHexReceiptDec);
    }

    #[test]
    fn a_carrier_that_changes_its_base_is_noticed_and_learnt_again() {
        let mut flight = Flight { learner: Learner::knowing(IdBase::AsIs), map: HashMap::new() };
        assert_eq!(flight.learner.base(), Some(IdBase::AsIs));
        let (mut drifted, mut learnt) = (None, None);
        for n in 0..300 {
            flight.respond(&format!("{}", number(n)), n);
            // Half the first hundred are as they were.
            let receipt = if n < 50 { format!("{}", number(n)) } else { format!("{:x}", number(n)) };
            match flight.receipt(&receipt).event {
                Some(Event::Drifted { from }) => {
                    assert_eq!(from, IdBase::AsIs);
                    assert_eq!(flight.learner.base(), None);
                    drifted = Some(n);
                }
                Some(Event::Learnt { base, .. }) => {
                    assert_eq!(base, IdBase::RespDecReceiptHex);
                    learnt = Some(n);
                }
                None => {}
            }
        }
        assert_eq!(drifted, Some(50 + DRIFT_MISSES - 1));
        assert_eq!(learnt, Some(50 + DRIFT_MISSES - 1 + MATCHES));
    }

    #[test]
    fn a_few_orphans_are_no_drift() {
        let mut flight = Flight { learner: Learner::knowing(IdBase::AsIs), map: HashMap::new() };
        for n in 0..500 {
            flight.respond(&format!("{}", number(n)), n);
            let id = if n % 3 == 0 { format!("orphan-{n}") } else { format!("{}", number(n)) };
            assert_eq!(flight.receipt(&id).event, None);
        }
    }
}
