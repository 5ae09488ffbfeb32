//! Who does not want to be written to, and what recipients prefer (`docs/consent.md`). In: rows of the store, what
//! handsets say, what customers say. Out: whether a message is stopped. Shared by the threads that read requests, the
//! shards that send and the writer that commits; nothing here reads a clock or a file.
//!
//! Invariants. I1: a stop is in force when the shard has heard it, before it is durable, and it is durable before it is
//! acknowledged. I2: what takes a stop back is in force only after its commit. I3: while it is not known who has opted
//! out, marketing and service messages wait.

mod answers;
mod ask;
mod hear;
mod index;
mod register;
mod scope;

pub use ask::{Ask, Prefers, Stand, StopRule, StopScope};
pub use hear::{Answer, Heard, Hearing, Replies, Said};
pub use register::{Consent, ConsentFault, Recipients, content_hash};
pub use scope::{EVERY_CLASS, NAME_OCTETS_MAX, Scope, sender_form};

#[cfg(test)]
mod tests;
