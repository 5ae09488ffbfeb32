//! API keys: from what a caller shows to the account it stands for. Every attempt costs the same work, whether its id
//! is known or not.

use crate::base::{Secret, Time};
use crate::config::{Account, ApiKey, KeyHash, Scope};
use std::collections::HashMap;

/// Longest key that is looked at, in octets: a name of 32, a dot, and far more secret than anybody makes.
const SHOWN_MAX: usize = 512;

/// Every key of every account.
#[derive(Debug)]
pub struct Keys {
    pepper: Secret,
    by_id: HashMap<String, (usize, ApiKey)>,
    /// Compared with when the id is unknown.
    nobody: KeyHash,
}

/// What a key opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The account's place in the configuration.
    pub account: usize,
    send: bool,
    read: bool,
    admin: bool,
}

impl Grant {
    /// Whether this scope is among those granted.
    #[must_use]
    pub const fn opens(&self, scope: Scope) -> bool {
        match scope {
            Scope::Send => self.send,
            Scope::Read => self.read,
            Scope::Admin => self.admin,
        }
    }
}

impl Keys {
    /// The keys of these accounts, hashed with this pepper.
    #[must_use]
    pub fn new(accounts: &[Account], pepper: &Secret) -> Keys {
        let all = accounts.iter().enumerate();
        let by_id = all.flat_map(|(index, account)| account.keys.iter().map(move |key| (key.id.clone(), (index, key.clone())))).collect();
        Keys { pepper: pepper.clone(), by_id, nobody: KeyHash::of(pepper, b"") }
    }

    /// What `id.secret` opens at `now`. `None` when it is not a key, or not any more; never why.
    #[must_use]
    pub fn grant(&self, shown: &[u8], now: Time) -> Option<Grant> {
        if shown.len() > SHOWN_MAX {
            return None;
        }
        let dot = shown.iter().position(|octet| *octet == b'.');
        let (id, secret) = dot.map_or((shown, &[][..]), |at| (&shown[..at], &shown[at + 1..]));
        let found = std::str::from_utf8(id).ok().and_then(|id| self.by_id.get(id));
        // The hash is made and compared in any case: how long a refusal takes must not tell which ids exist.
        let hash = KeyHash::of(&self.pepper, secret);
        let is_right = found.map_or(&self.nobody, |(_, key)| &key.hash).matches(&hash);
        let (account, key) = found.filter(|_| is_right)?;
        let [send, read, admin] = [Scope::Send, Scope::Read, Scope::Admin].map(|scope| key.allows(scope, now));
        (send || read || admin).then_some(Grant { account: *account, send, read, admin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, MapSecrets};

    fn keys() -> Keys {
        let pepper = Secret::new("0123456789abcdef");
        let hash = |secret: &str| KeyHash::of(&pepper, secret.as_bytes()).to_hex();
        let text = format!(
            "[secrets]\npepper = \"0123456789abcdef\"\n[[accounts]]\nname = \"a\"\n[[accounts.keys]]\nid = \"one\"\nhash = \"{}\"\n\
             [[accounts]]\nname = \"b\"\n[[accounts.keys]]\nid = \"two\"\nhash = \"{}\"\nscopes = [\"read\"]\nexpires = \"2027-01-01T00:00:00Z\"\n\
             [[carriers]]\nname = \"c\"\nhost = \"127.0.0.1\"\nport = 2775\nsystem_id = \"s\"\npassword = \"p\"\n\
             [[routes]]\nprefix = \"\"\ncarrier = \"c\"\n",
            hash("first"),
            hash("second"),
        );
        let config = config::load(&text, &MapSecrets::default()).expect("right");
        Keys::new(&config.accounts, &config.pepper)
    }

    #[test]
    fn a_key_opens_its_own_account_within_its_scopes_and_its_time() {
        let keys = keys();
        let (before, after) = (Time(1_790_000_000_000), Time(1_800_000_000_000));
        let one = keys.grant(b"one.first", before).expect("a key");
        assert!((one.account, one.opens(Scope::Send), one.opens(Scope::Read)) == (0, true, true));
        assert!(!one.opens(Scope::Admin), "nobody has it who was not given it");
        let two = keys.grant(b"two.second", before).expect("a key");
        assert!((two.account, two.opens(Scope::Send), two.opens(Scope::Read)) == (1, false, true));
        assert_eq!(keys.grant(b"two.second", after), None);
    }

    #[test]
    fn what_is_not_exactly_a_key_opens_nothing() {
        let keys = keys();
        for shown in [
            &b""[..],
            b".",
            b"one",
            b"one.",
            b"one.second",
            b"two.first",
            b"one.first ",
            b"One.first",
            b"nobody.",
            b"\xff\xfe.first",
            &[b'a'; 600],
        ] {
            assert_eq!(keys.grant(shown, Time(1_790_000_000_000)), None, "{shown:?}");
        }
    }
}
