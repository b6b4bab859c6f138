//! The [`Store`] trait: what the rest of the program knows of a store.

use crate::blob::Blob;
use crate::claims::Claim;
use crate::digest::{Digest, Key};
use crate::error::StoreError;
use crate::journal::{Journal, JournalWriter};
use crate::record::{Lookup, Record, RecordHead};

/// Where artifacts, records, checkpoints and journals live.
///
/// Laws, for every implementation:
/// - what was put and returned `Ok` survives the end of the process; once it has settled, also a loss of power;
/// - a record that can be read has its artifacts, unless somebody removed or damaged them since;
/// - nothing partial is ever visible, whatever fails and whenever the process dies;
/// - bytes are checked before they are handed out; damaged ones are set aside, never returned;
/// - any number of threads and processes may use one store at once, without waiting; putting the same twice is fine.
pub trait Store: Send + Sync {
    /// Stores an artifact under its digest.
    ///
    /// # Errors
    /// The disk is full, the store is read-only, or the system refuses.
    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError>;

    /// The bytes of an artifact, checked on their first read in this process.
    ///
    /// # Errors
    /// Missing, damaged (then moved to quarantine), or unreadable.
    fn get(&self, digest: &Digest) -> Result<Blob, StoreError>;

    /// Whether an artifact is there. Cheap: its bytes are not read, so they may still prove damaged.
    fn contains(&self, digest: &Digest) -> bool;

    /// The record under a key. A damaged one is moved to quarantine and counts as absent, with a warning.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError>;

    /// What came out, of the record under a key: the same with less to read.
    ///
    /// # Errors
    /// As [`Store::record`].
    fn record_head(&self, key: &Key) -> Result<Option<RecordHead>, StoreError> {
        Ok(self.record(key)?.map(|record| record.head))
    }

    /// What is under a key: [`Store::record_head`], and which of its artifacts are not there.
    ///
    /// # Errors
    /// As [`Store::record`].
    fn look_up(&self, key: &Key) -> Result<Option<Lookup>, StoreError> {
        Ok(self.record_head(key)?.map(|head| Lookup::new(head, |digest| self.contains(digest))))
    }

    /// Stores a record under its key, replacing an earlier one. Its artifacts must have been put before.
    ///
    /// # Errors
    /// As [`Store::put`].
    fn put_record(&self, record: &Record) -> Result<(), StoreError>;

    /// Makes everything that was put survive a loss of power, and waits for it. A store on a disk also does so by
    /// itself, moments after a record was put.
    ///
    /// # Errors
    /// The system refuses. What was put is then taken after a loss of power only if its bytes prove right.
    fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Asks to be the only one to compute a key; see [`Claim`].
    fn claim(&self, _key: &Key) -> Claim {
        Claim::Unavailable
    }

    /// The last checkpoint under a key. A damaged one is moved to quarantine and counts as absent, with a warning.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    fn checkpoint(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores the state of unfinished work, replacing an earlier one.
    ///
    /// # Errors
    /// As [`Store::put`]; the earlier checkpoint then stays.
    fn put_checkpoint(&self, key: &Key, bytes: &[u8]) -> Result<(), StoreError>;

    /// Forgets the checkpoint of finished work, if there is one.
    ///
    /// # Errors
    /// As [`Store::put`].
    fn clear_checkpoint(&self, key: &Key) -> Result<(), StoreError>;

    /// How far the states reach that are kept of a lineage of work, ascending; see [`Store::put_state`].
    fn states(&self, _lineage: &Key) -> Vec<u64> {
        Vec::new()
    }

    /// A state that was kept. A damaged one is moved to quarantine and counts as absent, with a warning.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    fn state(&self, _lineage: &Key, _reached: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    /// Keeps where finished work ended, so that work of the same lineage that goes further can begin there. It may be
    /// removed at any time.
    ///
    /// # Errors
    /// As [`Store::put`].
    fn put_state(&self, _lineage: &Key, _reached: u64, _bytes: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Begins the journal of a run. `run` is a new id of letters, digits, `.`, `_` and `-`.
    ///
    /// # Errors
    /// The id is not allowed or was used before; as [`Store::put`].
    fn journal(&self, run: &str) -> Result<Box<dyn JournalWriter>, StoreError>;

    /// The journal of a run, or none if there is no such run.
    ///
    /// # Errors
    /// The id is not allowed; the file is there but cannot be read.
    fn read_journal(&self, run: &str) -> Result<Option<Journal>, StoreError>;

    /// The first line of the journal of a run, without reading the rest; none if it has none.
    ///
    /// # Errors
    /// As [`Store::read_journal`].
    fn first_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        Ok(self.read_journal(run)?.and_then(|journal| journal.lines.into_iter().next()))
    }

    /// Whether the process of a run with a journal is alive.
    fn is_running(&self, _run: &str) -> bool {
        false
    }

    /// The ids of all runs that have a journal, sorted.
    ///
    /// # Errors
    /// The folder is there but cannot be read.
    fn runs(&self) -> Result<Vec<String>, StoreError>;

    /// The key that a node of a pipeline had when it was last remembered. Advisory: see [`Store::remember`].
    fn last_key_of(&self, pipeline: &str, node: &str) -> Option<Key>;

    /// Notes which keys nodes of a pipeline have now. Only serves to say why it is stale later; it enters no key, it is
    /// not synced, and losing it loses no result.
    ///
    /// # Errors
    /// As [`Store::put`].
    fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError>;

    /// What went wrong without being an error (damaged records set aside), oldest first; each is given once.
    fn take_warnings(&self) -> Vec<String>;
}
