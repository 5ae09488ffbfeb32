//! INV-17: when the wall clock of the gateway's machine was set, nothing that depends on the hour leaves until it has been
//! steady, and nothing ends because of what it shows meanwhile. That it breaks no hours and no lifetime, by what the clock
//! shows, is `hours` and `ends`; that it is no reason to send twice, `copies`, to which a clock is no cause of doubt.
//!
//! A jump is what cannot have escaped a gateway that compares both clocks at each turn: it shows something that is more than
//! two seconds off whatever it showed, against the monotonic clock, for the last minute of this process. Smaller steps and what
//! gains slowly are no jumps; a process that starts takes the clock as it is.

use super::rule::{Broken, Check, keep};
use crate::lab::ClockError;
use crate::lab::sim::config::CLOCK_SETTLE_S;
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use crate::message::Status;

/// What the gateway calls a jump, and some for what it gains meanwhile.
const JUMP_MS: i64 = 2_100;
/// Both clocks are compared with what they were at most so long ago.
const COMPARED_MS: i64 = 61_000;

/// See the module.
#[derive(Default)]
pub(super) struct Clock {
    errors: Vec<ClockError>,
    started_at: i64,
    /// Messages that have expired when they should not, unless a carrier said so.
    early: Vec<u64>,
}

impl Clock {
    /// The last jump before an instant, when the clock has not been steady for long enough since.
    fn unsteady(&self, at: i64) -> Option<i64> {
        let last = self.errors.iter().rposition(|error| error.since <= at)?;
        let (now, since) = (self.errors[last], self.errors[last].since);
        if since < self.started_at || at >= since + CLOCK_SETTLE_S * 1_000 {
            return None;
        }
        let from = self.started_at.max(since - COMPARED_MS);
        let ends = self.errors.iter().skip(1).map(|error| error.since);
        let mut before = self.errors.iter().zip(ends).take(last).filter(|(_, end)| *end >= from);
        let is_off = |(error, end): (&ClockError, i64)| {
            let shown = [error.at(from.max(error.since)), error.at(end)];
            let now = [now.at(since), now.at(at)];
            now.iter().all(|now| shown.iter().all(|shown| now - shown > JUMP_MS))
                || now.iter().all(|now| shown.iter().all(|shown| shown - now > JUMP_MS))
        };
        before.all(is_off).then_some(since)
    }

    /// To end is for ever: a lifetime that was over by a clock nobody could believe is not over.
    fn expired(&mut self, n: u64, at: i64, ledger: &Ledger) {
        let (wanted, Some(entry)) = (ledger.wanted(n), ledger.entry(n)) else { return };
        let Some(seconds) = wanted.expires_in.filter(|_| !wanted.is_marketing && entry.took_at != 0) else { return };
        let until = entry.accepted_at + i64::from(seconds) * 1_000;
        // The end of each stretch without a jump is when it was believed, if ever, and when it showed most.
        let ends = self.errors.iter().skip(1).map(|error| error.since - 1).filter(|end| (entry.took_at..at).contains(end));
        let is_over = ends.chain([at]).any(|end| self.unsteady(end).is_none() && ledger.shown_within(end, end).1 >= until);
        if !is_over {
            self.early.push(n);
        }
    }
}

impl Check for Clock {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Started => {
                self.started_at = at;
                Ok(())
            }
            Seen::Clock { error } => {
                if self.errors.is_empty() {
                    self.errors.push(ClockError::default());
                }
                self.errors.push(error);
                Ok(())
            }
            Seen::Submit(submit) => {
                let Some(n) = submit.n.filter(|n| ledger.wanted(*n).is_marketing) else { return Ok(()) };
                // It was written before it came: all that while the clock must have been unsteady.
                let written = at - ledger.terms.latency_max_ms - 100;
                let jump = self.unsteady(at).filter(|jump| written > *jump && !ledger.stood_still(submit.carrier, written));
                keep(jump.is_none(), "INV-17", || {
                    let ago = at - jump.unwrap_or(at);
                    format!("message {n} is sent at {at}, {ago} ms after the clock was set")
                })
            }
            Seen::Told { event, .. } if event.status.as_deref() == Some(Status::Expired.word()) => {
                let n = event.client_ref.as_deref().and_then(|text| text.parse::<u64>().ok());
                n.into_iter().for_each(|n| self.expired(n, at, ledger));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        let mut early = self.early.iter().filter_map(|n| Some((n, ledger.entry(*n)?))).filter(|(_, entry)| entry.failed == 0);
        let one = early.next();
        keep(one.is_none(), "INV-17", || format!("a message has expired by a clock that had just been set: {one:?}"))
    }
}
