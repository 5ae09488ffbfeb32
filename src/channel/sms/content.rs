//! Octets of a short message to text: what a carrier sends, in whatever alphabet it says or means.

use crate::config::Alphabet;
use crate::wire::gsm::{alphabet, ucs2, udh};

/// The text of an inbound message. `esm_udhi`: whether a user data header comes first. Octets that are no text in
/// the alphabet become U+FFFD; nothing fails.
#[must_use]
pub fn text_of(octets: &[u8], data_coding: u8, has_header: bool, default: Alphabet) -> String {
    let octets = if has_header { udh::Udh::split(octets).map_or(octets, |(_, text)| text) } else { octets };
    let mut text = String::with_capacity(octets.len());
    match charset(data_coding, default) {
        Charset::Ucs2 => ucs2::decode(octets, &mut text),
        Charset::Gsm => alphabet::decode(octets, &mut text),
        Charset::Latin1 => text.extend(octets.iter().map(|octet| char::from(*octet))),
        Charset::Ascii => text.extend(octets.iter().map(|octet| if *octet < 0x80 { char::from(*octet) } else { '\u{FFFD}' })),
        Charset::Binary => text.extend(octets.iter().flat_map(|octet| {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            [digit(octet >> 4), digit(octet & 15)]
        })),
    }
    text
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
        Alphabet::Gsm7 => Charset::Gsm,
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
    use super::*;

    #[test]
    fn the_alphabet_is_what_the_coding_says_or_the_carrier_means() {
        assert_eq!(text_of(b"\x00A", 0, false, Alphabet::Gsm7), "@A");
        assert_eq!(text_of(b"\xe9", 0, false, Alphabet::Latin1), "é");
        assert_eq!(text_of(b"\x00\xe9", 8, false, Alphabet::Gsm7), "é");
        assert_eq!(text_of(b"\x00\xe9", 0x18, false, Alphabet::Gsm7), "é");
        assert_eq!(text_of(b"\x01\xff", 4, false, Alphabet::Gsm7), "01ff");
        assert_eq!(text_of(b"\x05\x00\x03\x01\x02\x01hi", 0, true, Alphabet::Gsm7), "hi");
    }
}
