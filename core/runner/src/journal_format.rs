//! The journal of a run: what its lines hold. Written and read by one type, [`JournalLine`].
//!
//! ```text
//! {"at":0.0,"entry":{"run":{"version":2,"run":"r1...","pipeline":"p",...}}}     the first line: all that lists need
//! {"at":0.0,"entry":{"plan":[{"id":"data","kind":"dataset",...},...]}}          every node, with parameters and edges
//! {"at":0.1,"entry":{"fresh":{"data":"k:..."}}}                                 several nodes at once
//! {"at":0.1,"entry":{"started":{"node":"train","key":"k:...","reasons":[...]}}}
//! {"at":9.3,"entry":{"finished":{"node":"train",...}}}
//! {"at":9.4,"entry":{"end":{"fresh":1,"ran":1,...}}}                            the last line, unless the run was killed
//! ```
//!
//! Each line carries the seconds since the run began. Left out: points of curves, most of the progress, and what nodes
//! print, which is in a log of their own. A line with unknown fields is refused. Version 1 had the events as they are
//! printed by `--json`; such journals are told apart by [`read_head`].

use crate::error::NodeError;
use crate::event::{JobState, Resumed, RunEvent, SkipReason};
use crate::reason::StaleReason;
use pddflow_cache::{Digest, Key};
use pddflow_pipeline::{NodeId, Plan};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version that is written and read.
pub(crate) const VERSION: u32 = 2;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalLine {
    /// Seconds since the run began.
    pub(crate) at: f64,
    pub(crate) entry: Entry,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Entry {
    Run(Box<RunHead>),
    Plan(Vec<PlannedNode>),
    /// Nodes whose result was there, with their keys.
    Fresh(BTreeMap<String, Key>),
    Waiting {
        node: NodeId,
        key: Key,
    },
    /// Given to an executor outside of the process of the run.
    Queued {
        node: NodeId,
        key: Key,
    },
    /// Where its job is.
    Job {
        node: NodeId,
        job: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        batch: Option<String>,
        state: JobState,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        host: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
        output: PathBuf,
    },
    Started {
        node: NodeId,
        key: Key,
        reasons: Vec<StaleReason>,
    },
    Resumed {
        node: NodeId,
        from: Resumed,
    },
    InPlugin {
        node: NodeId,
        plugin: String,
    },
    Progress {
        node: NodeId,
        done: u64,
        total: u64,
        unit: String,
    },
    Warning {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        node: Option<NodeId>,
        text: String,
    },
    Finished {
        node: NodeId,
        key: Key,
        seconds: f64,
        outputs: BTreeMap<String, Digest>,
        /// Numbers that are not finite are null.
        metrics: BTreeMap<String, Option<f64>>,
    },
    Retrying {
        node: NodeId,
        attempt: u32,
        of: u32,
        seconds: f64,
        error: NodeError,
    },
    Failed {
        node: NodeId,
        error: NodeError,
    },
    Skipped {
        node: NodeId,
        because: SkipReason,
    },
    End(RunEnd),
}

/// What is known of a run when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunHead {
    version: u32,
    /// Id of the run.
    pub run: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The pipeline file as it was given.
    pub file: String,
    /// The pipeline's parameters, overrides applied; in a sweep those of its first point.
    pub params: Map<String, Value>,
    /// The axes of the sweep with their values.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sweep: Vec<(String, Vec<Value>)>,
    /// Names that the user gave the run.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// Name and version of the program.
    pub program: String,
    /// Number of nodes.
    pub nodes: usize,
    /// Nodes that run at the same time.
    pub jobs: usize,
    /// When it began: milliseconds since 1970, UTC.
    pub unix_milliseconds: u64,
}

/// A node of the plan that a run carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedNode {
    /// Its name.
    pub id: String,
    /// The family that it is an instance of.
    pub family: String,
    /// Its kind.
    pub kind: String,
    /// Its parameters.
    pub with: Value,
    /// The values of its family's axes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub axes: Vec<(String, Value)>,
    /// Its point: the values of those axes of the sweep that it depends on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub point: Vec<(String, Value)>,
    /// By input port, the nodes (places in the plan) and output ports that its artifacts come from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub inputs: BTreeMap<String, Vec<(usize, String)>>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunEnd {
    pub(crate) fresh: usize,
    pub(crate) ran: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    pub(crate) tolerated: usize,
    /// Nodes left to a cluster.
    #[serde(default)]
    pub(crate) left: usize,
    pub(crate) cancelled: bool,
    pub(crate) seconds: f64,
}

/// Why the first line of a journal is none that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoHead {
    /// It is of another version.
    Version(u32),
    Damaged,
}

/// What the first line of a journal says.
pub(crate) fn read_head(line: &str) -> Result<RunHead, NoHead> {
    let typed = serde_json::from_str(line).ok();
    if let Some(JournalLine { entry: Entry::Run(head), .. }) = typed
        && head.version == VERSION
    {
        return Ok(*head);
    }
    let line: Value = serde_json::from_str(line).map_err(|_| NoHead::Damaged)?;
    if line["event"] == "run_started" {
        return Err(NoHead::Version(1));
    }
    let version = line["entry"]["run"]["version"].as_u64().and_then(|version| u32::try_from(version).ok());
    Err(version.filter(|version| *version != VERSION).map_or(NoHead::Damaged, NoHead::Version))
}

impl RunHead {
    /// The head of a run of a plan.
    pub(crate) fn new(plan: &Plan, run: &str, (program, tags): (&str, &[String]), jobs: usize, began: u64) -> Self {
        Self {
            version: VERSION,
            run: run.to_owned(),
            pipeline: plan.name.clone(),
            file: plan.file.to_string_lossy().into_owned(),
            params: plan.params.clone(),
            sweep: plan.sweep.clone(),
            tags: tags.to_vec(),
            program: program.to_owned(),
            nodes: plan.nodes.len(),
            jobs,
            unix_milliseconds: began,
        }
    }
}

/// The nodes of a plan.
pub(crate) fn planned_nodes(plan: &Plan) -> Vec<PlannedNode> {
    let node = |node: &pddflow_pipeline::PlanNode| PlannedNode {
        id: node.id.to_string(),
        family: node.family.clone(),
        kind: node.kind.clone(),
        with: node.with.clone(),
        axes: node.axes.clone(),
        point: node.point.clone(),
        inputs: node
            .inputs
            .iter()
            .map(|(port, inputs)| {
                (port.clone(), inputs.iter().map(|input| (input.node, input.output.clone())).collect())
            })
            .collect(),
    };
    plan.nodes.iter().map(node).collect()
}

impl Entry {
    /// The entry of an event; none for those that leave no line of their own.
    pub(crate) fn of(event: &RunEvent) -> Option<Self> {
        Some(match event.clone() {
            RunEvent::NodeWaiting { node, key, .. } => Self::Waiting { node, key },
            RunEvent::NodeQueued { node, key } => Self::Queued { node, key },
            RunEvent::NodeJob { node, job, batch, state, host, reason, output } => {
                Self::Job { node, job, batch, state, host, reason, output }
            }
            RunEvent::NodeStarted { node, key, reasons } => Self::Started { node, key, reasons },
            RunEvent::NodeResumed { node, from } => Self::Resumed { node, from },
            RunEvent::NodeInPlugin { node, plugin } => Self::InPlugin { node, plugin },
            RunEvent::Progress { node, done, total, unit, .. } => {
                Self::Progress { node, done, total, unit: unit.into_owned() }
            }
            RunEvent::Warning { node, text } => Self::Warning { node, text },
            RunEvent::NodeFinished { node, key, seconds, outputs, metrics } => {
                let metrics = metrics.into_iter().map(|(name, value)| (name, Some(value).filter(|v| v.is_finite())));
                Self::Finished { node, key, seconds, outputs, metrics: metrics.collect() }
            }
            RunEvent::NodeRetrying { node, attempt, of, seconds, error } => {
                Self::Retrying { node, attempt, of, seconds, error }
            }
            RunEvent::NodeFailed { node, error } => Self::Failed { node, error },
            RunEvent::NodeSkipped { node, because } => Self::Skipped { node, because },
            RunEvent::RunFinished { fresh, ran, failed, skipped, tolerated, left, cancelled, seconds } => {
                Self::End(RunEnd { fresh, ran, failed, skipped, tolerated, left, cancelled, seconds })
            }
            RunEvent::RunStarted { .. }
            | RunEvent::NodeFresh { .. }
            | RunEvent::Metric { .. }
            | RunEvent::Log { .. } => return None,
        })
    }
}
