//! wire

pub mod smpp;
