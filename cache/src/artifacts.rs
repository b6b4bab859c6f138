//! Artifacts: bytes under their digest, written once, checked on their first read in a process.

use crate::blob::Blob;
use crate::commit::GroupCommit;
use crate::digest::Digest;
use crate::disk::{Access, Status};
use crate::error::StoreError;
use crate::files::{Files, NewFile, Quarantined, lock};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub(crate) struct Artifacts {
    files: Arc<Files>,
    commit: Arc<GroupCommit>,
    /// Artifacts whose bytes were checked by this process, and the state of the file at that time.
    verified: Mutex<HashMap<Digest, Status>>,
}

impl Artifacts {
    pub(crate) fn new(files: Arc<Files>, commit: Arc<GroupCommit>) -> Self {
        Self { files, commit, verified: Mutex::default() }
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.files.path(["artifacts", &hex[..2], &hex])
    }

    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.path(&digest);
        if let Ok((there, _)) = self.files.disk.read(&path) {
            if *there == *bytes {
                // So that a `gc` in another process sees that it is in use. Only the owner of the file may do that; a file
                // of another user may be removed by that `gc`, and its node then runs again.
                let _ = self.files.disk.touch(&path);
                return Ok(digest);
            }
            if let Quarantined::Moved(to) = self.quarantine(&digest, &path) {
                let what = format!("artifact {}{}", Digest::PREFIX, digest.short());
                self.files
                    .warn(format!("{what} was damaged; it is stored anew, {} has the damaged bytes", to.display()));
            }
        }
        let written = self.files.write_whole(&path, bytes, Access::ReadOnly);
        written.map_err(|error| unwritable(&digest, &path, error))?;
        self.commit.add_artifacts([path]);
        Ok(digest)
    }

    pub(crate) fn get(&self, digest: &Digest) -> Result<Blob, StoreError> {
        let path = self.path(digest);
        loop {
            let (blob, status) = self.files.disk.read(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => StoreError::missing(digest, &path),
                _ => about(digest, "reading", &path, error),
            })?;
            if lock(&self.verified).get(digest) == Some(&status) {
                return Ok(blob);
            }
            if Digest::of(&blob) == *digest {
                lock(&self.verified).insert(*digest, status);
                return Ok(blob);
            }
            match self.quarantine(digest, &path) {
                Quarantined::Moved(to) => return Err(StoreError::damaged(digest, &path, Some(to))),
                Quarantined::Stuck => return Err(StoreError::damaged(digest, &path, None)),
                // Stored anew in the meantime: read that.
                Quarantined::Replaced => {}
            }
        }
    }

    /// The length of an artifact in bytes, if it is there; its bytes are not read.
    pub(crate) fn length(&self, digest: &Digest) -> Option<u64> {
        let length = self.files.disk.status(&self.path(digest)).ok()?.length;
        // An empty file is what crashes of the system leave most often; only one artifact is truly empty.
        (length > 0 || *digest == Digest::of(b"")).then_some(length)
    }

    /// Every artifact, sorted.
    pub(crate) fn list(&self) -> Result<Vec<Digest>, StoreError> {
        let names = self.files.fanned_out("artifacts")?;
        Ok(names.iter().filter_map(|name| format!("{}{name}", Digest::PREFIX).parse().ok()).collect())
    }

    /// Begins an artifact that is to have this digest.
    pub(crate) fn receive(&self, digest: &Digest) -> Result<Incoming<'_>, StoreError> {
        let path = self.path(digest);
        let new = self.files.create(&path, Access::ReadOnly);
        let new = new.map_err(|error| unwritable(digest, &path, error))?;
        Ok(Incoming { artifacts: self, digest: *digest, path, hasher: blake3::Hasher::new(), new })
    }

    fn quarantine(&self, digest: &Digest, path: &Path) -> Quarantined {
        self.files.quarantine_if(path, |bytes| Digest::of(bytes) != *digest)
    }
}

/// An artifact that arrives in pieces from another store. It counts when all its pieces are there and have its digest;
/// until then it has a temporary name. Dropping it removes what has arrived.
pub struct Incoming<'a> {
    artifacts: &'a Artifacts,
    digest: Digest,
    path: PathBuf,
    hasher: blake3::Hasher,
    new: NewFile<'a>,
}

impl Incoming<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// The disk is full, the store is read-only, or the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.new.write(bytes).map_err(|error| unwritable(&self.digest, &self.path, error))
    }

    /// Stores what has arrived, if it is the artifact. False if its digest is another one: nothing is stored then.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(self) -> Result<bool, StoreError> {
        let Self { artifacts, digest, path, hasher, new } = self;
        if Digest::from_bytes(*hasher.finalize().as_bytes()) != digest {
            return Ok(false);
        }
        new.publish(&path).map_err(|error| unwritable(&digest, &path, error))?;
        artifacts.commit.add_artifacts([path]);
        Ok(true)
    }
}

fn unwritable(digest: &Digest, path: &Path, error: io::Error) -> StoreError {
    about(digest, "writing", path, error)
}

fn about(digest: &Digest, action: &str, path: &Path, error: io::Error) -> StoreError {
    StoreError::io(format!("{action} artifact {}{}", Digest::PREFIX, digest.short()), path, error).with_digest(digest)
}

#[cfg(test)]
mod tests {
    use crate::{Digest, Store};

    fn left_behind(store: &Store) -> usize {
        let folders = fs_err::read_dir(store.root().join("v1/artifacts")).unwrap();
        folders.map(|folder| fs_err::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }

    #[test]
    fn pieces_count_when_all_of_them_are_right() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let digest = Digest::of(b"two pieces");
        for (pieces, right) in [(["two ", "pieces"], true), (["two ", "faces"], false), (["two pieces", ""], true)] {
            let mut incoming = store.receive(&digest).unwrap();
            pieces.iter().for_each(|piece| incoming.write(piece.as_bytes()).unwrap());
            assert_eq!(incoming.finish().unwrap(), right, "{pieces:?}");
            assert_eq!(left_behind(&store), 1, "{pieces:?}");
        }
        assert_eq!(&*store.get(&digest).unwrap(), b"two pieces");
        let other = Digest::of(b"interrupted");
        store.receive(&other).unwrap().write(b"inter").unwrap();
        assert!(!store.contains(&other));
        assert_eq!(left_behind(&store), 1);
    }
}
