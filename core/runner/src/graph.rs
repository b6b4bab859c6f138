//! Which node needs which, and how long the way from each to the end is.

use crate::error::RunError;
use pddflow_pipeline::Plan;

/// Assumed for nodes that never ran.
const UNKNOWN_SECONDS: f64 = 1.0;

/// The edges of a plan, each pair of nodes once, sorted.
pub(crate) struct Graph {
    pub(crate) before: Vec<Vec<usize>>,
    pub(crate) after: Vec<Vec<usize>>,
}

impl Graph {
    pub(crate) fn of(plan: &Plan) -> Result<Self, RunError> {
        let empty: Vec<Vec<usize>> = vec![Vec::new(); plan.nodes.len()];
        let (mut before, mut after) = (empty.clone(), empty);
        for (at, node) in plan.nodes.iter().enumerate() {
            for input in node.inputs.values().flatten() {
                if input.node >= at {
                    return Err(RunError::Internal(format!("`{}` needs a node that does not come before it", node.id)));
                }
                before[at].push(input.node);
            }
            before[at].sort_unstable();
            before[at].dedup();
            for up in &before[at] {
                after[*up].push(at);
            }
        }
        Ok(Self { before, after })
    }

    /// For each node the expected microseconds from its start to the end of the longest path after it.
    pub(crate) fn critical_paths(&self, seconds: impl Fn(usize) -> Option<f64>) -> Vec<u64> {
        let mut paths = vec![0_u64; self.after.len()];
        for at in (0..paths.len()).rev() {
            let own = seconds(at).filter(|s| s.is_finite() && *s >= 0.0).unwrap_or(UNKNOWN_SECONDS);
            let longest = self.after[at].iter().map(|down| paths[*down]).max().unwrap_or(0);
            paths[at] = longest.saturating_add((own * 1e6) as u64).saturating_add(1);
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_as_long_as_what_comes_after() {
        let graph =
            Graph { before: vec![vec![], vec![], vec![1], vec![]], after: vec![vec![], vec![2], vec![], vec![]] };
        let seconds = [Some(1.5), Some(1.0), None, Some(f64::NAN)];
        assert_eq!(graph.critical_paths(|at| seconds[at]), [1_500_001, 2_000_002, 1_000_001, 1_000_001]);
    }
}
