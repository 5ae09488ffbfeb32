//! What holds the messages: frames and log rows, opaque octets here, records to `message`.
//!
//! A *frame* is the messages of one lane accepted in one commit; a *log row* is all events of one commit. Both
//! are written in one transaction with whatever answers for them (idempotency keys, batches). The port is
//! `Journal` (one owner, the writer, who commits) and `Archive` (any reader). Two backends, one conformance
//! suite: `sqlite` (the embedded default) and `memory` (tests and the simulator).

pub mod frame;
pub mod memory;
pub mod people;
pub mod port;
pub mod spent;
pub mod sqlite;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod people_tests;

pub use frame::{Frame, FrameHead, Lane};
pub use people::{Origin, PersonChange, Preference, Suppression, SuppressionKey};
pub use port::{
    Answer, Archive, BatchRow, Blanked, Closed, FramePage, Group, Journal, LogRow, Person, Recovered, Rewrite, Scrubbed, StoreFault,
};
pub use spent::{Spent, SpentLike};
