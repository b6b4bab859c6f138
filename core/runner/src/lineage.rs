//! [`Lineage`]: nodes that differ only in how far they go, and the states that finished ones left behind.

use pddflow_cache::{Key, KeyPart, Store};
use serde::{Deserialize, Serialize};

/// Nodes that differ only in how far they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The key under which the store keeps where finished nodes of the lineage ended.
    pub key: Key,
    /// The parameter that says how far a node goes.
    pub parameter: String,
    /// How far the node is to go.
    pub wanted: u64,
}

impl Lineage {
    /// The key of the lineage that work with these parts of a key belongs to, where `parameter` says how far it goes; none if the parts
    /// make no key.
    #[must_use]
    pub fn key_of(parts: &[KeyPart], parameter: &str) -> Option<Key> {
        crate::key::lineage_key(parts, parameter).ok()
    }

    /// How far the states reach that the node can begin at, the furthest first.
    pub(crate) fn reached(&self, store: &Store) -> impl Iterator<Item = u64> + use<> {
        let wanted = self.wanted;
        store.states(&self.key).into_iter().rev().filter(move |reached| *reached <= wanted)
    }
}
