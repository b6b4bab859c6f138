//! `pddflow schema`: the JSON schema of pipeline files.

use crate::args::PluginArgs;
use crate::exit::Exit;
use crate::opened::plugin_problem;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_nodes::{Library, LibraryOptions};

const EXAMPLES: &str = "\
Examples:
  pddflow schema > schema.json                with the parameters of all plugins that are found
  pddflow schema --no-plugins > schema.json   the same on every machine";

/// Print the JSON schema of pipeline files, for completion and checks in editors
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Leave out the parameters of plugins
    #[arg(long)]
    no_plugins: bool,
    #[command(flatten)]
    plugins: PluginArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let options = if self.no_plugins { LibraryOptions::default() } else { self.plugins.options() };
        let library = Library::new(options);
        if let Some(problem) = plugin_problem(&library) {
            return Err(problem);
        }
        output.value(&pddflow_pipeline::schema(&library));
        Ok(Exit::Ok)
    }
}
