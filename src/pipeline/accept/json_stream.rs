//! A batch as one JSON document: `{"defaults": {…}, "recipients": [{…}, …]}` or `{"messages": […]}`, read as it comes.
//!
//! Each element is believed or refused by itself as long as its extent is certain (`scan`); what is wrong outside the
//! elements, or makes extents uncertain, is a fault of the body. `defaults` must come first, because elements are given
//! as soon as they are whole.

use crate::pipeline::accept::desk::{Carry, Desk, Sink, valid_prefix};
use crate::pipeline::accept::draft::Stores;
use crate::pipeline::accept::fault::{BodyFault, Code, Source};
use crate::pipeline::accept::fields::{Field, is_later, is_param_name, nearest, not_yet};
use crate::pipeline::accept::object;
use crate::pipeline::accept::scan::{Lost, Scan, Scanned};

/// Longest key of the outer object, in octets as written.
const KEY_OCTETS_MAX: usize = 256;

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The document.
    Start,
    /// A key, or the end of an empty object.
    FirstKey,
    /// A key, after a comma.
    Key,
    /// More of a key; whether the last octet was a backslash.
    InKey { is_escaped: bool },
    /// The colon after a key.
    Colon(Member),
    /// The value of a key.
    Value(Member),
    /// An element, or the end of an empty list.
    FirstElement,
    /// An element, after a comma.
    Element,
    /// More of an element or of the defaults.
    InEntry(Target),
    /// A comma or the end of the list.
    AfterElement,
    /// A comma or the end of the document.
    AfterMember,
    /// Nothing but white space.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Member {
    Defaults,
    Recipients,
    Messages,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Element,
    Defaults,
}

/// The state between two slices.
pub(super) struct BatchReader {
    desk: Desk,
    carry: Carry,
    scan: Scan,
    state: State,
    /// Octets before the slice being read.
    before: u64,
    has_defaults: bool,
    has_list: bool,
}

impl BatchReader {
    pub(super) fn new(desk: Desk) -> BatchReader {
        BatchReader {
            desk,
            carry: Carry::default(),
            scan: Scan::default(),
            state: State::Start,
            before: 0,
            has_defaults: false,
            has_list: false,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        let valid = valid_prefix(bytes);
        let mut at = 0;
        while at < bytes.len() {
            at = match self.state {
                State::InKey { is_escaped } => self.key_octet(bytes[at], is_escaped, at)?,
                State::InEntry(target) => self.more_of_entry(target, bytes, at, sink)?,
                _ if matches!(bytes[at], b' ' | b'\t' | b'\n' | b'\r') => at + 1,
                State::FirstElement | State::Element => self.element(bytes, valid, at, sink)?,
                _ => self.token(bytes[at], at)?,
            };
        }
        self.before += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), BodyFault> {
        if self.state != State::End {
            return Err(BodyFault::new(Code::TruncatedBody, "", format!("the document is not closed after {} octets", self.before)));
        }
        if self.desk.entries == 0 {
            return Err(BodyFault::new(Code::EmptyBatch, "", "no entries"));
        }
        Ok(())
    }

    /// An octet that is neither white space nor part of a key or an entry. Returns where to go on.
    fn token(&mut self, byte: u8, at: usize) -> Result<usize, BodyFault> {
        self.state = match (self.state, byte) {
            (State::Start, b'{') => State::FirstKey,
            (State::Start, b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => {
                return Err(BodyFault::new(Code::WrongType, "", "expected an object with recipients or messages"));
            }
            (State::FirstKey | State::Key, b'"') => {
                self.carry.add(b"\"", KEY_OCTETS_MAX);
                State::InKey { is_escaped: false }
            }
            (State::FirstKey, b'}') => return Err(missing_list()),
            (State::Colon(member), b':') => State::Value(member),
            (State::Value(Member::Recipients | Member::Messages), b'[') => State::FirstElement,
            (State::Value(Member::Defaults), b'{') => {
                self.scan = Scan::default();
                self.state = State::InEntry(Target::Defaults);
                return Ok(at);
            }
            (State::Value(member), b'{' | b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => return Err(wrong_member(member)),
            (State::AfterElement, b',') => State::Element,
            (State::AfterElement, b']') => State::AfterMember,
            (State::AfterMember, b',') => State::Key,
            (State::AfterMember, b'}') if !self.has_list => return Err(missing_list()),
            (State::AfterMember, b'}') => State::End,
            _ => return Err(self.malformed(at)),
        };
        Ok(at + 1)
    }

    /// An octet of a key of the document. There are few of them: no need to hurry.
    fn key_octet(&mut self, byte: u8, is_escaped: bool, at: usize) -> Result<usize, BodyFault> {
        self.carry.add(&[byte], KEY_OCTETS_MAX);
        if byte == b'"' && !is_escaped {
            self.state = State::Colon(self.member(at)?);
            self.carry.clear();
        } else {
            self.state = State::InKey { is_escaped: byte == b'\\' && !is_escaped };
        }
        Ok(at + 1)
    }

    /// Which member the key in the carry names.
    fn member(&mut self, at: usize) -> Result<Member, BodyFault> {
        let fault = self.malformed(at);
        let Some(octets) = self.carry.whole(&[], KEY_OCTETS_MAX) else { return Err(unknown("")) };
        let Ok(quoted) = std::str::from_utf8(octets) else { return Err(BodyFault::new(Code::InvalidUtf8, "", "not UTF-8")) };
        self.desk.scratch.clear();
        let piece = object::string(quoted, &mut self.desk.scratch).map_err(|code| BodyFault { code, ..fault })?;
        let key = Stores { line: quoted, scratch: &self.desk.scratch, names: "" }.get(piece);
        let duplicate = |pointer: &'static str| Err(BodyFault::new(Code::DuplicateField, pointer, "given twice"));
        match key {
            "defaults" if self.has_defaults => return duplicate("/defaults"),
            "defaults" if self.has_list => {
                return Err(BodyFault::new(Code::DefaultsAfterRecipients, "/defaults", "defaults must come before the list"));
            }
            "defaults" => {
                self.has_defaults = true;
                return Ok(Member::Defaults);
            }
            "recipients" | "messages" => {}
            other => return Err(unknown(other)),
        }
        let (member, source) =
            if key == "recipients" { (Member::Recipients, Source::Recipients) } else { (Member::Messages, Source::Messages) };
        match (self.has_list, self.desk.source == source) {
            (true, true) => duplicate(if member == Member::Recipients { "/recipients" } else { "/messages" }),
            (true, false) => Err(BodyFault::new(Code::ConflictingFields, "", "recipients and messages exclude each other")),
            (false, _) => {
                self.has_list = true;
                self.desk.source = source;
                Ok(member)
            }
        }
    }

    /// Elements, as many as are whole in this slice. Returns where to go on.
    fn element(&mut self, bytes: &[u8], valid: &str, mut at: usize, sink: &mut Sink<'_>) -> Result<usize, BodyFault> {
        if bytes[at] == b']' {
            if self.state != State::FirstElement {
                return Err(self.malformed(at));
            }
            self.state = State::AfterMember;
            return Ok(at + 1);
        }
        // The common way: read the element where it lies, which also finds its end. Whatever stops that (it is cut off,
        // wrong, or too long) is found again on the careful way, with the same result wherever the cuts are.
        while let Some(text) = valid.get(at..).filter(|text| text.starts_with('{')) {
            let Some(length) = self.desk.try_object(self.desk.entries, text, sink)? else { break };
            at = after_space(bytes, at + length);
            if bytes.get(at) != Some(&b',') {
                self.state = State::AfterElement;
                return Ok(at);
            }
            self.state = State::Element;
            at = after_space(bytes, at + 1);
        }
        if at < bytes.len() && bytes[at] != b']' {
            self.scan = Scan::default();
            self.state = State::InEntry(Target::Element);
        }
        Ok(at)
    }

    /// The careful way: looks for the end of the entry, keeping what came if it is not in this slice.
    fn more_of_entry(&mut self, target: Target, bytes: &[u8], at: usize, sink: &mut Sink<'_>) -> Result<usize, BodyFault> {
        let limit = self.desk.limits.line_bytes_max;
        let length = match self.scan.run(&bytes[at..]) {
            Ok(Scanned::Ends(length)) => length,
            Ok(Scanned::More) => {
                self.carry.add(&bytes[at..], limit);
                return Ok(bytes.len());
            }
            Err(lost) => return Err(self.lost(target, lost)),
        };
        let whole = self.carry.whole(&bytes[at..at + length], limit);
        match (target, whole) {
            (Target::Element, Some(entry)) => self.desk.object(self.desk.entries, entry, sink)?,
            (Target::Element, None) => self.desk.too_long(self.desk.entries, sink)?,
            (Target::Defaults, Some(entry)) => self.desk.absorb(entry)?,
            (Target::Defaults, None) => {
                return Err(BodyFault::new(Code::LineTooLong, "/defaults", format!("at most {limit} octets")));
            }
        }
        self.carry.clear();
        self.state = if target == Target::Element { State::AfterElement } else { State::AfterMember };
        Ok(at + length)
    }

    fn lost(&self, target: Target, lost: Lost) -> BodyFault {
        let pointer = match target {
            Target::Element => self.desk.source.pointer(self.desk.entries, ""),
            Target::Defaults => String::from("/defaults"),
        };
        match lost {
            Lost::Broken => BodyFault::new(Code::MalformedJson, pointer, "quotes or brackets do not match"),
            Lost::Deep => BodyFault::new(Code::TooDeep, pointer, "at most 16 levels"),
        }
    }

    fn malformed(&self, at: usize) -> BodyFault {
        BodyFault::new(Code::MalformedJson, "", format!("not valid JSON at octet {}", self.before + at as u64))
    }
}

fn after_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn missing_list() -> BodyFault {
    BodyFault::new(Code::MissingRecipients, "", "expected recipients or messages")
}

fn wrong_member(member: Member) -> BodyFault {
    let (pointer, expected) = match member {
        Member::Defaults => ("/defaults", "expected an object"),
        Member::Recipients => ("/recipients", "expected a list of objects"),
        Member::Messages => ("/messages", "expected a list of objects"),
    };
    BodyFault::new(Code::WrongType, pointer, expected)
}

fn unknown(key: &str) -> BodyFault {
    let pointer = if is_param_name(key) && key.len() <= 32 { format!("/{key}") } else { String::new() };
    if Field::of(key).is_some() {
        return BodyFault::new(Code::UnknownField, pointer, "fields of messages belong in defaults or in the entries");
    }
    if is_later(key) || key == "name" {
        return BodyFault::new(Code::UnsupportedField, pointer, not_yet(key));
    }
    match nearest(key, ["defaults", "recipients", "messages"]) {
        Some(meant) => BodyFault::new(Code::UnknownField, pointer, format!("no such field; did you mean `{meant}`?")),
        None => BodyFault::new(Code::UnknownField, pointer, "no such field"),
    }
}
