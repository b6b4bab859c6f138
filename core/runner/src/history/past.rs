//! [`PastRun`]: a run as its journal tells it.

use crate::arrays::Arrays;
use crate::error::NodeError;
use crate::event::{JobState, Resumed, SkipReason};
use crate::journal_format::{Entry, JournalLine, PlannedNode, RunEnd, RunHead};
use crate::reason::StaleReason;
use pddflow_cache::{Digest, Key};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// A run as its journal tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// What was known when it began.
    pub head: RunHead,
    /// The nodes of its plan, in order.
    pub plan: Vec<PlannedNode>,
    /// How it ended, or that it has not.
    pub state: RunState,
    /// Nodes so far: fresh, ran, failed, skipped.
    pub counts: [usize; 4],
    /// Seconds from its beginning to its end, or until now; of one that was killed, to the last that is known of it.
    pub seconds: f64,
    /// What is known of each node.
    pub nodes: BTreeMap<String, PastNode>,
    /// The arrays of its jobs on a cluster; their moments are seconds since its beginning.
    pub arrays: Arrays,
    /// Warnings that were about no node.
    pub warnings: Vec<String>,
}

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It is going on.
    Running,
    /// Every node has its result, except those that may fail.
    Succeeded,
    /// A node failed.
    Failed,
    /// It was interrupted.
    Stopped,
    /// It left its jobs to the cluster.
    Detached,
    /// Its process ended without ending the run: killed, out of memory, or aborted by native code.
    Killed,
}

/// The job of a node on a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct PastJob {
    /// As the cluster calls it.
    pub job: String,
    /// Whether it waited or ran when last heard of.
    pub state: JobState,
    /// Its machine.
    pub host: Option<String>,
    /// Why it waited.
    pub reason: Option<String>,
    /// The file that it prints to.
    pub output: PathBuf,
    /// How many jobs the node has had, this one counted.
    pub jobs: usize,
}

/// A node of a past run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PastNode {
    /// Where it is.
    pub state: PastState,
    /// Its key, once known.
    pub key: Option<Key>,
    /// Its last job, if it had one.
    pub job: Option<PastJob>,
    /// Seconds since the beginning of the run at which it began to run.
    pub began: f64,
    /// How long it ran, if it did to its end.
    pub seconds: Option<f64>,
    /// What it continued from.
    pub resumed: Option<Resumed>,
    /// The plugins whose code it called.
    pub plugins: Vec<String>,
    /// The artifact at each output port, if it ran; those of a fresh node are in its record.
    pub outputs: BTreeMap<String, Digest>,
    /// Final metrics, if it ran; those of a fresh node are in its record.
    pub metrics: BTreeMap<String, f64>,
    /// Why it ran.
    pub reasons: Vec<StaleReason>,
    /// What it warned of.
    pub warnings: Vec<String>,
    /// Why it failed, also if it was tried again.
    pub failure: Option<NodeError>,
    /// The last that is known of how far it is: done, total, unit.
    pub progress: Option<(u64, u64, String)>,
}

/// Where a node of a past run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PastState {
    /// It has not begun: it waits for other nodes, for another run that computes the same, or for its next attempt.
    #[default]
    Waiting,
    /// Its result was there.
    Fresh,
    /// It has a job that waits; in a run that is over, it was left to the cluster.
    Queued,
    /// It runs; in a run that is over, it did not end, or was left to the cluster.
    Running,
    /// It ran.
    Ran,
    /// It failed.
    Failed,
    /// It was not run, or was stopped.
    Skipped,
}

impl RunState {
    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Detached => "detached",
            Self::Killed => "killed",
        }
    }

    pub(crate) fn of(end: &RunEnd) -> Self {
        match (end.cancelled, end.failed + end.skipped == end.tolerated + end.left) {
            (true, _) => Self::Stopped,
            (false, true) if end.left > 0 => Self::Detached,
            (false, true) => Self::Succeeded,
            (false, false) => Self::Failed,
        }
    }
}

impl PastState {
    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Fresh => "fresh",
            Self::Running => "running",
            Self::Ran => "ran",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl PastRun {
    pub(crate) fn new(head: RunHead) -> Self {
        let (plan, nodes, arrays, warnings) = (Vec::new(), BTreeMap::new(), Arrays::default(), Vec::new());
        Self { head, plan, state: RunState::Killed, counts: [0; 4], seconds: 0.0, nodes, arrays, warnings }
    }

    /// The place of a node in the plan.
    #[must_use]
    pub fn place(&self, node: &str) -> Option<usize> {
        self.plan.iter().position(|planned| planned.id == node)
    }

    /// Without a last line: the counts so far, and the time until now if its process lives.
    pub(crate) fn without_end(&mut self, running: bool) {
        let states = [PastState::Fresh, PastState::Ran, PastState::Failed, PastState::Skipped];
        self.counts = states.map(|state| self.nodes.values().filter(|node| node.state == state).count());
        if running {
            self.state = RunState::Running;
            self.seconds = self.seconds.max(seconds_since(self.head.unix_milliseconds));
        }
    }

    pub(crate) fn follow(&mut self, JournalLine { at, entry }: JournalLine) {
        self.seconds = at.max(self.seconds);
        match entry {
            Entry::Run(_) => {}
            Entry::Plan(nodes) => self.plan = nodes,
            Entry::Fresh(keys) => keys.into_iter().for_each(|(node, key)| {
                let fresh = PastNode { state: PastState::Fresh, key: Some(key), ..PastNode::default() };
                self.nodes.insert(node, fresh);
            }),
            Entry::Waiting { node, key } => self.node(&node).key = Some(key),
            Entry::Queued { node, key } => {
                let node = self.node(&node);
                (node.state, node.key) = (PastState::Queued, Some(key));
            }
            Entry::Job { node, job, batch, state, host, reason, output } => {
                if let Some(batch) = batch {
                    self.arrays.job(node.as_str(), (&batch, &job), state, at);
                }
                let node = self.node(&node);
                // The file names the job before the cluster has a number for it.
                let jobs = node.job.take().map_or(0, |last| last.jobs - usize::from(last.output == output)) + 1;
                node.job = Some(PastJob { job, state, host, reason, output, jobs });
            }
            Entry::Started { node, key, reasons } => {
                let node = self.node(&node);
                (node.state, node.key, node.began, node.reasons) = (PastState::Running, Some(key), at, reasons);
                (node.progress, node.resumed) = (None, None);
                node.plugins.clear();
            }
            Entry::Resumed { node, from } => self.node(&node).resumed = Some(from),
            Entry::InPlugin { node, plugin } => self.node(&node).plugins.push(plugin),
            Entry::Progress { node, done, total, unit } => self.node(&node).progress = Some((done, total, unit)),
            Entry::Warning { node: Some(node), text } => self.node(&node).warnings.push(text),
            Entry::Warning { node: None, text } => self.warnings.push(text),
            Entry::Finished { node, key, seconds, outputs, metrics } => {
                self.arrays.ended(node.as_str(), false);
                let node = self.node(&node);
                (node.state, node.key, node.seconds, node.outputs) =
                    (PastState::Ran, Some(key), Some(seconds), outputs);
                node.metrics = metrics.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                node.failure = None;
            }
            Entry::Retrying { node, error, .. } => {
                self.arrays.ended(node.as_str(), true);
                let node = self.node(&node);
                (node.state, node.failure) = (PastState::Waiting, Some(error));
            }
            Entry::Failed { node, error } => {
                self.arrays.ended(node.as_str(), true);
                let node = self.node(&node);
                (node.state, node.failure) = (PastState::Failed, Some(error));
            }
            Entry::Skipped { node, because } => {
                let left = because == SkipReason::LeftRunning;
                if !left {
                    self.arrays.ended(node.as_str(), false);
                }
                // What is known of a job that goes on stays.
                let node = self.node(&node);
                if !left || node.job.is_none() {
                    node.state = PastState::Skipped;
                }
            }
            Entry::End(end) => {
                self.state = RunState::of(&end);
                self.counts = [end.fresh, end.ran, end.failed, end.skipped];
                self.seconds = end.seconds;
            }
        }
    }

    fn node(&mut self, node: &pddflow_pipeline::NodeId) -> &mut PastNode {
        self.nodes.entry(node.to_string()).or_default()
    }
}

fn seconds_since(unix_milliseconds: u64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs_f64() - unix_milliseconds as f64 / 1e3).max(0.0)
}
