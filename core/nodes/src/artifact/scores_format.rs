//! The wire form of the note of scores. A change of any field needs a new [`VERSION`].

use pddflow_cache::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Format version.
pub(super) const VERSION: u32 = 1;
/// Name of the artifact's type.
pub(super) const ARTIFACT: &str = "scores";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScoresNote {
    pub(super) artifact: String,
    pub(super) version: u32,
    pub(super) method: String,
    pub(super) made_by: Value,
    pub(super) images: Digest,
}
