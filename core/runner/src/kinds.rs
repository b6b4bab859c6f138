//! [`Kinds`]: what the runner needs of the node kinds, which live above it.

use crate::context::NodeContext;
use crate::error::NodeError;
use crate::key::{FORMAT, KIND, WITH, is_reserved};
use crate::task::Task;
use pddflow_cache::{Digest, KEY_FORMAT, KeyPart, MadeOn};
use pddflow_pipeline::NodeId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Knows how to compute nodes.
pub trait Kinds: Send + Sync {
    /// What a node's result depends on besides its kind's name, its parameters and its inputs: the revisions of
    /// the kind and its plugins, digests of files outside the store, device, instructions, precision. Asked before a node runs and again
    /// after it (a file that changed meanwhile must not be recorded), possibly from several threads: cheap or cached.
    /// Names must not be `kind`, `with`, `growing`, `key format` or begin with `input `.
    ///
    /// # Errors
    /// Something outside the store is missing or unreadable; the node then fails without running.
    fn key_parts(&self, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError>;

    /// The parameters as they enter the key, where some of them do not: those that only say where something is (a path,
    /// an address) whose content is among the [`Self::key_parts`]. By default all enter as the plan has them.
    fn key_with(&self, node: Task<'_>) -> Option<Value> {
        let _ = node;
        None
    }

    /// The parameter that only says how far a node goes, if with these parameters there is one: what the node does on
    /// the way to a smaller value is then, to the bit, the beginning of what it does on the way to a larger one. Such a
    /// kind keeps where it ended with [`NodeContext::keep_state`], and begins at [`NodeContext::checkpoint`], which may
    /// then be where a node ended that went less far. Asked for nodes that are stale.
    fn growing(&self, node: Task<'_>) -> Option<Growing> {
        let _ = node;
        None
    }

    /// What a node takes while it runs, where its `resources` do not say.
    fn expects(&self, node: Task<'_>) -> Expected {
        let _ = node;
        Expected::default()
    }

    /// Where a result with these key parts is made, for its record.
    fn made_on(&self, parts: &[KeyPart]) -> Option<MadeOn> {
        let _ = parts;
        None
    }

    /// Computes a node. Every artifact is stored with [`NodeContext::put`]. Called on a worker thread that
    /// belongs to no rayon pool, so that rayon calls inside use the global one.
    ///
    /// # Errors
    /// Whatever failed; [`NodeError::cancelled`] when it stopped because it was asked to.
    fn run(&self, node: Task<'_>, inputs: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError>;
}

/// What a node takes while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Memory in bytes: a guess on the large side, by which the runner keeps the nodes that run at once within the memory that
    /// there is. 0 is next to nothing.
    pub memory_bytes: u64,
    /// Graphics processors.
    pub gpus: u32,
}

/// See [`Kinds::growing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growing {
    /// Name of the parameter, such as `iterations`; a member of `with`.
    pub parameter: &'static str,
    /// Its value.
    pub wanted: u64,
}

/// The artifacts at each input port of a node, in the order of the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs(pub BTreeMap<String, Vec<Artifact>>);

impl Inputs {
    /// The artifacts at a port; empty when nothing is wired to it.
    #[must_use]
    pub fn port(&self, name: &str) -> &[Artifact] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// An artifact at an input port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// The digest under which its bytes are stored.
    pub digest: Digest,
    /// Its type, such as `dataset`.
    pub artifact: String,
    /// The node that it comes from. For messages only: it must not influence the result.
    pub from: NodeId,
}

/// What a node gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    /// The artifact at each output port.
    pub artifacts: BTreeMap<String, Digest>,
    /// Final value of each metric.
    pub metrics: BTreeMap<String, f64>,
}

/// The parts that are known before anything runs; `with` only if it is not what the plan holds.
pub(crate) fn base_parts(node: Task<'_>, kinds: &dyn Kinds) -> Result<Vec<KeyPart>, NodeError> {
    let ask = || Ok((kinds.key_parts(node)?, kinds.key_with(node)));
    let (mut parts, with) = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|payload| {
        let text = panic_text(payload.as_ref());
        Err(NodeError::internal(format!("the kind `{}` panicked while its key was made: {text}", node.kind)))
    })?;
    if let Some(part) = parts.iter().find(|part| is_reserved(&part.name)) {
        let (kind, name) = (node.kind, &part.name);
        return Err(NodeError::internal(format!("the kind `{kind}` uses the reserved key part `{name}`")));
    }
    parts.extend(with.map(|with| KeyPart::new(WITH, with)));
    parts.push(KeyPart::new(FORMAT, KEY_FORMAT.into()));
    parts.push(KeyPart::new(KIND, node.kind.into()));
    Ok(parts)
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it said nothing")
}
