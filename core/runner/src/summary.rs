//! [`Summary`]: what a run did.

use crate::error::NodeError;
use pddflow_cache::{Digest, Key, RecordHead};
use pddflow_pipeline::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its result was there, or another node of the run made it.
    Fresh,
    /// It ran.
    Ran,
    /// It failed.
    Failed,
    /// It was not run, or was stopped.
    Skipped,
}

/// What a run did with each node.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Id of the run.
    pub run: String,
    /// Nodes whose result was there.
    pub fresh: usize,
    /// Nodes that ran.
    pub ran: usize,
    /// Nodes that failed.
    pub failed: usize,
    /// Nodes that were not run or were stopped.
    pub skipped: usize,
    /// Nodes among the failed and skipped whose failure is allowed, or that need such a node.
    pub tolerated: usize,
    /// Whether the run was asked to end early.
    pub cancelled: bool,
    /// Wall time of the run.
    pub seconds: f64,
    /// Each node, in the order of the plan.
    pub nodes: Vec<NodeSummary>,
}

impl Summary {
    /// Whether every node has its result, those aside that may fail.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.failed + self.skipped == self.tolerated
    }

    /// The node of that name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeSummary> {
        self.nodes.iter().find(|node| node.node.as_str() == name)
    }
}

/// What a run did with one node.
#[derive(Debug, Clone)]
pub struct NodeSummary {
    /// The node.
    pub node: NodeId,
    /// How it ended.
    pub outcome: Outcome,
    /// What it gave, if it has its result.
    pub record: Option<Arc<RecordHead>>,
    /// Why it failed.
    pub error: Option<NodeError>,
}

impl NodeSummary {
    /// Its key, if it has its result.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        self.record.as_ref().map(|record| record.key)
    }

    /// The artifact at an output port.
    #[must_use]
    pub fn output(&self, port: &str) -> Option<Digest> {
        self.record.as_ref().and_then(|record| record.outputs.get(port)).copied()
    }

    /// Its metrics; none without a result.
    #[must_use]
    pub fn metrics(&self) -> Option<&BTreeMap<String, f64>> {
        self.record.as_ref().map(|record| &record.metrics)
    }
}
