//! Public holidays, computed where the law has a rule and tabled where somebody announces them (`docs/rules.md`).
//! In: rules as data. Out: whether a civil date is a holiday, and which. No zones, no clock; what fails is the reading (`hours`).

pub mod day;
pub mod rule;
pub mod table;

pub use day::{Day, Weekday};
pub use table::Calendar;
