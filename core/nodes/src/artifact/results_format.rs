//! The wire form of results. A change of any field needs a new [`VERSION`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Format version.
pub(super) const VERSION: u32 = 2;
/// Name of the artifact's type.
pub(super) const ARTIFACT: &str = "results";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultsWire {
    pub(super) artifact: String,
    pub(super) version: u32,
    pub(super) method: String,
    pub(super) labels: BTreeMap<String, Value>,
    pub(super) rule: String,
    pub(super) reported: ReadingWire,
    pub(super) others: BTreeMap<String, ReadingWire>,
    pub(super) curve: Vec<PointWire>,
    pub(super) protocol: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadingWire {
    pub(super) stage: usize,
    pub(super) epoch: u64,
    pub(super) accuracies: Vec<f64>,
    /// Written for readers of the file; computed again when read.
    pub(super) mean: f64,
    /// Population standard deviation; like `mean`.
    pub(super) std: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointWire {
    pub(super) stage: usize,
    pub(super) epoch: u64,
    pub(super) accuracies: Vec<f64>,
    pub(super) held_out: Option<f64>,
    /// Where it is in class-incremental learning; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<PhaseWire>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhaseWire {
    pub(super) number: usize,
    pub(super) classes_seen: usize,
}
