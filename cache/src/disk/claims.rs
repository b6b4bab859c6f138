//! Many claims for a short time each.
//!
//! A file that is made and removed for every node costs as much as the node's results do, and on ext4 without a journal
//! more with every node: the number of a removed file is given to no other for minutes, and each new file goes through
//! all such numbers. So where the system can lock single bytes for an open file (Linux), the claims of a store are bytes of
//! one file.

use super::{Claimed, Disk};
use std::io;
use std::path::{Path, PathBuf};

/// The file in the folder of claims whose bytes are claimed; it stays.
pub(crate) const BYTES_FILE: &str = "bytes";

/// Numbers that one holder at a time can have, among all processes; see [`Disk::claims`].
pub(crate) trait Claims: Send + Sync {
    /// Takes a number; none while another holder has it. It is given back as a [`Disk::claim`] is.
    fn take(&self, number: u64) -> io::Result<Option<Box<dyn Claimed>>>;
}

/// A file for each number.
pub(crate) struct FileClaims<D> {
    pub(crate) disk: D,
    pub(crate) folder: PathBuf,
}

impl<D: Disk> Claims for FileClaims<D> {
    fn take(&self, number: u64) -> io::Result<Option<Box<dyn Claimed>>> {
        self.disk.claim(&file_of(&self.folder, number))
    }
}

/// The file of a number.
pub(super) fn file_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}"))
}

#[cfg(target_os = "linux")]
pub(super) use bytes::{ByteClaims, is_byte_taken};

#[cfg(target_os = "linux")]
mod bytes {
    use super::{BYTES_FILE, Claimed, Claims};
    use crate::objects::lock;
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    use std::collections::HashSet;
    use std::fs::File;
    use std::io;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    /// A byte of one file for each number.
    pub(in crate::disk) struct ByteClaims(Arc<Shared>);

    struct Shared {
        file: File,
        /// The system keeps other open files away, but not a second taker with this one.
        held: Mutex<HashSet<u64>>,
    }

    struct ByteClaim {
        shared: Arc<Shared>,
        number: u64,
    }

    impl ByteClaims {
        pub(in crate::disk) fn open(folder: &Path) -> io::Result<Self> {
            let file = File::options().write(true).create(true).truncate(false).open(folder.join(BYTES_FILE))?;
            Ok(Self(Arc::new(Shared { file, held: Mutex::default() })))
        }
    }

    impl Claims for ByteClaims {
        fn take(&self, number: u64) -> io::Result<Option<Box<dyn Claimed>>> {
            let shared = &self.0;
            let number = offset(number);
            if !lock(&shared.held).insert(number) {
                return Ok(None);
            }
            // From here on dropping the guard takes it out of the list.
            let claim = ByteClaim { shared: Arc::clone(shared), number };
            match shared.set(libc::F_WRLCK, number) {
                Ok(()) => Ok(Some(Box::new(claim))),
                Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
    }

    impl Shared {
        fn set(&self, kind: i32, number: u64) -> Result<(), Errno> {
            fcntl(&self.file, FcntlArg::F_OFD_SETLK(&byte(kind, number))).map(drop)
        }
    }

    /// Whether another open file, of this process or of any, holds the byte of a number.
    pub(in crate::disk) fn is_byte_taken(folder: &Path, number: u64) -> bool {
        let Ok(file) = File::options().read(true).open(folder.join(BYTES_FILE)) else { return false };
        let mut found = byte(libc::F_WRLCK, offset(number));
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok() && i32::from(found.l_type) != libc::F_UNLCK
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

    impl Claimed for ByteClaim {}

    impl Drop for ByteClaim {
        fn drop(&mut self) {
            let mut held = lock(&self.shared.held);
            // What cannot be given back ends with the process.
            let _ = self.shared.set(libc::F_UNLCK, self.number);
            held.remove(&self.number);
        }
    }
}
