//! The embedded store: SQLite files cut by time, holding frames rather than rows (`docs/adr/0002-frames.md`).
//!
//! SQLite gives transactions, the write-ahead log, its recovery and the B-tree; the content is ours: compressed,
//! checksummed frames and log rows, sorted runs for search. A slice is removed whole when its time has come.
//! Files are touched nowhere else in the program but in `world`. Nothing here reads a clock.

mod archive;
mod cache;
mod codec;
mod erase;
mod follow;
mod journal;
mod people;
mod recover;
mod reserve;
mod rows;
mod search;
mod slice;
mod spent;
mod store;
mod wal;

#[cfg(test)]
mod tests;

pub use journal::Sqlite;
pub use store::Options;
