//! Telling damage inside a write-ahead log from a torn end.
//!
//! SQLite stops at the first page of the log whose checksum is wrong and takes the rest for what a crash left
//! unfinished. That is right for the last transaction. Commits beyond it were synced and answered: they are lost,
//! which SQLite does not say, so it is looked for here (INV-4). Format: sqlite.org/fileformat2.html, 4.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const HEADER: u64 = 32;
const PAGE_HEADER: u64 = 24;

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four octets"))
}

/// The log's own checksum, over a multiple of eight octets.
fn checksum(bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let word = |at: usize| {
        let octets = bytes[at..at + 4].try_into().expect("four octets");
        if big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    };
    (0..bytes.len() / 8).fold([0u32, 0], |[a, b], at| {
        let a = a.wrapping_add(word(at * 8)).wrapping_add(b);
        [a, b.wrapping_add(word(at * 8 + 4)).wrapping_add(a)]
    })
}

/// How many committed transactions lie beyond the `valid` pages that SQLite has taken. One may be an unfinished
/// one; `None` when there are fewer than two, or the log cannot be read.
pub(super) fn commits_beyond(log: &Path, valid: u64, page_bytes: u64) -> Option<u64> {
    let mut file = File::open(log).ok()?;
    let size = file.metadata().ok()?.len();
    let pages = size.checked_sub(HEADER)? / (PAGE_HEADER + page_bytes);
    let mut header = [0; HEADER as usize];
    file.read_exact(&mut header).ok()?;
    let sum = checksum(&header[..24], be32(&header, 0) & 1 == 1);
    let header_sound = sum == [be32(&header, 24), be32(&header, 28)];
    let mut salts = [be32(&header, 16), be32(&header, 20)];
    let mut page = [0; PAGE_HEADER as usize];
    let mut commits = 0;
    for place in valid..pages {
        file.seek(SeekFrom::Start(HEADER + place * (PAGE_HEADER + page_bytes))).ok()?;
        file.read_exact(&mut page).ok()?;
        let own = [be32(&page, 8), be32(&page, 12)];
        if place == 0 && !header_sound {
            salts = own;
        }
        // Pages of a round before this one carry other salts.
        if own == salts && be32(&page, 4) != 0 {
            commits += 1;
        }
    }
    (commits > 1).then_some(commits)
}
