//! Which nodes are repetitions of each other with other seeds.

use pddflow_runner::PlannedNode;
use serde_json::Value;

/// The axis and the parameter that repetitions differ in.
const SEED: &str = "seed";

/// A node without its seed: its family and the other values of its axes and of its point.
pub(crate) fn without_seed(node: &PlannedNode) -> (String, Vec<(String, Value)>) {
    let axes = node.point.iter().chain(&node.axes);
    (node.family.clone(), axes.filter(|(name, _)| !is_seed(name)).cloned().collect())
}

/// The seed among the axes or the parameters of a node.
pub(crate) fn seed_of(node: &PlannedNode) -> Option<Value> {
    let mut axes = node.point.iter().chain(&node.axes);
    let on_axis = axes.find(|(name, _)| is_seed(name)).map(|(_, value)| value.clone());
    on_axis.or_else(|| node.with.get(SEED).cloned())
}

fn is_seed(axis: &str) -> bool {
    axis.rsplit('.').next() == Some(SEED)
}
