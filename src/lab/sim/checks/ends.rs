//! INV-1 and INV-30 what was accepted ends, once; INV-7 what was refused is never sent; INV-8 a key names one message;
//! INV-16 nothing is sent after its time; INV-23 one end, no way back.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::{Entry, Ledger, status_of};
use crate::lab::sim::seen::{Seen, Submit};
use crate::message::Status;
use hashbrown::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct Ends {
    /// The furthest standing the API has shown.
    shown: HashMap<u64, (u8, Status), foldhash::fast::FixedState>,
    /// Since when all is well.
    quiet_at: i64,
}

/// A message that is refused for now waits for its turn again: `accepted` and `sending` may follow each other.
const fn rank(status: Status) -> u8 {
    match status {
        Status::Accepted | Status::Sending | Status::Held | Status::Scheduled => 0,
        Status::Sent => 1,
        _ => 2,
    }
}

impl Ends {
    fn submit(at: i64, submit: &Submit<'_>, ledger: &Ledger) -> Result<(), Broken> {
        let carrier = submit.carrier;
        let named = submit.n.and_then(|n| Some((n, ledger.entry(n)?)));
        let Some((n, entry)) = named else {
            return keep(false, "INV-7", || format!("c{carrier}: a submit of a message nobody asked for"));
        };
        let wanted = ledger.wanted(n);
        keep(entry.asked_at != 0 && !entry.is_declined, "INV-7", || format!("message {n} was refused and is sent"))?;
        keep(!entry.is_canceled, "INV-7", || format!("message {n} was called back and is sent"))?;
        keep(submit.total == wanted.parts && (1..=wanted.parts).contains(&submit.part), "INV-1", || {
            format!("message {n} has {} parts and part {} of {} is sent", wanted.parts, submit.part, submit.total)
        })?;
        // What stood on the way may arrive later than it was sent.
        let late_by = ledger.terms.latency_max_ms + 100;
        // In whole seconds.
        let is_beyond = entry.until != 0 && submit.validity > entry.until + 1_000;
        keep(!is_beyond, "INV-16", || {
            format!("message {n} may be delivered until {}, its time is over at {}", submit.validity, entry.until)
        })?;
        let (written, _) = ledger.shown_within(at - late_by, at);
        if entry.until != 0 && written > entry.until {
            let stood = ledger.stood_still(carrier, ledger.last_shown(entry.until, at) - late_by);
            keep(stood, "INV-16", || format!("message {n} is sent at {at}, its time was over at {}", entry.until))?;
        }
        if entry.status.is_some() && at > entry.told_at + late_by {
            let stood = ledger.stood_still(carrier, entry.told_at - late_by);
            keep(stood, "INV-23", || format!("message {n} is sent at {at}, it ended at {} as {:?}", entry.ended_at, entry.status))?;
        }
        Ok(())
    }

    /// Whether the rest of a long text may have stayed behind: its lifetime was over, or its recipient had said stop.
    fn is_cut_short(n: u64, entry: &Entry, ledger: &Ledger) -> bool {
        let until = if entry.until == 0 { entry.accepted_at + ledger.terms.lifetime_ms } else { entry.until - ledger.settling_ms() };
        entry.delivered != 0 && (entry.ended_at >= until || ledger.wanted(n).is_marketing)
    }

    /// INV-30: a message that was there when all was well again is sent, and does not wait for the end of its lifetime.
    fn is_late(&self, n: u64, entry: &Entry, is_whole: bool, ledger: &Ledger) -> Result<(), Broken> {
        if entry.status != Some(Status::Expired)
            || is_whole
            || entry.failed != 0
            || ledger.wanted(n).is_marketing
            || self.quiet_at == 0
            || entry.told_at < self.quiet_at
        {
            return Ok(());
        }
        // Nothing sets the clock from then on.
        let from = entry.took_at.max(self.quiet_at);
        let since = ledger.shown(from, from).last().map_or(from, |(first, _)| first);
        let waited = entry.ended_at - since;
        keep(waited <= ledger.terms.backlog_ms, "INV-30", || {
            format!("message {n} waited {waited} ms while all was well, and its time was over: {entry:?}")
        })
    }

    fn looked(&mut self, since: i64, n: u64, word: &str, is_final: bool, ledger: &Ledger) -> Result<(), Broken> {
        let Some(status) = status_of(word) else {
            return keep(false, "INV-23", || format!("message {n} stands as `{word}`"));
        };
        keep(is_final == status.is_final(), "INV-23", || format!("message {n} is `{word}` and final={is_final}"))?;
        // What was told while this was asked may come before the answer.
        let told = ledger.entry(n).filter(|entry| entry.told_at < since).and_then(|entry| entry.status);
        keep(told.is_none_or(|told| told == status), "INV-23", || format!("message {n} was told as {told:?} and is shown as {status:?}"))?;
        let before = self.shown.insert(n, (rank(status), status));
        let goes_on = before.is_none_or(|(before, was)| before < rank(status) || was == status || rank(status) == 0 && before == 0);
        keep(goes_on, "INV-23", || format!("message {n} went from {before:?} to {status:?}"))
    }
}

impl Check for Ends {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Submit(submit) => Ends::submit(at, &submit, ledger),
            Seen::Took { n, id } => {
                let known = ledger.entry(n).map_or(0, |entry| entry.id);
                keep(known == 0 || known == id, "INV-8", || format!("message {n} has two ids, {known:x} and {id:x}"))
            }
            Seen::Crossed { first, status } => {
                keep(!(200..300).contains(&status), "INV-8", || format!("another request under the key of {first} is answered {status}"))
            }
            Seen::Found { n, count } => keep(count == 1, "INV-8", || format!("message {n} exists {count} times")),
            Seen::Quiet => {
                self.quiet_at = at;
                Ok(())
            }
            Seen::Looked { since, n, status, is_final, .. } => self.looked(since, n, status, is_final, ledger),
            _ => Ok(()),
        }
    }

    fn end(&mut self, ledger: &Ledger) -> Result<(), Broken> {
        for (n, entry) in ledger.entries().filter(|(_, entry)| !entry.is_erased) {
            let Some(status) = entry.status else {
                keep(entry.id == 0, "INV-30", || format!("message {n} was accepted and has not ended: {entry:?}"))?;
                continue;
            };
            keep(!entry.is_canceled || status == Status::Canceled, "INV-23", || format!("message {n} was called back and is {status:?}"))?;
            // An end that says nothing of the carrier needs no submit; the others do.
            let is_explicit = matches!(status, Status::Expired | Status::Rejected | Status::Canceled | Status::Unknown)
                || (status == Status::Refused && ledger.wanted(n).is_marketing)
                || (status == Status::PartiallyDelivered && Ends::is_cut_short(n, entry, ledger));
            keep(!entry.is_canceled || entry.taken == 0, "INV-7", || {
                format!("message {n} was called back and a carrier had it: {entry:?}")
            })?;
            let all = (1u8 << ledger.wanted(n).parts) - 1;
            self.is_late(n, entry, entry.taken == all, ledger)?;
            keep(is_explicit || entry.taken == all, "INV-1", || format!("message {n} is {status:?} and was not sent whole: {entry:?}"))?;
        }
        Ok(())
    }
}
