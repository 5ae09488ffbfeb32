//! One JSON object, the message, read in place: a parser for this shape alone, without recursion.
//!
//! A general parser would be asked twice (which key was repeated, which half of a surrogate pair was alone) and its
//! answers would be text; this one tells each mistake by code and pointer, and allocates only to tell a mistake. A
//! property test holds it to `serde_json`: what one reads the other reads, with the same strings.
//!
//! The first mistake, from the left, is the one reported.

use crate::pipeline::accept::draft::{Piece, Role, Store, Stores, Values};
use crate::pipeline::accept::fault::{Code, Refusal};
use crate::pipeline::accept::fields::{Field, KEYS_MAX, is_param_name, not_a_field};
use crate::pipeline::accept::form::Ports;

/// Reads the object at the start of `text` into `values`; the octet after its end is returned.
///
/// Strings with escapes are unescaped into `scratch`, which never grows beyond the length of `text`.
pub(super) fn read(text: &str, values: &mut Values, scratch: &mut String, role: Role) -> Result<usize, Refusal> {
    values.clear();
    scratch.clear();
    let mut cursor = Cursor { text, bytes: text.as_bytes(), at: 0 };
    if cursor.peek() != Some(b'{') {
        return Err(cursor.wrong_type(String::new(), "expected an object"));
    }
    cursor.at = 1;
    if cursor.peek_after_space() == Some(b'}') {
        return Ok(cursor.at + 1);
    }
    loop {
        cursor.peek_after_space();
        let key = cursor.string(scratch).map_err(|fault| cursor.bad_string(fault, ""))?;
        cursor.colon()?;
        member(&mut cursor, key, values, scratch, role)?;
        match cursor.peek_after_space() {
            Some(b',') => cursor.at += 1,
            Some(b'}') => return Ok(cursor.at + 1),
            _ => return Err(cursor.malformed()),
        }
    }
}

/// Reads a text that is one string, quotes included.
pub(super) fn string(text: &str, scratch: &mut String) -> Result<Piece, Code> {
    let mut cursor = Cursor { text, bytes: text.as_bytes(), at: 0 };
    cursor.string(scratch).map_err(|fault| match fault {
        StringFault::Malformed => Code::MalformedJson,
        StringFault::LoneSurrogate => Code::InvalidUnicode,
    })
}

/// The value of a field of the message.
fn member(cursor: &mut Cursor<'_>, key: Piece, values: &mut Values, scratch: &mut String, role: Role) -> Result<(), Refusal> {
    let first = cursor.peek_after_space();
    let stores = Stores { line: cursor.text, scratch, ..Stores::default() };
    let Some(field) = Field::of(stores.get(key)) else {
        let refusal = not_a_field(stores.get(key));
        // Clients that write every field they know write `null` for those they do not use.
        return if refusal.code == Code::UnsupportedField && first == Some(b'n') { cursor.literal("null") } else { Err(refusal) };
    };
    values.claim(field, role)?;
    match first {
        Some(b'"') if !field.is_integer() && !field.is_truth() && field != Field::Params && !field.is_wording() => {
            let piece = cursor.string(scratch).map_err(|fault| cursor.bad_string(fault, field.pointer()))?;
            let value = Stores { line: cursor.text, scratch, ..Stores::default() }.get(piece);
            if has_nul(piece, value) {
                return Err(Refusal::new(Code::ControlCharacter, field.pointer(), "U+0000 is not allowed"));
            }
            values.put_text(field, piece, value)
        }
        Some(b'{') if field == Field::Params => params(cursor, values, scratch),
        Some(b'{' | b'[') if field.is_wording() => {
            let piece = cursor.raw()?;
            let value = Stores { line: cursor.text, scratch, ..Stores::default() }.get(piece);
            values.put_text(field, piece, value)
        }
        Some(b'{') if field == Field::Ports => {
            values.options.ports = Some(ports(cursor, scratch)?);
            Ok(())
        }
        Some(b'0'..=b'9' | b'-') if field.is_integer() => {
            let number = cursor.number()?;
            if number.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
                return Err(Refusal::new(Code::WrongType, field.pointer(), field.expected()));
            }
            values.options.set_integer(field, number.parse().ok())
        }
        Some(b't' | b'f') if field.is_truth() => {
            let word = if first == Some(b't') { "true" } else { "false" };
            cursor.literal(word)?;
            values.options.set_word(field, word)
        }
        Some(b'n') => cursor.literal("null"),
        _ => Err(cursor.wrong_type(field.pointer().to_owned(), field.expected())),
    }
}

/// The object of parameters.
fn params(cursor: &mut Cursor<'_>, values: &mut Values, scratch: &mut String) -> Result<(), Refusal> {
    cursor.at += 1;
    if cursor.peek_after_space() == Some(b'}') {
        cursor.at += 1;
        return Ok(());
    }
    loop {
        cursor.peek_after_space();
        let name = cursor.string(scratch).map_err(|fault| cursor.bad_string(fault, "/params"))?;
        cursor.colon()?;
        let first = cursor.peek_after_space();
        {
            let stores = Stores { line: cursor.text, scratch, ..Stores::default() };
            let text = stores.get(name);
            if !is_param_name(text) {
                return Err(Refusal::new(Code::InvalidParamName, "/params", "expected a letter or _, then letters, digits, _ . -"));
            }
            if values.params.iter().any(|(other, _)| stores.get(*other) == text) {
                return Err(Refusal::new(Code::DuplicateField, format!("/params/{text}"), "given twice"));
            }
            if values.params.len() == KEYS_MAX {
                return Err(Refusal::new(Code::TooManyKeys, "/params", "at most 64"));
            }
        }
        let value = param_value(cursor, first, name, scratch)?;
        let stores = Stores { line: cursor.text, scratch, ..Stores::default() };
        if has_nul(value, stores.get(value)) {
            return Err(Refusal::new(Code::ControlCharacter, format!("/params/{}", stores.get(name)), "U+0000 is not allowed"));
        }
        values.params.push((name, value));
        match cursor.peek_after_space() {
            Some(b',') => cursor.at += 1,
            Some(b'}') => {
                cursor.at += 1;
                return Ok(());
            }
            _ => return Err(cursor.malformed()),
        }
    }
}

/// The object of ports: `to` and `from`, each once.
fn ports(cursor: &mut Cursor<'_>, scratch: &mut String) -> Result<Ports, Refusal> {
    let refuse = |code, detail: &'static str| Refusal::new(code, "/ports", detail);
    let (mut to, mut from) = (None, None);
    cursor.at += 1;
    loop {
        cursor.peek_after_space();
        let name = cursor.string(scratch).map_err(|fault| cursor.bad_string(fault, "/ports"))?;
        cursor.colon()?;
        let stores = Stores { line: cursor.text, scratch, ..Stores::default() };
        let slot = match stores.get(name) {
            "to" => &mut to,
            "from" => &mut from,
            _ => return Err(refuse(Code::UnknownField, "expected to and from")),
        };
        if !matches!(cursor.peek_after_space(), Some(b'0'..=b'9' | b'-')) {
            return Err(cursor.wrong_type("/ports".to_owned(), "expected a whole number"));
        }
        let port = cursor.number()?.parse::<u16>().map_err(|_| refuse(Code::OutOfRange, "expected 0 to 65535"))?;
        if slot.replace(port).is_some() {
            return Err(refuse(Code::DuplicateField, "given twice"));
        }
        match cursor.peek_after_space() {
            Some(b',') => cursor.at += 1,
            Some(b'}') => break,
            _ => return Err(cursor.malformed()),
        }
    }
    cursor.at += 1;
    let (Some(to), Some(from)) = (to, from) else { return Err(refuse(Code::InvalidValue, "expected to and from")) };
    Ok(Ports { to, from })
}

/// A value of a parameter: a string, or a number or boolean as it is written.
fn param_value(cursor: &mut Cursor<'_>, first: Option<u8>, name: Piece, scratch: &mut String) -> Result<Piece, Refusal> {
    let start = cursor.at;
    let pointer =
        |cursor: &Cursor<'_>, scratch: &str| format!("/params/{}", Stores { line: cursor.text, scratch, ..Stores::default() }.get(name));
    match first {
        Some(b'"') => return cursor.string(scratch).map_err(|fault| cursor.bad_string_at(fault, || pointer(cursor, scratch))),
        Some(b't') => cursor.literal("true")?,
        Some(b'f') => cursor.literal("false")?,
        Some(b'0'..=b'9' | b'-') => {
            let number = cursor.number()?;
            // 1e999 has no value anywhere; a number of 65 digits is a text that lost its quotes.
            let has_exponent = number.bytes().any(|b| matches!(b, b'e' | b'E'));
            if number.len() > 64 || (has_exponent && !number.parse::<f64>().is_ok_and(f64::is_finite)) {
                return Err(Refusal::new(Code::OutOfRange, pointer(cursor, scratch), "expected a number of at most 64 characters"));
            }
        }
        _ => return Err(cursor.wrong_type(pointer(cursor, scratch), "expected a string, a number or a boolean")),
    }
    Ok(Piece { store: Store::Line, start: start as u32, end: cursor.at as u32 })
}

/// Whether a string has U+0000, which carriers and handsets take for its end. Only an escape can bring it.
fn has_nul(piece: Piece, value: &str) -> bool {
    piece.store == Store::Scratch && value.contains('\0')
}

/// What is wrong with a string.
#[derive(Clone, Copy, Debug)]
enum StringFault {
    /// No string, not closed, a raw control character or an escape JSON does not have.
    Malformed,
    /// Half of a surrogate pair.
    LoneSurrogate,
}

/// A place in a JSON text.
struct Cursor<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes over white space and looks at what follows.
    #[inline]
    fn peek_after_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    #[inline]
    fn colon(&mut self) -> Result<(), Refusal> {
        if self.peek_after_space() != Some(b':') {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(())
    }

    /// A list or an object as it is written.
    fn raw(&mut self) -> Result<Piece, Refusal> {
        let start = self.at;
        let mut values = serde_json::Deserializer::from_str(&self.text[start..]).into_iter::<&serde_json::value::RawValue>();
        if !matches!(values.next(), Some(Ok(_))) {
            return Err(self.malformed());
        }
        self.at += values.byte_offset();
        Ok(Piece { store: Store::Line, start: start as u32, end: self.at as u32 })
    }

    fn literal(&mut self, word: &str) -> Result<(), Refusal> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(())
    }

    /// A string, the cursor at its opening quote. Without escapes it stays where it is.
    #[inline]
    fn string(&mut self, scratch: &mut String) -> Result<Piece, StringFault> {
        if self.peek() != Some(b'"') {
            return Err(StringFault::Malformed);
        }
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Piece { store: Store::Line, start: start as u32, end: end as u32 })
            }
            Some(b'\\') => {
                let (piece, at) = unescape(self.text, start, end, scratch)?;
                self.at = at;
                Ok(piece)
            }
            _ => Err(StringFault::Malformed),
        }
    }

    /// A number by the grammar of RFC 8259 clause 6.
    fn number(&mut self) -> Result<&str, Refusal> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.bytes[self.at - whole] == b'0') {
            return Err(self.malformed());
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.malformed());
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.malformed());
            }
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> usize {
        let count = self.bytes[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    #[cold]
    fn malformed(&self) -> Refusal {
        Refusal::new(Code::MalformedJson, "", format!("not valid JSON at octet {} of the entry", self.at))
    }

    #[cold]
    fn bad_string(&self, fault: StringFault, pointer: &'static str) -> Refusal {
        self.bad_string_at(fault, || pointer.to_owned())
    }

    #[cold]
    fn bad_string_at(&self, fault: StringFault, pointer: impl FnOnce() -> String) -> Refusal {
        match fault {
            StringFault::Malformed => self.malformed(),
            StringFault::LoneSurrogate => Refusal::new(Code::InvalidUnicode, pointer(), "half of a surrogate pair"),
        }
    }

    #[cold]
    fn wrong_type(&self, pointer: String, expected: &str) -> Refusal {
        let found = match self.peek() {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(b'0'..=b'9' | b'-') => "a number",
            _ => return self.malformed(),
        };
        Refusal::new(Code::WrongType, pointer, format!("{expected}, found {found}"))
    }
}

/// The first octet from `at` that is a quote, a backslash or a control character; the length if there is none.
/// Eight octets at a time: strings are most of a body.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks the octets that are 0; beyond the first of them it may mark others too, which nobody looks at.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight octets"));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let marks = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5C)) | control;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Unescapes a string that begins at `start` and whose first backslash is at `at`. Returns the piece in `scratch` and
/// the octet after the closing quote.
fn unescape(text: &str, start: usize, mut at: usize, scratch: &mut String) -> Result<(Piece, usize), StringFault> {
    let bytes = text.as_bytes();
    let begin = scratch.len();
    let mut from = start;
    loop {
        scratch.push_str(&text[from..at]);
        match bytes.get(at) {
            Some(b'"') => {
                let piece = Piece { store: Store::Scratch, start: begin as u32, end: scratch.len() as u32 };
                return Ok((piece, at + 1));
            }
            Some(b'\\') => {}
            _ => return Err(StringFault::Malformed),
        }
        at += 2;
        scratch.push(match bytes.get(at - 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let (character, after) = code_point(bytes, at)?;
                at = after;
                character
            }
            _ => return Err(StringFault::Malformed),
        });
        from = at;
        at = plain_end(bytes, at);
    }
}

/// The character of `\u` escapes whose first four digits begin at `at`, and the octet after them.
fn code_point(bytes: &[u8], at: usize) -> Result<(char, usize), StringFault> {
    let first = hex4(bytes, at).ok_or(StringFault::Malformed)?;
    let (code, after) = match first {
        0xD800..=0xDBFF if bytes.get(at + 4..at + 6) == Some(b"\\u") => {
            let second = hex4(bytes, at + 6).ok_or(StringFault::Malformed)?;
            if !(0xDC00..=0xDFFF).contains(&second) {
                return Err(StringFault::LoneSurrogate);
            }
            (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), at + 10)
        }
        _ => (first, at + 4),
    };
    char::from_u32(code).map(|character| (character, after)).ok_or(StringFault::LoneSurrogate)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |n, b| char::from(*b).to_digit(16).map(|digit| n * 16 + digit))
}
