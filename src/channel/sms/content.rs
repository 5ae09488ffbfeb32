//! Octets of a short message from a carrier to text: whatever alphabet, header, parameter or national table it says or
//! means. Nothing fails: octets that are no text in their alphabet become U+FFFD, a header that makes no sense is passed
//! over, as TS 23.040 wants it.

use std::borrow::Cow;

use crate::config::Alphabet;
use crate::wire::gsm::national::{self, Language, Tables};
use crate::wire::gsm::udh::{Concat, ConcatRef, Udh};
use crate::wire::gsm::{septet, ucs2};
use crate::wire::smpp::tlv::{Tlvs, tag};

/// How octets are read, as one number: what parts of one text must share to be joined before they are decoded.
/// Bits 0-7 data_coding, 8-11 the locking table, 12-15 the single shift table, 16-31 the port they are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coding(pub u32);

impl Coding {
    fn new(data_coding: u8, tables: Tables, port: u16) -> Coding {
        let id = |language: Option<Language>| u32::from(language.map_or(0, Language::id));
        Coding(u32::from(data_coding) | id(tables.locking) << 8 | id(tables.single) << 12 | u32::from(port) << 16)
    }

    fn data_coding(self) -> u8 {
        self.0 as u8
    }

    fn tables(self) -> Tables {
        let language = |shift: u32| Language::of_id((self.0 >> shift & 15) as u8);
        Tables { locking: language(8), single: language(12) }
    }

    /// The application it is for; 0 for a person.
    #[must_use]
    pub fn port(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

/// What one deliver_sm holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content<'a> {
    /// Which part of which text it is; `None` when it stands for itself.
    pub part: Option<Concat>,
    /// How the octets are read.
    pub coding: Coding,
    /// Without header, a septet an octet.
    pub octets: Cow<'a, [u8]>,
}

/// Takes the content of a deliver_sm apart. `has_header`: whether a user data header comes first. A header says more
/// than parameters: SAR counts only where no header does.
#[must_use]
pub fn read<'a>(octets: &'a [u8], data_coding: u8, has_header: bool, tlvs: &Tlvs<'_>, default: Alphabet) -> Content<'a> {
    let split = if has_header { Udh::split(octets) } else { None };
    let (header, text) = split.map_or((None, octets), |(header, text)| (Some(header), text));
    let tables = header.map_or(Tables::DEFAULT, Tables::read);
    let port = header.map_or(0, port_of);
    let part = header.and_then(Udh::concat).or_else(|| sar(tlvs)).filter(|part| part.total > 1);
    let octets = match charset(data_coding, default) {
        Charset::Gsm if default == Alphabet::Gsm7Packed => Cow::Owned(unpacked(text, octets.len() - text.len())),
        _ => Cow::Borrowed(text),
    };
    Content { part, coding: Coding::new(data_coding, tables, port), octets }
}

/// Appends octets that were read, of one part or of several joined, as text.
pub fn decode(octets: &[u8], coding: Coding, default: Alphabet, out: &mut String) {
    out.reserve(octets.len());
    match charset(coding.data_coding(), default) {
        Charset::Ucs2 => ucs2::decode(octets, out),
        Charset::Gsm => national::decode(octets, coding.tables(), out),
        Charset::Latin1 => out.extend(octets.iter().map(|octet| char::from(*octet))),
        Charset::Ascii => out.extend(octets.iter().map(|octet| if *octet < 0x80 { char::from(*octet) } else { '\u{FFFD}' })),
        Charset::Binary => out.extend(octets.iter().flat_map(|octet| {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            [digit(octet >> 4), digit(octet & 15)]
        })),
    }
}

/// The application a header addresses (TS 23.040 clauses 9.2.3.24.3 and 9.2.3.24.4); 0 for none.
fn port_of(header: Udh<'_>) -> u16 {
    let port = |(id, data): (u8, &[u8])| match (id, data) {
        (0x04, &[destination, _]) => Some(u16::from(destination)),
        (0x05, &[high, low, _, _]) => Some(u16::from_be_bytes([high, low])),
        _ => None,
    };
    header.elements().filter_map(|element| port((element.id, element.data))).last().unwrap_or(0)
}

/// The part that the SAR parameters name. Their reference has two octets, so it is a wide one.
fn sar(tlvs: &Tlvs<'_>) -> Option<Concat> {
    let octet = |tag| tlvs.number(tag).and_then(|number| u8::try_from(number).ok());
    let (total, sequence) = (octet(tag::SAR_TOTAL_SEGMENTS)?, octet(tag::SAR_SEGMENT_SEQNUM)?);
    let reference = tlvs.number(tag::SAR_MSG_REF_NUM).and_then(|number| u16::try_from(number).ok())?;
    (sequence >= 1 && sequence <= total).then_some(Concat { width: ConcatRef::Bits16, reference, total, sequence })
}

/// Septets behind a header of so many octets. Nobody tells how many there are: seven bits of nothing at the end are
/// taken for fill, not for an `@`, which texts seldom end with.
fn unpacked(packed: &[u8], header_octets: usize) -> Vec<u8> {
    let mut septets = Vec::with_capacity(packed.len() * 8 / 7);
    septet::unpack(packed, header_octets, usize::MAX, &mut septets);
    let is_full = septet::fill_bits(header_octets) + septets.len() * 7 == packed.len() * 8;
    if is_full && septets.last() == Some(&0) {
        septets.pop();
    }
    septets
}

enum Charset {
    Gsm,
    Latin1,
    Ascii,
    Ucs2,
    Binary,
}

/// data_coding, masked by group before the charset is chosen.
fn charset(data_coding: u8, default: Alphabet) -> Charset {
    let by_default = match default {
        Alphabet::Gsm7 | Alphabet::Gsm7Packed => Charset::Gsm,
        Alphabet::Latin1 => Charset::Latin1,
        Alphabet::Ascii => Charset::Ascii,
    };
    match data_coding {
        0x00 => by_default,
        0x01 => Charset::Ascii,
        0x03 => Charset::Latin1,
        0x02 | 0x04 => Charset::Binary,
        0x08 => Charset::Ucs2,
        // GSM general data coding group: bits 3-2 say the alphabet (3GPP TS 23.038 clause 4).
        0x10..=0x3F => match data_coding >> 2 & 3 {
            0 => Charset::Gsm,
            2 => Charset::Ucs2,
            _ => Charset::Binary,
        },
        0xE0..=0xEF => Charset::Ucs2,
        0xC0..=0xDF => Charset::Gsm,
        0xF0..=0xFF if data_coding & 4 == 0 => Charset::Gsm,
        0xF0..=0xFF => Charset::Binary,
        _ => by_default,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn text_of(octets: &[u8], data_coding: u8, has_header: bool, default: Alphabet) -> String {
        let content = read(octets, data_coding, has_header, &Tlvs::EMPTY, default);
        let mut text = String::new();
        decode(&content.octets, content.coding, default, &mut text);
        text
    }

    fn vectors(text: &str) -> Vec<Value> {
        let Value::Array(cases) = serde_json::from_str::<Value>(text).expect("JSON")["cases"].take() else { panic!("no cases") };
        cases
    }

    #[test]
    fn the_alphabet_is_what_the_coding_says_or_the_carrier_means() {
        assert_eq!(text_of(b"\x00A", 0, false, Alphabet::Gsm7), "@A");
        assert_eq!(text_of(b"\xe9", 0, false, Alphabet::Latin1), "é");
        assert_eq!(text_of(b"\x00\xe9", 8, false, Alphabet::Gsm7), "é");
        assert_eq!(text_of(b"\x00\xe9", 0x18, false, Alphabet::Gsm7), "é");
        assert_eq!(text_of(b"\x01\xff", 4, false, Alphabet::Gsm7), "01ff");
        assert_eq!(text_of(b"\x05\x00\x03\x01\x02\x01hi", 0, true, Alphabet::Gsm7), "hi");
    }

    #[test]
    fn every_vector_that_comes_in_packed_or_with_national_tables_is_read() {
        let mut read = 0;
        for case in vectors(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/encodings.json"))) {
            let Some(packed) = case["hex"]["gsm_packed"].as_str() else { continue };
            let text = case["text"].as_str().expect("text");
            // The two things seven-bit octets cannot tell: an `@` that fills the last octet; and FF is shown as it is.
            if !text.ends_with('@') {
                assert_eq!(text_of(&hex::decode(packed).expect("hex"), 0, false, Alphabet::Gsm7Packed), text, "{}", case["id"]);
                read += 1;
            }
        }
        for case in vectors(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/national_shift.json"))) {
            for mode in ["single", "locking", "both"] {
                let mode = &case["modes"][mode];
                let (Some(header), Some(septets)) = (mode["udh_hex"].as_str(), mode["gsm_unpacked_hex"].as_str()) else { continue };
                if mode["segments"] != 1 {
                    continue;
                }
                let octets = hex::decode(format!("{header}{septets}")).expect("hex");
                assert_eq!(text_of(&octets, 0, true, Alphabet::Gsm7), case["text"].as_str().expect("text"), "{}", case["id"]);
                read += 1;
            }
        }
        assert!(read > 200, "{read}");
    }

    #[test]
    fn parts_are_named_by_headers_of_both_widths_or_else_by_parameters() {
        let part = |octets: &[u8], tlvs: &[u8]| {
            let tlvs = Tlvs::from_octets(tlvs).expect("parameters");
            read(octets, 0, !octets.is_empty(), &tlvs, Alphabet::Gsm7).part
        };
        let sar = b"\x02\x0c\0\x02\xbe\xef\x02\x0e\0\x01\x03\x02\x0f\0\x01\x02";
        let narrow = Concat { width: ConcatRef::Bits8, reference: 1, total: 2, sequence: 1 };
        assert_eq!(part(b"\x05\0\x03\x01\x02\x01hi", &[]), Some(narrow));
        assert_eq!(part(b"\x05\0\x03\x01\x02\x01hi", sar), Some(narrow), "a header says more");
        let wide = Concat { width: ConcatRef::Bits16, reference: 0xBEEF, total: 3, sequence: 2 };
        assert_eq!(part(b"\x06\x08\x04\xbe\xef\x03\x02hi", &[]), Some(wide));
        assert_eq!(part(b"", sar), Some(wide));
        assert_eq!(part(b"\x05\0\x03\x01\x01\x01hi", &[]), None, "one part is no part");
        assert_eq!(part(b"", b"\x02\x0c\0\x02\0\x01\x02\x0e\0\x01\x02\x02\x0f\0\x01\x03"), None, "place beyond the total");
    }

    #[test]
    fn ports_of_both_widths_are_told() {
        let port = |octets: &[u8]| read(octets, 4, true, &Tlvs::EMPTY, Alphabet::Gsm7).coding.port();
        assert_eq!((port(b"\x04\x04\x02\xf0\xf1x"), port(b"\x06\x05\x04\x23\xf0\x23\xf1x"), port(b"\x03\x24\x01\x01x")), (0xF0, 9_200, 0));
    }

    proptest! {
        #[test]
        fn any_octets_become_some_text(octets in prop::collection::vec(any::<u8>(), 0..300), data_coding: u8, has_header: bool, packed: bool) {
            let default = if packed { Alphabet::Gsm7Packed } else { Alphabet::Latin1 };
            prop_assert!(text_of(&octets, data_coding, has_header, default).chars().count() <= octets.len() * 2);
        }
    }
}
