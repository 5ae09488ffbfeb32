//! The words everything else is said in: instants, identifiers, numbers, limits on rate.
//!
//! Nothing here does I/O, reads a clock or allocates more than its result.

pub mod bucket;
pub mod id;
pub mod phone;
pub mod planted;
pub mod price;
pub mod quiet;
pub mod secret;
pub mod time;

pub use bucket::Bucket;
pub use id::{BatchId, MessageId, MessageRef};
pub use phone::Msisdn;
pub use price::Price;
pub use secret::Secret;
pub use time::{Mono, Span, Time};
