//! Where a JSON value ends, found without understanding it, over any cuts of the input.
//!
//! It tells two kinds of broken JSON apart. Broken *grammar* (a comma missing, `tru`) leaves the extent of the entry
//! certain: the entry is refused, the next is read. Broken *lexis* (quotes or brackets that do not match, a string
//! where none can begin) leaves nothing certain: what was inside a string may now look like entries, and a customer's
//! text could become a message nobody wrote. That is a fault of the whole body.

use memchr::memchr2;

/// Deepest nesting inside an entry.
const DEPTH_MAX: usize = 16;

/// What the octets so far say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scanned {
    /// The value ends before this octet of the slice.
    Ends(usize),
    /// It goes on.
    More,
}

/// Why the end cannot be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    /// The lexis is broken.
    Broken,
    /// Nested too deep.
    Deep,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Before {
    /// A value may begin here: at the start, after `{ [ , :`.
    #[default]
    Open,
    /// A number or a word.
    Scalar,
    /// A string or a bracket was closed: only `, : } ]` may follow.
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Inside {
    #[default]
    Plain,
    Text,
    Escape,
}

/// The state between two slices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// One bit a level, the deepest lowest: 1 for an object.
    kinds: u16,
    depth: usize,
    before: Before,
    inside: Inside,
}

impl Scan {
    /// Goes on with `bytes`; the first octet of the first slice is the first of the value.
    pub(super) fn run(&mut self, bytes: &[u8]) -> Result<Scanned, Lost> {
        let mut at = 0;
        while at < bytes.len() {
            match self.inside {
                Inside::Escape => {
                    self.inside = Inside::Text;
                    at += 1;
                }
                Inside::Text => match memchr2(b'"', b'\\', &bytes[at..]) {
                    None => return Ok(Scanned::More),
                    Some(found) => {
                        at += found + 1;
                        if bytes[at - 1] == b'\\' {
                            self.inside = Inside::Escape;
                            continue;
                        }
                        self.inside = Inside::Plain;
                        self.before = Before::Closed;
                        if self.depth == 0 {
                            return Ok(Scanned::Ends(at));
                        }
                    }
                },
                Inside::Plain => {
                    if let Some(end) = self.plain(bytes[at], at)? {
                        return Ok(Scanned::Ends(end));
                    }
                    at += 1;
                }
            }
        }
        Ok(Scanned::More)
    }

    /// One octet outside strings.
    fn plain(&mut self, byte: u8, at: usize) -> Result<Option<usize>, Lost> {
        match byte {
            b'"' | b'{' | b'[' if self.before != Before::Open => return Err(Lost::Broken),
            b'"' => self.inside = Inside::Text,
            b'{' | b'[' => {
                if self.depth == DEPTH_MAX {
                    return Err(Lost::Deep);
                }
                self.depth += 1;
                self.kinds = (self.kinds << 1) | u16::from(byte == b'{');
            }
            b'}' | b']' => {
                if self.depth == 0 {
                    return self.scalar_end(at);
                }
                if (self.kinds & 1 == 1) != (byte == b'}') {
                    return Err(Lost::Broken);
                }
                self.depth -= 1;
                self.kinds >>= 1;
                self.before = Before::Closed;
                if self.depth == 0 {
                    return Ok(Some(at + 1));
                }
            }
            b',' if self.depth == 0 => return self.scalar_end(at),
            b',' | b':' if self.depth > 0 => self.before = Before::Open,
            b' ' | b'\t' | b'\n' | b'\r' => {
                if self.depth == 0 {
                    return self.scalar_end(at);
                }
            }
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.' if self.before != Before::Closed => self.before = Before::Scalar,
            _ => return Err(Lost::Broken),
        }
        Ok(None)
    }

    /// The end of a number or a word that is the whole value.
    fn scalar_end(&self, at: usize) -> Result<Option<usize>, Lost> {
        if self.before == Before::Scalar { Ok(Some(at)) } else { Err(Lost::Broken) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Scanned, Lost>) {
        assert_eq!(Scan::default().run(text.as_bytes()), expected, "{text}");
        for cut in 0..text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            let mut scan = Scan::default();
            let found = match scan.run(head) {
                Ok(Scanned::More) => match scan.run(tail) {
                    Ok(Scanned::Ends(end)) => Ok(Scanned::Ends(cut + end)),
                    other => other,
                },
                other => other,
            };
            assert_eq!(found, expected, "{text} cut at {cut}");
        }
    }

    #[test]
    fn the_end_is_found_whatever_the_strings_hold() {
        check(r#"{"a":"}]{[\"\\","b":[{}]} ,"#, Ok(Scanned::Ends(25)));
        check(r#"{"a":1,,}x"#, Ok(Scanned::Ends(9)));
        check(r#""a]b","#, Ok(Scanned::Ends(5)));
        check("12.5]", Ok(Scanned::Ends(4)));
        check("null\n", Ok(Scanned::Ends(4)));
        check(r#"{"a":[1,2"#, Ok(Scanned::More));
    }

    #[test]
    fn quotes_and_brackets_that_do_not_match_leave_nothing_certain() {
        for text in [r#"{"a":"he said "hi""}"#, r#"{"a":1]"#, r#"{"a" "b"}"#, r#"{"a":{}{"#, r#"{"a":1"b"}"#, "{é", ",", "}", ":"] {
            check(text, Err(Lost::Broken));
        }
        check(&"[".repeat(17), Err(Lost::Deep));
    }
}
