//! A pipeline file made ready: read, checked against the kinds, with its store.

use crate::args::{PipelineArgs, PlaceArgs};
use crate::exit::Exit;
use crate::freshness;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::{RecordHead, Store};
use pddflow_nodes::Library;
use pddflow_pipeline::{NodeId, Plan, PlanNode, Selection};
use pddflow_runner::Freshness;
use std::sync::Arc;

/// What every command about a pipeline begins with.
pub(crate) struct Opened {
    pub(crate) library: Library,
    pub(crate) plan: Plan,
    pub(crate) store: Store,
}

impl Opened {
    /// Reads and checks the pipeline, opens the store. Nothing is written.
    pub(crate) fn new(pipeline: &PipelineArgs, place: &PlaceArgs) -> Result<Self, Problem> {
        let file = pipeline.read()?;
        let library = place.library(&file)?;
        let plan = file.plan(&library, &pipeline.options()).map_err(|diagnostics| {
            // With a broken plugin every use of it is a problem; the cause is the one to show.
            plugin_problem(&library).unwrap_or_else(|| diagnostics.into())
        })?;
        // What is wrong with the pipeline is told before what is wrong with the store.
        let store = place.store.open()?;
        Ok(Self { library, plan, store })
    }

    /// The part of the plan that a selection chooses; all of it when nothing is selected.
    pub(crate) fn chosen(mut self, selection: &Selection) -> Result<Self, Problem> {
        self.plan = std::mem::take(&mut self.plan).select(selection)?;
        Ok(self)
    }

    /// The places of the nodes that a name means: a node, a family, or a pattern, with axes in any order.
    pub(crate) fn places(&self, name: &str) -> Result<Vec<usize>, Problem> {
        Ok(self.plan.matching(name)?)
    }

    /// The nodes that a name means.
    pub(crate) fn nodes(&self, name: &str) -> Result<Vec<&PlanNode>, Problem> {
        Ok(self.places(name)?.into_iter().filter_map(|at| self.plan.nodes.get(at)).collect())
    }

    /// Whether each node is fresh, in the order of the plan.
    pub(crate) fn freshness(&self) -> Vec<Freshness> {
        pddflow_runner::plan(&self.plan, &self.library, &self.store)
    }

    /// Those of the nodes that a name means that have a result, with their records; the problem if none has. Of several the
    /// others are told.
    pub(crate) fn fresh(&self, name: &str, output: &Output) -> Result<Vec<(&PlanNode, Arc<RecordHead>)>, Problem> {
        let places = self.places(name)?;
        let states = self.freshness();
        let (mut fresh, mut lacking) = (Vec::new(), Vec::new());
        for (node, state) in places.iter().filter_map(|at| Some((self.plan.nodes.get(*at)?, states.get(*at)?))) {
            match state {
                Freshness::Fresh { record, .. } => fresh.push((node, Arc::clone(record))),
                state => lacking.push((&node.id, state)),
            }
        }
        let help = format!("`pddflow run {}` makes it", self.plan.file.display());
        if let (Some((id, state)), true) = (lacking.first(), fresh.is_empty()) {
            let (word, _, reasons) = freshness::words(state);
            let message = format!("node {id} has no result: it is {word} ({})", reasons.join("; "));
            return Err(Problem::new(Exit::NodeFailed, "pddflow::cli::not_fresh", message).with_help(help));
        }
        if !lacking.is_empty() {
            let names: Vec<&NodeId> = lacking.iter().map(|(id, _)| *id).collect();
            output.note(&format!("without a result: {}; {help}", freshness::first_of(&names)));
        }
        Ok(fresh)
    }

    /// The artifact type of an output port of a node.
    pub(crate) fn artifact(&self, node: &PlanNode, port: &str) -> &str {
        use pddflow_pipeline::Catalog as _;
        let ports = self.library.kind(&node.kind).map(|kind| kind.outputs.as_slice()).unwrap_or_default();
        ports.iter().find(|found| found.name == port).map(|found| found.artifact.as_str()).unwrap_or_default()
    }
}

/// The problem of the plugin folders, if they have one.
pub(crate) fn plugin_problem(library: &Library) -> Option<Problem> {
    let error = library.registry().err()?;
    let problem = Problem::new(Exit::Plugin, format!("pddflow::{}", error.code()), error.message());
    Some(match error.help() {
        Some(help) => problem.with_help(help),
        None => problem,
    })
}
