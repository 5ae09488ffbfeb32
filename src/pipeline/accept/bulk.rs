//! The reader of a bulk body in any format, fed with the slices as they arrive.

use std::fmt;

use crate::pipeline::accept::csv::RowReader;
pub use crate::pipeline::accept::desk::BulkLimits;
use crate::pipeline::accept::desk::{Desk, Sink};
use crate::pipeline::accept::draft::{Defaults, Item};
use crate::pipeline::accept::fault::{BodyFault, Code, Source};
use crate::pipeline::accept::json_stream::BatchReader;
use crate::pipeline::accept::lines::LineReader;
use crate::pipeline::accept::media::Format;

/// The byte order mark some editors put first. RFC 8259 clause 8.1 allows to ignore it.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Reads a body of any length with the memory of one entry. The items are the same wherever the body is cut.
pub struct BulkReader {
    reader: Reader,
    limits: BulkLimits,
    /// Octets so far.
    taken: u64,
    /// How many octets of a byte order mark have passed; its length once that is settled.
    mark: usize,
    /// The first fault; nothing is read after it.
    fault: Option<BodyFault>,
}

enum Reader {
    Batch(BatchReader),
    Lines(LineReader),
    Rows(RowReader),
}

impl BulkReader {
    /// A reader for a body of this format. `defaults` are those given outside the body.
    #[must_use]
    pub fn new(format: Format, defaults: Defaults, limits: BulkLimits) -> BulkReader {
        let desk = |source| Desk::new(limits, defaults, source);
        let reader = match format {
            Format::Json => Reader::Batch(BatchReader::new(desk(Source::Recipients))),
            Format::Ndjson => Reader::Lines(LineReader::new(desk(Source::Lines))),
            Format::Csv => Reader::Rows(RowReader::new(desk(Source::Rows))),
        };
        BulkReader { reader, limits, taken: 0, mark: 0, fault: None }
    }

    /// Takes the next octets and gives `sink` the entries that end in them, in their order.
    ///
    /// # Errors
    /// What is wrong with the body as a whole. Entries given before stay given (see the module). Every later call
    /// returns the same fault.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Item<'_>)) -> Result<(), BodyFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let room = self.limits.body_bytes_max - self.taken;
        let allowed = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        self.taken += allowed.len() as u64;
        let read = self.after_mark(allowed, &mut sink).and_then(|()| {
            if allowed.len() == bytes.len() {
                return Ok(());
            }
            Err(BodyFault::new(Code::PayloadTooLarge, "", format!("at most {} octets", self.limits.body_bytes_max)))
        });
        self.keep(read)
    }

    /// The body has come to its end, as its framing says.
    ///
    /// # Errors
    /// The body is not whole, or empty, or a fault came before.
    pub fn finish(&mut self, mut sink: impl FnMut(Item<'_>)) -> Result<(), BodyFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mark = std::mem::replace(&mut self.mark, BOM.len());
        // The beginning of a mark that was none after all.
        let head = if mark < BOM.len() { self.read(&BOM[..mark], &mut sink) } else { Ok(()) };
        let read = head.and_then(|()| match &mut self.reader {
            Reader::Batch(reader) => reader.finish(),
            Reader::Lines(reader) => reader.finish(&mut sink),
            Reader::Rows(reader) => reader.finish(&mut sink),
        });
        self.keep(read)
    }

    /// Octets taken so far.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    fn keep(&mut self, read: Result<(), BodyFault>) -> Result<(), BodyFault> {
        self.fault = read.as_ref().err().cloned();
        read
    }

    fn after_mark(&mut self, mut bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        while self.mark < BOM.len() {
            let Some(first) = bytes.first() else { return Ok(()) };
            if *first != BOM[self.mark] {
                let head = &BOM[..self.mark];
                self.mark = BOM.len();
                self.read(head, sink)?;
                break;
            }
            self.mark += 1;
            bytes = &bytes[1..];
        }
        self.read(bytes, sink)
    }

    fn read(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        match &mut self.reader {
            Reader::Batch(reader) => reader.feed(bytes, sink),
            Reader::Lines(reader) => reader.feed(bytes, sink),
            Reader::Rows(reader) => reader.feed(bytes, sink),
        }
    }
}

/// Debug shows nothing of the body.
impl fmt::Debug for BulkReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkReader").field("taken", &self.taken).field("fault", &self.fault).finish_non_exhaustive()
    }
}
