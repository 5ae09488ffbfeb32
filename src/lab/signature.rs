//! Standard Webhooks signatures, for the sink: `webhook-signature: v1,<base64 HMAC-SHA256(secret, id.ts.body)>`,
//! several separated by spaces. Apart from the gateway's own, so that both must agree.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far a timestamp may be from the sink's clock, in seconds.
pub const TOLERANCE_S: u64 = 300;

/// A signing key, read from `whsec_<base64>`.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// Why a signature is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disbelief {
    /// A header is missing or unreadable.
    Missing,
    /// The timestamp is too old or in the future.
    Old,
    /// No signature is right.
    Wrong,
}

impl Key {
    /// `None` when it is not `whsec_` and base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Key> {
        let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        Hmac::new_from_slice(&key).ok().map(Key)
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }

    /// The header's value, for tests of receivers.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let tag = self.mac(id, &timestamp_s.to_string(), body).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(tag))
    }

    /// Checks the three headers against the body.
    pub fn verify(
        &self,
        id: Option<&str>,
        timestamp: Option<&str>,
        signatures: Option<&str>,
        body: &[u8],
        now_s: i64,
    ) -> Result<(), Disbelief> {
        let (Some(id), Some(timestamp), Some(signatures)) = (id, timestamp, signatures) else {
            return Err(Disbelief::Missing);
        };
        let at: i64 = timestamp.parse().map_err(|_| Disbelief::Missing)?;
        if at.abs_diff(now_s) > TOLERANCE_S {
            return Err(Disbelief::Old);
        }
        let right = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()).any(|tag| {
            let mac = self.mac(id, timestamp, body);
            mac.verify_slice(&tag).is_ok()
        });
        if right { Ok(()) } else { Err(Disbelief::Wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_verifies() {
        // The example of the Standard Webhooks libraries.
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let body = br#"{"test": 2432232314}"#;
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body), signature);
        let verify = |id: &str, signatures: &str, body: &[u8], now| key.verify(Some(id), Some("1614265330"), Some(signatures), body, now);
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(verify(id, signature, body, 1_614_265_331), Ok(()));
        assert_eq!(verify(id, &format!("v1,AAAA v1a,xyz {signature}"), body, 1_614_265_331), Ok(()));
        assert_eq!(verify("other", signature, body, 1_614_265_331), Err(Disbelief::Wrong));
        assert_eq!(verify(id, signature, b"{}", 1_614_265_331), Err(Disbelief::Wrong));
        assert_eq!(verify(id, "", body, 1_614_265_331), Err(Disbelief::Wrong));
        assert_eq!(verify(id, signature, body, 1_614_265_330 + 301), Err(Disbelief::Old));
        assert_eq!(verify(id, signature, body, 1_614_265_330 - 301), Err(Disbelief::Old));
        assert_eq!(key.verify(Some(id), None, Some(signature), body, 0), Err(Disbelief::Missing));
        assert!(Key::parse("MfKQ9r8G").is_none() && Key::parse("whsec_!").is_none());
    }
}
