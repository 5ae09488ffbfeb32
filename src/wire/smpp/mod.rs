//! SMPP 3.4 and 5.0 as octets: framing, decoding, encoding, receipts, message ids, times, statuses.
//!
//! Pure functions over byte slices: no socket, no clock, no session. The session machine sits on top and decides
//! what is legal when; here it is only said what a PDU *is* and which answer a broken one deserves.
//!
//! A decoded PDU borrows from the octets it was read from and allocates nothing. Whatever a peer sends, nothing here
//! panics, and no memory is reserved by a length that a peer announced.
//!
//! Reading order: [`command`], [`status`], [`frame`], [`tlv`], [`pdu`], [`decode`], [`fault`], [`write`], [`template`],
//! [`time`], [`receipt`], [`date`], [`ids`].

pub mod command;
pub mod date;
pub mod decode;
pub mod fault;
pub mod frame;
pub mod ids;
mod labels;
pub mod pdu;
pub mod receipt;
mod siphash;
pub mod status;
pub mod template;
pub mod time;
pub mod tlv;
pub mod write;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod vectors;

pub use decode::{Limits, Trailing, decode};
pub use fault::{Bound, DecodeFault, Reaction, reaction};
pub use frame::{Framed, Header};
pub use ids::{IdBase, IdKey, key_of_receipt, key_of_response};
pub use pdu::{Address, Pdu};
pub use receipt::{Receipt, Recognise};
pub use status::{Class, State, Status};
pub use template::{Segment, SubmitOptions, SubmitTemplate};
pub use tlv::{Tlv, Tlvs};
