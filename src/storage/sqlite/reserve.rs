//! The files beside the databases: the lock that keeps a second process out and shows whether the directory is still
//! there, and the reserve that is given up when the disk is full, so that what was accepted can still be sent and recorded.

use crate::storage::port::StoreFault;
use crate::storage::sqlite::slice::sync_dir;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const LOCK: &str = "lock";
const RESERVE: &str = "reserve.bin";
const UNFINISHED: &str = "reserve.new";
/// Two seconds: longer than an orderly end takes when nothing is in flight, shorter than anybody waits for an error.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Whether the lock is still where it was taken. What is written into a directory that was removed, moved away or hidden behind
/// another mount goes on without an error, and no restart finds it: whoever is answered then is answered in vain.
pub(super) fn is_in_place(lock: &File, dir: &Path) -> bool {
    let id = |about: std::io::Result<std::fs::Metadata>| about.map(|about| (about.dev(), about.ino())).ok();
    let held = id(lock.metadata());
    held.is_some() && held == id(std::fs::metadata(dir.join(LOCK)))
}

/// Takes the directory for this process. The kernel frees it with the process, however that ends.
// Before anything runs: the simulated world has another store, and a real file's lock is given up in real time.
#[allow(clippy::disallowed_methods)]
pub(super) fn lock(dir: &Path) -> Result<File, StoreFault> {
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => StoreFault::Full,
        _ => unusable(dir, &error),
    };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(broken)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // The one before may be on its way out; and a child that is being started holds all that is open here
            // until it has become another program.
            // Nothing runs yet that it could hold up.
            #[allow(clippy::disallowed_methods)]
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
    }
    Err(StoreFault::Broken("the data directory is in use by another process".into()))
}

/// The directory cannot be used: which, and why.
pub(super) fn unusable(dir: &Path, error: &std::io::Error) -> StoreFault {
    StoreFault::Broken(format!("the data directory {} cannot be used: {error}", dir.display()))
}

/// Writes the reserve if it is not there; gives up quietly when there is no room.
pub(super) fn restore(dir: &Path, bytes: u64) {
    let (path, new) = (dir.join(RESERVE), dir.join(UNFINISHED));
    if bytes == 0 || std::fs::metadata(&path).is_ok_and(|file| file.len() == bytes) {
        return;
    }
    let made = (|| {
        let mut file = File::create(&new)?;
        // Octets that are not zero: some file systems give zeros no room.
        let block = vec![0xA5u8; 1 << 20];
        let mut left = bytes;
        while left > 0 {
            let piece = left.min(block.len() as u64);
            file.write_all(&block[..piece as usize])?;
            left -= piece;
        }
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        sync_dir(dir)
    })();
    if made.is_err() {
        let _ = std::fs::remove_file(&new);
    }
}

/// Gives the reserve up; `false` when there was none.
pub(super) fn release(dir: &Path) -> bool {
    let _ = std::fs::remove_file(dir.join(UNFINISHED));
    let freed = std::fs::remove_file(dir.join(RESERVE)).is_ok();
    if freed {
        // Best effort: space is free at once, the name only must not come back by itself.
        let _ = sync_dir(dir);
    }
    freed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_takes_real_room_once_and_is_given_up_once() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(!release(dir.path()));
        restore(dir.path(), 3 << 19);
        restore(dir.path(), 3 << 19);
        assert_eq!(std::fs::metadata(dir.path().join(RESERVE)).map(|f| f.len()).ok(), Some(3 << 19));
        assert!(release(dir.path()));
        assert!(!release(dir.path()));
    }

    #[test]
    fn a_directory_that_was_removed_moved_or_replaced_is_not_in_place() {
        let home = tempfile::tempdir().expect("a directory");
        let (dir, elsewhere) = (home.path().join("data"), home.path().join("elsewhere"));
        std::fs::create_dir(&dir).expect("room");
        let held = lock(&dir).expect("free");
        assert!(is_in_place(&held, &dir));
        std::fs::rename(&dir, &elsewhere).expect("room");
        assert!(!is_in_place(&held, &dir));
        std::fs::create_dir(&dir).expect("room");
        let other = lock(&dir).expect("another directory");
        assert!(!is_in_place(&held, &dir) && is_in_place(&other, &dir));
        std::fs::remove_dir_all(&dir).expect("ours");
        std::fs::rename(&elsewhere, &dir).expect("room");
        assert!(is_in_place(&held, &dir) && !is_in_place(&other, &dir));
    }

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = lock(dir.path()).expect("free");
        assert!(matches!(lock(dir.path()), Err(StoreFault::Broken(_))));
        drop(first);
        assert!(lock(dir.path()).is_ok());
    }
}
