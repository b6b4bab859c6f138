//! The commands, one file each.

mod describe;
mod export;
mod graph;
mod plan;
mod plugin;
mod run;
mod show;

use crate::args::{Cli, Command, PluginCommand, SchemaArgs};
use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use clap::CommandFactory as _;
use pddflow_nodes::{Library, LibraryOptions};

/// Does what the command line asks for.
pub(crate) fn perform(command: &Command, output: &Output) -> Result<Exit, Problem> {
    match command {
        Command::Run(args) => run::run(args, output),
        Command::Plan(args) => plan::plan(args, output),
        Command::Show(args) => show::show(args, output),
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

#[expect(clippy::unnecessary_wraps, reason = "every command returns the same")]
fn completions(shell: clap_complete::Shell, output: &Output) -> Result<Exit, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pddflow", &mut script);
    output.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}
