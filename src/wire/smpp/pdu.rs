//! PDUs as values that borrow the octets they came from (SMPP 3.4 §4, 5.0 §4).
//!
//! Strings are octets without their NUL: peers put Latin-1 and worse into them, and what is not ASCII is judged by who
//! uses it. No value prints its octets when debugged: they hold passwords, numbers and texts.

use std::fmt;

use super::command;
use super::status::Status;
use super::tlv::{Tlvs, tag};

/// Prints the type's name and nothing of its octets.
macro_rules! say_nothing {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), " { .. }"))
            }
        }
    )*};
}
say_nothing!(Address, Bind, BindResp, Outbind, Sm, DataSm, IdResp, SubmitMulti, SubmitMultiResp);
say_nothing!(QuerySm, QuerySmResp, CancelSm, ReplaceSm, AlertNotification);

/// One PDU's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pdu<'a> {
    /// bind_transmitter, bind_receiver or bind_transceiver.
    Bind(BindKind, Bind<'a>),
    /// The answer to one of them.
    BindResp(BindKind, BindResp<'a>),
    /// outbind: an SMSC asks to be bound to.
    Outbind(Outbind<'a>),
    /// unbind.
    Unbind,
    /// unbind_resp.
    UnbindResp,
    /// enquire_link.
    EnquireLink,
    /// enquire_link_resp.
    EnquireLinkResp,
    /// generic_nack; the status says why.
    GenericNack,
    /// submit_sm.
    SubmitSm(Sm<'a>),
    /// submit_sm_resp.
    SubmitSmResp(IdResp<'a>),
    /// deliver_sm.
    DeliverSm(Sm<'a>),
    /// deliver_sm_resp; its message_id is unused.
    DeliverSmResp(IdResp<'a>),
    /// data_sm.
    DataSm(DataSm<'a>),
    /// data_sm_resp.
    DataSmResp(IdResp<'a>),
    /// submit_multi.
    SubmitMulti(SubmitMulti<'a>),
    /// submit_multi_resp.
    SubmitMultiResp(SubmitMultiResp<'a>),
    /// query_sm.
    QuerySm(QuerySm<'a>),
    /// query_sm_resp; `None` with a header only.
    QuerySmResp(Option<QuerySmResp<'a>>),
    /// cancel_sm.
    CancelSm(CancelSm<'a>),
    /// cancel_sm_resp.
    CancelSmResp,
    /// replace_sm.
    ReplaceSm(ReplaceSm<'a>),
    /// replace_sm_resp.
    ReplaceSmResp,
    /// alert_notification: a handset is reachable again. It has no answer.
    AlertNotification(AlertNotification<'a>),
    /// A command this codec does not decode: its number and its body.
    Unknown(u32, &'a [u8]),
}

impl Pdu<'_> {
    /// The command_id.
    #[must_use]
    pub const fn command(&self) -> u32 {
        match self {
            Pdu::Bind(kind, _) => kind.command(),
            Pdu::BindResp(kind, _) => kind.command() | command::RESPONSE,
            Pdu::Outbind(_) => command::OUTBIND,
            Pdu::Unbind => command::UNBIND,
            Pdu::UnbindResp => command::UNBIND_RESP,
            Pdu::EnquireLink => command::ENQUIRE_LINK,
            Pdu::EnquireLinkResp => command::ENQUIRE_LINK_RESP,
            Pdu::GenericNack => command::GENERIC_NACK,
            Pdu::SubmitSm(_) => command::SUBMIT_SM,
            Pdu::SubmitSmResp(_) => command::SUBMIT_SM_RESP,
            Pdu::DeliverSm(_) => command::DELIVER_SM,
            Pdu::DeliverSmResp(_) => command::DELIVER_SM_RESP,
            Pdu::DataSm(_) => command::DATA_SM,
            Pdu::DataSmResp(_) => command::DATA_SM_RESP,
            Pdu::SubmitMulti(_) => command::SUBMIT_MULTI,
            Pdu::SubmitMultiResp(_) => command::SUBMIT_MULTI_RESP,
            Pdu::QuerySm(_) => command::QUERY_SM,
            Pdu::QuerySmResp(_) => command::QUERY_SM_RESP,
            Pdu::CancelSm(_) => command::CANCEL_SM,
            Pdu::CancelSmResp => command::CANCEL_SM_RESP,
            Pdu::ReplaceSm(_) => command::REPLACE_SM,
            Pdu::ReplaceSmResp => command::REPLACE_SM_RESP,
            Pdu::AlertNotification(_) => command::ALERT_NOTIFICATION,
            Pdu::Unknown(command, _) => *command,
        }
    }
}

/// A number or a name with what kind it is (SMPP 3.4 §5.2.5 to §5.2.9).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Address<'a> {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
    /// Up to 20 octets.
    pub digits: &'a [u8],
}

/// Which way a session goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BindKind {
    /// The ESME sends only.
    Transmitter,
    /// The ESME receives only.
    Receiver,
    /// Both.
    Transceiver,
}

impl BindKind {
    /// The command_id of the request.
    #[must_use]
    pub const fn command(self) -> u32 {
        match self {
            BindKind::Transmitter => command::BIND_TRANSMITTER,
            BindKind::Receiver => command::BIND_RECEIVER,
            BindKind::Transceiver => command::BIND_TRANSCEIVER,
        }
    }
}

/// bind_transmitter, bind_receiver, bind_transceiver (SMPP 3.4 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Bind<'a> {
    /// The account, up to 15 octets.
    pub system_id: &'a [u8],
    /// Up to 8 octets by the specification, up to 63 by configuration.
    pub password: &'a [u8],
    /// Up to 12 octets.
    pub system_type: &'a [u8],
    /// 0x34 for 3.4; below it the peer must be sent no TLVs.
    pub interface_version: u8,
    /// ton, npi and address_range (up to 40 octets).
    pub range: Address<'a>,
    /// None by the specification.
    pub tlvs: Tlvs<'a>,
}

/// The answer to a bind.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct BindResp<'a> {
    /// `None` when the PDU was a header only, as errors usually are.
    pub system_id: Option<&'a [u8]>,
    /// sc_interface_version, if the peer takes TLVs.
    pub tlvs: Tlvs<'a>,
}

/// outbind (SMPP 3.4 §4.1.7).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Outbind<'a> {
    /// Who asks.
    pub system_id: &'a [u8],
    /// Its password.
    pub password: &'a [u8],
}

/// submit_sm and deliver_sm, which have the same fields (SMPP 3.4 §4.4.1, §4.6.1).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Sm<'a> {
    /// Up to 5 octets.
    pub service_type: &'a [u8],
    /// From whom.
    pub source: Address<'a>,
    /// To whom. Not empty in a submit_sm.
    pub destination: Address<'a>,
    /// Mode, type and features: [`esm`].
    pub esm_class: u8,
    /// TP-PID.
    pub protocol_id: u8,
    /// 0 to 3, kept as sent.
    pub priority: u8,
    /// Empty or 16 octets: [`time`](super::time).
    pub schedule_delivery_time: &'a [u8],
    /// Empty or 16 octets: [`time`](super::time).
    pub validity_period: &'a [u8],
    /// Which receipts and acknowledgements are asked for.
    pub registered_delivery: u8,
    /// Non-zero to replace a message still at the SMSC.
    pub replace_if_present: u8,
    /// The alphabet and class; what 0 means is the carrier's choice.
    pub data_coding: u8,
    /// A canned message.
    pub sm_default_msg_id: u8,
    /// At most 254 octets, with the user data header if esm_class says so.
    pub short_message: &'a [u8],
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

impl<'a> Sm<'a> {
    /// The content: short_message, or message_payload when short_message is empty.
    ///
    /// # Errors
    /// ESME_ROPTPARNOTALLWD to answer when both are there (SMPP 3.4 §5.3.2.32 allows one): which of them is meant
    /// cannot be known.
    pub fn content(&self) -> Result<&'a [u8], Status> {
        match self.tlvs.get(tag::MESSAGE_PAYLOAD) {
            None => Ok(self.short_message),
            Some(payload) if self.short_message.is_empty() => Ok(payload),
            Some([]) => Ok(self.short_message),
            Some(_) => Err(Status::ROPTPARNOTALLWD),
        }
    }
}

/// The bits of esm_class (SMPP 3.4 §5.2.12).
pub mod esm {
    /// Bits 5-2 of a deliver_sm: what the message is. Other bits may be set as well (0x44 is seen): mask, then compare.
    pub const TYPE: u8 = 0x3C;
    /// A receipt of the SMSC.
    pub const RECEIPT: u8 = 0x04;
    /// An acknowledgement made by the receiving application.
    pub const DELIVERY_ACK: u8 = 0x08;
    /// An acknowledgement made by the receiving person.
    pub const USER_ACK: u8 = 0x10;
    /// An intermediate notification.
    pub const INTERMEDIATE: u8 = 0x20;
    /// The content begins with a user data header.
    pub const UDHI: u8 = 0x40;
    /// A reply path is offered.
    pub const REPLY_PATH: u8 = 0x80;
}

/// data_sm (SMPP 3.4 §4.7.1): its content is in message_payload.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct DataSm<'a> {
    /// Up to 5 octets.
    pub service_type: &'a [u8],
    /// From whom; up to 64 octets here.
    pub source: Address<'a>,
    /// To whom; up to 64 octets here.
    pub destination: Address<'a>,
    /// See [`esm`].
    pub esm_class: u8,
    /// Which receipts are asked for.
    pub registered_delivery: u8,
    /// The alphabet and class.
    pub data_coding: u8,
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

/// submit_sm_resp, deliver_sm_resp, data_sm_resp.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct IdResp<'a> {
    /// `None` when the PDU was a header only (16 octets); empty when it was 17. Both happen with errors.
    pub message_id: Option<&'a [u8]>,
    /// congestion_state, additional_status_info_text and others.
    pub tlvs: Tlvs<'a>,
}

impl<'a> IdResp<'a> {
    /// The message id, if there is one to match receipts by.
    #[must_use]
    pub fn id(&self) -> Option<&'a [u8]> {
        self.message_id.filter(|id| !id.is_empty())
    }
}

/// submit_multi (SMPP 3.4 §4.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SubmitMulti<'a> {
    /// 1 to 254 addresses or list names.
    pub destinations: Destinations<'a>,
    /// Everything else; its `destination` is empty.
    pub sm: Sm<'a>,
}

/// The destinations of a submit_multi, whole by construction.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Destinations<'a> {
    pub(super) count: u8,
    pub(super) octets: &'a [u8],
}

/// One destination of a submit_multi.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination<'a> {
    /// dest_flag 1.
    Address(Address<'a>),
    /// dest_flag 2: a distribution list's name.
    List(&'a [u8]),
}

impl<'a> Destinations<'a> {
    /// How many: 1 to 254.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// In the order of the PDU.
    pub fn iter(&self) -> impl Iterator<Item = Destination<'a>> + use<'a> {
        let mut rest = self.octets;
        std::iter::from_fn(move || {
            let (flag, after) = rest.split_first()?;
            if *flag == 1 {
                let address;
                (address, rest) = split_address(after)?;
                Some(Destination::Address(address))
            } else {
                let name;
                (name, rest) = split_string(after)?;
                Some(Destination::List(name))
            }
        })
    }
}

impl fmt::Debug for Destinations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} destinations", self.count)
    }
}

/// submit_multi_resp (SMPP 3.4 §4.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SubmitMultiResp<'a> {
    /// `None` when the PDU was a header only.
    pub message_id: Option<&'a [u8]>,
    pub(super) count: u8,
    pub(super) octets: &'a [u8],
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

impl<'a> SubmitMultiResp<'a> {
    /// The destinations that were refused, and why.
    pub fn refused(&self) -> impl Iterator<Item = (Address<'a>, Status)> + use<'a> {
        let mut rest = self.octets;
        std::iter::from_fn(move || {
            let (address, after) = split_address(rest)?;
            let (status, after) = after.split_first_chunk::<4>()?;
            rest = after;
            Some((address, Status(u32::from_be_bytes(*status))))
        })
    }
}

fn split_string(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = octets.iter().position(|b| *b == 0)?;
    Some((&octets[..end], &octets[end + 1..]))
}

fn split_address(octets: &[u8]) -> Option<(Address<'_>, &[u8])> {
    let (&[ton, npi], rest) = octets.split_first_chunk::<2>()?;
    let (digits, rest) = split_string(rest)?;
    Some((Address { ton, npi, digits }, rest))
}

/// query_sm (SMPP 3.4 §4.8.1).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct QuerySm<'a> {
    /// The id of the submit_sm_resp.
    pub message_id: &'a [u8],
    /// Must be the sender of the message.
    pub source: Address<'a>,
}

/// query_sm_resp (SMPP 3.4 §4.8.2).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct QuerySmResp<'a> {
    /// As asked.
    pub message_id: &'a [u8],
    /// When the message became final; empty before.
    pub final_date: &'a [u8],
    /// A [`State`](super::status::State)'s number.
    pub message_state: u8,
    /// The network's own error.
    pub error_code: u8,
    /// Optional parameters.
    pub tlvs: Tlvs<'a>,
}

/// cancel_sm (SMPP 3.4 §4.9.1): one message by id, or all to a destination when the id is empty.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct CancelSm<'a> {
    /// Up to 5 octets.
    pub service_type: &'a [u8],
    /// May be empty.
    pub message_id: &'a [u8],
    /// Must be the sender of the message.
    pub source: Address<'a>,
    /// May be empty when the id is not.
    pub destination: Address<'a>,
}

/// replace_sm (SMPP 3.4 §4.10.1).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplaceSm<'a> {
    /// Which message.
    pub message_id: &'a [u8],
    /// Must be the sender of the message.
    pub source: Address<'a>,
    /// Empty to leave it.
    pub schedule_delivery_time: &'a [u8],
    /// Empty to leave it.
    pub validity_period: &'a [u8],
    /// Which receipts are asked for.
    pub registered_delivery: u8,
    /// A canned message.
    pub sm_default_msg_id: u8,
    /// The new content, up to 254 octets.
    pub short_message: &'a [u8],
    /// message_payload in SMPP 5.0.
    pub tlvs: Tlvs<'a>,
}

/// alert_notification (SMPP 3.4 §4.12.1).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct AlertNotification<'a> {
    /// The handset.
    pub source: Address<'a>,
    /// The ESME that asked (up to 64 octets, as the handset's).
    pub esme: Address<'a>,
    /// ms_availability_status.
    pub tlvs: Tlvs<'a>,
}
