//! The wire form of a set's note. A change of any field needs a new [`VERSION`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::class_ids::ClassIds;
use super::preprocessing::PreprocessingNote;

/// Format version.
pub(super) const VERSION: u32 = 1;
/// Name of the artifact's type.
pub(super) const ARTIFACT: &str = "set";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetNote {
    pub(super) artifact: String,
    pub(super) version: u32,
    pub(super) method: String,
    pub(super) source: String,
    pub(super) made_by: Value,
    pub(super) recipe: Value,
    pub(super) ipc: usize,
    pub(super) stage: usize,
    pub(super) class_names: Vec<String>,
    /// Which classes of a larger data set these are; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class_ids: Option<ClassIds>,
    pub(super) preprocessing: PreprocessingNote,
}
