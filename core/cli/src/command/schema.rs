//! `pddflow schema`: the JSON schema of pipeline files.

use crate::args::PluginArgs;
use crate::exit::Exit;
use crate::opened::plugin_problem;
use crate::output::Output;
use crate::problem::Problem;
use clap::ValueEnum;
use pddflow_nodes::{Library, LibraryOptions};
use pddflow_report::EVENTS_SCHEMA;

const EXAMPLES: &str = "\
Examples:
  pddflow schema > schema.json                with the parameters of all plugins that are found
  pddflow schema --no-plugins > schema.json   the same on every machine
  pddflow schema events                       of `run --json`, with its version";

/// Print the JSON schema of pipeline files, for completion and checks in editors, or that of events
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to describe
    #[arg(value_enum, default_value_t = Subject::Pipelines)]
    subject: Subject,
    /// Leave out the parameters of plugins
    #[arg(long)]
    no_plugins: bool,
    #[command(flatten)]
    plugins: PluginArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Pipeline files
    Pipelines,
    /// The lines of `run --json` and `run --events FILE`
    Events,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        if self.subject == Subject::Events {
            output.data(EVENTS_SCHEMA);
            return Ok(Exit::Ok);
        }
        let options = if self.no_plugins { LibraryOptions::default() } else { self.plugins.options() };
        let library = Library::new(options);
        if let Some(problem) = plugin_problem(&library) {
            return Err(problem);
        }
        output.value(&pddflow_pipeline::schema(&library));
        Ok(Exit::Ok)
    }
}
