//! Claims: how several processes on one store share work instead of doing it twice.
//!
//! A process that is about to compute a key takes `v1/claims/<key>`, a file under a lock of the operating system. The
//! lock ends with its process, however that ends, so nothing is ever left to be removed by hand; a file without a lock
//! means nothing. A claim is only advice: where there is no such lock (some network file systems, a store that cannot
//! be written) work may be done twice, which is a waste and no harm, because both give the same bytes under the same
//! names.

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

impl Objects {
    pub(crate) fn claim_file(&self, path: &Path) -> Claim {
        let claimed = match self.disk.claim(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folders(path.parent().unwrap_or(Path::new(""))).and_then(|()| self.disk.claim(path))
            }
            other => other,
        };
        match claimed {
            Ok(Some(claimed)) => Claim::Held(ClaimGuard { _claimed: claimed }),
            Ok(None) => Claim::Elsewhere,
            Err(_) => Claim::Unavailable,
        }
    }

    /// The file that a living run holds.
    pub(crate) fn running_path(&self, run: &str) -> PathBuf {
        self.base.join("runs").join(run).join("running")
    }
}
