//! The wire form of the note of scores. A change of any field needs a new [`VERSION`].

use pddflow_cache::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Format version.
pub(crate) const VERSION: u32 = 1;
/// Name of the artifact's type.
pub(crate) const ARTIFACT: &str = "scores";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScoresNote {
    pub(crate) artifact: String,
    pub(crate) version: u32,
    pub(crate) method: String,
    pub(crate) made_by: Value,
    pub(crate) images: Digest,
}
