//! Checkpoints of unfinished work, and states of finished work, so that work that goes further need not start over.
//!
//! Work that differs only in how far it goes is a *lineage* with a key of its own. The state at the end of one member is
//! kept under that key and the number that it reached, in the format of a checkpoint. All of them may be removed at any
//! time: then work starts over, and comes to the same result.

use crate::checkpoint_format;
use crate::commit::GroupCommit;
use crate::digest::Key;
use crate::error::StoreError;
use crate::files::Files;
use crate::records::Records;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Members of a lineage whose states are kept: those that reach furthest.
const MOST_STATES: usize = 4;

pub(crate) struct Checkpoints {
    files: Arc<Files>,
    commit: Arc<GroupCommit>,
    records: Arc<Records>,
}

impl Checkpoints {
    pub(crate) fn new(files: Arc<Files>, commit: Arc<GroupCommit>, records: Arc<Records>) -> Self {
        Self { files, commit, records }
    }

    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        self.files.path(["partial", &key.hex(), "state"])
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(key);
        if self.commit.is_gone(&path) {
            return Ok(None);
        }
        self.read("checkpoint", &path, || format!("the checkpoint of {}{}", Key::PREFIX, key.short()))
    }

    pub(crate) fn put(&self, key: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(key);
        self.commit.keep(&path);
        self.write("checkpoint", &path, bytes)
    }

    pub(crate) fn clear(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.path(key);
        if self.files.disk.status(&path).is_err() || self.commit.remove_with(&self.records.pending_path(key), &path) {
            return Ok(());
        }
        let removed = self.files.remove_with_folder(&path);
        removed.map_err(|error| StoreError::io("removing a checkpoint", &path, error))
    }

    /// The keys of unfinished work.
    pub(crate) fn keys(&self) -> Result<Vec<Key>, StoreError> {
        self.keys_in("partial")
    }

    /// How far the states of a lineage reach, ascending; a folder that cannot be read has none.
    pub(crate) fn states(&self, lineage: &Key) -> Vec<u64> {
        let names = self.files.names_in(&self.files.path(["states", &lineage.hex()])).unwrap_or_default();
        let mut reached: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        reached.sort_unstable();
        reached
    }

    pub(crate) fn state(&self, lineage: &Key, reached: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let what = || format!("the state {reached} of {}{}", Key::PREFIX, lineage.short());
        self.read("state", &self.state_path(lineage, reached), what)
    }

    pub(crate) fn put_state(&self, lineage: &Key, reached: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.write("state", &self.state_path(lineage, reached), bytes)?;
        let states = self.states(lineage);
        let superfluous = states.len().saturating_sub(MOST_STATES);
        for old in states.into_iter().filter(|old| *old != reached).take(superfluous) {
            // What cannot be removed is collected later.
            let _ = self.files.disk.remove(&self.state_path(lineage, old));
        }
        Ok(())
    }

    /// Every state of every lineage.
    pub(crate) fn all_states(&self) -> Result<Vec<(Key, u64)>, StoreError> {
        let lineages = self.keys_in("states")?.into_iter();
        Ok(lineages.flat_map(|lineage| self.states(&lineage).into_iter().map(move |at| (lineage, at))).collect())
    }

    pub(crate) fn state_path(&self, lineage: &Key, reached: u64) -> PathBuf {
        self.files.path(["states", &lineage.hex(), &reached.to_string()])
    }

    fn keys_in(&self, top: &str) -> Result<Vec<Key>, StoreError> {
        let names = self.files.names_in(&self.files.path([top]))?;
        Ok(names.iter().filter_map(|name| format!("{}{name}", Key::PREFIX).parse().ok()).collect())
    }

    fn read(&self, kind: &str, path: &Path, what: impl Fn() -> String) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(bytes) = self.files.read_if_there(&format!("reading a {kind}"), path)? else { return Ok(None) };
        match checkpoint_format::payload(bytes.to_vec()) {
            Ok(payload) => Ok(Some(payload)),
            Err(error) => {
                self.files.set_aside(&what(), path, &error.to_string());
                Ok(None)
            }
        }
    }

    fn write(&self, kind: &str, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let written = self.files.write_atomic(path, &checkpoint_format::to_bytes(bytes));
        written.map_err(|error| StoreError::io(format!("writing a {kind}"), path, error))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Fault, Key, RamStore};

    const LINEAGE: Key = Key::from_bytes([3; 32]);

    #[test]
    fn those_that_reach_furthest_are_kept() {
        let store = RamStore::new();
        for reached in [100, 20, 9, 300, 50] {
            store.put_state(&LINEAGE, reached, &reached.to_le_bytes()).unwrap();
        }
        assert_eq!(store.states(&LINEAGE), [20, 50, 100, 300]);
        // Even one that reaches less far than all others is there when it was just kept.
        store.put_state(&LINEAGE, 1, b"one").unwrap();
        assert_eq!(store.states(&LINEAGE), [1, 50, 100, 300]);
        assert_eq!(store.state(&LINEAGE, 1).unwrap().unwrap(), b"one");
        assert_eq!(store.state(&LINEAGE, 2).unwrap(), None);
        assert!(store.states(&Key::from_bytes([4; 32])).is_empty());
    }

    #[test]
    fn a_damaged_state_is_set_aside_with_a_warning() {
        let store = RamStore::new();
        store.put_state(&LINEAGE, 5, b"state").unwrap();
        let (path, bytes) = store.files().into_iter().find(|(path, _)| path.ends_with("5")).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let store = RamStore::new();
            store.put_state(&LINEAGE, 5, b"state").unwrap();
            assert!(store.damage(&path, damaged));
            assert_eq!(store.state(&LINEAGE, 5).unwrap(), None, "bit {bit}");
            assert_eq!((store.states(&LINEAGE).len(), store.take_warnings().len()), (0, 1), "bit {bit}");
        }
    }

    #[test]
    fn a_kill_at_any_step_leaves_the_state_before_or_after() {
        let steps = {
            let store = RamStore::new();
            store.put_state(&LINEAGE, 5, b"early").unwrap();
            store.put_state(&LINEAGE, 5, b"later").unwrap();
            store.steps()
        };
        for step in 0..steps {
            let store = RamStore::new();
            store.fault_at(step, Fault::Die);
            let _ = store.put_state(&LINEAGE, 5, b"early").and_then(|()| store.put_state(&LINEAGE, 5, b"later"));
            for seed in 0..8 {
                let next = if seed == 0 { store.killed() } else { store.power_loss(seed) };
                let found = next.state(&LINEAGE, 5).unwrap();
                assert!(found.as_deref().is_none_or(|found| found == b"early" || found == b"later"), "step {step}");
                assert!(next.take_warnings().is_empty(), "step {step}");
            }
        }
    }
}
