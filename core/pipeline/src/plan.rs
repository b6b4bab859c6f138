//! The checked, expanded pipeline.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::SourceSpan;
use petgraph::graph::DiGraph;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::expression::display;

/// A pipeline after all checks: what is to be computed, from what, in which order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The pipeline's `name`, else its file's name without extension.
    pub name: String,
    /// The pipeline file as it was given.
    pub file: PathBuf,
    /// All parameters with profile and overrides applied, expressions evaluated.
    pub params: Map<String, Value>,
    /// Plugin files that the pipeline names, relative ones resolved against its folder.
    pub plugins: Vec<PathBuf>,
    /// Every instance, each after those it needs; ties in the order of declaration.
    pub nodes: Vec<PlanNode>,
    /// An edge from each node to each node that needs it. Node weights are indices into `nodes`, and equal the graph's own indices.
    pub graph: DiGraph<usize, ()>,
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
    /// The node kind.
    pub kind: String,
    /// Resolved parameters, defaults filled in by the kind.
    pub with: Value,
    /// For each input port that is connected, its artifacts in order.
    pub inputs: BTreeMap<String, Vec<InputRef>>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeSettings {
    /// The node's `description`.
    pub description: Option<String>,
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
        let near = crate::suggest::nearest(id, ids)?;
        self.nodes.iter().map(|node| &node.id).find(|id| id.as_str() == near)
    }

    /// The plan as JSON: what `plan --json` prints. Places in the file are left out, so that it depends on the meaning only.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let nodes: Vec<Value> = self.nodes.iter().map(|node| self.node_json(node)).collect();
        json!({
            "name": self.name,
            "file": self.file.to_string_lossy(),
            "params": self.params,
            "plugins": self.plugins.iter().map(|plugin| plugin.to_string_lossy()).collect::<Vec<_>>(),
            "nodes": nodes,
        })
    }

    fn node_json(&self, node: &PlanNode) -> Value {
        let id = |input: &InputRef| self.nodes.get(input.node).map_or("", |node| node.id.as_str());
        let inputs: Map<String, Value> = node
            .inputs
            .iter()
            .map(|(port, inputs)| {
                let inputs = inputs
                    .iter()
                    .map(|input| json!({"node": id(input), "output": input.output, "artifact": input.artifact}));
                (port.clone(), inputs.collect())
            })
            .collect();
        let axes: Map<String, Value> = node.axes.iter().cloned().collect();
        let mut value = json!({
            "id": node.id, "family": node.family, "kind": node.kind,
            "axes": axes, "with": node.with, "inputs": inputs,
        });
        if let (Some(description), Some(map)) = (&node.settings.description, value.as_object_mut()) {
            map.insert("description".to_owned(), json!(description));
        }
        value
    }
}
