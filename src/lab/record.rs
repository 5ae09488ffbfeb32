//! What the SMSC saw: counters, how often each token came (so that lost and doubled messages can be counted from
//! outside), and by option every submit, in memory or as JSON lines. Sessions hand in batches, one lock a burst.

use super::pdu::{Part, SubmitView};
use super::personality::State;
use crate::base::Time;
use hashbrown::{HashMap, HashSet};
use serde::Serialize;
use std::hash::BuildHasher;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

macro_rules! counts {
    ($(#[doc = $text:literal] $name:ident,)*) => {
        /// Counters of an SMSC. Each submit is counted once in `submits` and once in one of accepted, refused,
        /// throttled, nacked or malformed.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct SmscCounts {
            $(#[doc = $text] pub $name: u64,)*
        }
        impl SmscCounts {
            /// Adds another count to this one; `window_peak` is the greater of the two.
            pub fn add(&mut self, other: &SmscCounts) {
                let peak = self.window_peak.max(other.window_peak);
                $(self.$name += other.$name;)*
                self.window_peak = peak;
            }
        }
    };
}

counts! {
    /// Connections taken.
    connections,
    /// Binds answered with success.
    binds,
    /// Binds refused.
    binds_refused,
    /// Connections ended, for whatever reason.
    closed,
    /// Unbinds of the peer.
    unbinds,
    /// Connections cut by the personality.
    disconnects,
    /// enquire_link of the peer.
    enquires,
    /// submit_sm received.
    submits,
    /// Taken for delivery.
    accepted,
    /// Refused by the statuses of the personality, or because the session may not submit.
    refused,
    /// Refused over the rate or the window.
    throttled,
    /// Of these, over the window.
    window_exceeded,
    /// Refused by generic_nack.
    nacked,
    /// Could not be read.
    malformed,
    /// submit_sm_resp written.
    responded,
    /// Taken and never answered.
    unanswered,
    /// Garbage PDUs sent.
    garbage,
    /// The most submits unanswered on one session.
    window_peak,
    /// Receipts written, those sent again included.
    receipts_sent,
    /// Receipts acknowledged.
    receipts_acked,
    /// Receipts answered with an error; each will be sent again.
    receipts_refused,
    /// Messages of subscribers written.
    mo_sent,
    /// Messages of subscribers acknowledged.
    mo_acked,
    /// PDUs of the peer that were unknown, stray or not allowed.
    strange,
}

/// Which part of a text is the token that tells messages apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRule {
    /// None.
    None,
    /// The first so many octets of the text (at most 64).
    First(u8),
    /// What stands between the first two `#`, at most 64 octets.
    Hashes,
}

/// How much is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Counters alone.
    Counts,
    /// And how often each token was accepted: about 10 octets a message.
    Tokens,
    /// And every submit. For tests.
    Submits,
}

/// What the lines of the log hold of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogText {
    /// The token alone.
    Token,
    /// And all octets, in hexadecimal.
    Octets,
}

/// What is recorded.
pub struct RecordOptions {
    /// The token.
    pub token: TokenRule,
    /// In memory.
    pub keep: Keep,
    /// Where JSON lines of every submit go; should be buffered.
    pub log: Option<Box<dyn Write + Send>>,
    /// What they hold.
    pub log_text: LogText,
}

impl Default for RecordOptions {
    fn default() -> RecordOptions {
        RecordOptions { token: TokenRule::Hashes, keep: Keep::Tokens, log: None, log_text: LogText::Token }
    }
}

/// One submit_sm, as it came and as it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Submit {
    /// When, in milliseconds of wall time.
    pub at_ms: i64,
    /// The account.
    pub system_id: String,
    /// The session, counted from 1.
    pub session: u64,
    /// Its sequence_number.
    pub sequence: u32,
    /// source_addr.
    pub source: String,
    /// destination_addr.
    pub dest: String,
    /// esm_class.
    pub esm_class: u8,
    /// data_coding.
    pub data_coding: u8,
    /// Reference, total and number of a concatenated part.
    pub part: Option<(u16, u8, u8)>,
    /// The token, when the text has one.
    pub token: Option<String>,
    /// All octets in hexadecimal, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub octets: Option<String>,
    /// The id as the response has it; empty when refused.
    pub message_id: String,
    /// The status decided.
    pub status: u32,
    /// False when no response will be sent.
    pub answered: bool,
}

/// What a session found out about a submit beyond its fields.
pub struct Fate<'a> {
    /// When it came.
    pub at: Time,
    /// The account.
    pub system_id: &'a str,
    /// The session.
    pub session: u64,
    /// Its sequence_number.
    pub sequence: u32,
    /// The id in the response.
    pub message_id: &'a [u8],
    /// The status decided.
    pub status: u32,
    /// Whether the status will be told.
    pub answered: bool,
}

/// What happens at an SMSC, told as it happens to who checks it. Called from the sessions' tasks.
pub trait Watch: Send + Sync {
    /// A submit_sm was judged; its answer leaves after `delay_ms`, unless the session ends first.
    fn submit(&self, view: &SubmitView<'_>, fate: &Fate<'_>, number: u64, delay_ms: u64);
    /// A submit_sm could not be read.
    fn malformed(&self, session: u64);
    /// A session has bound.
    fn bound(&self, session: u64);
    /// A session has ended; orderly when the peer had said so by an unbind.
    fn closed(&self, session: u64, is_orderly: bool);
    /// The peer has acknowledged the receipt of message `number`.
    fn receipt_acknowledged(&self, number: u64, state: State);
    /// The peer has acknowledged the message of subscriber `from` (digits).
    fn mo_acknowledged(&self, from: &[u8], text: &str);
    /// An enquire_link was not answered before the next was due.
    fn unanswered(&self, session: u64);
}

/// A session's notes of one burst.
#[derive(Default)]
pub struct Notes {
    /// Counted since the last hand-in.
    pub counts: SmscCounts,
    tokens: Vec<u64>,
    submits: Vec<Submit>,
    lines: Vec<u8>,
}

/// Keeps the record of one SMSC, or of several that follow each other.
pub struct Recorder {
    token: TokenRule,
    keep: Keep,
    log_text: LogText,
    logs: bool,
    hasher: foldhash::fast::FixedState,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    counts: SmscCounts,
    seen: HashSet<u64, foldhash::fast::FixedState>,
    again: HashMap<u64, u32, foldhash::fast::FixedState>,
    submits: Vec<Submit>,
    log: Option<Box<dyn Write + Send>>,
}

impl Recorder {
    /// An empty record.
    #[must_use]
    pub fn new(options: RecordOptions) -> Recorder {
        let logs = options.log.is_some();
        let kept = Kept { log: options.log, ..Kept::default() };
        Recorder {
            token: options.token,
            keep: options.keep,
            log_text: options.log_text,
            logs,
            hasher: foldhash::fast::FixedState::default(),
            kept: Mutex::new(kept),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A session that panicked leaves whole counters behind; the record of the others stands.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters now.
    #[must_use]
    pub fn counts(&self) -> SmscCounts {
        self.kept().counts
    }

    /// How often a message with this token was accepted (its first part, when it has several).
    #[must_use]
    pub fn times(&self, token: &str) -> u32 {
        self.times_of_part(token, 1)
    }

    /// How often this part, from 1, of a message with this token was accepted.
    #[must_use]
    pub fn times_of_part(&self, token: &str, part: u8) -> u32 {
        let key = self.key(token.as_bytes(), part);
        let kept = self.kept();
        u32::from(kept.seen.contains(&key)) + kept.again.get(&key).copied().unwrap_or(0)
    }

    /// Different tokens (times parts) accepted.
    #[must_use]
    pub fn unique(&self) -> u64 {
        self.kept().seen.len() as u64
    }

    /// Accepted submits beyond the first of each token and part: duplicates.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.kept().again.values().map(|n| u64::from(*n)).sum()
    }

    /// Every submit, when they are kept.
    #[must_use]
    pub fn submits(&self) -> Vec<Submit> {
        self.kept().submits.clone()
    }

    /// Writes out what the log has buffered.
    pub fn flush(&self) -> std::io::Result<()> {
        self.kept().log.as_mut().map_or(Ok(()), |log| log.flush())
    }

    fn key(&self, token: &[u8], part: u8) -> u64 {
        self.hasher.hash_one((token, part.max(1)))
    }

    /// Notes one submit.
    pub fn note(&self, notes: &mut Notes, view: &SubmitView<'_>, fate: &Fate<'_>) {
        if self.keep == Keep::Counts && !self.logs {
            return;
        }
        let mut buffer = [0; 64];
        let token = token(self.token, view.text(), view.coding, &mut buffer);
        if let Some(token) = token
            && self.keep != Keep::Counts
            && fate.status == 0
        {
            notes.tokens.push(self.key(token, view.part.map_or(1, |part| part.number)));
        }
        if self.keep != Keep::Submits && !self.logs {
            return;
        }
        let octets = (self.log_text == LogText::Octets).then(|| view.octets.iter().map(|octet| format!("{octet:02x}")).collect());
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let submit = Submit {
            at_ms: fate.at.0,
            system_id: fate.system_id.into(),
            session: fate.session,
            sequence: fate.sequence,
            source: text(view.source.text()),
            dest: text(view.dest.text()),
            esm_class: view.esm_class,
            data_coding: view.coding,
            part: view.part.map(|Part { reference, total, number }| (reference, total, number)),
            token: token.map(text),
            octets,
            message_id: text(fate.message_id),
            status: fate.status,
            answered: fate.answered,
        };
        if self.logs {
            serde_json::to_writer(&mut notes.lines, &submit).expect("plain fields into memory");
            notes.lines.push(b'\n');
        }
        if self.keep == Keep::Submits {
            notes.submits.push(submit);
        }
    }

    /// Takes a session's notes in and leaves them empty.
    pub fn hand_in(&self, notes: &mut Notes) {
        if notes.counts == SmscCounts::default() && notes.tokens.is_empty() {
            return;
        }
        let mut kept = self.kept();
        kept.counts.add(&std::mem::take(&mut notes.counts));
        for key in notes.tokens.drain(..) {
            if !kept.seen.insert(key) {
                *kept.again.entry(key).or_default() += 1;
            }
        }
        kept.submits.append(&mut notes.submits);
        if !notes.lines.is_empty()
            && let Some(log) = &mut kept.log
        {
            if let Err(fault) = log.write_all(&notes.lines) {
                // Better no log than half of one: the reader must see that it ends.
                tracing::error!(%fault, "the record of submits cannot be written and ends here");
                kept.log = None;
            }
            notes.lines.clear();
        }
    }
}

/// The token of a submit between two `#`, as text.
#[must_use]
pub fn hashed(view: &SubmitView<'_>) -> Option<String> {
    let mut buffer = [0; 64];
    token(TokenRule::Hashes, view.text(), view.coding, &mut buffer).map(|token| String::from_utf8_lossy(token).into_owned())
}

/// Finds the token. Texts in UCS-2 (data_coding 8) are narrowed to ASCII first, as far as the token may reach.
fn token<'a>(rule: TokenRule, text: &'a [u8], coding: u8, buffer: &'a mut [u8; 64]) -> Option<&'a [u8]> {
    let wide = coding == 8;
    let between = |text: &[u8]| {
        let start = text.iter().position(|octet| *octet == b'#')? + 1;
        let length = text[start..].iter().position(|octet| *octet == b'#')?;
        (length <= 64).then_some(start..start + length)
    };
    match rule {
        TokenRule::None => None,
        TokenRule::First(count) if wide => Some(narrow(text, usize::from(count), buffer)),
        TokenRule::First(count) => Some(&text[..text.len().min(usize::from(count))]),
        TokenRule::Hashes if wide => {
            let start = text.chunks_exact(2).position(|unit| unit == [0, b'#'])? * 2 + 2;
            let length = text[start..].chunks_exact(2).position(|unit| unit == [0, b'#'])? * 2;
            (length <= 128).then(|| narrow(&text[start..start + length], 64, buffer))
        }
        TokenRule::Hashes => between(text).map(|range| &text[range]),
    }
}

fn narrow<'a>(text: &[u8], count: usize, buffer: &'a mut [u8; 64]) -> &'a [u8] {
    let mut length = 0;
    for (slot, unit) in buffer.iter_mut().zip(text.chunks_exact(2)).take(count) {
        *slot = if unit[0] == 0 { unit[1] } else { b'?' };
        length += 1;
    }
    &buffer[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_by_either_rule_in_both_alphabets() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let found = |rule, text: &[u8], coding| {
            let mut buffer = [0; 64];
            token(rule, text, coding, &mut buffer).map(|token| String::from_utf8_lossy(token).into_owned())
        };
        assert_eq!(found(TokenRule::Hashes, b"Hello Zoe #a-17# bye #x#", 0).as_deref(), Some("a-17"));
        assert_eq!(found(TokenRule::Hashes, &wide("Привет #a-17# 👋"), 8).as_deref(), Some("a-17"));
        assert_eq!(found(TokenRule::Hashes, b"only one # here", 0), None);
        assert_eq!(found(TokenRule::First(4), b"a-17 hello", 0).as_deref(), Some("a-17"));
        assert_eq!(found(TokenRule::First(4), &wide("a-17 hello"), 8).as_deref(), Some("a-17"));
        assert_eq!(found(TokenRule::First(9), b"a-17", 0).as_deref(), Some("a-17"));
        assert_eq!(found(TokenRule::Hashes, &[0, b'#', 0], 8), None);
        assert_eq!(found(TokenRule::None, b"#a#", 0), None);
    }

    #[test]
    fn only_accepted_submits_count_as_seen_and_each_part_by_itself() {
        let recorder = Recorder::new(RecordOptions::default());
        let address = super::super::pdu::Address::guess("33612345678");
        let mut notes = Notes::default();
        let mut note = |octets: &[u8], part: Option<u8>, status| {
            let part = part.map(|number| Part { reference: 1, total: 2, number });
            let view = SubmitView { source: address, dest: address, esm_class: 0, validity: b"", registered: 0, coding: 0, octets, part };
            let fate = Fate { at: Time(0), system_id: "a", session: 1, sequence: 1, message_id: b"1", status, answered: true };
            recorder.note(&mut notes, &view, &fate);
        };
        note(b"#one#", None, 0x58);
        note(b"#one#", None, 0);
        note(b"#two#", Some(1), 0);
        note(b"#two#", Some(2), 0);
        note(b"#two#", Some(2), 0);
        recorder.hand_in(&mut notes);
        assert_eq!((recorder.times("one"), recorder.times("two"), recorder.times_of_part("two", 2), recorder.times("three")), (1, 1, 2, 0));
        assert_eq!((recorder.unique(), recorder.repeated()), (3, 1));
    }
}
