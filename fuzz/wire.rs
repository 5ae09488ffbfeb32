//! The targets of what carriers send: PDUs, their parts, and the text of phones.

use super::{lossy, steered};
use relais::base::{Mono, Span};
use relais::channel::sms::content;
use relais::channel::sms::{Profile, Session};
use relais::config::{self, Alphabet, MapSecrets};
use relais::wire::gsm::reassembly::{Bounds, Key, Part, Reassembly};
use relais::wire::gsm::{Udh, alphabet, septet, ucs2};
use relais::wire::smpp::fault::reaction_to_length;
use relais::wire::smpp::{
    Bound, Framed, IdBase, Limits, Pdu, Status, Tlvs, Trailing, command, date, decode, frame, ids, key_of_receipt, key_of_response,
    reaction, receipt, time, write,
};
use std::sync::{Arc, OnceLock};

/// The header of a PDU of this length.
pub(super) fn head_of(length: usize, command: u32, status: Status, sequence: u32) -> [u8; 16] {
    let length = u32::try_from(length).expect("inputs are short");
    let mut head = [0; 16];
    for (place, word) in head.chunks_exact_mut(4).zip([length, command, status.0, sequence]) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    head
}

/// PDUs found in a whole stream are those found in its pieces.
pub(super) fn smpp_frame(data: &[u8]) {
    let (steer, stream) = steered(data);
    let limit = if steer & 1 == 0 { frame::LIMIT_UNBOUND } else { frame::LIMIT_BOUND };
    let found = |cut: usize| {
        let (mut held, mut found, mut is_broken) = (Vec::new(), Vec::new(), false);
        for piece in stream.chunks(cut.max(1)) {
            held.extend_from_slice(piece);
            while !is_broken {
                match frame::read(&held, limit) {
                    Framed::Pdu(header, whole) => {
                        assert!(whole.len() == header.length as usize && whole.len() <= limit);
                        found.push(header);
                        let size = whole.len();
                        held.drain(..size);
                    }
                    Framed::Incomplete { need } => {
                        assert!((1..=limit).contains(&need));
                        assert!(held.len() < limit, "nothing longer than a PDU is held");
                        break;
                    }
                    Framed::Broken(bad) => {
                        let _ = reaction_to_length(&bad);
                        is_broken = true;
                    }
                }
            }
            if is_broken {
                break;
            }
        }
        (found, is_broken)
    };
    assert_eq!(found(stream.len()), found(usize::from(steer >> 1)));
}

/// Four octets steer, the rest is the body of a PDU: decoded, reacted to, written again, decoded again.
pub(super) fn smpp_pdu(data: &[u8]) {
    let Some((head, body)) = data.split_at_checked(4) else { return };
    let ids = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xB, 0x15, 0x21, 0x102, 0x103, 0x111, 0x112];
    let id = ids[usize::from(head[0]) % ids.len()] | if head[1] & 1 == 0 { 0 } else { command::RESPONSE };
    let status = Status(if head[1] & 2 == 0 { 0 } else { u32::from(head[2]) });
    let octets = [&head_of(16 + body.len(), id, status, u32::from(head[3])), body].concat();
    let Framed::Pdu(header, whole) = frame::read(&octets, frame::LIMIT_BOUND) else { return };
    let trailing = if head[1] & 4 == 0 { Trailing::Ignore } else { Trailing::Refuse };
    let limits = Limits { system_id_max: 16, password_max: usize::from(head[1] >> 3) * 4, trailing };
    let decoded = decode(&header, whole, &limits);
    for bound in [Bound::Yes, Bound::No] {
        let _ = reaction(&header, decoded.as_ref(), bound);
    }
    let Ok(pdu) = decoded else { return };
    let _ = format!("{pdu:?}");
    match &pdu {
        Pdu::SubmitMulti(multi) => assert_eq!(multi.destinations.iter().count(), usize::from(multi.destinations.count())),
        Pdu::SubmitMultiResp(resp) => drop(resp.refused().count()),
        Pdu::DeliverSm(sm) | Pdu::SubmitSm(sm) => drop(sm.content()),
        _ => {}
    }
    let mut again = Vec::new();
    if write::pdu(&mut again, status, header.sequence, &pdu).is_ok() {
        let Framed::Pdu(header, whole) = frame::read(&again, usize::MAX) else { panic!("we write whole PDUs") };
        assert_eq!(decode(&header, whole, &limits).as_ref(), Ok(&pdu));
    }
}

fn profile() -> &'static Arc<Profile> {
    static PROFILE: OnceLock<Arc<Profile>> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let text = "[[carriers]]\nname = \"one\"\nhost = \"127.0.0.1\"\nsystem_id = \"relais\"\npassword = \"secret\"\n";
        let config = config::load(text, &MapSecrets::default()).unwrap_or_else(|mistakes| panic!("{}", config::report("", &mistakes)));
        Arc::new(Profile::new(&config.carriers[0], 1))
    })
}

/// A session with a carrier that sends anything: each step is an octet that says what happens, a length, and octets.
pub(super) fn smpp_session(data: &[u8]) {
    use relais::channel::session::Heard;
    use relais::wire::smpp::pdu::BindKind;
    let (steer, mut rest) = steered(data);
    let kind = [BindKind::Transceiver, BindKind::Transmitter, BindKind::Receiver][usize::from(steer) % 3];
    let mut now = Mono(1_000_000);
    let mut session = Session::new(profile().clone(), kind, now);
    let mut out = Vec::new();
    session.swap_output(&mut out);
    let mut taken = out.len();
    if steer & 0x80 == 0 {
        let sequence = frame::header(&out).expect("a bind is written first").sequence;
        let response = head_of(16, kind.command() | command::RESPONSE, Status::ROK, sequence);
        let bound = session.read(&response, now, &mut |_| ());
        assert!(bound.is_ok() && session.is_bound());
    }
    let mut fed = 0usize;
    while let Some((&[what, length], after)) = rest.split_first_chunk::<2>() {
        let (octets, behind) = after.split_at(after.len().min(usize::from(length)));
        rest = behind;
        let mut owed = Vec::new();
        let going_on = match what % 8 {
            0..=4 => {
                fed += octets.len();
                session.read(octets, now, &mut |heard| match heard {
                    Heard::Receipt { sequence, receipt } => {
                        assert!(receipt.carrier_id.len() <= 70_000);
                        owed.push(sequence);
                    }
                    Heard::Inbound { sequence, .. } | Heard::InboundPart { sequence, .. } => owed.push(sequence),
                    Heard::Up | Heard::Answer { .. } | Heard::Note(_) => {}
                })
            }
            5 => {
                now = now + Span::millis(u64::from(length) * 100);
                session.tick(now)
            }
            6 => {
                session.unbind(now);
                Ok(())
            }
            _ => {
                now = session.deadline();
                session.tick(now)
            }
        };
        owed.into_iter().for_each(|sequence| session.acknowledge(sequence));
        let mut more = Vec::new();
        session.swap_output(&mut more);
        taken += more.len();
        // Whatever it was told, what it says is PDUs.
        let mut said = &more[..];
        while !said.is_empty() {
            let Framed::Pdu(header, whole) = frame::read(said, frame::LIMIT_BOUND) else { panic!("not a PDU: {said:?}") };
            assert!(decode(&header, whole, &Limits::default()).is_ok());
            said = &said[whole.len()..];
        }
        if going_on.is_err() {
            return;
        }
    }
    // An answer is at most a header and a NUL for every header heard; timers add a PDU a step.
    assert!(taken <= 200 + 2 * fed + 16 * data.len(), "{taken} written for {fed} heard");
}

pub(super) fn smpp_tlv(data: &[u8]) {
    let Some(tlvs) = Tlvs::from_octets(data) else { return };
    assert_eq!(tlvs.octets(), data);
    let mut sum = 0;
    for tlv in tlvs.iter() {
        sum += 4 + tlv.value.len();
        let first = tlvs.iter().find(|other| other.tag == tlv.tag).expect("it is there");
        assert_eq!(tlvs.get(tlv.tag), Some(first.value), "the first one counts");
        let _ = (tlvs.number(tlv.tag), tlvs.string(tlv.tag));
    }
    assert_eq!(sum, data.len());
}

/// Steering octet: esm_class. Then the length of the TLVs, the TLVs, the text.
pub(super) fn smpp_receipt(data: &[u8]) {
    let Some((&[esm_class, length], rest)) = data.split_first_chunk::<2>() else { return };
    let (tlvs, text) = rest.split_at(rest.len().min(usize::from(length)));
    let tlvs = Tlvs::from_octets(tlvs).unwrap_or(Tlvs::EMPTY);
    for recognise in [receipt::Recognise::Marked, receipt::Recognise::ByText] {
        let content = receipt::content(esm_class, text, &tlvs);
        let _ = receipt::is_receipt(esm_class, &tlvs, content, recognise);
        let mut wide = Vec::new();
        let narrow = receipt::narrow(content, &mut wide);
        let parsed = receipt::parse(esm_class, narrow, &tlvs);
        for id in [parsed.text_id, parsed.tlv_id].into_iter().flatten() {
            assert!(id.len() <= content.len().max(256), "nothing is made up");
        }
        let _ = format!("{parsed:?}");
        let mut scratch = String::new();
        let source = relais::wire::smpp::Address { ton: 1, npi: 1, digits: &text[..text.len().min(20)] };
        let read = relais::channel::sms::receipt::read(profile(), esm_class, narrow, &tlvs, source, &mut scratch);
        assert!(read.receipt.error.len() <= 128, "{}", read.receipt.error.len());
    }
}

/// Dates, times and message ids.
pub(super) fn smpp_words(data: &[u8]) {
    if let Some(date) = date::Date::parse(data) {
        let _ = date.seconds();
    }
    let _ = time::parse(data);
    let (seed, id) = (ids::IdSeed(1), data);
    for base in IdBase::ALL {
        let (response, receipt) = (key_of_response(base, seed, id), key_of_receipt(base, seed, id));
        // The same id in both places is the same message, where the form does not change on the way.
        if base == IdBase::AsIs {
            assert_eq!(response, receipt);
        }
    }
    let _ = receipt::state_of_word(&lossy(data));
}

/// User data of any coding as text; septets there and back.
pub(super) fn gsm_text(data: &[u8]) {
    let Some((&[data_coding, flags], octets)) = data.split_first_chunk::<2>() else { return };
    for default in [Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Latin1, Alphabet::Ascii] {
        let read = content::read(octets, data_coding, flags & 1 == 1, &Tlvs::EMPTY, default);
        let mut text = String::new();
        content::decode(&read.octets, read.coding, default, &mut text);
        assert!(text.len() <= octets.len() * 8 + 8, "the output is sized by the input");
    }
    let septets: Vec<u8> = octets.iter().map(|octet| octet & 0x7f).collect();
    let header = usize::from(flags >> 4);
    let (mut packed, mut unpacked) = (vec![0; header], Vec::new());
    septet::pack(&septets, header, &mut packed);
    assert!(packed.len() - header <= (septets.len() * 7 + 6).div_ceil(8));
    septet::unpack(&packed[header..], header, septets.len(), &mut unpacked);
    assert_eq!(unpacked, septets);
    let mut decoded = String::new();
    alphabet::decode(&septets, &mut decoded);
    let mut again = Vec::new();
    if alphabet::encode(&decoded, &mut again).is_ok() {
        let mut twice = String::new();
        alphabet::decode(&again, &mut twice);
        assert_eq!(twice, decoded);
    }
    let text = lossy(octets);
    let (mut wide, mut back) = (Vec::new(), String::new());
    ucs2::encode(&text, &mut wide);
    ucs2::decode(&wide, &mut back);
    assert_eq!(back, text);
    ucs2::decode(octets, &mut back);
}

/// User data headers, and texts put together from parts: bounds hold whatever the headers claim.
pub(super) fn gsm_header(data: &[u8]) {
    let bounds = Bounds { texts_max: 8, octets_max: 512, wait: Span::secs(10) };
    let (mut reassembly, mut rest, mut now) = (Reassembly::new(bounds), data, Mono(0));
    while let Some((&[length, who], after)) = rest.split_first_chunk::<2>() {
        let (octets, behind) = after.split_at(after.len().min(usize::from(length)));
        rest = behind;
        now = now + Span::millis(u64::from(who) * 10);
        let Some((header, text)) = Udh::split(octets) else { continue };
        assert!(text.len() < octets.len());
        let _ = (header.elements().count(), relais::wire::gsm::national::Tables::read(header));
        let Some(concat) = header.concat() else { continue };
        assert!(concat.sequence >= 1 && concat.sequence <= concat.total);
        let source = ["1", "2", "3"][usize::from(who) % 3];
        let key = Key { source, destination: "9", width: concat.width, reference: concat.reference, total: concat.total };
        while let Some(whole) = reassembly.due(now) {
            assert!(whole.present >= 1);
        }
        if let Some(whole) = reassembly.part(key, Part { sequence: concat.sequence, coding: 0, octets: text, id: u64::from(who) }, now) {
            assert!(whole.present >= 1 && whole.runs.iter().map(|run| run.octets.len()).sum::<usize>() <= data.len());
        }
        let (texts, kept) = reassembly.waiting();
        assert!(texts <= 9 && kept <= 512 + 300, "{texts} {kept}");
    }
}
