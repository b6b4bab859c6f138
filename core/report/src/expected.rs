//! The time that a run still takes, from how long its nodes took when they last ran.

use crate::text::seconds;
use std::collections::BTreeMap;
use std::fmt;

/// What the time of a run depends on.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    nodes: Vec<ExpectedNode>,
    /// Nodes that run at the same time.
    jobs: usize,
}

/// A node, as far as the time of its run depends on it.
#[derive(Debug, Clone)]
pub struct ExpectedNode {
    /// Its name.
    pub node: String,
    /// Its kind: nodes of one kind are expected to take as long as each other.
    pub kind: String,
    /// How long it took last time, in seconds, if it ever ran.
    pub seconds: Option<f64>,
    /// Places of the nodes that it needs, all before its own.
    pub needs: Vec<usize>,
}

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NodeStage {
    /// It has not begun.
    Waiting,
    /// It runs.
    Running {
        /// For so many seconds.
        since: f64,
        /// The seconds left at its present rate, if it has one.
        left: Option<f64>,
    },
    /// It came to an end, whichever.
    Ended,
}

/// The time that is left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeLeft {
    /// In seconds.
    pub seconds: f64,
    /// Whether there are nodes besides of which nothing is known.
    pub at_least: bool,
}

impl fmt::Display for TimeLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.at_least { "at least" } else { "about" };
        write!(f, "{about} {} left", seconds(self.seconds))
    }
}

impl Expected {
    /// Nodes in the order of their plan, of which so many run at the same time.
    #[must_use]
    pub fn new(nodes: Vec<ExpectedNode>, jobs: usize) -> Self {
        Self { nodes, jobs: jobs.max(1) }
    }

    /// A node took so long.
    pub(crate) fn took(&mut self, node: &str, seconds: f64) {
        if let Some(found) = self.nodes.iter_mut().find(|found| found.node == node) {
            found.seconds = Some(seconds);
        }
    }

    /// The longest path of what has not ended, or all of it shared among the nodes that run at a time where that is longer.
    /// None while nothing is known.
    #[must_use]
    pub fn left(&self, stage: impl Fn(&str) -> NodeStage) -> Option<TimeLeft> {
        let usual = self.usual();
        let (mut paths, mut work, mut at_least) = (Vec::with_capacity(self.nodes.len()), 0.0, false);
        for node in &self.nodes {
            let known = node.seconds.or_else(|| usual.get(node.kind.as_str()).copied());
            let own = match stage(&node.node) {
                NodeStage::Ended => Some(0.0),
                NodeStage::Waiting => known,
                NodeStage::Running { since, left } => {
                    let rest = known.map(|known| (known - since).max(0.0));
                    // The rate is that of one phase of the node.
                    rest.map_or(left, |rest| Some(left.map_or(rest, |left| left.max(rest))))
                }
            };
            at_least |= own.is_none();
            let own = own.unwrap_or(0.0);
            let before =
                node.needs.iter().filter_map(|at| paths.get(*at)).fold(0.0, |longest: f64, path| longest.max(*path));
            paths.push(before + own);
            work += own;
        }
        let longest = paths.iter().fold(0.0, |longest: f64, path| longest.max(*path));
        let seconds = longest.max(work / self.jobs as f64);
        (seconds > 0.0).then_some(TimeLeft { seconds, at_least })
    }

    /// The mean time of nodes by kind.
    fn usual(&self) -> BTreeMap<&str, f64> {
        let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (kind, seconds) in self.nodes.iter().filter_map(|node| Some((node.kind.as_str(), node.seconds?))) {
            let (sum, count) = sums.entry(kind).or_default();
            *sum += seconds;
            *count += 1.0;
        }
        sums.into_iter().map(|(kind, (sum, count))| (kind, sum / count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(node: &str, kind: &str, seconds: Option<f64>, needs: &[usize]) -> ExpectedNode {
        ExpectedNode { node: node.to_owned(), kind: kind.to_owned(), seconds, needs: needs.to_vec() }
    }

    fn chain_and_three(jobs: usize) -> Expected {
        let nodes = vec![
            node("a", "distill", Some(10.0), &[]),
            node("b", "distill", None, &[0]),
            node("c", "evaluate", Some(4.0), &[]),
            node("d", "evaluate", Some(6.0), &[]),
        ];
        Expected::new(nodes, jobs)
    }

    #[test]
    fn the_longest_path_counts_or_the_work_shared() {
        let waiting = |_: &str| NodeStage::Waiting;
        // `b` is taken for as long as `a`, the other node of its kind.
        assert_eq!(chain_and_three(4).left(waiting), Some(TimeLeft { seconds: 20.0, at_least: false }));
        assert_eq!(chain_and_three(1).left(waiting), Some(TimeLeft { seconds: 30.0, at_least: false }));
    }

    #[test]
    fn what_has_been_done_is_taken_off() {
        let stage = |name: &str| match name {
            "a" => NodeStage::Running { since: 7.0, left: None },
            "c" => NodeStage::Running { since: 1.0, left: Some(25.0) },
            "d" => NodeStage::Ended,
            _ => NodeStage::Waiting,
        };
        assert_eq!(chain_and_three(4).left(stage).map(|left| left.seconds), Some(25.0));
        assert_eq!(chain_and_three(4).left(|_| NodeStage::Ended), None);
    }

    #[test]
    fn what_nothing_is_known_of_is_told() {
        let mut some = Expected::new(vec![node("a", "x", Some(90.0), &[]), node("b", "y", None, &[0])], 2);
        let left = |some: &Expected| some.left(|_| NodeStage::Waiting).unwrap().to_string();
        assert_eq!(left(&some), "at least 1 min 30 s left");
        some.took("b", 30.0);
        assert_eq!(left(&some), "about 2 min 00 s left");
        let none = Expected::new(vec![node("a", "x", None, &[])], 2);
        assert_eq!(none.left(|_| NodeStage::Waiting), None);
    }
}
