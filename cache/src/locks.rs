//! Locks: how several processes on one store share work instead of doing it twice, and know of each other's runs.
//!
//! A process that is about to compute a key locks a number made of it in `v1/locks`; so does a run with its id. A lock of
//! the operating system ends with its process, however that ends, so nothing is ever left to be removed by hand; the file
//! alone means nothing. Two keys of one number (there are 2^62) would only be computed one after the other. A lock is
//! advice: where there is none to be had (some network file systems, systems other than Linux, a store that cannot be
//! written) work may be done twice, which is a waste and no harm, because both give the same bytes under the same names.

use crate::digest::{Digest, Key};
use crate::disk::DiskLock;
use crate::files::{Files, parent};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The result of locking a key.
pub enum Lock {
    /// Locked until the guard is dropped.
    Held(LockGuard),
    /// Locked by another process, or by another thread of this one: it is being computed.
    Elsewhere,
    /// This store has no locks: compute it.
    Unavailable,
}

/// Releases a lock when it is dropped.
pub struct LockGuard {
    _lock: Box<dyn DiskLock>,
}

pub(crate) struct Locks {
    files: Arc<Files>,
    path: PathBuf,
    /// Whether the user was warned that there are none.
    warned: AtomicBool,
}

impl Locks {
    pub(crate) fn new(files: Arc<Files>) -> Self {
        let path = files.path(["locks"]);
        Self { files, path, warned: AtomicBool::new(false) }
    }

    pub(crate) fn lock_key(&self, key: &Key) -> Lock {
        self.lock(number_of(key.as_bytes()))
    }

    /// Marks a run as running until the guard is dropped.
    pub(crate) fn lock_run(&self, run: &str) -> Lock {
        self.lock(number_of_run(run))
    }

    /// Whether a run is marked as running.
    pub(crate) fn is_run_locked(&self, run: &str) -> bool {
        self.files.disk.is_locked(&self.path, number_of_run(run))
    }

    fn lock(&self, number: u64) -> Lock {
        match self.files.in_folder(parent(&self.path), || self.files.disk.lock(&self.path, number)) {
            Ok(Some(lock)) => Lock::Held(LockGuard { _lock: lock }),
            Ok(None) => Lock::Elsewhere,
            Err(error) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    let path = self.path.display();
                    self.files.warn(format!(
                        "{path} cannot be locked ({error}): processes that share this store may do the same work twice"
                    ));
                }
                Lock::Unavailable
            }
        }
    }
}

fn number_of_run(run: &str) -> u64 {
    number_of(Digest::of(run.as_bytes()).as_bytes())
}

fn number_of(bytes: &[u8; 32]) -> u64 {
    bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
