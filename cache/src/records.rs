//! Records: what came out of the work that a key names.

use crate::artifacts::Artifacts;
use crate::commit::GroupCommit;
use crate::digest::Key;
use crate::disk::Access;
use crate::error::StoreError;
use crate::files::Files;
use crate::record::{Lookup, Record, RecordHead};
use crate::record_format::{self, RecordFormatError};
use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads a record's file, or a part of it.
type Parse<T> = fn(&[u8]) -> Result<T, RecordFormatError>;

pub(crate) struct Records {
    files: Arc<Files>,
    commit: Arc<GroupCommit>,
    artifacts: Arc<Artifacts>,
}

impl Records {
    pub(crate) fn new(files: Arc<Files>, commit: Arc<GroupCommit>, artifacts: Arc<Artifacts>) -> Self {
        Self { files, commit, artifacts }
    }

    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        let name = key.hex() + ".json";
        self.files.path(["records", &name[..2], &name])
    }

    /// Where the record lies until it is committed.
    pub(crate) fn pending_path(&self, key: &Key) -> PathBuf {
        self.files.path(["pending", &(key.hex() + ".json")])
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.read(key, record_format::from_bytes)
    }

    pub(crate) fn head(&self, key: &Key) -> Result<Option<RecordHead>, StoreError> {
        self.read(key, record_format::head_from_bytes)
    }

    pub(crate) fn look_up(&self, key: &Key) -> Result<Option<Lookup>, StoreError> {
        let Some(head) = self.head(key)? else { return Ok(None) };
        // Of another length: a copy that broke off, or a file that lost its end.
        let is_there = |output: &String, digest| {
            let expected = head.lengths.get(output);
            self.artifacts.length(digest).is_some_and(|found| expected.is_none_or(|length| *length == found))
        };
        let missing = head.outputs.iter().filter(|(output, digest)| !is_there(output, digest));
        let missing = missing.map(|(output, _)| output.clone()).collect();
        Ok(Some(Lookup { head, missing }))
    }

    pub(crate) fn put(&self, record: &Record) -> Result<(), StoreError> {
        let path = self.path(&record.key);
        let failed =
            |source| StoreError::io(format!("writing record {}{}", Key::PREFIX, record.key.short()), &path, source);
        let bytes = record_format::to_bytes(record).map_err(|error| failed(error.into()))?;
        if self.files.disk.status(&path).is_ok() {
            // It would hide a pending one. Rare: the node ran again because an artifact was lost.
            self.commit.add_artifacts(self.artifacts_of(record));
            self.commit.commit()?;
            return self.files.write_atomic(&path, &bytes).map_err(failed);
        }
        let pending = self.pending_path(&record.key);
        self.files.write_whole(&pending, &bytes, Access::Shared).map_err(failed)?;
        self.commit.add_record(pending, path.clone(), self.artifacts_of(record));
        self.commit.commit_soon()
    }

    /// The key of every record, pending ones too, sorted.
    pub(crate) fn keys(&self) -> Result<Vec<Key>, StoreError> {
        // In the direction in which they move: one that is committed meanwhile is in one list or in both.
        let mut names = self.files.names_in(&self.files.path(["pending"]))?;
        names.extend(self.files.fanned_out("records")?);
        let key = |name: &String| format!("{}{}", Key::PREFIX, name.strip_suffix(".json")?).parse().ok();
        let mut keys: Vec<Key> = names.iter().filter_map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn artifacts_of(&self, head: &RecordHead) -> impl Iterator<Item = PathBuf> {
        head.outputs.values().map(|digest| self.artifacts.path(digest))
    }

    /// The record under a key, or of it what `parse` takes in.
    fn read<T: Borrow<RecordHead>>(&self, key: &Key, parse: Parse<T>) -> Result<Option<T>, StoreError> {
        let path = self.path(key);
        let look = || self.files.read_if_there("reading a record", &path);
        let bytes = match look()? {
            Some(bytes) => bytes,
            None => match self.pending(key, parse)? {
                Some(found) => return Ok(Some(found)),
                // Another process may have given it its final name between the two looks.
                None => match look()? {
                    Some(bytes) => bytes,
                    None => return Ok(None),
                },
            },
        };
        let what = || format!("record {}{}", Key::PREFIX, key.short());
        match parse(&bytes) {
            Ok(record) if record.borrow().key == *key => return Ok(Some(record)),
            Ok(_) => self.files.set_aside(&what(), &path, "it belongs to another key"),
            Err(error @ RecordFormatError::Version { .. }) => {
                self.files.warn(format!("{} counts as absent: {error} ({})", what(), path.display()));
            }
            Err(error) => self.files.set_aside(&what(), &path, &error.to_string()),
        }
        Ok(None)
    }

    /// The record in its pending place, if it can be trusted.
    fn pending<T: Borrow<RecordHead>>(&self, key: &Key, parse: Parse<T>) -> Result<Option<T>, StoreError> {
        let path = self.pending_path(key);
        let Some(bytes) = self.files.read_if_there("reading a record", &path)? else { return Ok(None) };
        // A loss of power leaves torn ones; their nodes run again and replace them.
        let Ok(found) = parse(&bytes) else { return Ok(None) };
        let head = found.borrow();
        if head.key != *key {
            return Ok(None);
        }
        if !self.commit.is_trusted(&path) {
            if head.outputs.values().any(|digest| self.artifacts.get(digest).is_err()) {
                return Ok(None);
            }
            self.commit.add_record(path, self.path(key), self.artifacts_of(head));
        }
        Ok(Some(found))
    }
}
