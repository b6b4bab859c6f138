//! [`Watch`]: the store as a node sees it. It notes which artifacts could not be read, so that the runner can have
//! them made again, whatever the node's own error says.

use pddflow_cache::{
    Blob, Claim, Digest, Journal, JournalWriter, Key, Lookup, Record, RecordHead, Store, StoreError, StoreErrorKind,
};
use std::sync::{Mutex, PoisonError};

pub(crate) struct Watch<'a> {
    store: &'a dyn Store,
    lost: Mutex<Vec<Digest>>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(store: &'a dyn Store) -> Self {
        Self { store, lost: Mutex::default() }
    }

    /// The artifacts that proved damaged or missing.
    pub(crate) fn into_lost(self) -> Vec<Digest> {
        let mut lost = self.lost.into_inner().unwrap_or_else(PoisonError::into_inner);
        lost.sort_unstable();
        lost.dedup();
        lost
    }
}

impl Store for Watch<'_> {
    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.store.put(bytes)
    }
    fn get(&self, digest: &Digest) -> Result<Blob, StoreError> {
        let result = self.store.get(digest);
        if let Err(error) = &result
            && matches!(error.kind(), StoreErrorKind::Damaged { .. } | StoreErrorKind::Missing)
        {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(*digest);
        }
        result
    }
    fn contains(&self, digest: &Digest) -> bool {
        self.store.contains(digest)
    }
    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.store.record(key)
    }
    fn first_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        self.store.first_line(run)
    }
    fn record_head(&self, key: &Key) -> Result<Option<RecordHead>, StoreError> {
        self.store.record_head(key)
    }
    fn look_up(&self, key: &Key) -> Result<Option<Lookup>, StoreError> {
        self.store.look_up(key)
    }
    fn put_record(&self, record: &Record) -> Result<(), StoreError> {
        self.store.put_record(record)
    }
    fn settle(&self) -> Result<(), StoreError> {
        self.store.settle()
    }
    fn claim(&self, key: &Key) -> Claim {
        self.store.claim(key)
    }
    fn checkpoint(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.checkpoint(key)
    }
    fn put_checkpoint(&self, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put_checkpoint(key, bytes)
    }
    fn clear_checkpoint(&self, key: &Key) -> Result<(), StoreError> {
        self.store.clear_checkpoint(key)
    }
    fn states(&self, lineage: &Key) -> Vec<u64> {
        self.store.states(lineage)
    }
    fn state(&self, lineage: &Key, reached: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.state(lineage, reached)
    }
    fn put_state(&self, lineage: &Key, reached: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put_state(lineage, reached, bytes)
    }
    fn journal(&self, run: &str) -> Result<Box<dyn JournalWriter>, StoreError> {
        self.store.journal(run)
    }
    fn read_journal(&self, run: &str) -> Result<Option<Journal>, StoreError> {
        self.store.read_journal(run)
    }
    fn is_running(&self, run: &str) -> bool {
        self.store.is_running(run)
    }
    fn runs(&self) -> Result<Vec<String>, StoreError> {
        self.store.runs()
    }
    fn last_key_of(&self, pipeline: &str, node: &str) -> Option<Key> {
        self.store.last_key_of(pipeline, node)
    }
    fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError> {
        self.store.remember(pipeline, keys)
    }
    fn take_warnings(&self) -> Vec<String> {
        self.store.take_warnings()
    }
}
