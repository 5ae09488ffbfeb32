//! Cutting a byte stream into PDUs by their command_length (SMPP 3.4 §3.2).
//!
//! It looks only at the front of a slice and copies nothing. A length outside `16..=limit` breaks the stream for good:
//! no later octet can be trusted to start a PDU (`pdus.json` bad-01 to bad-03). Such a length is refused as soon as
//! its four octets are there, so plain HTTP or a TLS hello on this port ends at once.

/// The octets of a header.
pub const HEADER: usize = 16;
/// The longest PDU accepted before a bind has succeeded, in octets.
pub const LIMIT_UNBOUND: usize = 1_024;
/// The longest PDU accepted once bound, in octets: a message_payload of 64 KiB and the rest.
pub const LIMIT_BOUND: usize = 70_000;

/// The four numbers every PDU begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The whole PDU in octets, header included.
    pub length: u32,
    /// What it is: one of [`command`](super::command), or a number nobody knows.
    pub command: u32,
    /// 0 in requests; in responses a [`Status`](super::status::Status).
    pub status: u32,
    /// Chosen by the requester. Only 1 to 0x7FFFFFFF are legal, but peers use others: always echo, never judge.
    pub sequence: u32,
}

/// What the front of a slice holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framed<'a> {
    /// A whole PDU, header included; the next one starts after it.
    Pdu(Header, &'a [u8]),
    /// Not all of a PDU yet.
    Incomplete {
        /// Octets missing before this can say more: at least 1, below the limit. A hint for reading, not for
        /// allocating: the peer has announced them, not sent them.
        need: usize,
    },
    /// The stream cannot be followed any more: answer generic_nack ESME_RINVCMDLEN and close.
    Broken(BadLength),
}

/// A command_length below a header or above the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadLength {
    /// What the peer announced.
    pub announced: u32,
    /// What to put in the generic_nack: the sequence when a header was there to read, else 0 (SMPP 3.4 §4.3).
    pub sequence: u32,
}

/// Reads the front of `octets`; `limit` is the longest PDU to accept ([`LIMIT_UNBOUND`], [`LIMIT_BOUND`]).
#[must_use]
#[inline]
pub fn read(octets: &[u8], limit: usize) -> Framed<'_> {
    let Some(length) = word(octets, 0) else { return Framed::Incomplete { need: HEADER - octets.len() } };
    let size = length as usize;
    let Some(header) = header(octets) else {
        return if (HEADER..=limit).contains(&size) {
            Framed::Incomplete { need: size - octets.len() }
        } else {
            Framed::Broken(BadLength { announced: length, sequence: 0 })
        };
    };
    if size < HEADER || size > limit {
        // Below 16 the "sequence" lies outside the PDU, so it is not one.
        let sequence = if size < HEADER { 0 } else { header.sequence };
        return Framed::Broken(BadLength { announced: length, sequence });
    }
    match octets.get(..size) {
        Some(pdu) => Framed::Pdu(header, pdu),
        None => Framed::Incomplete { need: size - octets.len() },
    }
}

/// The header at the front of `octets`, if 16 octets are there. The length in it is not checked.
#[must_use]
#[inline]
pub fn header(octets: &[u8]) -> Option<Header> {
    let octets = octets.first_chunk::<HEADER>()?;
    Some(Header { length: word(octets, 0)?, command: word(octets, 4)?, status: word(octets, 8)?, sequence: word(octets, 12)? })
}

#[inline]
fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk::<4>().map(|b| u32::from_be_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pdu(size: usize, sequence: u32) -> Vec<u8> {
        let mut octets = vec![0xAA; size];
        for (at, value) in [(0, size as u32), (4, 0x15), (8, 0), (12, sequence)] {
            octets[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        octets
    }

    #[test]
    fn a_pdu_is_cut_at_its_length_and_the_rest_is_left() {
        let mut octets = pdu(20, 7);
        octets.extend_from_slice(&pdu(16, 8));
        let Framed::Pdu(first, whole) = read(&octets, 100) else { panic!("whole") };
        assert_eq!((first.sequence, whole.len()), (7, 20));
        let Framed::Pdu(second, _) = read(&octets[20..], 100) else { panic!("whole") };
        assert_eq!(second, Header { length: 16, command: 0x15, status: 0, sequence: 8 });
    }

    #[test]
    fn lengths_from_16_to_the_limit_are_read_and_all_others_break_the_stream() {
        for length in [0, 1, 15, 101, 1 << 31, u32::MAX] {
            let mut octets = pdu(16, 9);
            octets[..4].copy_from_slice(&length.to_be_bytes());
            let sequence = if length < 16 { 0 } else { 9 };
            assert_eq!(read(&octets, 100), Framed::Broken(BadLength { announced: length, sequence }));
            // Known to be broken from the fourth octet on.
            assert_eq!(read(&octets[..4], 100), Framed::Broken(BadLength { announced: length, sequence: 0 }));
        }
        assert!(matches!(read(&pdu(16, 1), 100), Framed::Pdu(..)));
        assert!(matches!(read(&pdu(100, 1), 100), Framed::Pdu(..)));
    }

    #[test]
    fn other_protocols_on_the_port_are_refused_at_their_fourth_octet() {
        assert!(matches!(read(b"GET / HTTP/1.1\r\n", LIMIT_UNBOUND), Framed::Broken(_)));
        assert!(matches!(read(&[0x16, 0x03, 0x01, 0x02], LIMIT_UNBOUND), Framed::Broken(_)));
    }

    proptest! {
        #[test]
        fn a_stream_gives_the_same_pdus_however_it_is_cut(
            sizes in prop::collection::vec(16usize..200, 1..12),
            cuts in prop::collection::vec(1usize..50, 1..200),
        ) {
            let stream: Vec<u8> = sizes.iter().enumerate().flat_map(|(n, s)| pdu(*s, n as u32)).collect();
            let (mut held, mut given, mut seen) = (Vec::new(), 0, Vec::new());
            let mut cuts = cuts.into_iter().cycle();
            while given < stream.len() {
                let more = cuts.next().unwrap().min(stream.len() - given);
                held.extend_from_slice(&stream[given..given + more]);
                given += more;
                loop {
                    match read(&held, LIMIT_UNBOUND) {
                        Framed::Pdu(header, whole) => {
                            prop_assert_eq!(header.length as usize, whole.len());
                            seen.push((header.sequence, whole.len()));
                            let whole = whole.len();
                            held.drain(..whole);
                        }
                        Framed::Incomplete { need } => {
                            prop_assert!((1..=LIMIT_UNBOUND).contains(&need));
                            break;
                        }
                        Framed::Broken(_) => prop_assert!(false, "a good stream never breaks"),
                    }
                }
            }
            prop_assert!(held.is_empty());
            prop_assert_eq!(seen, sizes.iter().enumerate().map(|(n, s)| (n as u32, *s)).collect::<Vec<_>>());
        }

        #[test]
        fn any_octets_are_framed_without_panic(octets in prop::collection::vec(any::<u8>(), 0..64), limit in 0usize..100_000) {
            match read(&octets, limit) {
                Framed::Pdu(header, whole) => prop_assert!(whole.len() == header.length as usize && whole.len() <= limit),
                Framed::Incomplete { need } => prop_assert!(need > 0),
                Framed::Broken(bad) => prop_assert!(bad.announced < 16 || bad.announced as usize > limit),
            }
        }
    }
}
