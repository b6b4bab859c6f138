//! `pddflow completions`: the script by which a shell completes command lines.

use crate::complete;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;

const EXAMPLES: &str = "\
Examples:
  pddflow completions bash > ~/.local/share/bash-completion/completions/pddflow";

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let shell = self.shell;
        let script = complete::script(&shell.to_string())
            .ok_or_else(|| Problem::usage("unknown_shell", format!("there are no completions for {shell}")))?;
        output.data(&String::from_utf8_lossy(&script));
        Ok(Exit::Ok)
    }
}
