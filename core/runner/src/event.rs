//! [`RunEvent`]: what the runner says while it works. Reporters only ever read these.

use crate::error::NodeError;
use crate::reason::StaleReason;
use pddflow_cache::{Digest, Key, RecordHead};
use pddflow_pipeline::NodeId;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A fact about a run. All events of a run come from one thread, in an order in which they can have happened: the one
/// that called [`crate::run`]. As JSON, numbers that are not finite become null.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEvent {
    /// The first event.
    RunStarted {
        /// Id of the run.
        run: String,
        /// Name of the pipeline.
        pipeline: String,
        /// The pipeline file as it was given.
        file: String,
        /// The pipeline's parameters, overrides applied.
        params: Map<String, Value>,
        /// Names that the user gave the run.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// Number of nodes.
        nodes: usize,
        /// Nodes that run at the same time.
        jobs: usize,
        /// Milliseconds since 1970, UTC.
        unix_milliseconds: u64,
    },
    /// A node's result is there; its metrics and what it said then are in the record.
    NodeFresh {
        /// The node.
        node: NodeId,
        /// Its record.
        #[serde(serialize_with = "record_fields")]
        record: Arc<RecordHead>,
    },
    /// Another process is computing the same; its result will be taken.
    NodeWaiting {
        /// The node.
        node: NodeId,
        /// Its key.
        key: Key,
        /// The run that computes it, if it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<String>,
        /// The machine of that run, if it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// A node was given to an executor outside of this process, and waits there.
    NodeQueued {
        /// The node.
        node: NodeId,
        /// Its key.
        key: Key,
    },
    /// Where the job of a node is, on a cluster.
    NodeJob {
        /// The node.
        node: NodeId,
        /// The job, as the cluster calls it.
        job: String,
        /// The batch that it was submitted with, if jobs are submitted together: the name of the array.
        #[serde(skip_serializing_if = "Option::is_none")]
        batch: Option<String>,
        /// Whether it waits or runs.
        state: JobState,
        /// The machine that it runs on, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Why it waits, in the cluster's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The file that it prints to.
        output: PathBuf,
    },
    /// A node begins to run.
    NodeStarted {
        /// The node.
        node: NodeId,
        /// Its key.
        key: Key,
        /// Why it is stale.
        reasons: Vec<StaleReason>,
    },
    /// A node that has begun continues work that was done before.
    NodeResumed {
        /// The node.
        node: NodeId,
        /// From where.
        from: Resumed,
    },
    /// A running node calls native code of a plugin from now on. Should the process die without a word, the journal
    /// says who was at work.
    NodeInPlugin {
        /// The node.
        node: NodeId,
        /// The plugin, such as `matcher dm`.
        plugin: String,
    },
    /// How far a running node is. At most a few per second and node.
    Progress {
        /// The node.
        node: NodeId,
        /// Units done.
        done: u64,
        /// Units in all; 0 when unknown.
        total: u64,
        /// What is counted.
        unit: Cow<'static, str>,
        /// The loss now, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        loss: Option<f64>,
    },
    /// A point of a curve.
    Metric {
        /// The node.
        node: NodeId,
        /// The curve.
        name: String,
        /// Iteration or epoch.
        step: u64,
        /// Value.
        value: f64,
    },
    /// Something a node says.
    Log {
        /// The node.
        node: NodeId,
        /// One or more lines.
        text: String,
    },
    /// Something that is not as it should be, and did not stop the work.
    Warning {
        /// The node, if it is about one.
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<NodeId>,
        /// What.
        text: String,
    },
    /// A node ran and its result is stored.
    NodeFinished {
        /// The node.
        node: NodeId,
        /// Its key.
        key: Key,
        /// Wall time.
        seconds: f64,
        /// The artifact at each output port.
        outputs: BTreeMap<String, Digest>,
        /// Final value of each metric.
        metrics: BTreeMap<String, f64>,
    },
    /// A node failed and will be tried again.
    NodeRetrying {
        /// The node.
        node: NodeId,
        /// Which of its further attempts comes next, from 1.
        attempt: u32,
        /// How many further attempts it has in all.
        of: u32,
        /// Time until then.
        seconds: f64,
        /// Why it failed.
        error: NodeError,
    },
    /// A node failed.
    NodeFailed {
        /// The node.
        node: NodeId,
        /// Why.
        error: NodeError,
    },
    /// A node was not run, or was stopped.
    NodeSkipped {
        /// The node.
        node: NodeId,
        /// Why.
        because: SkipReason,
    },
    /// The last event.
    RunFinished {
        /// Nodes whose result was there.
        fresh: usize,
        /// Nodes that ran.
        ran: usize,
        /// Nodes that failed.
        failed: usize,
        /// Nodes that were not run or were stopped.
        skipped: usize,
        /// Nodes among the failed and skipped whose failure is allowed, or that need such a node.
        tolerated: usize,
        /// Nodes among the skipped that were left to a cluster, with those that wait for them: the run was detached.
        #[serde(skip_serializing_if = "is_zero")]
        left: usize,
        /// Whether the run was asked to end early.
        cancelled: bool,
        /// Wall time of the run.
        seconds: f64,
    },
}

/// How far a node is, as it tells [`crate::NodeContext::progress`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 when unknown.
    pub total: u64,
    /// What is counted: `iterations`, `epochs`, `images`, `bytes`.
    pub unit: &'static str,
    /// The loss now, if there is one.
    pub loss: Option<f64>,
}

/// Whether a job waits or runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits.
    Queued,
    /// It runs.
    Running,
}

/// What a node continues from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Resumed {
    /// Its own checkpoint.
    Checkpoint,
    /// Where a node ended that went less far.
    Shorter {
        /// The parameter that says how far a node goes.
        parameter: String,
        /// How far the other one went.
        reached: u64,
        /// How far this one is to go.
        wanted: u64,
    },
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("continues from its checkpoint"),
            Self::Shorter { parameter, reached, wanted } => {
                write!(f, "continues from {reached} of {wanted} {parameter}")
            }
        }
    }
}

/// Why a node was not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// It needs a node that failed.
    NeedsFailed {
        /// The node that failed, perhaps several edges away.
        node: NodeId,
    },
    /// Another node failed, and the run was not asked to keep going.
    StoppedAfter {
        /// The node that failed first.
        node: NodeId,
    },
    /// The run was asked to end early. A node that had begun continues from its checkpoint next time.
    Cancelled {
        /// Whether it had begun.
        begun: bool,
    },
    /// The run ended before it, as it was asked to: its job goes on, or it waits for one that does.
    LeftRunning,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn record_fields<S: Serializer>(record: &Arc<RecordHead>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("record", 5)?;
    fields.serialize_field("key", &record.key)?;
    fields.serialize_field("outputs", &record.outputs)?;
    fields.serialize_field("metrics", &record.metrics)?;
    fields.serialize_field("seconds", &record.seconds)?;
    fields.serialize_field("log", &record.log)?;
    fields.end()
}
