//! The GSM 7-bit default alphabet and its extension (3GPP TS 23.038 clauses 6.2.1 and 6.2.1.1).
//!
//! Not here: national language shift tables, and folding of look-alikes (Greek capitals stay a reason for UCS-2).
//! Encoding says `None` for what the alphabet lacks; decoding takes any octets and never fails.

/// The septet that announces one of the extension table. Never a character of its own.
pub const ESC: u8 = 0x1B;

/// How the alphabet writes one character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Septets {
    /// One septet, 0x00 to 0x7F.
    One(u8),
    /// [`ESC`], then this septet: costs two.
    Escaped(u8),
}

/// The septets of a character, or `None` if the alphabet has none. U+001B is no character: it announces others.
#[inline]
#[must_use]
pub fn septets_of(c: char) -> Option<Septets> {
    match code_of(c) {
        NONE => None,
        code if code & ESCAPED != 0 => Some(Septets::Escaped(code & 0x7F)),
        code => Some(Septets::One(code)),
    }
}

/// The character of a septet of the default table; `None` for [`ESC`] and above 0x7F.
#[must_use]
pub fn char_of(septet: u8) -> Option<char> {
    match DEFAULT.get(usize::from(septet)) {
        Some(&c) if septet != ESC => Some(c),
        _ => None,
    }
}

/// The character of a septet that follows [`ESC`]; `None` if the extension table has no such place.
#[must_use]
pub fn escaped_char_of(septet: u8) -> Option<char> {
    EXTENSION.iter().find(|&&(code, _)| code == septet).map(|&(_, c)| c)
}

/// Appends the septets of `text`, one per octet.
///
/// # Errors
/// The octet offset in `text` of the first character the alphabet lacks; `out` then holds what came before it.
pub fn encode(text: &str, out: &mut Vec<u8>) -> Result<(), usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    out.reserve(bytes.len());
    while at < bytes.len() {
        let left = &bytes[at..];
        let taken = left.len().min(BLOCK);
        // A last short block is filled up with spaces, so that it too is translated without a loop per octet.
        let mut block = [b' '; BLOCK];
        match left.first_chunk::<BLOCK>() {
            Some(whole) => block = *whole,
            None => block[..taken].copy_from_slice(left),
        }
        if translate(&mut block) {
            out.extend_from_slice(&block[..taken]);
            at += taken;
        } else {
            at = encode_chars(text, at, at + taken, out)?;
        }
    }
    Ok(())
}

/// The characters of `text` that begin in `from..to`, one by one; gives where the next one begins.
fn encode_chars(text: &str, from: usize, to: usize, out: &mut Vec<u8>) -> Result<usize, usize> {
    let mut at = from;
    for c in text[from..].chars() {
        if at >= to {
            break;
        }
        match code_of(c) {
            NONE => return Err(at),
            code if code & ESCAPED != 0 => out.extend_from_slice(&[ESC, code & 0x7F]),
            code => out.push(code),
        }
        at += c.len_utf8();
    }
    Ok(at)
}

/// Appends the characters of unpacked septets, as TS 23.038 wants a receiver to show them: after [`ESC`] a code the
/// extension lacks is the default character of that code, a second [`ESC`] (reserved) is a space, and an [`ESC`] with
/// nothing behind it is dropped. An octet above 0x7F is no septet and becomes U+FFFD.
pub fn decode(septets: &[u8], out: &mut String) {
    out.reserve(septets.len());
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        if septet != ESC {
            out.push(char_of(septet).unwrap_or(char::REPLACEMENT_CHARACTER));
            continue;
        }
        match rest.next() {
            None => {}
            Some(ESC) => out.push(' '),
            Some(code) => out.push(escaped_char_of(code).or(char_of(code)).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }
}

/// Octets translated at once: wide enough for the vector units, short enough that one `€` does not slow a text down.
const BLOCK: usize = 32;

/// Replaces ASCII by septets in place if every octet costs exactly one septet; else the block is spoilt and false given.
///
/// Written without branches on the data, so that the compiler makes vector code of it. The class: LF, CR, 0x20 to
/// 0x5A, `_`, and the small letters; of these all but `@ $ _` are their own septet.
#[inline]
fn translate(block: &mut [u8; BLOCK]) -> bool {
    let mut foreign = 0u8;
    for octet in block.iter_mut() {
        let b = *octet;
        let plain =
            (b.wrapping_sub(b' ') <= b'Z' - b' ') | (b.wrapping_sub(b'a') <= b'z' - b'a') | (b == b'_') | (b == b'\n') | (b == b'\r');
        foreign |= u8::from(!plain);
        let septet = if b == b'@' { 0x00 } else { b };
        let septet = if b == b'$' { 0x02 } else { septet };
        *octet = if b == b'_' { 0x11 } else { septet };
    }
    foreign == 0
}

/// Marks a code of the extension table.
const ESCAPED: u8 = 0x80;
/// Marks a character the alphabet lacks. No extension code is 0x7F, so this is no escaped one.
const NONE: u8 = 0xFF;

/// A septet, or a septet with [`ESCAPED`], or [`NONE`].
#[inline]
fn code_of(c: char) -> u8 {
    match c {
        '\0'..='\u{FF}' => LATIN1[c as usize],
        'Δ' => 0x10,
        'Φ' => 0x12,
        'Γ' => 0x13,
        'Λ' => 0x14,
        'Ω' => 0x15,
        'Π' => 0x16,
        'Ψ' => 0x17,
        'Σ' => 0x18,
        'Θ' => 0x19,
        'Ξ' => 0x1A,
        '€' => 0x65 | ESCAPED,
        _ => NONE,
    }
}

/// The default alphabet by septet. The place of [`ESC`] holds U+FFFD and is never read.
#[rustfmt::skip]
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{FFFD}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table: the septet after [`ESC`], and its character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The two tables turned round for U+0000 to U+00FF, made at compile time so that they cannot disagree.
const LATIN1: [u8; 256] = {
    let mut codes = [NONE; 256];
    let mut septet = 0;
    while septet < 128 {
        let c = DEFAULT[septet] as usize;
        if c < 256 {
            codes[c] = septet as u8;
        }
        septet += 1;
    }
    let mut place = 0;
    while place < EXTENSION.len() {
        let (code, c) = EXTENSION[place];
        if (c as usize) < 256 {
            codes[c as usize] = code | ESCAPED;
        }
        place += 1;
    }
    codes
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn table(kind: &str) -> BTreeMap<u8, char> {
        let all: serde_json::Value =
            serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/gsm_tables.json"))).expect("JSON");
        let cells = all["tables"]["default"][kind].as_object().expect("a table");
        cells
            .iter()
            .map(|(code, c)| {
                let c = c.as_str().expect("text").chars().next().expect("one character");
                (u8::from_str_radix(code, 16).expect("hex"), c)
            })
            .collect()
    }

    fn shown(septets: &[u8]) -> String {
        let mut text = String::new();
        decode(septets, &mut text);
        text
    }

    #[test]
    fn both_tables_are_those_of_the_standard_in_both_directions() {
        let (default, extension) = (table("locking"), table("single_shift"));
        assert_eq!((default.len(), extension.len()), (127, 10));
        for septet in 0..=255 {
            assert_eq!(char_of(septet), default.get(&septet).copied(), "{septet:#04x}");
            assert_eq!(escaped_char_of(septet), extension.get(&septet).copied(), "ESC {septet:#04x}");
        }
        for c in '\0'..=char::MAX {
            let one = default.iter().find(|cell| *cell.1 == c).map(|cell| Septets::One(*cell.0));
            let escaped = extension.iter().find(|cell| *cell.1 == c).map(|cell| Septets::Escaped(*cell.0));
            assert_eq!(septets_of(c), one.or(escaped), "{c:?}");
        }
    }

    #[test]
    fn every_ascii_character_is_translated_alike_in_a_block_and_alone() {
        for c in '\0'..='\x7F' {
            let alone = match septets_of(c) {
                Some(Septets::One(septet)) => Some(vec![septet]),
                Some(Septets::Escaped(septet)) => Some(vec![ESC, septet]),
                None => None,
            };
            for before in [0, 1, 31, 32, 40] {
                let mut octets = Vec::new();
                let done = encode(&format!("{}{c}", "x".repeat(before)), &mut octets);
                match &alone {
                    Some(septets) => assert_eq!((done, &octets[before..]), (Ok(()), &septets[..]), "{c:?} after {before}"),
                    None => assert_eq!(done, Err(before), "{c:?} after {before}"),
                }
            }
        }
    }

    #[test]
    fn a_receiver_shows_something_for_every_escape() {
        assert_eq!(shown(&[ESC, 0x65, b'a']), "€a");
        assert_eq!(shown(&[ESC, b'a']), "a", "no such place in the extension");
        assert_eq!(shown(&[b'a', ESC, ESC, b'b']), "a b", "reserved");
        assert_eq!(shown(&[ESC, ESC, 0x65]), " e", "the second escape announces nothing");
        assert_eq!(shown(&[b'a', ESC]), "a", "nothing behind it");
        assert_eq!(shown(&[0x80, ESC, 0xFF, b'a']), "\u{FFFD}\u{FFFD}a", "no septets");
    }

    proptest! {
        #[test]
        fn any_octets_are_shown_as_at_most_one_character_each(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(shown(&octets).chars().count() <= octets.len());
        }

        #[test]
        fn a_text_comes_back_or_its_first_foreign_character_is_named(text in "[a-z@$_€{é ]{0,80}(ç|[ -Z]{0,40})[ -Z^Ω]{0,40}") {
            let mut octets = Vec::new();
            match encode(&text, &mut octets) {
                Ok(()) => prop_assert_eq!(shown(&octets), text),
                Err(at) => {
                    prop_assert!(text[at..].starts_with('ç'));
                    prop_assert_eq!(shown(&octets), &text[..at]);
                }
            }
        }
    }
}
