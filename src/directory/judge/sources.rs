//! What rules and zones were read from, and as octets, to be kept over a restart. In: files as text and octets. Out: octets
//! that are read whole or not at all. Nothing is believed of a length before there are as many octets.

use crate::base::Time;
use crate::config::limits::RULES_KEPT_BYTES_MAX;
use crate::directory::hours::{Pack, written, zone};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The form of the octets.
const FORM: u8 = 1;

/// Names such as `Europe/Paris`, and octets.
pub type ZoneFiles = Vec<(String, Vec<u8>)>;

/// What was read from the directories of the configuration; without one, what is in the program holds.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sources {
    /// Names and texts of rule files.
    pub rules: Option<Vec<(String, String)>>,
    /// What their owner calls the time zones (`2027a`), names and octets of TZif files.
    pub zones: Option<(String, ZoneFiles)>,
}

/// One generation of rules and zones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// What they are read from.
    pub sources: Arc<Sources>,
    /// Until when they must allow; `None` for those in use.
    pub until: Option<Time>,
}

impl Sources {
    /// With the rules in this program where none are named: a later program has others. Zones that are not named are those
    /// of whatever program reads this.
    #[must_use]
    pub(super) fn whole(self) -> Sources {
        let shipped = || Pack::shipped_files().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Sources { rules: Some(self.rules.unwrap_or_else(shipped)), ..self }
    }

    pub(super) fn bytes(&self) -> usize {
        let rules = self.rules.iter().flatten().map(|(name, text)| name.len() + text.len());
        let zones = self.zones.iter().flat_map(|(_, files)| files).map(|(name, octets)| name.len() + octets.len());
        rules.chain(zones).map(|octets| octets + 8).sum()
    }

    /// As octets, and the SHA-256 by which they are known.
    #[must_use]
    pub fn write(&self) -> (Vec<u8>, [u8; 32]) {
        let mut octets = vec![FORM, u8::from(self.rules.is_some()), u8::from(self.zones.is_some())];
        let mut put = |part: &[u8]| {
            octets.extend((part.len() as u32).to_le_bytes());
            octets.extend(part);
        };
        put(self.zones.as_ref().map_or("", |(version, _)| version).as_bytes());
        let (rules, zones) = (self.rules.as_deref().unwrap_or_default(), self.zones.as_ref().map_or(&[][..], |(_, files)| files));
        put(&(rules.len() as u32).to_le_bytes());
        rules.iter().for_each(|(name, text)| [name, text].into_iter().for_each(|part| put(part.as_bytes())));
        zones.iter().for_each(|(name, file)| [name.as_bytes(), file].into_iter().for_each(&mut put));
        let digest = Sha256::digest(&octets).into();
        (octets, digest)
    }

    /// Reads what `write` made; `None` for anything else.
    #[must_use]
    pub fn read(octets: &[u8], digest: &[u8; 32]) -> Option<Sources> {
        if octets.len() > 2 * RULES_KEPT_BYTES_MAX || *Sha256::digest(octets) != *digest {
            return None;
        }
        let ([form, has_rules, has_zones], mut rest) = octets.split_first_chunk::<3>()?;
        let mut take = || {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let (part, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = behind;
            Some(part)
        };
        let text = |part: &[u8]| String::from_utf8(part.to_vec()).ok();
        let version = text(take()?)?;
        let count = u32::from_le_bytes(take()?.try_into().ok()?) as usize;
        if *form != FORM || count > written::FILES_MAX {
            return None;
        }
        let (mut rules, mut zones) = (Vec::new(), Vec::new());
        for _ in 0..count {
            rules.push((text(take()?)?, text(take()?)?));
        }
        while let Some(name) = take() {
            if zones.len() >= zone::FILES_MAX {
                return None;
            }
            zones.push((text(name)?, take()?.to_vec()));
        }
        Some(Sources { rules: (*has_rules == 1).then_some(rules), zones: (*has_zones == 1).then_some((version, zones)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_from_files_comes_back_whole_or_not_at_all() {
        let own = Sources {
            rules: Some(vec![("FR.toml".into(), "dated".into()), ("é".into(), String::new())]),
            zones: Some(("2027a".into(), vec![("Europe/Paris".into(), vec![0, 255])])),
        };
        for sources in [Sources::default(), Sources::default().whole(), own] {
            let (octets, digest) = sources.write();
            assert_eq!(Sources::read(&octets, &digest), Some(sources.clone()));
            assert!(octets.len() <= sources.bytes() + 32);
            for cut in [0, 1, octets.len() / 2, octets.len() - 1] {
                assert_eq!(Sources::read(&octets[..cut], &digest), None);
                // Octets that somebody else has made, with the hash they have.
                let made = Sha256::digest(&octets[..cut]).into();
                assert_ne!(Sources::read(&octets[..cut], &made), Some(sources.clone()));
            }
        }
    }
}
