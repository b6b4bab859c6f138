//! What a store does, over any [`Disk`]: the one implementation behind `FsStore` and `RamStore`.
//!
//! | file | written | found damaged |
//! |---|---|---|
//! | artifact | once, whole; settled later | quarantine, [`StoreErrorKind::Damaged`](crate::StoreErrorKind::Damaged) |
//! | record | whole; settled later | quarantine, absent, warning |
//! | checkpoint | atomically, replaced often | quarantine, absent, warning |
//! | state | atomically, once | quarantine, absent, warning |
//! | journal | appended, synced at the end | read up to the damage |
//! | names | appended, never synced | line passed over |
//! | hint | whole, never synced | absent |
//!
//! "Whole": a new file in the same folder with a name of its own; write; rename. "Atomically": the same with a sync of
//! the file before and of the folder after the rename. "Settled": see `settle.rs`.
//! On any failure the new file is removed again; after a kill it stays behind under a name that nobody looks for
//! (`.new-*`) until it is collected.

use crate::blob::Blob;
use crate::checkpoint_format;
use crate::claims::Claim;
use crate::digest::{Digest, Key};
use crate::disk::claims::Claims;
use crate::disk::{Access, Disk, DiskFile};
use crate::error::StoreError;
use crate::journal::{self, FileJournal, Journal, JournalWriter};
use crate::names::Names;
use crate::quarantine::Aside;
use crate::read_ahead::Ahead;
use crate::record::{Lookup, Record, RecordHead};
use crate::record_format::{self, RecordFormatError};
use crate::settle::Unsettled;
use crate::stamp::Stamp;
use crate::store::Store;
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

/// Begins the names of files that are not complete yet.
pub(crate) const NEW_PREFIX: &str = ".new-";
const LONGEST_RUN_ID: usize = 80;

/// Reads a record's file, or a part of it.
pub(crate) type Parse<T> = fn(&[u8]) -> Result<T, RecordFormatError>;

pub(crate) struct Objects {
    pub(crate) disk: Box<dyn Disk>,
    root: PathBuf,
    /// The `v1` folder.
    pub(crate) base: PathBuf,
    /// Artifacts whose bytes were checked by this process, and the state of the file at that time.
    verified: Mutex<HashMap<Digest, Stamp>>,
    /// Stamps of artifacts when this process last looked, of those that were settled.
    pub(crate) seen: Mutex<HashMap<Digest, Stamp>>,
    /// Held while a file gets or loses its name, so that within a process no file is moved away in another's place.
    pub(crate) renaming: Mutex<()>,
    /// Folders that this process knows to survive a loss of power.
    durable: Mutex<HashSet<PathBuf>>,
    names: Mutex<HashMap<String, Names>>,
    pub(crate) unsettled: Unsettled,
    pub(crate) ahead: Ahead,
    /// Claims of keys, if they can be had.
    pub(crate) claims: OnceLock<Option<Box<dyn Claims>>>,
    /// Whether records settle later, on [`Store::settle`], and not at once.
    lazy: AtomicBool,
    warnings: Mutex<Vec<String>>,
    /// Makes names of new files differ between processes, also on other machines.
    process: u64,
    count: AtomicU64,
}

impl Objects {
    pub(crate) fn new(disk: Box<dyn Disk>, root: &Path) -> Self {
        Self {
            disk,
            root: root.to_owned(),
            base: root.join("v1"),
            verified: Mutex::default(),
            seen: Mutex::default(),
            renaming: Mutex::default(),
            durable: Mutex::default(),
            names: Mutex::default(),
            unsettled: Unsettled::default(),
            ahead: Ahead::default(),
            claims: OnceLock::new(),
            lazy: AtomicBool::new(false),
            warnings: Mutex::default(),
            process: RandomState::new().hash_one(std::process::id()),
            count: AtomicU64::new(0),
        }
    }

    pub(crate) fn artifact_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.path_of(["artifacts", &hex[..2], &hex])
    }

    pub(crate) fn record_path(&self, key: &Key) -> PathBuf {
        let name = key.hex() + ".json";
        self.path_of(["records", &name[..2], &name])
    }

    /// A path below `v1`. Asked for twice for each node of a plan, so it takes memory once.
    fn path_of(&self, names: [&str; 3]) -> PathBuf {
        let length = names.iter().map(|name| name.len() + 1).sum::<usize>();
        let mut path = PathBuf::with_capacity(self.base.as_os_str().len() + length);
        path.push(&self.base);
        path.extend(names);
        path
    }

    pub(crate) fn checkpoint_path(&self, key: &Key) -> PathBuf {
        self.base.join("partial").join(key.hex()).join("state")
    }

    fn journal_path(&self, run: &str) -> Result<PathBuf, StoreError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if run.is_empty() || run.len() > LONGEST_RUN_ID || run.starts_with('.') || !run.chars().all(allowed) {
            return Err(StoreError::invalid_name("the id of a run", run));
        }
        Ok(self.base.join("runs").join(run).join("journal"))
    }

    fn names_path(&self, pipeline: &str) -> PathBuf {
        self.base.join("names").join(Digest::of(pipeline.as_bytes()).short() + ".jsonl")
    }

    pub(crate) fn unique(&self) -> String {
        format!("{:016x}-{}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether records settle later.
    pub(crate) fn set_lazy(&self, lazy: bool) {
        self.lazy.store(lazy, Ordering::Release);
    }

    /// See the module's text.
    pub(crate) fn write_atomic(&self, path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
        let folder = parent(path);
        self.make_durable_folders(folder)?;
        self.write_new(path, bytes, (access, true))?;
        self.disk.sync_folder(folder)
    }

    /// A whole file under its name; synced before it gets it if asked for.
    pub(crate) fn write_new(&self, path: &Path, bytes: &[u8], (access, synced): (Access, bool)) -> io::Result<()> {
        let folder = parent(path);
        let new = folder.join(format!("{NEW_PREFIX}{}", self.unique()));
        let mut file = match self.disk.create(&new, access) {
            // Not made yet, or somebody removed it since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut durable = lock(&self.durable);
                if durable.contains(folder) {
                    durable.clear();
                }
                drop(durable);
                let make = if synced { Self::make_durable_folders } else { Self::make_folders };
                make(self, folder)?;
                self.disk.create(&new, access)?
            }
            other => other?,
        };
        let sync = |file: &mut dyn DiskFile| if synced { file.sync() } else { Ok(()) };
        let done = file.write_all(bytes).and_then(|()| sync(file.as_mut())).and_then(|()| self.rename(&new, path));
        drop(file);
        if done.is_err() {
            // The first error counts; what could not be removed has a name that nobody looks for.
            let _ = self.disk.remove(&new);
        }
        done
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _renaming = lock(&self.renaming);
        self.disk.rename(from, to)
    }

    /// Notes that folders of the store and those above them, up to `v1`, survive a loss of power.
    pub(crate) fn note_durable(&self, folders: &BTreeSet<&Path>) {
        let mut durable = lock(&self.durable);
        for folder in folders.iter().flat_map(|folder| folder.ancestors()) {
            if folder.starts_with(&self.base) {
                durable.insert(folder.to_owned());
            }
        }
    }

    /// Whether a folder is known to survive a loss of power.
    pub(crate) fn is_durable(&self, folder: &Path) -> bool {
        lock(&self.durable).contains(folder)
    }

    pub(crate) fn remove_checkpoint(&self, key: &Key) -> io::Result<()> {
        let path = self.checkpoint_path(key);
        match self.disk.remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        // Fails when a kill left a new file behind; the folder is then collected later.
        let _ = self.disk.remove_folder(parent(&path));
        Ok(())
    }

    /// Makes a folder of the store and those above it. Another process may have made some of them without coming to
    /// the sync, so each one is synced once per process before something durable is put into it.
    pub(crate) fn make_durable_folders(&self, folder: &Path) -> io::Result<()> {
        let ours = folder.starts_with(&self.root);
        if folder.as_os_str().is_empty() || self.is_durable(folder) {
            return Ok(());
        }
        if ours {
            self.make_durable_folders(parent(folder))?;
        }
        match self.disk.make_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_durable_folders(parent(folder))?;
                ignore_existing(self.disk.make_folder(folder))?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !ours => return Ok(()),
            other => ignore_existing(other)?,
        }
        let up = parent(folder);
        self.disk.sync_folder(if up.as_os_str().is_empty() { Path::new(".") } else { up })?;
        lock(&self.durable).insert(folder.to_owned());
        Ok(())
    }

    /// Makes a folder for what only informs (journals, names), and those above it. Syncing nothing spares a no-op run
    /// most of its time.
    pub(crate) fn make_folders(&self, folder: &Path) -> io::Result<()> {
        match self.disk.make_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.as_os_str().is_empty() => {
                self.make_folders(parent(folder))?;
                ignore_existing(self.disk.make_folder(folder))
            }
            other => ignore_existing(other),
        }
    }

    pub(crate) fn warn(&self, text: String) {
        lock(&self.warnings).push(text);
    }

    /// The file's bytes, or none if there is no file.
    pub(crate) fn read_if_there(&self, action: &str, path: &Path) -> Result<Option<Blob>, StoreError> {
        match self.disk.read(path) {
            Ok((blob, _)) => Ok(Some(blob)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(action, path, error)),
        }
    }

    /// Runs `then` with the names of a pipeline, read on first use. An unreadable file counts as empty.
    fn with_names<T>(&self, pipeline: &str, then: impl FnOnce(&mut Names) -> T) -> T {
        let mut all = lock(&self.names);
        if let Some(names) = all.get_mut(pipeline) {
            return then(names);
        }
        let bytes = self.disk.read(&self.names_path(pipeline)).map(|(blob, _)| blob);
        let names = bytes.map_or_else(|_| Names::default(), |bytes| Names::read(&bytes));
        then(all.entry(pipeline.to_owned()).or_insert(names))
    }

    /// The record under a key, or of it what `parse` takes in.
    fn read_record<T: Borrow<RecordHead>>(&self, key: &Key, parse: Parse<T>) -> Result<Option<T>, StoreError> {
        let path = self.record_path(key);
        match self.disk.read_small(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.pending_record(key, parse),
            Ok(Some(bytes)) => match parse(&bytes) {
                Ok(record) if record.borrow().key == *key => return Ok(Some(record)),
                // Perhaps cut short: it is judged by the whole file, below.
                _ => {}
            },
            _ => {}
        }
        let what = || format!("record {}{}", Key::PREFIX, key.short());
        let Some(bytes) = self.read_if_there("reading a record", &path)? else {
            return self.pending_record(key, parse);
        };
        match parse(&bytes) {
            Ok(record) if record.borrow().key == *key => return Ok(Some(record)),
            Ok(_) => self.set_aside(&what(), &path, "it belongs to another key"),
            Err(error @ RecordFormatError::Version { .. }) => {
                self.warn(format!("{} counts as absent: {error} ({})", what(), path.display()));
            }
            Err(error) => self.set_aside(&what(), &path, &error.to_string()),
        }
        Ok(None)
    }

    /// The keys that the nodes of a pipeline last had, in no order.
    pub(crate) fn last_keys(&self, pipeline: &str) -> Vec<Key> {
        self.with_names(pipeline, |names| names.keys())
    }

    /// The stamp of an artifact now.
    fn look_at(&self, digest: &Digest) -> io::Result<Stamp> {
        let now = SystemTime::now();
        let stamp = self.disk.stamp(&self.artifact_path(digest))?;
        if stamp.is_settled(now) {
            lock(&self.seen).insert(*digest, stamp);
        }
        Ok(stamp)
    }

    /// The stamp of an artifact when this process last looked, if it is settled.
    pub(crate) fn settled_stamp(&self, digest: &Digest) -> Option<Stamp> {
        let seen = lock(&self.seen).get(digest).copied();
        seen.or_else(|| {
            self.look_at(digest).ok()?;
            lock(&self.seen).get(digest).copied()
        })
    }

    fn append_name(&self, path: &Path, line: &str) -> io::Result<()> {
        let mut file = match self.disk.append(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folders(parent(path))?;
                self.disk.append(path)?
            }
            other => other?,
        };
        file.write_all(line.as_bytes())
    }
}

impl Store for Objects {
    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.artifact_path(&digest);
        if let Ok((there, stamp)) = self.disk.read(&path) {
            if *there == *bytes {
                return Ok(digest);
            }
            if let Aside::Moved(to) = self.set_artifact_aside(&digest, &path, stamp) {
                let what = format!("artifact {}{}", Digest::PREFIX, digest.short());
                self.warn(format!("{what} was damaged; it is stored anew, {} has the damaged bytes", to.display()));
            }
        }
        let failed =
            |source| StoreError::io(format!("writing artifact {}{}", Digest::PREFIX, digest.short()), &path, source);
        let written = self.write_new(&path, bytes, (Access::ReadOnly, false));
        written.map_err(|error| failed(error).with_digest(&digest))?;
        self.note_artifact(path);
        Ok(digest)
    }

    fn get(&self, digest: &Digest) -> Result<Blob, StoreError> {
        let path = self.artifact_path(digest);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::missing(digest, &path),
            _ => StoreError::io(format!("reading artifact {}{}", Digest::PREFIX, digest.short()), &path, error)
                .with_digest(digest),
        };
        if let Ok(Some(blob)) = self.disk.read_small(&path)
            && Digest::of(&blob) == *digest
        {
            return Ok(blob);
        }
        loop {
            let (blob, stamp) = self.disk.read(&path).map_err(failed)?;
            if lock(&self.verified).get(digest) == Some(&stamp) {
                return Ok(blob);
            }
            if Digest::of(&blob) == *digest {
                lock(&self.verified).insert(*digest, stamp);
                return Ok(blob);
            }
            match self.set_artifact_aside(digest, &path, stamp) {
                Aside::Moved(to) => return Err(StoreError::damaged(digest, &path, Some(to))),
                Aside::Stuck => return Err(StoreError::damaged(digest, &path, None)),
                // Somebody stored it anew in the meantime: read that.
                Aside::Replaced => {}
            }
        }
    }

    fn contains(&self, digest: &Digest) -> bool {
        // An empty file is what crashes of the system leave most often; only one artifact is truly empty.
        self.look_at(digest).is_ok_and(|stamp| stamp.length > 0 || *digest == Digest::of(b""))
    }

    fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.read_record(key, record_format::from_bytes)
    }

    fn record_head(&self, key: &Key) -> Result<Option<RecordHead>, StoreError> {
        self.read_record(key, record_format::head_from_bytes)
    }

    fn look_up(&self, key: &Key) -> Result<Option<Lookup>, StoreError> {
        match self.ahead.take(key) {
            Some(found) => Ok(Some(found)),
            None => Ok(self.record_head(key)?.map(|head| Lookup::new(head, |digest| self.contains(digest)))),
        }
    }

    fn put_record(&self, record: &Record) -> Result<(), StoreError> {
        let path = self.record_path(&record.key);
        let failed =
            |source| StoreError::io(format!("writing record {}{}", Key::PREFIX, record.key.short()), &path, source);
        let bytes = record_format::to_bytes(record).map_err(|error| failed(error.into()))?;
        if self.disk.stamp(&path).is_ok() {
            // It would hide a pending one. Seldom: the node ran again because an artifact was lost.
            self.note_record(record);
            self.settle_all()?;
            return self.write_atomic(&path, &bytes, Access::Owner).map_err(failed);
        }
        self.write_new(&self.pending_path(&record.key), &bytes, (Access::Owner, false)).map_err(failed)?;
        self.note_record(record);
        if self.lazy.load(Ordering::Acquire) { Ok(()) } else { self.settle_all() }
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.settle_all()
    }

    fn claim(&self, key: &Key) -> Claim {
        self.claim_key(key)
    }

    fn checkpoint(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.checkpoint_path(key);
        if self.is_cleared(key) {
            return Ok(None);
        }
        let Some(bytes) = self.read_if_there("reading a checkpoint", &path)? else {
            return Ok(None);
        };
        match checkpoint_format::payload(bytes.to_vec()) {
            Ok(payload) => return Ok(Some(payload)),
            Err(error) => {
                let what = format!("the checkpoint of {}{}", Key::PREFIX, key.short());
                self.set_aside(&what, &path, &error.to_string());
            }
        }
        Ok(None)
    }

    fn put_checkpoint(&self, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.checkpoint_path(key);
        let file = checkpoint_format::to_bytes(bytes);
        self.keep_checkpoint(key);
        self.write_atomic(&path, &file, Access::Owner)
            .map_err(|error| StoreError::io("writing a checkpoint", &path, error))
    }

    fn clear_checkpoint(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.checkpoint_path(key);
        if self.disk.stamp(&path).is_err() || self.clear_later(key) {
            return Ok(());
        }
        self.remove_checkpoint(key).map_err(|error| StoreError::io("removing a checkpoint", &path, error))
    }

    fn states(&self, lineage: &Key) -> Vec<u64> {
        self.states_of(lineage)
    }

    fn state(&self, lineage: &Key, reached: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_state(lineage, reached)
    }

    fn put_state(&self, lineage: &Key, reached: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_state(lineage, reached, bytes)
    }

    fn journal(&self, run: &str) -> Result<Box<dyn JournalWriter>, StoreError> {
        let path = self.journal_path(run)?;
        let failed = |error| StoreError::io("beginning a journal", &path, error);
        self.make_folders(parent(&path)).map_err(failed)?;
        let file = self.disk.create(&path, Access::Owner).map_err(failed)?;
        let running = self.claim_run(run);
        Ok(Box::new(FileJournal::start(path, (file, running), run)?))
    }

    fn is_running(&self, run: &str) -> bool {
        self.is_run_claimed(run)
    }

    fn read_journal(&self, run: &str) -> Result<Option<Journal>, StoreError> {
        let bytes = self.read_if_there("reading a journal", &self.journal_path(run)?)?;
        Ok(bytes.map(|bytes| journal::read(&bytes)))
    }

    fn first_line(&self, run: &str) -> Result<Option<String>, StoreError> {
        let bytes = self.read_if_there("reading a journal", &self.journal_path(run)?)?;
        Ok(bytes.and_then(|bytes| journal::first_line(&bytes)))
    }

    fn runs(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.base.join("runs");
        match self.disk.list(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other.map_err(|error| StoreError::io("listing runs", &folder, error)),
        }
    }

    fn last_key_of(&self, pipeline: &str, node: &str) -> Option<Key> {
        self.with_names(pipeline, |names| names.key_of(node))
    }

    fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError> {
        let set = |names: &mut Names| {
            let lines: String = keys.iter().filter_map(|(node, key)| names.set(node, key)).collect();
            (lines, names.rewritten())
        };
        let (lines, whole) = self.with_names(pipeline, set);
        let path = self.names_path(pipeline);
        match whole {
            Some(whole) => self.write_atomic(&path, whole.as_bytes(), Access::Owner),
            None if lines.is_empty() => Ok(()),
            None => self.append_name(&path, &lines),
        }
        .map_err(|error| StoreError::io("noting keys of nodes", &path, error))
    }

    fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.warnings))
    }
}

fn ignore_existing(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// What is gone already need not be moved, synced or removed.
pub(crate) fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// A thread that panicked while holding one of these locks cannot have left them half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
