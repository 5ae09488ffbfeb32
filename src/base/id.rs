//! Identifiers. A message's id is its place: the id of the frame's first message plus its ordinal in the
//! frame, so an id leads to its frame by binary search and needs no index (`docs/adr/0002-frames.md`).
//!
//! Bits of an id, high to low: 0, 41 of milliseconds since 2025-01-01, 5 of node, 17 of sequence.
//! Ids of one node grow with the order of commits, also over restarts and when the clock goes back.

use crate::base::time::Time;
use std::fmt;
use std::str::FromStr;

/// 2025-01-01T00:00:00Z, the zero of the time in an id; 41 bits reach the year 2094.
const EPOCH_MS: i64 = 1_735_689_600_000;
const SEQUENCE_BITS: u32 = 17;
const NODE_BITS: u32 = 5;

/// Crockford's base 32: no I, L, O, U; sorts as the number does.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A message accepted by this gateway. Shown as `msg_` and 13 base-32 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// A bulk request accepted by this gateway. Shown as `bat_` and 13 base-32 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// Where a message lies: its frame (named by the id of the frame's first message) and its ordinal in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageRef {
    /// The frame.
    pub frame: MessageId,
    /// The place in the frame, from 0.
    pub ordinal: u32,
}

impl MessageRef {
    /// The message's id.
    #[must_use]
    pub const fn id(self) -> MessageId {
        MessageId(self.frame.0 + self.ordinal as u64)
    }
}

/// Deals out ids. One per process, owned by the journal's writer, so that ids grow with commits.
#[derive(Debug)]
pub struct IdSource {
    node: u64,
    /// The least id not yet dealt.
    next: u64,
}

impl IdSource {
    /// `node` is 0 to 31; `after` is the greatest id known from the journal, if any.
    #[must_use]
    pub fn new(node: u8, after: Option<u64>) -> IdSource {
        assert!(node < 1 << NODE_BITS, "node is 0 to 31");
        let mut source = IdSource { node: u64::from(node), next: 0 };
        if let Some(last) = after {
            source.next = source.at_tick((last >> (SEQUENCE_BITS + NODE_BITS)) + 1);
        }
        source
    }

    fn at_tick(&self, tick: u64) -> u64 {
        (tick << (SEQUENCE_BITS + NODE_BITS)) | (self.node << SEQUENCE_BITS)
    }

    /// `count` consecutive ids (1 to 65,536), of which the first is returned.
    pub fn take(&mut self, count: u32, now: Time) -> u64 {
        assert!(count >= 1 && count <= 1 << (SEQUENCE_BITS - 1), "a block is 1 to 65,536 ids");
        let tick = now.0.saturating_sub(EPOCH_MS).max(0) as u64;
        let mut first = self.next.max(self.at_tick(tick));
        let left = (1u64 << SEQUENCE_BITS) - (first & ((1 << SEQUENCE_BITS) - 1));
        if u64::from(count) >= left {
            // A block may not run over into the node's bits: go on in the next millisecond.
            first = self.at_tick((first >> (SEQUENCE_BITS + NODE_BITS)) + 1);
        }
        self.next = first + u64::from(count);
        first
    }
}

/// The instant in an id: when its block was dealt, or up to some milliseconds after.
#[must_use]
pub fn time_of(id: u64) -> Time {
    Time((id >> (SEQUENCE_BITS + NODE_BITS)) as i64 + EPOCH_MS)
}

fn digits(mut n: u64) -> [u8; 13] {
    let mut out = [b'0'; 13];
    for slot in out.iter_mut().rev() {
        *slot = DIGITS[(n & 31) as usize];
        n >>= 5;
    }
    out
}

fn number(text: &str) -> Option<u64> {
    if text.len() != 13 {
        return None;
    }
    let mut n: u128 = 0;
    for byte in text.bytes() {
        let digit = DIGITS.iter().position(|d| *d == byte.to_ascii_uppercase())?;
        n = (n << 5) | digit as u128;
    }
    u64::try_from(n).ok().filter(|n| i64::try_from(*n).is_ok())
}

macro_rules! text_form {
    ($name:ident, $prefix:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&digits(self.0)).expect("base 32 is ASCII"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<$name, ()> {
                text.strip_prefix($prefix).and_then(number).map($name).ok_or(())
            }
        }
        impl $name {
            /// Appends the text form, without the formatting machinery (it is on the path of each answer line).
            pub fn push_to(self, out: &mut Vec<u8>) {
                out.extend_from_slice($prefix.as_bytes());
                out.extend_from_slice(&digits(self.0));
            }
        }
    };
}

text_form!(MessageId, "msg_");
text_form!(BatchId, "bat_");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_goes_both_ways_and_sorts_like_the_number() {
        let (a, b) = (MessageId(1), MessageId(u64::MAX >> 1));
        assert_eq!(a.to_string().parse(), Ok(a));
        assert_eq!(b.to_string().parse(), Ok(b));
        assert!(a.to_string() < b.to_string());
        assert_eq!("msg_ZZZZZZZZZZZZZ".parse::<MessageId>(), Err(()));
        assert_eq!("bat_0000000000001".parse::<MessageId>(), Err(()));
    }

    #[test]
    fn blocks_never_overlap_even_when_the_clock_goes_back_or_the_process_restarts() {
        let mut source = IdSource::new(3, None);
        let mut end = 0;
        for (step, count) in [(0i64, 60_000u32), (0, 60_000), (0, 60_000), (-5_000, 10), (7, 65_536), (7, 1)] {
            let first = source.take(count, Time(1_800_000_000_000 + step));
            assert!(first >= end);
            assert_eq!((first >> SEQUENCE_BITS) & 31, 3);
            assert_eq!(((first + u64::from(count) - 1) >> SEQUENCE_BITS), first >> SEQUENCE_BITS);
            end = first + u64::from(count);
        }
        let mut again = IdSource::new(3, Some(end - 1));
        assert!(again.take(1, Time(0)) >= end);
    }
}
