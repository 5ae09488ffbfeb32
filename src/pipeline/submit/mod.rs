//! Submit: from lease to the carrier's answer. The window bounds what is in flight by type; the settlement table
//! says what each answer means; doubt says what silence means.

pub mod doubt;
pub mod nameless;
pub mod reference;
pub mod settle;
pub mod window;

pub use doubt::{Doubts, Resolution};
pub use nameless::{Doubtful, Nameless};
pub use reference::References;
pub use settle::{Settled, settle};
pub use window::{InFlight, Window};
