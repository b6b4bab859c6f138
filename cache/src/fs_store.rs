//! [`FsStore`]: a store in a folder.
//!
//! ```text
//! <root>/
//!   v1/                                another layout gets another folder, never a migration
//!     artifacts/ab/<64 hex>            bytes; the name is their digest; not writable
//!     records/ab/<64 hex>.json         the record under that key; ends with its own digest
//!     partial/<64 hex>/state           checkpoint of unfinished work under that key; footer with digest
//!     runs/<id>/journal                lines of checked JSON
//!     names/<12 hex>.jsonl             last key of each node, by pipeline; advisory
//!     quarantine/<name>.<unique>       damaged files, kept for inspection
//!     **/.new-*                        not complete yet, or left by a kill; nobody reads them
//! ```

use crate::delegate::HasObjects;
use crate::digest::{Digest, Key};
use crate::disk::real::RealDisk;
use crate::error::StoreError;
use crate::objects::Objects;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// A store in a folder of the file system. Opening reads and writes nothing; folders appear with the first write.
///
/// ```
/// use pddflow_cache::{FsStore, Store};
///
/// let folder = tempfile::tempdir()?;
/// let store = FsStore::open(&folder.path().join(".pddflow"))?;
/// let digest = store.put(b"bytes")?;
/// assert_eq!(&*store.get(&digest)?, b"bytes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FsStore {
    root: PathBuf,
    objects: Objects,
}

impl FsStore {
    /// Opens the store at `root`, which need not exist.
    ///
    /// # Errors
    /// `root` is there but is not a folder.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        if fs_err::metadata(root).is_ok_and(|metadata| !metadata.is_dir()) {
            let error = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(StoreError::io("opening the store", root, error));
        }
        Ok(Self { root: root.to_owned(), objects: Objects::new(Box::new(RealDisk), root) })
    }

    /// The folder it was opened at.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where an artifact lies, or would lie.
    #[must_use]
    pub fn artifact_path(&self, digest: &Digest) -> PathBuf {
        self.objects.artifact_path(digest)
    }

    /// Where a record lies, or would lie.
    #[must_use]
    pub fn record_path(&self, key: &Key) -> PathBuf {
        self.objects.record_path(key)
    }
}

impl HasObjects for FsStore {
    fn objects(&self) -> &dyn Store {
        &self.objects
    }
}
