//! Webhook: from a message's outcome to the customer's own server. Pure: which events are told (`tell`), how they
//! are written (`body`), signed (`signature`), where they may go (`address`), and when each is sent, tried again,
//! set aside or given up (`endpoint`, `backoff`, with durable `notes`). `engine::courier` does the I/O.

pub mod address;
pub mod backoff;
pub mod body;
pub mod delivery;
pub mod endpoint;
pub mod notes;
pub mod signature;
pub mod tell;

pub use address::{Rules, Target, UrlFault, check_url, is_allowed};
pub use backoff::Backoff;
pub use delivery::{Counts, Delivery, Failure, Now, Outcome, Policy, Step};
pub use endpoint::Endpoint;
pub use notes::DeadLetter;
pub use signature::{Key, KeyFault, sign};
pub use tell::{Kinds, Teller, Telling};
