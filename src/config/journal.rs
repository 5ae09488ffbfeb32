//! `[journal]`: where messages are kept before they are answered for, in what portions and for how long.

use super::limits;
use super::reader::Reader;
use super::rules::PATH;
use super::values::Choices;
use crate::base::Span;
use std::path::PathBuf;

/// The durable store.
#[derive(Clone, Debug)]
pub struct Journal {
    /// What keeps it.
    pub backend: Backend,
    /// How long the writer collects before a commit; 0 = not at all.
    pub tick: Span,
    /// Or so many octets.
    pub commit_bytes_max: u64,
    /// The time one file covers.
    pub slice: Span,
    /// Or so many octets.
    pub slice_bytes_max: u64,
    /// How long files are kept whose messages are final.
    pub retention: Span,
    /// Held back for state changes when the disk is full, octets.
    pub reserve_bytes: u64,
    /// Messages in one frame.
    pub frame_messages_max: u16,
    /// Decompressed frames kept for reading, octets.
    pub frame_cache_bytes: u64,
    /// How long an idempotency key is remembered.
    pub idempotency_for: Span,
    /// A file outside `data_dir` that knows how far the journal had come.
    pub witness: Option<PathBuf>,
}

/// What keeps the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Files below `data_dir`.
    Sqlite,
    /// Nothing: for tests. Everything is lost at the end of the process.
    Memory,
}
const BACKENDS: &Choices<Backend> = &[("sqlite", Backend::Sqlite), ("memory", Backend::Memory)];

pub(super) fn read(r: &mut Reader<'_>) -> Journal {
    Journal {
        backend: r.choice("backend", BACKENDS),
        tick: r.span("tick", &limits::TICK),
        commit_bytes_max: r.bytes("commit_bytes_max", &limits::COMMIT_BYTES),
        slice: r.span("slice", &limits::SLICE),
        slice_bytes_max: r.bytes("slice_bytes_max", &limits::SLICE_BYTES),
        retention: r.span("retention", &limits::RETENTION),
        reserve_bytes: r.bytes("reserve_bytes", &limits::RESERVE_BYTES),
        frame_messages_max: r.integer("frame_messages_max", &limits::FRAME_MESSAGES),
        frame_cache_bytes: r.bytes("frame_cache_bytes", &limits::FRAME_CACHE),
        idempotency_for: r.span("idempotency_for", &limits::IDEMPOTENCY_FOR),
        witness: r.optional_text("witness", "default none", &PATH),
    }
}
