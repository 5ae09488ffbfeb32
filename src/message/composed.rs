//! A message whose size is known: validated, encoded, cut into segments, routed to a carrier.

use crate::base::{Msisdn, Span};
use crate::message::content::{Class, DoubtPolicy, Encoding, Reference};

/// A message ready for the journal. Borrowed from the request and from reusable buffers: it lives only until
/// `record::write` has put it into a frame.
#[derive(Clone, Copy, Debug)]
pub struct Composed<'a> {
    /// The recipient.
    pub to: Msisdn,
    /// The sender as the customer wrote it: a number, a short code or a name.
    pub from: &'a str,
    /// The customer's own reference, at most 64 characters; empty when none.
    pub client_ref: &'a str,
    /// How `octets` were made.
    pub encoding: Encoding,
    /// The whole text, encoded, segment after segment, without headers.
    pub octets: &'a [u8],
    /// Where each segment ends in `octets`; one entry for a single segment. 1 to 64 entries.
    pub ends: &'a [u32],
    /// How the segments are joined.
    pub reference: Reference,
    /// What the message is for.
    pub class: Class,
    /// What to do in doubt.
    pub doubt: DoubtPolicy,
    /// How long after acceptance the message may still be sent.
    pub lifetime: Span,
    /// Its place in the customer's bulk, from 0; 0 for a single message.
    pub line: u32,
}
