//! Schedule: which message goes next. Frames wait in lanes (an account's traffic of one class); lanes of a class
//! share by deficit round robin in segments, weighted by account; classes go by urgency, with a floor so that
//! the least urgent never starves. Retries and messages put back come before new ones, in order of their due time.
//!
//! Comes in: frames, retries. Goes out: one message at a time. Cannot fail. A frame whose body is not in memory
//! is asked for and passed over.

pub mod clock;
pub mod frames;
pub mod lanes;
pub mod open;
pub mod retry;

pub use frames::{Frames, Parking};
pub use lanes::Lanes;
pub use open::{OpenFrame, first_wait};
pub use retry::{Again, Retries};
