//! The wire form of a data set's note. A change of any field needs a new [`VERSION`].

use serde::{Deserialize, Serialize};

use super::class_ids::ClassIds;
use super::preprocessing::Origin;

/// Format version.
pub(crate) const VERSION: u32 = 1;
/// Name of the artifact's type.
pub(crate) const ARTIFACT: &str = "dataset";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetNote {
    pub(crate) artifact: String,
    pub(crate) version: u32,
    /// What the data are, e.g. `fashion-mnist`.
    pub(crate) source: String,
    /// One for each class, in the order of the class numbers.
    pub(crate) class_names: Vec<String>,
    /// Which classes of a larger data set these are; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class_ids: Option<ClassIds>,
    pub(crate) normalize: NormalizeNote,
    /// Who made the data and what may be done with them, as far as known.
    pub(crate) license: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum NormalizeNote {
    None {},
    Standard { mean: Vec<f64>, std: Vec<f64>, origin: Origin },
    Zca { epsilon: f64 },
}
