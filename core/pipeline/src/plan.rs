//! The checked, expanded pipeline.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use litemap::LiteMap;
use miette::SourceSpan;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::expression::display;

/// A pipeline after all checks: what is to be computed, from what, in which order.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The pipeline's `name`, else its file's name without extension.
    pub name: String,
    /// The pipeline file as it was given.
    pub file: PathBuf,
    /// All parameters with profile and overrides applied, expressions evaluated.
    pub params: Map<String, Value>,
    /// The axes of the sweep that `--set KEY=a,b,c` asks for, with their values; `params` are those of its first point.
    pub sweep: Vec<(String, Vec<Value>)>,
    /// Plugin files that the pipeline names, relative ones resolved against its folder.
    pub plugins: Vec<PathBuf>,
    /// The pools that the pipeline declares, with their sizes.
    pub pools: BTreeMap<String, u32>,
    /// How it runs on a cluster.
    pub cluster: ClusterSettings,
    /// Every instance, each after those it needs; ties in the order of declaration.
    pub nodes: Vec<PlanNode>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanNode {
    /// Its name, unique in the plan.
    pub id: NodeId,
    /// The key under `nodes:` that declares it.
    pub family: String,
    /// Its point in the family, in the order of the axes.
    pub axes: Vec<(String, Value)>,
    /// Where a sweep has several values for what it depends on: those of this node. Part of its name, before the axes.
    pub point: Vec<(String, Value)>,
    /// The node kind.
    pub kind: String,
    /// Resolved parameters, defaults filled in by the kind.
    pub with: Value,
    /// For each input port that is connected, its artifacts in order.
    pub inputs: LiteMap<String, Vec<InputRef>>,
    /// The file that declares it: the pipeline file or one that it includes.
    pub file: Arc<Path>,
    /// Where the declaration's name stands in `file`.
    pub span: SourceSpan,
    /// What does not change its result.
    pub settings: NodeSettings,
}

/// One artifact that a node takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputRef {
    /// Index of the producing node in [`Plan::nodes`].
    pub node: usize,
    /// The producing node's output port.
    pub output: String,
    /// The artifact type.
    pub artifact: String,
}

/// Settings of a node: they never change its result and never enter its key.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct NodeSettings {
    /// The node's `description`.
    pub description: Option<String>,
    /// What to do after a failure, besides failing.
    pub retries: Option<Retries>,
    /// Longest time of one attempt.
    pub timeout: Option<Duration>,
    /// A failure of this node is no failure of the run. What needs the node is skipped all the same.
    pub allow_failure: bool,
    /// What it needs while it runs.
    pub resources: Resources,
    /// Nodes with a larger one start earlier; 0 unless said otherwise.
    pub priority: i32,
    /// Pieces that it is cut into, if more than one; in a plan it is cut already.
    pub shards: u32,
    /// The node was not selected: its result is used if it is there, and it is never run.
    pub only_if_fresh: bool,
}

/// How often a failed node is tried again, and how long it waits before.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Retries {
    /// Attempts after the first.
    pub times: u32,
    /// Time before the second attempt.
    pub wait: Duration,
    /// How much longer each further wait is.
    pub factor: f64,
    /// Longest wait.
    pub most: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { times: 0, wait: Duration::from_secs(1), factor: 2.0, most: Duration::from_secs(300) }
    }
}

impl Retries {
    /// The time before an attempt; the second attempt of all is number 1.
    #[must_use]
    pub fn wait_before(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.wait.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.most)
    }
}

/// What a node needs while it runs, so that not more nodes run at once than the machine can carry. 0 is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resources {
    /// Processor cores.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// On a cluster: memory of its second job, of the third, and so on; the last is that of all others.
    pub more_memory: Vec<u64>,
    /// Graphics processors.
    pub gpus: u32,
    /// Units of each named pool of the pipeline.
    pub pools: BTreeMap<String, u32>,
    /// On a cluster: time limit of its first job, of the second, and so on; the last is that of all others. Empty is what the
    /// cluster gives.
    pub time: Vec<Duration>,
    /// Partition of the cluster.
    pub partition: Option<String>,
    /// Account that the job is charged to.
    pub account: Option<String>,
    /// Quality of service.
    pub qos: Option<String>,
    /// Features that the machine must have.
    pub constraint: Option<String>,
    /// Generic resources, such as `gpu:a100:1`, in place of a number of GPUs.
    pub gres: Option<String>,
    /// Further options for the submission, verbatim.
    pub extra: Vec<String>,
}

impl Resources {
    /// These, and where they say nothing of something, what others say of it. Pools stay as they are.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        let number = |own, other| if own == 0 { other } else { own };
        let text = |own: &Option<String>, other: &Option<String>| own.as_ref().or(other.as_ref()).cloned();
        let memory = if self.memory_bytes == 0 { others } else { self };
        Self {
            cpus: number(self.cpus, others.cpus),
            memory_bytes: memory.memory_bytes,
            more_memory: memory.more_memory.clone(),
            gpus: number(self.gpus, others.gpus),
            pools: self.pools.clone(),
            time: if self.time.is_empty() { others.time.clone() } else { self.time.clone() },
            partition: text(&self.partition, &others.partition),
            account: text(&self.account, &others.account),
            qos: text(&self.qos, &others.qos),
            constraint: text(&self.constraint, &others.constraint),
            gres: text(&self.gres, &others.gres),
            extra: if self.extra.is_empty() { others.extra.clone() } else { self.extra.clone() },
        }
    }
}

impl Resources {
    /// The memory of a job by its number, from 0.
    #[must_use]
    pub fn memory_of_job(&self, number: usize) -> u64 {
        let later = number.checked_sub(1).and_then(|at| self.more_memory.get(at).or(self.more_memory.last()));
        later.copied().unwrap_or(self.memory_bytes)
    }

    /// The time limit of a job by its number, from 0, if it has one.
    #[must_use]
    pub fn time_of_job(&self, number: usize) -> Option<Duration> {
        self.time.get(number).or(self.time.last()).copied()
    }
}

/// What a pipeline says under `cluster:`: how its nodes run on one. It never changes a result.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClusterSettings {
    /// Resources of nodes that do not say otherwise.
    pub defaults: Resources,
    /// Resources of the nodes of a kind, before those.
    pub kinds: BTreeMap<String, Resources>,
    /// Kinds whose nodes stay with the run, besides those that are always small.
    pub head: Vec<String>,
    /// Lines of shell before the program, such as `module load cuda`.
    pub setup: Vec<String>,
    /// Most tasks of one array that run at once.
    pub at_once: Option<u32>,
    /// Most tasks in the queue.
    pub queued: u32,
    /// Whether the cluster itself may start a job again.
    pub requeue: bool,
    /// Whether memory is asked for by the core.
    pub memory_per_cpu: bool,
    /// How long before its time limit a job is told to write a checkpoint.
    pub signal: Duration,
    /// How long an array waits for further nodes.
    pub quiet: Duration,
    /// How often the cluster is asked, at most.
    pub poll: Duration,
    /// After this time without a sign of a job it is lost.
    pub lost: Duration,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            defaults: Resources::default(),
            kinds: BTreeMap::new(),
            head: Vec::new(),
            setup: Vec::new(),
            at_once: None,
            queued: 1_000,
            requeue: false,
            memory_per_cpu: false,
            signal: Duration::from_secs(120),
            quiet: Duration::from_secs(2),
            poll: Duration::from_secs(10),
            lost: Duration::from_secs(120),
        }
    }
}

impl ClusterSettings {
    /// What a node of this kind asks the cluster for, which itself says this.
    #[must_use]
    pub fn resources(&self, kind: &str, own: &Resources) -> Resources {
        match self.kinds.get(kind) {
            Some(of_kind) => own.or(of_kind).or(&self.defaults),
            None => own.or(&self.defaults),
        }
    }
}

/// The name of an instance: `data`, `distill[3]`, `eval[model=resnet18]`.
///
/// A family with one axis of integers is indexed by the value alone, any other by `axis=value`. The same text works as a
/// reference under `needs`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The name as given, without a check.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name of the instance of a family at a point.
    #[must_use]
    pub fn of(family: &str, axes: &[(String, Value)]) -> Self {
        let text = match axes {
            [] => family.to_owned(),
            [(_, Value::Number(number))] if !number.is_f64() => format!("{family}[{number}]"),
            axes => {
                let parts: Vec<String> =
                    axes.iter().map(|(axis, value)| format!("{axis}={}", axis_text(value))).collect();
                format!("{family}[{}]", parts.join(","))
            }
        };
        Self(text.into())
    }

    /// The name of the instance of a family at a point of a sweep: `distill[stages=3,k=1]`.
    #[must_use]
    pub fn at(family: &str, point: &[(String, Value)], axes: &[(String, Value)]) -> Self {
        let all = point.iter().chain(axes);
        let parts: Vec<String> = all.map(|(axis, value)| format!("{axis}={}", axis_text(value))).collect();
        Self(format!("{family}[{}]", parts.join(",")).into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value as a reference writes it: in quotes if it holds what a reference takes for syntax.
fn axis_text(value: &Value) -> String {
    let text = display(value).unwrap_or_default();
    let special = |character: char| ",=[]* \t\n".contains(character);
    if text.is_empty() || text.contains(special) || text.contains("..") { format!("\"{text}\"") } else { text }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl AsRef<str> for NodeId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for NodeId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self(name.into()))
    }
}

impl Plan {
    /// The node of that name.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&PlanNode> {
        self.nodes.iter().find(|node| node.id.as_str() == id)
    }

    /// The instance name nearest to a misspelled one.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Option<&NodeId> {
        let ids = self.nodes.iter().map(|node| node.id.as_str());
        let near = crate::text::suggest::nearest(id, ids)?;
        self.nodes.iter().map(|node| &node.id).find(|id| id.as_str() == near)
    }
}
