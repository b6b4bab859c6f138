//! Locks on numbers, as locks of the operating system on single bytes of a file.
//!
//! The file is empty and stays; a lock of a byte that lies beyond its end is as good as any. A file for each lock would cost
//! a small node as much as its results do.

use super::DiskLock;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The files that were opened, each once.
#[derive(Default)]
pub(super) struct LockFiles(Mutex<HashMap<PathBuf, Arc<LockFile>>>);

struct LockFile {
    file: File,
    /// The system keeps other open files away, but not a second holder with this one.
    held: Mutex<HashSet<u64>>,
}

struct ByteLock {
    file: Arc<LockFile>,
    offset: u64,
}

impl LockFiles {
    pub(super) fn lock(&self, path: &Path, number: u64) -> io::Result<Option<Box<dyn DiskLock>>> {
        let (file, offset) = (self.open(path)?, offset(number));
        if !file.held.lock().unwrap_or_else(PoisonError::into_inner).insert(offset) {
            return Ok(None);
        }
        // From here on dropping the guard takes it out of the list.
        let lock = ByteLock { file, offset };
        match lock.set(libc::F_WRLCK) {
            Ok(()) => Ok(Some(Box::new(lock))),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<LockFile>> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(path) {
            return Ok(Arc::clone(file));
        }
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        let file = Arc::new(LockFile { file, held: Mutex::default() });
        files.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }
}

/// Whether another open file, of this process or of any, has locked a number.
pub(super) fn is_locked(path: &Path, number: u64) -> bool {
    let Ok(file) = File::options().read(true).open(path) else { return false };
    let mut found = byte(libc::F_WRLCK, offset(number));
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok() && i32::from(found.l_type) != libc::F_UNLCK
}

impl ByteLock {
    fn set(&self, kind: i32) -> Result<(), Errno> {
        fcntl(&self.file.file, FcntlArg::F_OFD_SETLK(&byte(kind, self.offset))).map(drop)
    }
}

impl DiskLock for ByteLock {}

impl Drop for ByteLock {
    fn drop(&mut self) {
        let mut held = self.file.held.lock().unwrap_or_else(PoisonError::into_inner);
        // What cannot be given back ends with the process.
        let _ = self.set(libc::F_UNLCK);
        held.remove(&self.offset);
    }
}

/// Offsets have a sign, and the byte after the last must have an offset too.
fn offset(number: u64) -> u64 {
    number >> 2
}

fn byte(kind: i32, offset: u64) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}
