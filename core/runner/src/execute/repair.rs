//! Repair: an artifact that a node could not read is made again.
//!
//! The store has already moved the damaged bytes away and never hands them out. The node that made them, fresh or run
//! a moment ago, goes back to waiting and is forced to run; the reader waits for it and then starts over. Since a
//! node gives the same bytes for the same key, everything that was done with the earlier copy stays valid; if it does
//! not, a warning says so.

use super::execution::{Execution, Stage};
use crate::error::NodeError;
use crate::reason::StaleReason;
use pddflow_cache::{Digest, Key, RecordHead};

/// A node whose artifacts are lost again and again points to a bad disk.
pub(super) const MOST_REPAIRS: u8 = 2;

impl Execution<'_, '_> {
    /// Whether the artifacts that a running node could not read will be there when it starts over.
    pub(super) fn repair(&mut self, at: usize, lost: &[Digest]) -> bool {
        let makers: Vec<(usize, Digest)> =
            lost.iter().filter_map(|digest| Some((self.maker(at, digest)?, *digest))).collect();
        let worn_out = |maker: usize| self.is_to_blame(at, maker) && self.nodes[maker].repairs >= MOST_REPAIRS;
        if makers.is_empty() || self.is_stopping() || makers.iter().any(|(maker, _)| worn_out(*maker)) {
            return false;
        }
        self.nodes[at].stage = Stage::Waiting;
        for (maker, digest) in makers {
            if self.is_to_blame(at, maker) {
                self.open_again(maker, &digest);
            } else if !self.has_ended(maker) {
                self.wait_again(at, maker);
            }
        }
        true
    }

    /// After [`Self::repair`]: the reader goes back, and so do the nodes that waited for its result.
    pub(super) fn release(&mut self, at: usize, key: Key, failure: &NodeError) {
        let reader = &self.plan.nodes[at].id;
        self.log.warn(format!("an artifact that `{reader}` needs is made again: {failure}"));
        for node in self.twins.remove(&key).unwrap_or_default().into_iter().chain([at]) {
            self.nodes[node].stage = Stage::Waiting;
            if self.nodes[node].missing == 0 {
                self.to_assess.insert(node);
            }
        }
    }

    pub(super) fn warn_if_different(&mut self, at: usize, earlier: Option<&RecordHead>) {
        let now = self.records[at].as_deref().map(|record| &record.outputs);
        if let Some(earlier) = earlier
            && now != Some(&earlier.outputs)
        {
            let node = &self.plan.nodes[at].id;
            self.log.warn(format!(
                "`{node}` gave other bytes when it ran again for a damaged artifact: its kind is not deterministic; \
                 nodes that already used the earlier bytes keep their results until the next run"
            ));
        }
    }

    /// The node directly before `at` that made an artifact.
    fn maker(&self, at: usize, digest: &Digest) -> Option<usize> {
        let made = |up: &usize| {
            let record = self.records[*up].as_deref();
            record.is_some_and(|record| record.outputs.values().any(|output| output == digest))
        };
        self.graph.before[at].iter().copied().find(made)
    }

    fn has_ended(&self, at: usize) -> bool {
        matches!(self.nodes[at].stage, Stage::Done(_))
    }

    /// Whether the maker's present result is the one that `at` could not read: it had it before `at` began.
    fn is_to_blame(&self, at: usize, maker: usize) -> bool {
        self.has_ended(maker) && self.nodes[maker].ended < self.nodes[at].began
    }

    fn open_again(&mut self, maker: usize, digest: &Digest) {
        let Some(record) = self.records[maker].clone() else { return };
        let damaged = record.outputs.iter().filter(|(_, output)| *output == digest);
        let reasons =
            damaged.map(|(output, digest)| StaleReason::OutputDamaged { output: output.clone(), digest: *digest });
        self.nodes[maker].forced = Some(reasons.collect());
        self.nodes[maker].repairs += 1;
        self.nodes[maker].stage = Stage::Waiting;
        self.made.remove(&record.key);
        self.waiting_again.insert(maker, Vec::new());
        for down in self.graph.after[maker].clone() {
            // Queued nodes too: they would only fail on the same artifact.
            self.withdraw(down);
            if self.nodes[down].stage == Stage::Waiting {
                self.wait_again(down, maker);
            }
        }
        for up in self.graph.before[maker].clone() {
            if !self.has_ended(up) {
                self.wait_again(maker, up);
            }
        }
        if self.nodes[maker].missing == 0 {
            self.to_assess.insert(maker);
        }
    }

    /// Takes a queued node back to waiting, and with it the twins that wait for its result.
    fn withdraw(&mut self, at: usize) {
        let Some((work, _)) = self.jobs.remove(&at) else { return };
        self.nodes[at].stage = Stage::Waiting;
        for twin in self.twins.remove(&work.key).unwrap_or_default() {
            self.nodes[twin].stage = Stage::Waiting;
            if self.nodes[twin].missing == 0 {
                self.to_assess.insert(twin);
            }
        }
    }

    fn wait_again(&mut self, at: usize, maker: usize) {
        let waiting = self.waiting_again.entry(maker).or_default();
        if !waiting.contains(&at) {
            waiting.push(at);
            self.nodes[at].missing += 1;
        }
    }
}
