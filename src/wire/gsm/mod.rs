//! The text of a short message as the mobile network carries it: alphabets, packing, headers, splitting.
//!
//! No carrier, no data_coding and no price here: `segment` answers what a text becomes, its callers what to do with it.
//! Encoding cannot fail (what the GSM alphabet lacks goes as UTF-16); decoding never fails either, it shows U+FFFD.

pub mod alphabet;
pub mod national;
mod national_tables;
pub mod reassembly;
pub mod segment;
pub mod septet;
pub mod substitute;
pub mod transliterate;
pub mod ucs2;
pub mod udh;

pub use segment::{Encoding, Segmented, SplitRule, segment, segment_ucs2};
pub use udh::{Concat, ConcatRef, Udh};
