//! What became of each line of a bulk: 12 octets a line while it is read, a few octets a refused line in the journal,
//! and the JSON made while it is sent. Reasons that repeat are kept once.

use crate::api::wait::Wait;
use crate::base::{BatchId, MessageId, Time};
use crate::message::{Encoding, Reason};
use crate::pipeline::accept::{Code, Refusal, Source};
use axum::body::Body;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::iter::Peekable;

/// Different reasons that are kept with their pointer and detail; further ones keep their code.
const REASONS_MAX: usize = 4_096;
/// Octets of one piece of the answer.
const PIECE: usize = 32 << 10;
/// The form of a stored detail: 1 knew no lines that wait.
const FORM: u8 = 2;
/// More than a detail of the longest bulk takes.
const DETAIL_MAX: usize = 256 << 20;

type Cause = (Code, Cow<'static, str>, Cow<'static, str>);

/// One line. An accepted one lies in a draft; a refused one has a reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Line {
    line: u32,
    draft_or_reason: u32,
    ordinal: u16,
    segments: u8,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Gsm7,
    Ucs2,
    Refused,
}

/// A line that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiting {
    line: u32,
    wait: Wait,
}

/// The results of a bulk.
#[derive(Debug)]
pub(super) struct Results {
    lines: Vec<Line>,
    /// Lines that wait, in their order.
    waiting: Vec<Waiting>,
    reasons: Vec<Cause>,
    found: HashMap<Cause, u32>,
    source: Source,
    refused: u32,
    segments: u64,
}

impl Default for Results {
    fn default() -> Results {
        Results {
            lines: Vec::new(),
            waiting: Vec::new(),
            reasons: Vec::new(),
            found: HashMap::new(),
            source: Source::Lines,
            refused: 0,
            segments: 0,
        }
    }
}

impl Results {
    /// A line became a message.
    pub(super) fn accept(&mut self, line: u32, draft: u32, ordinal: u32, segments: u8, encoding: Encoding) {
        let kind = if encoding == Encoding::Ucs2 { Kind::Ucs2 } else { Kind::Gsm7 };
        let ordinal = u16::try_from(ordinal).expect("a frame has at most 4,096 messages");
        self.segments += u64::from(segments);
        self.lines.push(Line { line, draft_or_reason: draft, ordinal, segments, kind });
    }

    /// The line accepted last waits.
    pub(super) fn wait(&mut self, line: u32, wait: Wait) {
        self.waiting.push(Waiting { line, wait });
    }

    /// A line was refused.
    pub(super) fn refuse(&mut self, line: u32, source: Source, refusal: Refusal) {
        self.source = source;
        let reason = self.reason((refusal.code, refusal.pointer, refusal.detail));
        self.refuse_for(line, reason);
    }

    fn refuse_for(&mut self, line: u32, reason: u32) {
        self.refused += 1;
        self.lines.push(Line { line, draft_or_reason: reason, ordinal: 0, segments: 0, kind: Kind::Refused });
    }

    fn reason(&mut self, mut reason: Cause) -> u32 {
        if let Some(index) = self.found.get(&reason) {
            return *index;
        }
        if self.reasons.len() >= REASONS_MAX {
            reason = (reason.0, Cow::Borrowed(""), Cow::Borrowed(""));
            if let Some(index) = self.found.get(&reason) {
                return *index;
            }
        }
        let index = self.reasons.len() as u32;
        self.reasons.push(reason.clone());
        self.found.insert(reason, index);
        index
    }

    pub(super) fn received(&self) -> u32 {
        self.lines.len() as u32
    }

    pub(super) fn accepted(&self) -> u32 {
        self.received() - self.refused
    }

    pub(super) const fn segments(&self) -> u64 {
        self.segments
    }

    /// Refused lines by code.
    pub(super) fn refused_by(&self) -> BTreeMap<&'static str, u32> {
        let mut by = BTreeMap::new();
        for line in self.lines.iter().filter(|line| line.kind == Kind::Refused) {
            *by.entry(self.reasons[line.draft_or_reason as usize].0.slug()).or_default() += 1;
        }
        by
    }

    /// The refusals as the journal keeps them: counts by code, then (compressed) reasons and lines.
    pub(super) fn detail(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        let by = self.refused_by();
        put(by.len() as u64, &mut out);
        for (slug, count) in by {
            put_text(slug, &mut out);
            put(u64::from(count), &mut out);
        }
        let mut rest = vec![self.source as u8];
        put(self.reasons.len() as u64, &mut rest);
        for (code, pointer, detail) in &self.reasons {
            [code.slug(), pointer, detail].iter().for_each(|text| put_text(text, &mut rest));
        }
        put(u64::from(self.refused), &mut rest);
        let mut last = 0;
        for line in self.lines.iter().filter(|line| line.kind == Kind::Refused) {
            put(u64::from(line.line - last), &mut rest);
            put(u64::from(line.draft_or_reason), &mut rest);
            last = line.line;
        }
        let (mut last, mut until) = (0, 0);
        for Waiting { line, wait } in &self.waiting {
            put(u64::from(line - last), &mut rest);
            put(u64::from(wait.why as u8), &mut rest);
            put(zigzag(wait.until.0.wrapping_sub(until)), &mut rest);
            (last, until) = (*line, wait.until.0);
        }
        put(rest.len() as u64, &mut out);
        out.extend(zstd::bulk::compress(&rest, 1).expect("memory takes everything"));
        out
    }

    /// The refusals of a stored detail; accepted lines are added with `accept`, then `sort` is called. `None` when it
    /// cannot be read.
    pub(super) fn from_detail(detail: &[u8]) -> Option<Results> {
        let (form, mut rest) = after_counts(detail, |_, _| {})?;
        let length = usize::try_from(take(&mut rest)?).ok().filter(|length| *length <= DETAIL_MAX)?;
        let plain = zstd::bulk::decompress(rest, length).ok()?;
        let mut plain = &plain[..];
        let (source, more) = plain.split_first()?;
        plain = more;
        let sources = [Source::Single, Source::Recipients, Source::Messages, Source::Lines, Source::Rows];
        let mut results = Results { source: *sources.get(usize::from(*source))?, ..Results::default() };
        for _ in 0..take(&mut plain)? {
            let slug = take_text(&mut plain)?;
            // A code this version does not know was written by a newer one.
            let code = Code::ALL.iter().copied().find(|code| code.slug() == slug)?;
            let (pointer, detail) = (take_text(&mut plain)?.to_owned(), take_text(&mut plain)?.to_owned());
            results.reasons.push((code, pointer.into(), detail.into()));
        }
        let (mut last, mut refused) = (0u64, if form == 1 { u64::MAX } else { take(&mut plain)? });
        while refused > 0 && !(form == 1 && plain.is_empty()) {
            last = last.checked_add(take(&mut plain)?)?;
            let reason = u32::try_from(take(&mut plain)?).ok().filter(|index| (*index as usize) < results.reasons.len())?;
            results.refuse_for(u32::try_from(last).ok()?, reason);
            refused -= 1;
        }
        let (mut last, mut until) = (0u64, 0i64);
        while !plain.is_empty() {
            last = last.checked_add(take(&mut plain)?)?;
            let why = Reason::from_number(u32::try_from(take(&mut plain)?).ok()?)?;
            until = until.wrapping_add(unzigzag(take(&mut plain)?));
            results.wait(u32::try_from(last).ok()?, Wait { why, until: Time(until) });
        }
        Some(results)
    }

    /// Puts the lines in their order.
    pub(super) fn sort(&mut self) {
        self.lines.sort_unstable_by_key(|line| line.line);
    }

    /// The answer, made piece by piece while it is sent. `places` are the first ids of the drafts, by their number.
    pub(super) fn body(self, batch: BatchId, places: Vec<MessageId>) -> Body {
        let mut head = Vec::with_capacity(PIECE + 512);
        head.extend_from_slice(b"{\"batch\":\"");
        batch.push_to(&mut head);
        head.extend_from_slice(
            format!("\",\"received\":{},\"accepted\":{},\"refused\":{},\"refused_by\":", self.received(), self.accepted(), self.refused)
                .as_bytes(),
        );
        json_to(&self.refused_by(), &mut head);
        let scheduled = self.waiting.iter().filter(|line| line.wait.why == Reason::Scheduled).count();
        head.extend_from_slice(format!(",\"scheduled\":{scheduled},\"held\":{}", self.waiting.len() - scheduled).as_bytes());
        if let Some(last) = self.waiting.iter().map(|line| line.wait.until).max() {
            head.extend_from_slice(format!(",\"until\":\"{}\"", last.rfc3339()).as_bytes());
        }
        head.extend_from_slice(b",\"results\":[");
        let quoted = |text: &str| serde_json::to_string(text).expect("texts are JSON");
        let unquoted = |text: String| text[1..text.len() - 1].to_owned();
        let reasons = self.reasons.iter().map(|(code, pointer, detail)| Words {
            code: code.slug(),
            pointer: unquoted(quoted(pointer)),
            detail: quoted(if detail.is_empty() { code.advice() } else { detail }),
        });
        let reasons = reasons.collect();
        let waiting = self.waiting.into_iter().peekable();
        let pages = Pages { reasons, head, lines: self.lines, waiting, places, batch, source: self.source, next: 0, is_over: false };
        Body::from_stream(futures_util::stream::iter(pages))
    }
}

/// Refused lines by code, from a stored detail, without unpacking the rest. Empty when it cannot be read.
pub(super) fn refused_by(detail: &[u8]) -> BTreeMap<String, u64> {
    let mut by = BTreeMap::new();
    let read = after_counts(detail, |slug, count| _ = by.insert(slug.to_owned(), count));
    if read.is_some() { by } else { BTreeMap::new() }
}

/// The form, and what follows the counts.
fn after_counts(detail: &[u8], mut each: impl FnMut(&str, u64)) -> Option<(u8, &[u8])> {
    let (form, mut rest) = detail.split_first().filter(|(form, _)| (1..=FORM).contains(*form))?;
    for _ in 0..take(&mut rest)? {
        let slug = take_text(&mut rest)?;
        each(slug, take(&mut rest)?);
    }
    Some((*form, rest))
}

/// A reason, escaped for JSON.
struct Words {
    code: &'static str,
    pointer: String,
    detail: String,
}

/// The pieces of an answer.
struct Pages {
    head: Vec<u8>,
    lines: Vec<Line>,
    reasons: Vec<Words>,
    waiting: Peekable<std::vec::IntoIter<Waiting>>,
    places: Vec<MessageId>,
    batch: BatchId,
    source: Source,
    next: usize,
    is_over: bool,
}

impl Iterator for Pages {
    type Item = Result<Bytes, Infallible>;

    fn next(&mut self) -> Option<Result<Bytes, Infallible>> {
        if self.is_over {
            return None;
        }
        let mut out = std::mem::take(&mut self.head);
        out.reserve(PIECE + 512);
        while out.len() < PIECE {
            let Some(line) = self.lines.get(self.next).copied() else {
                self.is_over = true;
                out.extend_from_slice(b"],\"results_url\":\"/v1/messages?batch=");
                self.batch.push_to(&mut out);
                out.extend_from_slice(b"\"}");
                break;
            };
            if self.next > 0 {
                out.push(b',');
            }
            self.next += 1;
            self.line(line, &mut out);
        }
        Some(Ok(Bytes::from(out)))
    }
}

impl Pages {
    fn line(&mut self, line: Line, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"line\":");
        push_number(line.line, out);
        let encoding = match line.kind {
            Kind::Refused => return self.refused(line, out),
            Kind::Gsm7 => Encoding::Gsm7,
            Kind::Ucs2 => Encoding::Ucs2,
        };
        out.extend_from_slice(b",\"id\":\"");
        MessageId(self.places[line.draft_or_reason as usize].0 + u64::from(line.ordinal)).push_to(out);
        out.extend_from_slice(b"\",\"segments\":");
        push_number(u32::from(line.segments), out);
        out.extend_from_slice(b",\"encoding\":\"");
        out.extend_from_slice(encoding.word().as_bytes());
        if let Some(Waiting { wait, .. }) = self.waiting.next_if(|waiting| waiting.line == line.line) {
            out.extend_from_slice(b"\",\"status\":\"");
            out.extend_from_slice(wait.status().word().as_bytes());
            if let Some(reason) = wait.reason() {
                out.extend_from_slice(b"\",\"reason\":\"");
                out.extend_from_slice(reason.as_bytes());
            }
            out.extend_from_slice(b"\",\"until\":\"");
            out.extend_from_slice(wait.until.rfc3339().as_bytes());
        }
        out.extend_from_slice(b"\"}");
    }

    fn refused(&self, line: Line, out: &mut Vec<u8>) {
        let words = &self.reasons[line.draft_or_reason as usize];
        out.extend_from_slice(b",\"error\":{\"code\":\"");
        out.extend_from_slice(words.code.as_bytes());
        out.extend_from_slice(b"\",\"pointer\":\"");
        out.extend_from_slice(self.source.pointer(line.line, &words.pointer).as_bytes());
        out.extend_from_slice(b"\",\"detail\":");
        out.extend_from_slice(words.detail.as_bytes());
        out.extend_from_slice(b"}}");
    }
}

fn json_to(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("counts are JSON");
}

fn push_number(mut n: u32, out: &mut Vec<u8>) {
    let (mut buffer, mut at) = ([0; 10], 10);
    while n > 0 || at == 10 {
        at -= 1;
        buffer[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    out.extend_from_slice(&buffer[at..]);
}

fn put(n: u64, out: &mut Vec<u8>) {
    prost::encoding::encode_varint(n, out);
}

/// Small numbers of either sign as small numbers.
const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

const fn unzigzag(n: u64) -> i64 {
    ((n >> 1) as i64) ^ -((n & 1) as i64)
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn take(from: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(from).ok()
}

fn take_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take(from)?).ok()?;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    fn sample() -> Results {
        let mut results = Results::default();
        results.accept(0, 0, 0, 1, Encoding::Gsm7);
        results.refuse(1, Source::Recipients, Refusal::new(Code::InvalidNumber, "/to", "no country code"));
        results.accept(2, 1, 7, 3, Encoding::Ucs2);
        results.wait(2, Wait { why: Reason::WindowClosed, until: Time(1_764_576_000_000) });
        results.accept(3, 1, 8, 1, Encoding::Gsm7);
        results.wait(3, Wait { why: Reason::Scheduled, until: Time(1_764_500_000_000) });
        results.refuse(5, Source::Recipients, Refusal::new(Code::InvalidNumber, "/to", "no country code"));
        results.refuse(6, Source::Recipients, Refusal::new(Code::UnknownField, "/a\"", "say \"x\""));
        results
    }

    async fn text(results: Results, places: Vec<MessageId>) -> String {
        let body = results.body(BatchId(9), places).collect().await.expect("whole").to_bytes();
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }

    #[tokio::test]
    async fn each_line_is_answered_in_its_order() {
        let answer = text(sample(), vec![MessageId(32), MessageId(64)]).await;
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let id = "bat_0000000000009";
        assert_eq!(
            answer,
            serde_json::json!({
                "batch": id, "received": 6, "accepted": 3, "refused": 3, "refused_by": {"invalid_number": 2, "unknown_field": 1},
                "scheduled": 1, "held": 1, "until": "2025-12-01T08:00:00.000Z",
                "results": [
                    {"line": 0, "id": MessageId(32).to_string(), "segments": 1, "encoding": "GSM-7"},
                    {"line": 1, "error": {"code": "invalid_number", "pointer": "/recipients/1/to", "detail": "no country code"}},
                    {"line": 2, "id": MessageId(71).to_string(), "segments": 3, "encoding": "UCS-2",
                     "status": "held", "reason": "window_closed", "until": "2025-12-01T08:00:00.000Z"},
                    {"line": 3, "id": MessageId(72).to_string(), "segments": 1, "encoding": "GSM-7",
                     "status": "scheduled", "until": "2025-11-30T10:53:20.000Z"},
                    {"line": 5, "error": {"code": "invalid_number", "pointer": "/recipients/5/to", "detail": "no country code"}},
                    {"line": 6, "error": {"code": "unknown_field", "pointer": "/recipients/6/a\"", "detail": "say \"x\""}},
                ],
                "results_url": format!("/v1/messages?batch={id}"),
            })
        );
    }

    #[tokio::test]
    async fn what_the_journal_keeps_gives_the_same_answer_again() {
        let places = vec![MessageId(32), MessageId(64)];
        let detail = sample().detail();
        assert_eq!(refused_by(&detail), BTreeMap::from([("invalid_number".to_owned(), 2), ("unknown_field".to_owned(), 1)]));
        let mut again = Results::from_detail(&detail).expect("its own");
        again.accept(3, 1, 8, 1, Encoding::Gsm7);
        again.accept(2, 1, 7, 3, Encoding::Ucs2);
        again.accept(0, 0, 0, 1, Encoding::Gsm7);
        again.sort();
        assert_eq!(text(again, places.clone()).await, text(sample(), places).await);
    }

    #[test]
    fn a_damaged_detail_is_refused_and_does_not_panic() {
        let detail = sample().detail();
        for length in 0..detail.len() {
            assert!(Results::from_detail(&detail[..length]).is_none(), "{length}");
        }
        assert!(refused_by(&[]).is_empty() && refused_by(&[9]).is_empty());
    }

    #[test]
    fn a_flood_of_different_reasons_keeps_codes_alone() {
        let mut results = Results::default();
        for n in 0..10_000u32 {
            results.refuse(n, Source::Lines, Refusal::new(Code::UnknownField, format!("/f{n}"), "no such field"));
        }
        assert!(results.reasons.len() <= REASONS_MAX + Code::ALL.len());
        assert_eq!(results.refused_by(), BTreeMap::from([("unknown_field", 10_000)]));
        assert_eq!(Results::from_detail(&results.detail()).map(|read| read.received()), Some(10_000));
    }

    #[tokio::test]
    async fn a_long_answer_comes_in_pieces() {
        let mut results = Results::default();
        (0..50_000).for_each(|n| results.accept(n, n / 4_000, n % 4_000, 1, Encoding::Gsm7));
        assert_eq!(size_of::<Line>(), 12);
        let mut body = results.body(BatchId(9), (0..13).map(|n| MessageId(n * 8_192)).collect());
        let (mut pieces, mut whole) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            let data = frame.expect("no fault").into_data().expect("data");
            assert!(data.len() < PIECE + 512);
            pieces += 1;
            whole.extend_from_slice(&data);
        }
        assert!(pieces > 100);
        let answer: serde_json::Value = serde_json::from_slice(&whole).expect("JSON");
        assert_eq!(answer["results"].as_array().map(Vec::len), Some(50_000));
    }
}
