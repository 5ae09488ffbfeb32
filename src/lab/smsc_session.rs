//! One connection to the simulated SMSC: binds, answers, throttles, misbehaves and delivers as its personality
//! says. One task and at most one timer, whatever the rate; all that one read brought is answered by one write.

use super::chance::{Chance, mix};
use super::hub::{Account, Hub, Item, Line, Mo};
use super::pdu::{self, Deliver, Front, Header, SubmitView, id};
use super::personality::{Check, ErrorBody, Garbage, Personality, Receipts, State};
use super::receipt::Receipt;
use super::record::{Fate, Notes, Watch};
use super::smsc_wire::{HIGH_WATER, Wire};
use crate::base::{Span, Time};
use crate::world::{BoxStream, World};
use hashbrown::HashMap;
use rusmpp::Pdu;
use rusmpp::pdus::{BindReceiverResp, BindTransceiverResp, BindTransmitterResp, DeliverSm};
use rusmpp::tlvs::MessageDeliveryRequestTlvValue;
use rusmpp::types::{AnyOctetString, COctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, InterfaceVersion, MessagePayload, Npi, Ton};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The most deliver_sm of one turn, so that answers are not held up.
const DELIVERIES: usize = 4_096;

/// What the session is bound as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    No,
    Transmitter,
    Receiver,
    Transceiver,
}

/// Why the session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What is written leaves first.
    Orderly,
    /// At once, with what is not written yet.
    Cut,
}

/// Answers to be sent at one millisecond.
#[derive(Default)]
struct Later {
    octets: Vec<u8>,
    answers: u64,
}

struct Session {
    hub: Arc<Hub>,
    habits: Arc<Personality>,
    line: Arc<Line>,
    number: u64,
    chance: Chance,
    bound: Bound,
    system_id: String,
    account: Option<Arc<Account>>,
    notes: Notes,
    /// Submits received and not yet answered.
    outstanding: u64,
    /// Answered in this burst: the peer cannot know before it is written.
    answered: u64,
    submits: u64,
    later: BTreeMap<u64, Later>,
    fresh: Vec<(u64, Item)>,
    due: Vec<Item>,
    unacked: HashMap<u32, Item, foldhash::fast::FixedState>,
    sequence: u32,
    next_items: Option<u64>,
    next_enquire: Option<u64>,
    /// The last enquire_link has no answer yet.
    has_enquired: bool,
    cut_at: Option<u64>,
    end: Option<End>,
    /// The peer has said that it goes.
    is_unbound: bool,
    message_id: Vec<u8>,
    text: Vec<u8>,
    tlvs: Vec<u8>,
}

/// Serves one connection until it ends.
pub(super) async fn serve(world: World, hub: Arc<Hub>, line: Arc<Line>, number: u64, stream: BoxStream) {
    let mut wire = Wire::new(stream);
    let mut session = Session::new(hub, line, number);
    session.notes.counts.connections += 1;
    let end = loop {
        let (now_us, wall) = (world.mono().0, world.now());
        session.turn(&mut wire, now_us / 1_000, wall);
        if let Some(end) = session.end {
            break end;
        }
        if session.line.cut.load(Ordering::Relaxed) {
            break End::Cut;
        }
        let wake_at = session.wake_at();
        let timer = async {
            match wake_at {
                Some(ms) => tokio::time::sleep(Span::micros((ms * 1_000).saturating_sub(world.mono().0)).std()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            io = poll_fn(|cx| wire.poll(cx)) => if io.is_err() { break End::Cut },
            () = session.line.wake.notified() => {}
            () = timer => {}
        }
    };
    session.leave();
    if end == End::Orderly {
        wire.finish().await;
    }
}

impl Session {
    fn new(hub: Arc<Hub>, line: Arc<Line>, number: u64) -> Session {
        let habits = hub.personality();
        Session {
            chance: Chance::new(habits.seed ^ mix(number)),
            hub,
            habits,
            line,
            number,
            bound: Bound::No,
            system_id: String::new(),
            account: None,
            notes: Notes::default(),
            outstanding: 0,
            answered: 0,
            submits: 0,
            later: BTreeMap::new(),
            fresh: Vec::new(),
            due: Vec::new(),
            unacked: HashMap::default(),
            sequence: 0,
            next_items: None,
            next_enquire: None,
            has_enquired: false,
            cut_at: None,
            end: None,
            is_unbound: false,
            message_id: Vec::new(),
            text: Vec::new(),
            tlvs: Vec::new(),
        }
    }

    /// Everything that can be done now, without waiting.
    fn turn(&mut self, wire: &mut Wire, now_ms: u64, wall: Time) {
        if self.cut_at.is_some_and(|at| at <= now_ms) {
            self.disconnect();
        }
        let inbox = std::mem::take(&mut wire.inbox);
        while self.end.is_none() {
            match pdu::front(&inbox[wire.from..wire.filled]) {
                Front::Part => break,
                Front::Whole(length) => {
                    self.take(&inbox[wire.from..wire.from + length], now_ms, wall, &mut wire.out);
                    wire.from += length;
                }
                Front::Torn => {
                    self.notes.counts.strange += 1;
                    pdu::put_header(&mut wire.out, id::GENERIC_NACK, 2, 0);
                    self.end = Some(End::Orderly);
                }
            }
        }
        wire.inbox = inbox;
        self.outstanding -= std::mem::take(&mut self.answered);
        self.answer_due(now_ms, &mut wire.out);
        self.deliver(now_ms, wall, wire);
        if self.next_enquire.is_some_and(|at| at <= now_ms) {
            let sequence = self.next_sequence();
            pdu::encode(0, sequence, Pdu::EnquireLink, &mut wire.out);
            if std::mem::replace(&mut self.has_enquired, true) {
                self.watched(|watch, session| watch.unanswered(session.number));
            }
            self.next_enquire = Some(now_ms + self.habits.enquire_ms);
        }
        self.hub.record.hand_in(&mut self.notes);
    }

    /// When the next turn is due without the peer.
    fn wake_at(&self) -> Option<u64> {
        let answers = self.later.first_key_value().map(|(at, _)| *at);
        [answers, self.next_items, self.next_enquire, self.cut_at].into_iter().flatten().min()
    }

    fn leave(&mut self) {
        if let Some(account) = &self.account {
            let unacked: BTreeMap<u32, Item> = self.unacked.drain().collect();
            account.leave(self.number, unacked.into_values());
        }
        self.notes.counts.closed += 1;
        self.watched(|watch, session| watch.closed(session.number, session.is_unbound));
        self.hub.record.hand_in(&mut self.notes);
    }

    fn disconnect(&mut self) {
        self.notes.counts.disconnects += 1;
        self.end = Some(End::Cut);
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = if self.sequence >= 0x7FFF_FFFF { 1 } else { self.sequence + 1 };
        self.sequence
    }

    fn can_receive(&self) -> bool {
        matches!(self.bound, Bound::Receiver | Bound::Transceiver)
    }

    /// One PDU of the peer.
    fn take(&mut self, whole: &[u8], now_ms: u64, wall: Time, out: &mut Vec<u8>) {
        let header = pdu::header(whole);
        match header.id {
            id::SUBMIT_SM => self.submit(whole, header.sequence, now_ms, wall, out),
            id::DELIVER_SM_RESP => self.acknowledged(header, now_ms),
            id::ENQUIRE_LINK_RESP => self.has_enquired = false,
            _ => self.other(whole, header, now_ms, out),
        }
    }

    /// Everything that is not hot goes through rusmpp.
    fn other(&mut self, whole: &[u8], header: Header, now_ms: u64, out: &mut Vec<u8>) {
        let Header { id: command, sequence, .. } = header;
        match pdu::decode(whole).as_ref().and_then(|command| command.pdu()) {
            Some(Pdu::BindTransmitter(bind)) => {
                let (id, word) = (bind.system_id.as_str(), bind.password.as_str());
                self.bind(Bound::Transmitter, header, id, word, now_ms, out);
            }
            Some(Pdu::BindReceiver(bind)) => {
                self.bind(Bound::Receiver, header, bind.system_id.as_str(), bind.password.as_str(), now_ms, out);
            }
            Some(Pdu::BindTransceiver(bind)) => {
                self.bind(Bound::Transceiver, header, bind.system_id.as_str(), bind.password.as_str(), now_ms, out);
            }
            Some(Pdu::EnquireLink) => {
                self.notes.counts.enquires += 1;
                pdu::encode(0, sequence, Pdu::EnquireLinkResp, out);
            }
            Some(Pdu::Unbind) => {
                self.notes.counts.unbinds += 1;
                pdu::encode(0, sequence, Pdu::UnbindResp, out);
                self.is_unbound = true;
                self.end = Some(End::Orderly);
            }
            Some(Pdu::UnbindResp) => self.end = Some(End::Orderly),
            Some(Pdu::GenericNack) => {
                self.notes.counts.strange += 1;
                self.unacked.remove(&sequence);
            }
            Some(Pdu::QuerySm(_)) => pdu::put_header(out, command | id::RESPONSE, 0x67, sequence),
            Some(Pdu::CancelSm(_)) => pdu::put_header(out, command | id::RESPONSE, 0x11, sequence),
            Some(Pdu::ReplaceSm(_)) => pdu::put_header(out, command | id::RESPONSE, 0x13, sequence),
            // A password longer than 8 octets: rusmpp keeps to the specification.
            None if matches!(command, 1 | 2 | 9) => {
                self.notes.counts.binds_refused += 1;
                pdu::put_header(out, command | id::RESPONSE, 0x0E, sequence);
            }
            // Responses to nothing are dropped; requests nobody knows are refused (3.4 §4.3).
            _ => {
                self.notes.counts.strange += 1;
                if command & id::RESPONSE == 0 {
                    pdu::put_header(out, id::GENERIC_NACK, 3, sequence);
                }
            }
        }
    }

    fn bind(&mut self, role: Bound, header: Header, system_id: &str, password: &str, now_ms: u64, out: &mut Vec<u8>) {
        let known = self.habits.accounts.is_empty() || self.habits.accounts.get(system_id).is_some_and(|right| right == password);
        let status = match () {
            () if self.bound != Bound::No => 0x05,
            () if self.hub.refuses_bind(self.habits.refuse_binds) => self.habits.refuse_binds_status,
            () if !known => 0x0E,
            () => 0,
        };
        if status != 0 {
            self.notes.counts.binds_refused += 1;
            if self.habits.error_body == ErrorBody::Header {
                return pdu::put_header(out, header.id | id::RESPONSE, status, header.sequence);
            }
        }
        // The name of the SMSC; and on refusal an empty one.
        let name = COctetString::from_static_slice(if status == 0 { b"lab\0" } else { b"\0" }).expect("short");
        let version = (self.habits.interface_version != 0 && status == 0).then(|| InterfaceVersion::from(self.habits.interface_version));
        let resp = match role {
            Bound::Receiver => Pdu::from(BindReceiverResp::new(name, version)),
            Bound::Transceiver => Pdu::from(BindTransceiverResp::new(name, version)),
            Bound::Transmitter | Bound::No => Pdu::from(BindTransmitterResp::new(name, version)),
        };
        pdu::encode(status, header.sequence, resp, out);
        if status != 0 {
            return;
        }
        self.notes.counts.binds += 1;
        self.watched(|watch, session| watch.bound(session.number));
        self.bound = role;
        self.system_id = system_id.into();
        let account = self.hub.account(system_id);
        if self.can_receive() {
            account.sit(self.number, &self.line);
            self.fresh.extend(self.hub.take_early_mo().into_iter().map(|item| (0, item)));
        }
        self.account = Some(account);
        let after = |ms: u64| (ms > 0).then_some(now_ms + ms);
        self.next_enquire = after(self.habits.enquire_ms);
        self.cut_at = after(self.habits.disconnect_after_ms);
    }

    fn submit(&mut self, whole: &[u8], sequence: u32, now_ms: u64, wall: Time, out: &mut Vec<u8>) {
        self.notes.counts.submits += 1;
        self.submits += 1;
        let view = SubmitView::read(&whole[pdu::HEADER..]);
        let strict = self.habits.check == Check::Strict;
        let view = view.filter(|_| !strict || pdu::decode(whole).is_some_and(|command| matches!(command.pdu(), Some(Pdu::SubmitSm(_)))));
        let Some(view) = view else {
            self.notes.counts.malformed += 1;
            self.watched(|watch, session| watch.malformed(session.number));
            return self.refuse(2, sequence, out);
        };
        let Some(account) = self.account.clone().filter(|_| matches!(self.bound, Bound::Transmitter | Bound::Transceiver)) else {
            self.notes.counts.refused += 1;
            return self.refuse(4, sequence, out);
        };
        self.outstanding += 1;
        self.notes.counts.window_peak = self.notes.counts.window_peak.max(self.outstanding);
        let status = self.judge(&account, now_ms);
        let nacked = status == 0 && self.chance.hit(self.habits.generic_nack);
        self.message_id.clear();
        let number = if status == 0 && !nacked { self.hub.next_message() } else { 0 };
        if number > 0 {
            self.habits.response_id.write(number, &mut self.message_id);
        }
        let missing = number > 0 && self.chance.hit(self.habits.missing);
        self.note(&view, sequence, wall, if nacked { 3 } else { status }, !missing);
        if number > 0 {
            self.notes.counts.accepted += 1;
        }
        let early = number > 0 && self.chance.hit(self.habits.receipt_early);
        let delay_ms = match () {
            () if missing => {
                self.notes.counts.unanswered += 1;
                self.answered += 1;
                0
            }
            () => self.answer(sequence, status, nacked, early, now_ms, out),
        };
        self.watched(|watch, session| {
            watch.submit(&view, &session.fate(sequence, wall, if nacked { 3 } else { status }, !missing), number, delay_ms)
        });
        if number > 0 {
            self.plan_receipts(&view, number, early, now_ms, wall);
        }
        if self.chance.hit(self.habits.garbage) {
            self.garbage(out);
        }
        if self.habits.disconnect_every > 0 && self.submits.is_multiple_of(self.habits.disconnect_every) {
            self.disconnect();
        }
    }

    /// A status other than 0 refuses the submit.
    fn judge(&mut self, account: &Account, now_ms: u64) -> u32 {
        let habits = &self.habits;
        if habits.window > 0 && self.outstanding > u64::from(habits.window) {
            self.notes.counts.window_exceeded += 1;
            self.notes.counts.throttled += 1;
            return habits.throttle_status;
        }
        let limit = u64::from(habits.throttle_per_s) + u64::from(habits.throttle_slack);
        if habits.throttle_per_s > 0 && !account.admits(now_ms, limit) {
            self.notes.counts.throttled += 1;
            return habits.throttle_status;
        }
        match habits.draw_status(&mut self.chance) {
            Some(status) if status != 0 => {
                self.notes.counts.refused += 1;
                status
            }
            _ => 0,
        }
    }

    fn note(&mut self, view: &SubmitView<'_>, sequence: u32, at: Time, status: u32, answered: bool) {
        let Session { system_id, number, message_id, notes, hub, .. } = self;
        let fate = Fate { at, system_id, session: *number, sequence, message_id, status, answered };
        hub.record.note(notes, view, &fate);
    }

    fn fate(&self, sequence: u32, at: Time, status: u32, answered: bool) -> Fate<'_> {
        Fate { at, system_id: &self.system_id, session: self.number, sequence, message_id: &self.message_id, status, answered }
    }

    fn watched(&self, tell: impl FnOnce(&dyn Watch, &Session)) {
        if let Some(watch) = &self.hub.watch {
            tell(&**watch, self);
        }
    }

    /// An error that has nothing to do with chance.
    fn refuse(&mut self, status: u32, sequence: u32, out: &mut Vec<u8>) {
        self.notes.counts.responded += 1;
        put_response(&self.habits, status, sequence, &[], out);
    }

    /// Writes the answer, now or for later.
    fn answer(&mut self, sequence: u32, status: u32, nacked: bool, early: bool, now_ms: u64, out: &mut Vec<u8>) -> u64 {
        let mut delay_ms = self.habits.response_ms.draw(&mut self.chance);
        if self.chance.hit(self.habits.disorder) {
            delay_ms += self.habits.disorder_ms.draw(&mut self.chance);
        }
        if self.chance.hit(self.habits.late) {
            delay_ms += self.habits.late_ms.draw(&mut self.chance);
        }
        if early {
            // The receipt leaves in this turn; the answer in one after it.
            delay_ms = delay_ms.max(5);
        }
        let later = (delay_ms > 0).then(|| self.later.entry(now_ms + delay_ms + 1).or_default());
        let octets = match later {
            None => {
                self.answered += 1;
                self.notes.counts.responded += 1;
                out
            }
            Some(later) => {
                later.answers += 1;
                &mut later.octets
            }
        };
        if nacked {
            self.notes.counts.nacked += 1;
            pdu::put_header(octets, id::GENERIC_NACK, 3, sequence);
        } else {
            put_response(&self.habits, status, sequence, &self.message_id, octets);
        }
        delay_ms
    }

    fn answer_due(&mut self, now_ms: u64, out: &mut Vec<u8>) {
        while let Some(first) = self.later.first_entry()
            && *first.key() <= now_ms
        {
            let later = first.remove();
            out.extend_from_slice(&later.octets);
            self.outstanding -= later.answers;
            self.notes.counts.responded += later.answers;
        }
    }

    fn plan_receipts(&mut self, view: &SubmitView<'_>, number: u64, early: bool, now_ms: u64, wall: Time) {
        let habits = self.habits.clone();
        let state = habits.states.draw(&mut self.chance);
        let wanted = match (habits.receipts, view.registered & 3) {
            (Receipts::Never, _) | (Receipts::Asked, 0) => false,
            (Receipts::Always, _) | (Receipts::Asked, 1) => true,
            // 2: on failure only; 3: on success only (SMPP 5.0).
            (Receipts::Asked, 2) => state != State::Delivered,
            (Receipts::Asked, _) => state == State::Delivered,
        };
        if !wanted || self.chance.hit(habits.receipt_missing) {
            return;
        }
        let mut delay_ms = if early { 0 } else { habits.receipt_ms.draw(&mut self.chance) };
        if !early && self.chance.hit(habits.receipt_late) {
            delay_ms += habits.receipt_late_ms.draw(&mut self.chance);
        }
        // Times are rounded down to milliseconds: one more keeps the delay at least what was asked.
        let due = |delay_ms: u64| now_ms + delay_ms + u64::from(delay_ms > 0);
        let text = if matches!(view.coding, 0 | 1 | 3) { view.text() } else { &[] };
        let receipt = |number, state| Item::Receipt(Receipt::new(number, wall, state, view.dest, view.source, text));
        if self.chance.hit(habits.receipt_enroute) {
            self.fresh.push((due(delay_ms / 2), receipt(number, State::Enroute)));
        }
        if self.chance.hit(habits.receipt_twice) {
            self.fresh.push((due(delay_ms), receipt(number, state)));
        }
        if self.chance.hit(habits.receipt_unknown) {
            self.fresh.push((due(delay_ms), receipt(u64::MAX / 2 - number, state)));
        }
        self.fresh.push((due(delay_ms), receipt(number, state)));
    }

    fn garbage(&mut self, out: &mut Vec<u8>) {
        self.notes.counts.garbage += 1;
        let sequence = self.next_sequence();
        match self.habits.garbage_kind {
            Garbage::Unknown => {
                let mut body = [0; 16];
                self.chance.fill(&mut body);
                out.extend_from_slice(&32u32.to_be_bytes());
                out.extend_from_slice(&[0x00, 0x01, 0xBA, 0xAD, 0, 0, 0, 0]);
                out.extend_from_slice(&sequence.to_be_bytes());
                out.extend_from_slice(&body);
            }
            Garbage::Torn => out.extend_from_slice(&[0, 0, 0, 8, 0xFF, 0xFF, 0xFF, 0xFF]),
            Garbage::Stray => pdu::put_submit_resp(out, 0, 0x7FFF_FF00, b"stray"),
        }
    }

    /// Hands in new receipts and writes those due for this session.
    fn deliver(&mut self, now_ms: u64, wall: Time, wire: &mut Wire) {
        let Some(account) = &self.account else { return };
        if self.fresh.is_empty() && !self.can_receive() {
            return;
        }
        let room = if wire.backlog() > HIGH_WATER || !self.can_receive() {
            0
        } else {
            (self.habits.receipt_window as usize).saturating_sub(self.unacked.len()).min(DELIVERIES)
        };
        let mut due = std::mem::take(&mut self.due);
        let bind = self.habits.receipt_bind;
        self.next_items = account.exchange(self.number, bind, &mut self.fresh, now_ms, room, &mut due);
        if due.len() == DELIVERIES {
            // More may be due: go on after the peer had its turn.
            self.next_items = Some(now_ms);
        }
        for item in due.drain(..) {
            let sequence = self.next_sequence();
            match &item {
                Item::Receipt(receipt) => {
                    self.notes.counts.receipts_sent += 1;
                    receipt.write(&self.habits, wall, &mut self.text, &mut self.tlvs);
                    let (esm_class, text, tlvs) = (self.habits.receipt_esm_class, &self.text, &self.tlvs);
                    let deliver = Deliver { from: &receipt.from, to: &receipt.to, esm_class, coding: 0, text, tlvs };
                    pdu::put_deliver(&mut wire.out, sequence, &deliver);
                }
                Item::Mo(mo) => {
                    self.notes.counts.mo_sent += 1;
                    pdu::encode(0, sequence, mo_pdu(mo), &mut wire.out);
                }
            }
            self.unacked.insert(sequence, item);
        }
        self.due = due;
    }

    fn acknowledged(&mut self, header: Header, now_ms: u64) {
        let item = self.unacked.remove(&header.sequence);
        self.watched(|watch, _| match &item {
            Some(Item::Receipt(receipt)) if header.status == 0 => watch.receipt_acknowledged(receipt.number, receipt.state),
            Some(Item::Mo(mo)) if header.status == 0 => watch.mo_acknowledged(mo.from.text(), &mo.text),
            _ => {}
        });
        let counts = &mut self.notes.counts;
        match (item, header.status) {
            (None, _) => counts.strange += 1,
            (Some(Item::Receipt(_)), 0) => counts.receipts_acked += 1,
            (Some(Item::Mo(_)), 0) => counts.mo_acked += 1,
            (Some(item), _) => {
                counts.receipts_refused += 1;
                self.fresh.push((now_ms + self.habits.receipt_retry_ms, item));
            }
        }
    }
}

fn put_response(habits: &Personality, status: u32, sequence: u32, message_id: &[u8], out: &mut Vec<u8>) {
    if status != 0 && habits.error_body == ErrorBody::Header {
        pdu::put_header(out, id::SUBMIT_SM_RESP, status, sequence);
    } else {
        pdu::put_submit_resp(out, status, sequence, message_id);
    }
}

/// A subscriber's message: ASCII as it is, anything else in UCS-2, long ones in message_payload.
fn mo_pdu(mo: &Mo) -> DeliverSm {
    let (coding, text) = match mo.text.is_ascii() {
        true => (0, mo.text.clone().into_bytes()),
        false => (8, mo.text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    };
    // 3GPP TS 23.040 9.2.3.24.1, which SMPP 3.4 announces in esm_class.
    let header: Vec<u8> = mo.part.map_or_else(Vec::new, |[reference, total, place]| vec![5, 0, 3, reference, total, place]);
    let octets = [header, text].concat();
    let address = |text: &[u8]| {
        let octets: Vec<u8> = text.iter().copied().filter(|octet| *octet != 0 && octet.is_ascii()).chain([0]).collect();
        COctetString::from_vec(octets).expect("an address has at most 20 octets")
    };
    let mut pdu = DeliverSm::builder()
        .source_addr_ton(Ton::from(mo.from.ton))
        .source_addr_npi(Npi::from(mo.from.npi))
        .source_addr(address(mo.from.text()))
        .dest_addr_ton(Ton::from(mo.to.ton))
        .dest_addr_npi(Npi::from(mo.to.npi))
        .destination_addr(address(mo.to.text()))
        .esm_class(EsmClass::from(if mo.part.is_some() { 0x40 } else { 0 }))
        .data_coding(DataCoding::from(coding))
        .build();
    match OctetString::from_slice(&octets) {
        Ok(short) if octets.len() <= 254 => pdu.set_short_message(short),
        _ => pdu.push_tlv(MessageDeliveryRequestTlvValue::MessagePayload(MessagePayload::new(AnyOctetString::from_vec(octets)))),
    }
    pdu
}
