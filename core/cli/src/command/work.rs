//! `pddflow work`: computes one task of a job file, on a machine of a cluster.

use crate::exit::Exit;
use crate::interrupt;
use crate::output::Output;
use crate::problem::Problem;
use clap::ValueHint;
use pddflow_cache::{Digest, Store};
use pddflow_cluster::{Assignment, Outcome, Site, carry_out, read_job, refuse};
use pddflow_nodes::{Instructions, Library, LibraryOptions, use_at_most};
use pddflow_runner::{Bench, NodeError};
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

const ABOUT: &str = "\
Jobs of a run on a cluster do this; nobody needs to type it. The task is refused before anything is computed when its result \
would have another key here: another build, plugin or instructions of the processor. On SIGUSR2, SIGTERM or Ctrl-C it writes a \
checkpoint and ends.";

const EXAMPLES: &str = "\
Examples:
  pddflow work .pddflow/cluster/r1-1/jobs --task 3
  ssh node pddflow work - < jobs";

/// Compute a task of a job file
#[derive(Debug, clap::Args)]
#[command(long_about = format!("Compute a task of a job file\n\n{ABOUT}"), after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The job file; `-` is standard input
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    job: PathBuf,
    /// Number of the task in the file
    #[arg(long, value_name = "N", default_value_t = 1)]
    task: u32,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let cancel = interrupt::checkpoint_on_signals(output);
        let assignment = self.read()?;
        let host = pddflow_cluster::host();
        let folder = |error: io::Error| {
            Problem::new(Exit::Store, "pddflow::cluster::folder", format!("the task cannot say how it ended: {error}"))
                .with_help("look whether this machine can write to the store")
        };
        let done = match library(&assignment.head.site) {
            Err(error) => refuse(&assignment, error, &host).map_err(folder)?,
            Ok(library) => {
                let store = Store::open(&assignment.head.site.store)?;
                let program = concat!("pddflow ", env!("CARGO_PKG_VERSION"));
                let bench = Bench { kinds: &library, store: &store, cancel: &cancel, program, gpus: &[] };
                carry_out(&assignment, bench, &host).map_err(folder)?
            }
        };
        let (exit, error) = match done.outcome {
            Outcome::Recorded => return Ok(Exit::Ok),
            Outcome::Stopped => {
                output.note(&format!("{} stopped; it goes on from its checkpoint", assignment.work.node));
                return Ok(Exit::Continue);
            }
            Outcome::Refused(error) => (Exit::Refused, error),
            Outcome::Failed(error) => (Exit::NodeFailed, error),
        };
        let message = format!("node {} failed: {}", assignment.work.node, error.message);
        let problem = Problem::new(exit, error.code, message).with_causes(&error.causes);
        Err(match error.help {
            Some(help) => problem.with_help(help),
            None => problem,
        })
    }

    fn read(&self) -> Result<Assignment, Problem> {
        let open = || -> io::Result<Box<dyn Read>> {
            if self.job.as_os_str() == "-" {
                return Ok(Box::new(io::stdin()));
            }
            Ok(Box::new(fs_err::File::open(&self.job)?))
        };
        let read = open().and_then(|file| read_job(BufReader::new(file), self.task));
        read.map_err(|error| {
            Problem::usage("job", format!("no task can be read from {}: {error}", self.job.display()))
                .with_help("a run on a cluster writes job files into the folder `cluster` of its store")
        })
    }
}

/// Instructions of processors, as job files name them.
const LEVELS: [Instructions; 3] = [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512];

/// The kinds and plugins of the run, or why this machine has others.
fn library(site: &Site) -> Result<Library, NodeError> {
    let refused = |message: String, help: &str| NodeError::new("pddflow::runner::other_key", message).with_help(help);
    let level = LEVELS.into_iter().find(|level| level.name() == site.instructions);
    match level.filter(|level| level.are_available()) {
        Some(level) => use_at_most(level),
        None => {
            let (asked, best) = (&site.instructions, Instructions::in_use().name());
            let message = format!("`instructions` is {asked} where the job was made, and this processor has {best}");
            return Err(refused(message, "run with `--instructions` that all machines of the cluster have"));
        }
    }
    let mut options = LibraryOptions::default();
    options.search.files = site.plugins.iter().map(|plugin| plugin.file.clone()).collect();
    options.data_dirs.clone_from(&site.data_dirs);
    options.downloads.clone_from(&site.downloads);
    let library = Library::new(options);
    if site.plugins.is_empty() {
        return Ok(library);
    }
    let registry = library.registry().map_err(|error| {
        refused(
            format!("the plugins of the run cannot be loaded: {}", error.message()),
            "install the same on every machine",
        )
    })?;
    let known = registry.list();
    let other = site.plugins.iter().find(|plugin| {
        known.iter().all(|found| found.file != plugin.file || Digest::from_bytes(found.digest) != plugin.digest)
    });
    match other {
        None => Ok(library),
        Some(plugin) => {
            let message =
                format!("the plugin {} is another file here than where the job was made", plugin.file.display());
            Err(refused(
                message,
                "install the same on every machine, or run again so that jobs are made with the new one",
            ))
        }
    }
}
