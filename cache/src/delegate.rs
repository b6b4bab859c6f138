//! Every type that has [`Objects`](crate::objects::Objects) is a [`Store`]. The trait cannot be named outside this
//! crate, so other implementations of [`Store`] stay possible.

use crate::blob::Blob;
use crate::claims::Claim;
use crate::digest::{Digest, Key};
use crate::error::StoreError;
use crate::journal::{Journal, JournalWriter};
use crate::record::{Lookup, Record, RecordHead};
use crate::store::Store;

/// Gives the store that does the work.
pub trait HasObjects: Send + Sync {
    #[doc(hidden)]
    fn objects(&self) -> &dyn Store;

    /// Called when there is something to settle.
    #[doc(hidden)]
    fn settle_soon(&self) {}
}

impl<T: HasObjects> Store for T {
    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.objects().put(bytes)
    }
    fn get(&self, digest: &Digest) -> Result<Blob, StoreError> {
        self.objects().get(digest)
    }
    fn contains(&self, digest: &Digest) -> bool {
        self.objects().contains(digest)
    }
    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.objects().record(key)
    }
    fn record_head(&self, key: &Key) -> Result<Option<RecordHead>, StoreError> {
        self.objects().record_head(key)
    }
    fn look_up(&self, key: &Key) -> Result<Option<Lookup>, StoreError> {
        self.objects().look_up(key)
    }
    fn put_record(&self, record: &Record) -> Result<(), StoreError> {
        self.objects().put_record(record)?;
        self.settle_soon();
        Ok(())
    }
    fn settle(&self) -> Result<(), StoreError> {
        self.objects().settle()
    }
    fn claim(&self, key: &Key) -> Claim {
        self.objects().claim(key)
    }
    fn checkpoint(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.objects().checkpoint(key)
    }
    fn put_checkpoint(&self, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        self.objects().put_checkpoint(key, bytes)
    }
    fn clear_checkpoint(&self, key: &Key) -> Result<(), StoreError> {
        self.objects().clear_checkpoint(key)
    }
    fn states(&self, lineage: &Key) -> Vec<u64> {
        self.objects().states(lineage)
    }
    fn state(&self, lineage: &Key, reached: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.objects().state(lineage, reached)
    }
    fn put_state(&self, lineage: &Key, reached: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.objects().put_state(lineage, reached, bytes)
    }
    fn journal(&self, run: &str) -> Result<Box<dyn JournalWriter>, StoreError> {
        self.objects().journal(run)
    }
    fn read_journal(&self, run: &str) -> Result<Option<Journal>, StoreError> {
        self.objects().read_journal(run)
    }
    fn first_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        self.objects().first_line(run)
    }
    fn is_running(&self, run: &str) -> bool {
        self.objects().is_running(run)
    }
    fn runs(&self) -> Result<Vec<String>, StoreError> {
        self.objects().runs()
    }
    fn last_key_of(&self, pipeline: &str, node: &str) -> Option<Key> {
        self.objects().last_key_of(pipeline, node)
    }
    fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError> {
        self.objects().remember(pipeline, keys)
    }
    fn take_warnings(&self) -> Vec<String> {
        self.objects().take_warnings()
    }
}
