//! NDJSON: one message object a line. Every line is believed or refused by itself, also one that is too long, not
//! UTF-8 or not JSON: a line end cannot be inside a JSON string, so the next line always begins where it seems to.
//! Empty lines are passed over but counted, so that `line` is what an editor shows, less one.

use memchr::memchr;

use crate::pipeline::accept::desk::{Carry, Desk, Sink, valid_prefix, without_return};
use crate::pipeline::accept::fault::{BodyFault, Code};

/// The state between two slices.
pub(super) struct LineReader {
    desk: Desk,
    carry: Carry,
    /// The number of the line that is being read, from 0.
    line: u32,
}

impl LineReader {
    pub(super) fn new(desk: Desk) -> LineReader {
        LineReader { desk, carry: Carry::default(), line: 0 }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        let valid = valid_prefix(bytes);
        let mut at = 0;
        while let Some(length) = memchr(b'\n', &bytes[at..]) {
            let end = at + length;
            // Most lines: whole, right, and known to be UTF-8.
            let whole = if self.carry.is_empty() { valid.get(at..end) } else { None };
            let is_given = match whole {
                Some(text) => self.desk.try_line(self.line, text.strip_suffix('\r').unwrap_or(text), sink)?,
                None => false,
            };
            if !is_given {
                self.finish_line(&bytes[at..end], sink)?;
            }
            self.line = self.line.saturating_add(1);
            at = end + 1;
        }
        self.carry.add(&bytes[at..], self.kept_max());
        Ok(())
    }

    /// The end of the body is the end of the last line.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        if !self.carry.is_empty() {
            self.finish_line(&[], sink)?;
        }
        if self.desk.entries == 0 {
            return Err(BodyFault::new(Code::EmptyBatch, "", "no entries"));
        }
        Ok(())
    }

    /// The line end may be two octets, of which the first cannot be told from the line yet.
    fn kept_max(&self) -> usize {
        self.desk.limits.line_bytes_max + 1
    }

    fn finish_line(&mut self, tail: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        let kept_max = self.kept_max();
        let line = self.carry.whole(tail, kept_max).map(without_return);
        match line.filter(|line| line.len() <= self.desk.limits.line_bytes_max) {
            None => self.desk.too_long(self.line, sink)?,
            Some(line) if line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) => {}
            Some(line) => self.desk.object(self.line, line, sink)?,
        }
        self.carry.clear();
        Ok(())
    }
}
