//! [`Lineage`]: nodes that differ only in how far they go, and the states that finished ones left behind.

use pddflow_cache::{Key, Store};

/// Nodes that differ only in how far they go.
#[derive(Clone, Copy)]
pub(crate) struct Lineage {
    pub(crate) key: Key,
    pub(crate) parameter: &'static str,
    /// How far the node is to go.
    pub(crate) wanted: u64,
}

impl Lineage {
    /// How far the states reach that the node can begin at, the furthest first.
    pub(crate) fn reached(&self, store: &Store) -> impl Iterator<Item = u64> + use<> {
        let wanted = self.wanted;
        store.states(&self.key).into_iter().rev().filter(move |reached| *reached <= wanted)
    }
}
