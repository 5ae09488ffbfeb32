//! How an event is written for a customer: JSON objects, and POST bodies that are always an array of them. Golden
//! bodies are in `proto/webhooks/`; `docs/webhooks.md` explains them. Written by hand: it is on the path of
//! every message, twice.

use crate::base::{MessageId, MessageRef, Msisdn, Time};
use crate::message::event::Keyword;
use crate::message::outcome::{Reason, Status};
use crate::message::record::MessageRecord;
use crate::storage::FrameHead;

/// `seq` of `message.sent` and of `message.inbound`: the first event of its message.
pub const FIRST: u8 = 1;
/// `seq` of `message.final`: the last event of its message, also when no `message.sent` came before it.
pub const LAST: u8 = 2;

/// How a message ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// The final status.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// The carrier's code; 0 when it gave none.
    pub command_status: u32,
    /// Whether the handset may have had it twice.
    pub possible_duplicate: bool,
}

/// A message from a handset.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Its id.
    pub id: u64,
    /// The carrier's name.
    pub carrier: &'a str,
    /// The account it is for.
    pub account: &'a str,
    /// Who wrote it.
    pub from: &'a str,
    /// The number or short code it was written to.
    pub to: &'a str,
    /// What was written.
    pub text: &'a str,
    /// How many parts it came in, or should have come in.
    pub parts: u8,
    /// Whether some of them did not come.
    pub is_incomplete: bool,
    /// The application it is for; 0 for a person.
    pub port: u16,
    /// What it asks for.
    pub keyword: Keyword,
}

/// Writes events, keeping the text of the last instant: most events of a commit share theirs.
#[derive(Debug, Default)]
pub struct Scribe {
    at: Option<Time>,
    text: String,
}

impl Scribe {
    /// Appends `message.sent`.
    pub fn sent(&mut self, at: MessageRef, when: Time, head: &FrameHead, record: &MessageRecord, out: &mut Vec<u8>) {
        self.opening("message.sent", at.id().0, FIRST, when, out);
        message(at, head, record, out);
        put(out, r#","status":"sent","final":false}"#);
    }

    /// Appends `message.final`.
    pub fn ended(&mut self, at: MessageRef, when: Time, end: End, head: &FrameHead, record: &MessageRecord, out: &mut Vec<u8>) {
        self.opening("message.final", at.id().0, LAST, when, out);
        message(at, head, record, out);
        put(out, r#","status":""#);
        put(out, end.status.word());
        put(out, "\"");
        if let Some(cost) = record.cost() {
            put(out, r#","price":"#);
            string(&cost.to_string(), out);
        }
        put(out, r#","final":true,"possible_duplicate":"#);
        put(out, word(end.possible_duplicate));
        put(out, r#","reason":{"code":""#);
        put(out, end.reason.word());
        put(out, r#"","permanent":"#);
        put(out, word(end.reason == Reason::CarrierRefused));
        if end.command_status != 0 {
            put(out, r#","carrier_code":"#);
            number(u64::from(end.command_status), out);
        }
        put(out, "}}");
    }

    /// Appends `message.inbound`.
    pub fn inbound(&mut self, when: Time, received: &Received<'_>, out: &mut Vec<u8>) {
        self.opening("message.inbound", received.id, FIRST, when, out);
        put(out, r#","message":{"id":""#);
        MessageId(received.id).push_to(out);
        put(out, r#"","from":"#);
        phone(received.from, out);
        put(out, r#","to":"#);
        phone(received.to, out);
        put(out, r#","text":"#);
        string(received.text, out);
        put(out, r#","parts":"#);
        number(u64::from(received.parts), out);
        put(out, r#","incomplete":"#);
        put(out, word(received.is_incomplete));
        if received.port != 0 {
            put(out, r#","port":"#);
            number(u64::from(received.port), out);
        }
        put(out, r#","keyword":"#);
        string(received.keyword.word(), out);
        put(out, r#","carrier":"#);
        string(received.carrier, out);
        put(out, r#","account":"#);
        string(received.account, out);
        put(out, "}}");
    }

    fn opening(&mut self, kind: &str, id: u64, seq: u8, when: Time, out: &mut Vec<u8>) {
        if self.at != Some(when) {
            self.at = Some(when);
            self.text = when.rfc3339();
        }
        put(out, r#"{"type":""#);
        put(out, kind);
        put(out, r#"","id":""#);
        push_event_id(id, seq, out);
        put(out, r#"","seq":"#);
        number(u64::from(seq), out);
        put(out, r#","at":""#);
        put(out, &self.text);
        put(out, "\"");
    }
}

/// Appends an event's id: `evt_`, the digits of its message's id, `_` and its `seq`. It is the same whenever and
/// however often the event is told.
pub fn push_event_id(message: u64, seq: u8, out: &mut Vec<u8>) {
    let start = out.len();
    MessageId(message).push_to(out);
    out[start..start + 4].copy_from_slice(b"evt_");
    let seq = seq + u8::from(crate::base::planted::is("event-misnamed"));
    out.extend_from_slice(&[b'_', b'0' + seq]);
}

/// A POST body: the events as an array, also when there is one.
#[must_use]
pub fn array<'a>(events: impl Iterator<Item = &'a [u8]>, bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 2);
    for (at, event) in events.enumerate() {
        out.push(if at == 0 { b'[' } else { b',' });
        out.extend_from_slice(event);
    }
    out.push(b']');
    out
}

fn message(at: MessageRef, head: &FrameHead, record: &MessageRecord, out: &mut Vec<u8>) {
    put(out, r#","message":{"id":""#);
    at.id().push_to(out);
    out.push(b'"');
    if !record.client_ref.is_empty() {
        put(out, r#","client_ref":"#);
        string(record.reference(), out);
    }
    put(out, r#","to":"+"#);
    number(record.to, out);
    put(out, r#"","from":"#);
    string(record.sender(), out);
    if let Some(batch) = head.batch {
        put(out, r#","batch":""#);
        batch.push_to(out);
        out.push(b'"');
    }
    if !record.campaign.is_empty() {
        put(out, r#","campaign":"#);
        string(record.campaign(), out);
    }
    put(out, r#","channel":""#);
    put(out, record.channel().word());
    put(out, r#"","segments":"#);
    number(u64::from(record.segments()), out);
    put(out, r#","encoding":""#);
    put(out, record.encoded().word());
    put(out, "\"}");
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

const fn word(yes: bool) -> &'static str {
    if yes { "true" } else { "false" }
}

fn number(mut n: u64, out: &mut Vec<u8>) {
    let (mut digits, mut at) = ([b'0'; 20], 19);
    loop {
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
        at -= 1;
    }
    out.extend_from_slice(&digits[at..]);
}

/// A JSON string (RFC 8259 §7).
fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => put(out, "\\n"),
            b'\r' => put(out, "\\r"),
            b'\t' => put(out, "\\t"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                put(out, "\\u00");
                out.extend_from_slice(&[b"01"[usize::from(byte >> 4)], b"0123456789abcdef"[usize::from(byte & 15)]]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// A number in E.164 with its plus; a short code or a name as it is.
fn phone(text: &str, out: &mut Vec<u8>) {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) && Msisdn::parse(digits).is_ok();
    if is_number {
        put(out, "\"+");
        put(out, digits);
        out.push(b'"');
    } else {
        string(text, out);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::{BatchId, Span};
    use crate::message::composed::Composed;
    use crate::message::content::{Class, DoubtPolicy, Encoding, Reference};
    use crate::storage::Lane;

    const AT: Time = Time(1_764_576_000_123);

    /// A record of `segments` parts.
    pub(in crate::pipeline::webhook) fn record(client_ref: &str, from: &str, segments: u8) -> Vec<u8> {
        let octets = vec![b'x'; usize::from(segments) * 10];
        let ends: Vec<u32> = (1..=u32::from(segments)).map(|n| n * 10).collect();
        let composed = Composed {
            to: Msisdn::parse("+33612345678").expect("a number"),
            from,
            client_ref,
            encoding: if segments > 1 { Encoding::Ucs2 } else { Encoding::Gsm7 },
            octets: &octets,
            ends: &ends,
            class: Class::Transactional,
            reference: Reference::Narrow,
            doubt: DoubtPolicy::ResendOnce,
            lifetime: Span::secs(60),
            line: 0,
            extras: crate::message::Extras::default(),
        };
        let mut out = Vec::new();
        crate::message::record::write(&composed, &mut out);
        out
    }

    pub(in crate::pipeline::webhook) fn head(first: u64, count: u32, account: &str, batch: Option<BatchId>) -> FrameHead {
        let lane = Lane { carrier: "one".into(), account: account.into(), priority: 1 };
        FrameHead {
            first: MessageId(first),
            count,
            seq: 1,
            lane,
            batch,
            accepted: AT,
            expires: AT.after(Span::secs(60)),
            due: Time(0),
            why: 0,
        }
    }

    fn read(body: &[u8]) -> MessageRecord {
        let mut bytes = bytes::Bytes::copy_from_slice(body);
        prost::decode_length_delimiter(&mut bytes).expect("a length");
        MessageRecord::read(bytes).expect("a record")
    }

    fn same(written: &[u8], golden: &str) {
        let written: serde_json::Value = serde_json::from_slice(written).expect("JSON");
        let golden: serde_json::Value = serde_json::from_str(golden).expect("JSON");
        assert_eq!(written, golden);
    }

    const PLACE: MessageRef = MessageRef { frame: MessageId(64), ordinal: 2 };
    const DELIVERED: End = End { status: Status::Delivered, reason: Reason::Receipt, command_status: 0, possible_duplicate: false };

    #[test]
    fn a_life_told_in_two_events_is_the_golden_body() {
        let (head, record) = (head(64, 3, "shop", Some(BatchId(7))), read(&record("A-991", "SHOP", 2)));
        let (mut scribe, mut out) = (Scribe::default(), Vec::new());
        scribe.sent(PLACE, AT, &head, &record, &mut out);
        let cut = out.len();
        scribe.ended(PLACE, Time(AT.0 + 2_000), DELIVERED, &head, &record, &mut out);
        let (first, second) = out.split_at(cut);
        same(&array([first, second].into_iter(), out.len()), include_str!("../../../proto/webhooks/sent_and_delivered.json"));
    }

    #[test]
    fn the_campaign_is_told_with_both_events_and_the_price_with_the_last_when_there_are_any() {
        let (head, mut record) = (head(64, 3, "shop", None), read(&record("", "SHOP", 1)));
        record.campaign = bytes::Bytes::from_static(b"xmas \"26\"");
        (record.price, record.currency) = (45_000, bytes::Bytes::from_static(b"EUR"));
        let mut out = Vec::new();
        Scribe::default().sent(PLACE, AT, &head, &record, &mut out);
        let first: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        out.clear();
        Scribe::default().ended(PLACE, AT, DELIVERED, &head, &record, &mut out);
        let last: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!((&last["price"], first.get("price")), (&"0.045 EUR".into(), None));
        assert_eq!([&first["message"]["campaign"], &last["message"]["campaign"]], ["xmas \"26\"", "xmas \"26\""]);
    }

    #[test]
    fn a_refusal_and_a_doubt_are_the_golden_bodies() {
        let (head, record) = (head(64, 3, "shop", None), read(&record("", "36111", 1)));
        let refused = End { status: Status::Rejected, reason: Reason::CarrierRefused, command_status: 0x0b, possible_duplicate: false };
        let mut out = Vec::new();
        Scribe::default().ended(PLACE, AT, refused, &head, &record, &mut out);
        same(&array([&out[..]].into_iter(), 0), include_str!("../../../proto/webhooks/rejected.json"));
        out.clear();
        let twice = End { possible_duplicate: true, ..DELIVERED };
        Scribe::default().ended(PLACE, AT, twice, &head, &record, &mut out);
        same(&array([&out[..]].into_iter(), 0), include_str!("../../../proto/webhooks/possible_duplicate.json"));
    }

    #[test]
    fn a_message_from_a_handset_is_the_golden_body() {
        let received = Received {
            id: 65,
            carrier: "one",
            account: "shop",
            from: "33612345678",
            to: "36111",
            text: "STOP, \"please\"\né\u{1}",
            parts: 3,
            is_incomplete: true,
            port: 9_200,
            keyword: Keyword::Stop,
        };
        let mut out = Vec::new();
        Scribe::default().inbound(AT, &received, &mut out);
        same(&array([&out[..]].into_iter(), 0), include_str!("../../../proto/webhooks/inbound.json"));
    }

    #[test]
    fn strings_and_numbers_are_those_of_a_json_library() {
        for text in ["", "plain", "\"\\/\u{0}\u{1f}\u{7f}\u{2028}\n\r\t\u{8}\u{c}", "日本 👋", "\\u0041", "a\"b"] {
            let mut out = Vec::new();
            string(text, &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).ok().as_deref(), Some(text));
        }
        for n in [0, 9, 10, 4_294_967_295, u64::MAX] {
            let mut out = Vec::new();
            number(n, &mut out);
            assert_eq!(String::from_utf8(out).ok(), Some(n.to_string()));
        }
    }

    #[test]
    fn only_whole_numbers_get_a_plus() {
        for (text, expect) in [
            ("33612345678", "\"+33612345678\""),
            ("+33612345678", "\"+33612345678\""),
            ("36111", "\"36111\""),
            ("SHOP", "\"SHOP\""),
            ("0033612345678", "\"0033612345678\""),
        ] {
            let mut out = Vec::new();
            phone(text, &mut out);
            assert_eq!(String::from_utf8(out).ok().as_deref(), Some(expect));
        }
    }
}
