//! The wire form of a set's note. A change of any field needs a new [`VERSION`], but for a new one that may be absent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::class_ids::ClassIds;
use super::preprocessing::PreprocessingNote;
use super::real_images::RealImages;

/// Format version.
pub(crate) const VERSION: u32 = 1;
/// Name of the artifact's type.
pub(crate) const ARTIFACT: &str = "set";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetNote {
    pub(crate) artifact: String,
    pub(crate) version: u32,
    pub(crate) method: String,
    pub(crate) source: String,
    pub(crate) made_by: Value,
    pub(crate) recipe: Value,
    pub(crate) ipc: usize,
    pub(crate) stage: usize,
    pub(crate) class_names: Vec<String>,
    /// Which classes of a larger data set these are; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class_ids: Option<ClassIds>,
    pub(crate) preprocessing: PreprocessingNote,
    /// Absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) real_images: Option<RealImages>,
}
