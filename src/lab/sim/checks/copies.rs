//! INV-9 no copy without doubt, INV-10 copies are bounded, INV-11 none is silent, INV-12 `at_most_once` means it,
//! INV-29 a clean stop leaves no doubt behind (its sessions end orderly, and are then no cause for a copy).

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::{Doubt, Ledger};
use crate::lab::sim::seen::{Seen, Submit};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// See the module.
#[derive(Default)]
pub(super) struct Copies {
    /// Copies whose first one was lost with this session.
    by_session: HashMap<(u8, u64), u32, foldhash::fast::FixedState>,
    /// Copies whose cause has not been seen.
    open: VecDeque<Twice>,
}

/// What a carrier took, and when it had answered.
#[derive(Clone, Copy)]
struct Took {
    carrier: u8,
    session: u64,
    at: i64,
    answer_at: Option<i64>,
}

impl Took {
    fn doubt(&self, ledger: &Ledger) -> Option<Doubt> {
        ledger.doubt(self.carrier, self.session, self.at, self.answer_at)
    }
}

/// A part that was taken twice.
#[derive(Clone, Copy)]
struct Twice {
    n: u64,
    part: u8,
    before: Took,
    again: Took,
    /// The second may be the one that was written first, to a session that was lost at once, and overtaken by its own resend on
    /// another: then it is that session that is seen to end.
    is_overtaken: bool,
    /// When everything is known that may have put it in doubt: the end of a session that the gateway has closed may come after
    /// the copy, which took another way.
    due: i64,
}

impl Twice {
    fn place(&self) -> String {
        let Twice { n, part, before: Took { carrier, session, at, answer_at }, again, .. } = self;
        format!("message {n} part {part} at {}: taken before on c{carrier}/{session} at {at}, answered at {answer_at:?}", again.at)
    }
}

impl Copies {
    fn submit(&mut self, at: i64, submit: &Submit<'_>, n: u64, ledger: &Ledger) -> Result<(), Broken> {
        let copies = ledger.copies(n);
        let mut same = copies.iter().rev().filter(|copy| copy.part == submit.part);
        let Some(last) = same.next() else { return Ok(()) };
        let before = Took { carrier: last.carrier, session: last.session, at: last.at, answer_at: last.answer_at };
        let answer_at = submit.is_answered.then_some(at + submit.delay_ms as i64);
        let again = Took { carrier: submit.carrier, session: submit.session, at, answer_at };
        let on_the_way = ledger.terms.latency_max_ms + 50;
        let is_overtaken = (before.carrier, before.session) != (again.carrier, again.session) && at - before.at <= on_the_way;
        let later = if is_overtaken { answer_at.unwrap_or(at) + ledger.settling_ms() } else { at };
        let twice = Twice { n, part: submit.part, before, again, is_overtaken, due: later.max(at + on_the_way) };
        keep(!ledger.wanted(n).at_most_once, "INV-12", || format!("sent again under at_most_once: {}", twice.place()))?;
        keep(same.next().is_none(), "INV-10", || format!("a third copy: {}", twice.place()))?;
        if before.doubt(ledger).is_none() {
            self.open.push_back(twice);
            return Ok(());
        }
        self.doubted(&twice, ledger)
    }

    fn doubted(&mut self, twice: &Twice, ledger: &Ledger) -> Result<(), Broken> {
        let of = |took: Took| took.doubt(ledger).map(|doubt| (took, doubt));
        let Twice { before, again, .. } = *twice;
        // What was lost with a session is not sent again on that session: its end, seen after the copy, explains nothing.
        let is_same_way = (before.carrier, before.session) == (again.carrier, again.session);
        let first = of(before).filter(|(_, doubt)| !(is_same_way && *doubt == Doubt::Session));
        let found = first.or_else(|| of(twice.again).filter(|_| twice.is_overtaken));
        keep(found.is_some(), "INV-9", || format!("sent again without any doubt: {}", twice.place()))?;
        if let Some((took, Doubt::Session | Doubt::Death)) = found {
            let count = self.by_session.entry((took.carrier, took.session)).or_default();
            *count += 1;
            let (count, window) = (*count, ledger.terms.carriers[usize::from(took.carrier)].window);
            keep(count <= window, "INV-10", || format!("{count} copies of one session's loss, its window is {window}: {}", twice.place()))?;
        }
        Ok(())
    }

    /// Judges those of which everything is known.
    fn settle(&mut self, at: i64, ledger: &Ledger) -> Result<(), Broken> {
        while let Some(twice) = self.open.pop_front_if(|twice| twice.due < at) {
            self.doubted(&twice, ledger)?;
        }
        Ok(())
    }
}

impl Check for Copies {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        self.settle(at, ledger)?;
        match seen {
            Seen::Submit(submit) if submit.status == 0 => match submit.n {
                Some(n) => self.submit(at, submit, n, ledger),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        self.settle(i64::MAX, ledger)?;
        for (n, entry) in ledger.entries().filter(|(_, entry)| entry.is_copied && entry.status.is_some()) {
            keep(entry.is_labelled, "INV-11", || format!("message {n} was taken twice and is not labelled"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::sim::ledger::{CarrierTerms, Terms, Wanted};

    /// What the check says of these observations, each with its instant.
    fn said(all: &[(i64, Seen<'_>)]) -> Result<(), Broken> {
        let carrier = CarrierTerms { window: 10, response_timeout_ms: 10_000, ..CarrierTerms::default() };
        let terms = Terms { latency_max_ms: 20, sync_max_ms: 3, carriers: vec![carrier], keeps_all: true, ..Terms::default() };
        let wanted =
            |_| Wanted { parts: 1, at_most_once: false, expires_in: None, send_after: None, is_marketing: false, number: 1, carrier: 0 };
        let (mut check, mut ledger) = (Copies::default(), Ledger::new(10, terms, Box::new(wanted)));
        for (at, seen) in all {
            check.see(*at, seen, &ledger)?;
            ledger.note(*at, seen);
        }
        check.end(&ledger)
    }

    fn submit(session: u64, number: u64) -> Seen<'static> {
        let (n, message_id) = (Some(7), "x");
        let (carrier, validity, part, total, sequence, status) = (0, 0, 1, 1, 1, 0);
        let (is_answered, delay_ms) = (true, 5);
        Seen::Submit(Submit { carrier, session, n, validity, part, total, sequence, status, number, message_id, is_answered, delay_ms })
    }

    fn closed(session: u64, is_orderly: bool) -> Seen<'static> {
        Seen::Closed { carrier: 0, session, is_orderly }
    }

    #[test]
    fn a_resend_may_overtake_the_first_whose_session_is_lost_and_no_other() {
        let begin = 1_000_000;
        let (resend, first) = ((begin, submit(1, 100)), (begin + 1, submit(2, 101)));
        assert_eq!(said(&[resend, first, (begin + 2, closed(2, false))]), Ok(()));
        for what in
            [&[resend, first][..], &[resend, first, (begin + 2, closed(2, true))], &[resend, first, (begin + 5_000, closed(2, false))]]
        {
            assert_eq!(said(what).map_err(|broken| broken.invariant), Err("INV-9"));
        }
        // Too late to have been overtaken.
        let late = [resend, (begin + 100, submit(2, 101)), (begin + 101, closed(2, false))];
        assert_eq!(said(&late).map_err(|broken| broken.invariant), Err("INV-9"));
        // Nor is it on the session of the copy.
        let same = [resend, (begin + 1, submit(1, 101)), (begin + 2, closed(1, false))];
        assert_eq!(said(&same).map_err(|broken| broken.invariant), Err("INV-9"));
        let lost_before = [resend, (begin + 1, closed(1, false)), (begin + 9, submit(2, 101))];
        assert_eq!(said(&lost_before), Ok(()));
    }
}
