//! The formats other systems speak, octet by octet: alphabets and user data, PDUs, the ends of requests. No sessions, no
//! sockets, no clock.

pub mod gsm;
pub mod http;
pub mod smpp;
