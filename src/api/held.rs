//! Idempotency keys of requests that are being served, in memory: a second request with the key waits its turn.

use crate::api::problem::Problem;
use crate::pipeline::accept::Code;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The header a key comes in.
pub(super) const HEADER: &str = "Idempotency-Key";

/// The keys of requests that are being served.
#[derive(Debug, Default)]
pub(super) struct InProgress(Mutex<HashSet<(String, String)>>);

/// A key, held. Dropping it gives it free.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<InProgress>,
    /// The account and its key.
    pub(super) name: (String, String),
}

impl Held {
    pub(super) fn take(all: &Arc<InProgress>, account: &str, key: String) -> Result<Held, Problem> {
        let name = (account.to_owned(), key);
        if !all.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            return Err(Problem::header(Code::IdempotencyInProgress, HEADER, "a request with this key is being served"));
        }
        Ok(Held { all: all.clone(), name })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}
