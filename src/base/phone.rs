//! Phone numbers as they travel: E.164 digits, 7 to 15 of them, the first not 0.
//!
//! Full national rules (validity, type, region) belong to the accept stage; this is the form after it.

use std::fmt;

/// An E.164 number without the plus sign. The first digit is never 0, so the integer is lossless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(u64);

/// Why a text is not a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotANumber {
    /// Nothing was given.
    Empty,
    /// A character that no notation of numbers has.
    Character,
    /// No country code: neither `+`, nor `00`, nor a bare E.164 number.
    NoCountryCode,
    /// Fewer than 7 or more than 15 digits (E.164 clause 6).
    Length,
}

impl Msisdn {
    /// Reads an international number: `+33 6 12 34 56 78`, `0033…`, `33612345678`, with spaces, dots, dashes,
    /// brackets, a `tel:` prefix, full-width or Arabic-Indic digits, and `(0)` after the country code dropped.
    pub fn parse(text: &str) -> Result<Msisdn, NotANumber> {
        // The common case, digits alone with or without a plus, without looking at Unicode.
        let bytes = text.as_bytes();
        let bare = if bytes.first() == Some(&b'+') { &bytes[1..] } else { bytes };
        if (7..=15).contains(&bare.len()) && bare[0] != b'0' && bare.iter().all(u8::is_ascii_digit) {
            return Ok(Msisdn(bare.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0'))));
        }
        Msisdn::parse_loose(text)
    }

    fn parse_loose(text: &str) -> Result<Msisdn, NotANumber> {
        let text = text.trim().strip_prefix("tel:").unwrap_or(text.trim());
        if text.is_empty() {
            return Err(NotANumber::Empty);
        }
        let text = text.replacen("(0)", "", 1);
        let (mut value, mut count, mut zeros, mut plus) = (0u64, 0u32, 0u32, false);
        for (at, c) in text.chars().enumerate() {
            let digit = match c {
                '0'..='9' => c as u32 - '0' as u32,
                '\u{FF10}'..='\u{FF19}' => c as u32 - 0xFF10,
                '\u{0660}'..='\u{0669}' => c as u32 - 0x0660,
                '\u{06F0}'..='\u{06F9}' => c as u32 - 0x06F0,
                '+' | '\u{FF0B}' if at == 0 => {
                    plus = true;
                    continue;
                }
                ' ' | '\u{A0}' | '\u{202F}' | '.' | '-' | '\u{2010}' | '\u{2011}' | '(' | ')' | '/' => continue,
                _ => return Err(NotANumber::Character),
            };
            if count == 0 && digit == 0 {
                zeros += 1;
                continue;
            }
            count += 1;
            if count > 15 {
                return Err(NotANumber::Length);
            }
            value = value * 10 + u64::from(digit);
        }
        // `+0…` and a single leading 0 are national forms; `00` is the international prefix of most countries.
        if zeros == 1 || zeros > 2 || (plus && zeros > 0) {
            return Err(NotANumber::NoCountryCode);
        }
        if count < 7 {
            return Err(NotANumber::Length);
        }
        Ok(Msisdn(value))
    }

    /// From the integer form of a record; `None` unless it has 7 to 15 digits.
    #[must_use]
    pub fn from_u64(value: u64) -> Option<Msisdn> {
        (1_000_000..1_000_000_000_000_000).contains(&value).then_some(Msisdn(value))
    }

    /// The integer form.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Writes the digits, without plus, into a buffer and returns them.
    pub fn digits(self, buffer: &mut [u8; 15]) -> &[u8] {
        let (mut n, mut at) = (self.0, 15);
        while n > 0 {
            at -= 1;
            buffer[at] = b'0' + (n % 10) as u8;
            n /= 10;
        }
        &buffer[at..]
    }

    /// The public form: plus and digits. Never for logs.
    #[must_use]
    pub fn e164(self) -> String {
        format!("+{}", self.0)
    }
}

/// Debug shows the country's first two digits and the last two: logs never hold a full number.
impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; 15];
        let digits = self.digits(&mut buffer);
        let text = std::str::from_utf8(digits).expect("digits are ASCII");
        write!(f, "+{}…{}", &text[..2], &text[text.len() - 2..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_notations_are_one_number() {
        for text in [
            "+33612345678",
            "33612345678",
            "0033 6 12 34 56 78",
            "+33 (0)6.12.34.56.78",
            "tel:+33-6-12-34-56-78",
            "＋３３６１２３４５６７８",
        ] {
            assert_eq!(Msisdn::parse(text).map(Msisdn::e164), Ok("+33612345678".into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_international_number_says_why() {
        for (text, why) in [
            ("", NotANumber::Empty),
            ("0612345678", NotANumber::NoCountryCode),
            ("+0612345678", NotANumber::NoCountryCode),
            ("12345", NotANumber::Length),
            ("1234567890123456", NotANumber::Length),
            ("+33 6 12 a", NotANumber::Character),
            ("33612345678 33612345679", NotANumber::Length),
        ] {
            assert_eq!(Msisdn::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn debug_hides_the_middle() {
        assert_eq!(format!("{:?}", Msisdn::parse("+33612345678").expect("valid")), "+33…78");
    }
}
