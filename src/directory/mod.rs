//! Who may call: a snapshot of the configuration's accounts, as authentication and limits need them. Made whole from
//! the configuration, never changed but for the debts of its rates; nothing here reads a clock.

pub mod keys;
pub mod rate;

pub use keys::{Grant, Keys};
pub use rate::{Rate, Rates};
