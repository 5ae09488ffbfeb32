//! Where the requests of a connection begin and end (RFC 9112), read strictly before anything else reads them.
//!
//! The octets of a connection come in, in any cuts; a fault comes out at the first octet about which two readers of
//! HTTP may disagree: a line end without CR, a CR without LF, a folded header, a length beside a transfer coding, two
//! lengths, a length that is not plain digits, a coding other than `chunked`, a chunk without plain hexadecimal size,
//! no host or two. A proxy and we must never see two different requests in one stream, so there is no recovery: after a
//! fault the stream says nothing more. What names and values may hold, and how long heads may be, is left to the parser
//! behind. Memory is one line at most; nothing is copied while lines come whole.

use memchr::memchr2;

/// Digits of a Content-Length that are read: more is beyond any body.
const LENGTH_DIGITS: usize = 18;
/// Digits of the size of a chunk.
const SIZE_DIGITS: usize = 15;
/// The longest line between chunks: a size and an extension.
const CHUNK_LINE_MAX: usize = 256;
/// Lines behind the last chunk.
const TRAILERS_MAX: usize = 64;

/// Where the octet at fault lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a head: nobody has acted on the request.
    Head,
    /// In a body: the request is being served.
    Body,
}

/// What two readers might read in two ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ambiguous {
    /// The first octet of the slice just fed that is at fault.
    pub at: usize,
    /// Where that is.
    pub place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before a request, or in its first line.
    Start,
    Headers,
    /// Octets of a body still to come.
    Body(u64),
    Size,
    /// Octets of a chunk still to come.
    Chunk(u64),
    ChunkEnd,
    Trailers(usize),
    Broken(Place),
}

/// What the headers so far say of the request.
#[derive(Clone, Copy, Default, Debug)]
struct Head {
    length: Option<u64>,
    is_chunked: bool,
    /// Any other version than HTTP/1.1: chunks and Host are none of its words.
    is_other: bool,
    hosts: u8,
}

/// The reader of one connection.
#[derive(Debug)]
pub struct Boundaries {
    state: State,
    head: Head,
    /// The beginning of a line whose end has not come, at most `line_max` octets of it.
    line: Vec<u8>,
    line_max: usize,
    is_cut_short: bool,
    /// The last octet was a CR.
    after_cr: bool,
}

impl Boundaries {
    /// A connection that begins. Longer lines of a head than `line_max` octets are a fault where they end.
    #[must_use]
    pub fn new(line_max: usize) -> Boundaries {
        Boundaries { state: State::Start, head: Head::default(), line: Vec::new(), line_max, is_cut_short: false, after_cr: false }
    }

    /// Takes the next octets.
    ///
    /// # Errors
    /// At the first octet that is ambiguous; after it, every call fails at its first octet.
    pub fn feed(&mut self, octets: &[u8]) -> Result<(), Ambiguous> {
        let mut at = 0;
        while at < octets.len() {
            at += match self.state {
                State::Broken(place) => return Err(Ambiguous { at, place }),
                State::Body(left) => self.skip(left, octets.len() - at, State::Body, State::Start),
                State::Chunk(left) => self.skip(left, octets.len() - at, State::Chunk, State::ChunkEnd),
                State::Start | State::Headers | State::Size | State::ChunkEnd | State::Trailers(_) => match self.piece(&octets[at..]) {
                    Ok(taken) => taken,
                    Err(fault) => {
                        let place = if matches!(self.state, State::Start | State::Headers) { Place::Head } else { Place::Body };
                        self.state = State::Broken(place);
                        self.line = Vec::new();
                        return Err(Ambiguous { at: at + fault, place });
                    }
                },
            };
        }
        Ok(())
    }

    /// Passes over octets that mean nothing here.
    fn skip(&mut self, left: u64, there: usize, more: fn(u64) -> State, then: State) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(there);
        let left = left - taken as u64;
        self.state = if left == 0 { then } else { more(left) };
        taken
    }

    /// Takes a line, or the beginning of one; how much that was. `Err`: the offset of the octet at fault.
    fn piece(&mut self, octets: &[u8]) -> Result<usize, usize> {
        if self.after_cr {
            self.after_cr = false;
            if octets[0] != b'\n' {
                return Err(0);
            }
            let line = std::mem::take(&mut self.line);
            let taken = self.whole(&line);
            self.line = line;
            self.line.clear();
            return taken.map(|()| 1).map_err(|()| 0);
        }
        match memchr2(b'\r', b'\n', octets) {
            None => {
                self.keep(octets)?;
                Ok(octets.len())
            }
            Some(end) if octets[end] == b'\n' => Err(end),
            Some(end) if octets.get(end + 1) == Some(&b'\n') && self.line.is_empty() && !self.is_cut_short => {
                self.whole(&octets[..end]).map(|()| end + 2).map_err(|()| end + 1)
            }
            Some(end) => {
                self.keep(&octets[..end])?;
                self.after_cr = true;
                Ok(end + 1)
            }
        }
    }

    /// Keeps the beginning of a line.
    fn keep(&mut self, octets: &[u8]) -> Result<(), usize> {
        let room = self.line_max.saturating_sub(self.line.len());
        self.line.extend_from_slice(&octets[..octets.len().min(room)]);
        self.is_cut_short |= octets.len() > room;
        let is_head = matches!(self.state, State::Start | State::Headers);
        // An endless line of a head is the parser's to refuse; between chunks nobody counts.
        if !is_head && (self.is_cut_short || self.line.len() > CHUNK_LINE_MAX) { Err(0) } else { Ok(()) }
    }

    /// A line without its end.
    fn whole(&mut self, line: &[u8]) -> Result<(), ()> {
        if std::mem::take(&mut self.is_cut_short) {
            return Err(());
        }
        self.state = match self.state {
            // RFC 9112 §2.2: empty lines before a request are ignored.
            State::Start if line.is_empty() => State::Start,
            State::Start => {
                self.head = Head { is_other: !line.ends_with(b" HTTP/1.1"), ..Head::default() };
                State::Headers
            }
            State::Headers if line.is_empty() => self.head.end()?,
            State::Headers => {
                self.head.header(line)?;
                State::Headers
            }
            State::Size => match size(line)? {
                0 => State::Trailers(0),
                size => State::Chunk(size),
            },
            State::ChunkEnd if line.is_empty() => State::Size,
            State::Trailers(_) if line.is_empty() => State::Start,
            State::Trailers(lines) if lines < TRAILERS_MAX => {
                // A trailer may not change where anything ends (RFC 9110 §6.5.1).
                let mut none = Head::default();
                none.header(line)?;
                if none.length.is_some() || none.is_chunked || none.hosts > 0 {
                    return Err(());
                }
                State::Trailers(lines + 1)
            }
            State::ChunkEnd | State::Trailers(_) | State::Body(_) | State::Chunk(_) | State::Broken(_) => return Err(()),
        };
        Ok(())
    }
}

impl Head {
    /// Reads a header line for what it says of the request's end.
    fn header(&mut self, line: &[u8]) -> Result<(), ()> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(());
        }
        // What is no header at all is the parser's to refuse.
        let Some(colon) = memchr::memchr(b':', line) else { return Ok(()) };
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        if name.eq_ignore_ascii_case(b"content-length") {
            let is_plain = (1..=LENGTH_DIGITS + 2).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().filter(|_| is_plain).and_then(|digits| digits.parse().ok());
            if self.is_chunked || self.length.is_some() || length.is_none() {
                return Err(());
            }
            self.length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || self.length.is_some() || self.is_other || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(());
            }
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            if self.hosts > 1 {
                return Err(());
            }
        }
        Ok(())
    }

    /// What follows the head.
    fn end(&self) -> Result<State, ()> {
        match (self.is_chunked, self.length) {
            // RFC 9112 §3.2.
            _ if self.hosts == 0 && !self.is_other => Err(()),
            (true, _) => Ok(State::Size),
            (false, Some(length)) if length > 0 => Ok(State::Body(length)),
            (false, _) => Ok(State::Start),
        }
    }
}

/// Optional white space (RFC 9110 §5.6.3) off both ends: nothing but spaces and tabs.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The size of a chunk; extensions are passed over.
fn size(line: &[u8]) -> Result<u64, ()> {
    let digits = &line[..memchr::memchr(b';', line).unwrap_or(line.len())];
    let is_plain = (1..=SIZE_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit) && line.len() <= CHUNK_LINE_MAX;
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_plain).ok_or(())?;
    u64::from_str_radix(digits, 16).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

    /// Where a stream breaks, whole and in every cut.
    fn broken(octets: &[u8]) -> Option<(usize, Place)> {
        let whole = Boundaries::new(200).feed(octets).err().map(|fault| (fault.at, fault.place));
        for cut in [1, 2, 3, 7] {
            let mut reader = Boundaries::new(200);
            let (mut before, mut found) = (0, None);
            for piece in octets.chunks(cut) {
                if let Err(fault) = reader.feed(piece) {
                    found = Some((before + fault.at, fault.place));
                    break;
                }
                before += piece.len();
            }
            assert_eq!(found.is_some(), whole.is_some(), "cut by {cut}: {:?}", String::from_utf8_lossy(octets));
            assert_eq!(found.map(|found| found.1), whole.map(|whole| whole.1));
        }
        whole
    }

    #[test]
    fn plain_requests_follow_each_other_without_a_fault() {
        for body in [
            "\r\n",
            "Content-Length: 0\r\n\r\n",
            "content-length:5 \r\n\r\n12\r\n5",
            "Content-Length:\t 00005\r\n\r\n\n\n\n\n\n",
            "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n5\r\n\r\n\r\nx\r\nA;name=\"v\"\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n",
        ] {
            let request = format!("{HEAD}{body}");
            assert_eq!(broken(format!("\r\n{request}{request}GET /livez HTTP/1.0\r\n\r\n{request}").as_bytes()), None, "{body:?}");
        }
    }

    #[test]
    fn what_two_readers_may_read_in_two_ways_breaks_the_stream_in_its_head() {
        for rest in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "Content-Length: 5, 5\r\n\r\n",
            "Content-Length: +5\r\n\r\n",
            "Content-Length: -5\r\n\r\n",
            "Content-Length: 0x5\r\n\r\n",
            "Content-Length: 5 5\r\n\r\n",
            "Content-Length:\r\n\r\n",
            "Content-Length: \x0b5\r\n\r\n",
            "Content-Length: 999999999999999999999\r\n\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding: gzip, chunked\r\n\r\n",
            "Transfer-Encoding: chunked, identity\r\n\r\n",
            "Transfer-Encoding: xchunked\r\n\r\n",
            "Transfer-Encoding: \x0bchunked\r\n\r\n",
            "Transfer-Encoding: chunked;q=1\r\n\r\n",
            "Transfer-Encoding:\r\n\r\n",
            "X: a\r\n Content-Length: 5\r\n\r\n",
            "X: a\r\n\tb\r\n\r\n",
            "X: a\nContent-Length: 5\r\n\r\n",
            "X: a\rContent-Length: 5\r\n\r\n",
            "X: a\r\n\nGET / HTTP/1.1\r\n\r\n",
            "Host: b\r\n\r\n",
        ] {
            let place = broken(format!("{HEAD}{rest}").as_bytes()).map(|(_, place)| place);
            assert_eq!(place, Some(Place::Head), "{rest:?}");
        }
        for whole in [
            "GET / HTTP/1.1\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(broken(whole.as_bytes()).map(|(_, place)| place), Some(Place::Head), "{whole:?}");
        }
    }

    #[test]
    fn chunks_that_two_readers_may_cut_in_two_ways_break_the_stream_in_its_body() {
        let long = format!("5;{}\r\n12345\r\n0\r\n\r\n", "x".repeat(300));
        for body in [
            "5\n12345\r\n0\r\n\r\n",
            "5\r12345\r\n0\r\n\r\n",
            "5 \r\n12345\r\n0\r\n\r\n",
            " 5\r\n12345\r\n0\r\n\r\n",
            "0x5\r\n12345\r\n0\r\n\r\n",
            "+5\r\n12345\r\n0\r\n\r\n",
            "-1\r\n12345\r\n0\r\n\r\n",
            "\r\n12345\r\n0\r\n\r\n",
            "zz\r\n12345\r\n0\r\n\r\n",
            "fffffffffffffffff\r\n12345\r\n0\r\n\r\n",
            "10000000000000005\r\n12345\r\n0\r\n\r\n",
            "5;a\nb\r\n12345\r\n0\r\n\r\n",
            "5;a\rb\r\n12345\r\n0\r\n\r\n",
            "5\r\n123456\r\n0\r\n\r\n",
            "5\r\n12345\n0\r\n\r\n",
            "5\r\n1234\r\n0\r\n\r\n",
            "0\r\nx: a\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nContent-Length: 5\r\n\r\n",
            "0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "0\r\n\n",
            &long,
        ] {
            let place = broken(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{body}").as_bytes()).map(|(_, place)| place);
            assert_eq!(place, Some(Place::Body), "{body:?}");
        }
    }

    #[test]
    fn a_broken_stream_stays_broken_and_keeps_nothing() {
        let mut reader = Boundaries::new(200);
        assert_eq!(reader.feed(b"GET / HTTP/1.1\n"), Err(Ambiguous { at: 14, place: Place::Head }));
        assert_eq!(reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Err(Ambiguous { at: 0, place: Place::Head }));
        assert_eq!(reader.line.capacity(), 0);
    }

    proptest! {
        #[test]
        fn any_octets_are_judged_alike_however_they_are_cut(
            tokens in prop::collection::vec(prop::sample::select(vec![
                "GET / HTTP/1.1", "\r\n", "\r", "\n", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked", "\r\n\r\n", "3", "abc", "0", " ", ";",
            ]), 0..30),
            cuts in prop::collection::vec(1usize..9, 1..5),
        ) {
            let octets = tokens.concat().into_bytes();
            let whole = Boundaries::new(4_096).feed(&octets).is_ok();
            let (mut reader, mut at, mut is_right) = (Boundaries::new(4_096), 0, true);
            for cut in cuts.iter().cycle() {
                if at >= octets.len() || !is_right {
                    break;
                }
                let end = (at + cut).min(octets.len());
                is_right = reader.feed(&octets[at..end]).is_ok();
                at = end;
            }
            prop_assert_eq!(is_right, whole);
            prop_assert!(reader.line.len() <= 4_096);
        }
    }
}
