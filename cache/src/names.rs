//! The names index: the key that each node of a pipeline last had. Advisory: it only serves to say *why* a node is
//! stale and how long it took last time. Losing it loses no result.
//!
//! One file per pipeline name, `v1/names/<first 12 hex of the name's digest>.json`, written whole when a key changed:
//!
//! ```text
//! {"format":2,"keys":{"distill[3]":"k:<64 hex>"},"digest":"b3:<64 hex>"}
//! ```
//!
//! Of two runs that end at the same moment one may not see what the other noted, which costs an explanation and no more.

use crate::digest::{Digest, Key};
use crate::disk::Access;
use crate::error::StoreError;
use crate::files::{Files, lock};
use crate::seal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const VERSION: u32 = 2;

/// The keys of one pipeline's nodes.
type Names = BTreeMap<String, Key>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesFile {
    format: u32,
    keys: Names,
    /// Present when reading; `seal` writes it.
    #[serde(skip_serializing, default)]
    #[expect(
        dead_code,
        reason = "checked on the bytes before parsing; named here because unknown members are refused"
    )]
    digest: Option<Digest>,
}

/// The indexes of all pipelines, each read on first use.
pub(crate) struct NamesIndex {
    files: Arc<Files>,
    read: Mutex<HashMap<String, Names>>,
}

impl NamesIndex {
    pub(crate) fn new(files: Arc<Files>) -> Self {
        Self { files, read: Mutex::default() }
    }

    pub(crate) fn key_of(&self, pipeline: &str, node: &str) -> Option<Key> {
        let mut read = lock(&self.read);
        if let Some(names) = read.get(pipeline) {
            return names.get(node).copied();
        }
        let names = self.read_file(pipeline);
        read.entry(pipeline.to_owned()).or_insert(names).get(node).copied()
    }

    pub(crate) fn remember(&self, pipeline: &str, keys: &[(&str, Key)]) -> Result<(), StoreError> {
        if keys.iter().all(|(node, key)| self.key_of(pipeline, node) == Some(*key)) {
            return Ok(());
        }
        let mut read = lock(&self.read);
        // What other processes noted since is kept.
        let mut names = self.read_file(pipeline);
        names.extend(keys.iter().map(|(node, key)| ((*node).to_owned(), *key)));
        let path = self.path(pipeline);
        let written = to_bytes(&names).and_then(|bytes| self.files.write_whole(&path, &bytes, Access::Shared));
        read.insert(pipeline.to_owned(), names);
        written.map_err(|error| StoreError::io("noting keys of nodes", &path, error))
    }

    /// What the file of a pipeline says; one that is missing or damaged says nothing.
    fn read_file(&self, pipeline: &str) -> Names {
        let bytes = self.files.disk.read(&self.path(pipeline));
        bytes.map(|(bytes, _)| from_bytes(&bytes)).unwrap_or_default()
    }

    fn path(&self, pipeline: &str) -> PathBuf {
        self.files.path(["names", &(Digest::of(pipeline.as_bytes()).short() + ".json")])
    }
}

fn to_bytes(names: &Names) -> std::io::Result<Vec<u8>> {
    let file = NamesFile { format: VERSION, keys: names.clone(), digest: None };
    Ok(seal::seal(&serde_json::to_string(&file)?).into_bytes())
}

pub(crate) fn from_bytes(bytes: &[u8]) -> BTreeMap<String, Key> {
    let sealed = Some(bytes).filter(|bytes| seal::is_sealed(bytes));
    let file = sealed.and_then(|bytes| serde_json::from_slice::<NamesFile>(bytes).ok());
    file.filter(|file| file.format == VERSION).map(|file| file.keys).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RamStore;

    fn key(byte: u8) -> Key {
        Key::from_bytes([byte; 32])
    }

    #[test]
    fn the_last_key_counts_and_those_of_other_processes_are_kept() {
        let store = RamStore::new();
        let other = store.reopened();
        assert_eq!((store.last_key_of("p", "a"), other.last_key_of("p", "a")), (None, None));
        store.remember("p", &[("a", key(1)), ("b[x=\"é\"]", key(2))]).unwrap();
        other.remember("p", &[("a", key(3)), ("c", key(4))]).unwrap();
        let next = store.reopened();
        let found = ["a", "b[x=\"é\"]", "c"].map(|node| next.last_key_of("p", node));
        assert_eq!(found, [Some(key(3)), Some(key(2)), Some(key(4))]);
    }

    #[test]
    fn what_is_known_is_not_written_again_and_damage_is_forgotten() {
        let store = RamStore::new();
        store.remember("p", &[("a", key(1))]).unwrap();
        let steps = store.steps();
        store.remember("p", &[("a", key(1))]).unwrap();
        assert_eq!(store.steps(), steps);
        let (path, bytes) = store.files().remove(0);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let next = store.reopened();
            assert!(next.damage(&path, damaged));
            assert_eq!(next.last_key_of("p", "a"), None, "bit {bit}");
        }
    }
}
