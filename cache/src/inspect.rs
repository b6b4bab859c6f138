//! Looking through a whole store: what it holds, and whether every byte of it is right.

use crate::digest::{Digest, Key};
use crate::error::StoreError;
use crate::objects::{NEW_PREFIX, Objects, lock};
use crate::store::Store as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What [`FsStore::verify`](crate::FsStore::verify) found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verified {
    /// Artifacts looked at.
    pub artifacts: usize,
    /// Their bytes in all.
    pub bytes: u64,
    /// Records looked at.
    pub records: usize,
    /// Checkpoints looked at.
    pub checkpoints: usize,
    /// States of finished work looked at.
    pub states: usize,
    /// Journals looked at.
    pub journals: usize,
    /// Runs whose journal ends early or is damaged and that are not alive: what a kill leaves.
    pub cut_short: Vec<String>,
    /// What was damaged, with where it was moved to. Its nodes run again when they are needed.
    pub damaged: Vec<String>,
}

impl Objects {
    /// Every artifact by name, sorted.
    pub(crate) fn artifacts(&self) -> Result<Vec<Digest>, StoreError> {
        let names = self.fanned_out("artifacts")?;
        Ok(names.iter().filter_map(|name| format!("{}{name}", Digest::PREFIX).parse().ok()).collect())
    }

    /// The key of every record, pending ones too, sorted.
    pub(crate) fn record_keys(&self) -> Result<Vec<Key>, StoreError> {
        let mut names = self.fanned_out("records")?;
        names.extend(self.names_in(&self.base.join("pending"))?);
        let key = |name: &String| format!("{}{}", Key::PREFIX, name.strip_suffix(".json")?).parse().ok();
        let mut keys: Vec<Key> = names.iter().filter_map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// The keys of unfinished work.
    pub(crate) fn checkpoint_keys(&self) -> Result<Vec<Key>, StoreError> {
        let names = self.names_in(&self.base.join("partial"))?;
        Ok(names.iter().filter_map(|name| format!("{}{name}", Key::PREFIX).parse().ok()).collect())
    }

    /// Names in a folder; none when there is no folder.
    pub(crate) fn names_in(&self, folder: &Path) -> Result<Vec<String>, StoreError> {
        match self.disk.list(folder) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Vec::new())
            }
            other => other.map_err(|error| StoreError::io("listing", folder, error)),
        }
    }

    /// The names in the folders of two hex digits below a folder.
    fn fanned_out(&self, what: &str) -> Result<Vec<String>, StoreError> {
        let folder = self.base.join(what);
        let mut names = Vec::new();
        for inner in self.names_in(&folder)? {
            names.extend(self.names_in(&folder.join(inner))?);
        }
        names.retain(|name| !name.starts_with(NEW_PREFIX));
        names.sort_unstable();
        Ok(names)
    }

    /// Reads everything, on `threads` threads.
    pub(crate) fn verify(&self, threads: usize) -> Result<Verified, StoreError> {
        let (artifacts, records) = (self.artifacts()?, self.record_keys()?);
        let (checkpoints, states, journals) = (self.checkpoint_keys()?, self.all_states()?, self.runs()?);
        let found = Mutex::new(Verified {
            artifacts: artifacts.len(),
            records: records.len(),
            checkpoints: checkpoints.len(),
            states: states.len(),
            journals: journals.len(),
            ..Verified::default()
        });
        on_threads(threads, &artifacts, |digest| match self.get(digest) {
            Ok(blob) => lock(&found).bytes += blob.len() as u64,
            Err(error) => lock(&found).damaged.push(error.to_string()),
        });
        let unreadable = |error: StoreError| lock(&found).damaged.push(error.to_string());
        on_threads(threads, &records, |key| self.record(key).map(drop).unwrap_or_else(unreadable));
        on_threads(threads, &checkpoints, |key| self.checkpoint(key).map(drop).unwrap_or_else(unreadable));
        on_threads(threads, &states, |(lineage, reached)| {
            self.read_state(lineage, *reached).map(drop).unwrap_or_else(unreadable);
        });
        for run in journals {
            let broken = self.read_journal(&run)?.is_some_and(|journal| journal.broken);
            if broken && !self.is_running(&run) {
                lock(&found).cut_short.push(run);
            }
        }
        // Damaged records and checkpoints are told as warnings.
        let mut found = std::mem::take(&mut *lock(&found));
        found.damaged.extend(self.take_warnings());
        found.damaged.sort();
        Ok(found)
    }

    /// Where an artifact or a record with this name lies, for messages.
    pub(crate) fn quarantine_folder(&self) -> PathBuf {
        self.base.join("quarantine")
    }
}

fn on_threads<T: Sync>(threads: usize, all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let take = || {
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(one);
        }
    };
    std::thread::scope(|scope| {
        (1..threads.min(all.len())).for_each(|_| {
            scope.spawn(take);
        });
        take();
    });
}
