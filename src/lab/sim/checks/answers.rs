//! INV-13 what an answer means is what happens next; INV-14 sequence numbers and whose answer is whose.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::{Seen, Submit};
use crate::message::Status;
use hashbrown::HashMap;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A part that was refused for good.
#[derive(Clone, Copy)]
struct Refused {
    carrier: u8,
    session: u64,
    at: i64,
    answer_at: i64,
    status: u32,
}

/// See the module.
#[derive(Default)]
pub(super) struct Answers {
    refused: Map<(u64, u8), Refused>,
    /// Messages with an answer that may end them: a temporary or permanent error, or one the table calls a doubt.
    excused: Map<u64, u32>,
    /// Sequence numbers that are out, until the answer is due.
    out: Map<(u8, u64), Map<u32, i64>>,
}

/// Statuses after which a message is over (SMPP 3.4 §5.1.3), of those the carriers here use.
fn is_permanent(status: u32) -> bool {
    matches!(status, 0x01 | 0x0A | 0x0B | 0x15 | 0x43 | 0x61 | 0x62)
}

/// Statuses that say later (SMPP 3.4 §5.1.3), of those the carriers here use.
fn is_temporary(status: u32) -> bool {
    matches!(status, 0x08 | 0x64)
}

/// So many temporary errors end a message: five attempts, of which two may have ended in doubt.
const REASON_ENOUGH: u32 = 3;

/// Throttled, queue full: these cost a message nothing.
fn is_throttle(status: u32) -> bool {
    matches!(status, 0x58 | 0x14)
}

impl Answers {
    fn sequence(&mut self, at: i64, submit: &Submit<'_>, ledger: &Ledger) -> Result<(), Broken> {
        let Submit { carrier, session, sequence, .. } = *submit;
        let place = || format!("c{carrier}/{session} at {at}: sequence number {sequence}");
        keep((1..=0x7FFF_FFFF).contains(&sequence), "INV-14", || format!("{} is out of range", place()))?;
        let out = self.out.entry((carrier, session)).or_default();
        keep(out.get(&sequence).is_none_or(|due| *due <= at), "INV-14", || format!("{} is still in use", place()))?;
        if out.len() > 4_096 {
            out.retain(|_, due| *due > at);
        }
        let silence = ledger.terms.carriers[usize::from(carrier)].response_timeout_ms;
        out.insert(sequence, at + if submit.is_answered { (submit.delay_ms as i64).min(silence) } else { silence });
        Ok(())
    }

    fn meaning(&mut self, at: i64, submit: &Submit<'_>, ledger: &Ledger) -> Result<(), Broken> {
        let Some(n) = submit.n else { return Ok(()) };
        if let Some(before) = self.refused.get(&(n, submit.part)) {
            let doubt = ledger.doubt(before.carrier, before.session, before.at, Some(before.answer_at));
            keep(doubt.is_some(), "INV-13", || {
                format!("message {n} part {} is sent at {at}, it was refused for good ({:#x}) at {}", submit.part, before.status, before.at)
            })?;
        }
        if is_permanent(submit.status) && submit.is_answered {
            let answer_at = at + submit.delay_ms as i64;
            let refused = Refused { carrier: submit.carrier, session: submit.session, at, answer_at, status: submit.status };
            self.refused.insert((n, submit.part), refused);
        }
        if submit.status != 0 && !is_throttle(submit.status) {
            // A temporary one ends nothing by itself.
            *self.excused.entry(n).or_default() += if is_temporary(submit.status) { 1 } else { REASON_ENOUGH };
        }
        Ok(())
    }
}

impl Check for Answers {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match seen {
            Seen::Malformed { carrier } => keep(false, "INV-14", || format!("c{carrier}: a submit_sm that cannot be read")),
            Seen::Submit(submit) => {
                self.sequence(at, submit, ledger)?;
                self.meaning(at, submit, ledger)
            }
            Seen::Closed { carrier, session, .. } => {
                self.out.remove(&(*carrier, *session));
                Ok(())
            }
            Seen::Looked { n, carrier_ids, .. } if ledger.terms.keeps_all => {
                for (part, id) in (1..).zip(*carrier_ids) {
                    let Some(id) = id else { continue };
                    let is_known = ledger.copies(*n).iter().any(|copy| copy.part == part && ledger.is_name_of(copy, id));
                    keep(is_known, "INV-14", || format!("message {n} part {part} is said to be `{id}`, the carrier never said so"))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        for (n, entry) in ledger.entries().filter(|(_, entry)| entry.status == Some(Status::Rejected)) {
            let has_cause = self.excused.get(&n).is_some_and(|cause| *cause >= REASON_ENOUGH) || entry.failed != 0;
            keep(has_cause, "INV-13", || format!("message {n} is rejected, and no carrier refused it"))?;
        }
        Ok(())
    }
}
