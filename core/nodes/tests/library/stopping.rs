//! A store that asks the run to stop when a certain checkpoint was written.

use std::sync::atomic::{AtomicU64, Ordering};

use pddflow_cache::{Blob, Digest, Journal, JournalWriter, Key, Record, Store, StoreError};
use pddflow_runner::Cancel;

pub(crate) struct StoppingStore<'a> {
    inner: &'a dyn Store,
    left: AtomicU64,
    cancel: Cancel,
}

impl<'a> StoppingStore<'a> {
    /// `checkpoint` counts from 1.
    pub(crate) fn new(inner: &'a dyn Store, checkpoint: u64, cancel: Cancel) -> Self {
        Self { inner, left: AtomicU64::new(checkpoint), cancel }
    }
}

impl Store for StoppingStore<'_> {
    fn put_checkpoint(&self, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.put_checkpoint(key, bytes)?;
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.cancel.stop();
        }
        Ok(())
    }

    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.inner.put(bytes)
    }

    fn get(&self, digest: &Digest) -> Result<Blob, StoreError> {
        self.inner.get(digest)
    }

    fn contains(&self, digest: &Digest) -> bool {
        self.inner.contains(digest)
    }

    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.record(key)
    }

    fn put_record(&self, record: &Record) -> Result<(), StoreError> {
        self.inner.put_record(record)
    }

    fn checkpoint(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.checkpoint(key)
    }

    fn clear_checkpoint(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.clear_checkpoint(key)
    }

    fn journal(&self, run: &str) -> Result<Box<dyn JournalWriter>, StoreError> {
        self.inner.journal(run)
    }

    fn read_journal(&self, run: &str) -> Result<Option<Journal>, StoreError> {
        self.inner.read_journal(run)
    }

    fn runs(&self) -> Result<Vec<String>, StoreError> {
        self.inner.runs()
    }

    fn last_key_of(&self, pipeline: &str, node: &str) -> Option<Key> {
        self.inner.last_key_of(pipeline, node)
    }

    fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError> {
        self.inner.remember(pipeline, keys)
    }

    fn take_warnings(&self) -> Vec<String> {
        self.inner.take_warnings()
    }
}
