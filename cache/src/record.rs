//! [`Record`]: what is kept under a key; [`RecordHead`]: the part of it that most readers need.

use crate::digest::{Digest, Key};
use crate::key::KeyPart;
use crate::made_on::MadeOn;
use litemap::LiteMap;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Deref;

/// The result of a node as stored under its key: what went in, what came out. Its file format is in
/// `record_format.rs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What the key was made of, sorted by name.
    pub parts: Vec<KeyPart>,
    /// Where it was made; not known of records of format 1.
    pub made_on: Option<MadeOn>,
    /// What came out. Its fields are read as if they were the record's own.
    pub head: RecordHead,
}

impl Borrow<RecordHead> for Record {
    fn borrow(&self) -> &RecordHead {
        &self.head
    }
}

impl Deref for Record {
    type Target = RecordHead;

    fn deref(&self) -> &RecordHead {
        &self.head
    }
}

/// A record without what its key was made of: what came out.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordHead {
    /// The key it is stored under.
    pub key: Key,
    /// Digest of the artifact at each output port.
    pub outputs: LiteMap<String, Digest>,
    /// Length of each of these artifacts in bytes, so that one that was cut short is found without reading it. Those of
    /// records of format 1 are not known.
    pub lengths: LiteMap<String, u64>,
    /// Final value of each metric; not finite values are kept as they are.
    pub metrics: BTreeMap<String, f64>,
    /// Wall time of the run that made it.
    pub seconds: f64,
    /// The log of the node, shown again when it is fresh.
    pub log: Vec<String>,
    /// Name and version of the program that made it.
    pub program: String,
}

/// What a store finds under a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// What came out.
    pub head: RecordHead,
    /// The outputs whose artifacts are not there any more.
    pub missing: Vec<String>,
}
