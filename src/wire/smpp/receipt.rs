//! Receipts of carriers, read as they come (`receipts.json`: more than thirty dialects seen in the wild).
//!
//! The text form is an appendix of SMPP 3.4 that nobody follows to the letter: labels in any order, case and number,
//! a handful of date lengths, words of their own for the states. The parameters (message_state, receipted_message_id,
//! network_error_code) win over the text. Nothing fails: what is missing is `None`, and a word nobody has told us is
//! [`State::Unknown`], unmapped and *not* final, so that a later receipt or the validity timer settles the message.
//!
//! No allocation. Who the receipt is for is [`ids`](super::ids)' business: both ids are given.

use super::date::Date;
use super::labels::{Fields, is_space, labels};
use super::pdu::esm;
use super::status::State;
use super::tlv::{Tlvs, tag};

/// What a receipt says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// `id:` of the text, often in another base than the parameter's.
    pub text_id: Option<&'a str>,
    /// The receipted_message_id parameter.
    pub tlv_id: Option<&'a str>,
    /// What is the case: the parameter's state, or the text's.
    pub state: State,
    /// The text's state alone.
    pub text_state: State,
    /// The message_state parameter.
    pub tlv_state: Option<State>,
    /// `stat:` as it was written.
    pub stat_raw: Option<&'a str>,
    /// Whether nothing may follow.
    pub is_final: bool,
    /// Neither the parameter nor the text names a state that we know: alert, and add the word.
    pub unmapped: bool,
    /// `err:` as it was written: decimal, hexadecimal or a word, its meaning the carrier's own.
    pub err: Option<&'a str>,
    /// The network_error_code parameter.
    pub network_error: Option<NetworkError>,
    /// `sub:`, segments submitted; several carriers always say 0.
    pub sub: Option<u32>,
    /// `dlvrd:`, segments delivered; as little to be trusted.
    pub dlvrd: Option<u32>,
    /// `submit date:` in the SMSC's local time.
    pub submit_date: Option<Date>,
    /// `done date:` in the SMSC's local time.
    pub done_date: Option<Date>,
    /// The beginning of the message's text, in whatever alphabet.
    pub text: Option<&'a [u8]>,
    /// Which form the text had.
    pub layout: Layout,
}

impl std::fmt::Debug for Receipt<'_> {
    /// Without the text, which is somebody's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receipt").field("state", &self.state).field("is_final", &self.is_final).finish_non_exhaustive()
    }
}

/// The form of a receipt's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// `id:… stat:…`, or nothing but parameters.
    Labels,
    /// Vodafone UK's `status,done,submit,error,destination,originator,id`.
    Commas,
}

/// A network's own error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkError {
    /// The network: [`network_error_type`](super::status::network_error_type). `None` when the peer left it away.
    pub network: Option<u8>,
    /// The code.
    pub code: u16,
}

/// By what a deliver_sm is taken for a receipt when esm_class does not say so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recognise {
    /// By its parameters: receipted_message_id with message_state.
    Marked,
    /// Also by a text that has `id:` and `stat:`. Only for carriers that forget esm_class: a person can type it.
    ByText,
}

/// Whether a deliver_sm or data_sm is a receipt or an intermediate notification. `content` is from [`content`].
/// Acknowledgements by the handset's owner or application are not receipts.
#[must_use]
#[inline]
pub fn is_receipt(esm_class: u8, tlvs: &Tlvs<'_>, content: &[u8], recognise: Recognise) -> bool {
    match esm_class & esm::TYPE {
        esm::RECEIPT | esm::INTERMEDIATE => true,
        0 => {
            (tlvs.get(tag::RECEIPTED_MESSAGE_ID).is_some() && tlvs.get(tag::MESSAGE_STATE).is_some())
                || (recognise == Recognise::ByText && looks_like_receipt(content))
        }
        _ => false,
    }
}

fn looks_like_receipt(content: &[u8]) -> bool {
    if commas(content).is_some() {
        return true;
    }
    let fields = labels(content);
    fields.id.is_some() && fields.stat.is_some()
}

/// The octets of a receipt's text: short_message, or message_payload when that is empty, without a user data header.
/// A header is taken off only where its lengths add up, for esm_class 0x44 is also seen before plain text.
#[must_use]
#[inline]
pub fn content<'a>(esm_class: u8, short_message: &'a [u8], tlvs: &Tlvs<'a>) -> &'a [u8] {
    let octets = if short_message.is_empty() { tlvs.get(tag::MESSAGE_PAYLOAD).unwrap_or_default() } else { short_message };
    if esm_class & esm::UDHI == 0 {
        return octets;
    }
    let Some((length, rest)) = octets.split_first() else { return octets };
    let Some((mut header, text)) = rest.split_at_checked(usize::from(*length)) else { return octets };
    while let [_, length, after @ ..] = header {
        match after.get(usize::from(*length)..) {
            Some(next) => header = next,
            None => return octets,
        }
    }
    if header.is_empty() { text } else { octets }
}

/// Receipts in UTF-16 exist (data_coding 8), and so do ASCII receipts labelled as such, because their `text` is: what
/// the octets are is decided by looking at them. UTF-16 is narrowed into `scratch` (characters above U+00FF become
/// `?`); anything else is given back as it is.
#[must_use]
pub fn narrow<'a>(content: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let wide = content.len() >= 8
        && content.len().is_multiple_of(2)
        && content.chunks_exact(2).take(4).all(|pair| pair[0] == 0 && (0x20..0x7F).contains(&pair[1]));
    if !wide {
        return content;
    }
    scratch.clear();
    scratch.extend(content.chunks_exact(2).map(|pair| if pair[0] == 0 { pair[1] } else { b'?' }));
    scratch
}

/// Reads a receipt. `content` is from [`content()`], through [`narrow`] if the carrier sends UTF-16.
///
/// An intermediate notification (esm_class 0x20) settles nothing but a delivery, whatever state it names.
#[must_use]
#[inline]
pub fn parse<'a>(esm_class: u8, content: &'a [u8], tlvs: &Tlvs<'a>) -> Receipt<'a> {
    let mut receipt = match commas(content) {
        Some(receipt) => receipt,
        None => from_labels(&labels(content)),
    };
    for tlv in tlvs {
        match tlv.tag {
            tag::RECEIPTED_MESSAGE_ID if receipt.tlv_id.is_none() => {
                let end = tlv.value.iter().position(|b| *b == 0).unwrap_or(tlv.value.len());
                receipt.tlv_id = text(tlv.value[..end].trim_ascii());
            }
            tag::MESSAGE_STATE if receipt.tlv_state.is_none() => {
                receipt.tlv_state = match tlv.value {
                    [number] | [0, number] => State::from_number(u32::from(*number)),
                    _ => None,
                };
            }
            tag::NETWORK_ERROR_CODE if receipt.network_error.is_none() => receipt.network_error = network_error(tlv.value),
            _ => {}
        }
    }
    if let Some(state) = receipt.tlv_state {
        receipt.state = state;
        receipt.unmapped = false;
    }
    receipt.is_final = !receipt.unmapped && receipt.state.is_final();
    if esm_class & esm::TYPE == esm::INTERMEDIATE {
        receipt.is_final &= receipt.state == State::Delivered;
    }
    receipt
}

/// One type octet and two of code by the specification; some send three ASCII digits, some the code alone.
fn network_error(value: &[u8]) -> Option<NetworkError> {
    match *value {
        [a, b, c] if value.iter().all(u8::is_ascii_digit) => {
            let code = [a, b, c].iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
            Some(NetworkError { network: None, code })
        }
        [network, high, low] => Some(NetworkError { network: Some(network), code: u16::from_be_bytes([high, low]) }),
        [high, low] => Some(NetworkError { network: None, code: u16::from_be_bytes([high, low]) }),
        [code] => Some(NetworkError { network: None, code: u16::from(code) }),
        _ => None,
    }
}

/// What a `stat` word means; `None` for words nobody has told us.
#[must_use]
pub fn state_of_word(word: &str) -> Option<State> {
    // The commonest first; the rest in the order of their frequency in `receipts.json`.
    const WORDS: [(&str, State); 27] = [
        ("DELIVRD", State::Delivered),
        ("UNDELIV", State::Undeliverable),
        ("EXPIRED", State::Expired),
        ("REJECTD", State::Rejected),
        ("ENROUTE", State::Enroute),
        ("ACCEPTD", State::Accepted),
        ("DELETED", State::Deleted),
        ("UNKNOWN", State::Unknown),
        ("FAILED", State::Undeliverable),
        ("DELIVERED", State::Delivered),
        ("DELIVERD", State::Delivered),
        ("REJECTED", State::Rejected),
        ("ACCEPTED", State::Accepted),
        ("UNDELIVERED", State::Undeliverable),
        ("UNDELIVERABLE", State::Undeliverable),
        ("UNDELIVERD", State::Undeliverable),
        ("UNDELVRD", State::Undeliverable),
        ("DND_REJECTED", State::Rejected),
        ("BUFFRED", State::Enroute),
        ("BUFFERD", State::Enroute),
        ("BUFFERED", State::Enroute),
        // Acknowledged or refused by the next hop: the first says nothing about the handset.
        ("ACKED", State::Accepted),
        ("NACK", State::Rejected),
        ("SCHEDULED", State::Scheduled),
        ("SCHEDLD", State::Scheduled),
        ("SKIPPED", State::Skipped),
        ("EN_ROUTE", State::Enroute),
    ];
    WORDS.iter().find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|(_, state)| *state)
}

fn from_labels<'a>(fields: &Fields<'a>) -> Receipt<'a> {
    let stat_raw = fields.stat.and_then(text);
    let state = stat_raw.and_then(state_of_word);
    Receipt {
        text_id: fields.id.and_then(text),
        tlv_id: None,
        state: state.unwrap_or(State::Unknown),
        text_state: state.unwrap_or(State::Unknown),
        tlv_state: None,
        stat_raw,
        is_final: false,
        unmapped: state.is_none(),
        err: fields.err.and_then(text),
        network_error: None,
        sub: fields.sub.and_then(number),
        dlvrd: fields.dlvrd.and_then(number),
        submit_date: fields.submit.and_then(Date::parse),
        done_date: fields.done.and_then(Date::parse),
        text: fields.text,
        layout: Layout::Labels,
    }
}

/// Vodafone UK's line. 00 is delivered and 01 being tried; what the others mean was never published, so they stay
/// unmapped.
fn commas(octets: &[u8]) -> Option<Receipt<'_>> {
    let [a, b, b',', ..] = octets else { return None };
    if !a.is_ascii_digit() || !b.is_ascii_digit() {
        return None;
    }
    let mut fields = octets.split(|octet| *octet == b',');
    let mut next = || fields.next();
    let [status, done, submit, err, _dest, _orig, id] = [next()?, next()?, next()?, next()?, next()?, next()?, next()?];
    if fields.next().is_some() || done.len() != 10 || submit.len() != 10 {
        return None;
    }
    let state = match status {
        b"00" => Some(State::Delivered),
        b"01" => Some(State::Enroute),
        _ => None,
    };
    Some(Receipt {
        stat_raw: text(status),
        state: state.unwrap_or(State::Unknown),
        text_state: state.unwrap_or(State::Unknown),
        unmapped: state.is_none(),
        text_id: text(id.split(|octet| is_space(*octet)).next()?),
        err: text(err),
        submit_date: Date::parse(submit),
        done_date: Date::parse(done),
        layout: Layout::Commas,
        ..from_labels(&Fields::default())
    })
}

/// A word as text; ids, codes and states are ASCII, and what is not is none of them.
fn text(octets: &[u8]) -> Option<&str> {
    if octets.is_empty() || !octets.is_ascii() {
        return None;
    }
    std::str::from_utf8(octets).ok()
}

fn number(octets: &[u8]) -> Option<u32> {
    let digits = (1..=9).contains(&octets.len()) && octets.iter().all(u8::is_ascii_digit);
    digits.then(|| octets.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors/receipts.json")).unwrap()
    }

    /// The parameters of a case, as a carrier would send them.
    fn tlvs_of(case: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in case["tlvs"].as_object().unwrap() {
            let (tag, octets) = match name.as_str() {
                "receipted_message_id" => (tag::RECEIPTED_MESSAGE_ID, [value.as_str().unwrap().as_bytes(), &[0]].concat()),
                "message_state" => (tag::MESSAGE_STATE, vec![value.as_u64().unwrap() as u8]),
                "network_error_code" => (tag::NETWORK_ERROR_CODE, hex::decode(value.as_str().unwrap()).unwrap()),
                other => panic!("{other}"),
            };
            out.extend_from_slice(&tag.to_be_bytes());
            out.extend_from_slice(&(octets.len() as u16).to_be_bytes());
            out.extend_from_slice(&octets);
        }
        out
    }

    #[test]
    fn every_receipt_seen_in_the_wild_is_read_exactly() {
        let cases = vectors()["cases"].as_array().unwrap().clone();
        assert_eq!(cases.len(), 52);
        for case in &cases {
            let raw = tlvs_of(case);
            let tlvs = Tlvs::from_octets(&raw).unwrap();
            let r = parse(esm::RECEIPT, case["text"].as_str().unwrap().as_bytes(), &tlvs);
            let network = r.network_error.map(|e| match e.network {
                Some(network) => serde_json::json!({"type": network, "code": e.code}),
                None => serde_json::json!({"form": "3 ASCII digits", "code": e.code}),
            });
            let mut ours = serde_json::json!({
                "message_id": r.text_id,
                "sub": r.sub,
                "dlvrd": r.dlvrd,
                "submit_date": r.submit_date.map(|d| d.to_string()),
                "done_date": r.done_date.map(|d| d.to_string()),
                "stat_raw": r.stat_raw,
                "state": r.text_state.name(),
                "final": r.is_final,
                "err_raw": r.err,
                "text": r.text.map(|t| std::str::from_utf8(t).unwrap()),
                "effective_state": r.state.name(),
                "unmapped_state": r.unmapped,
            });
            let more = [
                ("state_from_tlv", r.tlv_state.map(|s| Value::from(s.name()))),
                ("receipted_message_id_tlv", r.tlv_id.map(Value::from)),
                ("network_error", network),
                ("layout", (r.layout == Layout::Commas).then(|| Value::from("vodafone-csv"))),
            ];
            for (name, value) in more {
                if let Some(value) = value {
                    ours[name] = value;
                }
            }
            assert_eq!(ours, case["expected"], "{}: {}", case["id"], case["note"]);
        }
    }

    #[test]
    fn receipts_are_known_by_esm_class_under_a_mask_or_by_their_parameters() {
        let none = Tlvs::EMPTY;
        for (class, receipt) in [(0x04, true), (0x44, true), (0x20, true), (0x07, true), (0x00, false), (0x08, false), (0x10, false)] {
            assert_eq!(is_receipt(class, &none, b"", Recognise::Marked), receipt, "{class:#x}");
        }
        let marked = Tlvs::from_octets(&[0, 0x1E, 0, 2, b'7', 0, 0x04, 0x27, 0, 1, 2]).unwrap();
        assert!(is_receipt(0, &marked, b"", Recognise::Marked));
        assert!(!is_receipt(esm::USER_ACK, &marked, b"", Recognise::Marked));
        let text = b"id:7 sub:001 stat:DELIVRD err:000";
        assert!(!is_receipt(0, &none, text, Recognise::Marked));
        assert!(is_receipt(0, &none, text, Recognise::ByText));
        assert!(is_receipt(0, &none, b"00,0210021543,0210021500,,447887123456,101,we23", Recognise::ByText));
        assert!(!is_receipt(0, &none, b"my id: is stat wrong?", Recognise::ByText));
    }

    #[test]
    fn the_content_is_found_in_the_payload_and_behind_a_header_that_adds_up() {
        let payload = [0x04, 0x24, 0, 4, b'i', b'd', b':', b'1'];
        let tlvs = Tlvs::from_octets(&payload).unwrap();
        assert_eq!(content(4, b"", &tlvs), b"id:1");
        assert_eq!(content(4, b"id:2", &tlvs), b"id:2");
        assert_eq!(content(0x44, b"\x05\x00\x03\x1a\x01\x01id:9", &Tlvs::EMPTY), b"id:9");
        // 0x44 before plain text: 'i' is 105, more than there is, and would not add up either.
        assert_eq!(content(0x44, b"id:9 stat:DELIVRD", &Tlvs::EMPTY), b"id:9 stat:DELIVRD");
        let long = [b"id:9 stat:DELIVRD text:".as_slice(), &[b'x'; 120]].concat();
        assert_eq!(content(0x44, &long, &Tlvs::EMPTY), &long[..]);
    }

    #[test]
    fn utf_16_is_seen_by_its_octets_and_narrowed() {
        let wide: Vec<u8> = "id:7 stat:DELIVRD text:\u{416}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut scratch = Vec::new();
        let narrowed = narrow(&wide, &mut scratch);
        assert_eq!(narrowed, b"id:7 stat:DELIVRD text:?");
        assert_eq!(parse(4, narrowed, &Tlvs::EMPTY).text_id, Some("7"));
        let mut scratch = Vec::new();
        assert_eq!(narrow(b"id:7 text:\x04\x1a", &mut scratch), b"id:7 text:\x04\x1a");
    }

    #[test]
    fn an_intermediate_notification_settles_only_a_delivery() {
        let failed = b"id:7 stat:UNDELIV err:001";
        assert!(parse(esm::RECEIPT, failed, &Tlvs::EMPTY).is_final);
        assert!(!parse(esm::INTERMEDIATE, failed, &Tlvs::EMPTY).is_final);
        assert!(parse(esm::INTERMEDIATE, b"id:7 stat:DELIVRD", &Tlvs::EMPTY).is_final);
    }

    #[test]
    fn values_may_be_missing_and_labels_may_be_unknown() {
        let r = parse(4, b"id: sub:001 foo:bar vendor stat:DELIVRD err: text:", &Tlvs::EMPTY);
        assert_eq!((r.text_id, r.sub, r.state, r.err, r.text), (None, Some(1), State::Delivered, None, Some(&b""[..])));
        let r = parse(4, b"ID:A9 STAT:EXPIRED TEXT:x", &Tlvs::EMPTY);
        assert_eq!((r.text_id, r.state, r.text), (Some("A9"), State::Expired, Some(&b"x"[..])));
        let r = parse(4, b"id:1 text:hi there stat:UNDELIV err:5", &Tlvs::EMPTY);
        assert_eq!((r.state, r.err, r.text), (State::Undeliverable, Some("5"), Some(&b"hi there"[..])));
    }

    #[test]
    fn a_state_parameter_nobody_knows_leaves_the_text_to_decide() {
        let tlvs = Tlvs::from_octets(&[0x04, 0x27, 0, 1, 77]).unwrap();
        let r = parse(4, b"id:1 stat:DELIVRD", &tlvs);
        assert_eq!((r.state, r.is_final, r.unmapped), (State::Delivered, true, false));
        let r = parse(4, b"", &tlvs);
        assert_eq!((r.state, r.is_final, r.unmapped), (State::Unknown, false, true));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panic(
            class in any::<u8>(),
            octets in prop::collection::vec(any::<u8>(), 0..300),
            words in prop::collection::vec(prop::sample::select(vec!["id:", "stat:", "text:", " ", "submit date", "done_date:", "err:", "00,", "2601021200", "\0"]), 0..20),
        ) {
            let _ = parse(class, content(class, &octets, &Tlvs::EMPTY), &Tlvs::EMPTY);
            let (tlvs, _) = Tlvs::read(&octets);
            let words = words.concat();
            let _ = parse(class, content(class, words.as_bytes(), &tlvs), &tlvs);
            let _ = is_receipt(class, &tlvs, words.as_bytes(), Recognise::ByText);
            let _ = narrow(&octets, &mut Vec::new());
        }
    }
}
