//! `pddflow attach`: takes up the jobs of a run that was detached, or whose head is gone.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use pddflow_cluster::{Invocation, invocation, last_invocation};

const EXAMPLES: &str = "\
Examples:
  pddflow run pipelines/paper/table1_cifar10.yaml --on slurm --detach
  pddflow attach                             the same run again, which takes up its jobs";

/// Take up the jobs of a run on a cluster that was detached or killed
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The run [default: the last one on a cluster]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let found = match &self.run {
            Some(run) => invocation(store.root(), run),
            None => last_invocation(store.root()),
        };
        let Invocation { folder, arguments } = found.ok_or_else(|| {
            let which = self.run.as_ref().map_or_else(|| "no run".to_owned(), |run| format!("no run `{run}`"));
            Problem::usage("no_run", format!("{which} on a cluster is known in {}", store.root().display()))
                .with_help("`pddflow run FILE --on slurm` begins one, and takes up jobs that are there")
        })?;
        output.note(&format!("in {}: {}", folder.display(), arguments.join(" ")));
        place::enter(&folder).map_err(|error| {
            Problem::usage("folder", format!("the folder of the run, {}, cannot be entered: {error}", folder.display()))
        })?;
        // A run that is taken up stays with its jobs.
        let kept = arguments.iter().filter(|argument| *argument != "--detach");
        crate::again(kept.cloned().collect())
    }
}
