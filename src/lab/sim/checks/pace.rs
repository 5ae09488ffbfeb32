//! INV-20: in every interval of length t at most rate·t + burst submits reach a carrier, over all its sessions,
//! reconnects and restarts. A leaky bucket that never overflows says this of all intervals at once.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::{Ledger, Terms};
use crate::lab::sim::seen::Seen;

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// When the bucket is empty again, in milliseconds.
    empty_at: f64,
    /// What was held up arrives at once: not counted before this.
    pardoned_until: i64,
}

/// See the module.
pub(super) struct Pace {
    buckets: Vec<Bucket>,
}

impl Pace {
    /// For these carriers.
    #[must_use]
    pub(super) fn new(terms: &Terms) -> Pace {
        Pace { buckets: vec![Bucket::default(); terms.carriers.len()] }
    }
}

impl Check for Pace {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Fault { kind: "hold" | "hold_way", carrier: Some(carrier), is_on: false } => {
                self.buckets[usize::from(carrier)].pardoned_until = at + ledger.terms.latency_max_ms + 50;
                Ok(())
            }
            Seen::Submit(submit) => {
                let agreed = ledger.terms.carriers[usize::from(submit.carrier)];
                let bucket = &mut self.buckets[usize::from(submit.carrier)];
                if agreed.rate <= 0.0 || at < bucket.pardoned_until {
                    bucket.empty_at = 0.0;
                    return Ok(());
                }
                let (now, cost) = (at as f64, 1_000.0 / agreed.rate);
                bucket.empty_at = bucket.empty_at.max(now) + cost;
                // What left evenly may arrive closer together, by as much as the way may vary.
                let slack = f64::from(agreed.burst) * cost + ledger.terms.latency_max_ms as f64 + 2.0;
                let over = bucket.empty_at - now - slack;
                keep(over <= 0.0, "INV-20", || {
                    let (rate, burst) = (agreed.rate, agreed.burst);
                    format!("c{} at {at}: {:.1} submits more than {rate}/s and a burst of {burst} allow", submit.carrier, over / cost)
                })
            }
            _ => Ok(()),
        }
    }
}
