//! INV-19: after a stop was acknowledged no advertising of the account goes to that number any more.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use hashbrown::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct Stops {
    /// When the stop of a number to an account was first acknowledged.
    stopped: HashMap<(u8, u64), i64, foldhash::fast::FixedState>,
    /// Messages refused because of one.
    refused: Vec<u64>,
}

impl Check for Stops {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Mo { carrier, from, text: "STOP" } => {
                self.stopped.entry((carrier % ledger.terms.accounts.max(1), from)).or_insert(at);
                Ok(())
            }
            Seen::Refused { n, code: "opted_out" } => {
                self.refused.push(n);
                Ok(())
            }
            Seen::Submit(submit) => {
                let Some(n) = submit.n else { return Ok(()) };
                let wanted = ledger.wanted(n);
                let account = ledger.entry(n).map_or(u8::MAX, |entry| entry.account);
                let Some(since) = self.stopped.get(&(account, wanted.number)).filter(|_| wanted.is_marketing) else { return Ok(()) };
                let is_on_its_way = at <= since + ledger.terms.latency_max_ms + 100 || ledger.stood_still(submit.carrier, *since);
                keep(is_on_its_way, "INV-19", || format!("message {n} is sent at {at}, {} had said stop at {since}", wanted.number))
            }
            _ => Ok(()),
        }
    }

    /// A stop may be acknowledged long after it was heard: a process may have died in between.
    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        self.refused.iter().try_for_each(|n| {
            let (number, account) = (ledger.wanted(*n).number, ledger.entry(*n).map_or(u8::MAX, |entry| entry.account));
            let is_true = self.stopped.contains_key(&(account, number));
            keep(is_true, "INV-19", || format!("message {n} is refused because of a stop, and {number} never said so"))
        })
    }
}
