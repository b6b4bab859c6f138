//! Group commit: how results come to survive a loss of power without a sync for each of them.
//!
//! A sync takes longer than a small node. So what a node gives is *written* at once, which is all that is needed to
//! survive the end of the process, and *committed* in groups:
//!
//! ```text
//! put          artifacts/ab/<digest>      written, renamed, not synced
//! put_record   pending/<key>.json         written, renamed, not synced
//! commit       sync every artifact, every pending record, their folders
//!              rename pending/<key>.json -> records/ab/<key>.json
//!              remove checkpoints of finished work
//! ```
//!
//! A record is in `records/` only after its artifacts were synced, so it can be trusted. One that is found in
//! `pending/` was left by a kill, by a loss of power, or is of a process that is at work now: it counts only if every
//! artifact that it names is there with the right digest. So:
//!
//! | what happens | a result that was written | a result that was committed |
//! |---|---|---|
//! | the process is killed | found in `pending/`, verified, taken | found |
//! | the power is lost | as above if it reached the disk, else its node runs again | found |
//!
//! What is still under way when the rename is lost is found in `pending/`, whose entry was synced before. A checkpoint
//! is only removed once the result that makes it useless is committed. Commits go on in the background while a run
//! runs; its end waits for the last one.

use crate::error::StoreError;
use crate::files::{Files, ignore_missing, lock, parent};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// From so many files on, one sync of the whole file system is faster than one of each file.
const LEAST_FOR_ALL: usize = 24;
/// After a commit, so long is waited before the next one: more results share a sync.
const COMMIT_INTERVAL: Duration = Duration::from_millis(50);

/// When results are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// With each record.
    AtOnce,
    /// Moments after a record was put, on a thread of its own.
    InBackground,
    /// When it is asked for.
    OnDemand,
}

pub(crate) struct GroupCommit {
    group: Arc<Group>,
    when: Mutex<When>,
    /// The thread that commits in the background, started with the first record.
    background: OnceLock<Option<Background>>,
}

/// What was written and is not committed.
struct Group {
    files: Arc<Files>,
    state: Mutex<State>,
    /// Held by the one thread that commits.
    committing: Mutex<()>,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// Pending records that this process wrote or verified: they need no look at their artifacts.
    trusted: HashSet<PathBuf>,
    /// Checkpoints that count as gone, though the file waits for the result to be committed.
    gone: HashSet<PathBuf>,
}

#[derive(Default)]
struct Batch {
    artifacts: BTreeSet<PathBuf>,
    /// From the pending to the final name of each.
    records: BTreeMap<PathBuf, PathBuf>,
    /// Checkpoints of finished work.
    checkpoints: BTreeSet<PathBuf>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.artifacts.is_empty() && self.records.is_empty() && self.checkpoints.is_empty()
    }
}

impl GroupCommit {
    pub(crate) fn new(files: Arc<Files>, when: When) -> Self {
        let group = Arc::new(Group { files, state: Mutex::default(), committing: Mutex::default() });
        Self { group, when: Mutex::new(when), background: OnceLock::new() }
    }

    pub(crate) fn set_when(&self, when: When) {
        *lock(&self.when) = when;
    }

    /// An artifact was written.
    pub(crate) fn add_artifacts(&self, paths: impl IntoIterator<Item = PathBuf>) {
        self.state().waiting.artifacts.extend(paths);
    }

    /// A record has its pending name; the artifacts must be durable before it gets its final one.
    pub(crate) fn add_record(&self, pending: PathBuf, to: PathBuf, artifacts: impl IntoIterator<Item = PathBuf>) {
        let mut state = self.state();
        state.waiting.artifacts.extend(artifacts);
        state.trusted.insert(pending.clone());
        state.waiting.records.insert(pending, to);
    }

    /// Whether a pending record is known to have its artifacts.
    pub(crate) fn is_trusted(&self, pending: &Path) -> bool {
        self.state().trusted.contains(pending)
    }

    /// Lets a checkpoint go when the record that makes it useless is committed. False if that record is not pending.
    pub(crate) fn remove_with(&self, pending: &Path, checkpoint: &Path) -> bool {
        let mut state = self.state();
        let waits = state.trusted.contains(pending);
        if waits {
            state.gone.insert(checkpoint.to_owned());
            state.waiting.checkpoints.insert(checkpoint.to_owned());
        }
        waits
    }

    /// Whether a checkpoint counts as gone.
    pub(crate) fn is_gone(&self, checkpoint: &Path) -> bool {
        self.state().gone.contains(checkpoint)
    }

    /// A checkpoint was written anew.
    pub(crate) fn keep(&self, checkpoint: &Path) {
        let mut state = self.state();
        state.waiting.checkpoints.remove(checkpoint);
        state.gone.remove(checkpoint);
    }

    /// Makes everything that was written so far survive a loss of power.
    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        self.group.commit()
    }

    /// The same as soon as it is to be done.
    pub(crate) fn commit_soon(&self) -> Result<(), StoreError> {
        let when = *lock(&self.when);
        match when {
            When::AtOnce => self.commit(),
            When::OnDemand => Ok(()),
            When::InBackground => {
                // Without the thread the end of the run commits everything.
                if let Some(thread) = self.background.get_or_init(|| Background::start(Arc::clone(&self.group))) {
                    thread.ask(|wanted| wanted.commit = true);
                }
                Ok(())
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.group.state)
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        // Dropping the thread waits for its end.
        if self.background.take().is_some() {
            // The error cannot be reported any more; what was not committed is verified when it is read.
            let _ = self.commit();
        }
    }
}

impl Group {
    fn commit(&self) -> Result<(), StoreError> {
        let _one = lock(&self.committing);
        let batch = std::mem::take(&mut lock(&self.state).waiting);
        if batch.is_empty() {
            return Ok(());
        }
        let committed = self.commit_batch(&batch);
        lock(&self.state).trusted.retain(|pending| !batch.records.contains_key(pending));
        committed.map_err(|error| StoreError::io("making results durable", &self.files.path([]), error))
    }

    fn commit_batch(&self, batch: &Batch) -> io::Result<()> {
        self.sync(batch)?;
        for (pending, record) in &batch.records {
            // Another process that found the record may have been faster.
            ignore_missing(self.files.rename(pending, record))?;
        }
        for checkpoint in &batch.checkpoints {
            self.files.remove_with_folder(checkpoint)?;
            lock(&self.state).gone.remove(checkpoint);
        }
        Ok(())
    }

    fn sync(&self, batch: &Batch) -> io::Result<()> {
        let (files, disk) = (&self.files, &self.files.disk);
        let names = batch.artifacts.iter().chain(batch.records.values());
        let folders: BTreeSet<&Path> = names.map(|path| parent(path)).collect();
        if batch.artifacts.len() + batch.records.len() >= LEAST_FOR_ALL {
            for folder in folders.iter().filter(|folder| !files.is_durable(folder)) {
                files.make_folders(folder)?;
            }
            files.make_durable_folders(&files.path([]))?;
            if disk.sync_all(&files.path([]))? {
                files.note_durable(&folders);
                return Ok(());
            }
        }
        for path in batch.artifacts.iter().chain(batch.records.keys()) {
            // An artifact that was found damaged meanwhile is in quarantine.
            ignore_missing(disk.sync_file(path))?;
        }
        for folder in &folders {
            files.make_durable_folders(folder)?;
        }
        let written: BTreeSet<&Path> = batch.artifacts.iter().map(|path| parent(path)).collect();
        written.into_iter().try_for_each(|folder| disk.sync_folder(folder))?;
        if let Some(pending) = batch.records.keys().next().map(|path| parent(path)) {
            files.make_durable_folders(pending)?;
            disk.sync_folder(pending)?;
        }
        Ok(())
    }
}

/// The thread that commits in the background.
struct Background {
    wanted: Arc<(Mutex<Wanted>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// Requests to the thread.
#[derive(Default)]
struct Wanted {
    commit: bool,
    end: bool,
}

impl Background {
    fn start(group: Arc<Group>) -> Option<Self> {
        let wanted: Arc<(Mutex<Wanted>, Condvar)> = Arc::default();
        let asked = Arc::clone(&wanted);
        let work = move || {
            let (wanted, changed) = &*asked;
            loop {
                let idle = changed.wait_while(lock(wanted), |wanted| !wanted.commit && !wanted.end);
                let mut woken = idle.unwrap_or_else(PoisonError::into_inner);
                if woken.end {
                    return;
                }
                woken.commit = false;
                drop(woken);
                if let Err(error) = group.commit() {
                    group.files.warn(format!("{error}; {}", error.help()));
                }
                drop(changed.wait_timeout_while(lock(wanted), COMMIT_INTERVAL, |wanted| !wanted.end));
            }
        };
        let thread = std::thread::Builder::new().name("pddflow-commit".to_owned()).spawn(work).ok()?;
        Some(Self { wanted, thread: Some(thread) })
    }

    fn ask(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut lock(&self.wanted.0));
        self.wanted.1.notify_one();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.ask(|wanted| wanted.end = true);
        // A panic there was reported by the hook.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
