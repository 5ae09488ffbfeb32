//! The model: everything that is seen goes into the log, past the checks, into the ledger. It shares nothing with the
//! gateway. The first broken promise ends the run.

use super::checks::{Broken, Check, all};
use super::ledger::{Ledger, Terms, Wanted};
use super::seen::Seen;
use crate::world::World;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Octets of the log gathered before they are hashed.
const GATHERED: usize = 64 << 10;

struct Inner {
    ledger: Ledger,
    checks: Vec<Box<dyn Check>>,
    broken: Option<Broken>,
    broken_at: i64,
    hash: Sha256,
    lines: String,
    log: Option<Box<dyn std::io::Write + Send>>,
    seen: u64,
    submits: u64,
}

/// See the module. Clones are the same model.
#[derive(Clone)]
pub struct Model {
    world: World,
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
}

impl Model {
    /// A model that has seen nothing. `log` gets every line.
    #[must_use]
    pub fn new(
        world: World,
        messages: u64,
        terms: Terms,
        wanted: Box<dyn Fn(u64) -> Wanted + Send>,
        log: Option<Box<dyn std::io::Write + Send>>,
    ) -> Model {
        let checks = all(&terms);
        let ledger = Ledger::new(messages, terms, wanted);
        let (hash, lines) = (Sha256::new(), String::with_capacity(GATHERED + 1_024));
        let inner = Inner { ledger, checks, broken: None, broken_at: 0, hash, lines, log, seen: 0, submits: 0 };
        Model { world, inner: Arc::new(Mutex::new(inner)), changed: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an observation made now.
    pub fn see(&self, seen: &Seen<'_>) {
        let at = self.world.now().0;
        let mut inner = self.inner();
        let Inner { ledger, checks, broken, broken_at, lines, .. } = &mut *inner;
        writeln!(lines, "{} {seen}", self.world.mono().0).expect("into memory");
        if broken.is_none() {
            for check in checks {
                if let Err(breach) = check.see(at, seen, ledger) {
                    (*broken, *broken_at) = (Some(breach), at);
                    self.changed.notify_one();
                    break;
                }
            }
        }
        ledger.note(at, seen);
        inner.seen += 1;
        inner.submits += u64::from(matches!(seen, Seen::Submit(_)));
        if inner.lines.len() >= GATHERED {
            inner.flush();
        }
    }

    /// Writes down what the life is.
    pub fn title(&self, what: &dyn std::fmt::Debug) {
        writeln!(self.inner().lines, "{what:?}").expect("into memory");
    }

    /// Reports what was found otherwise.
    pub fn fail(&self, broken: Broken) {
        let mut inner = self.inner();
        inner.broken_at = self.world.now().0;
        inner.broken.get_or_insert(broken);
        self.changed.notify_one();
    }

    /// Resolves when a promise is broken.
    pub async fn broken(&self) {
        while self.inner().broken.is_none() {
            self.changed.notified().await;
        }
    }

    /// What the ledger says.
    pub fn ask<T>(&self, ask: impl FnOnce(&Ledger) -> T) -> T {
        ask(&self.inner().ledger)
    }

    /// How many observations and submits there were.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.seen, inner.submits)
    }

    /// The last look at the whole; the hash of the log, and the first broken promise with its instant.
    #[must_use]
    pub fn finish(&self, is_over: bool) -> (String, Option<(i64, Broken)>) {
        let mut inner = self.inner();
        let Inner { ledger, checks, broken, .. } = &mut *inner;
        if broken.is_none() && is_over {
            *broken = checks.iter_mut().find_map(|check| check.end(ledger).err());
            inner.broken_at = self.world.now().0;
        }
        inner.flush();
        let hash = inner.hash.clone().finalize().iter().take(16).fold(String::new(), |mut text, octet| {
            let _ = write!(text, "{octet:02x}");
            text
        });
        (hash, inner.broken.clone().map(|broken| (inner.broken_at, broken)))
    }
}

impl Inner {
    fn flush(&mut self) {
        self.hash.update(self.lines.as_bytes());
        if let Some(log) = &mut self.log
            && log.write_all(self.lines.as_bytes()).and_then(|()| log.flush()).is_err()
        {
            self.log = None;
        }
        self.lines.clear();
    }
}
