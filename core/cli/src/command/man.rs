//! `pddflow man`: the manual pages.

use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use clap::ValueHint;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  pddflow man --to ~/.local/share/man/man1      then: man pddflow-run";

/// Write the manual pages, one for each command
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder to write to, made if it is not there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: PathBuf,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let written = fs_err::create_dir_all(&self.to).and_then(|()| clap_mangen::generate_to(crate::cli(), &self.to));
        written.map_err(|error| {
            Problem::usage("unwritable", format!("the manual pages cannot be written: {error}"))
                .with_help("name a folder that can be written to")
        })?;
        if output.json() {
            output.value(&json!({ "folder": self.to }));
        }
        Ok(Exit::Ok)
    }
}
