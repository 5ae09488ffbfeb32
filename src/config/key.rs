//! The keyed hash of an API key. A fast hash is right here: keys are 160 random bits or more, so there is nothing to
//! guess, and the pepper makes a stolen file useless.

use crate::base::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

/// HMAC-SHA256 with the pepper as key over the secret part of an API key (what follows the dot in `id.secret`).
#[derive(Clone, Copy, Default)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes the secret part.
    #[must_use]
    pub fn of(pepper: &Secret, secret: &[u8]) -> KeyHash {
        let mut mac = Hmac::<Sha256>::new_from_slice(pepper.expose().as_bytes()).expect("HMAC takes keys of any length");
        mac.update(secret);
        KeyHash(mac.finalize().into_bytes().into())
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &KeyHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The 64 hexadecimal digits for the configuration file.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<KeyHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (octet, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?);
            *octet = (high * 16 + low) as u8;
        }
        Some(KeyHash(hash))
    }
}

/// Debug shows nothing: hashes are kept out of logs as the keys are.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let hash = KeyHash::of(&Secret::new("Jefe"), b"what do ya want for nothing?");
        assert_eq!(hash.to_hex(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(KeyHash::from_hex(&hash.to_hex()).expect("its own hex").matches(&hash));
        assert!(!KeyHash::of(&Secret::new("jefe"), b"what do ya want for nothing?").matches(&hash));
        assert_eq!(format!("{hash:?}"), "…");
    }

    #[test]
    fn what_is_not_64_hexadecimal_digits_is_no_hash() {
        for text in ["", "00", &"g".repeat(64), &"0".repeat(65), &"é".repeat(32)] {
            assert!(KeyHash::from_hex(text).is_none(), "{text}");
        }
    }
}
