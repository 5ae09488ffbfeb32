//! One SMPP session with a carrier, as a machine: octets and `now` come in, octets and what was heard go out. It
//! binds, keeps the link alive, numbers and writes submits, reads answers, receipts and inbound messages, answers
//! what is malformed or unknown as the field wants it, and unbinds. Windows, rates and messages are not its business.
//!
//! States: binding → bound → unbinding; every one of them has a deadline.

use crate::base::{Mono, Span};
use crate::channel::session::{Answer, Fault, Heard, Inbound, Keys, Note, Over};
use crate::channel::sms::content;
use crate::channel::sms::profile::Profile;
use crate::channel::sms::{form, receipt};
use crate::message::event::Piece;
use crate::wire::gsm::ConcatRef;
use crate::wire::gsm::udh::Concat;
use crate::wire::smpp::pdu::{Bind, BindKind, IdResp, esm};
use crate::wire::smpp::tlv::tag;
use crate::wire::smpp::{
    Address, Bound, Framed, Header, Limits, Pdu, Reaction, Status, SubmitTemplate, Tlvs, Trailing, command, decode, fault, frame, reaction,
    write,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Nacks of unknown commands after which the peer is taken for something else than an SMSC.
const NACKS_MAX: u32 = 10;

/// A PDU that has begun is whole within this: a peer that sends an octet now and then would otherwise hold the session for
/// ever, because all it sends counts as a sign of life.
const PARTIAL: Span = Span::secs(10);

/// Octets that wait to be written while the peer goes on sending. A window of submits is 300 KB; more means that the peer
/// asks and does not read.
const OUT_BYTES_MAX: usize = 1 << 20;

/// data_sm that wait for their acknowledgement: more than a window of receipts.
const DATA_MAX: usize = 1_024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Binding { sequence: u32, until: Mono },
    Bound,
    Unbinding { until: Mono },
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    profile: Arc<Profile>,
    kind: BindKind,
    state: State,
    next_sequence: u32,
    /// Octets read that are not yet a whole PDU.
    partial: Vec<u8>,
    /// When the first of them came.
    partial_since: Option<Mono>,
    out: Vec<u8>,
    heard_at: Mono,
    spoke_at: Mono,
    enquiry: Option<(u32, Mono)>,
    missed: u32,
    nacks: u32,
    takes_tlvs: bool,
    templates: HashMap<(bytes::Bytes, form::Kind), SubmitTemplate>,
    forming: form::Forming,
    data_sequences: Vec<u32>,
    scratch: String,
}

impl Session {
    /// A session on a fresh connection; the bind is already in the output.
    #[must_use]
    pub fn new(profile: Arc<Profile>, kind: BindKind, now: Mono) -> Session {
        let mut session = Session {
            state: State::Binding { sequence: 0, until: now + profile.bind_timeout },
            next_sequence: profile.sequence_start,
            kind,
            partial: Vec::new(),
            partial_since: None,
            out: Vec::new(),
            heard_at: now,
            spoke_at: now,
            enquiry: None,
            missed: 0,
            nacks: 0,
            takes_tlvs: false,
            templates: HashMap::new(),
            forming: form::Forming::default(),
            data_sequences: Vec::new(),
            scratch: String::new(),
            profile,
        };
        let sequence = session.sequence();
        session.state = State::Binding { sequence, until: now + session.profile.bind_timeout };
        let bind = Bind {
            system_id: session.profile.system_id.as_bytes(),
            password: session.profile.password.expose().as_bytes(),
            system_type: session.profile.system_type.as_bytes(),
            interface_version: session.profile.version,
            range: Address { ton: 0, npi: 0, digits: session.profile.address_range.as_bytes() },
            tlvs: Tlvs::EMPTY,
        };
        // The configuration bounds every field; what cannot be written anyway leaves the bind out and times out.
        let _ = write::bind(&mut session.out, sequence, kind, &bind);
        session
    }

    /// Which way it goes.
    #[must_use]
    pub fn kind(&self) -> BindKind {
        self.kind
    }

    /// Whether submits may be written.
    #[must_use]
    pub fn carries_submits(&self) -> bool {
        self.state == State::Bound && self.kind != BindKind::Receiver
    }

    /// Whether the bind has succeeded and no unbind is under way.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.state == State::Bound
    }

    /// Moves what is to be written to the socket, in one go, into a buffer that is empty.
    pub fn swap_output(&mut self, buffer: &mut Vec<u8>) {
        debug_assert!(buffer.is_empty(), "the last burst has been written");
        std::mem::swap(&mut self.out, buffer);
    }

    /// Whether there is anything to write.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// The next sequence number: 1 to 0x7FFFFFFF, then 1 again (SMPP 3.4 §5.1.4).
    fn sequence(&mut self) -> u32 {
        let sequence = self.next_sequence;
        self.next_sequence =
            if sequence >= (if crate::base::planted::is("sequence-reused") { 8 } else { 0x7FFF_FFFF }) { 1 } else { sequence + 1 };
        sequence
    }

    /// Octets from the peer. What they say goes to `hear`, in their order. `Err`: the session is over, after what is
    /// in the output has been written.
    pub fn read(&mut self, input: &[u8], now: Mono, hear: &mut dyn FnMut(Heard<'_>)) -> Result<(), Over> {
        self.heard_at = now;
        let joined;
        let mut rest: &[u8] = if self.partial.is_empty() {
            input
        } else {
            self.partial.extend_from_slice(input);
            // A PDU that comes octet by octet is not moved for each of them.
            if matches!(frame::read(&self.partial, self.pdu_max()), Framed::Incomplete { .. }) {
                return Ok(());
            }
            joined = std::mem::take(&mut self.partial);
            &joined
        };
        loop {
            if self.out.len() > OUT_BYTES_MAX {
                return Err(Over::Silent);
            }
            match frame::read(rest, self.pdu_max()) {
                Framed::Pdu(header, pdu) => {
                    self.pdu(&header, pdu, now, hear)?;
                    rest = &rest[pdu.len()..];
                }
                Framed::Incomplete { .. } => {
                    self.partial.extend_from_slice(rest);
                    self.partial_since = (!rest.is_empty()).then_some(now);
                    return Ok(());
                }
                Framed::Broken(bad) => {
                    hear(Heard::Note(Note::Malformed(Fault::Length)));
                    if let Reaction::NackAndClose(status) = fault::reaction_to_length(&bad) {
                        write::generic_nack(&mut self.out, status, bad.sequence);
                    }
                    return Err(Over::Garbled);
                }
            }
        }
    }

    /// The longest PDU that is taken now.
    fn pdu_max(&self) -> usize {
        if matches!(self.state, State::Binding { .. }) { frame::LIMIT_UNBOUND } else { frame::LIMIT_BOUND }
    }

    fn pdu(&mut self, header: &Header, octets: &[u8], now: Mono, hear: &mut dyn FnMut(Heard<'_>)) -> Result<(), Over> {
        let limits = Limits { password_max: 64, trailing: Trailing::Ignore, ..Limits::default() };
        let decoded = decode(header, octets, &limits);
        let bound = if matches!(self.state, State::Binding { .. }) { Bound::No } else { Bound::Yes };
        match reaction(header, decoded.as_ref(), bound) {
            Reaction::Accept => match decoded {
                Ok(pdu) => self.accept(header, &pdu, now, hear),
                Err(_) => Ok(()),
            },
            Reaction::Respond { command, status } => {
                // Before the bind the place is wrong, whatever else may be.
                let fault = match decoded {
                    Err(_) if bound == Bound::No => Fault::Place,
                    Err(fault) if fault.answer == Status::RINVOPTPARSTREAM => Fault::Parameter,
                    Err(_) => Fault::Field,
                    Ok(_) => Fault::Place,
                };
                hear(Heard::Note(Note::Malformed(fault)));
                write::header(&mut self.out, command, status, header.sequence);
                Ok(())
            }
            Reaction::Nack(status) => {
                hear(Heard::Note(Note::Malformed(Fault::Command)));
                write::generic_nack(&mut self.out, status, header.sequence);
                self.nacks += 1;
                if self.nacks >= NACKS_MAX { Err(Over::Garbled) } else { Ok(()) }
            }
            Reaction::NackAndClose(status) => {
                write::generic_nack(&mut self.out, status, header.sequence);
                Err(Over::Garbled)
            }
            // A response whose body cannot be read still answers its request: by its status alone.
            Reaction::Ignore => {
                hear(Heard::Note(Note::Malformed(Fault::Response)));
                if header.command == command::SUBMIT_SM_RESP {
                    self.answered(header, None, hear);
                }
                Ok(())
            }
        }
    }

    fn accept(&mut self, header: &Header, pdu: &Pdu<'_>, now: Mono, hear: &mut dyn FnMut(Heard<'_>)) -> Result<(), Over> {
        match pdu {
            Pdu::SubmitSmResp(resp) => self.answered(header, Some(resp), hear),
            Pdu::DeliverSm(sm) => match sm.content() {
                Ok(content) => {
                    self.delivered(header.sequence, sm.esm_class, sm.data_coding, sm.source, sm.destination, content, &sm.tlvs, hear)
                }
                Err(status) => write::deliver_sm_resp(&mut self.out, status, header.sequence),
            },
            Pdu::DataSm(data) => {
                if self.data_sequences.len() < DATA_MAX {
                    self.data_sequences.push(header.sequence);
                }
                let content = data.tlvs.get(tag::MESSAGE_PAYLOAD).unwrap_or_default();
                self.delivered(header.sequence, data.esm_class, data.data_coding, data.source, data.destination, content, &data.tlvs, hear);
            }
            Pdu::BindResp(_, resp) => return self.bound(header, resp.tlvs.number(tag::SC_INTERFACE_VERSION), now, hear),
            Pdu::EnquireLink if crate::base::planted::is("enquire-link-unanswered") => {}
            Pdu::EnquireLink => write::enquire_link_resp(&mut self.out, header.sequence),
            Pdu::EnquireLinkResp => {
                if self.enquiry.is_some_and(|(sequence, _)| sequence == header.sequence) {
                    self.enquiry = None;
                    self.missed = 0;
                }
            }
            Pdu::Unbind => {
                write::unbind_resp(&mut self.out, header.sequence);
                return Err(Over::PeerUnbound);
            }
            Pdu::UnbindResp if matches!(self.state, State::Unbinding { .. }) => return Err(Over::Unbound),
            // A nack with the number of a submit answers it: certain, not in doubt.
            Pdu::GenericNack => return self.nacked(header, hear),
            Pdu::SubmitSm(_) => self.not_ours(header, hear),
            _ if !command::is_response(header.command) => self.not_ours(header, hear),
            _ => {}
        }
        Ok(())
    }

    /// A request that only an ESME may send.
    fn not_ours(&mut self, header: &Header, hear: &mut dyn FnMut(Heard<'_>)) {
        hear(Heard::Note(Note::Malformed(Fault::Place)));
        write::header(&mut self.out, command::response_of(header.command), Status::RINVBNDSTS, header.sequence);
    }

    fn bound(&mut self, header: &Header, version: Option<u32>, now: Mono, hear: &mut dyn FnMut(Heard<'_>)) -> Result<(), Over> {
        let State::Binding { sequence, .. } = self.state else { return Ok(()) };
        if header.sequence != sequence {
            return Ok(());
        }
        if header.status != Status::ROK.0 {
            return Err(Over::BindRefused(header.status));
        }
        // No sc_interface_version: 3.3, or a 3.4 that takes no TLVs (SMPP 3.4 §1.2).
        self.takes_tlvs = self.profile.version >= 0x34 && version.is_some_and(|version| version >= 0x34);
        self.state = State::Bound;
        self.spoke_at = now;
        hear(Heard::Up);
        Ok(())
    }

    fn nacked(&mut self, header: &Header, hear: &mut dyn FnMut(Heard<'_>)) -> Result<(), Over> {
        if let State::Binding { sequence, .. } = self.state
            && sequence == header.sequence
        {
            return Err(Over::BindRefused(header.status));
        }
        if self.enquiry.is_some_and(|(sequence, _)| sequence == header.sequence) {
            // It does not know enquire_link, but it is alive.
            self.enquiry = None;
            self.missed = 0;
            return Ok(());
        }
        self.answered(header, None, hear);
        Ok(())
    }

    fn answered(&mut self, header: &Header, resp: Option<&IdResp<'_>>, hear: &mut dyn FnMut(Heard<'_>)) {
        let sequence = header.sequence;
        if header.status != Status::ROK.0 {
            return hear(Heard::Answer { sequence, answer: self.profile.refusal(header.status), keys: Keys::default() });
        }
        // Taken without a name (or under one that is no text): it can never be matched to a receipt, but it is taken.
        let id = resp.and_then(IdResp::id).and_then(|id| std::str::from_utf8(id).ok()).unwrap_or("");
        hear(Heard::Answer { sequence, answer: Answer::Accepted(id), keys: self.profile.response_keys(id) });
    }

    #[allow(clippy::too_many_arguments)]
    fn delivered(
        &mut self,
        sequence: u32,
        esm_class: u8,
        data_coding: u8,
        source: Address<'_>,
        destination: Address<'_>,
        octets: &[u8],
        tlvs: &Tlvs<'_>,
        hear: &mut dyn FnMut(Heard<'_>),
    ) {
        use crate::wire::smpp::receipt as wire;
        let text = wire::content(esm_class, octets, tlvs);
        if wire::is_receipt(esm_class, tlvs, text, self.profile.recognise) {
            let mut wide = Vec::new();
            let text = wire::narrow(text, &mut wide);
            let read = receipt::read(&self.profile, esm_class, text, tlvs, source, &mut self.scratch);
            if read.unmapped {
                hear(Heard::Note(Note::Malformed(Fault::State)));
            }
            hear(Heard::Receipt { sequence, receipt: read.receipt });
            if crate::base::planted::is("receipt-acknowledged-early") {
                self.acknowledge(sequence);
            }
            return;
        }
        if esm_class & esm::TYPE != 0 {
            hear(Heard::Note(Note::Acknowledgement));
            return self.acknowledge(sequence);
        }
        let read = content::read(octets, data_coding, esm_class & esm::UDHI != 0, tlvs, self.profile.alphabet);
        let address = |address: Address<'_>| String::from_utf8_lossy(address.digits).into_owned();
        let (from, to) = (address(source), address(destination));
        if let Some(Concat { width, reference, total, sequence: place }) = read.part {
            let (from, to, octets) = (from.into(), to.into(), read.octets.into());
            let is_wide = width == ConcatRef::Bits16;
            let piece = Piece { from, to, is_wide, reference, total, place, coding: read.coding.0, octets };
            return hear(Heard::InboundPart { sequence, piece });
        }
        let mut text = String::new();
        content::decode(&read.octets, read.coding, self.profile.alphabet, &mut text);
        hear(Heard::Inbound { sequence, message: Inbound { from, to, text, port: read.coding.port() } });
    }

    /// Answers a deliver_sm or data_sm that is durable now.
    pub fn acknowledge(&mut self, sequence: u32) {
        match self.data_sequences.iter().position(|data| *data == sequence) {
            Some(place) => {
                self.data_sequences.swap_remove(place);
                // A header and an empty message_id: 17 octets are never wrong.
                let _ = write::data_sm_resp(&mut self.out, Status::ROK, sequence, Some(b""));
            }
            None => write::deliver_sm_resp(&mut self.out, Status::ROK, sequence),
        }
    }

    /// Serves the session's timers. `Err`: it is over.
    pub fn tick(&mut self, now: Mono) -> Result<(), Over> {
        if self.partial_since.is_some_and(|since| now.since(since) >= PARTIAL) {
            return Err(Over::Garbled);
        }
        match self.state {
            State::Binding { until, .. } if now >= until => return Err(Over::BindTimeout),
            State::Unbinding { until } if now >= until => return Err(Over::Unbound),
            State::Binding { .. } | State::Unbinding { .. } => return Ok(()),
            State::Bound => {}
        }
        if let Some((_, since)) = self.enquiry {
            // Anything heard since proves that the peer lives, whatever it does with enquiries.
            if self.heard_at > since {
                self.enquiry = None;
                self.missed = 0;
            } else if now.since(since) >= self.profile.response_timeout {
                self.enquiry = None;
                self.missed += 1;
                if self.missed >= 2 {
                    return Err(Over::Silent);
                }
                self.enquire(now);
            }
        } else if now.since(self.heard_at) >= self.profile.enquire_link {
            self.enquire(now);
        }
        Ok(())
    }

    fn enquire(&mut self, now: Mono) {
        let sequence = self.sequence();
        write::enquire_link(&mut self.out, sequence);
        self.enquiry = Some((sequence, now));
        self.spoke_at = now;
    }

    /// Enquiries in a row that were not answered.
    #[must_use]
    pub fn missed(&self) -> u32 {
        self.missed
    }

    /// When `tick` next has something to do.
    #[must_use]
    pub fn deadline(&self) -> Mono {
        let due = match self.state {
            State::Binding { until, .. } | State::Unbinding { until } => until,
            State::Bound => match self.enquiry {
                Some((_, since)) => since + self.profile.response_timeout,
                None => self.heard_at + self.profile.enquire_link,
            },
        };
        self.partial_since.map_or(due, |since| due.min(since + PARTIAL))
    }

    /// Asks to end the session politely; it is over when the peer answers or in a response time-out.
    pub fn unbind(&mut self, now: Mono) {
        if self.state == State::Bound {
            let sequence = self.sequence();
            write::unbind(&mut self.out, sequence);
            self.state = State::Unbinding { until: now + self.profile.response_timeout };
        }
    }
}

mod submit;
#[cfg(test)]
mod tests;
