//! The commands, one file each: its arguments, its examples, what it does.

/// An enum with one variant for each command, whose files have an `Args` with a `run`.
macro_rules! commands {
    ($($name:ident: $file:ident,)*) => {
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($name($file::Args),)*
        }

        impl Command {
            /// Does what the command line asks for.
            pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
                match self {
                    $(Self::$name(args) => args.run(output),)*
                }
            }
        }
    };
}

mod attach;
mod cache;
mod compare;
mod completions;
mod doctor;
mod explain;
mod export;
mod graph;
mod help;
mod init;
mod lint;
mod logs;
mod man;
mod plan;
mod plugin;
mod report;
mod run;
mod runs;
mod schema;
mod show;
mod status;
mod work;

use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use clap::Subcommand;

// In the order in which `--help` lists them.
commands! {
    Init: init,
    Run: run,
    Plan: plan,
    Show: show,
    Lint: lint,
    Explain: explain,
    Status: status,
    Attach: attach,
    Runs: runs,
    Logs: logs,
    Compare: compare,
    Report: report,
    Cache: cache,
    Graph: graph,
    Export: export,
    Plugin: plugin,
    Doctor: doctor,
    Schema: schema,
    Help: help,
    Completions: completions,
    Man: man,
    Work: work,
}
