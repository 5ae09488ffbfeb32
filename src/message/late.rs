//! Texts that are made when they are sent (`docs/adr/0021-late-binding.md`): what a record keeps of one, at which moment it
//! was made, and what came out. Nothing here makes a text.

use crate::base::Time;
use crate::message::content::Encoding;
use crate::message::record::{MessageRecord, Unreadable};
use prost::Message;

/// What a text that is made when it is sent is made from, as it lies in a record. All that decides is in it, so that it
/// is made the same again whatever the configuration has become.
#[derive(Clone, PartialEq, Message)]
pub struct LateText {
    #[prost(string, repeated, tag = "1")]
    pub texts: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub params: Vec<String>,
    #[prost(uint32, tag = "3")]
    pub max_segments: u32,
    #[prost(bool, tag = "4")]
    pub gsm_alone: bool,
    #[prost(bytes = "bytes", tag = "5")]
    pub form: bytes::Bytes,
    #[prost(string, tag = "6")]
    pub zone: String,
}

impl LateText {
    /// Reads what a record keeps.
    ///
    /// # Errors
    /// When it is not what [`LateText::write`] wrote.
    pub fn read(octets: &[u8]) -> Result<LateText, Unreadable> {
        let text = <LateText as Message>::decode(octets).map_err(|_| Unreadable)?;
        let is_sound = !text.texts.is_empty() && text.params.len().is_multiple_of(2) && (1..=64).contains(&text.max_segments);
        if is_sound { Ok(text) } else { Err(Unreadable) }
    }

    /// Puts it into `out`, which is emptied before.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        // A vector takes whatever length.
        out.reserve(self.encoded_len());
        self.encode_raw(out);
    }

    /// Names and values.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.chunks_exact(2).map(|pair| (&*pair[0], &*pair[1]))
    }
}

/// When a text is made, and by which clock it speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The instant.
    pub at: Time,
    /// Seconds by which the recipient's clock is ahead of UTC, at most a day.
    pub offset: i32,
}

/// What came out, as the journal keeps it: enough to make it again, and to know it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rendering {
    /// When it was made.
    pub moment: Moment,
    /// How its octets were made.
    pub encoding: Encoding,
    /// Parts, each with an answer and a receipt of its own: 1 to 64.
    pub count: u8,
    /// Segments, which are what is priced and paced: 1 to 64.
    pub segments: u8,
    /// A checksum of the octets: what does not come out the same is not sent again.
    pub check: u32,
}

impl Rendering {
    /// The record with the sizes of what came out in the place of those at acceptance, and without a text: for those who tell
    /// of a message.
    #[must_use]
    pub fn sizes(&self, record: MessageRecord) -> MessageRecord {
        MessageRecord {
            encoding: self.encoding.number(),
            ends: if self.count > 1 { vec![0; usize::from(self.count)] } else { Vec::new() },
            at_once: if self.segments > self.count { u32::from(self.segments) } else { 0 },
            octets: bytes::Bytes::new(),
            ..record
        }
    }
}
