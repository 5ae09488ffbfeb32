//! The store in memory: tests and the simulator. What a commit has returned survives `crash`; nothing else does.
//!
//! It cuts time into slices and keeps the same promises as `sqlite`; it has no files, damage or formats.

mod archive;
mod disk;
mod journal;
mod store;

pub use disk::SimulatedFault;
pub use store::Memory;
