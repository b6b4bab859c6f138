//! What a node kind must say of itself.
//!
//! A kind is a value without state: everything that a node depends on comes through `with` (resolved parameters), its
//! inputs, and the [`Surroundings`] (plugins, data folders, device). The kinds are listed in `kinds.rs`.

use std::borrow::Cow;

use pddflow_cache::KeyPart;
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, NodeId, ParamProblem, PlanNode, PortSpec};
use pddflow_runner::{Expected, Growing, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::splits::NO_HELD_OUT_HELP;
use serde_json::Value;

use crate::surroundings::Surroundings;

/// One node kind.
pub(crate) trait Kind: Send + Sync {
    /// Name, ports and the JSON schema of the parameters.
    fn spec(&self) -> KindSpec;

    /// Checks `with` and returns it with every default filled in; the result enters the key.
    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>>;

    /// Checks that inputs and checked parameters go together; `count` says how many artifacts come into a port.
    fn check_inputs(
        &self,
        surroundings: &Surroundings,
        with: &Value,
        count: &dyn Fn(&str) -> usize,
    ) -> Result<(), InputProblem> {
        let _ = (surroundings, with, count);
        Ok(())
    }

    /// The checked parameters with what follows from the nodes that this one is wired to, so that it enters the key.
    fn complete(&self, node: &Connected<'_>) -> Option<Value> {
        let _ = node;
        None
    }

    /// Checks the nodes that this one is connected to, directly or not, when everything else of the plan is right.
    fn check_connections(&self, surroundings: &Surroundings, node: &Connected<'_>) -> Result<(), InputProblem> {
        let _ = (surroundings, node);
        Ok(())
    }

    /// Whether a node with these checked parameters has an output of the kind.
    fn gives(&self, with: &Value, output: &str) -> bool {
        let _ = (with, output);
        true
    }

    /// Likely mistakes in checked parameters.
    fn lint(&self, with: &Value) -> Vec<ParamProblem> {
        let _ = with;
        Vec::new()
    }

    /// What besides parameters and inputs decides the result: the kind's revision, plugin digests, the revision of the
    /// numeric kernels, digests of outside files.
    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError>;

    /// The parameters as they enter the key, if some only say where something is whose content is a key part.
    fn key_with(&self, with: &Value) -> Option<Value> {
        let _ = with;
        None
    }

    /// The parameter that only says how far the node goes, if there is one; see [`pddflow_runner::Kinds::growing`].
    fn growing(&self, surroundings: &Surroundings, with: &Value) -> Option<Growing> {
        let _ = (surroundings, with);
        None
    }

    /// Whether one node takes the results of all of the pipeline's `seeds`; other kinds are repeated for each.
    fn collects_seeds(&self) -> bool {
        false
    }

    /// Parameters of the pieces that a node is cut into, at most so many; `None` where nodes of the kind cannot be cut.
    fn shards(&self, with: &Value, wanted: usize) -> Option<Vec<Value>> {
        let _ = (with, wanted);
        None
    }

    /// What a node takes while it runs. A GPU counts only where the run computes on GPUs.
    fn expects(&self) -> Expected {
        Expected::default()
    }

    /// Does the work and stores the outputs.
    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError>;
}

/// A node with those that it is connected to.
#[derive(Clone, Copy)]
pub(crate) struct Connected<'a> {
    nodes: &'a [PlanNode],
    node: &'a PlanNode,
}

impl<'a> Connected<'a> {
    /// A node of a plan.
    pub(crate) fn new(nodes: &'a [PlanNode], node: &'a PlanNode) -> Self {
        Self { nodes, node }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &'a str {
        &self.node.kind
    }

    /// Its name.
    pub(crate) fn id(&self) -> &'a NodeId {
        &self.node.id
    }

    /// The node's checked parameters.
    pub(crate) fn with(&self) -> &'a Value {
        &self.node.with
    }

    /// The nodes at a port, in order.
    pub(crate) fn at(&self, port: &str) -> impl Iterator<Item = Self> + use<'a> {
        let (nodes, inputs) = (self.nodes, self.node.inputs.get(port).map(Vec::as_slice).unwrap_or_default());
        inputs.iter().filter_map(move |input| Some(Self { nodes, node: nodes.get(input.node)? }))
    }

    /// The nodes at all ports, with the port and the output that comes from it.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&'a str, &'a str, Self)> + use<'a> {
        let (nodes, inputs) = (self.nodes, &self.node.inputs);
        inputs.iter().flat_map(move |(port, inputs)| {
            inputs.iter().filter_map(move |input| {
                Some((port.as_str(), input.output.as_str(), Self { nodes, node: nodes.get(input.node)? }))
            })
        })
    }

    /// The images that the `dataset` node at the beginning of a port holds out must be some. Of what a kind of a plugin or
    /// `command` makes nothing is known before it runs.
    pub(crate) fn needs_held_out(&self, port: &'static str) -> Result<(), InputProblem> {
        let mut data = self.at(port).next();
        while let Some(found) = data.filter(|found| found.node.kind != "dataset") {
            data = found.at("data").next();
        }
        match data.filter(|data| data.with()["held_out"] == 0.0) {
            Some(data) => Err(input_problem(
                port,
                format!("the data set `{}` has no held-out images", data.node.id),
                NO_HELD_OUT_HELP,
            )),
            None => Ok(()),
        }
    }
}

/// A port, said in one line.
pub(crate) fn port(name: &str, artifact: &str, arity: Arity, summary: &str) -> PortSpec {
    PortSpec { name: name.to_owned(), artifact: artifact.to_owned(), arity, summary: summary.to_owned() }
}

/// What is wrong with an input, said in one line.
pub(crate) fn input_problem(
    port: impl Into<Cow<'static, str>>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> InputProblem {
    InputProblem { port: port.into(), message: message.into(), help: help.into() }
}
