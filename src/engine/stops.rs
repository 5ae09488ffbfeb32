//! The opt-outs whose waiting messages are still to end, as notes of the journal: the commit of an opt-out holds one with the
//! search keys of its recipients. In: groups to be committed, and committed. Out: notes, and their keys, what recipients say
//! before customers' lists. What is done with them: `src/engine/stopper.rs`.

use crate::storage::port::{SearchKind, search_key};
use crate::storage::{Archive, Group, Origin, PersonChange, StoreFault};
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// All of them begin so.
pub(crate) const STOPS: &str = "stops/";
/// Under these keys lie the notes: what recipients say, and what customers say.
const URGENT: &str = "stops/a/";
const LATER: &str = "stops/b/";

/// Whether a note names one of these recipients, by their search keys.
pub(crate) fn names(list: &[u8], keys: &HashSet<u64>) -> bool {
    let (found, _) = list.as_chunks::<8>();
    found.iter().any(|key| keys.contains(&u64::from_le_bytes(*key)))
}

/// The notes that wait, by key. A few octets for each commit with opt-outs.
#[derive(Default, Debug)]
struct Waiting {
    urgent: VecDeque<String>,
    later: VecDeque<String>,
}

/// See the module.
#[derive(Default, Debug)]
pub struct Stops {
    waiting: Mutex<Waiting>,
    pub(crate) woken: Notify,
}

impl Stops {
    /// Those that a former process left.
    pub(crate) fn load(archive: &dyn Archive) -> Result<Stops, StoreFault> {
        let stops = Stops::default();
        for prefix in [URGENT, LATER] {
            stops.wait(archive.notes(prefix)?.into_iter().map(|(key, _)| key));
        }
        Ok(stops)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, notes: impl Iterator<Item = String>) {
        let mut waiting = self.lock();
        for note in notes {
            if note.starts_with(URGENT) { waiting.urgent.push_back(note) } else { waiting.later.push_back(note) }
        }
    }

    /// Has a group note the opt-outs it holds.
    pub(crate) fn note(group: &mut Group) {
        let (mut urgent, mut later) = (Vec::new(), Vec::new());
        for change in &group.people {
            let PersonChange::Suppress(row) = change else { continue };
            let key = search_key(SearchKind::Recipient, &row.key.account, &row.key.number.to_string());
            let list = if row.key.origin == Origin::Recipient { &mut urgent } else { &mut later };
            list.extend(key.to_le_bytes());
        }
        // The number of the commit in the order of texts.
        let notes = [(URGENT, urgent), (LATER, later)].into_iter().filter(|(_, list)| !list.is_empty());
        group.notes.extend(notes.map(|(prefix, list)| (format!("{prefix}{:020}", group.seq), Some(list))));
    }

    /// Takes such notes out of a list.
    pub(crate) fn without(notes: &mut Vec<(String, Option<Vec<u8>>)>) {
        notes.retain(|(key, value)| value.is_none() || !(key.starts_with(URGENT) || key.starts_with(LATER)));
    }

    /// A group is durable: its opt-outs are to be looked after.
    pub(crate) fn committed(&self, group: &Group) {
        if group.people.is_empty() {
            return;
        }
        let is_ours = |(key, value): &&(String, Option<Vec<u8>>)| value.is_some() && (key.starts_with(URGENT) || key.starts_with(LATER));
        self.wait(group.notes.iter().filter(is_ours).map(|(key, _)| key.clone()));
        self.woken.notify_one();
    }

    /// The next note of recipients.
    pub(crate) fn urgent(&self) -> Option<String> {
        self.lock().urgent.pop_front()
    }

    /// The next note of customers.
    pub(crate) fn later(&self) -> Option<String> {
        self.lock().later.pop_front()
    }
}
