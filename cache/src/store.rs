//! [`Store`]: the one thing that the rest of the program knows of all this.

use crate::artifacts::{Artifacts, Incoming};
use crate::blob::Blob;
use crate::checkpoints::Checkpoints;
use crate::commit::{GroupCommit, When};
use crate::digest::{Digest, Key};
use crate::disk::Disk;
use crate::disk::real::RealDisk;
use crate::error::StoreError;
use crate::files::Files;
use crate::journals::{Holder, Journal, JournalWriter, Journals};
use crate::locks::{Lock, Locks};
use crate::names::NamesIndex;
use crate::record::{Lookup, Record, RecordHead};
use crate::records::Records;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where artifacts, records, checkpoints and journals live.
///
/// Laws:
/// - what was put and returned `Ok` survives the end of the process; once it is committed, also a loss of power;
/// - a record that can be read has its artifacts, unless they were removed or damaged since;
/// - nothing partial is ever visible, whatever fails and whenever the process dies;
/// - bytes are checked before they are handed out; damaged ones are set aside, never returned;
/// - any number of threads and processes may use one store at once, without waiting; putting the same twice is fine.
///
/// ```
/// use pddflow_cache::Store;
///
/// let folder = tempfile::tempdir()?;
/// let store = Store::open(&folder.path().join(".pddflow"))?;
/// let digest = store.put(b"bytes")?;
/// assert_eq!(&*store.get(&digest)?, b"bytes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Store {
    pub(crate) files: Arc<Files>,
    pub(crate) commit: Arc<GroupCommit>,
    pub(crate) artifacts: Arc<Artifacts>,
    pub(crate) records: Arc<Records>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) journals: Journals,
    locks: Arc<Locks>,
    names: NamesIndex,
}

impl Store {
    /// Opens the store in a folder, which need not exist. Reads and writes nothing; folders appear with the first write.
    ///
    /// # Errors
    /// `root` is there but is not a folder.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        if fs_err::metadata(root).is_ok_and(|metadata| !metadata.is_dir()) {
            let error = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(StoreError::io("opening the store", root, error));
        }
        Ok(Self::over(Box::new(RealDisk::default()), root, When::InBackground))
    }

    pub(crate) fn over(disk: Box<dyn Disk>, root: &Path, when: When) -> Self {
        let files = Arc::new(Files::new(disk, root));
        let commit = Arc::new(GroupCommit::new(Arc::clone(&files), when));
        let artifacts = Arc::new(Artifacts::new(Arc::clone(&files), Arc::clone(&commit)));
        let records = Arc::new(Records::new(Arc::clone(&files), Arc::clone(&commit), Arc::clone(&artifacts)));
        let locks = Arc::new(Locks::new(Arc::clone(&files)));
        Self {
            checkpoints: Checkpoints::new(Arc::clone(&files), Arc::clone(&commit), Arc::clone(&records)),
            journals: Journals::new(Arc::clone(&files), Arc::clone(&locks)),
            names: NamesIndex::new(Arc::clone(&files)),
            files,
            commit,
            artifacts,
            records,
            locks,
        }
    }

    /// The folder that it was opened at.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.files.root()
    }

    /// Stores an artifact under its digest.
    ///
    /// # Errors
    /// The disk is full, the store is read-only, or the system refuses.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.artifacts.put(bytes)
    }

    /// The bytes of an artifact, checked on their first read in this process.
    ///
    /// # Errors
    /// Missing, damaged (then moved to quarantine), or unreadable.
    pub fn get(&self, digest: &Digest) -> Result<Blob, StoreError> {
        self.artifacts.get(digest)
    }

    /// Whether an artifact is there. Cheap: its bytes are not read, so they may still prove damaged.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.length(digest).is_some()
    }

    /// The length of an artifact in bytes, if it is there. As cheap as [`Self::contains`].
    #[must_use]
    pub fn length(&self, digest: &Digest) -> Option<u64> {
        self.artifacts.length(digest)
    }

    /// Where an artifact lies, or would lie.
    #[must_use]
    pub fn artifact_path(&self, digest: &Digest) -> PathBuf {
        self.artifacts.path(digest)
    }

    /// Every artifact, sorted.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn artifacts(&self) -> Result<Vec<Digest>, StoreError> {
        self.artifacts.list()
    }

    /// Begins to take in an artifact of this digest, piece by piece; see [`Incoming`].
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn receive(&self, digest: &Digest) -> Result<Incoming<'_>, StoreError> {
        self.artifacts.receive(digest)
    }

    /// The record under a key. A damaged one is moved to quarantine and counts as absent, with a warning.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.records.get(key)
    }

    /// What came out, of the record under a key: the same with less to read.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn record_head(&self, key: &Key) -> Result<Option<RecordHead>, StoreError> {
        self.records.head(key)
    }

    /// What is under a key: [`Self::record_head`], and which of its artifacts are not there.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn look_up(&self, key: &Key) -> Result<Option<Lookup>, StoreError> {
        self.records.look_up(key)
    }

    /// Stores a record under its key, replacing an earlier one. Its artifacts must have been put before.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_record(&self, record: &Record) -> Result<(), StoreError> {
        self.records.put(record)
    }

    /// The key of every record, sorted.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn record_keys(&self) -> Result<Vec<Key>, StoreError> {
        self.records.keys()
    }

    /// Where a record lies, or would lie.
    #[must_use]
    pub fn record_path(&self, key: &Key) -> PathBuf {
        self.records.path(key)
    }

    /// Makes everything that was put survive a loss of power, and waits for it (a group commit). A store on a disk also
    /// does so by itself, moments after a record was put.
    ///
    /// # Errors
    /// The system refuses. What was put is then taken after a loss of power only if its bytes prove right.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.commit.commit()
    }

    /// Asks to be the only one to compute a key; see [`Lock`].
    #[must_use]
    pub fn lock(&self, key: &Key) -> Lock {
        self.locks.lock_key(key)
    }

    /// The run of another process that has locked a key, if that can be found out.
    #[must_use]
    pub fn holder(&self, key: &Key) -> Option<Holder> {
        self.journals.holder(key)
    }

    /// The last checkpoint under a key. A damaged one is moved to quarantine and counts as absent, with a warning.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn checkpoint(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.checkpoints.get(key)
    }

    /// Stores the state of unfinished work, replacing an earlier one.
    ///
    /// # Errors
    /// As [`Self::put`]; the earlier checkpoint then stays.
    pub fn put_checkpoint(&self, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        self.checkpoints.put(key, bytes)
    }

    /// Forgets the checkpoint of finished work, if there is one.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn clear_checkpoint(&self, key: &Key) -> Result<(), StoreError> {
        self.checkpoints.clear(key)
    }

    /// How far the states reach that are kept of a lineage of work, ascending; see [`Self::put_state`].
    #[must_use]
    pub fn states(&self, lineage: &Key) -> Vec<u64> {
        self.checkpoints.states(lineage)
    }

    /// A state that was kept. A damaged one is moved to quarantine and counts as absent, with a warning.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn state(&self, lineage: &Key, reached: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.checkpoints.state(lineage, reached)
    }

    /// Keeps where finished work ended, so that work of the same lineage that goes further can begin there. It may be
    /// removed at any time.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_state(&self, lineage: &Key, reached: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.checkpoints.put_state(lineage, reached, bytes)
    }

    /// Begins the journal of a run. `run` is a new id of letters, digits, `.`, `_` and `-`.
    ///
    /// # Errors
    /// The id is not allowed or was used before; as [`Self::put`].
    pub fn journal(&self, run: &str) -> Result<JournalWriter, StoreError> {
        self.journals.begin(run)
    }

    /// The journal of a run, or none if there is no such run.
    ///
    /// # Errors
    /// The id is not allowed; the file is there but cannot be read.
    pub fn read_journal(&self, run: &str) -> Result<Option<Journal>, StoreError> {
        self.journals.read(run)
    }

    /// The first line of the journal of a run, without reading the rest; none if it has none.
    ///
    /// # Errors
    /// As [`Self::read_journal`].
    pub fn first_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        self.journals.first_line(run)
    }

    /// The last line of the journal of a finished run, without reading the rest; perhaps none of another run.
    ///
    /// # Errors
    /// As [`Self::read_journal`].
    pub fn last_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        self.journals.last_line(run)
    }

    /// Appends text to a log that is kept beside the journal of a run. `name` is of letters and digits.
    ///
    /// # Errors
    /// The id or the name is not allowed; as [`Self::put`].
    pub fn append_log(&self, run: &str, name: &str, text: &str) -> Result<(), StoreError> {
        self.journals.append_log(run, name, text)
    }

    /// A log that is kept beside the journal of a run, or none.
    ///
    /// # Errors
    /// As [`Self::read_journal`].
    pub fn read_log(&self, run: &str, name: &str) -> Result<Option<Blob>, StoreError> {
        self.journals.read_log(run, name)
    }

    /// The ids of all runs that have a journal, sorted.
    ///
    /// # Errors
    /// The folder is there but cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, StoreError> {
        self.journals.runs()
    }

    /// Whether the process of a run with a journal is alive.
    #[must_use]
    pub fn is_running(&self, run: &str) -> bool {
        self.locks.is_run_locked(run)
    }

    /// The key that a node of a pipeline had when it was last remembered. Advisory: see [`Self::remember`].
    #[must_use]
    pub fn last_key_of(&self, pipeline: &str, node: &str) -> Option<Key> {
        self.names.key_of(pipeline, node)
    }

    /// Notes which keys nodes of a pipeline have now. Only serves to say why it is stale later; it enters no key, it is
    /// not synced, and losing it loses no result.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError> {
        self.names.remember(pipeline, keys)
    }

    /// What went wrong without being an error (damaged records set aside), oldest first; each is given once.
    pub fn take_warnings(&self) -> Vec<String> {
        self.files.take_warnings()
    }
}
