//! What a node kind must say of itself.
//!
//! A kind is a value without state: everything that a node depends on comes through `with` (resolved parameters), its
//! inputs, and the [`Surroundings`] (plugins, data folders, device). The kinds are listed in `kinds.rs`.

use pddflow_cache::KeyPart;
use pddflow_runner::pipeline::{Arity, InputProblem, KindSpec, ParamProblem, PlanNode, PortSpec};
use pddflow_runner::{Growing, Inputs, NodeContext, NodeError, Outputs};
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

    /// Likely mistakes in checked parameters.
    fn lint(&self, with: &Value) -> Vec<ParamProblem> {
        let _ = with;
        Vec::new()
    }

    /// What besides parameters and inputs decides the result: the kind's revision, plugin digests, the revision of the
    /// numeric kernels, digests of outside files.
    fn key_parts(&self, surroundings: &Surroundings, node: &PlanNode) -> Result<Vec<KeyPart>, NodeError>;

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

    /// Memory that a node takes while it runs, in bytes; see [`pddflow_runner::Kinds::memory_bytes`].
    fn memory_bytes(&self) -> u64 {
        0
    }

    /// Does the work and stores the outputs.
    fn run(
        &self,
        surroundings: &Surroundings,
        node: &PlanNode,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError>;
}

/// A port, said in one line.
pub(crate) fn port(name: &str, artifact: &str, arity: Arity, summary: &str) -> PortSpec {
    PortSpec { name: name.to_owned(), artifact: artifact.to_owned(), arity, summary: summary.to_owned() }
}

/// What is wrong with an input, said in one line.
pub(crate) fn input_problem(port: &'static str, message: impl Into<String>, help: impl Into<String>) -> InputProblem {
    InputProblem { port, message: message.into(), help: help.into() }
}
