//! From the octets of one PDU to a [`Pdu`] that borrows them: no allocation, no copy, no panic.
//!
//! Strict about what would make two readers disagree (strings without end, lengths that do not fit), tolerant about
//! what the field does: responses of a header only, or with an empty string, or whose string lacks its NUL; bodies of
//! refusals that make no sense; any sequence; any value of any octet. The lengths of strings are the specification's,
//! NUL included: system_id 16, password 9, system_type 13, service_type 6, addresses 21 (65 in data_sm), ranges 41,
//! message_id 65, times 1 or 17, short_message 254.

use super::command as c;
use super::fault::DecodeFault;
use super::frame::{HEADER, Header};
use super::pdu::{
    Address, AlertNotification, Bind, BindKind, BindResp, CancelSm, DataSm, Destinations, IdResp, Outbind, Pdu, QuerySm, QuerySmResp,
    ReplaceSm, Sm, SubmitMulti, SubmitMultiResp,
};
use super::status::Status;
use super::tlv::{BadTlvs, Tlvs};

/// The longest short_message, in octets.
pub const SHORT_MESSAGE_MAX: usize = 254;
/// The longest message_id, without its NUL.
pub const MESSAGE_ID_MAX: usize = 64;

/// What to do with one to three octets after the last parameter (`pdus.json` bad-09).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trailing {
    /// Answer ESME_RINVOPTPARSTREAM.
    Refuse,
    /// Go on without them.
    Ignore,
}

/// The limits a peer is held to where peers differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest system_id in octets, NUL included. 16 by the specification.
    pub system_id_max: usize,
    /// The longest password in octets, NUL included. 9 by the specification; up to 64 are seen.
    pub password_max: usize,
    /// Octets after the last parameter.
    pub trailing: Trailing,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { system_id_max: 16, password_max: 9, trailing: Trailing::Ignore }
    }
}

/// Decodes a whole PDU, header included, as [`frame::read`](super::frame::read) gave it.
///
/// # Errors
/// A [`DecodeFault`] with the status to answer; what to do with it is [`reaction`](super::fault::reaction)'s. A
/// response that refuses (status not 0) is never at fault: a body that makes no sense counts as absent.
#[inline]
pub fn decode<'a>(header: &Header, pdu: &'a [u8], limits: &Limits) -> Result<Pdu<'a>, DecodeFault> {
    let body = pdu.get(HEADER..).unwrap_or_default();
    if header.command == c::SUBMIT_SM_RESP {
        return id_resp(header, body).map(Pdu::SubmitSmResp);
    }
    let mut r = Reader { rest: body, limits };
    Ok(match header.command {
        c::DELIVER_SM => Pdu::DeliverSm(r.sm(Times::Loose, Empty::Allowed)?),
        c::SUBMIT_SM => Pdu::SubmitSm(r.sm(Times::Strict, Empty::Refused)?),
        c::DELIVER_SM_RESP => Pdu::DeliverSmResp(id_resp(header, body)?),
        c::ENQUIRE_LINK => Pdu::EnquireLink,
        c::ENQUIRE_LINK_RESP => Pdu::EnquireLinkResp,
        c::DATA_SM => Pdu::DataSm(r.data_sm()?),
        c::DATA_SM_RESP => Pdu::DataSmResp(id_resp(header, body)?),
        c::BIND_TRANSMITTER => Pdu::Bind(BindKind::Transmitter, r.bind()?),
        c::BIND_RECEIVER => Pdu::Bind(BindKind::Receiver, r.bind()?),
        c::BIND_TRANSCEIVER => Pdu::Bind(BindKind::Transceiver, r.bind()?),
        c::BIND_TRANSMITTER_RESP => Pdu::BindResp(BindKind::Transmitter, r.bind_resp(header)?),
        c::BIND_RECEIVER_RESP => Pdu::BindResp(BindKind::Receiver, r.bind_resp(header)?),
        c::BIND_TRANSCEIVER_RESP => Pdu::BindResp(BindKind::Transceiver, r.bind_resp(header)?),
        c::OUTBIND => Pdu::Outbind(Outbind { system_id: r.system_id()?, password: r.password()? }),
        c::UNBIND => Pdu::Unbind,
        c::UNBIND_RESP => Pdu::UnbindResp,
        c::GENERIC_NACK => Pdu::GenericNack,
        c::SUBMIT_MULTI => Pdu::SubmitMulti(r.submit_multi()?),
        c::SUBMIT_MULTI_RESP => Pdu::SubmitMultiResp(r.submit_multi_resp(header)?),
        c::QUERY_SM => Pdu::QuerySm(QuerySm { message_id: r.message_id()?, source: r.source(21)? }),
        c::QUERY_SM_RESP => Pdu::QuerySmResp(r.query_sm_resp(header)?),
        c::CANCEL_SM => Pdu::CancelSm(CancelSm {
            service_type: r.service_type()?,
            message_id: r.message_id()?,
            source: r.source(21)?,
            destination: r.destination(21)?,
        }),
        c::CANCEL_SM_RESP => Pdu::CancelSmResp,
        c::REPLACE_SM => Pdu::ReplaceSm(r.replace_sm()?),
        c::REPLACE_SM_RESP => Pdu::ReplaceSmResp,
        c::ALERT_NOTIFICATION => {
            Pdu::AlertNotification(AlertNotification { source: r.source(65)?, esme: r.destination(65)?, tlvs: r.tlvs()? })
        }
        unknown => Pdu::Unknown(unknown, body),
    })
}

/// A response with a message_id, the commonest PDU of all.
#[inline]
fn id_resp<'a>(header: &Header, body: &'a [u8]) -> Result<IdResp<'a>, DecodeFault> {
    if body.is_empty() {
        return Ok(IdResp::default());
    }
    match last_string(body, MESSAGE_ID_MAX + 1, Status::RINVMSGID, "message_id") {
        Ok((id, rest)) => Ok(IdResp { message_id: Some(id), tlvs: Tlvs::read(rest).0 }),
        Err(_) if header.status != 0 => Ok(IdResp::default()),
        Err(fault) => Err(fault),
    }
}

/// A string of a response: some peers end the PDU instead of the string.
#[inline]
fn last_string<'a>(octets: &'a [u8], max: usize, answer: Status, field: &'static str) -> Result<(&'a [u8], &'a [u8]), DecodeFault> {
    match octets.iter().take(max).position(|b| *b == 0) {
        Some(end) => Ok((&octets[..end], &octets[end + 1..])),
        None if octets.len() < max => Ok((octets, &[])),
        None => Err(DecodeFault { answer, field }),
    }
}

/// Whether a time must be empty or 16 octets, or may be anything that fits: SMSCs echo what they like in deliver_sm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Strict,
    Loose,
}

/// Whether destination_addr may be empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Allowed,
    Refused,
}

struct Reader<'a, 'l> {
    rest: &'a [u8],
    limits: &'l Limits,
}

impl<'a> Reader<'a, '_> {
    #[inline]
    fn octet(&mut self, field: &'static str) -> Result<u8, DecodeFault> {
        let (first, rest) = self.rest.split_first().ok_or(short(field))?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    fn octets<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeFault> {
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or(short(field))?;
        self.rest = rest;
        Ok(*first)
    }

    /// A string of at most `max` octets, NUL included.
    #[inline]
    fn string(&mut self, max: usize, answer: Status, field: &'static str) -> Result<&'a [u8], DecodeFault> {
        match self.rest.iter().take(max).position(|b| *b == 0) {
            Some(end) => {
                let string = &self.rest[..end];
                self.rest = &self.rest[end + 1..];
                Ok(string)
            }
            None if self.rest.len() < max => Err(short(field)),
            None => Err(DecodeFault { answer, field }),
        }
    }

    #[inline]
    fn service_type(&mut self) -> Result<&'a [u8], DecodeFault> {
        self.string(6, Status::RINVSERTYP, "service_type")
    }

    #[inline]
    fn source(&mut self, max: usize) -> Result<Address<'a>, DecodeFault> {
        let [ton, npi] = self.octets("source_addr_ton")?;
        Ok(Address { ton, npi, digits: self.string(max, Status::RINVSRCADR, "source_addr")? })
    }

    #[inline]
    fn destination(&mut self, max: usize) -> Result<Address<'a>, DecodeFault> {
        let [ton, npi] = self.octets("dest_addr_ton")?;
        Ok(Address { ton, npi, digits: self.string(max, Status::RINVDSTADR, "destination_addr")? })
    }

    #[inline]
    fn time(&mut self, times: Times, answer: Status, field: &'static str) -> Result<&'a [u8], DecodeFault> {
        let time = self.string(17, answer, field)?;
        match time.len() {
            0 | 16 => Ok(time),
            _ if times == Times::Loose => Ok(time),
            _ => Err(DecodeFault { answer, field }),
        }
    }

    fn message_id(&mut self) -> Result<&'a [u8], DecodeFault> {
        self.string(MESSAGE_ID_MAX + 1, Status::RINVMSGID, "message_id")
    }

    fn system_id(&mut self) -> Result<&'a [u8], DecodeFault> {
        self.string(self.limits.system_id_max, Status::RINVSYSID, "system_id")
    }

    fn password(&mut self) -> Result<&'a [u8], DecodeFault> {
        self.string(self.limits.password_max, Status::RINVPASWD, "password")
    }

    #[inline]
    fn short_message(&mut self) -> Result<&'a [u8], DecodeFault> {
        let length = usize::from(self.octet("sm_length")?);
        let fault = DecodeFault { answer: Status::RINVMSGLEN, field: "short_message" };
        if length > SHORT_MESSAGE_MAX {
            return Err(fault);
        }
        let (message, rest) = self.rest.split_at_checked(length).ok_or(fault)?;
        self.rest = rest;
        Ok(message)
    }

    #[inline]
    fn tlvs(&mut self) -> Result<Tlvs<'a>, DecodeFault> {
        let (tlvs, bad) = Tlvs::read(self.rest);
        match bad {
            None => Ok(tlvs),
            Some(BadTlvs::Leftover) if self.limits.trailing == Trailing::Ignore => Ok(tlvs),
            Some(_) => Err(DecodeFault { answer: Status::RINVOPTPARSTREAM, field: "optional parameters" }),
        }
    }

    #[inline]
    fn sm(&mut self, times: Times, empty: Empty) -> Result<Sm<'a>, DecodeFault> {
        let service_type = self.service_type()?;
        let source = self.source(21)?;
        let destination = self.destination(21)?;
        let sm = self.sm_tail(times, Sm { service_type, source, destination, ..Sm::default() })?;
        if empty == Empty::Refused && destination.digits.is_empty() {
            return Err(DecodeFault { answer: Status::RINVDSTADR, field: "destination_addr" });
        }
        Ok(sm)
    }

    #[inline]
    fn sm_tail(&mut self, times: Times, head: Sm<'a>) -> Result<Sm<'a>, DecodeFault> {
        let [esm_class, protocol_id, priority] = self.octets("esm_class")?;
        let schedule_delivery_time = self.time(times, Status::RINVSCHED, "schedule_delivery_time")?;
        let validity_period = self.time(times, Status::RINVEXPIRY, "validity_period")?;
        let [registered_delivery, replace_if_present, data_coding, sm_default_msg_id] = self.octets("registered_delivery")?;
        let short_message = self.short_message()?;
        Ok(Sm {
            esm_class,
            protocol_id,
            priority,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            replace_if_present,
            data_coding,
            sm_default_msg_id,
            short_message,
            tlvs: self.tlvs()?,
            ..head
        })
    }

    fn data_sm(&mut self) -> Result<DataSm<'a>, DecodeFault> {
        let service_type = self.service_type()?;
        let source = self.source(65)?;
        let destination = self.destination(65)?;
        let [esm_class, registered_delivery, data_coding] = self.octets("esm_class")?;
        Ok(DataSm { service_type, source, destination, esm_class, registered_delivery, data_coding, tlvs: self.tlvs()? })
    }

    fn bind(&mut self) -> Result<Bind<'a>, DecodeFault> {
        let system_id = self.system_id()?;
        let password = self.password()?;
        let system_type = self.string(13, Status::RINVSYSTYP, "system_type")?;
        let [interface_version, ton, npi] = self.octets("interface_version")?;
        let digits = self.string(41, Status::RBINDFAIL, "address_range")?;
        Ok(Bind { system_id, password, system_type, interface_version, range: Address { ton, npi, digits }, tlvs: self.tlvs()? })
    }

    fn bind_resp(&mut self, header: &Header) -> Result<BindResp<'a>, DecodeFault> {
        if self.rest.is_empty() {
            return Ok(BindResp::default());
        }
        // An SMSC may call itself anything: 64 octets rather than the 16 of the specification.
        match last_string(self.rest, 64, Status::RINVSYSID, "system_id") {
            Ok((id, rest)) => Ok(BindResp { system_id: Some(id), tlvs: Tlvs::read(rest).0 }),
            Err(_) if header.status != 0 => Ok(BindResp::default()),
            Err(fault) => Err(fault),
        }
    }

    fn submit_multi(&mut self) -> Result<SubmitMulti<'a>, DecodeFault> {
        let service_type = self.service_type()?;
        let source = self.source(21)?;
        let count = self.octet("number_of_dests")?;
        if count == 0 || count > 254 {
            return Err(DecodeFault { answer: Status::RINVNUMDESTS, field: "number_of_dests" });
        }
        let start = self.rest;
        for _ in 0..count {
            match self.octet("dest_flag")? {
                1 if self.destination(21)?.digits.is_empty() => {
                    return Err(DecodeFault { answer: Status::RINVDSTADR, field: "destination_addr" });
                }
                1 => {}
                2 => {
                    self.string(21, Status::RINVDLNAME, "dl_name")?;
                }
                _ => return Err(DecodeFault { answer: Status::RINVDESTFLAG, field: "dest_flag" }),
            }
        }
        let destinations = Destinations { count, octets: &start[..start.len() - self.rest.len()] };
        let sm = self.sm_tail(Times::Strict, Sm { service_type, source, ..Sm::default() })?;
        Ok(SubmitMulti { destinations, sm })
    }

    fn submit_multi_resp(&mut self, header: &Header) -> Result<SubmitMultiResp<'a>, DecodeFault> {
        if self.rest.is_empty() {
            return Ok(SubmitMultiResp::default());
        }
        match self.submit_multi_resp_body() {
            Err(_) if header.status != 0 => Ok(SubmitMultiResp::default()),
            body => body,
        }
    }

    fn submit_multi_resp_body(&mut self) -> Result<SubmitMultiResp<'a>, DecodeFault> {
        let (message_id, rest) = last_string(self.rest, MESSAGE_ID_MAX + 1, Status::RINVMSGID, "message_id")?;
        self.rest = rest;
        let count = if rest.is_empty() { 0 } else { self.octet("no_unsuccess")? };
        let start = self.rest;
        for _ in 0..count {
            self.destination(21)?;
            let _status: [u8; 4] = self.octets("error_status_code")?;
        }
        let octets = &start[..start.len() - self.rest.len()];
        Ok(SubmitMultiResp { message_id: Some(message_id), count, octets, tlvs: Tlvs::read(self.rest).0 })
    }

    fn query_sm_resp(&mut self, header: &Header) -> Result<Option<QuerySmResp<'a>>, DecodeFault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match self.query_sm_resp_body() {
            Err(_) if header.status != 0 => Ok(None),
            body => body.map(Some),
        }
    }

    fn query_sm_resp_body(&mut self) -> Result<QuerySmResp<'a>, DecodeFault> {
        let message_id = self.message_id()?;
        let final_date = self.time(Times::Loose, Status::RINVMSGLEN, "final_date")?;
        let [message_state, error_code] = self.octets("message_state")?;
        Ok(QuerySmResp { message_id, final_date, message_state, error_code, tlvs: Tlvs::read(self.rest).0 })
    }

    fn replace_sm(&mut self) -> Result<ReplaceSm<'a>, DecodeFault> {
        let message_id = self.message_id()?;
        let source = self.source(21)?;
        let schedule_delivery_time = self.time(Times::Strict, Status::RINVSCHED, "schedule_delivery_time")?;
        let validity_period = self.time(Times::Strict, Status::RINVEXPIRY, "validity_period")?;
        let [registered_delivery, sm_default_msg_id] = self.octets("registered_delivery")?;
        let short_message = self.short_message()?;
        Ok(ReplaceSm {
            message_id,
            source,
            schedule_delivery_time,
            validity_period,
            registered_delivery,
            sm_default_msg_id,
            short_message,
            tlvs: self.tlvs()?,
        })
    }
}

/// The PDU ends inside a field. ESME_RINVMSGLEN rather than ESME_RINVCMDLEN, at which many peers drop the session.
fn short(field: &'static str) -> DecodeFault {
    DecodeFault { answer: Status::RINVMSGLEN, field }
}
