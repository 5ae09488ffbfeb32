//! Send windows: may a message go now, and if not, when (`docs/rules.md`). In: rules, the recipient's zones, a calendar and
//! the time. Out: a decision with its reasons and versions. Pure: rule and zone files come as text, `at` as an argument.
//! What fails is only the reading of a pack or a zone database; then the one in use stays.

pub mod cache;
pub mod decide;
pub mod loosen;
mod open;
pub mod pack;
mod read;
pub mod refs;
pub mod rule;
pub mod select;
mod sheet;
mod shipped;
pub mod written;
pub mod zone;

pub use crate::message::content::Channel;
pub use cache::HoursCache;
pub use decide::{Decision, Hours, Reason, Version};
pub use loosen::{Loosening, Override};
pub use pack::Pack;
pub use refs::{Ask, CalendarRef, RuleRef, Zone};
pub use rule::Rule;
pub use written::PackFault;
pub use zone::Zones;

#[cfg(test)]
mod brute_test;
#[cfg(test)]
mod vectors_test;
