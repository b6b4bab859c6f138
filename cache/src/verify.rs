//! Looking through a whole store: what it holds, and whether every byte of it is right.

use crate::error::StoreError;
use crate::files::lock;
use crate::store::Store;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What [`Store::verify`] found.
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

impl Store {
    /// Reads every byte of the store on so many threads; what is damaged is moved to quarantine, as by any reader.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn verify(&self, threads: usize) -> Result<Verified, StoreError> {
        let (artifacts, records) = (self.artifacts()?, self.record_keys()?);
        let (checkpoints, states, journals) = (self.checkpoints.keys()?, self.checkpoints.all_states()?, self.runs()?);
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
            self.state(lineage, *reached).map(drop).unwrap_or_else(unreadable);
        });
        for run in journals {
            let broken = self.read_journal(&run)?.is_some_and(|journal| journal.broken);
            if broken && !self.is_running(&run) {
                lock(&found).cut_short.push(run);
            }
        }
        // Damaged records and checkpoints are reported as warnings.
        let mut found = std::mem::take(&mut *lock(&found));
        found.damaged.extend(self.take_warnings());
        found.damaged.sort();
        Ok(found)
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
