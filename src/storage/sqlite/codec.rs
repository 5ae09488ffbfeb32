//! The blobs of a slice: a header, a checksum, and a body, compressed where that pays.
//!
//! Layout, little-endian: magic `RF` (2), version (1), kind (1), form (1), zero (1), length of the head (2), raw
//! length of the body (4), CRC-32C (4) over the row's id and everything but itself; then the head, then the body.
//! The id is under the checksum so that a blob that moved to another row is damage too: SQLite checks the pages
//! of its write-ahead log, not those of the file. Not here: what a body means. Reading fails by `None`.

use crate::base::{BatchId, MessageId, Time};
use crate::storage::frame::{FrameHead, Lane};
use crate::storage::port::NewFrame;

const MAGIC: [u8; 2] = *b"RF";
const VERSION: u8 = 1;
const HEADER: usize = 16;
/// What one blob may hold, unpacked: no frame or log row comes near it, so more is damage, not data.
const RAW_BYTES_MAX: usize = 256 << 20;
/// Below this a compressed body is hardly smaller.
const PACK_BYTES_MIN: usize = 256;
/// The quickest level: most of what there is to gain, for 0.1 CPU-seconds per million messages.
const LEVEL: i32 = 1;

/// What a blob holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A frame: its head, then its records.
    Frame = 1,
    /// The events of a commit.
    Log = 2,
    /// The search keys of a commit's frames.
    Keys = 3,
    /// What is known of a sorted run.
    RunHead = 4,
    /// A piece of a sorted run.
    RunChunk = 5,
    /// What a commit says of recipients.
    People = 6,
    /// What counts for caps.
    Spent = 7,
}

/// Makes blobs; keeps the compressor and the buffer for the next one.
pub(super) struct Sealer {
    zstd: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
}

impl Sealer {
    pub(super) fn new() -> Sealer {
        let zstd = zstd::bulk::Compressor::new(LEVEL).expect("the level is a valid one");
        Sealer { zstd, packed: Vec::new() }
    }

    /// One blob. Log rows and frames are compressed; hashes do not compress and are left as they are.
    pub(super) fn seal(&mut self, kind: Kind, id: u64, head: &[u8], raw: &[u8]) -> &[u8] {
        let head_len = u16::try_from(head.len()).expect("a head holds two names, each bounded by the configuration");
        let raw_len = u32::try_from(raw.len()).expect("a group is bounded to some MiB");
        let out = &mut self.packed;
        out.clear();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, kind as u8, 0, 0]);
        out.extend_from_slice(&head_len.to_le_bytes());
        out.extend_from_slice(&raw_len.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(head);
        let body_at = out.len();
        let packs = matches!(kind, Kind::Frame | Kind::Log | Kind::People) && raw.len() >= PACK_BYTES_MIN;
        if packs {
            out.resize(body_at + zstd::zstd_safe::compress_bound(raw.len()), 0);
            match self.zstd.compress_to_buffer(raw, &mut out[body_at..]) {
                Ok(size) if size < raw.len() => {
                    out.truncate(body_at + size);
                    out[4] = 1;
                }
                _ => out.truncate(body_at),
            }
        }
        if out[4] == 0 {
            out.extend_from_slice(raw);
        }
        let crc = checksum(id, out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }
}

fn checksum(id: u64, blob: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&id.to_le_bytes()), &blob[..12]);
    crc32c::crc32c_append(crc, &blob[HEADER..])
}

/// A blob whose checksum is right.
pub(super) struct Sealed<'a> {
    pub(super) head: &'a [u8],
    body: &'a [u8],
    packed: bool,
    raw_len: usize,
}

impl Sealed<'_> {
    /// The body.
    pub(super) fn unpack(&self) -> Option<Vec<u8>> {
        let raw = if self.packed { zstd::bulk::decompress(self.body, self.raw_len).ok()? } else { self.body.to_vec() };
        (raw.len() == self.raw_len).then_some(raw)
    }
}

/// Checks a blob.
pub(super) fn check(kind: Kind, id: u64, blob: &[u8]) -> Option<Sealed<'_>> {
    if blob.len() < HEADER || blob[..2] != MAGIC || blob[2] != VERSION || blob[3] != kind as u8 {
        return None;
    }
    if checksum(id, blob) != le32(&blob[12..16]) {
        return None;
    }
    let head_len = usize::from(u16::from_le_bytes([blob[6], blob[7]]));
    let raw_len = le32(&blob[8..12]) as usize;
    let (head, body) = blob[HEADER..].split_at_checked(head_len)?;
    (raw_len <= RAW_BYTES_MAX).then_some(Sealed { head, body, packed: blob[4] == 1, raw_len })
}

/// Checks a blob and returns its body.
pub(super) fn open(kind: Kind, id: u64, blob: &[u8]) -> Option<Vec<u8>> {
    check(kind, id, blob)?.unpack()
}

/// The checksum of a row that is not a blob: over its fields, each with its length.
pub(super) fn row_crc(fields: &[&[u8]]) -> i64 {
    let crc = fields.iter().fold(0, |crc, field| {
        let crc = crc32c::crc32c_append(crc, &(field.len() as u32).to_le_bytes());
        crc32c::crc32c_append(crc, field)
    });
    i64::from(crc)
}

/// Appends a frame's head in the form that lies in the blob and under the row's checksum.
pub(super) fn write_head(head: &FrameHead, out: &mut Vec<u8>) {
    out.extend_from_slice(&head.first.0.to_le_bytes());
    out.extend_from_slice(&head.count.to_le_bytes());
    out.extend_from_slice(&head.seq.to_le_bytes());
    out.push(head.lane.priority);
    out.push(u8::from(head.batch.is_some()));
    out.extend_from_slice(&head.batch.map_or(0, |b| b.0).to_le_bytes());
    out.extend_from_slice(&head.accepted.0.to_le_bytes());
    out.extend_from_slice(&head.expires.0.to_le_bytes());
    for name in [&head.lane.carrier, &head.lane.account] {
        out.extend_from_slice(&(name.len() as u16).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    // A head that is due at once has the octets it had before there were others: its checksum stays right.
    if head.due != Time(0) || head.why != 0 {
        out.extend_from_slice(&head.due.0.to_le_bytes());
        out.push(head.why);
    }
}

/// Reads what `write_head` wrote.
pub(super) fn read_head(mut bytes: &[u8]) -> Option<FrameHead> {
    let at = &mut bytes;
    let first = MessageId(u64::from_le_bytes(take(at)?));
    let count = u32::from_le_bytes(take(at)?);
    let seq = u64::from_le_bytes(take(at)?);
    let [priority, has_batch] = take(at)?;
    let batch = u64::from_le_bytes(take(at)?);
    let accepted = Time(i64::from_le_bytes(take(at)?));
    let expires = Time(i64::from_le_bytes(take(at)?));
    let carrier = name(at)?;
    let account = name(at)?;
    let lane = Lane { carrier, account, priority };
    let batch = (has_batch == 1).then_some(BatchId(batch));
    let (due, why) = if at.is_empty() { (Time(0), 0) } else { (Time(i64::from_le_bytes(take(at)?)), take::<1>(at)?[0]) };
    at.is_empty().then_some(FrameHead { first, count, seq, lane, batch, accepted, expires, due, why })
}

fn name(at: &mut &[u8]) -> Option<String> {
    let length = usize::from(u16::from_le_bytes(take(at)?));
    let (name, rest) = at.split_at_checked(length)?;
    *at = rest;
    Some(std::str::from_utf8(name).ok()?.to_owned())
}

/// Appends the search keys of a frame: its first id, its count, a flag whether references follow, the recipients. Keys
/// to cancel by and campaigns follow as entries of the same frame without recipients: readers of the first form take them as
/// well.
pub(super) fn write_keys(frame: &NewFrame, out: &mut Vec<u8>) {
    let referenced = frame.references.iter().any(|key| *key != 0);
    out.extend_from_slice(&frame.frame.head.first.0.to_le_bytes());
    out.extend_from_slice(&(frame.recipients.len() as u32).to_le_bytes());
    out.extend_from_slice(&(if referenced { frame.references.len() as u32 } else { 0 }).to_le_bytes());
    let references = if referenced { frame.references.as_slice() } else { &[] };
    for key in frame.recipients.iter().chain(references) {
        out.extend_from_slice(&key.to_le_bytes());
    }
    for keys in [&frame.cancel_keys, &frame.campaigns] {
        if keys.iter().any(|key| *key != 0) {
            out.extend_from_slice(&frame.frame.head.first.0.to_le_bytes());
            out.extend_from_slice(&0u32.to_le_bytes());
            out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
            keys.iter().for_each(|key| out.extend_from_slice(&key.to_le_bytes()));
        }
    }
}

/// Reads what `write_keys` wrote: for each entry its frame's first id, how many messages are counted by it (0 when another
/// entry counts them) and its pairs (key, message).
pub(super) fn read_keys(mut bytes: &[u8], mut each: impl FnMut(u64, usize, Vec<(u64, u64)>)) -> Option<()> {
    let at = &mut bytes;
    while !at.is_empty() {
        let first = u64::from_le_bytes(take(at)?);
        let counts = [u32::from_le_bytes(take(at)?), u32::from_le_bytes(take(at)?)];
        let mut pairs = Vec::with_capacity((counts[0] as usize + counts[1] as usize).min(at.len() / 8));
        for count in counts {
            for ordinal in 0..u64::from(count) {
                let key = u64::from_le_bytes(take(at)?);
                if key != 0 {
                    pairs.push((key, first + ordinal));
                }
            }
        }
        each(first, counts[0] as usize, pairs);
    }
    Some(())
}

/// Files messages of a frame under no key any more; whether any was. `None` when it is not what `write_keys` wrote.
pub(super) fn unfile(bytes: &mut [u8], frame: u64, ordinals: &[u32]) -> Option<bool> {
    let (mut at, mut changed) = (0usize, false);
    while at < bytes.len() {
        let entry = bytes.get(at..at + 16)?;
        let first = u64::from_le_bytes(entry[..8].try_into().ok()?);
        let counts = [le32(&entry[8..12]) as usize, le32(&entry[12..16]) as usize];
        at += 16;
        for count in counts {
            let keys = bytes.get_mut(at..at.checked_add(count.checked_mul(8)?)?)?;
            at += keys.len();
            for ordinal in ordinals.iter().filter(|_| first == frame) {
                if let Some(key) = keys.get_mut(*ordinal as usize * 8..).and_then(|keys| keys.first_chunk_mut::<8>()) {
                    changed |= *key != [0; 8];
                    *key = [0; 8];
                }
            }
        }
    }
    Some(changed)
}

/// Takes a fixed number of octets off the front.
pub(super) fn take<const N: usize>(at: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = at.split_first_chunk::<N>()?;
    *at = rest;
    Some(*taken)
}

fn le32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_any_cut_and_any_other_row_is_refused() {
        let mut sealer = Sealer::new();
        for raw in [b"short".to_vec(), vec![b'a'; 4_000], Vec::new()] {
            let blob = sealer.seal(Kind::Frame, 77, b"head", &raw).to_vec();
            assert_eq!(open(Kind::Frame, 77, &blob), Some(raw));
            assert_eq!(check(Kind::Frame, 77, &blob).map(|blob| blob.head), Some(&b"head"[..]));
            assert!(open(Kind::Frame, 78, &blob).is_none());
            assert!(open(Kind::Log, 77, &blob).is_none());
            for bit in 0..blob.len() * 8 {
                let mut bad = blob.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(open(Kind::Frame, 77, &bad).is_none(), "bit {bit}");
            }
            for cut in 0..blob.len() {
                assert!(open(Kind::Frame, 77, &blob[..cut]).is_none());
            }
        }
    }

    #[test]
    fn long_bodies_are_stored_smaller() {
        assert!(Sealer::new().seal(Kind::Log, 1, b"", &vec![b'x'; 10_000]).len() < 200);
    }

    #[test]
    fn heads_go_both_ways() {
        let lane = Lane { carrier: "north".into(), account: "bank".into(), priority: 2 };
        let (accepted, expires, due) = (Time(-5), Time(9), Time(0));
        let mut head = FrameHead { first: MessageId(1 << 60), count: 7, seq: 9, lane, batch: None, accepted, expires, due, why: 0 };
        for batch in [None, Some(BatchId(0)), Some(BatchId(12))] {
            head.batch = batch;
            (head.due, head.why) = (Time(0), 0);
            let mut at_once = Vec::new();
            write_head(&head, &mut at_once);
            assert_eq!(read_head(&at_once), Some(head.clone()));
            assert!((0..at_once.len()).all(|cut| read_head(&at_once[..cut]).is_none()));
            (head.due, head.why) = (Time(1_764_576_000_000), 13);
            let mut later = Vec::new();
            write_head(&head, &mut later);
            assert_eq!(read_head(&later), Some(head.clone()));
            assert!((0..later.len()).all(|cut| cut == at_once.len() || read_head(&later[..cut]).is_none()));
            assert!(later.starts_with(&at_once));
        }
    }
}
