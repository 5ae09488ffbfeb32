//! Threads that give way: work that should go on when nothing else wants the cores. Made by `Start::pool`; where there
//! are no threads (a simulation) there is no pool, and its work is done in place.

use std::future::Future;
use tokio::runtime::Runtime;
use tokio_util::task::AbortOnDropHandle;

/// See the module.
#[derive(Debug)]
pub struct Pool(Option<Runtime>);

impl Pool {
    /// On the threads of a runtime.
    pub(super) const fn new(runtime: Runtime) -> Pool {
        Pool(Some(runtime))
    }

    /// Does work on these threads; a panic comes back. When the caller gives up waiting the work is dropped.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let Some(runtime) = &self.0 else { return work.await };
        match AbortOnDropHandle::new(runtime.spawn(work)).await {
            Ok(value) => value,
            Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
            // The threads are ending, and with them everything that would wait for this.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The last owner may be a task: a runtime may not wait there for its threads.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
