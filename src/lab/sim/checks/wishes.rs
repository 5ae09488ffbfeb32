//! What a customer has been answered of a message holds: it does not go before the instant it was given, nor after its number
//! was erased (INV-7).

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use hashbrown::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct Wishes {
    /// When the erasure of a number was answered.
    erased: HashMap<u64, i64, foldhash::fast::FixedState>,
}

impl Check for Wishes {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Submit(submit) => {
                let Some((n, entry)) = submit.n.and_then(|n| Some((n, ledger.entry(n)?))) else { return Ok(()) };
                keep(at >= entry.not_before, "INV-7", || {
                    format!("message {n} is sent at {at}, it was to wait until {}", entry.not_before)
                })?;
                let late_by = ledger.terms.latency_max_ms + 100;
                let since = self.erased.get(&ledger.wanted(n).number).filter(|_| entry.is_erased);
                let is_kept = since.is_none_or(|since| at <= since + late_by || ledger.stood_still(submit.carrier, *since));
                keep(is_kept, "INV-7", || format!("message {n} is sent at {at}, its number was erased at {since:?}"))
            }
            Seen::Erased { n } => {
                self.erased.entry(ledger.wanted(n).number).or_insert(at);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
