//! What bounds how often a recipient hears from an account, and the numbers under which sends are remembered. Data and
//! arithmetic only; keys are in the journal, so they are the same in every version and on every machine.

use crate::base::{Msisdn, Span, Time};
use crate::message::content::{Channel, Class};
use crate::storage::{Spent, SpentLike};
use sha2::{Digest, Sha256};

/// Milliseconds of a minute: sends are remembered by the minute.
const MINUTE_MS: i64 = 60_000;

/// The kind of rows that are not sends of a class and channel but contents, for the guard against repeats.
pub(super) const REPEAT: u8 = 63;

/// Kinds of sends there are, [`kind`] being below; after them come refusals by their channel.
const SENDS: usize = Class::ALL.len() * Channel::ALL.len();

/// Kinds there are, [`kind`] and [`refusal`] being below.
pub(super) const KINDS: usize = SENDS + Channel::ALL.len();
const _: () = assert!(KINDS <= u16::BITS as usize);

/// At most so many in so long, over some classes and channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// How many; at least one.
    pub count: u32,
    /// Minutes in which; at least one.
    pub minutes: u32,
    /// Which it binds: bit n is [`kind`] n.
    pub kinds: u16,
    /// What it counts: bit n is [`kind`] n or [`refusal`] n.
    pub counts: u16,
}

impl Limit {
    /// At most `count` in `period`, rounded up to minutes.
    #[must_use]
    pub fn new(count: u32, period: Span, kinds: u16) -> Limit {
        Limit { count: count.max(1), minutes: minutes(period).max(1), kinds, counts: kinds }
    }

    /// Nothing of these kinds for `period` after a refusal over one of these channels.
    #[must_use]
    pub fn silence(period: Span, kinds: u16, channels: &[Channel]) -> Limit {
        let counts = channels.iter().fold(0, |all, channel| all | 1 << refusal(*channel));
        Limit { counts, ..Limit::new(1, period, kinds) }
    }

    /// Whether it binds messages of a kind.
    pub(super) const fn binds(&self, kind: u8) -> bool {
        self.kinds >> kind & 1 == 1
    }

    /// Whether it counts what is remembered as of a kind.
    pub(super) const fn counts(&self, kind: u8) -> bool {
        (kind as usize) < KINDS && self.counts >> kind & 1 == 1
    }
}

/// Class and channel in one number, 0 to 11.
#[must_use]
pub const fn kind(class: Class, channel: Channel) -> u8 {
    class.priority() * Channel::ALL.len() as u8 + channel as u8
}

/// What a recipient who refused over a channel is remembered as, 12 to 14.
pub(super) const fn refusal(channel: Channel) -> u8 {
    SENDS as u8 + channel as u8
}

/// The refusals that bear on sends of a kind; refusals bear on themselves.
pub(super) const fn bars(kind: u8) -> u8 {
    if (kind as usize) < SENDS { SENDS as u8 + kind % Channel::ALL.len() as u8 } else { kind }
}

/// The kinds of these classes over these channels.
#[must_use]
pub fn kinds(classes: &[Class], channels: &[Channel]) -> u16 {
    classes.iter().flat_map(|class| channels.iter().map(|channel| 1u16 << kind(*class, *channel))).fold(0, |all, one| all | one)
}

/// Whole minutes of a span, rounded up.
#[must_use]
pub fn minutes(span: Span) -> u32 {
    u32::try_from(span.as_millis().div_ceil(60_000)).unwrap_or(u32::MAX >> 6)
}

/// The minute an instant lies in, and the one by which it is over: a send is remembered by the latter, so that no cap
/// opens early.
pub(super) fn minute(now: Time) -> (u32, u32) {
    let floor = now.0.max(0).div_euclid(MINUTE_MS);
    let ceiling = if now.0 > floor * MINUTE_MS { floor + 1 } else { floor };
    // 26 bits beside the kind: until 2097.
    let fits = |minute: i64| u32::try_from(minute).unwrap_or(u32::MAX).min((1 << 26) - 1);
    (fits(floor), fits(ceiling))
}

/// The instant at which a minute begins.
pub(super) fn instant(minute: u32) -> Time {
    Time(i64::from(minute) * MINUTE_MS)
}

/// Minute and kind in one number.
pub(super) const fn stamp(minute: u32, kind: u8) -> u32 {
    minute << 6 | kind as u32
}

/// The inverse of `stamp`.
pub(super) const fn unstamp(stamp: u32) -> (u32, u8) {
    (stamp >> 6, (stamp & 63) as u8)
}

/// What the keys of an account begin with.
pub(super) fn account_key(account: &str) -> u64 {
    // FNV-1a: names are short.
    account.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// An account's recipient.
pub(super) fn recipient_key(account: u64, to: Msisdn) -> u64 {
    mixed(account ^ to.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A content, with an account's recipient: it lies in the same stripe.
pub(super) fn repeat_key(recipient: u64, content: u64) -> u64 {
    mixed(recipient ^ content) & !STRIPES_MASK | recipient & STRIPES_MASK
}

/// What the rows of an account's recipient are like: those of sends, by their key; and those of contents, whose key says only
/// of which stripe the recipient is, with all others of that stripe. For erasures.
#[must_use]
pub fn rows_of(account: &str, to: Msisdn) -> [SpentLike; 2] {
    let key = recipient_key(account_key(account), to);
    [
        SpentLike { row: Spent { key, stamp: 0 }, key_mask: u64::MAX, stamp_mask: 0 },
        SpentLike { row: Spent { key, stamp: stamp(0, REPEAT) }, key_mask: STRIPES_MASK, stamp_mask: 63 },
    ]
}

pub(super) const STRIPES: usize = 64;
const STRIPES_MASK: u64 = STRIPES as u64 - 1;

/// Where a key lies.
pub(super) const fn stripe(key: u64) -> usize {
    (key & STRIPES_MASK) as usize
}

/// The finisher of `MurmurHash3`: every bit of the result depends on every bit given.
const fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The hash of a composed content by which a repeat is known; never 0. Nobody can make a text that is taken for one of
/// another account's, as it is a part of a SHA-256.
#[must_use]
pub fn content_key(encoding: u32, header: &[u8], octets: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(encoding.to_le_bytes());
    hash.update((header.len() as u64).to_le_bytes());
    hash.update(header);
    hash.update(octets);
    let whole = hash.finalize();
    let (first, _) = whole.split_at(8);
    first.iter().fold(0u64, |key, byte| key << 8 | u64::from(*byte)).max(1)
}
