//! Who comes before whom in a plan, and what runs first.

use crate::error::RunError;
use pddflow_pipeline::Plan;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

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

/// Nodes that could run: largest priority first, then longest path, then in the order of the plan.
#[derive(Default)]
pub(crate) struct Ready(BinaryHeap<(i32, u64, Reverse<usize>)>);

impl Ready {
    pub(crate) fn push(&mut self, priority: i32, path: u64, at: usize) {
        self.0.push((priority, path, Reverse(at)));
    }

    pub(crate) fn pop(&mut self) -> Option<usize> {
        self.0.pop().map(|(_, _, Reverse(at))| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_comes_first_and_ties_keep_the_plan_s_order() {
        let graph =
            Graph { before: vec![vec![], vec![], vec![1], vec![]], after: vec![vec![], vec![2], vec![], vec![]] };
        let seconds = [Some(1.5), Some(1.0), None, Some(f64::NAN)];
        let paths = graph.critical_paths(|at| seconds[at]);
        let mut ready = Ready::default();
        for at in [3, 2, 1, 0] {
            ready.push(0, paths[at], at);
        }
        let order: Vec<usize> = std::iter::from_fn(|| ready.pop()).collect();
        assert_eq!(order, [1, 0, 2, 3]);
        ready.push(0, 9, 0);
        ready.push(1, 1, 1);
        assert_eq!(ready.pop(), Some(1));
    }
}
