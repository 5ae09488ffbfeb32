//! INV-9 no copy without doubt, INV-10 copies are bounded, INV-11 none is silent, INV-12 `at_most_once` means it,
//! INV-29 a clean stop leaves no doubt behind (its sessions end orderly, and are then no cause for a copy).

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::{Doubt, Ledger};
use crate::lab::sim::seen::{Seen, Submit};
use hashbrown::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct Copies {
    /// Copies whose first one was lost with this session.
    by_session: HashMap<(u8, u64), u32, foldhash::fast::FixedState>,
}

impl Copies {
    fn submit(&mut self, at: i64, submit: &Submit<'_>, n: u64, ledger: &Ledger) -> Result<(), Broken> {
        let copies = ledger.copies(n);
        let mut same = copies.iter().rev().filter(|copy| copy.part == submit.part);
        let Some(last) = same.next() else { return Ok(()) };
        let place =
            || format!("message {n} part {} at {at}: taken before on c{}/{} at {}", submit.part, last.carrier, last.session, last.at);
        keep(!ledger.wanted(n).at_most_once, "INV-12", || format!("sent again under at_most_once; {}", place()))?;
        keep(same.next().is_none(), "INV-10", || format!("a third copy; {}", place()))?;
        let doubt = ledger.doubt(last.carrier, last.session, last.at, last.answer_at);
        keep(doubt.is_some(), "INV-9", || format!("sent again without any doubt; {}, answered at {:?}", place(), last.answer_at))?;
        if matches!(doubt, Some(Doubt::Session | Doubt::Death)) {
            let count = self.by_session.entry((last.carrier, last.session)).or_default();
            *count += 1;
            let window = ledger.terms.carriers[usize::from(last.carrier)].window;
            let count = *count;
            keep(count <= window, "INV-10", || format!("{count} copies of one session's loss, its window is {window}; {}", place()))?;
        }
        Ok(())
    }
}

impl Check for Copies {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match seen {
            Seen::Submit(submit) if submit.status == 0 => match submit.n {
                Some(n) => self.submit(at, submit, n, ledger),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        for (n, entry) in ledger.entries().filter(|(_, entry)| entry.is_copied && entry.status.is_some()) {
            keep(entry.is_labelled, "INV-11", || format!("message {n} was taken twice and is not labelled"))?;
        }
        Ok(())
    }
}
