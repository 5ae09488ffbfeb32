//! The idempotency keys of requests that are being served: each is held by one of them.

use crate::api::problem::Problem;
use crate::pipeline::accept::Code;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The header.
pub(super) const NAME: &str = "Idempotency-Key";

/// The keys of requests that are being served.
#[derive(Debug, Default)]
pub(super) struct InProgress(Mutex<HashSet<(String, String)>>);

/// A key, held. Dropping it gives it free.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<InProgress>,
    name: (String, String),
}

impl Held {
    /// Holds a key of an account.
    ///
    /// # Errors
    /// `idempotency_in_progress`.
    pub(super) fn take(all: &Arc<InProgress>, account: &str, key: String) -> Result<Held, Problem> {
        let name = (account.to_owned(), key);
        if !all.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) && !crate::base::planted::is("key-not-held") {
            return Err(Problem::header(Code::IdempotencyInProgress, NAME, "a request with this key is being served"));
        }
        Ok(Held { all: all.clone(), name })
    }

    /// Account and key.
    pub(super) const fn name(&self) -> &(String, String) {
        &self.name
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_held_once_and_free_again_when_dropped() {
        let all = Arc::<InProgress>::default();
        let held = Held::take(&all, "a", "k".into()).expect("free");
        assert_eq!(Held::take(&all, "a", "k".into()).map(|_| ()).map_err(|problem| problem.code), Err(Code::IdempotencyInProgress));
        assert!(Held::take(&all, "b", "k".into()).is_ok());
        drop(held);
        assert!(Held::take(&all, "a", "k".into()).is_ok());
    }
}
