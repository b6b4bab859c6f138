//! [`MadeOn`]: where a result was made.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where and with what a result was made. Nothing of it is in the key unless it is also one of its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeOn {
    /// Name of the machine.
    pub host: String,
    /// Level of the processor's instructions, e.g. `avx2`.
    pub instructions: String,
    /// Where tensors lived, e.g. `cpu`.
    pub device: String,
    /// Threads that computed.
    pub threads: usize,
    /// Version and digest of the file of each plugin, by role and id, e.g. `matcher dm`.
    pub plugins: BTreeMap<String, String>,
}
