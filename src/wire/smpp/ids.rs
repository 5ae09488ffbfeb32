//! Matching the message id of a receipt with the one of the submit_sm_resp.
//!
//! The two are often the same number in different bases, one padded, one in capitals (`receipts.json`
//! id_matching). Both are brought to an [`IdKey`] under the carrier's [`IdBase`]; equal keys are a
//! match. So the map of messages in flight is an ordinary hash map, and no id is compared twice.
//!
//! A key is 128 bits: its top octet says what kind it is, the other 120 hold
//! * a number below 2^120 (up to 30 hexadecimal digits) as itself;
//! * a string of up to 15 octets as itself, in small letters;
//! * else 120 bits of a keyed hash (SipHash) of the number's 16 octets or of the string in small letters. Two ids then
//!   share a key with a chance of 2^-120 a pair, also when somebody chooses them, as long as the seed is not known.
//!
//! Keys may be stored: they depend on nothing but the id, the base and the seed.

use super::siphash::sip128;

/// How the id of a receipt relates to the id of the response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IdBase {
    /// The same, but for case and leading zeros of numbers.
    AsIs,
    /// The same after cutting both at their first `@`.
    AsIsStripAt,
    /// Hexadecimal in the response, decimal in the receipt (Vonage and others).
    RespHexReceiptDec,
    /// Decimal in the response, hexadecimal in the receipt.
    RespDecReceiptHex,
}

impl IdBase {
    /// All of them; the earlier is preferred where several would do.
    pub const ALL: [IdBase; 4] = [IdBase::AsIs, IdBase::AsIsStripAt, IdBase::RespHexReceiptDec, IdBase::RespDecReceiptHex];

    /// The name in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            IdBase::AsIs => "as_is",
            IdBase::AsIsStripAt => "as_is_strip_at",
            IdBase::RespHexReceiptDec => "resp_hex_receipt_dec",
            IdBase::RespDecReceiptHex => "resp_dec_receipt_hex",
        }
    }

    /// From the name in configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<IdBase> {
        IdBase::ALL.into_iter().find(|base| base.name() == name)
    }
}

/// The seed of the hash of long ids: random, secret, and the same for as long as stored keys must be found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdSeed(pub u64);

impl IdSeed {
    fn key(self) -> (u64, u64) {
        (self.0, !self.0.rotate_left(32))
    }
}

/// An id in canonical form. Equal keys under one base and seed are a match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IdKey(pub u128);

/// The longest id looked at, in octets: 64 by the specification, more in parameters.
pub const ID_MAX: usize = 128;

const HASHED_NUMBER: u128 = 0x11 << 120;
const HASHED_TEXT: u128 = 0x12 << 120;
/// Set in the kind of a number that a response gives in decimal under [`IdBase::RespDecReceiptHex`]. While the base is
/// being learnt such keys stand in one map with those of the other bases, where the decimal 100 is not the id 0x64.
const DECIMAL: u128 = 0x40 << 120;
const LOW_120: u128 = (1 << 120) - 1;

/// The key of a submit_sm_resp's message_id; `None` when it is empty (which never matches) or over [`ID_MAX`].
#[must_use]
#[inline]
pub fn key_of_response(base: IdBase, seed: IdSeed, id: impl AsRef<[u8]>) -> Option<IdKey> {
    let id = trim(id.as_ref())?;
    match base {
        IdBase::AsIs | IdBase::RespHexReceiptDec => Some(verbatim(seed, id)),
        IdBase::AsIsStripAt => Some(verbatim(seed, before_at(id)?)),
        IdBase::RespDecReceiptHex => Some(match decimal(id) {
            Some(number) => IdKey(of_number(seed, number).0 | DECIMAL),
            None => verbatim(seed, id),
        }),
    }
}

/// The key of a receipt's id, from its text or its parameter; `None` as for [`key_of_response`].
///
/// An id that is no number in the expected base is taken as it is. That is what makes a carrier match which sends the
/// id of the text in decimal and the one of the parameter in hexadecimal, in the same PDU: try both.
#[must_use]
#[inline]
pub fn key_of_receipt(base: IdBase, seed: IdSeed, id: impl AsRef<[u8]>) -> Option<IdKey> {
    let id = trim(id.as_ref())?;
    match base {
        IdBase::AsIs => Some(verbatim(seed, id)),
        IdBase::AsIsStripAt => Some(verbatim(seed, before_at(id)?)),
        IdBase::RespHexReceiptDec => Some(match decimal(id) {
            Some(number) => of_number(seed, number),
            None => verbatim(seed, id),
        }),
        IdBase::RespDecReceiptHex => Some(match hexadecimal(id) {
            Some(number) => IdKey(of_number(seed, number).0 | DECIMAL),
            None => verbatim(seed, id),
        }),
    }
}

/// Without spaces and NULs around it.
#[inline]
fn trim(id: &[u8]) -> Option<&[u8]> {
    let start = id.iter().position(|b| *b > b' ')?;
    let end = id.iter().rposition(|b| *b > b' ')? + 1;
    let id = &id[start..end];
    (id.len() <= ID_MAX).then_some(id)
}

fn before_at(id: &[u8]) -> Option<&[u8]> {
    let end = id.iter().position(|b| *b == b'@').unwrap_or(id.len());
    (end > 0).then(|| &id[..end])
}

/// Digits of either base are a hexadecimal number: so zeros and case fall away, and different digits stay different.
fn verbatim(seed: IdSeed, id: &[u8]) -> IdKey {
    match hexadecimal(id) {
        Some(number) => of_number(seed, number),
        None if id.iter().all(u8::is_ascii_hexdigit) => of_text(seed, without_zeros(id)),
        None => of_text(seed, id),
    }
}

fn of_number(seed: IdSeed, number: u128) -> IdKey {
    if number <= LOW_120 { IdKey(number) } else { IdKey(HASHED_NUMBER | sip128(seed.key(), &number.to_be_bytes(), |b| b) & LOW_120) }
}

fn of_text(seed: IdSeed, id: &[u8]) -> IdKey {
    if id.len() <= 15 {
        let octets = id.iter().fold(0, |n, b| n << 8 | u128::from(b.to_ascii_lowercase()));
        return IdKey((id.len() as u128) << 120 | octets);
    }
    IdKey(HASHED_TEXT | sip128(seed.key(), id, |b| b.to_ascii_lowercase()) & LOW_120)
}

fn without_zeros(id: &[u8]) -> &[u8] {
    &id[id.iter().position(|b| *b != b'0').unwrap_or(id.len() - 1)..]
}

/// A number of decimal digits alone, below 2^128.
#[inline]
fn decimal(id: &[u8]) -> Option<u128> {
    let digits = without_zeros(id);
    if digits.len() > 39 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (head, tail) = digits.split_at(digits.len().saturating_sub(19));
    // Nineteen digits fit 64 bits.
    let small = |digits: &[u8]| digits.iter().fold(0u64, |n, d| n * 10 + u64::from(d - b'0'));
    if head.is_empty() {
        return Some(u128::from(small(tail)));
    }
    let high = head.iter().fold(0u128, |n, d| n * 10 + u128::from(d - b'0'));
    high.checked_mul(10u128.pow(19))?.checked_add(u128::from(small(tail)))
}

/// A number of hexadecimal digits alone, below 2^128.
#[inline]
fn hexadecimal(id: &[u8]) -> Option<u128> {
    let digits = without_zeros(id);
    if digits.len() > 32 {
        return None;
    }
    let (mut high, mut low) = (0u64, 0u64);
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => return None,
        };
        high = high << 4 | low >> 60;
        low = low << 4 | u64::from(value);
    }
    Some(u128::from(high) << 64 | u128::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: IdSeed = IdSeed(7);

    fn matches(base: IdBase, response: &str, receipt: &str) -> bool {
        let response = key_of_response(base, SEED, response);
        response.is_some() && response == key_of_receipt(base, SEED, receipt)
    }

    #[test]
    fn every_pair_of_the_vectors_matches_as_it_should() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../../../tests/vectors/receipts.json")).unwrap();
        let cases = vectors["id_matching"].as_array().unwrap();
        assert_eq!(cases.len(), 23);
        for case in cases {
            let text = |name: &str| case[name].as_str().unwrap();
            let base = IdBase::from_name(text("mode")).unwrap();
            assert_eq!(matches(base, text("submit_resp_id"), text("receipt_id")), case["match"].as_bool().unwrap(), "{case}");
        }
    }

    #[test]
    fn the_two_ids_of_one_receipt_match_the_same_response() {
        // The sample of cloudhopper: decimal in the text, hexadecimal in the parameter.
        assert!(matches(IdBase::RespHexReceiptDec, "38601fa", "0059113978"));
        assert!(matches(IdBase::RespHexReceiptDec, "38601fa", "38601fa"));
    }

    #[test]
    fn numbers_around_every_limit_stay_apart() {
        for (hex, dec) in [
            ("ffffffffffffffff", "18446744073709551615"),
            ("10000000000000000", "18446744073709551616"),
            ("ffffffffffffffffffffffffffffff", "1329227995784915872903807060280344575"),
            ("1000000000000000000000000000000", "1329227995784915872903807060280344576"),
            ("fffffffffffffffffffffffffffffffe", "340282366920938463463374607431768211454"),
        ] {
            assert!(matches(IdBase::RespHexReceiptDec, hex, dec), "{hex}");
            assert!(matches(IdBase::RespDecReceiptHex, dec, hex), "{hex}");
            assert!(!matches(IdBase::RespHexReceiptDec, hex, &dec.replace('4', "5")), "{hex}");
        }
        // 2^128 is no number any more, and matches itself as it is.
        let over = "100000000000000000000000000000000";
        assert!(matches(IdBase::AsIs, over, &format!("00{over}")));
        assert!(!matches(IdBase::RespHexReceiptDec, over, "340282366920938463463374607431768211456"));
        let sha1 = "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12";
        assert!(matches(IdBase::AsIs, sha1, &sha1.to_uppercase()));
        assert!(matches(IdBase::AsIs, &format!("00{sha1}"), sha1));
    }

    #[test]
    fn empty_and_oversized_ids_have_no_key() {
        for id in ["", " ", "\0", &"7".repeat(ID_MAX + 1)] {
            assert_eq!(key_of_response(IdBase::AsIs, SEED, id), None);
        }
        assert_eq!(key_of_receipt(IdBase::AsIsStripAt, SEED, "@1"), None);
        assert_eq!(key_of_response(IdBase::AsIs, SEED, "7\0"), key_of_response(IdBase::AsIs, SEED, " 7"));
    }

    proptest! {
        #[test]
        fn numbers_match_across_bases_whatever_their_padding_and_case(a in any::<u128>(), shift in 0u32..128, zeros in 0usize..4) {
            let n = a >> shift;
            let (hex, dec) = (format!("{}{n:X}", "0".repeat(zeros)), format!("{}{n}", "0".repeat(zeros)));
            let (receipt_hex, receipt_dec) = (format!("{n:x}"), format!("{n}"));
            prop_assert!(matches(IdBase::RespHexReceiptDec, &hex, &receipt_dec));
            prop_assert!(matches(IdBase::RespDecReceiptHex, &dec, &receipt_hex));
            prop_assert!(matches(IdBase::AsIs, &hex, &receipt_hex));
            let (other_hex, other_dec) = (format!("{:x}", n ^ 1), format!("{}", n ^ 1));
            prop_assert!(!matches(IdBase::RespHexReceiptDec, &hex, &other_dec));
            prop_assert!(!matches(IdBase::RespDecReceiptHex, &dec, &other_hex));
        }

        #[test]
        fn as_it_is_two_ids_match_exactly_when_they_are_the_same_text(a in "[0-9a-fA-F]{1,40}|[ -~]{1,40}", b in "[0-9a-f]{1,4}|[a-z-]{1,4}") {
            let plain = |id: &str| {
                let id = id.trim().to_lowercase();
                if !id.is_empty() && id.bytes().all(|c| c.is_ascii_hexdigit()) {
                    let stripped = id.trim_start_matches('0');
                    return if stripped.is_empty() { "0".to_owned() } else { stripped.to_owned() };
                }
                id
            };
            for (x, y) in [(&a, &b), (&a, &a.to_uppercase()), (&b, &format!("0{b}")), (&a, &format!("{a}{b}"))] {
                let same = !plain(x).is_empty() && plain(x) == plain(y);
                prop_assert_eq!(matches(IdBase::AsIs, x, y), same, "{} {}", x, y);
            }
        }

        #[test]
        fn any_octets_have_a_key_or_none_without_panic(id in prop::collection::vec(any::<u8>(), 0..200)) {
            for base in IdBase::ALL {
                let _ = (key_of_response(base, SEED, &id), key_of_receipt(base, SEED, &id));
            }
        }
    }
}
