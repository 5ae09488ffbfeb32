//! INV-1, in its order: the parts of a long text come first to last, as long as nothing has gone wrong at their carrier since
//! the message was asked for; what went wrong may be seen only afterwards. And INV-30: a session answers while it lives.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::{Seen, Submit};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// See the module.
#[derive(Default)]
pub(super) struct Order {
    /// The last part of a message that was seen.
    last: HashMap<u64, u8, foldhash::fast::FixedState>,
    /// When a session of a carrier ended last; when anything happened to the process.
    closed: HashMap<u8, i64, foldhash::fast::FixedState>,
    restarted: i64,
    is_quiet: bool,
    /// Parts that came before their turn without a reason that was seen.
    open: VecDeque<Early>,
}

/// A part that came before its turn. The one before it may have been written to a session that was lost with it, and whose end the
/// carrier sees later than this part, which took another way.
#[derive(Clone, Copy)]
struct Early {
    n: u64,
    part: u8,
    total: u8,
    carrier: u8,
    /// The way it took.
    session: u64,
    /// When the end of another way must have come.
    due: i64,
}

impl Early {
    fn broken(&self) -> Result<(), Broken> {
        let Early { n, part, total, carrier, session, .. } = self;
        keep(false, "INV-1", || format!("message {n} begins with part {part} of {total} on c{carrier}/{session}"))
    }
}

impl Order {
    fn submit(&mut self, at: i64, submit: &Submit<'_>, ledger: &Ledger) {
        let Some((n, entry)) = submit.n.and_then(|n| Some((n, ledger.entry(n)?))) else { return };
        let last = self.last.entry(n).or_default();
        let is_next = submit.part <= *last + 1;
        *last = submit.part.max(*last);
        let trouble = self.restarted.max(self.closed.get(&submit.carrier).copied().unwrap_or(0));
        if is_next || trouble >= entry.asked_at || ledger.stood_still(submit.carrier, entry.asked_at) {
            return;
        }
        let Submit { part, total, carrier, session, .. } = *submit;
        self.open.push_back(Early { n, part, total, carrier, session, due: at + ledger.terms.latency_max_ms + 50 });
    }

    /// Those whose reason would have come by now have none.
    fn settle(&self, at: i64) -> Result<(), Broken> {
        self.open.front().filter(|early| early.due < at).map_or(Ok(()), Early::broken)
    }
}

impl Check for Order {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        self.settle(at)?;
        match *seen {
            Seen::Submit(ref submit) if submit.total > 1 => {
                self.submit(at, submit, ledger);
                Ok(())
            }
            Seen::Closed { carrier, session, .. } => {
                self.closed.insert(carrier, at);
                self.open.retain(|early| early.carrier != carrier || early.session == session);
                Ok(())
            }
            Seen::Died | Seen::Stopped { .. } | Seen::Started => {
                self.restarted = at;
                Ok(())
            }
            Seen::Quiet => {
                self.is_quiet = true;
                Ok(())
            }
            Seen::Unanswered { carrier, session } => {
                keep(!self.is_quiet, "INV-30", || format!("c{carrier}/{session}: an enquire_link was not answered in ten minutes"))
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, _ledger: &Ledger) -> Result<(), Broken> {
        self.settle(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::sim::ledger::{CarrierTerms, Terms, Wanted};

    const BEGIN: i64 = 1_000_000;

    /// What the check says of these observations, each with its instant after a message of two parts was asked for.
    fn said(all: &[(i64, Seen<'_>)]) -> Result<(), &'static str> {
        let terms = Terms { latency_max_ms: 20, carriers: vec![CarrierTerms::default(); 2], ..Terms::default() };
        let wanted =
            |_| Wanted { parts: 2, at_most_once: false, expires_in: None, send_after: None, is_marketing: false, number: 1, carrier: 0 };
        let (mut check, mut ledger) = (Order::default(), Ledger::new(10, terms, Box::new(wanted)));
        for (at, seen) in [(0, Seen::Asked { account: 0, first: 7, count: 1 })].iter().chain(all) {
            check.see(BEGIN + at, seen, &ledger).map_err(|broken| broken.invariant)?;
            ledger.note(BEGIN + at, seen);
        }
        check.end(&ledger).map_err(|broken| broken.invariant)
    }

    fn submit(session: u64, part: u8, number: u64) -> Seen<'static> {
        let (n, message_id) = (Some(7), "x");
        let (carrier, validity, total, sequence, status) = (0, 0, 2, 1, 0);
        let (is_answered, delay_ms) = (true, 5);
        Seen::Submit(Submit { carrier, session, n, validity, part, total, sequence, status, number, message_id, is_answered, delay_ms })
    }

    fn closed(carrier: u8, session: u64) -> Seen<'static> {
        Seen::Closed { carrier, session, is_orderly: false }
    }

    #[test]
    fn a_part_may_overtake_the_end_of_another_session_of_its_carrier_and_nothing_else() {
        let second = (100, submit(1, 2, 100));
        assert_eq!(said(&[(90, submit(1, 1, 99)), second]), Ok(()));
        assert_eq!(said(&[(90, closed(0, 2)), second]), Ok(()));
        assert_eq!(said(&[second, (110, closed(0, 2)), (500, submit(1, 1, 101))]), Ok(()));
        assert_eq!(said(&[second, (170, closed(0, 2))]), Ok(()));
        for what in [
            &[second][..],
            // The first in its wake is no reason.
            &[second, (101, submit(1, 1, 101)), (500, submit(1, 1, 101))],
            // The end of its own session, or of another carrier's, is none.
            &[second, (110, closed(0, 1))],
            &[second, (110, closed(1, 2))],
            // Nor is one that was not under way any more, or that was over when the message was asked for.
            &[second, (171, closed(0, 2))],
            &[(-1, closed(0, 2)), second],
            // What begins to stand still later has held up nothing.
            &[second, (110, Seen::Fault { kind: "hold", carrier: Some(0), is_on: true })],
        ] {
            assert_eq!(said(what), Err("INV-1"));
        }
    }
}
