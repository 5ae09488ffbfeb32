//! A rule pack: all rules and calendars of one date, parsed whole or refused whole, with a version that names its contents.
//! In: files as text. Out: a value that never changes; a newer pack is a newer value. No files are opened here.

use super::read;
use super::rule::Rule;
use super::shipped;
use super::written::{CALENDARS_MAX, FILES_MAX, PackFault, RULES_MAX, WrittenCalendar, WrittenFile, read as read_file};
use crate::directory::calendar::{Calendar, Day};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Send windows and holidays.
#[derive(Debug)]
pub struct Pack {
    pub(super) rules: Vec<Rule>,
    pub(super) calendars: Vec<Calendar>,
    /// Numbering-plan regions that live under another country's rules: region to (country, state).
    pub(super) territories: BTreeMap<Box<str>, (Box<str>, Box<str>)>,
    version: Box<str>,
}

impl Pack {
    /// The pack in this program.
    #[must_use]
    pub fn shipped() -> Pack {
        Pack::parse(&shipped::FILES).expect("a test parses the shipped pack")
    }

    /// Names and texts of the files in this program.
    #[must_use]
    pub fn shipped_files() -> &'static [(&'static str, &'static str)] {
        &shipped::FILES
    }

    /// Reads a pack from (name, text) pairs. The order does not matter. Files of a directory replace the shipped ones
    /// only as a whole: who wants to change one country copies all.
    ///
    /// # Errors
    /// The first mistake; the caller goes on with the pack it has.
    pub fn parse<N: AsRef<str>, T: AsRef<str>>(files: &[(N, T)]) -> Result<Pack, PackFault> {
        if files.len() > FILES_MAX {
            return Err(PackFault::TooMuch);
        }
        let mut sorted: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_ref(), text.as_ref())).collect();
        sorted.sort_unstable();
        let written: Vec<(&str, WrittenFile)> =
            sorted.iter().map(|(name, text)| Ok((*name, read_file(name, text)?))).collect::<Result<_, PackFault>>()?;
        let count = |of: fn(&WrittenFile) -> usize| written.iter().map(|(_, file)| of(file)).sum::<usize>();
        if count(|file| file.rules.len()) > RULES_MAX || count(|file| file.calendars.len()) > CALENDARS_MAX {
            return Err(PackFault::TooMuch);
        }
        let version = version(&sorted, &written)?;
        let calendars = calendars(&written)?;
        let numbers: HashMap<Box<str>, u16> = calendars.iter().zip(0..).map(|(one, at)| (one.name.clone(), at)).collect();
        let (mut rules, mut territories) = (Vec::<Rule>::new(), BTreeMap::new());
        for (file, written) in written {
            let country = written.country.unwrap_or_default();
            let known = ["", "*"].contains(&&*country) || country.len() == 2 && country.bytes().all(|octet| octet.is_ascii_uppercase());
            if !known {
                return Err(PackFault::File { file: file.into(), why: "country is two capitals or *".into() });
            }
            for (region, state) in written.territories {
                territories.insert(region.into(), (country.as_str().into(), state.into()));
            }
            for one in written.rules {
                let id: Box<str> = one.id.as_str().into();
                let wrong = |why: String| PackFault::Entry { file: file.into(), name: id.clone(), why: why.into() };
                if rules.iter().any(|rule| rule.id == id) {
                    return Err(wrong("there are two of that name".into()));
                }
                rules.push(read::rule(one, &country, &numbers).map_err(wrong)?);
            }
        }
        Ok(Pack { rules, calendars, territories, version })
    }

    /// `2026-11-21+1f2e3d4c`: the date of the youngest file and the first octets of a SHA-256 over names and texts.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// All calendars.
    #[must_use]
    pub fn calendars(&self) -> &[Calendar] {
        &self.calendars
    }
}

fn calendars(files: &[(&str, WrittenFile)]) -> Result<Vec<Calendar>, PackFault> {
    let mut all: HashMap<&str, &WrittenCalendar> = HashMap::new();
    let mut list = Vec::new();
    for (file, one) in files.iter().flat_map(|(file, written)| written.calendars.iter().map(move |one| (file, one))) {
        let wrong = |why: &str| PackFault::Entry { file: (*file).into(), name: one.name.as_str().into(), why: why.into() };
        if all.insert(&one.name, one).is_some() {
            return Err(wrong("there are two of that name"));
        }
        list.push((wrong, &one.name));
    }
    list.into_iter().map(|(wrong, name)| read::calendar(name, &all).map_err(|why| wrong(&why))).collect()
}

fn version(texts: &[(&str, &str)], files: &[(&str, WrittenFile)]) -> Result<Box<str>, PackFault> {
    let mut youngest = Day(0);
    for (file, written) in files {
        let dated = Day::parse(&written.dated).ok_or(PackFault::File { file: (*file).into(), why: "dated: no date".into() })?;
        youngest = youngest.max(dated);
    }
    let mut hash = Sha256::new();
    for (name, text) in texts {
        for part in [name, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    let digest = hash.finalize();
    Ok(format!("{youngest}+{:08x}", u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = r#"
dated = "2026-01-02"
country = "XX"
[[rule]]
id = "XX-sms"
channels = ["sms"]
class = "marketing"
windows = { mon-fri = ["08:00-20:00"] }
holidays = "ignore"
basis = "law"
confidence = "high"
sources = ["a law"]
"#;

    fn refused(text: &str) -> String {
        Pack::parse(&[("x.toml", text)]).err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_shipped_pack_has_every_country_and_a_version_of_its_contents() {
        let pack = Pack::shipped();
        assert_eq!(pack.rules().len(), 47);
        assert!(pack.calendars().len() > 150, "{}", pack.calendars().len());
        assert!(pack.version().starts_with("2026-11-21+"), "{}", pack.version());
        assert!(pack.rules().iter().all(|rule| !rule.sources.is_empty()));
    }

    #[test]
    fn the_version_changes_with_any_text_and_not_with_the_order() {
        let version = |files: &[(&str, &str)]| Pack::parse(files).expect("a pack").version().to_owned();
        let empty = "dated = \"2025-05-05\"";
        let one = version(&[("a", RULE), ("b", empty)]);
        assert_eq!(one, version(&[("b", empty), ("a", RULE)]));
        assert!(one.starts_with("2026-01-02+"));
        assert_ne!(one, version(&[("a", RULE), ("c", empty)]));
        assert_ne!(one, version(&[("a", &RULE.replace("20:00", "20:01")), ("b", empty)]));
    }

    #[test]
    fn a_mistake_refuses_the_pack_and_says_where() {
        for (from, to, says) in [
            ("mon-fri", "mon-frx", "XX-sms: windows: mon-frx"),
            ("mon-fri", "fri-mon", "XX-sms: windows: fri-mon"),
            ("20:00", "07:00", "XX-sms: windows: mon-fri"),
            ("\"08:00-20:00\"", "\"08:00-12:00\", \"11:00-20:00\"", "XX-sms: windows: mon-fri"),
            ("\"08:00-20:00\"", "", "XX-sms: windows: no day has any hours"),
            ("mon-fri = [\"08:00-20:00\"]", "", "XX-sms: windows: no day has any hours"),
            ("\"ignore\"", "\"block\"", "XX-sms: holidays"),
            ("\"ignore\"", "\"block\"\ncalendar = \"YY\"", "there is no calendar YY"),
            ("[\"sms\"]", "[\"fax\"]", "channels"),
            ("[\"a law\"]", "[]", "source"),
            ("basis = \"law\"", "basis = \"rumour\"", "basis"),
            ("dated = \"2026-01-02\"", "dated = \"2026-13-02\"", "dated"),
            ("dated = \"2026-01-02\"", "dated = 2026-01-02", "x.toml: dates are written as text"),
            ("confidence", "confidense", "confidense"),
            ("country = \"XX\"", "country = \"xx\"", "country"),
            ("[[rule]]", "[[rule", "x.toml: not TOML"),
        ] {
            assert!(RULE.contains(from), "{from}");
            let said = refused(&RULE.replacen(from, to, 1));
            assert!(said.contains(says), "{to}: {said}");
        }
        assert!(refused(&format!("{RULE}{}", &RULE[RULE.find("[[rule]]").unwrap()..])).contains("two of that name"));
        assert!(refused(&format!("{RULE}#{}", "x".repeat(300_000))).contains("octets"));
    }

    #[test]
    fn calendars_that_extend_themselves_are_refused() {
        let text = "dated = \"2026-01-02\"\n[[calendar]]\nname = \"A\"\nextends = [\"B\"]\n[[calendar]]\nname = \"B\"\nextends = [\"A\"]\n";
        assert!(refused(text).contains("extends itself"));
        let text = "dated = \"2026-01-02\"\n[[calendar]]\nname = \"A\"\ndays = [{ name = \"x\", on = \"13-13\" }]\n";
        assert!(refused(text).contains("x: no rule"));
    }
}
