//! [`FsStore`]: a store in a folder.
//!
//! ```text
//! <root>/
//!   v1/                                another layout gets another folder, never a migration
//!     artifacts/ab/<64 hex>            bytes; the name is their digest; not writable
//!     records/ab/<64 hex>.json         the record under that key; ends with its own digest
//!     pending/<64 hex>.json            a record whose artifacts may not be durable yet; see `settle.rs`
//!     partial/<64 hex>/state           checkpoint of unfinished work under that key; footer with digest
//!     runs/<id>/journal                lines of checked JSON
//!     runs/<id>/running                locked while the run lives
//!     claims/<64 hex>                  locked while that key is computed
//!     names/<12 hex>.jsonl             last key of each node, by pipeline; advisory
//!     quarantine/<name>.<unique>       damaged files, kept for inspection
//!     **/.new-*                        not complete yet, or left by a kill; nobody reads them
//! ```

use crate::delegate::HasObjects;
use crate::digest::{Digest, Key};
use crate::disk::real::RealDisk;
use crate::error::StoreError;
use crate::objects::{Objects, lock};
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

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
        Ok(Self { root: root.to_owned(), objects: Arc::new(objects), settler: OnceLock::new() })
    }

    /// The folder it was opened at.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where an artifact lies, or would lie.
    #[must_use]
    pub fn artifact_path(&self, digest: &Digest) -> PathBuf {
        self.objects.artifact_path(digest)
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
