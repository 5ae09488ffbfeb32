//! How carriers write message ids: submit_sm_resp and receipts may use different bases for one number.

use super::chance::mix;
use serde::Deserialize;

/// How a message id is written. As text: `decimal`, `hex`, `HEX` (each with an optional `:width` of leading
/// zeros), `uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum IdStyle {
    /// Decimal digits, zero padded to the width.
    Decimal {
        /// The least number of digits.
        width: u8,
    },
    /// Lower-case hexadecimal.
    HexLower {
        /// The least number of digits.
        width: u8,
    },
    /// Upper-case hexadecimal.
    HexUpper {
        /// The least number of digits.
        width: u8,
    },
    /// A UUID mixed from the number: no order, no base.
    Uuid,
}

impl TryFrom<String> for IdStyle {
    type Error = &'static str;
    fn try_from(text: String) -> Result<IdStyle, &'static str> {
        let (name, width) = text.split_once(':').unwrap_or((&text, "0"));
        let width = width.parse::<u8>().ok().filter(|w| *w <= 40).ok_or("the width of an id is 0 to 40")?;
        match name {
            "decimal" => Ok(IdStyle::Decimal { width }),
            "hex" => Ok(IdStyle::HexLower { width }),
            "HEX" => Ok(IdStyle::HexUpper { width }),
            "uuid" => Ok(IdStyle::Uuid),
            _ => Err("an id is decimal, hex, HEX or uuid, with an optional :width"),
        }
    }
}

impl IdStyle {
    /// Appends the id in this style.
    pub fn write(self, number: u64, out: &mut Vec<u8>) {
        match self {
            IdStyle::Decimal { width } => digits(number, 10, b"0123456789", width, out),
            IdStyle::HexLower { width } => digits(number, 16, b"0123456789abcdef", width, out),
            IdStyle::HexUpper { width } => digits(number, 16, b"0123456789ABCDEF", width, out),
            IdStyle::Uuid => {
                let (high, low) = (mix(number), mix(!number));
                for (part, width) in [(high >> 32, 8), (high >> 16 & 0xFFFF, 4), (high & 0xFFFF, 4), (low >> 48, 4)] {
                    digits(part, 16, b"0123456789abcdef", width, out);
                    out.push(b'-');
                }
                digits(low & 0xFFFF_FFFF_FFFF, 16, b"0123456789abcdef", 12, out);
            }
        }
    }
}

fn digits(mut number: u64, base: u64, alphabet: &[u8], width: u8, out: &mut Vec<u8>) {
    let (mut buffer, mut at) = ([b'0'; 40], 40);
    while number > 0 || at == 40 {
        at -= 1;
        buffer[at] = alphabet[(number % base) as usize];
        number /= base;
    }
    out.extend_from_slice(&buffer[at.min(40 - usize::from(width.min(40)))..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: &str, number: u64) -> String {
        let mut out = Vec::new();
        IdStyle::try_from(style.to_owned()).expect(style).write(number, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn ids_are_written_in_every_style() {
        // The pairs of the field: Vonage's 33647f6c = 862224236, cloudhopper's 38601fa = 0059113978.
        assert_eq!(written("hex", 862_224_236), "33647f6c");
        assert_eq!(written("decimal", 0x3364_7f6c), "862224236");
        assert_eq!(written("decimal:10", 0x0386_01fa), "0059113978");
        assert_eq!(written("HEX:8", 0x0386_01fa), "038601FA");
        assert_eq!(written("decimal", 0), "0");
        assert_eq!(written("decimal", u64::MAX), u64::MAX.to_string());
        let uuid = written("uuid", 1);
        assert_eq!(uuid.len(), 36);
        assert_ne!(uuid, written("uuid", 2));
    }
}
