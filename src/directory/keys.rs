//! API keys: from what a caller shows to the account it stands for. Every attempt costs the same work, whether its id
//! is known or not.

use crate::base::{Secret, Time};
use crate::config::{Account, ApiKey, KeyHash, Scope};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

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
        Keys::among(accounts, accounts, pepper)
    }

    /// The keys as they are written now, of those accounts that were there at the start and are still written: an account
    /// that came since has none before the next start.
    fn among(started: &[Account], written: &[Account], pepper: &Secret) -> Keys {
        let places: HashMap<&str, usize> = started.iter().enumerate().map(|(index, account)| (account.name.as_str(), index)).collect();
        let known = written.iter().filter_map(|account| Some((*places.get(account.name.as_str())?, account)));
        let by_id = known.flat_map(|(index, account)| account.keys.iter().map(move |key| (key.id.clone(), (index, key.clone())))).collect();
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

/// The keys in use, which can be replaced while requests are served.
#[derive(Debug)]
pub struct Keyring(RwLock<Arc<Keys>>);

/// What a replacement has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// Keys that are there now.
    pub keys: usize,
    /// Those of before that open nothing any more, or something else.
    pub revoked: usize,
}

impl Keyring {
    /// With these keys.
    #[must_use]
    pub fn new(keys: Keys) -> Keyring {
        Keyring(RwLock::new(Arc::new(keys)))
    }

    /// As [`Keys::grant`], by the keys in use at this instant.
    #[must_use]
    pub fn grant(&self, shown: &[u8], now: Time) -> Option<Grant> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        keys.grant(shown, now)
    }

    /// Takes the keys of a configuration read anew; `started` are the accounts the process runs with. Every request whose key is
    /// looked at after this is judged by them.
    pub fn replace(&self, started: &[Account], written: &[Account], pepper: &Secret) -> Replaced {
        let keys = Arc::new(Keys::among(started, written, pepper));
        let before = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), keys.clone());
        let is_same = |id: &String, (account, key): &(usize, ApiKey)| {
            keys.by_id.get(id).is_some_and(|(now, other)| now == account && other.hash.matches(&key.hash))
        };
        Replaced { keys: keys.by_id.len(), revoked: before.by_id.iter().filter(|(id, entry)| !is_same(id, entry)).count() }
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
    fn a_key_that_is_written_no_more_opens_nothing_and_accounts_keep_their_places() {
        let pepper = Secret::new("0123456789abcdef");
        let accounts = |written: &[(&str, &[(&str, &str)])]| {
            let mut text = "[secrets]\npepper = \"0123456789abcdef\"\n".to_owned();
            for (name, keys) in written {
                text += &format!("[[accounts]]\nname = \"{name}\"\n");
                for (id, secret) in *keys {
                    let hash = KeyHash::of(&pepper, secret.as_bytes()).to_hex();
                    text += &format!("[[accounts.keys]]\nid = \"{id}\"\nhash = \"{hash}\"\n");
                }
            }
            text += "[[carriers]]\nname = \"c\"\nhost = \"127.0.0.1\"\nport = 2775\nsystem_id = \"s\"\npassword = \"p\"\n";
            config::load(&(text + "[[routes]]\nprefix = \"\"\ncarrier = \"c\"\n"), &MapSecrets::default()).expect("right").accounts
        };
        let started = accounts(&[("a", &[("one", "1")]), ("b", &[("two", "2"), ("three", "3")])]);
        let ring = Keyring::new(Keys::new(&started, &pepper));
        let opens = |shown: &[u8]| ring.grant(shown, Time(0)).map(|grant| grant.account);
        assert_eq!((opens(b"one.1"), opens(b"two.2"), opens(b"three.3")), (Some(0), Some(1), Some(1)));
        // In another order, with a new account, without one key, with another secret for another.
        let written = accounts(&[("new", &[("four", "4")]), ("b", &[("two", "2"), ("three", "9"), ("five", "5")])]);
        assert_eq!(ring.replace(&started, &written, &pepper), Replaced { keys: 3, revoked: 2 });
        assert_eq!((opens(b"one.1"), opens(b"two.2"), opens(b"three.3")), (None, Some(1), None));
        assert_eq!((opens(b"three.9"), opens(b"five.5"), opens(b"four.4")), (Some(1), Some(1), None));
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
