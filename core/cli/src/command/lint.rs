//! `pddflow lint`: what can be run and is probably not meant.

use crate::args::LintArgs;
use crate::exit::Exit;
use crate::opened;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use pddflow_nodes::Library;
use pddflow_pipeline::{Diagnostic, Options, PipelineFile};
use serde_json::{Value, json};

pub(crate) fn lint(args: &LintArgs, output: &Output) -> Result<Exit, Problem> {
    let file = PipelineFile::read(&args.pipeline.file)?;
    let library = Library::new(place::library_options(&args.place, file.plugin_files().to_vec()));
    let options = Options { set: args.pipeline.set.clone(), profile: args.pipeline.profile.clone() };
    let (_, warnings) = file
        .lint(&library, &options)
        .map_err(|diagnostics| opened::plugin_problem(&library).unwrap_or_else(|| diagnostics.into()))?;
    if output.json() {
        let warnings: Vec<Value> = warnings.iter().map(Diagnostic::to_json).collect();
        output.value(&json!({ "warnings": warnings }));
    } else if warnings.is_empty() {
        output.data("nothing to improve was found\n");
    } else {
        output.data(&warnings.render());
    }
    Ok(if args.deny && !warnings.is_empty() { Exit::Pipeline } else { Exit::Ok })
}
