//! How far the journal had come, in a file outside its directory: what tells an old copy of the directory, or an empty one in its
//! place, from the one that ran last. The number is written after the commit it is about, so it is never ahead of the journal. A
//! file that cannot be read or written costs the check, and is told in the log; it costs nothing else.
#![allow(clippy::disallowed_methods)]

use std::io::Write;
use std::path::{Path, PathBuf};

/// The longest number there is, and a line's end.
const OCTETS_MAX: usize = 21;

/// See the module.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    /// What the file says.
    said: u64,
    /// Whether the last try to write it failed: told once.
    is_mute: bool,
}

impl Witness {
    /// Asks the file. One that is not there says nothing: the first start, or somebody took it away on purpose.
    #[must_use]
    pub fn ask(path: &Path) -> Witness {
        let said = match std::fs::read(path) {
            Ok(octets) => number(&octets).unwrap_or_else(|| {
                tracing::error!(path = %path.display(), "journal.witness cannot be believed: whether the data directory is an old copy is not known");
                0
            }),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => 0,
            Err(fault) => {
                tracing::error!(path = %path.display(), %fault, "journal.witness cannot be read: whether the data directory is an old copy is not known");
                0
            }
        };
        Witness { path: path.to_owned(), said, is_mute: false }
    }

    /// The position the journal had reached when it was last told; 0 when nobody knows.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.said
    }

    /// Tells it a position that is durable. Blocks on the disk, for a small file.
    pub fn tell(&mut self, reached: u64) {
        if reached == self.said {
            return;
        }
        match self.write(reached) {
            Ok(()) => (self.said, self.is_mute) = (reached, false),
            Err(fault) if !self.is_mute => {
                self.is_mute = true;
                tracing::error!(path = %self.path.display(), %fault, "journal.witness cannot be written");
            }
            Err(_) => {}
        }
    }

    /// Whole or not at all. Not synced: after a power cut an older number is as true.
    fn write(&self, reached: u64) -> std::io::Result<()> {
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(format!("{reached}\n").as_bytes())?;
        drop(file);
        std::fs::rename(&new, &self.path)
    }
}

fn number(octets: &[u8]) -> Option<u64> {
    if octets.len() > OCTETS_MAX {
        return None;
    }
    std::str::from_utf8(octets).ok()?.strip_suffix('\n')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_said_by_the_next_process() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("witness");
        let mut witness = Witness::ask(&path);
        assert_eq!(witness.said(), 0);
        witness.tell(7);
        witness.tell(u64::MAX);
        assert_eq!(Witness::ask(&path).said(), u64::MAX);
    }

    #[test]
    fn what_nobody_wrote_is_not_believed_and_what_cannot_be_written_is_borne() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("witness");
        for text in ["", "7", "-7\n", "seven\n", "1111111111111111111111111\n"] {
            std::fs::write(&path, text).expect("room");
            assert_eq!(Witness::ask(&path).said(), 0, "{text:?}");
        }
        let mut nowhere = Witness::ask(&home.path().join("no/such/place"));
        nowhere.tell(3);
        assert_eq!(nowhere.said(), 0);
    }
}
