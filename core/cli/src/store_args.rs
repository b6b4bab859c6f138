//! The command line of what looks at the store and at past runs.

use crate::args::{PipelineArgs, PlaceArgs};
use crate::complete;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  pddflow explain pipelines/quickstart.yaml table
  pddflow explain pipelines/quickstart.yaml 'distill[ipc=10]' --set lr=0.1
  pddflow explain pipelines/quickstart.yaml table --between last~1 last";

pub(crate) const STATUS_EXAMPLES: &str = "\
Examples:
  pddflow status               what runs now, or how the last run went
  pddflow status last~2 --json";

pub(crate) const RUNS_EXAMPLES: &str = "\
Examples:
  pddflow runs
  pddflow runs --tag baseline --limit 5 --json";

pub(crate) const LOGS_EXAMPLES: &str = "\
Examples:
  pddflow logs pipelines/quickstart.yaml 'distill[ipc=10]'
  pddflow logs pipelines/quickstart.yaml table --run last~1";

pub(crate) const COMPARE_EXAMPLES: &str = "\
Examples:
  pddflow compare                                            the last runs of the pipeline that ran last
  pddflow compare baseline last --only-changed
  pddflow compare --nodes 'eval*' --over seed --sort accuracy --descending
  pddflow compare last --nodes 'eval*' --format markdown";

/// Which store.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Folder of the store [default: .pddflow in the nearest parent folder that has one, else here]
    #[arg(long, value_name = "DIR", env = "PDDFLOW_CACHE_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The node, such as `data` or `distill[3]`
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    /// Compare the keys that the node had in two runs
    #[arg(long, num_args = 2, value_names = ["RUN", "RUN"])]
    pub(crate) between: Vec<String>,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The run: its id or the beginning of it, a tag, `last`, `last~1` and so on [default: those that run now, else the
    /// last]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// Show so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Only runs with this tag
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Only runs of the pipeline with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The node, such as `data` or `distill[3]`
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    /// The run [default: the last one in which the node ran]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The runs: ids or their beginnings, tags, `last`, `last~1` and so on [default: the last 10 of one pipeline]
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    /// Only runs of the pipeline with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// One row for each node whose name matches, such as `eval*` (`*` stands for any text), with its axes as parameters
    #[arg(long, value_name = "PATTERN")]
    pub(crate) nodes: Option<String>,
    /// Only these columns, such as `lr` or `*accuracy`; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub(crate) columns: Vec<String>,
    /// Leave out parameters that are the same in every row
    #[arg(long)]
    pub(crate) only_changed: bool,
    /// Join rows that differ only in this parameter: mean and standard deviation; may be given several times
    #[arg(long, value_name = "PARAM")]
    pub(crate) over: Vec<String>,
    /// Order the rows by a column
    #[arg(long, value_name = "COLUMN")]
    pub(crate) sort: Option<String>,
    /// The largest first
    #[arg(long, requires = "sort")]
    pub(crate) descending: bool,
    /// How it is written; `--json` is the same as `--format json`
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub(crate) format: TableFormat,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Aligned columns
    Table,
    /// JSON
    Json,
    /// Comma-separated values
    Csv,
    /// Markdown
    Markdown,
}

const CACHE_EXAMPLES: &str = "\
Examples:
  pddflow cache ls
  pddflow cache show b3:0f3a
  pddflow cache verify
  pddflow cache gc --max-size 20GiB --dry-run
  pddflow cache push s3://bucket/results
  pddflow cache pull s3://bucket/results pipelines/quickstart.yaml";

const PUSH_EXAMPLES: &str = "\
Examples:
  pddflow cache push /mnt/shared/results                            everything
  pddflow cache push s3://bucket/results pipelines/quickstart.yaml  what is fresh of a pipeline
  pddflow cache push https://host/x pipelines/quickstart.yaml table a node and what it needs

For S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for other than Amazon, AWS_ENDPOINT_URL.";

const PULL_EXAMPLES: &str = "\
Examples:
  pddflow cache pull /mnt/shared/results                            everything
  pddflow cache pull s3://bucket/results pipelines/quickstart.yaml  what a pipeline needs
  pddflow cache pull https://host/x pipelines/quickstart.yaml --dry-run

For S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for other than Amazon, AWS_ENDPOINT_URL.";

#[derive(Debug, Subcommand)]
#[command(after_help = CACHE_EXAMPLES)]
pub(crate) enum CacheCommand {
    /// List records: what was computed, how long it took, how large it is
    Ls {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Show a record or an artifact
    Show {
        /// A key (k:...) or a digest (b3:...), or the beginning of one
        #[arg(value_name = "KEY")]
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Read every byte of the store on all cores; what is damaged is set aside, and made again when it is needed
    Verify {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove artifacts that no recent run used, within limits of size and age
    Gc(GcArgs),
    /// Copy results to a remote (a folder, S3 or an HTTP server), unless they are there
    #[command(after_help = PUSH_EXAMPLES)]
    Push(TransferArgs),
    /// Copy results from a remote, unless they are here; nothing damaged enters the store
    #[command(after_help = PULL_EXAMPLES)]
    Pull(TransferArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// The remote: a folder, s3://BUCKET/PREFIX, http://HOST/PATH or https://HOST/PATH
    #[arg(value_name = "URL", value_hint = ValueHint::AnyPath)]
    pub(crate) url: String,
    /// Only what this pipeline needs [default: everything]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Only these nodes and what they need: `distill`, `distill[3]`, `eval[model=*]` [default: all nodes]
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) nodes: Vec<String>,
    /// Set a parameter; several values between commas make a sweep. May be given several times
    #[arg(long, value_name = "KEY=VALUE", requires = "file")]
    pub(crate) set: Vec<String>,
    /// Overlay the parameters of a profile of the file
    #[arg(long, value_name = "NAME", requires = "file")]
    pub(crate) profile: Option<String>,
    /// Requests at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_once)]
    pub(crate) at_once: usize,
    /// Only say what would be copied
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Remove the longest unused until all artifacts together are at most this large, such as 500MB or 20GiB
    #[arg(long, value_name = "SIZE", env = "PDDFLOW_CACHE_MAX_SIZE", hide_env_values = true, value_parser = size,
          default_value = DEFAULT_SIZE)]
    pub(crate) max_size: u64,
    /// Remove what was not used for so long, such as 30d or 12h
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "180d")]
    pub(crate) max_age: Duration,
    /// Keep everything that the last runs of each pipeline used: so many runs
    #[arg(long, value_name = "N", default_value_t = KEPT_RUNS)]
    pub(crate) keep_runs: usize,
    /// Only say what would be removed
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// The limit of a store unless another one is set.
pub(crate) const DEFAULT_SIZE: &str = "100GiB";
/// Runs of each pipeline whose results are kept unless another number is set.
pub(crate) const KEPT_RUNS: usize = 3;

/// More requests at a time only wait for each other.
const MOST_AT_ONCE: usize = 256;

/// A number of bytes with an optional unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    let wrong = || "a size, such as 500MB or 20GiB".to_owned();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, factor) = unit.map_or((text, 1), |(unit, factor)| (&text[..text.len() - unit.len()], *factor));
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    if number.is_finite() && number >= 0.0 { Ok((number * factor as f64) as u64) } else { Err(wrong()) }
}

fn at_once(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_AT_ONCE).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {MOST_AT_ONCE}"))
}

fn time(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let wrong = || "a time with its unit: s, m, h or d, such as 30d".to_owned();
    let (number, factor) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(*unit)?, *factor))).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!([size("20GiB"), size("1.5KB"), size("7")], [Ok(20 << 30), Ok(1_500), Ok(7)]);
        assert!(["", "GiB", "-1B", "infB", "1 PB"].iter().all(|text| size(text).is_err()));
        assert_eq!(time("2d"), Ok(Duration::from_secs(172_800)));
        assert!(["", "d", "3", "1.5h"].iter().all(|text| time(text).is_err()));
    }
}
