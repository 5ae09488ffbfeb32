//! The files and environment variables the configuration names, and how its mistakes are shown.
#![allow(clippy::disallowed_methods)]

use crate::base::Time;
use crate::config::{self, AccountHours, Config, RuleFiles, SecretFault, SecretSource, limits};
use crate::directory::hours::{written, zone};
use crate::directory::judge::{Law, Sources};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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

/// The mode of a directory that others than its user can look into; those that are made by us are closed.
#[must_use]
pub fn open_to_others(dir: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(dir).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    None
}

/// Lies beside the rule files in `config/rules/`, and is none: who copies the folder copies it too.
const KEYWORDS: &str = "keywords.toml";
/// How deep zones lie: `America/Indiana/Knox`.
const ZONE_DEPTH_MAX: usize = 3;
/// Files beside the zones in their directory, which are none.
const NO_ZONES: [&str; 3] = ["SECURITY", "posix", "right"];

/// Reads what `[rules]` names: all `*.toml` of one directory, all time zones below the other. Nothing larger or more is
/// read than a pack or a database may have.
///
/// # Errors
/// The file or directory, and why it cannot be read.
pub fn rules(names: &RuleFiles) -> Result<Sources, String> {
    let mut sources = Sources::default();
    if let Some(dir) = &names.dir {
        let mut files = Vec::new();
        for (name, path) in entries(dir)?.into_iter().filter(|(name, _)| name.ends_with(".toml") && name != KEYWORDS) {
            let octets = bounded(&path, written::FILE_BYTES_MAX, files.len() < written::FILES_MAX)?;
            files.push((name, String::from_utf8(octets).map_err(|_| format!("{}: not UTF-8", path.display()))?));
        }
        if files.is_empty() {
            return Err(format!("{}: there are no rule files (*.toml)", dir.display()));
        }
        sources.rules = Some(files);
    }
    if let Some(dir) = &names.zoneinfo_dir {
        let mut files = Vec::new();
        zones(dir, "", ZONE_DEPTH_MAX, &mut files)?;
        sources.zones = Some((release(dir), files));
    }
    Ok(sources)
}

/// Names and paths of a directory, sorted.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let wrong = |fault: io::Error| format!("{}: {fault}", dir.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Zones begin with a capital and have no dot in their name; `zone.tab`, `posixrules` and such are left out.
fn zones(dir: &Path, before: &str, depth: usize, to: &mut Vec<(String, Vec<u8>)>) -> Result<(), String> {
    for (name, path) in entries(dir)? {
        let is_zone = name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.contains('.');
        if !is_zone || NO_ZONES.contains(&name.as_str()) {
            continue;
        }
        let name = format!("{before}{name}");
        if path.is_dir() {
            if depth > 1 {
                zones(&path, &format!("{name}/"), depth - 1, to)?;
            }
            continue;
        }
        let octets = bounded(&path, zone::FILE_BYTES_MAX, to.len() < zone::FILES_MAX)?;
        to.push((name, octets));
    }
    Ok(())
}

fn bounded(path: &Path, bytes_max: usize, has_room: bool) -> Result<Vec<u8>, String> {
    let wrong = |fault: io::Error| format!("{}: {fault}", path.display());
    if !has_room {
        return Err(format!("{}: more files than are read", path.display()));
    }
    let mut octets = Vec::new();
    // One octet more than allowed: the reading of the pack or the database then says so.
    std::fs::File::open(path).map_err(wrong)?.take(bytes_max as u64 + 1).read_to_end(&mut octets).map_err(wrong)?;
    Ok(octets)
}

/// What the owner of the zones calls them: the first line of `tzdata.zi` (`# version 2026b`), or `+VERSION`.
fn release(dir: &Path) -> String {
    let read = |name: &str| {
        let octets = bounded(&dir.join(name), 1 << 20, true).ok()?;
        let line = String::from_utf8_lossy(&octets).lines().next()?.trim_start_matches("# version").trim().to_owned();
        (!line.is_empty() && line.len() <= 32 && line.chars().all(|c| c.is_ascii_alphanumeric())).then_some(line)
    };
    read("tzdata.zi").or_else(|| read("+VERSION")).unwrap_or_else(|| "files".to_owned())
}

/// Whether the rules a configuration leads to are right, and what is wrong if not.
///
/// # Errors
/// What is wrong, with file or account, and key.
pub fn check_rules(config: &Config) -> Result<(), String> {
    let RuleFiles { dir, zoneinfo_dir } = &config.rules;
    let says_nothing = config.accounts.iter().all(|account| account.hours == AccountHours::default());
    if dir.is_none() && zoneinfo_dir.is_none() && says_nothing {
        return Ok(());
    }
    let sources = rules(&config.rules)?;
    Law::new(config).hours.reload(sources, Time(0)).map(|_| ()).map_err(|fault| fault.to_string())
}

/// Reads a configuration; all its mistakes as lines `file:line:column: key: what; hint`.
pub fn load(path: &Path, secrets: &dyn SecretSource) -> Result<Config, String> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|fault| format!("{shown}: {fault}\n"))?;
    config::load(&text, secrets).map_err(|mistakes| config::report(&shown, &mistakes))
}
