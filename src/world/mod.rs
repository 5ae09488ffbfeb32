//! The seams to the outside. Everything the gateway knows of time, chance, network and threads comes through
//! one `World` value, made real in `main.rs` or from a seed in `lab`. Timers are tokio's: real, or paused and
//! jumping in a simulation. Outside `real.rs` nothing may ask the operating system (clippy.toml lists the ways).

mod clock;
mod entropy;
mod net;
mod pool;
mod real;
mod start;
pub mod tls;

pub use clock::Clock;
pub use entropy::{Entropy, Entropy64};
pub use net::{BoxFuture, BoxListener, BoxStream, Listener, Net, Stream};
pub use pool::Pool;
pub use real::{RealStart, World0};
pub use start::{Finished, LocalFuture, Start};

use std::sync::Arc;

/// The outside, as a value.
#[derive(Clone)]
pub struct World {
    /// Wall and monotonic time.
    pub clock: Arc<dyn Clock>,
    /// Streams and names.
    pub net: Arc<dyn Net>,
    /// Chance: keys, jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Threads (or, in a simulation, tasks on the one thread).
    pub start: Arc<dyn Start>,
}

impl World {
    /// Wall time.
    #[must_use]
    pub fn now(&self) -> crate::base::Time {
        self.clock.wall()
    }

    /// Monotonic time.
    #[must_use]
    pub fn mono(&self) -> crate::base::Mono {
        self.clock.mono()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}
