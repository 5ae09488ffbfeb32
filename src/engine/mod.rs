//! Where the pure pipeline meets sockets, disks and timers: the journal's writer, the shards, the drivers of
//! sessions. It does I/O and decides nothing about messages.

pub mod batches;
pub mod courier;
pub mod driver;
pub mod eraser;
pub mod erasures;
pub mod gate;
pub mod handle;
mod handsets;
pub mod hook;
pub mod ids;
mod kept;
pub mod letter;
pub mod mailbox;
mod people;
pub mod post;
pub mod reader;
pub mod recover;
mod report;
pub mod rules;
pub mod shard;
mod slot;
pub mod start;
pub mod stopper;
pub mod stops;
pub mod tail;
pub mod writer;

#[cfg(test)]
mod text_tests;

pub use handle::{Engine, Refused, Taken, WhenFull};
pub use start::{Files, Running, StartFault, start, start_under};
