//! Track: from the carrier's name for a part to the message's one outcome. Receipts are matched by key, verified
//! by number while the id base is being learnt, kept as orphans when they match nothing yet.

pub mod awaiting;
pub mod orphans;

pub use awaiting::{Awaited, Awaiting, Readings};
pub use orphans::{Orphan, Orphans};
