//! Claims: how several processes on one store share work instead of doing it twice, and know of each other's runs.
//!
//! A process that is about to compute a key takes a number made of it in `v1/claims`, under a lock of the operating system;
//! so does a run with its id. The lock ends with its process, however that ends, so nothing is ever left to be removed by
//! hand; a file without a lock means nothing. Two keys of one number (there are 2^62) would only be computed one after the
//! other. A claim is advice: where there is no such lock (some network file systems, a store that cannot be written) work
//! may be done twice, which is a waste and no harm, because both give the same bytes under the same names.

use crate::digest::{Digest, Key};
use crate::disk::Claimed;
use crate::objects::Objects;
use std::io;
use std::path::{Path, PathBuf};

/// What became of the wish to compute a key.
pub enum Claim {
    /// It is ours until the guard is dropped.
    Held(ClaimGuard),
    /// Another process, or another user of this store in this process, is computing it.
    Elsewhere,
    /// Claims cannot be had in this store: compute it.
    Unavailable,
}

/// Gives a claim back when it is dropped.
pub struct ClaimGuard {
    _claimed: Box<dyn Claimed>,
}

impl From<io::Result<Option<Box<dyn Claimed>>>> for Claim {
    fn from(taken: io::Result<Option<Box<dyn Claimed>>>) -> Self {
        match taken {
            Ok(Some(claimed)) => Self::Held(ClaimGuard { _claimed: claimed }),
            Ok(None) => Self::Elsewhere,
            Err(_) => Self::Unavailable,
        }
    }
}

impl Objects {
    pub(crate) fn claim_key(&self, key: &Key) -> Claim {
        self.claim_number(number_of(key.as_bytes()))
    }

    /// Says that a run is going on, until the guard is dropped.
    pub(crate) fn claim_run(&self, run: &str) -> Claim {
        self.claim_number(number_of_run(run))
    }

    /// Whether a process says so of a run.
    pub(crate) fn is_run_claimed(&self, run: &str) -> bool {
        self.disk.is_taken(&self.claims_folder(), number_of_run(run))
    }

    fn claim_number(&self, number: u64) -> Claim {
        let claims = self.claims.get_or_init(|| {
            let folder = self.claims_folder();
            self.in_folder(&folder, || self.disk.claims(&folder)).ok()
        });
        claims.as_ref().map_or(Claim::Unavailable, |claims| claims.take(number).into())
    }

    /// Does it, in a folder that is made if it is missing.
    fn in_folder<T>(&self, folder: &Path, does: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match does() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_folders(folder).and_then(|()| does()),
            other => other,
        }
    }

    pub(crate) fn claims_folder(&self) -> PathBuf {
        self.base.join("claims")
    }
}

fn number_of_run(run: &str) -> u64 {
    number_of(Digest::of(run.as_bytes()).as_bytes())
}

fn number_of(bytes: &[u8; 32]) -> u64 {
    bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
