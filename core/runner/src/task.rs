//! [`Task`]: what a kind is asked to compute.

use pddflow_pipeline::{NodeId, PlanNode};
use serde_json::Value;
use std::path::Path;

/// A node as its kind sees it: all that its result may depend on besides its inputs, and a name for messages. It is made of a
/// node of a plan, or, on a machine without the plan, of [`crate::Work`].
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The node's name. For messages only: it must not influence the result.
    pub id: &'a NodeId,
    /// Its kind.
    pub kind: &'a str,
    /// Its parameters, defaults filled in.
    pub with: &'a Value,
    /// The folder that relative paths among the parameters start at: that of the file which declares the node.
    pub folder: &'a Path,
}

impl<'a> Task<'a> {
    /// A node of a plan.
    #[must_use]
    pub fn of(node: &'a PlanNode) -> Self {
        let folder = node.file.parent().unwrap_or(Path::new(""));
        Self { id: &node.id, kind: &node.kind, with: &node.with, folder }
    }
}
