//! [`Record`]: what is kept under a key.

use crate::digest::{Digest, Key};
use crate::key::KeyPart;
use std::collections::BTreeMap;

/// The result of a node as stored under its key: what went in, what came out. Its file format is in
/// `record_format.rs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The key it is stored under.
    pub key: Key,
    /// What the key was made of, sorted by name.
    pub parts: Vec<KeyPart>,
    /// Digest of the artifact at each output port.
    pub outputs: BTreeMap<String, Digest>,
    /// Final value of each metric; not finite values are kept as they are.
    pub metrics: BTreeMap<String, f64>,
    /// Wall time of the run that made it.
    pub seconds: f64,
    /// What the node said, replayed when it is fresh.
    pub log: Vec<String>,
    /// Name and version of the program that made it.
    pub program: String,
}
