//! What the journal's writer counts.

use super::declare::Declare;
use super::{Counter, Gauge, Histogram};

/// The writer's handles.
pub struct JournalMetrics {
    /// How long a commit took, sync included.
    pub commit_seconds: Histogram,
    /// What it wrote, in octets.
    pub commit_bytes: Histogram,
    /// How many there were.
    pub commits: Counter,
    /// Octets waiting for the next commit.
    pub queue_bytes: Gauge,
    /// The position of the last commit.
    pub seq: Gauge,
    /// 1 while the disk is full and nothing is accepted.
    pub full: Gauge,
    /// Files the journal has.
    pub slices: Gauge,
    /// From a message's acceptance to its commit.
    pub accept_to_commit: Histogram,
}

impl JournalMetrics {
    pub(super) fn declare(to: &mut Declare) -> JournalMetrics {
        JournalMetrics {
            commit_seconds: to.latency("relais_journal_commit_seconds", "How long a commit takes, its sync included"),
            commit_bytes: to.size("relais_journal_commit_bytes", "What a commit writes"),
            commits: to.counter("relais_journal_commits_total", "Commits of the journal"),
            queue_bytes: to.gauge("relais_journal_queue_bytes", "Octets waiting for the next commit"),
            seq: to.gauge("relais_journal_seq", "Position of the last commit"),
            full: to.gauge("relais_journal_full", "1 while the disk is full and nothing is accepted, else 0"),
            slices: to.gauge("relais_slices", "Files the journal has"),
            accept_to_commit: to.latency("relais_accept_to_commit_seconds", "From the request that brings a message to its commit"),
        }
    }
}
