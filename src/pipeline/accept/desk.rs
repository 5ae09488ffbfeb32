//! What the readers of all formats share: the limits, the defaults, the reused buffers, and the making of items.

use crate::pipeline::accept::draft::{Defaults, Item, Role, Stores, Values};
use crate::pipeline::accept::fault::{BodyFault, Code, Refusal, Source};
use crate::pipeline::accept::object;

/// Where items go.
pub(super) type Sink<'s> = dyn FnMut(Item<'_>) + 's;

/// How much of a body is believed.
#[derive(Clone, Copy, Debug)]
pub struct BulkLimits {
    /// Octets of the whole body, after decompression.
    pub body_bytes_max: u64,
    /// Octets of one entry, without the line end; also of the defaults and of a CSV header.
    pub line_bytes_max: usize,
    /// Entries, refused ones included.
    pub lines_max: u32,
}

impl Default for BulkLimits {
    /// 256 MiB, 8 KiB, a million.
    fn default() -> BulkLimits {
        BulkLimits { body_bytes_max: 256 << 20, line_bytes_max: 8 << 10, lines_max: 1_000_000 }
    }
}

/// The work table of a reader.
pub(super) struct Desk {
    pub(super) limits: BulkLimits,
    pub(super) defaults: Defaults,
    pub(super) source: Source,
    /// Entries so far, refused ones included.
    pub(super) entries: u32,
    pub(super) values: Values,
    pub(super) scratch: String,
}

impl Desk {
    pub(super) fn new(limits: BulkLimits, defaults: Defaults, source: Source) -> Desk {
        Desk { limits, defaults, source, entries: 0, values: Values::default(), scratch: String::new() }
    }

    /// Counts an entry.
    pub(super) fn admit(&mut self) -> Result<(), BodyFault> {
        if self.entries >= self.limits.lines_max {
            return Err(BodyFault::new(Code::TooManyLines, "", format!("at most {}", self.limits.lines_max)));
        }
        self.entries += 1;
        Ok(())
    }

    /// Reads the object at the start of `text` and gives the draft, if there is nothing wrong with it. The octet after it
    /// is returned. On `None` nothing was given or counted.
    pub(super) fn try_object(&mut self, line: u32, text: &str, sink: &mut Sink<'_>) -> Result<Option<usize>, BodyFault> {
        match object::read(text, &mut self.values, &mut self.scratch, Role::Entry) {
            Ok(end) if end <= self.limits.line_bytes_max => {
                self.admit()?;
                self.give(line, Stores { line: text, scratch: &self.scratch, names: "" }, sink);
                Ok(Some(end))
            }
            _ => Ok(None),
        }
    }

    /// As `try_object`, for a text that is an entry and nothing more.
    pub(super) fn try_line(&mut self, line: u32, text: &str, sink: &mut Sink<'_>) -> Result<bool, BodyFault> {
        if text.len() > self.limits.line_bytes_max {
            return Ok(false);
        }
        match object::read(text, &mut self.values, &mut self.scratch, Role::Entry) {
            Ok(end) if end == text.len() || trim_json(&text[end..]).is_empty() => {
                self.admit()?;
                self.give(line, Stores { line: text, scratch: &self.scratch, names: "" }, sink);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Reads an entry that is exactly `bytes`, white space around it aside, and gives what it is.
    pub(super) fn object(&mut self, line: u32, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        self.admit()?;
        match self.exact(bytes, Role::Entry) {
            Ok(text) => self.give(line, Stores { line: text, scratch: &self.scratch, names: "" }, sink),
            Err(refusal) => self.refuse(line, refusal, sink),
        }
        Ok(())
    }

    /// Reads defaults that are exactly `bytes`.
    pub(super) fn absorb(&mut self, bytes: &[u8]) -> Result<(), BodyFault> {
        let text = self.exact(bytes, Role::Defaults).map_err(|refusal| BodyFault::at("/defaults", refusal))?;
        self.defaults.absorb(&self.values, Stores { line: text, scratch: &self.scratch, names: "" });
        Ok(())
    }

    fn exact<'b>(&mut self, bytes: &'b [u8], role: Role) -> Result<&'b str, Refusal> {
        let text = trim_json(utf8(bytes)?);
        let end = object::read(text, &mut self.values, &mut self.scratch, role)?;
        if end != text.len() {
            return Err(Refusal::new(Code::MalformedJson, "", "there is something after the object"));
        }
        Ok(text)
    }

    /// Gives the draft that `values` are.
    pub(super) fn give(&self, line: u32, stores: Stores<'_>, sink: &mut Sink<'_>) {
        sink(Item::Draft(self.values.draft(line, self.source, stores, &self.defaults)));
    }

    /// Gives a refusal.
    pub(super) fn refuse(&self, line: u32, refusal: Refusal, sink: &mut Sink<'_>) {
        sink(Item::Refused { line, source: self.source, refusal });
    }

    /// Counts and refuses an entry that was too long to be kept.
    pub(super) fn too_long(&mut self, line: u32, sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        self.admit()?;
        self.refuse(line, Refusal::new(Code::LineTooLong, "", format!("at most {} octets", self.limits.line_bytes_max)), sink);
        Ok(())
    }
}

/// A line without the carriage return at its end.
pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A text without JSON's white space around it (RFC 8259 clause 2; ASCII has more).
pub(super) fn trim_json(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// The text of octets.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::new(Code::InvalidUtf8, "", "not UTF-8"))
}

/// As much of a slice as is text: one pass over the whole is cheaper than one for each entry.
pub(super) fn valid_prefix(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(fault) => std::str::from_utf8(&bytes[..fault.valid_up_to()]).expect("valid up to there"),
    }
}

/// The beginning of an entry whose end is in a later slice. Holds at most the limit.
#[derive(Default)]
pub(super) struct Carry {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Carry {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_over
    }

    /// Adds what came; beyond `limit` nothing is kept but that it was too much.
    pub(super) fn add(&mut self, bytes: &[u8], limit: usize) {
        if self.is_over || self.bytes.len() + bytes.len() > limit {
            self.is_over = true;
            self.bytes.clear();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The whole entry, whose last octets are `tail`; `None` if it is longer than `limit`. `clear` comes after.
    pub(super) fn whole<'c>(&'c mut self, tail: &'c [u8], limit: usize) -> Option<&'c [u8]> {
        if self.is_empty() {
            return (tail.len() <= limit).then_some(tail);
        }
        self.add(tail, limit);
        (!self.is_over).then_some(&self.bytes[..])
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.is_over = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_never_takes_more_than_the_limit() {
        let mut carry = Carry::default();
        for _ in 0..1_000 {
            carry.add(&[b'x'; 100], 250);
            assert!(carry.bytes.len() <= 250 && carry.bytes.capacity() <= 500);
        }
        assert!(!carry.is_empty());
        assert_eq!(carry.whole(b"y", 250), None);
        carry.clear();
        carry.add(b"ab", 4);
        assert_eq!(carry.whole(b"cd", 4), Some(&b"abcd"[..]));
    }
}
