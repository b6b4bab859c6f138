//! The wire form of the notes of `trajectories` and `weights`. A change of any field needs a new [`VERSION`].

use pddflow_cache::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Format version of both.
pub(crate) const VERSION: u32 = 2;
/// Name of the artifact's type.
pub(crate) const TRAJECTORIES: &str = "trajectories";
/// Name of the artifact's type.
pub(crate) const WEIGHTS: &str = "weights";

/// What stored nets say of themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetsInfo {
    /// The model with all its parameters: `{ id: { ... } }`.
    pub model: Value,
    /// Number of the first net; the others follow.
    pub first: usize,
    /// Number of nets.
    pub count: usize,
    /// Digests of the sets that the nets were trained through before, in order.
    pub sets: Vec<Digest>,
    /// What they were made for; `None` as long as they have seen nothing.
    pub data: Option<NetData>,
    /// The model's weights in order; empty as long as `data` is `None`.
    pub weights: Vec<StoredWeight>,
    /// Parameters of the node that made them.
    pub made_by: Value,
}

/// What nets were made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetData {
    /// What the real data are, e.g. `fashion-mnist`.
    pub source: String,
    /// One name for each class.
    pub class_names: Vec<String>,
    /// Channels, rows and columns of an image.
    pub shape: [usize; 3],
    /// Digest of the preprocessing.
    pub preprocessing: Digest,
}

/// About one weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredWeight {
    /// The model's name of it.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Whether it is a running statistic and not learned.
    pub statistic: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrajectoriesNote {
    pub(crate) artifact: String,
    pub(crate) version: u32,
    /// Epochs after which the weights were kept, ascending; 0 is before training.
    pub(crate) epochs: Vec<u64>,
    pub(crate) nets: NetsInfo,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightsNote {
    pub(crate) artifact: String,
    pub(crate) version: u32,
    /// The seed of nets that have seen nothing yet: their weights follow from it and are not stored.
    pub(crate) fresh: Option<u64>,
    pub(crate) nets: NetsInfo,
}
