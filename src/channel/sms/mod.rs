//! SMS over SMPP: text into segments, segments into submit_sm, deliver_sm into receipts and inbound messages.

pub mod compose;
pub mod content;
mod form;
pub mod join;
mod mention;
pub mod preview;
pub mod profile;
pub mod receipt;
pub mod session;

pub use compose::{Composer, RouteText, Size, Wanted};
pub use join::{Joined, Joiner};
pub use profile::Profile;
pub use session::Session;
