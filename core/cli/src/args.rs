//! The command line, as clap reads it.

use crate::complete;
use crate::exit::EXIT_CODES;
use crate::store_args::{
    COMPARE_EXAMPLES, CacheCommand, CompareArgs, DEFAULT_SIZE, EXPLAIN_EXAMPLES, ExplainArgs, LOGS_EXAMPLES, LogsArgs,
    RUNS_EXAMPLES, RunsArgs, STATUS_EXAMPLES, StatusArgs, size,
};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use pddflow_pipeline::memory_bytes;
use std::path::PathBuf;

const ABOUT: &str = "Runs dataset-distillation experiments written as YAML pipelines; only what changed runs again.";

const EXAMPLES: &str = "\
Examples:
  pddflow run pipelines/quickstart.yaml              run what is stale
  pddflow run pipelines/quickstart.yaml --set seed=1 with another parameter
  pddflow plan pipelines/quickstart.yaml             what would run, and why
  pddflow show pipelines/quickstart.yaml table       what a node gave
  pddflow graph pipelines/quickstart.yaml --format mermaid";

#[derive(Debug, Parser)]
#[command(name = "pddflow", version, about = ABOUT, propagate_version = true, subcommand_required = true)]
#[command(arg_required_else_help = true, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print data and errors as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    pub(crate) color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline: every node that is stale
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Say for each node whether it is fresh, or stale and why; runs nothing
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArgs),
    /// Show what a fresh node gave: metrics, artifacts, what its key is made of
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Find what can be run and is probably not meant
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArgs),
    /// Say everything about why a node is fresh or stale, or what differed between two runs
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Say what a run is at, or how it went
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// List past runs
    #[command(after_help = RUNS_EXAMPLES)]
    Runs(RunsArgs),
    /// Print what a node said when it ran
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(LogsArgs),
    /// Compare parameters and metrics of runs, sweep points or nodes
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArgs),
    /// The store: what it holds, whether it is whole, what can go
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Draw the nodes of a pipeline and what they need
    #[command(after_help = GRAPH_EXAMPLES)]
    Graph(GraphArgs),
    /// Write the artifacts of a fresh node to a folder
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Matchers and models
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print the JSON schema of pipeline files, for editors
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  pddflow run pipelines/quickstart.yaml
  pddflow run pipelines/quickstart.yaml --set epochs=50 --jobs 2
  pddflow run pipelines/quickstart.yaml --set epochs=50,100,200   all three, in one plan
  pddflow run pipelines/quickstart.yaml 'eval[of=dm]'             these nodes and what they need
  pddflow run pipelines/quickstart.yaml --json > events.ndjson

The first Ctrl-C ends the run in order and keeps what is finished; the second ends it at once.";

const PLAN_EXAMPLES: &str = "\
Examples:
  pddflow plan pipelines/quickstart.yaml
  pddflow plan pipelines/quickstart.yaml --set seed=1 --json";

const SHOW_EXAMPLES: &str = "\
Examples:
  pddflow show pipelines/quickstart.yaml table
  pddflow show pipelines/quickstart.yaml 'distill[ipc=10]' --json";

const LINT_EXAMPLES: &str = "\
Examples:
  pddflow lint pipelines/quickstart.yaml
  pddflow lint pipelines/quickstart.yaml --deny      exit code 3 when there are warnings";

const GRAPH_EXAMPLES: &str = "\
Examples:
  pddflow graph pipelines/quickstart.yaml
  pddflow graph pipelines/quickstart.yaml --format svg > graph.svg
  pddflow graph pipelines/quickstart.yaml --format dot | dot -Tpng > graph.png";

const EXPORT_EXAMPLES: &str = "\
Examples:
  pddflow export pipelines/quickstart.yaml table --to table";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  pddflow schema > pipelines/schema.json";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  pddflow completions bash > ~/.local/share/bash-completion/completions/pddflow";

/// Which pipeline, and with which parameters.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Set a parameter; several values between commas make a sweep. May be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Overlay the parameters of a profile of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// Which nodes of the pipeline.
#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Only these nodes and what they need: `distill`, `distill[3]`, `eval[model=*]` [default: all nodes]
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) nodes: Vec<String>,
    /// The same as NODE; may be given several times
    #[arg(long, value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) until: Vec<String>,
    /// These nodes alone; what they need must have been run before. May be given several times
    #[arg(long, value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) only: Vec<String>,
}

/// Where things are found.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Folder of the store [default: .pddflow in the nearest parent folder that has one, else here]
    #[arg(long, value_name = "DIR", env = "PDDFLOW_CACHE_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Folder with data sets, searched before anything is downloaded; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) plugins: PluginArgs,
}

/// Where plugins are found.
#[derive(Debug, Args)]
pub(crate) struct PluginArgs {
    /// Folder with plugins; may be given several times. Searched after the pipeline's `plugins:` and before
    /// PDDFLOW_PLUGIN_PATH, the folder of the program and the user's data folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) plugin_dir: Vec<PathBuf>,
    /// Folders with plugins, separated as in PATH
    #[arg(long, value_name = "DIRS", env = "PDDFLOW_PLUGIN_PATH", hide_env_values = true, hide = true)]
    pub(crate) plugin_path: Option<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Nodes that run at the same time [default: the number of cores]
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<usize>,
    /// What nodes may use at the same time, such as `cpus=8,memory=64GiB,gpus=2`, or the size of a pool of the file
    /// [default: all cores, all memory, one gpu]
    #[arg(long, value_name = "NAME=AMOUNT", value_delimiter = ',', value_parser = amount)]
    pub(crate) resources: Vec<(String, u64)>,
    /// How to go on after a failure
    #[arg(long, short, value_enum, value_name = "MODE", default_value_t = KeepGoing::Never, num_args = 0..=1,
          require_equals = true, default_missing_value = "independent")]
    pub(crate) keep_going: KeepGoing,
    /// A name for the run, by which `status`, `compare` and others find it; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) tag: Vec<String>,
    /// Write every event as a line of JSON to this file too, or to standard output for `-`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) events: Option<PathBuf>,
    /// Write when each operation was computed, in nodes and iterations, as a trace for `chrome://tracing` or Perfetto
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) profile_ops: Option<PathBuf>,
    /// Once a day, remove artifacts that no recent run used when all together are larger than this
    #[arg(long, value_name = "SIZE", env = "PDDFLOW_CACHE_MAX_SIZE", hide_env_values = true, value_parser = size,
          default_value = DEFAULT_SIZE)]
    pub(crate) cache_max_size: u64,
    /// Folder for tables, image grids and exports
    #[arg(long, value_name = "DIR", default_value = "results", value_hint = ValueHint::DirPath)]
    pub(crate) results: PathBuf,
    /// Only say what went wrong, and print the tables
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Compute with no more than these instructions of the processor; last digits differ
    #[arg(long, value_enum, value_name = "SET", env = "PDDFLOW_INSTRUCTIONS", hide_env_values = true, hide = true)]
    pub(crate) instructions: Option<InstructionSet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstructionSet {
    Baseline,
    Avx2,
    Avx512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeepGoing {
    /// Start nothing more
    Never,
    /// Run every node that does not need the failed one; the same as `--keep-going` alone
    Independent,
    /// Also run nodes that take several artifacts, such as tables, with those that are there
    Always,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The node, such as `data` or `distill[3]`
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Fail when there is a warning
    #[arg(long)]
    pub(crate) deny: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub(crate) format: GraphFormat,
    /// Draw every instance of a family, not the family as one box
    #[arg(long)]
    pub(crate) instances: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// One node a line
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid, as Markdown viewers draw it
    Mermaid,
    /// A picture
    Svg,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The node, such as `table` or `distill[3]`
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    /// The folder to write to
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) to: PathBuf,
    /// Write into a folder that has other files in it, replacing those of the same name
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the plugins that are found, in the order of the search
    List {
        #[command(flatten)]
        plugins: PluginArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Leave out the parameters of plugins that are installed here
    #[arg(long)]
    pub(crate) no_plugins: bool,
    #[command(flatten)]
    pub(crate) plugins: PluginArgs,
}

/// `NAME=AMOUNT`, the amount a number or, for memory, one with a unit.
fn amount(text: &str) -> Result<(String, u64), String> {
    let read = |(name, amount): (&str, &str)| Some((name.trim().to_owned(), memory_bytes(amount.trim())?));
    text.split_once('=')
        .and_then(read)
        .ok_or_else(|| "a name and an amount, such as `gpus=2` or `memory=64GiB`".to_owned())
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one node must run at a time".to_owned()),
        Ok(jobs) => Ok(jobs),
        Err(_) => Err("a number of nodes, such as 2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
