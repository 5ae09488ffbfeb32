//! directory

pub mod number;
