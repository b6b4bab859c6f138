//! The file that says what pddflow wrote into a folder of results, version 1: one JSON object, maps sorted.
//!
//! ```text
//! {"format":1,"nodes":{"table":{"artifacts":["b3:..."],"files":{"table.md":{"bytes":12,"digest":"b3:...","modified":1}}}}}
//! ```

use pddflow_cache::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of this format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexFile {
    format: u32,
    nodes: BTreeMap<String, NodeFiles>,
}

/// What a node wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeFiles {
    /// The artifacts that the files come from.
    pub(crate) artifacts: Vec<Digest>,
    /// By path below the node's folder.
    pub(crate) files: BTreeMap<String, WrittenFile>,
    /// What runs began to write since, by path; empty once a run has written all of its files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) begun: BTreeMap<String, Vec<Digest>>,
}

impl NodeFiles {
    /// Whether a file with these bytes was written by pddflow.
    pub(super) fn wrote(&self, name: &str, digest: Digest) -> bool {
        self.files.get(name).is_some_and(|file| file.digest == digest)
            || self.begun.get(name).is_some_and(|begun| begun.contains(&digest))
    }
}

/// A file as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenFile {
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
    /// Its time of modification in nanoseconds since 1970. None if another file was found in its place and kept.
    pub(crate) modified: Option<u64>,
}

/// The nodes in a file; none if it is damaged or of another version.
pub(super) fn from_bytes(bytes: &[u8]) -> BTreeMap<String, NodeFiles> {
    let file = serde_json::from_slice::<IndexFile>(bytes).ok().filter(|file| file.format == VERSION);
    file.map(|file| file.nodes).unwrap_or_default()
}

/// The bytes of a file.
pub(super) fn to_bytes(nodes: BTreeMap<String, NodeFiles>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&IndexFile { format: VERSION, nodes })
}
