//! What the gateway knows of those it serves and of their world: accounts with their keys and rates, as a snapshot of
//! the configuration; numbers; public holidays and send windows; the words people write back, and who has opted out by them. Nothing here reads a
//! clock.

pub mod atlas;
pub mod calendar;
pub mod caps;
pub mod consent;
pub mod hours;
pub mod judge;
pub mod keys;
pub mod keywords;
pub mod number;
pub mod rate;

pub use atlas::Atlas;
pub use consent::Consent;
pub use keys::{Grant, Keyring, Keys, Replaced};
pub use rate::{Rate, Rates};
