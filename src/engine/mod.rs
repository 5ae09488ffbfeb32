//! Where the pure pipeline meets sockets, disks and timers: the journal's writer, the shards, the drivers of
//! sessions. It does I/O and decides nothing about messages.

pub mod batches;
pub mod driver;
pub mod ids;
pub mod mailbox;
mod report;
pub mod shard;
pub mod tail;
pub mod writer;
