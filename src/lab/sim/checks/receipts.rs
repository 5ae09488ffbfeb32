//! INV-21 a receipt that was acknowledged counts; INV-22 it counts for the message it is about, whatever its form, its
//! bind and its time; and nothing is called delivered that no receipt called so.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use crate::message::Status;
use std::collections::BTreeSet;

/// See the module.
#[derive(Default)]
pub(super) struct Receipts {
    /// Subscribers' messages that were acknowledged, and those that were told.
    acknowledged: BTreeSet<String>,
    told: BTreeSet<String>,
}

impl Check for Receipts {
    fn see(&mut self, _at: i64, seen: &Seen<'_>, _ledger: &Ledger) -> Result<(), Broken> {
        match seen {
            Seen::Mo { text, .. } => _ = self.acknowledged.insert((*text).to_owned()),
            Seen::Told { event, .. } if event.kind == "message.inbound" => {
                self.told.extend(event.text.clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        // The parts of a long text are told together.
        let is_told =
            |text: &&String| self.told.contains(*text) || text.starts_with("part ") && self.told.iter().any(|one| one.contains(*text));
        let lost = self.acknowledged.iter().find(|text| !is_told(text));
        keep(lost.is_none(), "INV-21", || format!("the subscriber's message {lost:?} was acknowledged and never told"))?;
        for (n, entry) in ledger.entries().filter(|(_, entry)| !entry.is_erased) {
            let Some(status) = entry.status else { continue };
            let all = (1u8 << ledger.wanted(n).parts) - 1;
            let place = || {
                format!(
                    "message {n} is {status:?} since {}, its last receipt was acknowledged at {}: {entry:?}",
                    entry.ended_at, entry.heard_at
                )
            };
            if status == Status::Delivered {
                keep(entry.delivered == all, "INV-22", || format!("not all parts had a receipt; {}", place()))?;
            }
            if entry.delivered | entry.failed != all || entry.is_copied || entry.was_doubted {
                continue;
            }
            // Every part has its receipt: they decide, unless the message had ended before they came.
            // When the clock was set in between, nobody can tell.
            let ended_before =
                entry.ended_at < entry.heard_shown - ledger.settling_ms() || ledger.shown(entry.asked_at, entry.heard_at).count() > 1;
            let right = match (entry.delivered, entry.failed) {
                (_, 0) => status == Status::Delivered,
                (0, _) => matches!(status, Status::Undelivered | Status::Rejected | Status::Expired | Status::Deleted),
                _ => matches!(status, Status::PartiallyDelivered | Status::Undelivered | Status::Rejected | Status::Expired),
            };
            keep(right || ended_before, "INV-21", || format!("its receipts say otherwise; {}", place()))?;
        }
        Ok(())
    }
}
