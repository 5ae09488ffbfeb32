//! The files and environment variables the configuration names, and how its mistakes are shown.
#![allow(clippy::disallowed_methods)]

use crate::config::{self, Config, SecretFault, SecretSource, limits};
use std::io::{self, Read};
use std::path::Path;

/// Secrets from the process's environment and from files.
pub struct SystemSecrets;

impl SecretSource for SystemSecrets {
    fn env(&self, name: &str) -> Result<String, SecretFault> {
        match std::env::var(name) {
            Ok(value) => Ok(value),
            Err(std::env::VarError::NotPresent) => Err(SecretFault::Missing),
            Err(std::env::VarError::NotUnicode(_)) => Err(SecretFault::NotText),
        }
    }

    fn file(&self, path: &Path) -> Result<String, SecretFault> {
        let file = std::fs::File::open(path).map_err(|fault| match fault.kind() {
            io::ErrorKind::NotFound => SecretFault::Missing,
            _ => SecretFault::Unreadable,
        })?;
        let mut octets = Vec::new();
        file.take(limits::SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut octets).map_err(|_| SecretFault::Unreadable)?;
        if octets.len() > limits::SECRET_BYTES_MAX {
            return Err(SecretFault::TooLong);
        }
        String::from_utf8(octets).map_err(|_| SecretFault::NotText)
    }
}

/// Secrets that are all there, for checking a file on a machine that does not hold them.
pub struct AssumedSecrets;

impl SecretSource for AssumedSecrets {
    fn env(&self, name: &str) -> Result<String, SecretFault> {
        SystemSecrets.env(name).or_else(|_| Ok(stand_in(name)))
    }
    fn file(&self, path: &Path) -> Result<String, SecretFault> {
        SystemSecrets.file(path).or_else(|_| Ok(stand_in(&path.to_string_lossy())))
    }
}

/// Something with the form of what is wanted, as far as the name tells: signing secrets begin with `whsec_`, a
/// pepper is long, a bind's password is short.
fn stand_in(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if name.contains("webhook") || name.contains("whsec") {
        "whsec_c3RhbmQtaW4tc3RhbmQtaW4tc3RhbmQtaW4tc3RhbmQtaW4=".into()
    } else if name.contains("pepper") {
        "a pepper taken for granted".into()
    } else {
        "assumed-".into()
    }
}

/// Reads a whole file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Reads a configuration; all its mistakes as lines `file:line:column: key: what; hint`.
pub fn load(path: &Path, secrets: &dyn SecretSource) -> Result<Config, String> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|fault| format!("{shown}: {fault}\n"))?;
    config::load(&text, secrets).map_err(|mistakes| config::report(&shown, &mistakes))
}
