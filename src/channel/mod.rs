//! Channels: what SMS, MMS and voice do differently, behind one contract. Stages of the pipeline never name one.

pub mod session;
pub mod sms;

pub use sms::preview::{self, Preview};
pub use sms::{Composer, RouteText, Size, Wanted};
