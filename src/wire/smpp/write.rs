//! From values to octets, appended to a buffer that the caller sends as one burst.
//!
//! Either a whole PDU is appended or nothing: what does not fit its field is an error, never cut, because a cut address
//! or id means another one. Lengths are the specification's; only passwords and SMSC names may be longer (64), since
//! some peers want that. The submit_sm of the hot path is [`template`](super::template)'s; this is the general form.

use super::command as c;
use super::decode::SHORT_MESSAGE_MAX;
use super::frame::{HEADER, LIMIT_BOUND};
use super::pdu::{Address, Bind, BindKind, DataSm, Pdu, ReplaceSm, Sm, SubmitMulti, SubmitMultiResp};
use super::status::Status;
use super::tlv::{MAX, Tlv, Tlvs, tag};

/// A value that has no form on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unwritable {
    /// A string longer than its field.
    #[error("a string is longer than its field")]
    TooLong,
    /// A string with a NUL inside.
    #[error("a string has a nul inside")]
    Nul,
    /// A time of neither 0 nor 16 octets.
    #[error("a time has neither 0 nor 16 octets")]
    Time,
    /// More than 254 octets of content, 64 parameters, 65,535 octets in one, or the limit of a PDU.
    #[error("a pdu is longer than it may be")]
    Size,
}

/// Any PDU. `status` is 0 in requests.
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn pdu(out: &mut Vec<u8>, status: Status, sequence: u32, pdu: &Pdu<'_>) -> Result<(), Unwritable> {
    write(out, pdu.command(), status, sequence, |w| match pdu {
        Pdu::Bind(_, bind) => w.bind(bind),
        Pdu::BindResp(_, resp) => w.optional_string(resp.system_id, 64)?.raw_tlvs(resp.tlvs),
        Pdu::Outbind(outbind) => {
            w.string(outbind.system_id, 16)?.string(outbind.password, 64)?;
            Ok(())
        }
        Pdu::SubmitSm(sm) | Pdu::DeliverSm(sm) => w.sm(sm, &[]),
        Pdu::SubmitSmResp(resp) | Pdu::DeliverSmResp(resp) | Pdu::DataSmResp(resp) => {
            w.optional_string(resp.message_id, 65)?.raw_tlvs(resp.tlvs)
        }
        Pdu::DataSm(data) => w.data_sm(data, &[]),
        Pdu::SubmitMulti(multi) => w.submit_multi(multi),
        Pdu::SubmitMultiResp(resp) => w.submit_multi_resp(resp),
        Pdu::QuerySm(query) => {
            w.string(query.message_id, 65)?.address(&query.source, 21)?;
            Ok(())
        }
        Pdu::QuerySmResp(None) => Ok(()),
        Pdu::QuerySmResp(Some(resp)) => {
            w.string(resp.message_id, 65)?.time(resp.final_date)?;
            w.octets(&[resp.message_state, resp.error_code]).raw_tlvs(resp.tlvs)
        }
        Pdu::CancelSm(cancel) => {
            w.string(cancel.service_type, 6)?.string(cancel.message_id, 65)?;
            w.address(&cancel.source, 21)?.address(&cancel.destination, 21)?;
            Ok(())
        }
        Pdu::ReplaceSm(replace) => w.replace_sm(replace),
        Pdu::AlertNotification(alert) => w.address(&alert.source, 65)?.address(&alert.esme, 65)?.raw_tlvs(alert.tlvs),
        Pdu::Unknown(_, body) => {
            w.octets(body);
            Ok(())
        }
        Pdu::Unbind
        | Pdu::UnbindResp
        | Pdu::EnquireLink
        | Pdu::EnquireLinkResp
        | Pdu::GenericNack
        | Pdu::CancelSmResp
        | Pdu::ReplaceSmResp => Ok(()),
    })
}

/// bind_transmitter, bind_receiver or bind_transceiver.
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn bind(out: &mut Vec<u8>, sequence: u32, kind: BindKind, bind: &Bind<'_>) -> Result<(), Unwritable> {
    write(out, kind.command(), Status::ROK, sequence, |w| w.bind(bind))
}

/// The answer to a bind. A refusal is a header only, as the specification has it; with `sc_interface_version` the
/// peer learns that it may send TLVs.
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn bind_resp(
    out: &mut Vec<u8>,
    status: Status,
    sequence: u32,
    kind: BindKind,
    system_id: &[u8],
    sc_interface_version: Option<u8>,
) -> Result<(), Unwritable> {
    write(out, kind.command() | c::RESPONSE, status, sequence, |w| {
        if status != Status::ROK {
            return Ok(());
        }
        w.string(system_id, 16)?;
        match sc_interface_version {
            Some(version) => w.tlvs(&[Tlv { tag: tag::SC_INTERFACE_VERSION, value: &[version] }]),
            None => Ok(()),
        }
    })
}

/// submit_sm, with `more` parameters after those in `sm`.
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn submit_sm(out: &mut Vec<u8>, sequence: u32, sm: &Sm<'_>, more: &[Tlv<'_>]) -> Result<(), Unwritable> {
    write(out, c::SUBMIT_SM, Status::ROK, sequence, |w| w.sm(sm, more))
}

/// deliver_sm, with `more` parameters after those in `sm`.
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn deliver_sm(out: &mut Vec<u8>, sequence: u32, sm: &Sm<'_>, more: &[Tlv<'_>]) -> Result<(), Unwritable> {
    write(out, c::DELIVER_SM, Status::ROK, sequence, |w| w.sm(sm, more))
}

/// data_sm, with `more` parameters after those in `data`.
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn data_sm(out: &mut Vec<u8>, sequence: u32, data: &DataSm<'_>, more: &[Tlv<'_>]) -> Result<(), Unwritable> {
    write(out, c::DATA_SM, Status::ROK, sequence, |w| w.data_sm(data, more))
}

/// submit_sm_resp: a header only without a message_id (SMPP 3.4 §4.4.2: no body when the status is not 0).
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn submit_sm_resp(out: &mut Vec<u8>, status: Status, sequence: u32, message_id: Option<&[u8]>) -> Result<(), Unwritable> {
    write(out, c::SUBMIT_SM_RESP, status, sequence, |w| w.optional_string(message_id, 65).map(|_| ()))
}

/// data_sm_resp: as [`submit_sm_resp`].
///
/// # Errors
/// [`Unwritable`]; nothing has been appended then.
pub fn data_sm_resp(out: &mut Vec<u8>, status: Status, sequence: u32, message_id: Option<&[u8]>) -> Result<(), Unwritable> {
    write(out, c::DATA_SM_RESP, status, sequence, |w| w.optional_string(message_id, 65).map(|_| ()))
}

/// deliver_sm_resp: always 17 octets, its message_id unused and empty (SMPP 3.4 §4.6.2).
#[inline]
pub fn deliver_sm_resp(out: &mut Vec<u8>, status: Status, sequence: u32) {
    let mut octets = [0; HEADER + 1];
    octets[..HEADER].copy_from_slice(&head(HEADER + 1, c::DELIVER_SM_RESP, status, sequence));
    out.extend_from_slice(&octets);
}

/// A PDU of a header only: enquire_link, unbind and their responses, generic_nack, or any response that refuses.
#[inline]
pub fn header(out: &mut Vec<u8>, command: u32, status: Status, sequence: u32) {
    out.extend_from_slice(&head(HEADER, command, status, sequence));
}

/// enquire_link.
pub fn enquire_link(out: &mut Vec<u8>, sequence: u32) {
    header(out, c::ENQUIRE_LINK, Status::ROK, sequence);
}

/// enquire_link_resp.
pub fn enquire_link_resp(out: &mut Vec<u8>, sequence: u32) {
    header(out, c::ENQUIRE_LINK_RESP, Status::ROK, sequence);
}

/// unbind.
pub fn unbind(out: &mut Vec<u8>, sequence: u32) {
    header(out, c::UNBIND, Status::ROK, sequence);
}

/// unbind_resp.
pub fn unbind_resp(out: &mut Vec<u8>, sequence: u32) {
    header(out, c::UNBIND_RESP, Status::ROK, sequence);
}

/// generic_nack; `sequence` is that of the offending PDU, or 0 when it could not be read.
pub fn generic_nack(out: &mut Vec<u8>, status: Status, sequence: u32) {
    header(out, c::GENERIC_NACK, status, sequence);
}

/// The 16 octets of a header.
#[inline]
pub(super) fn head(length: usize, command: u32, status: Status, sequence: u32) -> [u8; HEADER] {
    let mut octets = [0; HEADER];
    octets[0..4].copy_from_slice(&(length as u32).to_be_bytes());
    octets[4..8].copy_from_slice(&command.to_be_bytes());
    octets[8..12].copy_from_slice(&status.0.to_be_bytes());
    octets[12..16].copy_from_slice(&sequence.to_be_bytes());
    octets
}

fn write(
    out: &mut Vec<u8>,
    command: u32,
    status: Status,
    sequence: u32,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    let start = out.len();
    out.extend_from_slice(&head(0, command, status, sequence));
    let written = body(&mut Writer { out });
    let length = out.len() - start;
    match written {
        Ok(()) if length <= LIMIT_BOUND => {
            out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
            Ok(())
        }
        failed => {
            out.truncate(start);
            failed.and(Err(Unwritable::Size))
        }
    }
}

/// A string as it must be: `max` counts its NUL.
#[inline]
pub(super) fn check_string(string: &[u8], max: usize) -> Result<(), Unwritable> {
    if string.len() >= max {
        return Err(Unwritable::TooLong);
    }
    if string.contains(&0) {
        return Err(Unwritable::Nul);
    }
    Ok(())
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.out.extend_from_slice(octets);
        self
    }

    fn string(&mut self, string: &[u8], max: usize) -> Result<&mut Self, Unwritable> {
        check_string(string, max)?;
        Ok(self.octets(string).octets(&[0]))
    }

    fn optional_string(&mut self, string: Option<&[u8]>, max: usize) -> Result<&mut Self, Unwritable> {
        match string {
            Some(string) => self.string(string, max),
            None => Ok(self),
        }
    }

    fn address(&mut self, address: &Address<'_>, max: usize) -> Result<&mut Self, Unwritable> {
        self.octets(&[address.ton, address.npi]).string(address.digits, max)
    }

    fn time(&mut self, time: &[u8]) -> Result<&mut Self, Unwritable> {
        if !matches!(time.len(), 0 | 16) {
            return Err(Unwritable::Time);
        }
        self.string(time, 17)
    }

    fn short_message(&mut self, message: &[u8]) -> Result<&mut Self, Unwritable> {
        let length = u8::try_from(message.len()).map_err(|_| Unwritable::Size)?;
        if message.len() > SHORT_MESSAGE_MAX {
            return Err(Unwritable::Size);
        }
        Ok(self.octets(&[length]).octets(message))
    }

    fn raw_tlvs(&mut self, tlvs: Tlvs<'_>) -> Result<(), Unwritable> {
        self.octets(tlvs.octets());
        Ok(())
    }

    fn tlvs(&mut self, tlvs: &[Tlv<'_>]) -> Result<(), Unwritable> {
        for Tlv { tag, value } in tlvs {
            let length = u16::try_from(value.len()).map_err(|_| Unwritable::Size)?;
            self.octets(&tag.to_be_bytes()).octets(&length.to_be_bytes()).octets(value);
        }
        Ok(())
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Result<(), Unwritable> {
        self.string(bind.system_id, 16)?.string(bind.password, 64)?.string(bind.system_type, 13)?;
        self.octets(&[bind.interface_version]).address(&bind.range, 41)?.raw_tlvs(bind.tlvs)
    }

    fn sm(&mut self, sm: &Sm<'_>, more: &[Tlv<'_>]) -> Result<(), Unwritable> {
        self.string(sm.service_type, 6)?.address(&sm.source, 21)?.address(&sm.destination, 21)?;
        self.sm_tail(sm)?;
        if more.len() + sm.tlvs.iter().count() > MAX {
            return Err(Unwritable::Size);
        }
        self.tlvs(more)
    }

    fn sm_tail(&mut self, sm: &Sm<'_>) -> Result<(), Unwritable> {
        self.octets(&[sm.esm_class, sm.protocol_id, sm.priority]);
        self.time(sm.schedule_delivery_time)?.time(sm.validity_period)?;
        self.octets(&[sm.registered_delivery, sm.replace_if_present, sm.data_coding, sm.sm_default_msg_id]);
        self.short_message(sm.short_message)?.raw_tlvs(sm.tlvs)
    }

    fn data_sm(&mut self, data: &DataSm<'_>, more: &[Tlv<'_>]) -> Result<(), Unwritable> {
        self.string(data.service_type, 6)?.address(&data.source, 65)?.address(&data.destination, 65)?;
        self.octets(&[data.esm_class, data.registered_delivery, data.data_coding]).raw_tlvs(data.tlvs)?;
        if more.len() + data.tlvs.iter().count() > MAX {
            return Err(Unwritable::Size);
        }
        self.tlvs(more)
    }

    fn submit_multi(&mut self, multi: &SubmitMulti<'_>) -> Result<(), Unwritable> {
        self.string(multi.sm.service_type, 6)?.address(&multi.sm.source, 21)?;
        self.octets(&[multi.destinations.count]).octets(multi.destinations.octets);
        self.sm_tail(&multi.sm)
    }

    fn submit_multi_resp(&mut self, resp: &SubmitMultiResp<'_>) -> Result<(), Unwritable> {
        let Some(message_id) = resp.message_id else { return Ok(()) };
        self.string(message_id, 65)?.octets(&[resp.count]).octets(resp.octets).raw_tlvs(resp.tlvs)
    }

    fn replace_sm(&mut self, replace: &ReplaceSm<'_>) -> Result<(), Unwritable> {
        self.string(replace.message_id, 65)?.address(&replace.source, 21)?;
        self.time(replace.schedule_delivery_time)?.time(replace.validity_period)?;
        self.octets(&[replace.registered_delivery, replace.sm_default_msg_id]).short_message(replace.short_message)?;
        self.raw_tlvs(replace.tlvs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_the_buffer_as_it_was() {
        let mut out = vec![1, 2, 3];
        let long = Sm { service_type: b"123456", ..Sm::default() };
        assert_eq!(submit_sm(&mut out, 1, &long, &[]), Err(Unwritable::TooLong));
        let nul = Sm { destination: Address { ton: 1, npi: 1, digits: b"33\x006" }, ..Sm::default() };
        assert_eq!(submit_sm(&mut out, 1, &nul, &[]), Err(Unwritable::Nul));
        let time = Sm { validity_period: b"2601", ..Sm::default() };
        assert_eq!(submit_sm(&mut out, 1, &time, &[]), Err(Unwritable::Time));
        let message = [0; 255];
        assert_eq!(submit_sm(&mut out, 1, &Sm { short_message: &message, ..Sm::default() }, &[]), Err(Unwritable::Size));
        let many = [Tlv { tag: 1, value: &[] }; 65];
        assert_eq!(submit_sm(&mut out, 1, &Sm::default(), &many), Err(Unwritable::Size));
        let huge = vec![0; 40_000];
        let two = [Tlv { tag: 1, value: &huge }; 2];
        assert_eq!(submit_sm(&mut out, 1, &Sm::default(), &two), Err(Unwritable::Size));
        assert_eq!(out, [1, 2, 3]);
    }

    #[test]
    fn responses_have_the_lengths_the_field_expects() {
        let size = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            assert_eq!(out.len(), u32::from_be_bytes(*out.first_chunk().unwrap()) as usize);
            out.len()
        };
        assert_eq!(size(&|out| deliver_sm_resp(out, Status::ROK, 1)), 17);
        assert_eq!(size(&|out| submit_sm_resp(out, Status::RTHROTTLED, 1, None).unwrap()), 16);
        assert_eq!(size(&|out| bind_resp(out, Status::RINVPASWD, 1, BindKind::Receiver, b"SMSC", Some(0x34)).unwrap()), 16);
        assert_eq!(size(&|out| bind_resp(out, Status::ROK, 1, BindKind::Receiver, b"SMSC", Some(0x34)).unwrap()), 26);
        assert_eq!(size(&|out| enquire_link(out, 1)), 16);
    }
}
