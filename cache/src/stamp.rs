//! [`Stamp`]: whether a file is still what it was when it was read.

use std::fs::Metadata;
use std::path::Path;
use std::time::{Duration, SystemTime};

const NANOSECONDS: i128 = 1_000_000_000;
/// Bytes of a stamp.
const BYTES: usize = 48;
/// File systems with parts of a second count in steps of at most ten milliseconds; three of them.
const FINE_STEP: Duration = Duration::from_millis(30);
/// The others in steps of one or two seconds.
const COARSE_STEP: Duration = Duration::from_secs(3);

/// Identity and state of a file's content: as long as it stays the same, checked bytes need no second check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub(crate) length: u64,
    pub(crate) inode: u64,
    /// Modification and change time in nanoseconds, or a count of changes.
    pub(crate) changed: (i128, i128),
}

impl Stamp {
    /// The stamp of the file under a name, which is followed if it is a link. To be taken before the file is read: what
    /// changes it from then on gives it another. None if that is not certain, or if there is no such file.
    #[must_use]
    pub fn settled(path: &Path) -> Option<Self> {
        let now = SystemTime::now();
        let stamp = Self::new(&fs_err::metadata(path).ok()?);
        stamp.is_settled(now).then_some(stamp)
    }

    /// Whether every change of the file after `now`, a moment before the stamp was taken, gives it another one. A file that
    /// was changed just before may change again within the same step of the file system's clock; and some systems do not
    /// say when a file was changed, only what somebody wants its time to be.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let (modified, changed) = self.changed;
        let step = if changed % NANOSECONDS == 0 { COARSE_STEP } else { FINE_STEP };
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        let old = |time: i128| time + i128::try_from(step.as_nanos()).unwrap_or(0) < i128::try_from(now).unwrap_or(0);
        cfg!(unix) && old(modified) && old(changed)
    }

    /// All of it, for a digest.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.inode.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.changed.0.to_le_bytes());
        bytes[32..].copy_from_slice(&self.changed.1.to_le_bytes());
        bytes
    }

    #[cfg(unix)]
    pub(crate) fn new(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let modified = i128::from(metadata.mtime()) * NANOSECONDS + i128::from(metadata.mtime_nsec());
        let changed = i128::from(metadata.ctime()) * NANOSECONDS + i128::from(metadata.ctime_nsec());
        Self { length: metadata.len(), inode: metadata.ino(), changed: (modified, changed) }
    }

    #[cfg(not(unix))]
    pub(crate) fn new(metadata: &Metadata) -> Self {
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let modified =
            metadata.modified().ok().and_then(since).map_or(0, |d| i128::try_from(d.as_nanos()).unwrap_or(0));
        Self { length: metadata.len(), inode: 0, changed: (modified, 0) }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::FileTimes;

    #[test]
    fn every_change_gives_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs_err::write(&path, "one").unwrap();
        let stamp = || Stamp::new(&fs_err::metadata(&path).unwrap());
        let first = stamp();
        assert_eq!(Stamp::settled(&path), None);
        std::thread::sleep(FINE_STEP + COARSE_STEP * u32::from(first.changed.1 % NANOSECONDS == 0));
        assert_eq!(Stamp::settled(&path), Some(first));
        // As long as before, and with its earlier time of modification.
        let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        fs_err::write(&path, "two").unwrap();
        file.file().set_times(FileTimes::new().set_modified(modified)).unwrap();
        let second = stamp();
        assert_eq!((second.length, second.inode, second.changed.0), (first.length, first.inode, first.changed.0));
        assert!(second != first && second.to_bytes() != first.to_bytes());
    }

    #[test]
    fn a_time_in_the_future_and_whole_seconds_settle_later() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let at = |changed: i128| Stamp { length: 1, inode: 1, changed: (changed, changed) }.is_settled(now);
        let seconds = |seconds: i128| seconds * NANOSECONDS;
        assert!(at(seconds(90)) && at(seconds(99) + 1));
        assert!(!at(seconds(98)) && !at(seconds(100) - 1) && !at(seconds(200) + 1));
    }
}
