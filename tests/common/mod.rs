//! What the tests of the built programs share: processes, a small HTTP client, configurations, foreign peers. These
//! tests see the gateway from outside, so they use real sockets, the real clock and real signals.

#![allow(dead_code, unreachable_pub, clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::print_stderr)]

pub mod api;
pub mod foreign;
pub mod gateway;
pub mod http;
pub mod peers;
pub mod process;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks at something that will change.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until there is something to see; fails with `what` when the time is over.
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A directory of one test, removed when the test has passed; kept, and named, when it fails: it holds all logs.
pub struct Bench {
    path: PathBuf,
}

impl Bench {
    /// An empty one.
    pub fn new(name: &str) -> Bench {
        let made = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Bench { path: made.expect("a directory for tests").keep() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the logs, the journal and the records of this run are in {}", self.path.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
