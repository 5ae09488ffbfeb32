//! directory
pub mod calendar;
pub mod hours;
