//! A pipeline file made ready: read, checked against the kinds, with its store.

use crate::args::{PipelineArgs, PlaceArgs, SelectArgs};
use crate::exit::Exit;
use crate::freshness;
use crate::problem::Problem;
use pddflow_cache::{RecordHead, Store};
use pddflow_nodes::Library;
use pddflow_pipeline::{PipelineFile, Plan, PlanNode, Selection};
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
        let file = PipelineFile::read(&pipeline.file)?;
        let library = place.library(&file)?;
        let plan = file.plan(&library, &pipeline.options()).map_err(|diagnostics| {
            // With a broken plugin every use of it is a problem; the cause is the one to show.
            plugin_problem(&library).unwrap_or_else(|| diagnostics.into())
        })?;
        // What is wrong with the pipeline is told before what is wrong with the store.
        let store = place.store.open()?;
        Ok(Self { library, plan, store })
    }

    /// The part of the plan that the command line chooses.
    pub(crate) fn select(self, select: &SelectArgs) -> Result<Self, Problem> {
        let until = select.nodes.iter().chain(&select.until).cloned().collect();
        self.chosen(&Selection { until, only: select.only.clone() })
    }

    /// The part of the plan that a selection chooses; all of it when nothing is selected.
    pub(crate) fn chosen(mut self, selection: &Selection) -> Result<Self, Problem> {
        self.plan = std::mem::take(&mut self.plan).select(selection)?;
        Ok(self)
    }

    /// The node of that name with its place in the plan.
    pub(crate) fn node(&self, name: &str) -> Result<(usize, &PlanNode), Problem> {
        let found = self.plan.nodes.iter().enumerate().find(|(_, node)| node.id.as_str() == name);
        found.ok_or_else(|| {
            let problem = Problem::usage("unknown_node", format!("the pipeline has no node `{name}`"));
            let help = match self.plan.nearest(name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`pddflow graph {}` lists the nodes", self.plan.file.display()),
            };
            problem.with_help(help)
        })
    }

    /// Whether each node is fresh, in the order of the plan.
    pub(crate) fn freshness(&self) -> Vec<Freshness> {
        pddflow_runner::plan(&self.plan, &self.library, &self.store)
    }

    /// The node and its record, or the problem that it is not fresh.
    pub(crate) fn fresh(&self, name: &str) -> Result<(&PlanNode, Arc<RecordHead>), Problem> {
        let (at, node) = self.node(name)?;
        let state = self.freshness().swap_remove(at);
        if let Freshness::Fresh { record, .. } = state {
            return Ok((node, record));
        }
        let (word, _, reasons) = freshness::words(&state);
        let message = format!("node {name} has no result: it is {word} ({})", reasons.join("; "));
        let help = format!("`pddflow run {}` makes it", self.plan.file.display());
        Err(Problem::new(Exit::NodeFailed, "pddflow::cli::not_fresh", message).with_help(help))
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
