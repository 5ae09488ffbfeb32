//! INV-1 of bulks: the counters of a bulk are those of its messages. While it is under way every accepted line stands
//! somewhere, once; when all of its messages were told, each stands where it was told. INV-8: it has one id.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::{Entry, Ledger};
use crate::lab::sim::seen::Seen;
use crate::message::Status;
use std::collections::BTreeMap;

/// See the module.
pub(super) struct Bulks;

impl Bulks {
    fn counted(seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        let Seen::Counted { since, first, lines, counts, is_final } = *seen else { return Ok(()) };
        let Some(bulk) = ledger.bulk(first) else { return Ok(()) };
        let of = || (first..first + u64::from(bulk.count)).filter_map(|n| ledger.entry(n));
        let place = || format!("bulk {first} of {} lines: {lines:?} {counts:?} final={is_final}", bulk.count);
        let refused = of().filter(|entry: &&Entry| entry.is_declined).count() as u64;
        let all = u64::from(bulk.count);
        keep(lines == [all, all - refused, refused], "INV-1", || format!("{refused} of its lines were refused; {}", place()))?;
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        keep(total == all - refused, "INV-1", || format!("its messages stand {total} times; {}", place()))?;
        let mut told: BTreeMap<u8, (Status, u64)> = BTreeMap::new();
        for entry in of().filter(|entry| entry.id != 0) {
            // What was told while this was asked may come before the answer.
            let Some(status) = entry.status.filter(|_| entry.told_at + 1_000 < since) else { return Ok(()) };
            told.entry(status as u8).or_insert((status, 0)).1 += 1;
        }
        let told: Vec<(Status, u64)> = told.into_values().collect();
        let is_right = is_final && told.len() == counts.len() && told.iter().all(|one| counts.contains(one));
        keep(is_right, "INV-1", || format!("its messages were told as {told:?}; {}", place()))
    }
}

impl Check for Bulks {
    fn see(&mut self, _at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Bulk { first, id, .. } => {
                let known = ledger.bulk(first).map_or(id, |bulk| bulk.id);
                keep(known == id, "INV-8", || format!("bulk {first} has two ids, {known:x} and {id:x}"))
            }
            _ => Bulks::counted(seen, ledger),
        }
    }
}
