//! The fields that say how a text or octets are to look on the handset: their words and what they mean.
//! Octets stay as they were written here; compose reads them.

use crate::config::{Substitute, Transliterate};

/// Ports of an application (3GPP TS 23.040 clause 9.2.3.24.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    /// On the handset.
    pub to: u16,
    /// On our side.
    pub from: u16,
}

/// How a message is to look, with what the account says where the message is silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Form<'a> {
    /// Octets in hexadecimal or base64 instead of a text.
    pub data: Option<&'a str>,
    /// A user data header of the customer's own, in hexadecimal, with its length octet.
    pub udh: Option<&'a str>,
    /// Ports of an application, for the header.
    pub ports: Option<Ports>,
    /// Message class plus one: 1 flash, 2 handset, 3 SIM, 4 terminal; 0 none.
    pub message_class: u8,
    /// TP-PID; 0 none.
    pub protocol: u8,
    /// Whether what only looks better may be replaced.
    pub substitute: Substitute,
    /// Whose letters may be respelt.
    pub transliterate: Transliterate,
    /// What the text must say somewhere; empty = nothing.
    pub mention: &'a str,
}

/// A message class plus one, from its word.
pub(super) fn message_class(value: &str) -> Option<u8> {
    let class = ["flash", "handset", "sim", "terminal"].iter().position(|word| *word == value)?;
    Some(class as u8 + 1)
}

/// The message class of a flash message, plus one.
pub(super) const FLASH: u8 = 1;

/// A TP-PID, from its word.
pub(super) fn protocol_id(value: &str) -> Option<u8> {
    match value.strip_prefix("replace_") {
        None => (value == "silent").then_some(SILENT),
        Some(digit) => digit.parse::<u8>().ok().filter(|digit| (1..=7).contains(digit)).map(|digit| SILENT + digit),
    }
}

impl Ports {
    /// From a cell: the port there, a colon, the port here.
    pub(super) fn from_cell(value: &str) -> Option<Ports> {
        let (to, from) = value.split_once(':')?;
        Some(Ports { to: to.parse().ok()?, from: from.parse().ok()? })
    }
}

/// TP-PID of a message the handset acknowledges and does not show; the seven after it replace.
pub(super) const SILENT: u8 = 0x40;
