//! The commands, one file each.

mod cache;
mod compare;
mod describe;
mod explain;
mod export;
mod graph;
mod history;
mod lint;
mod plan;
mod plugin;
mod run;
mod show;
mod transfer;

use crate::args::{Command, PluginCommand, SchemaArgs};
use crate::complete;
use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use pddflow_nodes::{Library, LibraryOptions};

/// Does what the command line asks for.
pub(crate) fn perform(command: &Command, output: &Output) -> Result<Exit, Problem> {
    match command {
        Command::Run(args) => run::run(args, output),
        Command::Plan(args) => plan::plan(args, output),
        Command::Show(args) => show::show(args, output),
        Command::Lint(args) => lint::lint(args, output),
        Command::Explain(args) => explain::explain(args, output),
        Command::Status(args) => history::status(args, output),
        Command::Runs(args) => history::runs(args, output),
        Command::Logs(args) => history::logs(args, output),
        Command::Compare(args) => compare::compare(args, output),
        Command::Cache(command) => cache::cache(command, output),
        Command::Graph(args) => graph::graph(args, output),
        Command::Export(args) => export::export(args, output),
        Command::Plugin(PluginCommand::List { plugins }) => plugin::list(plugins, output),
        Command::Schema(args) => schema(args, output),
        Command::Completions { shell } => completions(*shell, output),
    }
}

fn schema(args: &SchemaArgs, output: &Output) -> Result<Exit, Problem> {
    let options = if args.no_plugins { LibraryOptions::default() } else { place::plugin_options(&args.plugins) };
    output.value(&pddflow_pipeline::schema(&Library::new(options)));
    Ok(Exit::Ok)
}

fn completions(shell: clap_complete::Shell, output: &Output) -> Result<Exit, Problem> {
    let script = complete::script(&shell.to_string())
        .ok_or_else(|| Problem::usage("unknown_shell", format!("there are no completions for {shell}")))?;
    output.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}
