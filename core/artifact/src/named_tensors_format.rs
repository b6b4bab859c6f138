//! The wire form of the note of named tensors. A change of any field needs a new [`VERSION`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::nets_format::NetData;

/// Format version.
pub(crate) const VERSION: u32 = 1;
/// Name of the artifact's type.
pub(crate) const ARTIFACT: &str = "tensors";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TensorsNote {
    pub(crate) artifact: String,
    pub(crate) version: u32,
    /// What they were made for, if that is known.
    pub(crate) data: Option<NetData>,
    pub(crate) made_by: Value,
}
