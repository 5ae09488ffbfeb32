//! What the gateway knows of those it serves: accounts and their keys and rates, as a snapshot of the configuration;
//! numbers; the words people write back. Nothing here reads a clock.

pub mod keys;
pub mod keywords;
pub mod rate;

pub use keys::{Grant, Keys};
pub use rate::{Rate, Rates};
