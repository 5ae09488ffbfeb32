//! CSV (RFC 4180): the header names the columns, each row is a message. Columns named like message fields are those
//! fields, all others are parameters of the text. The delimiter is the first of comma, semicolon and tab in the header.
//!
//! Quoting is strict: a quote opens a cell at its very beginning and is followed, once closed, by a delimiter or a line
//! end. A row that breaks this is refused up to its next line end, so that one forgotten quote cannot turn the texts of
//! other rows into rows. An empty cell of a field says nothing (defaults hold); of a parameter, it is the empty text.

use memchr::{memchr, memchr2};

use crate::pipeline::accept::desk::{Carry, Desk, Sink, utf8, valid_prefix, without_return};
use crate::pipeline::accept::draft::{Piece, Store, Stores};
use crate::pipeline::accept::fault::{BodyFault, Code, Refusal};
use crate::pipeline::accept::fields::{Field, KEYS_MAX, is_later, is_param_name, not_yet};

/// Where in a row the last octet was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Place {
    /// At the beginning of a cell.
    #[default]
    Start,
    /// In a cell without quotes.
    Bare,
    /// In quotes.
    Quoted,
    /// After a quote in quotes: the end of the cell, or the first half of a doubled quote.
    Closing,
    /// After the carriage return that follows a quoted cell.
    Return,
    /// After a mistake; until the line end.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Field(Field),
    Param(Piece),
}

/// The state between two slices.
pub(super) struct RowReader {
    desk: Desk,
    carry: Carry,
    place: Place,
    is_broken: bool,
    delimiter: u8,
    /// `None` until the header is read.
    columns: Option<Vec<Column>>,
    /// The names of the parameters, one after the other.
    names: String,
}

impl RowReader {
    pub(super) fn new(desk: Desk) -> RowReader {
        RowReader {
            desk,
            carry: Carry::default(),
            place: Place::Start,
            is_broken: false,
            delimiter: b',',
            columns: None,
            names: String::new(),
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        let valid = valid_prefix(bytes);
        let mut at = 0;
        while let Some(end) = self.row_end(bytes, at) {
            if self.carry.is_empty() {
                self.row(&bytes[at..end], valid.get(at..end), sink)?;
            } else {
                let mut carry = std::mem::take(&mut self.carry);
                self.carried_row(&mut carry, &bytes[at..end], sink)?;
                self.carry = carry;
            }
            at = end + 1;
        }
        self.carry.add(&bytes[at..], self.kept_max());
        Ok(())
    }

    /// The end of the body is the end of the last row, unless it is inside quotes.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        if self.place == Place::Quoted {
            return Err(BodyFault::new(Code::TruncatedBody, "", format!("a quoted cell of row {} is not closed", self.desk.entries)));
        }
        if !self.carry.is_empty() {
            self.is_broken = self.place == Place::Broken;
            let mut carry = std::mem::take(&mut self.carry);
            self.carried_row(&mut carry, &[], sink)?;
        }
        if self.columns.is_none() {
            return Err(BodyFault::new(Code::BadCsvHeader, "", "no header"));
        }
        if self.desk.entries == 0 {
            return Err(BodyFault::new(Code::EmptyBatch, "", "no entries"));
        }
        Ok(())
    }

    /// The line end may be two octets, of which the first cannot be told from the row yet.
    fn kept_max(&self) -> usize {
        self.desk.limits.line_bytes_max + 1
    }

    fn carried_row(&mut self, carry: &mut Carry, tail: &[u8], sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        match carry.whole(tail, self.kept_max()) {
            Some(row) => self.row(row, None, sink)?,
            None => self.too_long(sink)?,
        }
        carry.clear();
        Ok(())
    }

    /// The line end of the row that goes on at `at`, if it is in this slice.
    fn row_end(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        // Most rows: no quote before the line end.
        if self.place == Place::Start && self.columns.is_some() {
            match memchr2(b'\n', b'"', &bytes[at..]) {
                Some(length) if bytes[at + length] == b'\n' => {
                    self.is_broken = false;
                    return Some(at + length);
                }
                Some(_) => {}
                None => {
                    if bytes.last().is_some_and(|last| *last != self.delimiter) && at < bytes.len() {
                        self.place = Place::Bare;
                    }
                    return None;
                }
            }
        }
        while at < bytes.len() {
            let byte = bytes[at];
            let is_delimiter = byte == self.delimiter || (self.columns.is_none() && matches!(byte, b',' | b';' | b'\t'));
            self.place = match (self.place, byte) {
                (Place::Quoted, _) => {
                    at += memchr(b'"', &bytes[at..])?;
                    Place::Closing
                }
                (_, b'\n') => {
                    self.is_broken = self.place == Place::Broken;
                    self.place = Place::Start;
                    return Some(at);
                }
                (Place::Broken, _) => {
                    at += memchr(b'\n', &bytes[at..])?;
                    continue;
                }
                (Place::Start | Place::Closing, b'"') => Place::Quoted,
                (Place::Start | Place::Bare | Place::Closing, _) if is_delimiter => Place::Start,
                (Place::Bare, b'"') => Place::Broken,
                (Place::Start | Place::Bare, _) => Place::Bare,
                (Place::Closing, b'\r') => Place::Return,
                (Place::Closing | Place::Return, _) => Place::Broken,
            };
            at += 1;
        }
        None
    }

    /// A whole row; `text` when it is known to be UTF-8.
    fn row(&mut self, bytes: &[u8], text: Option<&str>, sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        let row = without_return(bytes);
        if row.len() > self.desk.limits.line_bytes_max {
            return self.too_long(sink);
        }
        if row.is_empty() {
            return Ok(());
        }
        let refusal = if self.is_broken {
            Refusal::new(Code::MalformedCsv, "", "a quote opens a cell at its beginning and closes it at its end")
        } else if memchr(0, row).is_some() {
            Refusal::new(Code::ControlCharacter, "", "U+0000 is not allowed")
        } else {
            match text.map_or_else(|| utf8(row), |text| Ok(&text[..row.len()])) {
                Ok(text) if self.columns.is_none() => return self.header(text),
                Ok(text) => return self.cells(text, sink),
                Err(refusal) => refusal,
            }
        };
        if self.columns.is_none() {
            return Err(BodyFault::at("", refusal));
        }
        self.desk.admit()?;
        self.desk.refuse(self.desk.entries - 1, refusal, sink);
        Ok(())
    }

    fn too_long(&mut self, sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        if self.columns.is_none() {
            return Err(BodyFault::new(Code::BadCsvHeader, "", format!("at most {} octets", self.desk.limits.line_bytes_max)));
        }
        self.desk.too_long(self.desk.entries, sink)
    }

    /// The names of the columns.
    fn header(&mut self, text: &str) -> Result<(), BodyFault> {
        let bad = |detail: &'static str| Err(BodyFault::new(Code::BadCsvHeader, "", detail));
        let mut in_quotes = false;
        self.delimiter = b',';
        for byte in text.bytes() {
            in_quotes ^= byte == b'"';
            if !in_quotes && matches!(byte, b',' | b';' | b'\t') {
                self.delimiter = byte;
                break;
            }
        }
        let (mut columns, mut fields, mut at) = (Vec::new(), 0, Some(0));
        while let Some(start) = at {
            self.desk.scratch.clear();
            let piece;
            (piece, at) = cell(text, start, self.delimiter, &mut self.desk.scratch);
            let name = Stores { line: text, scratch: &self.desk.scratch, names: "" }.get(piece).trim();
            if columns.len() == KEYS_MAX {
                return bad("at most 64 columns");
            }
            if let Some(field) = Field::of(name).or_else(|| Field::of(&name.to_ascii_lowercase())) {
                if field == Field::Params {
                    return Err(BodyFault::new(Code::UnsupportedField, "/params", "parameters are columns of their own in CSV"));
                }
                if fields & field.bit() != 0 {
                    return bad("a column is named twice");
                }
                fields |= field.bit();
                columns.push(Column::Field(field));
                continue;
            }
            if is_later(name) {
                return Err(BodyFault::new(Code::UnsupportedField, format!("/{name}"), not_yet(name)));
            }
            if !is_param_name(name) {
                return bad("a column is named with a letter or _, then letters, digits, _ . -");
            }
            let names = Stores { names: &self.names, ..Stores::default() };
            if columns.iter().any(|column| matches!(column, Column::Param(other) if names.get(*other) == name)) {
                return bad("a column is named twice");
            }
            let start = self.names.len() as u32;
            self.names.push_str(name);
            columns.push(Column::Param(Piece { store: Store::Names, start, end: self.names.len() as u32 }));
        }
        if fields & Field::To.bit() == 0 {
            return bad("no column is named `to`");
        }
        self.columns = Some(columns);
        Ok(())
    }

    /// A row whose quoting is right.
    fn cells(&mut self, text: &str, sink: &mut Sink<'_>) -> Result<(), BodyFault> {
        let line = self.desk.entries;
        self.desk.admit()?;
        self.desk.values.clear();
        self.desk.scratch.clear();
        match self.fill(text) {
            Ok(()) => self.desk.give(line, Stores { line: text, scratch: &self.desk.scratch, names: &self.names }, sink),
            Err(refusal) => self.desk.refuse(line, refusal, sink),
        }
        Ok(())
    }

    fn fill(&mut self, text: &str) -> Result<(), Refusal> {
        let columns = self.columns.as_deref().unwrap_or_default();
        let Desk { values, scratch, .. } = &mut self.desk;
        let (mut column, mut at) = (columns.iter(), Some(0));
        while let Some(start) = at {
            let piece;
            (piece, at) = cell(text, start, self.delimiter, scratch);
            match column.next() {
                Some(Column::Param(name)) => values.params.push((*name, piece)),
                Some(Column::Field(_)) if piece.start == piece.end => {}
                Some(Column::Field(field)) => {
                    let value = Stores { line: text, scratch, names: "" }.get(piece);
                    values.put_cell(*field, piece, value)?;
                }
                None => return Err(wrong_count(columns.len())),
            }
        }
        if column.len() > 0 { Err(wrong_count(columns.len())) } else { Ok(()) }
    }
}

#[cold]
fn wrong_count(columns: usize) -> Refusal {
    Refusal::new(Code::ColumnCount, "", format!("expected {columns} cells"))
}

/// The cell that begins at `at`, and where the next begins, if there is one. The quoting is known to be right.
fn cell(text: &str, at: usize, delimiter: u8, scratch: &mut String) -> (Piece, Option<usize>) {
    let bytes = text.as_bytes();
    let next = |end: usize| (end < bytes.len()).then_some(end + 1);
    let piece = |store, start: usize, end: usize| Piece { store, start: start as u32, end: end as u32 };
    if bytes.get(at) != Some(&b'"') {
        let end = memchr(delimiter, &bytes[at..]).map_or(bytes.len(), |length| at + length);
        return (piece(Store::Line, at, end), next(end));
    }
    let (start, begin) = (at + 1, scratch.len());
    let mut from = start;
    loop {
        let quote = memchr(b'"', &bytes[from..]).map_or(bytes.len(), |length| from + length);
        if bytes.get(quote + 1) != Some(&b'"') {
            let end = (quote + 1).min(bytes.len());
            if from == start {
                return (piece(Store::Line, start, quote), next(end));
            }
            scratch.push_str(&text[from..quote]);
            return (piece(Store::Scratch, begin, scratch.len()), next(end));
        }
        scratch.push_str(&text[from..=quote]);
        from = quote + 2;
    }
}
