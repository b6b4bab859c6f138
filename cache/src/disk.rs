//! The few operations of a file system that a store needs.
//!
//! Everything above ([`crate::objects`]) is written once against this trait, so that crash and corruption tests on the
//! RAM disk exercise the very protocol that runs on a real one.

pub(crate) mod claims;
pub(crate) mod ram;
pub(crate) mod real;

use crate::blob::Blob;
use crate::stamp::Stamp;
use claims::Claims;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Records and the results of small nodes are smaller.
pub(crate) const SMALL_BYTES: usize = 4 * 1024;

/// Who may write a file after it got its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody: artifacts.
    ReadOnly,
    /// Its owner: what is replaced or appended to.
    Owner,
}

/// A file system, real or in memory.
pub(crate) trait Disk: Send + Sync {
    /// The whole content.
    fn read(&self, path: &Path) -> io::Result<(Blob, Stamp)>;
    /// The whole content of a file of less than [`SMALL_BYTES`], with fewer calls of the system; none of a larger one. A
    /// file system may cut it short, so only what proves right counts.
    fn read_small(&self, path: &Path) -> io::Result<Option<Blob>>;
    /// The stamp of a file, without reading it; a folder is none.
    fn stamp(&self, path: &Path) -> io::Result<Stamp>;
    /// When the content was last changed.
    fn modified(&self, path: &Path) -> io::Result<SystemTime>;
    /// Names in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// A new file; fails when there is one, or no folder.
    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;
    /// A file that is written at its end, new or not.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Moves a file, replacing what is there, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
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
    /// Takes a file as a sign that this process is at something; none while another holder has it. It is given back when
    /// the guard is dropped, or by the system when the process ends, however it ends. Fails when the file cannot be
    /// made or the file system has no such thing.
    fn claim(&self, path: &Path) -> io::Result<Option<Box<dyn Claimed>>>;
    /// Claims of numbers, in a folder that serves nothing else.
    fn claims(&self, folder: &Path) -> io::Result<Box<dyn Claims>>;
    /// Whether somebody holds such a number now. Writes nothing.
    fn is_taken(&self, folder: &Path, number: u64) -> bool;
    /// Whether somebody holds such a file now.
    fn is_claimed(&self, path: &Path) -> bool;
}

/// What was taken with [`Disk::claim`]; dropping it gives it back.
pub(crate) trait Claimed: Send + Sync {}

/// An open file.
pub(crate) trait DiskFile: Send {
    /// Writes all bytes at the end.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}
