//! A message whose size is known: validated, encoded, cut into segments, routed to a carrier.

use crate::base::{Msisdn, Price, Span, Time};
use crate::message::content::{Class, DoubtPolicy, Encoding, Reference, Spelling};

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
    /// What most messages do without.
    pub extras: Extras<'a>,
}

/// What most messages do without: nothing of it costs an octet of the journal unless it is there.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Extras<'a> {
    /// The instant before which the customer does not want it to go (`send_at`, `send_after`).
    pub not_before: Option<Time>,
    /// The key under which the messages of a chain are cancelled together, at most 64 characters.
    pub cancel_key: &'a str,
    /// The campaign, at most 64 characters.
    pub campaign: &'a str,
    /// The customer's name of the consent it goes by, at most 64 characters.
    pub consent_ref: &'a str,
    /// The recipient's own time zone (`Europe/Paris`), if the customer gave it.
    pub zone: &'a str,
    /// The state or province of the recipient's address (`US-TX`), if the customer gave it.
    pub region: &'a str,
    /// Message class (3GPP TS 23.038 clause 4) plus one: 1 flash, 2 handset, 3 SIM, 4 terminal; 0 none.
    pub message_class: u8,
    /// A user data header of the customer's own (ports), with its length octet; the concatenation element is added to it.
    pub header: &'a [u8],
    /// National language tables: the locking one in the high octet, the single shift one in the low; 0 none.
    pub shift: u16,
    /// TP-PID (3GPP TS 23.040 clause 9.2.3.9): 0x40 silent, 0x41 to 0x47 replace on the handset; 0 none.
    pub protocol: u8,
    /// How many segments travel in one part, because the carrier cuts them; 0: each segment is a part.
    pub at_once: u8,
    /// A text to be made when the message is sent (`LateText`): `octets` then hold what it would be now. Empty for most.
    pub late: &'a [u8],
    /// A hash of the content for the guard against the same twice; of an answer of ours, with its recipient; 0 when the
    /// account has no guard.
    pub content: u64,
    /// How the text differs from the one that was written.
    pub spelling: Spelling,
    /// How many of its characters were changed; 0 unless it is spelt otherwise.
    pub changed: u32,
    /// What a segment costs on its route.
    pub price: Option<Price>,
}
