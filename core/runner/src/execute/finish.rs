//! The end of a run: who was skipped and why, what is remembered, the summary.

use super::execution::{Execution, Node, Stage};
use crate::error::NodeError;
use crate::event::{RunEvent, SkipReason};
use crate::summary::{NodeSummary, Outcome, Summary};
use pddflow_cache::Key;
use std::time::Instant;

impl Execution<'_, '_> {
    /// A node stopped because it was asked to, or was given back before it began; after a failure elsewhere the end of the
    /// run says why it was not run.
    pub(super) fn stopped(&mut self, at: usize, key: Key, begun: bool) {
        self.twins.remove(&key);
        if self.shared.cancel.requested() {
            self.skip(at, SkipReason::Cancelled { begun });
        } else {
            self.nodes[at].stage = Stage::Waiting;
        }
    }

    pub(super) fn finish(mut self, run: String) -> Summary {
        let (tolerated, left) = self.skip_rest();
        self.remember();
        if let Err(error) = self.shared.store.commit() {
            let help = error.help();
            self.log.warn(format!("{}; {help}", NodeError::from(error)));
        }
        self.pass_warnings_on();
        let count = |outcome| self.nodes.iter().filter(|node| node.stage == Stage::Done(outcome)).count();
        let [fresh, ran, failed, skipped] =
            [Outcome::Fresh, Outcome::Ran, Outcome::Failed, Outcome::Skipped].map(count);
        let (cancelled, seconds) = (self.shared.cancel.requested(), self.log.seconds());
        self.log.tell(RunEvent::RunFinished { fresh, ran, failed, skipped, tolerated, left, cancelled, seconds });
        // The journal of a no-op run is not worth the time of a sync.
        if ran + failed > 0 {
            self.log.sync();
        } else {
            self.log.flush();
        }
        let nodes = self.node_summaries();
        Summary { run, fresh, ran, failed, skipped, tolerated, cancelled, seconds, nodes }
    }

    /// Every node that did not come to an end is skipped, with the nearest reason. Returns how many nodes failed or
    /// were skipped because of a failure that is allowed, and how many were left to a cluster.
    fn skip_rest(&mut self) -> (usize, usize) {
        let (mut tolerated, mut left) = (0, 0);
        let mut blamed: Vec<Option<usize>> = vec![None; self.nodes.len()];
        for at in 0..self.nodes.len() {
            blamed[at] = match self.nodes[at].stage {
                Stage::Done(Outcome::Failed) => Some(at),
                Stage::Done(Outcome::Fresh | Outcome::Ran) => None,
                _ => self.graph.before[at].iter().find_map(|up| blamed[*up]),
            };
            tolerated += usize::from(blamed[at].is_some_and(|failed| self.plan.nodes[failed].settings.allow_failure));
            if matches!(self.nodes[at].stage, Stage::Done(_)) {
                continue;
            }
            let name = |at: usize| self.plan.nodes[at].id.clone();
            let because = match (blamed[at], self.shared.cancel.requested(), self.first_failed) {
                (Some(failed), _, _) => SkipReason::NeedsFailed { node: name(failed) },
                (None, false, Some(failed)) => SkipReason::StoppedAfter { node: name(failed) },
                (None, false, None) if self.shared.settings.detach => SkipReason::LeftRunning,
                (None, _, _) => SkipReason::Cancelled { begun: false },
            };
            left += usize::from(because == SkipReason::LeftRunning);
            self.skip(at, because);
        }
        (tolerated, left)
    }

    pub(super) fn skip(&mut self, at: usize, because: SkipReason) {
        self.nodes[at].stage = Stage::Done(Outcome::Skipped);
        self.records[at] = None;
        let node = self.plan.nodes[at].id.clone();
        self.log.tell(RunEvent::NodeSkipped { node, because });
    }

    /// Notes the keys of nodes whose key is another than last time.
    pub(super) fn remember(&mut self) {
        if self.to_remember.is_empty() {
            return;
        }
        self.remembered = Instant::now();
        let changed = std::mem::take(&mut self.to_remember);
        let keys: Vec<(&str, Key)> = changed.iter().map(|(at, key)| (self.plan.nodes[*at].id.as_str(), *key)).collect();
        if let Err(error) = self.shared.store.remember(&self.plan.name, &keys) {
            let failure = NodeError::from(error);
            self.log.warn(format!("the next run cannot say why nodes are stale: {failure}"));
        }
    }

    fn node_summaries(self) -> Vec<NodeSummary> {
        let ended = self.nodes.into_iter().zip(self.records).zip(&self.plan.nodes);
        let summary = |((node, record), planned): ((Node, _), &pddflow_pipeline::PlanNode)| NodeSummary {
            node: planned.id.clone(),
            outcome: match node.stage {
                Stage::Done(outcome) => outcome,
                _ => Outcome::Skipped,
            },
            record,
            error: node.failure,
        };
        ended.map(summary).collect()
    }
}
