//! INV-24, 27 and 28: what others suffer or ask for is nobody else's. A webhook that is well is told what there is, whatever
//! other webhooks do; a carrier that is well is written to while messages wait for it, whatever other carriers do; and a message
//! goes before most of what another account had brought earlier.
//!
//! How long anything takes is judged from the last thing that happened at the same place, so that what waits in a row behind its
//! own like is no delay. A place that had trouble of its own is left out until it is well again, and everything while the gateway
//! starts, the disk is full or the weather bad.

use super::rule::{Broken, Check, keep};
use crate::base::Time;
use crate::lab::sim::ledger::{Ledger, Terms};
use crate::lab::sim::seen::{Seen, Submit};
use crate::lab::sink::Event;
use hashbrown::HashMap;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Never.
const NEVER: i64 = i64::MAX;
/// A shard's turns, a courier's, and what timers are rounded to.
const TURNS_MS: i64 = 2_500;
/// Retries after a refusal, pauses of a throttled carrier, sessions that come back.
const RECOVERY_MS: i64 = 40_000;
/// Segments of an account in its turn: its quantum, and the parts of the message that goes beyond it.
const TURN_SEGMENTS: u64 = 12;

/// A carrier.
#[derive(Clone, Default)]
struct Place {
    /// Faults of its own that go on, and since when it is well otherwise.
    ills: u32,
    well_since: i64,
    /// The last submit and the last answer.
    active_at: i64,
    /// Parts written for each account.
    written: Vec<u64>,
}

/// An account's webhook.
#[derive(Clone, Copy, Default)]
struct Tray {
    well_since: i64,
    told_at: i64,
}

/// What had been written when a message was accepted: in all, and of its own account.
#[derive(Clone, Copy)]
struct Before {
    all: u64,
    own: u64,
}

/// See the module.
pub(super) struct Neighbours {
    /// Faults that are everybody's trouble, and since when all was well otherwise.
    ills: u32,
    calm_since: i64,
    places: Vec<Place>,
    trays: Vec<Tray>,
    waiting: Map<u64, Before>,
}

impl Neighbours {
    pub(super) fn new(terms: &Terms) -> Neighbours {
        let accounts = usize::from(terms.accounts);
        let place = Place { written: vec![0; accounts], ..Place::default() };
        let (places, trays) = (vec![place; terms.carriers.len()], vec![Tray::default(); accounts]);
        Neighbours { ills: 0, calm_since: NEVER, places, trays, waiting: Map::default() }
    }

    fn fault(&mut self, at: i64, kind: &str, place: Option<u8>, is_on: bool) {
        let count = |ills: &mut u32| *ills = if is_on { *ills + 1 } else { ills.saturating_sub(1) };
        match (kind, place) {
            // It may be left alone for an hour: it is not looked at any more.
            ("sink", Some(account)) => self.trays[usize::from(account)].well_since = NEVER,
            // Some connection, at some time: a webhook's among them.
            ("cut_at_byte", _) => self.trays.iter_mut().for_each(|tray| tray.well_since = NEVER),
            ("weather" | "full" | "slow", _) => {
                count(&mut self.ills);
                self.calm_since = self.calm_since.max(at + RECOVERY_MS);
            }
            // It has no end; the session that is closed has.
            ("cut", _) => {}
            (_, Some(carrier)) => {
                let place = &mut self.places[usize::from(carrier)];
                count(&mut place.ills);
                place.well_since = place.well_since.max(at + RECOVERY_MS);
            }
            _ => {}
        }
    }

    /// Since when nothing is wrong with a place, and with everything.
    fn well_since(&self, ills: u32, well_since: i64) -> i64 {
        if ills + self.ills > 0 { NEVER } else { well_since.max(self.calm_since) }
    }

    /// The longest anything takes that can be begun.
    fn patience(terms: &Terms) -> i64 {
        6 * terms.latency_max_ms + 6 * terms.sync_max_ms + TURNS_MS
    }

    fn submit(&mut self, at: i64, submit: &Submit<'_>, ledger: &Ledger) -> Result<(), Broken> {
        let terms = &ledger.terms;
        let (agreed, patience) = (terms.carriers[usize::from(submit.carrier)], Neighbours::patience(terms));
        let place = &self.places[usize::from(submit.carrier)];
        let (active_at, well_since) = (place.active_at, self.well_since(place.ills, place.well_since));
        let place = &mut self.places[usize::from(submit.carrier)];
        let leaves = if submit.is_answered { at + submit.delay_ms as i64 } else { at + agreed.response_timeout_ms };
        place.active_at = active_at.max(at).max(leaves.min(at + agreed.response_timeout_ms));
        if submit.status != 0 || !submit.is_answered || submit.delay_ms as i64 >= agreed.response_timeout_ms {
            place.well_since = place.well_since.max(leaves + RECOVERY_MS + agreed.hold_ms);
        }
        let Some((n, entry)) = submit.n.and_then(|n| Some((n, ledger.entry(n)?))) else { return Ok(()) };
        let all: u64 = place.written.iter().sum();
        let own = place.written[usize::from(entry.account)];
        place.written[usize::from(entry.account)] += 1;
        let Some(before) = self.waiting.remove(&n).filter(|_| well_since < at) else { return Ok(()) };
        // A lifetime that seems over by a clock that was just set holds a message until it is sure (INV-17).
        if ledger.shown(entry.took_at, at).count() > 1 {
            return Ok(());
        }
        let idle_since = entry.took_at.max(active_at).max(well_since);
        let pace = if agreed.rate > 0.0 { (1_000.0 / agreed.rate) as i64 } else { 0 };
        keep(at - idle_since <= patience + pace, "INV-28", || {
            format!("c{} is well, and message {n} has waited for {} ms in which nothing was sent there", submit.carrier, at - idle_since)
        })?;
        if well_since > entry.took_at {
            return Ok(());
        }
        let own = own - before.own;
        let others = (all - before.all).saturating_sub(own);
        let leased = u64::from(agreed.sessions) * (2 * u64::from(agreed.window) + 4);
        let turns = (u64::from(terms.accounts) - 1) * TURN_SEGMENTS * (own / 8 + 3);
        // The least urgent has its floor, a sixteenth.
        let fair = leased + turns + (others + own) / 12 + 8;
        keep(others <= fair, "INV-27", || {
            format!(
                "message {n} waited for {others} parts of other accounts at c{} and {own} of its own, at most {fair} are fair",
                submit.carrier
            )
        })
    }

    fn told(&mut self, at: i64, account: u8, event: &Event, ledger: &Ledger) -> Result<(), Broken> {
        let patience = Neighbours::patience(&ledger.terms);
        let since = self.well_since(0, self.trays[usize::from(account)].well_since);
        let told_at = std::mem::replace(&mut self.trays[usize::from(account)].told_at, at);
        if since >= at || ledger.is_clock_set() {
            return Ok(());
        }
        let happened = event.happened.as_deref().and_then(Time::parse_rfc3339).map_or(at, |time| time.0);
        let idle_since = happened.max(told_at).max(since);
        keep(at - idle_since <= patience, "INV-24", || {
            format!(
                "the webhook of account {account} is well and was told nothing for {} ms, while it was to be told {}",
                at - idle_since,
                event.id
            )
        })
    }
}

impl Check for Neighbours {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Started => {
                self.calm_since = at + RECOVERY_MS;
                Ok(())
            }
            Seen::Died | Seen::Stopped { .. } => {
                self.calm_since = NEVER;
                self.waiting.clear();
                Ok(())
            }
            Seen::Fault { kind, carrier, is_on } => {
                self.fault(at, kind, carrier, is_on);
                Ok(())
            }
            Seen::Quiet => {
                self.ills = 0;
                self.places.iter_mut().for_each(|place| place.ills = 0);
                Ok(())
            }
            Seen::Bound { carrier, .. } | Seen::Closed { carrier, .. } => {
                // What was written to it and never came is in doubt.
                let agreed = &ledger.terms.carriers[usize::from(carrier)];
                let place = &mut self.places[usize::from(carrier)];
                place.well_since = place.well_since.max(at + RECOVERY_MS + agreed.hold_ms + agreed.response_timeout_ms);
                Ok(())
            }
            Seen::Took { n, .. } => {
                let wanted = ledger.wanted(n);
                if !wanted.is_marketing
                    && wanted.send_after.is_none()
                    && ledger.entry(n).is_some_and(|entry| entry.id == 0 && entry.taken == 0)
                {
                    let place = &self.places[usize::from(wanted.carrier)];
                    let own = ledger.entry(n).map_or(0, |entry| usize::from(entry.account));
                    self.waiting.insert(n, Before { all: place.written.iter().sum(), own: place.written[own] });
                }
                Ok(())
            }
            Seen::Submit(submit) => self.submit(at, &submit, ledger),
            Seen::Told { account, event } => self.told(at, account, event, ledger),
            _ => Ok(()),
        }
    }
}
