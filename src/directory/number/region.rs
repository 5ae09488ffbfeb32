//! Countries and territories as the numbering plans divide the world.

use std::fmt;

/// ISO 3166-1 alpha-2 in capitals (and `XK`), or `001` for country codes of no country (+800, +870, +883 …).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 3]);

impl Region {
    /// Mainland France.
    pub const FRANCE: Region = Region(*b"FR\0");
    /// What belongs to no country.
    pub const WORLD: Region = Region(*b"001");

    /// Two letters, whatever their case, or `001`. `None` for all else; whether somebody has the letters is not asked.
    #[must_use]
    pub fn parse(text: &str) -> Option<Region> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Region([a.to_ascii_uppercase(), b.to_ascii_uppercase(), 0]))
            }
            [b'0', b'0', b'1'] => Some(Region::WORLD),
            _ => None,
        }
    }

    /// `FR`, `001`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = if self.0[2] == 0 { 2 } else { 3 };
        std::str::from_utf8(&self.0[..length]).expect("made of ASCII only")
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_two_letters_or_the_world() {
        for (text, read) in [("FR", Some("FR")), ("fr", Some("FR")), ("001", Some("001"))] {
            assert_eq!(Region::parse(text).as_ref().map(Region::as_str), read);
        }
        for text in ["", "F", "FRA", "F1", "002", "é"] {
            assert_eq!(Region::parse(text), None, "{text}");
        }
    }
}
