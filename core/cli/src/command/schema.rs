//! `pddflow schema`: the JSON schema of pipeline files.

use crate::args::PluginArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_nodes::{Library, LibraryOptions};

const EXAMPLES: &str = "\
Examples:
  pddflow schema > pipelines/schema.json";

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
        output.value(&pddflow_pipeline::schema(&Library::new(options)));
        Ok(Exit::Ok)
    }
}
