//! `pddflow lint`: likely mistakes in a pipeline.

use crate::args::{PipelineArgs, PlaceArgs};
use crate::exit::Exit;
use crate::opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_pipeline::Diagnostic;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  pddflow lint pipelines/quickstart.yaml
  pddflow lint pipelines/quickstart.yaml --deny      exit code 3 when there are warnings";

/// Find likely mistakes in a pipeline
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Exit with code 3 if there are warnings
    #[arg(long)]
    deny: bool,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let file = self.pipeline.read()?;
        let library = self.place.library(&file)?;
        let (_, warnings) = file
            .lint(&library, &self.pipeline.options())
            .map_err(|diagnostics| opened::plugin_problem(&library).unwrap_or_else(|| diagnostics.into()))?;
        if output.json() {
            let warnings: Vec<Value> = warnings.iter().map(Diagnostic::to_json).collect();
            output.value(&json!({ "warnings": warnings }));
        } else if warnings.is_empty() {
            output.data("no likely mistakes found\n");
        } else {
            output.data(&warnings.render());
        }
        Ok(if self.deny && !warnings.is_empty() { Exit::Pipeline } else { Exit::Ok })
    }
}
