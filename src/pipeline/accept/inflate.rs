//! Takes the compression off a body, slice by slice, with bounds on what comes out.
//!
//! gzip (RFC 1952): several members end to end are one body, as the RFC says and `bgzip` and `pigz` write them; the
//! checksum and the length of each are checked. zstd (RFC 8878): several frames likewise; windows above 8 MiB are
//! refused (RFC 9659), so memory is bounded whatever a frame announces.

use std::fmt;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use crate::pipeline::accept::fault::{BodyFault, Code};
use crate::pipeline::accept::media::Coding;

/// The ratio is looked at only beyond so much output: short bodies of few words compress very well.
const RATIO_FREE_BYTES: u64 = 1 << 20;
/// Members of one gzip body. `bgzip` makes one for each 64 KiB; empty ones would be work without output.
const MEMBERS_MAX: u32 = 65_536;
/// Window of a zstd frame, as a power of two: 8 MiB.
const WINDOW_LOG_MAX: u32 = 23;
/// Most octets one call makes room for.
const ROOM_MAX: usize = 64 << 10;

/// How much may come out.
#[derive(Clone, Copy, Debug)]
pub struct InflateLimits {
    /// Octets of the whole body.
    pub body_bytes_max: u64,
    /// Octets out for each octet in, once a MiB is out.
    pub ratio_max: u32,
}

impl Default for InflateLimits {
    /// 256 MiB, 100.
    fn default() -> InflateLimits {
        InflateLimits { body_bytes_max: 256 << 20, ratio_max: 100 }
    }
}

/// What one call has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Octets of the input that were taken.
    pub taken: usize,
    /// Whether more may come out of what was taken.
    pub after: After,
}

/// What to do after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// Call again, with the rest of the input (which may be empty) and an emptied buffer.
    Again,
    /// All was taken and all is out: bring the next slice, or `finish`.
    Done,
}

/// A body being decompressed.
pub struct Inflate {
    kind: Kind,
    limits: InflateLimits,
    taken: u64,
    given: u64,
}

enum Kind {
    Identity,
    Gzip(Box<Gzip>),
    Zstd(Zstd),
}

impl Inflate {
    /// A body in this coding.
    ///
    /// # Errors
    /// `internal` when there is no memory for the decoder.
    pub fn new(coding: Coding, limits: InflateLimits) -> Result<Inflate, BodyFault> {
        let kind = match coding {
            Coding::Identity => Kind::Identity,
            Coding::Gzip => Kind::Gzip(Box::new(Gzip::new())),
            Coding::Zstd => Kind::Zstd(Zstd::new()?),
        };
        Ok(Inflate { kind, limits, taken: 0, given: 0 })
    }

    /// Decompresses some of `input` to the end of `out`, at most `budget` octets (1 to 65,536) of it.
    ///
    /// # Errors
    /// Damaged input, or more output than the limits allow.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>, budget: usize) -> Result<Progress, BodyFault> {
        let start = out.len();
        let budget = budget.clamp(1, ROOM_MAX);
        if let Kind::Identity = self.kind {
            let taken = input.len().min(budget);
            out.extend_from_slice(&input[..taken]);
            self.count(taken, taken)?;
            return Ok(Progress { taken, after: if taken == input.len() { After::Done } else { After::Again } });
        }
        out.resize(start + budget, 0);
        let (mut taken, mut given) = (0, 0);
        let result = loop {
            let room = &mut out[start + given..];
            let step = match &mut self.kind {
                Kind::Identity => Ok((0, 0)),
                Kind::Gzip(gzip) => gzip.step(&input[taken..], room),
                Kind::Zstd(zstd) => zstd.step(&input[taken..], room),
            };
            match step {
                Ok((0, 0)) => break Ok(()),
                Ok((more_in, more_out)) => {
                    taken += more_in;
                    given += more_out;
                    if let Err(fault) = self.count(more_in, more_out) {
                        break Err(fault);
                    }
                }
                Err(fault) => break Err(fault),
            }
            if given == budget {
                break Ok(());
            }
        };
        out.truncate(start + given);
        result.map(|()| Progress { taken, after: if given == budget || taken < input.len() { After::Again } else { After::Done } })
    }

    /// The body has come to its end, as its framing says.
    ///
    /// # Errors
    /// `truncated_body` when the compressed stream goes on.
    pub fn finish(&self) -> Result<(), BodyFault> {
        let is_whole = match &self.kind {
            Kind::Identity => true,
            Kind::Gzip(gzip) => gzip.members > 0 && gzip.part == Part::Header && gzip.head_len == 0,
            Kind::Zstd(zstd) => self.taken > 0 && zstd.is_between_frames,
        };
        if is_whole { Ok(()) } else { Err(BodyFault::new(Code::TruncatedBody, "", "the compressed body is not whole")) }
    }

    /// Octets that came out so far.
    #[must_use]
    pub const fn given(&self) -> u64 {
        self.given
    }

    fn count(&mut self, taken: usize, given: usize) -> Result<(), BodyFault> {
        self.taken += taken as u64;
        self.given += given as u64;
        if self.given > self.limits.body_bytes_max {
            return Err(BodyFault::new(Code::PayloadTooLarge, "", format!("at most {} octets decompressed", self.limits.body_bytes_max)));
        }
        if self.given > RATIO_FREE_BYTES && self.given > self.taken.saturating_mul(u64::from(self.limits.ratio_max)) {
            return Err(BodyFault::new(Code::DecompressionLimit, "", format!("at most {} to 1", self.limits.ratio_max)));
        }
        Ok(())
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate").field("taken", &self.taken).field("given", &self.given).finish_non_exhaustive()
    }
}

fn damaged(detail: &'static str) -> BodyFault {
    BodyFault::new(Code::BadCompression, "", detail)
}

/// Where in a member the next octet belongs (RFC 1952 clause 2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The first ten octets.
    Header,
    /// The two octets of the length of the extra field.
    ExtraLength,
    /// So many octets of the extra field.
    Extra(u16),
    /// The file name, until its NUL.
    Name,
    /// The comment, until its NUL.
    Comment,
    /// The two octets of the header's checksum.
    HeaderCrc,
    /// The data.
    Data,
    /// Checksum and length, eight octets.
    Trailer,
}

struct Gzip {
    inner: Decompress,
    crc: Crc,
    part: Part,
    /// The octets of a part of fixed length that came so far.
    head: [u8; 10],
    head_len: usize,
    flags: u8,
    members: u32,
}

impl Gzip {
    fn new() -> Gzip {
        Gzip { inner: Decompress::new(false), crc: Crc::new(), part: Part::Header, head: [0; 10], head_len: 0, flags: 0, members: 0 }
    }

    /// Takes some input, gives some output; (0, 0) when it can do neither.
    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<(usize, usize), BodyFault> {
        if self.part == Part::Data {
            let (before_in, before_out) = (self.inner.total_in(), self.inner.total_out());
            let status = self.inner.decompress(input, room, FlushDecompress::None).map_err(|_| damaged("damaged deflate data"))?;
            let taken = (self.inner.total_in() - before_in) as usize;
            let given = (self.inner.total_out() - before_out) as usize;
            self.crc.update(&room[..given]);
            if status == Status::StreamEnd {
                self.part = Part::Trailer;
                // The end of the data may be known without a further octet: go on to the trailer by its own step.
                if (taken, given) == (0, 0) {
                    return self.step(input, room);
                }
            }
            return Ok((taken, given));
        }
        let mut taken = 0;
        while let (Some(byte), true) = (input.get(taken), self.part != Part::Data) {
            taken += 1;
            self.framing(*byte)?;
        }
        Ok((taken, 0))
    }

    /// An octet that is not data.
    fn framing(&mut self, byte: u8) -> Result<(), BodyFault> {
        let length = match self.part {
            Part::Header => 10,
            Part::Trailer => 8,
            Part::ExtraLength | Part::HeaderCrc => 2,
            Part::Extra(left) => {
                self.part = if left > 1 { Part::Extra(left - 1) } else { self.after_extra() };
                return Ok(());
            }
            Part::Name | Part::Comment if byte != 0 => return Ok(()),
            Part::Name => {
                self.part = self.after_name();
                return Ok(());
            }
            Part::Comment => {
                self.part = self.after_comment();
                return Ok(());
            }
            Part::Data => return Ok(()),
        };
        self.head[self.head_len] = byte;
        self.head_len += 1;
        if self.head_len == 2 && self.part == Part::Header && self.head[..2] != [0x1F, 0x8B] {
            return Err(damaged("not gzip"));
        }
        if self.head_len < length {
            return Ok(());
        }
        self.head_len = 0;
        match self.part {
            Part::Header => return self.member(),
            Part::ExtraLength => {
                let length = u16::from_le_bytes([self.head[0], self.head[1]]);
                self.part = if length > 0 { Part::Extra(length) } else { self.after_extra() };
            }
            Part::Trailer => {
                let word = |at: usize| u32::from_le_bytes([self.head[at], self.head[at + 1], self.head[at + 2], self.head[at + 3]]);
                if word(0) != self.crc.sum() || word(4) != self.crc.amount() {
                    return Err(damaged("the checksum is wrong"));
                }
                self.part = Part::Header;
            }
            _ => self.part = Part::Data,
        }
        Ok(())
    }

    /// The header of a member is whole.
    fn member(&mut self) -> Result<(), BodyFault> {
        self.flags = self.head[3];
        if self.head[2] != 8 || self.flags & 0xE0 != 0 {
            return Err(damaged("a kind of gzip that is not known"));
        }
        if self.members == MEMBERS_MAX {
            return Err(BodyFault::new(Code::DecompressionLimit, "", format!("at most {MEMBERS_MAX} members")));
        }
        if self.members > 0 {
            self.inner.reset(false);
            self.crc.reset();
        }
        self.members += 1;
        self.part = if self.flags & 4 != 0 { Part::ExtraLength } else { self.after_extra() };
        Ok(())
    }

    fn after_extra(&self) -> Part {
        if self.flags & 8 != 0 { Part::Name } else { self.after_name() }
    }

    fn after_name(&self) -> Part {
        if self.flags & 16 != 0 { Part::Comment } else { self.after_comment() }
    }

    /// The checksum of the header (flag 2) is passed over: that of the data is what counts.
    fn after_comment(&self) -> Part {
        if self.flags & 2 != 0 { Part::HeaderCrc } else { Part::Data }
    }
}

struct Zstd {
    inner: Decoder<'static>,
    is_between_frames: bool,
}

impl Zstd {
    fn new() -> Result<Zstd, BodyFault> {
        let internal = |_| BodyFault::new(Code::Internal, "", "no decoder");
        let mut inner = Decoder::new().map_err(internal)?;
        inner.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(internal)?;
        Ok(Zstd { inner, is_between_frames: true })
    }

    /// Takes some input, gives some output; (0, 0) when it can do neither.
    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<(usize, usize), BodyFault> {
        // Between frames the decoder would call itself done again and again; it has nothing left to give.
        if input.is_empty() && self.is_between_frames {
            return Ok((0, 0));
        }
        let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(room));
        let hint = self.inner.run(&mut from, &mut to).map_err(|_| damaged("damaged zstd data, or a window above 8 MiB"))?;
        let (taken, given) = (from.pos(), to.pos());
        if (taken, given) != (0, 0) {
            self.is_between_frames = hint == 0;
        }
        Ok((taken, given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).expect("to memory");
        encoder.finish().expect("to memory")
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(data, 3).expect("to memory")
    }

    /// Decompresses, cut and budgeted as said.
    fn run(coding: Coding, data: &[u8], limits: InflateLimits, cut: usize, budget: usize) -> Result<Vec<u8>, Code> {
        let mut inflate = Inflate::new(coding, limits).expect("memory");
        let (mut all, mut out) = (Vec::new(), Vec::new());
        for mut slice in data.chunks(cut.max(1)) {
            loop {
                out.clear();
                let progress = inflate.feed(slice, &mut out, budget).map_err(|fault| fault.code)?;
                assert!(out.len() <= budget && out.capacity() <= 2 * ROOM_MAX);
                all.extend_from_slice(&out);
                slice = &slice[progress.taken..];
                if progress.after == After::Done {
                    assert!(slice.is_empty());
                    break;
                }
            }
        }
        inflate.finish().map_err(|fault| fault.code)?;
        Ok(all)
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_out_wherever_it_is_cut(
            data in prop::collection::vec(0u8..4, 0..3_000), cut in 1usize..500, budget in 1usize..700,
        ) {
            let limits = InflateLimits::default();
            for (coding, bytes) in [(Coding::Gzip, gzip(&data)), (Coding::Zstd, zstd(&data)), (Coding::Identity, data.clone())] {
                prop_assert_eq!(run(coding, &bytes, limits, cut, budget), Ok(data.clone()), "{:?}", coding);
                // Two of them end to end are one body.
                let twice = [&bytes[..], &bytes[..]].concat();
                prop_assert_eq!(run(coding, &twice, limits, cut, budget), Ok([&data[..], &data[..]].concat()), "{:?}", coding);
            }
        }

        #[test]
        fn a_stream_cut_short_is_told_from_a_whole_one(data in prop::collection::vec(any::<u8>(), 1..300), at in any::<prop::sample::Index>()) {
            for (coding, bytes) in [(Coding::Gzip, gzip(&data)), (Coding::Zstd, zstd(&data))] {
                let cut = &bytes[..at.index(bytes.len())];
                prop_assert_eq!(run(coding, cut, InflateLimits::default(), 7, 64), Err(Code::TruncatedBody), "{:?}", coding);
            }
        }

        #[test]
        fn damage_never_panics_and_is_never_taken_for_the_whole(
            data in prop::collection::vec(any::<u8>(), 1..300), at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let mut bytes = gzip(&data);
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            // Time, level and system (octets 4 to 9) mean nothing; everywhere else damage shows, or changes nothing.
            if let Ok(out) = run(Coding::Gzip, &bytes, InflateLimits::default(), 50, 64) {
                prop_assert_eq!(out, data.clone());
            }
            let mut bytes = zstd(&data);
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            let _ = run(Coding::Zstd, &bytes, InflateLimits::default(), 50, 64);
        }

        #[test]
        fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            for start in [&[][..], &[0x1F, 0x8B, 8, 0x1E, 0, 0, 0, 0, 0, 3], &[0x28, 0xB5, 0x2F, 0xFD]] {
                let bytes = [start, &noise].concat();
                let _ = run(Coding::Gzip, &bytes, InflateLimits::default(), 11, 64);
                let _ = run(Coding::Zstd, &bytes, InflateLimits::default(), 11, 64);
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_by_its_ratio_and_by_the_size_of_the_body() {
        let bomb = vec![b' '; 64 << 20];
        for (coding, bytes) in [(Coding::Gzip, gzip(&bomb)), (Coding::Zstd, zstd(&bomb))] {
            assert!(bytes.len() < 100_000);
            assert_eq!(run(coding, &bytes, InflateLimits::default(), 16_384, ROOM_MAX), Err(Code::DecompressionLimit));
            let limits = InflateLimits { body_bytes_max: 10 << 20, ratio_max: u32::MAX };
            assert_eq!(run(coding, &bytes, limits, 16_384, ROOM_MAX), Err(Code::PayloadTooLarge));
            let limits = InflateLimits { body_bytes_max: 64 << 20, ratio_max: u32::MAX };
            assert_eq!(run(coding, &bytes, limits, 16_384, ROOM_MAX).map(|out| out.len()), Ok(64 << 20));
        }
    }

    #[test]
    fn a_megabyte_may_be_of_one_word() {
        let data = vec![b'a'; 1 << 20];
        assert_eq!(run(Coding::Gzip, &gzip(&data), InflateLimits::default(), 999, ROOM_MAX).map(|out| out.len()), Ok(1 << 20));
    }

    #[test]
    fn a_gzip_header_may_hold_a_name_a_comment_and_more() {
        let plain = gzip(b"hello");
        let mut full = plain[..10].to_vec();
        full[3] = 0x1E;
        full.extend_from_slice(b"\x03\x00abcname\x00comment\x00\x12\x34");
        full.extend_from_slice(&plain[10..]);
        for cut in 1..full.len() {
            assert_eq!(run(Coding::Gzip, &full, InflateLimits::default(), cut, 64), Ok(b"hello".to_vec()));
        }
    }

    #[test]
    fn empty_members_without_end_are_stopped() {
        let many = gzip(b"").repeat(MEMBERS_MAX as usize + 1);
        assert_eq!(run(Coding::Gzip, &many, InflateLimits::default(), 1 << 20, ROOM_MAX), Err(Code::DecompressionLimit));
    }

    #[test]
    fn a_second_layer_stays_on_and_other_formats_are_not_gzip() {
        let twice = gzip(&gzip(b"hello"));
        assert_eq!(run(Coding::Gzip, &twice, InflateLimits::default(), 9, 64), Ok(gzip(b"hello")));
        assert_eq!(run(Coding::Gzip, b"{\"to\":1}", InflateLimits::default(), 9, 64), Err(Code::BadCompression));
        assert_eq!(run(Coding::Zstd, b"{\"to\":1}", InflateLimits::default(), 9, 64), Err(Code::BadCompression));
        assert_eq!(run(Coding::Gzip, &[&gzip(b"x")[..], b"rest"].concat(), InflateLimits::default(), 9, 64), Err(Code::BadCompression));
        assert_eq!(run(Coding::Gzip, b"", InflateLimits::default(), 9, 64), Err(Code::TruncatedBody));
        assert_eq!(run(Coding::Zstd, b"", InflateLimits::default(), 9, 64), Err(Code::TruncatedBody));
    }

    #[test]
    fn a_zstd_window_above_eight_mebibytes_is_refused_before_it_is_allocated() {
        // Frame header: no single segment, no checksum; window descriptor exponent 20 (1 GiB).
        let frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 20 << 3, 0x01, 0x00, 0x00];
        assert_eq!(run(Coding::Zstd, &frame, InflateLimits::default(), 9, 64), Err(Code::BadCompression));
        let small = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 10 << 3, 0x01, 0x00, 0x00];
        assert_eq!(run(Coding::Zstd, &small, InflateLimits::default(), 9, 64), Ok(Vec::new()));
    }
}
