//! INV-13: a carrier that says it is throttled is left alone for a while.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::config::THROTTLE_PAUSE_MS;
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use std::collections::VecDeque;

/// An answer that says so.
#[derive(Clone, Copy)]
struct Throttled {
    carrier: u8,
    session: u64,
    came: i64,
    leaves: i64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Rest {
    answers: VecDeque<Throttled>,
}

impl Check for Rest {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            // Another process does not know.
            Seen::Died | Seen::Stopped { .. } => {
                self.answers.clear();
                Ok(())
            }
            Seen::Submit(submit) => {
                while self.answers.front().is_some_and(|one| one.leaves + THROTTLE_PAUSE_MS < at && one.came + 300_000 < at) {
                    self.answers.pop_front();
                }
                // There and back, what was being written meanwhile, and answers that leave out of order.
                let heard = 2 * ledger.terms.latency_max_ms + 1_000;
                let rests =
                    |one: &&Throttled| one.carrier == submit.carrier && at > one.leaves + heard && at < one.leaves + THROTTLE_PAUSE_MS;
                let is_heard = |one: &&Throttled| ledger.doubt(one.carrier, one.session, one.came, Some(one.leaves)).is_none();
                let broken = self.answers.iter().filter(rests).find(is_heard).copied();
                if matches!(submit.status, 0x58 | 0x14) && submit.is_answered {
                    let (carrier, session, leaves) = (submit.carrier, submit.session, at + submit.delay_ms as i64);
                    self.answers.push_back(Throttled { carrier, session, came: at, leaves });
                }
                keep(broken.is_none(), "INV-13", || {
                    let since = broken.map_or(0, |one| one.leaves);
                    format!("c{} at {at}: a submit, {} ms after it was said to be throttled", submit.carrier, at - since)
                })
            }
            _ => Ok(()),
        }
    }
}
