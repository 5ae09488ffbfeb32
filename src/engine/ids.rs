//! Ids of bulks and inbound messages: few enough for a lock. Message ids are the writer's.

use crate::base::Time;
use crate::base::id::IdSource;
use std::sync::{Mutex, PoisonError};

/// A shared source of ids.
#[derive(Debug)]
pub struct Ids(Mutex<IdSource>);

impl Ids {
    /// After the greatest id in the journal.
    #[must_use]
    pub fn new(node: u8, after: Option<u64>) -> Ids {
        Ids(Mutex::new(IdSource::new(node, after)))
    }

    /// A new id.
    #[must_use]
    pub fn take(&self, now: Time) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(1, now)
    }
}
