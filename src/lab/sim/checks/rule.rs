//! What a check is: it sees everything in order and says when a promise is broken.

use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number, as in `docs/invariants.md`.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

/// A promise was broken unless `is_kept`.
///
/// # Errors
/// The breach, in the words `what` makes.
pub fn keep(is_kept: bool, invariant: &'static str, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if is_kept { Ok(()) } else { Err(Broken { invariant, what: what() }) }
}

/// A check of some promises. The ledger holds what was seen before.
pub trait Check: Send {
    /// Looks at an observation.
    ///
    /// # Errors
    /// The breach.
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken>;

    /// Looks at the whole, when faults are long over and nothing more will come.
    ///
    /// # Errors
    /// The breach.
    fn end(&mut self, _ledger: &Ledger) -> Result<(), Broken> {
        Ok(())
    }
}
