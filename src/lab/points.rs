//! Where a simulated process may die: every commit of its store and every send on its sockets passes here, is counted, and
//! at one of them the process is dead before it knows. Nothing is drawn, so the life up to a point is the same whether
//! somebody dies there or not.
//!
//! In: what is about to happen, in its order. Out: whether the process dies of it. From then on the store takes nothing
//! from it and its sockets neither take nor give (`lab::net`, `lab::sim::disk`), until whoever started it has buried it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What is about to leave something behind, or has just done so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Spot {
    /// A commit, of which nothing is written.
    CommitBegins = 0,
    /// It is written, and its sync has not returned.
    CommitWritten = 1,
    /// Its sync has returned, and nobody knows.
    CommitSynced = 2,
    /// The store is about to be changed otherwise: upkeep, rows of an erasure put in others' places.
    UpkeepBegins = 3,
    /// That is done, and nobody knows.
    UpkeepDone = 4,
    /// Octets to a carrier, none of which is out; half of them are; all are.
    CarrierBegins = 5,
    /// See `CarrierBegins`.
    CarrierHalf = 6,
    /// See `CarrierBegins`.
    CarrierDone = 7,
    /// Likewise, of an answer to a customer.
    AnswerBegins = 8,
    /// See `AnswerBegins`.
    AnswerHalf = 9,
    /// See `AnswerBegins`.
    AnswerDone = 10,
    /// Likewise, of a call to a webhook.
    HookBegins = 11,
    /// See `HookBegins`.
    HookHalf = 12,
    /// See `HookBegins`.
    HookDone = 13,
}

impl Spot {
    /// All of them, by their numbers.
    pub const ALL: [Spot; 14] = [
        Spot::CommitBegins,
        Spot::CommitWritten,
        Spot::CommitSynced,
        Spot::UpkeepBegins,
        Spot::UpkeepDone,
        Spot::CarrierBegins,
        Spot::CarrierHalf,
        Spot::CarrierDone,
        Spot::AnswerBegins,
        Spot::AnswerHalf,
        Spot::AnswerDone,
        Spot::HookBegins,
        Spot::HookHalf,
        Spot::HookDone,
    ];

    /// Those of an answer on a port of the process.
    pub const ANSWER: [Spot; 3] = [Spot::AnswerBegins, Spot::AnswerHalf, Spot::AnswerDone];

    /// Those of a send on a connection it has made: carriers listen on SMPP's own port, webhooks on others.
    #[must_use]
    pub const fn of_calls(port: u16) -> [Spot; 3] {
        match port {
            2_775 => [Spot::CarrierBegins, Spot::CarrierHalf, Spot::CarrierDone],
            _ => [Spot::HookBegins, Spot::HookHalf, Spot::HookDone],
        }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Spot::CommitBegins => "commit_begins",
            Spot::CommitWritten => "commit_written",
            Spot::CommitSynced => "commit_synced",
            Spot::UpkeepBegins => "upkeep_begins",
            Spot::UpkeepDone => "upkeep_done",
            Spot::CarrierBegins => "carrier_begins",
            Spot::CarrierHalf => "carrier_half",
            Spot::CarrierDone => "carrier_done",
            Spot::AnswerBegins => "answer_begins",
            Spot::AnswerHalf => "answer_half",
            Spot::AnswerDone => "answer_done",
            Spot::HookBegins => "hook_begins",
            Spot::HookHalf => "hook_half",
            Spot::HookDone => "hook_done",
        }
    }
}

/// How the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is killed: what it wrote is in the file and arrives.
    Killed,
    /// Its machine loses power: what was not synced is gone, and so is what was under way.
    Unplugged,
}

impl End {
    /// Its name in reports and commands.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            End::Killed => "kill",
            End::Unplugged => "power",
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    /// Points passed, in all and of each kind.
    passed: u64,
    kinds: [u64; Spot::ALL.len()],
    /// What each point was.
    trail: Vec<Spot>,
    /// The points that are still to be died at, the next one last.
    wanted: Vec<u64>,
    /// Every death: the point and its kind.
    deaths: Vec<(u64, Spot)>,
    /// Says to its sockets that the process is dead.
    mark: Option<Arc<AtomicBool>>,
    /// The process is dead and not yet buried.
    is_struck: bool,
    /// The life is over.
    is_closed: bool,
}

/// See the module. Clones are the same.
#[derive(Clone, Debug)]
pub struct Points {
    inner: Arc<Mutex<Inner>>,
    struck: Arc<Notify>,
    end: End,
}

impl Points {
    /// Counts, and lets die at these points (from 1, ascending), each counted from the beginning of the life.
    #[must_use]
    pub fn new(end: End, mut wanted: Vec<u64>) -> Points {
        wanted.reverse();
        Points { inner: Arc::new(Mutex::new(Inner { wanted, ..Inner::default() })), struck: Arc::default(), end }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it dies.
    #[must_use]
    pub const fn end(&self) -> End {
        self.end
    }

    /// A process begins; `mark` is set when it dies.
    pub fn begin(&self, mark: Arc<AtomicBool>) {
        let mut inner = self.inner();
        (inner.mark, inner.is_struck) = (Some(mark), false);
    }

    /// Nothing is counted any more: the life is over.
    pub fn close(&self) {
        self.inner().is_closed = true;
    }

    /// The process comes by here: whether it dies.
    #[must_use]
    pub fn pass(&self, spot: Spot) -> bool {
        let mut inner = self.inner();
        if inner.is_closed || inner.mark.as_ref().is_none_or(|mark| mark.load(Ordering::Relaxed)) {
            return false;
        }
        inner.passed += 1;
        inner.kinds[spot as usize] += 1;
        inner.trail.push(spot);
        if inner.wanted.last() != Some(&inner.passed) {
            return false;
        }
        inner.wanted.pop();
        let at = inner.passed;
        inner.deaths.push((at, spot));
        inner.is_struck = true;
        if let Some(mark) = &inner.mark {
            mark.store(true, Ordering::Relaxed);
        }
        drop(inner);
        self.struck.notify_one();
        true
    }

    /// Whether the process is dead and does not know.
    #[must_use]
    pub fn is_struck(&self) -> bool {
        self.inner().is_struck
    }

    /// Resolves when the process is dead.
    pub async fn struck(&self) {
        while !self.is_struck() {
            self.struck.notified().await;
        }
    }

    /// Points passed, in all and of each kind.
    #[must_use]
    pub fn passed(&self) -> (u64, [u64; Spot::ALL.len()]) {
        let inner = self.inner();
        (inner.passed, inner.kinds)
    }

    /// What each point was, in their order.
    #[must_use]
    pub fn trail(&self) -> Vec<Spot> {
        self.inner().trail.clone()
    }

    /// Every death: the point and its kind.
    #[must_use]
    pub fn deaths(&self) -> Vec<(u64, Spot)> {
        self.inner().deaths.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_dies_at_its_point_once_and_passes_none_before_it_is_buried() {
        let points = Points::new(End::Killed, vec![2, 3]);
        assert!(!points.pass(Spot::CommitBegins), "nobody lives");
        let mark = Arc::new(AtomicBool::new(false));
        points.begin(mark.clone());
        assert!(!points.pass(Spot::CommitBegins));
        assert!(points.pass(Spot::CarrierHalf) && mark.load(Ordering::Relaxed) && points.is_struck());
        assert!(!points.pass(Spot::CommitBegins), "the dead pass nothing");
        points.begin(Arc::default());
        assert!(!points.is_struck());
        assert!(points.pass(Spot::HookDone));
        points.begin(Arc::default());
        assert!(!points.pass(Spot::HookDone));
        assert_eq!(points.deaths(), [(2, Spot::CarrierHalf), (3, Spot::HookDone)]);
        assert_eq!(points.passed().0, 4);
        points.close();
        points.begin(Arc::default());
        assert!(!points.pass(Spot::HookDone) && points.passed().0 == 4, "the life is over");
    }

    #[test]
    fn the_kinds_stand_by_their_numbers() {
        assert!(Spot::ALL.iter().enumerate().all(|(place, spot)| *spot as usize == place));
    }
}
