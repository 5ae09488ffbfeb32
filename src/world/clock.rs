//! The seam of time.

use crate::base::{Mono, Time};

/// Tells the time. Two clocks, never mixed: see `base::time`.
pub trait Clock: Send + Sync {
    /// The wall clock; may jump.
    fn wall(&self) -> Time;
    /// The monotonic clock; never goes back.
    fn mono(&self) -> Mono;
}
