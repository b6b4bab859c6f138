//! [`FsStore`]: a store in a folder.
//!
//! ```text
//! <root>/
//!   v1/                                another layout gets another folder, never a migration
//!     artifacts/ab/<64 hex>            bytes; the name is their digest; not writable
//!     records/ab/<64 hex>.json         the record under that key; ends with its own digest
//!     pending/<64 hex>.json            a record whose artifacts may not be durable yet; see `settle.rs`
//!     partial/<64 hex>/state           checkpoint of unfinished work under that key; footer with digest
//!     states/<64 hex>/<reached>        where finished work of that lineage ended; footer with digest
//!     collected                        its time: when the store was last collected
//!     runs/<id>/journal                lines of checked JSON
//!     claims/bytes                     the byte of a key is locked while it is computed, that of a run while it lives;
//!                                      see `disk/claims.rs`
//!     names/<12 hex>.jsonl             last key of each node, by pipeline; advisory
//!     hints/<12 hex>                   what was noted in order to be quicker the next time; footer with digest
//!     quarantine/<name>.<unique>       damaged files, kept for inspection
//!     **/.new-*                        not complete yet, or left by a kill; nobody reads them
//! ```

use crate::collect::{CollectRules, Collected, KeyUse};
use crate::delegate::HasObjects;
use crate::digest::{Digest, Key};
use crate::disk::real::RealDisk;
use crate::error::StoreError;
use crate::incoming::Incoming;
use crate::inspect::Verified;
use crate::objects::{Objects, lock};
use crate::stamp::Stamp;
use crate::store::Store;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

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
    objects: Arc<Objects>,
    settler: OnceLock<Option<Settler>>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// After settling, so long is waited before the next time: more results share a sync.
const SETTLE_INTERVAL: Duration = Duration::from_millis(50);

/// The thread that settles in the background, started with the first record.
struct Settler {
    wish: Arc<(Mutex<Wish>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is asked for.
#[derive(Default)]
struct Wish {
    settle: bool,
    end: bool,
}

impl Settler {
    fn start(objects: Arc<Objects>) -> Option<Self> {
        let wish: Arc<(Mutex<Wish>, Condvar)> = Arc::default();
        let asked = Arc::clone(&wish);
        let work = move || {
            let (wish, changed) = &*asked;
            loop {
                let idle = changed.wait_while(lock(wish), |wish| !wish.settle && !wish.end);
                let mut woken = idle.unwrap_or_else(PoisonError::into_inner);
                if woken.end {
                    return;
                }
                woken.settle = false;
                drop(woken);
                if let Err(error) = objects.settle() {
                    objects.warn(format!("{error}; {}", error.help()));
                }
                drop(changed.wait_timeout_while(lock(wish), SETTLE_INTERVAL, |wish| !wish.end));
            }
        };
        let thread = std::thread::Builder::new().name("pddflow-settler".to_owned()).spawn(work).ok()?;
        Some(Self { wish, thread: Some(thread) })
    }

    fn ask(&self, change: impl FnOnce(&mut Wish)) {
        change(&mut lock(&self.wish.0));
        self.wish.1.notify_one();
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.ask(|wish| wish.end = true);
        // A panic there was told by the hook.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for FsStore {
    fn drop(&mut self) {
        self.objects.ahead.end();
        // A panic there was told by the hook.
        let _ = lock(&self.reader).take().map(JoinHandle::join);
        if self.settler.take().is_some() {
            // Nobody is left to be told; what did not settle is verified when it is read.
            let _ = self.objects.settle();
        }
    }
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
        let objects = Objects::new(Box::new(RealDisk), root);
        objects.set_lazy(true);
        Ok(Self {
            root: root.to_owned(),
            objects: Arc::new(objects),
            settler: OnceLock::new(),
            reader: Mutex::default(),
        })
    }

    /// The folder it was opened at.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Begins to read, on a thread of its own, what the nodes of a pipeline gave last time. To be called before the
    /// pipeline is planned; the first call of [`Store::look_up`] ends it.
    pub fn read_ahead(&self, pipeline: &str) {
        *lock(&self.reader) = self.objects.read_ahead(pipeline);
    }

    /// What was last noted under a name with [`Self::put_hint`]; nothing if it was lost or damaged.
    #[must_use]
    pub fn hint(&self, name: &str) -> Option<Vec<u8>> {
        self.objects.hint(name)
    }

    /// Notes something in order to be quicker the next time. Nothing may depend on it: it is not synced.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn put_hint(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.objects.put_hint(name, bytes)
    }

    /// Where an artifact lies, or would lie.
    #[must_use]
    pub fn artifact_path(&self, digest: &Digest) -> PathBuf {
        self.objects.artifact_path(digest)
    }

    /// The stamp of an artifact when this process last looked whether it is there. None if it is not, or if it may change
    /// without getting another one; see [`Stamp::settled`].
    #[must_use]
    pub fn artifact_stamp(&self, digest: &Digest) -> Option<Stamp> {
        self.objects.settled_stamp(digest)
    }

    /// Begins to take in an artifact of this digest, piece by piece; see [`Incoming`].
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn receive(&self, digest: &Digest) -> Result<Incoming<'_>, StoreError> {
        self.objects.receive(digest)
    }

    /// The key of every record, sorted.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn record_keys(&self) -> Result<Vec<Key>, StoreError> {
        self.objects.record_keys()
    }

    /// Every artifact, sorted.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn artifacts(&self) -> Result<Vec<Digest>, StoreError> {
        self.objects.artifacts()
    }

    /// Reads every byte of the store on so many threads; what is damaged is moved to quarantine, as by any reader.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn verify(&self, threads: usize) -> Result<Verified, StoreError> {
        self.objects.verify(threads)
    }

    /// Removes artifacts that are not needed, within limits. `used` says which records runs used, and when.
    ///
    /// # Errors
    /// The store cannot be read. What cannot be removed is no error.
    pub fn collect(&self, used: &HashMap<Key, KeyUse>, rules: &CollectRules) -> Result<Collected, StoreError> {
        self.objects.collect(used, rules, SystemTime::now())
    }

    /// Whether the last call of [`Self::note_collected`] is longer ago, or there was none.
    #[must_use]
    pub fn collect_due(&self, interval: Duration) -> bool {
        let noted = fs_err::metadata(self.marker()).and_then(|metadata| metadata.modified());
        let ago = |then: SystemTime| SystemTime::now().duration_since(then).unwrap_or_default();
        noted.map_or(true, |then| ago(then) > interval)
    }

    /// Notes that the store was collected now.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn note_collected(&self) -> Result<(), StoreError> {
        let marker = self.marker();
        fs_err::write(&marker, "").map_err(|error| StoreError::io("noting the collection", &marker, error))
    }

    fn marker(&self) -> PathBuf {
        self.root.join("v1").join("collected")
    }

    /// Where a record lies, or would lie.
    #[must_use]
    pub fn record_path(&self, key: &Key) -> PathBuf {
        self.objects.record_path(key)
    }
}

impl HasObjects for FsStore {
    fn objects(&self) -> &dyn Store {
        self.objects.as_ref()
    }

    fn settle_soon(&self) {
        let settler = self.settler.get_or_init(|| Settler::start(Arc::clone(&self.objects)));
        // Without the thread the end of the run settles everything.
        if let Some(settler) = settler {
            settler.ask(|wish| wish.settle = true);
        }
    }
}
