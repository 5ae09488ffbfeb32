//! INV-9 no copy without doubt, INV-10 copies are bounded, INV-11 none is silent, INV-12 `at_most_once` means it,
//! INV-29 a clean stop leaves no doubt behind (its sessions end orderly, and are then no cause for a copy).

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::{Copy, Doubt, Ledger};
use crate::lab::sim::seen::{Seen, Submit};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// See the module.
#[derive(Default)]
pub(super) struct Copies {
    /// Copies whose first one was lost with this session.
    by_session: HashMap<(u8, u64), u32, foldhash::fast::FixedState>,
    /// Copies whose cause has not been seen: the end of a session that the gateway has closed may come after the copy, which
    /// took another way. With the instant at which it must have come.
    open: VecDeque<(i64, Twice)>,
}

/// A part that was taken twice, the first time so.
#[derive(Clone, Copy)]
struct Twice {
    n: u64,
    part: u8,
    again_at: i64,
    carrier: u8,
    session: u64,
    at: i64,
    answer_at: Option<i64>,
}

impl Twice {
    fn place(&self) -> String {
        let Twice { n, part, again_at, carrier, session, at, answer_at } = self;
        format!("message {n} part {part} at {again_at}: taken before on c{carrier}/{session} at {at}, answered at {answer_at:?}")
    }
}

impl Copies {
    fn submit(&mut self, at: i64, submit: &Submit<'_>, n: u64, ledger: &Ledger) -> Result<(), Broken> {
        let copies = ledger.copies(n);
        let mut same = copies.iter().rev().filter(|copy| copy.part == submit.part);
        let Some(last) = same.next() else { return Ok(()) };
        let Copy { carrier, session, at: before, answer_at, .. } = *last;
        let twice = Twice { n, part: submit.part, again_at: at, carrier, session, at: before, answer_at };
        keep(!ledger.wanted(n).at_most_once, "INV-12", || format!("sent again under at_most_once: {}", twice.place()))?;
        keep(same.next().is_none(), "INV-10", || format!("a third copy: {}", twice.place()))?;
        if ledger.doubt(carrier, session, before, answer_at).is_none() {
            self.open.push_back((at + ledger.terms.latency_max_ms + 50, twice));
            return Ok(());
        }
        self.doubted(&twice, ledger)
    }

    fn doubted(&mut self, twice: &Twice, ledger: &Ledger) -> Result<(), Broken> {
        let Twice { carrier, session, at, answer_at, .. } = *twice;
        let doubt = ledger.doubt(carrier, session, at, answer_at);
        keep(doubt.is_some(), "INV-9", || format!("sent again without any doubt: {}", twice.place()))?;
        if matches!(doubt, Some(Doubt::Session | Doubt::Death)) {
            let count = self.by_session.entry((carrier, session)).or_default();
            *count += 1;
            let (count, window) = (*count, ledger.terms.carriers[usize::from(carrier)].window);
            keep(count <= window, "INV-10", || format!("{count} copies of one session's loss, its window is {window}: {}", twice.place()))?;
        }
        Ok(())
    }
}

impl Check for Copies {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        while self.open.front().is_some_and(|(due, _)| *due < at) {
            let (_, twice) = self.open.pop_front().expect("just seen");
            self.doubted(&twice, ledger)?;
        }
        match seen {
            Seen::Submit(submit) if submit.status == 0 => match submit.n {
                Some(n) => self.submit(at, submit, n, ledger),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        for (_, twice) in std::mem::take(&mut self.open) {
            self.doubted(&twice, ledger)?;
        }
        for (n, entry) in ledger.entries().filter(|(_, entry)| entry.is_copied && entry.status.is_some()) {
            keep(entry.is_labelled, "INV-11", || format!("message {n} was taken twice and is not labelled"))?;
        }
        Ok(())
    }
}
