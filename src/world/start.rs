//! The seam of threads: each long-lived part of the gateway (a shard, the journal's writer) is started with a
//! name and joined at the end. In the real world it gets a thread with a current-thread runtime of its own; in
//! a simulation it becomes a local task of the one thread.

use super::pool::Pool;
use std::future::Future;
use std::pin::Pin;

/// A future that stays on its thread.
pub type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Resolves when the part has ended; an error when it panicked.
pub type Finished = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Starts parts.
pub trait Start: Send + Sync {
    /// Starts a part under a name (at most 15 characters show in the system's tools).
    fn start(&self, name: &str, part: Box<dyn FnOnce() -> LocalFuture + Send>) -> Finished;

    /// Starts `threads` threads that give way to all others by `niceness` (0 to 19), under a name. `None` where there
    /// are no threads, or none can be had.
    fn pool(&self, name: &str, threads: usize, niceness: u8) -> Option<Pool> {
        let _ = (name, threads, niceness);
        None
    }
}
