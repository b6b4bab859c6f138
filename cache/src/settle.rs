//! Settling: how results come to survive a loss of power without a sync for each of them.
//!
//! A sync takes longer than a small node. So what a node gives is *written* at once, which is all that is needed to
//! survive the end of the process, and *settled* in batches:
//!
//! ```text
//! put          artifacts/ab/<digest>      written, renamed, not synced
//! put_record   pending/<key>.json         written, renamed, not synced
//! settle       sync every artifact, every pending record, their folders
//!              rename pending/<key>.json -> records/ab/<key>.json
//!              remove checkpoints of finished work
//! ```
//!
//! A record is in `records/` only after its artifacts were synced, so it can be trusted. One that is found in
//! `pending/` was left by a kill, by a loss of power, or is of a process that is at work now: it counts only if every
//! artifact that it names is there with the right digest. So:
//!
//! | what happens | a result that was written | a result that was settled |
//! |---|---|---|
//! | the process is killed | found in `pending/`, verified, taken | found |
//! | the power is lost | as above if it reached the disk, else its node runs again | found |
//!
//! What is still under way when the rename is lost is found in `pending/`, whose entry was synced before. A checkpoint
//! is only removed once the result that makes it useless has settled. Settling goes on in the background while a run
//! runs and is waited for at its end.

use crate::digest::{Digest, Key};
use crate::error::StoreError;
use crate::objects::{Objects, Parse, ignore_missing, lock, parent};
use crate::record::RecordHead;
use crate::store::Store as _;
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// From so many files on, one sync of the whole file system is quicker than one of each file.
const LEAST_FOR_ALL: usize = 24;

/// What was written and not settled.
#[derive(Default)]
pub(crate) struct Unsettled {
    waiting: Mutex<Batch>,
    /// Records that this process wrote or verified: they need no look at their artifacts.
    trusted: Mutex<HashSet<Key>>,
    /// Keys whose checkpoint counts as gone, though its file waits for the result to settle.
    cleared: Mutex<HashSet<Key>>,
    /// Held by the one thread that settles.
    settling: Mutex<()>,
}

#[derive(Default)]
struct Batch {
    artifacts: BTreeSet<PathBuf>,
    records: BTreeSet<Key>,
    /// Keys whose checkpoints go.
    done: BTreeSet<Key>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.artifacts.is_empty() && self.records.is_empty() && self.done.is_empty()
    }
}

impl Objects {
    pub(crate) fn pending_path(&self, key: &Key) -> PathBuf {
        self.base.join("pending").join(key.hex() + ".json")
    }

    /// Notes that an artifact was written.
    pub(crate) fn note_artifact(&self, path: PathBuf) {
        lock(&self.unsettled.waiting).artifacts.insert(path);
    }

    /// Notes that a record was written to its pending place, and which artifacts must be durable before it counts.
    pub(crate) fn note_record(&self, record: &RecordHead) {
        lock(&self.unsettled.trusted).insert(record.key);
        let mut waiting = lock(&self.unsettled.waiting);
        waiting.artifacts.extend(record.outputs.values().map(|digest| self.artifact_path(digest)));
        waiting.records.insert(record.key);
    }

    /// Whether the checkpoint of this key must wait for the result to settle; it is then removed after it.
    pub(crate) fn clear_later(&self, key: &Key) -> bool {
        let pending = lock(&self.unsettled.trusted).contains(key);
        if pending {
            lock(&self.unsettled.cleared).insert(*key);
            lock(&self.unsettled.waiting).done.insert(*key);
        }
        pending
    }

    /// Whether this process has cleared the checkpoint of a key whose result has not settled.
    pub(crate) fn is_cleared(&self, key: &Key) -> bool {
        lock(&self.unsettled.cleared).contains(key)
    }

    /// The checkpoint of a key is a new one.
    pub(crate) fn keep_checkpoint(&self, key: &Key) {
        lock(&self.unsettled.waiting).done.remove(key);
        lock(&self.unsettled.cleared).remove(key);
    }

    /// The record in the pending place, if it can be trusted.
    pub(crate) fn pending_record<T: Borrow<RecordHead>>(
        &self,
        key: &Key,
        parse: Parse<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.read_if_there("reading a record", &self.pending_path(key))? else { return Ok(None) };
        // A loss of power leaves torn ones; their nodes run again and replace them.
        let Ok(found) = parse(&bytes) else { return Ok(None) };
        let record = found.borrow();
        if record.key != *key {
            return Ok(None);
        }
        if !lock(&self.unsettled.trusted).contains(key) {
            let whole = |digest: &Digest| self.get(digest).is_ok();
            if !record.outputs.values().all(whole) {
                return Ok(None);
            }
            self.note_record(record);
        }
        Ok(Some(found))
    }

    /// Makes everything that was written so far survive a loss of power.
    pub(crate) fn settle_all(&self) -> Result<(), StoreError> {
        let _one = lock(&self.unsettled.settling);
        let batch = std::mem::take(&mut *lock(&self.unsettled.waiting));
        if batch.is_empty() {
            return Ok(());
        }
        let settled = self.settle_batch(&batch);
        let mut trusted = lock(&self.unsettled.trusted);
        batch.records.iter().for_each(|key| {
            trusted.remove(key);
        });
        settled.map_err(|error| StoreError::io("making results durable", &self.base, error))
    }

    fn settle_batch(&self, batch: &Batch) -> io::Result<()> {
        self.sync_batch(batch)?;
        for key in &batch.records {
            // Another process that found the record may have been quicker.
            ignore_missing(self.rename(&self.pending_path(key), &self.record_path(key)))?;
        }
        for key in &batch.done {
            self.remove_checkpoint(key)?;
            lock(&self.unsettled.cleared).remove(key);
        }
        Ok(())
    }

    fn sync_batch(&self, batch: &Batch) -> io::Result<()> {
        let records: BTreeSet<PathBuf> = batch.records.iter().map(|key| self.record_path(key)).collect();
        let folders: BTreeSet<&Path> = batch.artifacts.iter().chain(&records).map(|path| parent(path)).collect();
        let pending = self.base.join("pending");
        if batch.artifacts.len() + batch.records.len() >= LEAST_FOR_ALL {
            for folder in folders.iter().filter(|folder| !self.is_durable(folder)) {
                self.make_folders(folder)?;
            }
            self.make_durable_folders(&self.base)?;
            if self.disk.sync_all(&self.base)? {
                self.note_durable(&folders);
                return Ok(());
            }
        }
        for artifact in &batch.artifacts {
            // One that was found damaged meanwhile is in quarantine.
            ignore_missing(self.disk.sync_file(artifact))?;
        }
        for key in &batch.records {
            ignore_missing(self.disk.sync_file(&self.pending_path(key)))?;
        }
        for folder in &folders {
            self.make_durable_folders(folder)?;
        }
        for folder in batch.artifacts.iter().map(|path| parent(path)).collect::<BTreeSet<_>>() {
            self.disk.sync_folder(folder)?;
        }
        if batch.records.is_empty() {
            return Ok(());
        }
        self.make_durable_folders(&pending)?;
        self.disk.sync_folder(&pending)
    }
}
