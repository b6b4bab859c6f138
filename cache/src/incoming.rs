//! Taking in what another store has: an artifact that arrives in pieces, and a record as it lies in a file.
//!
//! | what arrives | when it counts |
//! |---|---|
//! | an artifact | when all its pieces are there and have its digest; before that it has a name that nobody looks for |
//! | a record | when it is one by the rules by which a file of this store is read, and is the one that was asked for |

use crate::digest::{Digest, Key};
use crate::disk::{Access, DiskFile};
use crate::error::{RecordError, StoreError};
use crate::objects::{NEW_PREFIX, Objects, parent};
use crate::record::Record;
use crate::record_format;
use std::io;
use std::path::PathBuf;

/// An artifact that arrives in pieces. Dropping it forgets what has arrived.
pub struct Incoming<'a> {
    objects: &'a Objects,
    digest: Digest,
    hasher: blake3::Hasher,
    /// None once it has its name.
    new: Option<(PathBuf, Box<dyn DiskFile>)>,
}

impl Objects {
    /// Begins an artifact that is to have this digest.
    pub(crate) fn receive(&self, digest: &Digest) -> Result<Incoming<'_>, StoreError> {
        let path = self.artifact_path(digest);
        let folder = parent(&path);
        let new = folder.join(format!("{NEW_PREFIX}{}", self.unique()));
        let file = match self.disk.create(&new, Access::ReadOnly) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folders(folder).and_then(|()| self.disk.create(&new, Access::ReadOnly))
            }
            other => other,
        };
        let file = file.map_err(|error| failed(digest, error, &path))?;
        Ok(Incoming { objects: self, digest: *digest, hasher: blake3::Hasher::new(), new: Some((new, file)) })
    }
}

impl Incoming<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// The disk is full, the store is read-only, or the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        let Some((_, file)) = &mut self.new else { return Ok(()) };
        file.write_all(bytes).map_err(|error| failed(&self.digest, error, &self.objects.artifact_path(&self.digest)))
    }

    /// Stores what has arrived, if it is the artifact. False if its digest is another one: nothing is stored then.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<bool, StoreError> {
        if Digest::from_bytes(*self.hasher.finalize().as_bytes()) != self.digest {
            return Ok(false);
        }
        let Some((new, _)) = &self.new else { return Ok(false) };
        let path = self.objects.artifact_path(&self.digest);
        self.objects.rename(new, &path).map_err(|error| failed(&self.digest, error, &path))?;
        self.new = None;
        self.objects.note_artifact(path);
        Ok(true)
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if let Some((new, file)) = self.new.take() {
            drop(file);
            // What cannot be removed has a name that nobody looks for, and is collected later.
            let _ = self.objects.disk.remove(&new);
        }
    }
}

impl Record {
    /// The record as a file of a store holds it.
    ///
    /// # Errors
    /// A part of its key has no JSON.
    pub fn to_file(&self) -> Result<Vec<u8>, RecordError> {
        record_format::to_bytes(self).map_err(|error| RecordError(error.to_string()))
    }

    /// Reads the file of the record under a key, by the rules by which a store reads its own.
    ///
    /// # Errors
    /// The bytes were changed, are of another format, or are of the record of another key.
    pub fn from_file(bytes: &[u8], key: &Key) -> Result<Self, RecordError> {
        let record = record_format::from_bytes(bytes).map_err(|error| RecordError(error.to_string()))?;
        if record.key == *key { Ok(record) } else { Err(RecordError("it belongs to another key".to_owned())) }
    }
}

fn failed(digest: &Digest, error: io::Error, path: &std::path::Path) -> StoreError {
    StoreError::io(format!("writing artifact {}{}", Digest::PREFIX, digest.short()), path, error).with_digest(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyBuilder;
    use crate::{FsStore, RecordHead, Store as _};
    use std::collections::BTreeMap;

    fn left_behind(store: &FsStore) -> usize {
        let folders = fs_err::read_dir(store.root().join("v1/artifacts")).unwrap();
        folders.map(|folder| fs_err::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }

    #[test]
    fn pieces_count_when_all_of_them_are_right() {
        let folder = tempfile::tempdir().unwrap();
        let store = FsStore::open(folder.path()).unwrap();
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

    #[test]
    fn a_record_of_another_key_or_with_another_byte_is_refused() {
        let (key, parts) = KeyBuilder::new().part("kind", "train".into()).finish().unwrap();
        let (other, _) = KeyBuilder::new().part("kind", "dataset".into()).finish().unwrap();
        let outputs = [("net".to_owned(), Digest::of(b"net"))].into_iter().collect();
        let head = RecordHead {
            key,
            outputs,
            metrics: BTreeMap::from([("loss".to_owned(), f64::NAN)]),
            seconds: 1.5,
            log: Vec::new(),
            program: "test".to_owned(),
        };
        let record = Record { parts, head };
        let file = record.to_file().unwrap();
        assert_eq!(Record::from_file(&file, &key).unwrap().outputs, record.outputs);
        assert_eq!(Record::from_file(&file, &other).unwrap_err().to_string(), "it belongs to another key");
        let mut damaged = file;
        damaged[20] ^= 1;
        assert_eq!(Record::from_file(&damaged, &key).unwrap_err().to_string(), "its digest does not match");
    }
}
