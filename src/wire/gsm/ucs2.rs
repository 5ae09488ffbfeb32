//! UTF-16, big end first, which is what everyone sends where the data coding says UCS-2.
//!
//! No byte order mark is written, and none is removed. Neither direction fails: a lone surrogate becomes U+FFFD.

/// Appends `text` as UTF-16BE: two octets a character, four beyond the basic plane.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    // Two octets of UTF-16 per octet of UTF-8 is the most (ASCII): one reservation, then no growth.
    out.reserve(text.len() * 2);
    for c in text.chars() {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            out.extend_from_slice(&unit.to_be_bytes());
        }
    }
}

/// Appends the text of UTF-16BE octets. A surrogate without its other half becomes U+FFFD, an odd last octet is dropped.
pub fn decode(octets: &[u8], out: &mut String) {
    out.reserve(octets.len() / 2);
    let (pairs, _odd) = octets.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    out.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

/// Whether a code unit is the first half of a pair, after which no text may be cut.
#[must_use]
pub const fn is_first_half(unit: u16) -> bool {
    unit & 0xFC00 == 0xD800
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(octets: &[u8]) -> String {
        let mut text = String::new();
        decode(octets, &mut text);
        text
    }

    #[test]
    fn the_big_end_comes_first_and_pairs_are_two_units() {
        let mut octets = Vec::new();
        encode("aç😀", &mut octets);
        assert_eq!(octets, [0, b'a', 0, 0xE7, 0xD8, 0x3D, 0xDE, 0x00]);
        assert_eq!(decoded(&octets), "aç😀");
    }

    #[test]
    fn half_a_pair_is_shown_as_a_replacement_and_the_rest_survives() {
        assert_eq!(decoded(&[0xD8, 0x3D, 0, b'a']), "\u{FFFD}a");
        assert_eq!(decoded(&[0xDE, 0x00, 0, b'a']), "\u{FFFD}a");
        assert_eq!(decoded(&[0, b'a', 0xD8, 0x3D]), "a\u{FFFD}");
    }

    #[test]
    fn an_odd_last_octet_is_dropped() {
        assert_eq!(decoded(&[0, b'a', 0]), "a");
        assert_eq!(decoded(&[0]), "");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            let mut octets = Vec::new();
            encode(&text, &mut octets);
            prop_assert_eq!(decoded(&octets), text);
        }

        #[test]
        fn any_octets_are_shown(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decoded(&octets).encode_utf16().count() <= octets.len() / 2);
        }
    }
}
