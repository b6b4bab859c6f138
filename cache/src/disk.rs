//! The few operations of a file system that a store needs.
//!
//! Everything above is written once against this trait, so that crash and corruption tests on the RAM disk exercise the
//! very protocol that runs on a real one.

#[cfg(target_os = "linux")]
mod locks;
pub(crate) mod ram;
pub(crate) mod real;

use crate::blob::Blob;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Who may write a file after it got its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// No user: artifacts are never edited.
    ReadOnly,
    /// Every user that the umask allows: files that are replaced or appended to.
    Shared,
}

/// What the file system says of a file without reading it. As long as all of it stays the same, so does the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// Bytes.
    pub(crate) length: u64,
    /// When the content was last changed.
    pub(crate) modified: SystemTime,
    /// Inode and time of its last change, or a count of changes.
    pub(crate) identity: (u64, i128),
}

/// A file system, real or in memory.
pub(crate) trait Disk: Send + Sync {
    /// The whole content.
    fn read(&self, path: &Path) -> io::Result<(Blob, Status)>;
    /// At most `length` bytes from an offset on; fewer where the file ends.
    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// The status of a file; a folder is none.
    fn status(&self, path: &Path) -> io::Result<Status>;
    /// Names in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// A new file; fails when there is one, or no folder.
    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;
    /// A file that is written at its end, new or not.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Moves a file, replacing what is there, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a file look as if it were written now.
    fn touch(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes one folder; fails when there is one, or no parent.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder survive a loss of power.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes the content of a file survive a loss of power.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes all files and names of the file system that holds a folder survive a loss of power. False if the system
    /// cannot do that in one step; nothing is promised then.
    fn sync_all(&self, folder: &Path) -> io::Result<bool>;
    /// The name of this machine, for other users of a shared store; empty if it is not known.
    fn host(&self) -> String;
    /// Locks a number in a file; none while another holder has it. The file is made if it is missing; its folder must be
    /// there. The lock ends when the guard is dropped, or with the process, however that ends. Fails when the file cannot be
    /// written or the file system has no locks.
    fn lock(&self, file: &Path, number: u64) -> io::Result<Option<Box<dyn DiskLock>>>;
    /// Whether a number is locked now. Writes nothing.
    fn is_locked(&self, file: &Path, number: u64) -> bool;
}

/// What was taken with [`Disk::lock`]; dropping it gives it back.
pub(crate) trait DiskLock: Send + Sync {}

/// An open file.
pub(crate) trait DiskFile: Send {
    /// Writes all bytes at the end.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}
