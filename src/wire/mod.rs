//! The formats other systems speak, octet by octet: alphabets and user data, PDUs. No sessions, no sockets, no clock.

pub mod gsm;
pub mod smpp;
