//! Made-up editions of the rules and of the time zones, as they may be replaced while a campaign runs: other hours of France,
//! another clock of Paris. What a gateway reads of one comes out; what it means, for the check, in words of its own.

use crate::directory::hours::Pack;
use crate::directory::judge::Sources;

/// Rules and zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// The hours of the clock in Paris at which advertising may begin and must end.
    pub opens: i8,
    /// See `opens`.
    pub closes: i8,
    /// Paris is so many hours ahead of UTC all the year; without it, as it is.
    pub ahead: Option<i8>,
}

/// All of them; the first is what is in the program.
pub const EDITIONS: [Edition; 7] = [
    Edition { opens: 8, closes: 20, ahead: None },
    Edition { opens: 6, closes: 22, ahead: None },
    Edition { opens: 9, closes: 19, ahead: None },
    Edition { opens: 7, closes: 21, ahead: None },
    Edition { opens: 8, closes: 20, ahead: Some(-1) },
    Edition { opens: 8, closes: 20, ahead: Some(3) },
    Edition { opens: 6, closes: 23, ahead: Some(2) },
];

impl Edition {
    /// What is in its files.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let zones = self.ahead.map(|ahead| (format!("sim{ahead}"), vec![("Europe/Paris".to_owned(), zone(ahead))]));
        if (self.opens, self.closes) == (EDITIONS[0].opens, EDITIONS[0].closes) {
            return Sources { rules: None, zones };
        }
        let hours = format!("windows = {{ mon-sat = [\"{:02}:00-{:02}:00\"] }}", self.opens, self.closes);
        let file = |(name, text): &(&str, &str)| ((*name).to_owned(), text.replace("windows = { mon-sat = [\"08:00-20:00\"] }", &hours));
        Sources { rules: Some(Pack::shipped_files().iter().map(file).collect()), zones }
    }
}

/// A clock that is always so many hours ahead, as TZif of version 2 (RFC 9636 §3).
fn zone(ahead: i8) -> Vec<u8> {
    let mut octets = Vec::new();
    for _ in 0..2 {
        octets.extend_from_slice(b"TZif2");
        octets.extend_from_slice(&[0; 15]);
        // No leap seconds, no transitions, one type, four octets of its name.
        [0u32, 0, 0, 0, 1, 4].iter().for_each(|count| octets.extend_from_slice(&count.to_be_bytes()));
        octets.extend_from_slice(&(i32::from(ahead) * 3_600).to_be_bytes());
        octets.extend_from_slice(&[0, 0]);
        octets.extend_from_slice(b"SIM\0");
    }
    // The sign is that of POSIX: hours to be added to reach UTC.
    octets.extend_from_slice(format!("\nSIM{}\n", -i32::from(ahead)).as_bytes());
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::hours::{Hours, Zones};

    #[test]
    fn every_edition_can_be_read_and_is_another() {
        let mut versions: Vec<String> = Vec::new();
        for edition in EDITIONS {
            let Sources { rules, zones } = edition.sources();
            let files =
                rules.unwrap_or_else(|| Pack::shipped_files().iter().map(|(name, text)| ((*name).into(), (*text).into())).collect());
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            let zones = zones.map_or_else(Zones::shipped, |(version, files)| Zones::parse(&version, &files).expect("a zone"));
            versions.push(Hours::new(Pack::parse(&files).expect("rules"), zones).version().to_string());
        }
        assert!(versions.iter().enumerate().all(|(at, one)| !versions[..at].contains(one)), "{versions:?}");
    }
}
