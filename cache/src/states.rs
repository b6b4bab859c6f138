//! States of finished work, so that work that goes further need not start over.
//!
//! Work that differs only in how far it goes is a *lineage* with a key of its own. The state at the end of one member is
//! kept under that key and the number that it reached, in the format of a checkpoint. All of them may be removed at any
//! time: then work starts over, and comes to the same result.

use crate::checkpoint_format;
use crate::digest::Key;
use crate::disk::Access;
use crate::error::StoreError;
use crate::objects::Objects;
use std::path::PathBuf;

/// Members of a lineage whose states are kept: those that reach furthest.
const MOST_STATES: usize = 4;

impl Objects {
    /// How far the states of a lineage reach, ascending; a folder that cannot be read has none.
    pub(crate) fn states_of(&self, lineage: &Key) -> Vec<u64> {
        let names = self.names_in(&self.lineage_folder(lineage)).unwrap_or_default();
        let mut reached: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        reached.sort_unstable();
        reached
    }

    pub(crate) fn read_state(&self, lineage: &Key, reached: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.state_path(lineage, reached);
        let Some(bytes) = self.read_if_there("reading a state", &path)? else { return Ok(None) };
        match checkpoint_format::payload(bytes.to_vec()) {
            Ok(payload) => Ok(Some(payload)),
            Err(error) => {
                let what = format!("the state {reached} of {}{}", Key::PREFIX, lineage.short());
                self.set_aside(&what, &path, &error.to_string());
                Ok(None)
            }
        }
    }

    pub(crate) fn write_state(&self, lineage: &Key, reached: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.state_path(lineage, reached);
        self.write_atomic(&path, &checkpoint_format::to_bytes(bytes), Access::Owner)
            .map_err(|error| StoreError::io("writing a state", &path, error))?;
        let states = self.states_of(lineage);
        let superfluous = states.len().saturating_sub(MOST_STATES);
        for old in states.into_iter().filter(|old| *old != reached).take(superfluous) {
            // What cannot be removed is collected later.
            let _ = self.disk.remove(&self.state_path(lineage, old));
        }
        Ok(())
    }

    /// Every state of every lineage.
    pub(crate) fn all_states(&self) -> Result<Vec<(Key, u64)>, StoreError> {
        let names = self.names_in(&self.base.join("states"))?;
        let lineages = names.iter().filter_map(|name| format!("{}{name}", Key::PREFIX).parse::<Key>().ok());
        Ok(lineages
            .flat_map(|lineage| self.states_of(&lineage).into_iter().map(move |reached| (lineage, reached)))
            .collect())
    }

    pub(crate) fn lineage_folder(&self, lineage: &Key) -> PathBuf {
        self.base.join("states").join(lineage.hex())
    }

    pub(crate) fn state_path(&self, lineage: &Key, reached: u64) -> PathBuf {
        self.lineage_folder(lineage).join(reached.to_string())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Fault, Key, RamStore, Store};

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
    fn a_damaged_state_is_set_aside_and_told() {
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
