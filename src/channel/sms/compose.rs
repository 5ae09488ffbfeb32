//! Text into segments: the one code path that counts, prices, paces and encodes an SMS.

use crate::config;
use crate::message::Encoding;
use crate::wire::gsm::{self, ConcatRef, Segmented, SplitRule};

/// Reusable buffers for composing; one per worker.
#[derive(Debug, Default)]
pub struct Composer {
    segmented: Segmented,
}

/// A composed text, borrowed from the composer.
#[derive(Clone, Copy, Debug)]
pub struct Size<'a> {
    /// How the octets were made.
    pub encoding: Encoding,
    /// All octets, segment after segment.
    pub octets: &'a [u8],
    /// Where each segment ends.
    pub ends: &'a [u32],
    /// The character that forced UCS-2 and its place (in characters), if one did.
    pub forced_by: Option<(char, u32)>,
}

impl Composer {
    /// Encodes and cuts a text; in UCS-2 whatever it holds when `force_ucs2`.
    pub fn compose(&mut self, text: &str, split: config::Split, concat: config::Concat, force_ucs2: bool) -> Size<'_> {
        let rule = match split {
            config::Split::Grapheme => SplitRule::Grapheme,
            config::Split::Codepoint => SplitRule::CodePoint,
        };
        let width = match concat {
            config::Concat::EightBit => ConcatRef::Bits8,
            config::Concat::SixteenBit => ConcatRef::Bits16,
        };
        if force_ucs2 {
            gsm::segment_ucs2(text, rule, width, &mut self.segmented);
        } else {
            gsm::segment(text, rule, width, &mut self.segmented);
        }
        self.size()
    }

    /// What was composed last.
    #[must_use]
    pub fn size(&self) -> Size<'_> {
        Size {
            encoding: match self.segmented.encoding {
                gsm::Encoding::Gsm7 => Encoding::Gsm7,
                gsm::Encoding::Ucs2 => Encoding::Ucs2,
            },
            octets: &self.segmented.octets,
            ends: &self.segmented.ends,
            forced_by: self.segmented.first_ucs2_char,
        }
    }
}
