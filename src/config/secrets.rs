//! Where secrets come from when they do not stand in the file: the environment or a file of their own.
//!
//! The real source reads the operating system and lives in `app`; here are the port and a map for tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a secret could not be had. Never holds the secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretFault {
    /// No such variable or file.
    #[error("is not there")]
    Missing,
    /// The operating system refused.
    #[error("cannot be read")]
    Unreadable,
    /// Not UTF-8.
    #[error("is not text")]
    NotText,
    /// Longer than `limits::SECRET_BYTES_MAX`.
    #[error("is too long for a secret")]
    TooLong,
}

/// Reads secrets by name or path. A source should read at most `limits::SECRET_BYTES_MAX` octets of a file.
pub trait SecretSource {
    /// The value of an environment variable.
    fn env(&self, name: &str) -> Result<String, SecretFault>;
    /// The content of a file; line ends after it are cut off by the reader.
    fn file(&self, path: &Path) -> Result<String, SecretFault>;
}

/// Secrets from a map, for tests and simulations.
#[derive(Default)]
pub struct MapSecrets {
    env: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl MapSecrets {
    /// Adds a variable.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> MapSecrets {
        self.env.insert(name.into(), value.into());
        self
    }
    /// Adds a file.
    #[must_use]
    pub fn with_file(mut self, path: &str, value: &str) -> MapSecrets {
        self.files.insert(path.into(), value.into());
        self
    }
}

impl SecretSource for MapSecrets {
    fn env(&self, name: &str) -> Result<String, SecretFault> {
        self.env.get(name).cloned().ok_or(SecretFault::Missing)
    }
    fn file(&self, path: &Path) -> Result<String, SecretFault> {
        self.files.get(path).cloned().ok_or(SecretFault::Missing)
    }
}
