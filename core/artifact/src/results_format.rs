//! The wire form of results. A change of any field needs a new [`VERSION`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Format version.
pub(crate) const VERSION: u32 = 3;
/// Name of the artifact's type.
pub(crate) const ARTIFACT: &str = "results";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultsWire {
    pub(crate) artifact: String,
    pub(crate) version: u32,
    pub(crate) method: String,
    pub(crate) labels: BTreeMap<String, Value>,
    pub(crate) rule: String,
    pub(crate) reported: ReadingWire,
    pub(crate) others: BTreeMap<String, ReadingWire>,
    pub(crate) curve: Vec<PointWire>,
    pub(crate) protocol: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadingWire {
    pub(crate) stage: usize,
    pub(crate) epoch: u64,
    pub(crate) accuracies: Vec<f64>,
    /// Written for readers of the file; computed again when read.
    pub(crate) mean: f64,
    /// Sample standard deviation over the nets, `null` for one net; like `mean`.
    pub(crate) std: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointWire {
    pub(crate) stage: usize,
    pub(crate) epoch: u64,
    pub(crate) accuracies: Vec<f64>,
    pub(crate) held_out: Option<f64>,
    /// Where it is in class-incremental learning; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phase: Option<PhaseWire>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhaseWire {
    pub(crate) number: usize,
    pub(crate) classes_seen: usize,
}
