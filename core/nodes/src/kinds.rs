//! The list of the built-in kinds, and the library that runs them.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::{problem, suggestion};
use pddflow_cache::{KeyPart, MadeOn};
use pddflow_host::{PluginError, Registry};
use pddflow_runner::pipeline::{Catalog, InputProblem, KindSpec, ParamProblem, PlanNode};
use pddflow_runner::{Expected, Growing, Inputs, Kinds, NodeContext, NodeError, Outputs, Task};
use pddflow_tensor::trace;
use pddflow_training::choice::schemas_of;
use serde_json::{Map, Value};

use crate::kind::{Connected, Kind, input_problem};
use crate::surroundings::{LibraryOptions, Surroundings};
use crate::{
    advance, classes, command, continual, dataset, distill, evaluate, export, figure, filter, forgetting, generator,
    images, import, rank, select, split, table, train,
};

/// The built-in kinds with their surroundings; see the crate's overview.
pub struct Library {
    surroundings: Surroundings,
    kinds: BTreeMap<String, (KindSpec, Box<dyn Kind>)>,
}

fn built_in() -> Vec<Box<dyn Kind>> {
    vec![
        Box::new(dataset::DatasetKind),
        Box::new(classes::ClassesKind),
        Box::new(forgetting::ForgettingKind),
        Box::new(filter::FilterKind),
        Box::new(select::SelectKind),
        Box::new(split::SplitKind),
        Box::new(import::ImportKind),
        Box::new(generator::GeneratorKind),
        Box::new(train::TrainKind),
        Box::new(advance::AdvanceKind),
        Box::new(distill::DistillKind),
        Box::new(evaluate::EvaluateKind),
        Box::new(continual::ContinualKind),
        Box::new(rank::RankKind),
        Box::new(table::TableKind),
        Box::new(figure::FigureKind),
        Box::new(images::ImagesKind),
        Box::new(export::ExportKind),
        Box::new(command::CommandKind),
    ]
}

impl Library {
    /// A library over the built-in kinds. Plugins are not opened before something asks for one.
    #[must_use]
    pub fn new(options: LibraryOptions) -> Self {
        let kinds = built_in().into_iter().map(|kind| {
            let spec = kind.spec();
            (spec.name.clone(), (spec, kind))
        });
        Self { surroundings: Surroundings::new(options), kinds: kinds.collect() }
    }

    /// Where the library finds things.
    #[must_use]
    pub fn options(&self) -> &LibraryOptions {
        self.surroundings.options()
    }

    /// The table of plugins; opened at the first call.
    pub fn registry(&self) -> Result<&Registry, &PluginError> {
        self.surroundings.plugins().registry()
    }

    /// The table of plugins if something has asked for one: a pipeline without plugins should not load them.
    #[must_use]
    pub fn opened_registry(&self) -> Option<&Registry> {
        self.surroundings.plugins().opened()
    }

    fn find(&self, name: &str) -> NodeResult<&dyn Kind> {
        self.kinds.get(name).map(|(_, kind)| kind.as_ref()).ok_or_else(|| {
            fail("unknown_kind", format!("there is no node kind `{name}`"))
                .with_help(suggestion(name, &self.kinds.keys().map(String::as_str).collect::<Vec<_>>()))
        })
    }
}

impl Catalog for Library {
    fn kinds(&self) -> Vec<&KindSpec> {
        self.kinds.values().map(|(spec, _)| spec).collect()
    }

    fn kind(&self, name: &str) -> Option<&KindSpec> {
        self.kinds.get(name).map(|(spec, _)| spec)
    }

    fn check(&self, kind: &str, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        let found = self.find(kind).map_err(|error| vec![problem("", error.message, error.help)])?;
        found.check(&self.surroundings, with)
    }

    fn check_inputs(&self, kind: &str, with: &Value, count: &dyn Fn(&str) -> usize) -> Result<(), InputProblem> {
        self.kinds.get(kind).map_or(Ok(()), |(_, kind)| kind.check_inputs(&self.surroundings, with, count))
    }

    fn complete(&self, nodes: &[PlanNode], node: &PlanNode) -> Option<Value> {
        self.kinds.get(&node.kind)?.1.complete(&Connected::new(nodes, node))
    }

    fn check_connections(&self, nodes: &[PlanNode], node: &PlanNode) -> Result<(), InputProblem> {
        let connected = Connected::new(nodes, node);
        for (port, output, from) in connected.inputs() {
            if self.kinds.get(from.kind()).is_some_and(|(_, kind)| !kind.gives(from.with(), output)) {
                let message = format!("`{}` has no output `{output}` with its parameters", from.id());
                let help = "name another of its outputs, or change the parameters that say what it gives";
                return Err(input_problem(port.to_owned(), message, help));
            }
        }
        let found = self.kinds.get(&node.kind);
        found.map_or(Ok(()), |(_, kind)| kind.check_connections(&self.surroundings, &connected))
    }

    fn lint(&self, kind: &str, with: &Value) -> Vec<ParamProblem> {
        self.kinds.get(kind).map_or_else(Vec::new, |(_, kind)| kind.lint(with))
    }

    fn shards(&self, kind: &str, with: &Value, wanted: usize) -> Option<Vec<Value>> {
        self.kinds.get(kind)?.1.shards(with, wanted)
    }

    fn shared_schemas(&self) -> Map<String, Value> {
        // Without plugins the kinds say as much by themselves.
        let plugins = self.registry().map(Registry::list).unwrap_or_default();
        if plugins.is_empty() { Map::new() } else { schemas_of(&plugins) }
    }

    fn collects_seeds(&self, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|(_, kind)| kind.collects_seeds())
    }
}

impl Kinds for Library {
    fn key_parts(&self, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        self.find(node.kind)?.key_parts(&self.surroundings, node)
    }

    fn key_with(&self, node: Task<'_>) -> Option<Value> {
        self.find(node.kind).ok()?.key_with(node.with)
    }

    fn growing(&self, node: Task<'_>) -> Option<Growing> {
        self.find(node.kind).ok()?.growing(&self.surroundings, node.with)
    }

    fn made_on(&self, parts: &[KeyPart]) -> Option<MadeOn> {
        Some(self.surroundings.made_on(parts))
    }

    fn expects(&self, node: Task<'_>) -> Expected {
        let expected = self.kinds.get(node.kind).map_or_else(Expected::default, |(_, kind)| kind.expects());
        if self.surroundings.device().is_gpu() { expected } else { Expected { gpus: 0, ..expected } }
    }

    fn run(&self, node: Task<'_>, inputs: &Inputs, context: &NodeContext<'_>) -> Result<Outputs, NodeError> {
        let _span = trace::span(node.id.to_string());
        let listed = node.with["models"].as_array().into_iter().flatten().map(|choice| ("model", choice));
        for (role, choice) in ["matcher", "model"].map(|role| (role, &node.with[role])).into_iter().chain(listed) {
            // Of a sequence of calls into plugins, the journal has the first of each.
            if let Some(id) = choice.as_object().and_then(|choice| choice.keys().next()) {
                context.in_plugin(&format!("{role} {id}"));
            }
        }
        self.find(node.kind)?.run(&self.surroundings.of(context), node, inputs, context)
    }
}
