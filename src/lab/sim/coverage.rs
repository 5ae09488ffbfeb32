//! What a life has written to its store, by kind: evidence that a scenario comes through every change of state there is.

use crate::message::event::Event;
use crate::message::log::read_events;
use crate::storage::Group;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How often each kind was written. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Coverage(Arc<Mutex<BTreeMap<String, u64>>>);

impl Coverage {
    /// Notes a commit.
    ///
    /// # Panics
    /// When its log cannot be read, which would be lost at the next start.
    pub fn note(&self, group: &Group) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut see = |kind: String, count: usize| {
            if count > 0 {
                *seen.entry(kind).or_default() += count as u64;
            }
        };
        for event in read_events(&group.log).expect("a process writes what it can read") {
            let (kind, how) = words(&event);
            see(format!("event {kind}"), 1);
            if let Some(how) = how {
                see(format!("{kind} {how}"), 1);
            }
        }
        see("store frames".into(), group.frames.len());
        see("store answers".into(), group.answers.len());
        see("store batches".into(), group.batches.len());
        see("store aborted".into(), group.aborted.len());
        see("store closed".into(), group.closed.len());
        see("store people".into(), group.people.len());
        see("store spent".into(), group.spent.len());
        for (key, value) in &group.notes {
            let family = key.split('/').next().unwrap_or_default();
            see(format!("note {family} {}", if value.is_some() { "put" } else { "removed" }), 1);
        }
    }

    /// Adds what another life has written.
    pub fn add(&self, other: &Coverage) {
        let others = other.seen();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        others.into_iter().for_each(|(kind, count)| *seen.entry(kind).or_default() += count);
    }

    /// Kinds and how often each was written.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The kind of an event, as `proto/relais/v1/journal.proto` names it, and how and why, where there are several ways.
fn words(event: &Event) -> (&'static str, Option<String>) {
    match event {
        Event::Leased { .. } => ("leased", None),
        Event::Submitted { named_in, .. } => ("submitted", Some(format!("{named_in:?}").to_lowercase())),
        Event::Refused { command_status, .. } => ("refused", Some(format!("{command_status:#x}"))),
        Event::Doubted { reason, .. } => ("doubted", Some(reason.word().into())),
        Event::Requeued { reason, .. } => ("requeued", Some(reason.word().into())),
        Event::Receipt { state, .. } => ("receipt", Some(format!("{state:?}").to_lowercase())),
        Event::Ended { status, reason, .. } => ("ended", Some(format!("{} {}", status.word(), reason.word()))),
        Event::Orphaned { .. } => ("orphaned", None),
        Event::OrphanGone { .. } => ("orphan_gone", None),
        Event::Parked { why, .. } => ("parked", Some(why.word().into())),
        Event::Held { why, .. } => ("held", Some(why.word().into())),
        Event::Rescheduled { .. } => ("rescheduled", None),
        Event::Rendered { .. } => ("rendered", None),
        Event::Inbound { keyword, is_incomplete, .. } => {
            ("inbound", Some(format!("{}{}", keyword.word(), if *is_incomplete { " incomplete" } else { "" })))
        }
        Event::InboundPart(_) => ("inbound_part", None),
    }
}
