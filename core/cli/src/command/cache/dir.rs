//! `pddflow cache dir`: where the store is.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use serde_json::json;

/// Print the folder of the store
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let root = self.store.folder();
        if output.json() {
            output.value(&json!({ "folder": root, "exists": root.is_dir() }));
        } else {
            output.data(&format!("{}\n", root.display()));
        }
        Ok(Exit::Ok)
    }
}
