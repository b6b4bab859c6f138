//! `pddflow run`: every node that is stale, then what came out.

use crate::args::{DEFAULT_SIZE, PipelineArgs, PlaceArgs, SelectArgs, size};
use crate::cluster;
use crate::command::cache::gc;
use crate::command::plan;
use crate::complete;
use crate::exit::Exit;
use crate::interrupt;
use crate::machine;
use crate::opened::Opened;
use crate::output::Output;
use crate::past;
use crate::problem::Problem;
use crate::profile;
use crate::remaining;
use crate::report;
use crate::results::{Places, Results, Unreadable};
use clap::{ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use pddflow_nodes::trace;
use pddflow_pipeline::{Plan, Selection, SelectionError, memory_bytes};
use pddflow_report::{Expectation, Place, Reporter, Verbosity, count};
use pddflow_runner::{Cancel, Capacity, ExecutorFactory, NodeError, Settings, Summary};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  pddflow run pipelines/quickstart.yaml
  pddflow run pipelines/quickstart.yaml --set epochs=50 --jobs 2
  pddflow run pipelines/quickstart.yaml --set epochs=50,100,200   a sweep: all three in one run
  pddflow run pipelines/quickstart.yaml 'eval[of=dm]'             these nodes and what they need
  pddflow run pipelines/quickstart.yaml --json > events.ndjson
  pddflow run pipelines/paper/table1_cifar10.yaml --on slurm      nodes become jobs of a cluster

The first Ctrl-C stops the run cleanly and keeps checkpoints; the second stops it at once.";

/// Run the stale nodes of a pipeline
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Only print what would run, and why
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Run fresh nodes again: those of the pattern, or else all that are selected; may be repeated
    #[arg(long, value_name = "NODE", num_args = 0..=1, require_equals = true, default_missing_value = "",
          add = ArgValueCompleter::new(complete::nodes))]
    force: Vec<String>,
    /// How many nodes run in parallel [default: the number of cores, but at most one per 2 GiB of memory]
    #[arg(long, short, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// Limit what running nodes use together, such as `cpus=8,memory=64GiB,gpus=2` or the size of a pool of the file
    /// [default: all cores, 90 % of the memory, one GPU]
    #[arg(long, value_name = "NAME=AMOUNT", value_delimiter = ',', value_parser = amount)]
    resources: Vec<(String, u64)>,
    /// What to do after a node fails
    #[arg(long, short, value_enum, value_name = "MODE", default_value_t = KeepGoing::Never, num_args = 0..=1,
          require_equals = true, default_missing_value = "independent")]
    keep_going: KeepGoing,
    /// Where nodes run: `here`, as jobs of `slurm`, or by a command that gets a job file on standard input, such as
    /// `ssh node pddflow work -`; all machines see the store. Small nodes, such as tables, always run here
    #[arg(long, value_name = "WHERE", value_parser = on, default_value = "here")]
    on: On,
    /// With `--on slurm`: submit what is ready and end; `pddflow attach` or the next run takes the jobs up
    #[arg(long)]
    detach: bool,
    /// Tag the run, so that `status`, `compare` and others find it by that name; may be repeated
    #[arg(long, value_name = "NAME", value_parser = tag)]
    tag: Vec<String>,
    /// Also write every event as a line of JSON to this file (`-` for standard output)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    events: Option<PathBuf>,
    /// Profile tensor operations: write a trace for `chrome://tracing` or Perfetto
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    profile_ops: Option<PathBuf>,
    /// Limit the size of the store: once a day, artifacts that no recent run used are removed until it fits
    #[arg(long, value_name = "SIZE", env = "PDDFLOW_CACHE_MAX_SIZE", hide_env_values = true, value_parser = size,
          default_value = DEFAULT_SIZE)]
    cache_max_size: u64,
    /// Folder for tables, image grids and exports
    #[arg(long, value_name = "DIR", default_value = "results", value_hint = ValueHint::DirPath)]
    results: PathBuf,
    /// Print only errors and result tables
    #[arg(long, short)]
    quiet: bool,
    /// Print also fresh nodes with their keys, all reasons and all metrics
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum On {
    /// On this machine.
    Here,
    /// As jobs of Slurm.
    Slurm,
    /// By a line of shell, which gets a job file on standard input.
    Program(String),
}

fn on(text: &str) -> Result<On, String> {
    match text.trim() {
        "here" => Ok(On::Here),
        "slurm" => Ok(On::Slurm),
        command if command.contains(char::is_whitespace) => Ok(On::Program(command.to_owned())),
        _ => Err("`here`, `slurm`, or a command such as `ssh node pddflow work -`".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeepGoing {
    /// Start no further nodes
    Never,
    /// Run all nodes that do not depend on the failed one; the same as `--keep-going` alone
    Independent,
    /// Also run nodes with several inputs, such as tables, on the inputs that are available
    Always,
}

/// `NAME=AMOUNT`, the amount a number or, for memory, one with a unit.
fn amount(text: &str) -> Result<(String, u64), String> {
    let read = |(name, amount): (&str, &str)| Some((name.trim().to_owned(), memory_bytes(amount.trim())?));
    text.split_once('=')
        .and_then(read)
        .ok_or_else(|| "a name and an amount, such as `gpus=2` or `memory=64GiB`".to_owned())
}

/// A tag that is not read as the name of another run.
fn tag(text: &str) -> Result<String, String> {
    let ago = text.strip_prefix("last~").is_some_and(|count| count.bytes().all(|byte| byte.is_ascii_digit()));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_id =
        text.strip_prefix('r').is_some_and(|rest| rest.split('-').count() == 3 && rest.split('-').all(is_number));
    match text {
        "" => Err("a tag has at least one character".to_owned()),
        "last" => Err("`last` names the last run; choose another tag".to_owned()),
        _ if ago => Err(format!("`{text}` names an earlier run; choose another tag")),
        _ if is_id => Err(format!("`{text}` is the id of a run; choose another tag")),
        _ => Ok(text.to_owned()),
    }
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 node must run at a time".to_owned()),
        Ok(jobs) => Ok(jobs),
        Err(_) => Err("a number of nodes, such as 2".to_owned()),
    }
}

/// Damage that comes back so often is a broken disk, not an accident.
const MOST_REPAIRS: usize = 3;

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let mut opened = Opened::new(&self.pipeline, &self.place)?.chosen(&self.select.selection(&self.pipeline)?)?;
        if self.detach && self.on != On::Slurm {
            let problem =
                Problem::usage("detach", "`--detach` leaves jobs of a cluster behind, and this run would have none");
            return Err(problem.with_help("add `--on slurm`, or leave it out"));
        }
        if self.dry_run && self.on == On::Slurm {
            return cluster::show(&opened, &cluster::slurm(&opened)?, output);
        }
        let force = self.forced(&opened.plan)?;
        if self.dry_run {
            plan::print(&opened, &opened.freshness(), false, output);
            if !force.is_empty() {
                let nodes = count(force.len(), "node");
                output.note(&format!("note: `--force` would run {nodes} also where they are fresh"));
            }
            return Ok(Exit::Ok);
        }
        let capacity = capacity(self, &mut opened)?;
        if let Some(registry) = opened.library.opened_registry() {
            registry.warnings().iter().for_each(|warning| output.note(&format!("warning: {warning}")));
        }
        let settings = Settings {
            jobs: self.jobs.unwrap_or_else(machine::default_jobs),
            capacity,
            keep_going: self.keep_going != KeepGoing::Never,
            partial_inputs: self.keep_going == KeepGoing::Always,
            tags: self.tag.clone(),
            force,
            detach: self.detach,
            program: concat!("pddflow ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Settings::default()
        };
        let expectation =
            if self.quiet || output.json() { None } else { remaining::expectation(&opened, settings.jobs) };
        let reporter: Arc<dyn Reporter> = Arc::from(reporter(self, output, expectation)?);
        let profile = self.profile_ops.as_deref().map(profile::create).transpose()?;
        if let Some(death) = past::last_death(&opened.store, &opened.plan.name) {
            output.note(&format!("warning: {death}"));
        }
        let elsewhere: Option<Box<dyn ExecutorFactory>> = match &self.on {
            On::Here => None,
            On::Slurm => Some(Box::new(cluster::slurm(&opened)?)),
            On::Program(command) => Some(Box::new(cluster::program(&opened, command)?)),
        };
        let grace = if elsewhere.is_some() { interrupt::CLUSTER_GRACE } else { interrupt::GRACE };
        let cancel = interrupt::connect(&reporter, grace);
        let factory = elsewhere.as_deref();
        if profile.is_some() {
            trace::start();
        }
        let ended = run_until_whole(&opened, (settings, &self.results), (&cancel, factory), reporter.as_ref());
        reporter.finish();
        if let (Some(file), Some(path)) = (profile, &self.profile_ops) {
            profile::write(file, &trace::stop())?;
            output.note(&format!("profile: {}", path.display()));
        }
        let results = ended?;
        for warning in opened.store.take_warnings() {
            output.note(&format!("warning: {warning}"));
        }
        let places = results.write()?;
        for path in &places.kept {
            let path = path.display();
            output.note(&format!(
                "warning: {path} was changed since it was written, so it is kept; delete or move it to get the file of this run"
            ));
        }
        print_results(self, output, &results, &places);
        let summary = &results.summary;
        if summary.ran + summary.failed > 0 {
            self.write_report(&opened, &results, output);
        }
        if summary.ran > 0 {
            gc::collect_now_and_then(&opened.store, self.cache_max_size, output);
        }
        if self.detach && !summary.cancelled && summary.skipped > 0 && summary.failed == 0 {
            output.note("jobs go on; `pddflow attach` or the next run takes them up");
        }
        // Where the log of a node was not shown, its end belongs to the failure.
        let failed = failures(&opened, summary, self.quiet || output.json());
        failed.iter().for_each(|problem| output.problem(problem));
        Ok(exit(summary, &failed))
    }
}

impl Args {
    /// Writes the page about the run. The run is none the worse without it.
    fn write_report(&self, opened: &Opened, results: &Results<'_>, output: &Output) {
        match report::write(&opened.store, &results.summary.run, results.folder()) {
            Ok(path) if output.json() => output.line(&json!({ "event": "report", "file": path })),
            Ok(_) if self.quiet => {}
            Ok(path) => output.say(&format!("report: {}\n", path.display())),
            Err(error) => output.note(&format!("warning: the report could not be written: {error}")),
        }
    }

    /// The places of the nodes that run even if they are fresh.
    fn forced(&self, plan: &Plan) -> Result<Vec<usize>, Problem> {
        let selected = |at: &usize| plan.nodes.get(*at).is_some_and(|node| !node.settings.only_if_fresh);
        let mut forced = Vec::new();
        for pattern in &self.force {
            let found = if pattern.is_empty() { self.named(plan)? } else { plan.matching(pattern)? };
            forced.extend(found.into_iter().filter(selected));
        }
        Ok(forced)
    }

    /// The places of the nodes that the command line names; of all nodes if it names none.
    fn named(&self, plan: &Plan) -> Result<Vec<usize>, Problem> {
        let Selection { until, only } = self.select.selection(&self.pipeline)?;
        if until.is_empty() && only.is_empty() {
            return Ok((0..plan.nodes.len()).collect());
        }
        let found: Result<Vec<Vec<usize>>, SelectionError> =
            until.iter().chain(&only).map(|pattern| plan.matching(pattern)).collect();
        Ok(found?.concat())
    }
}

/// What nodes may use at the same time; sizes of pools go into the plan.
fn capacity(args: &Args, opened: &mut Opened) -> Result<Capacity, Problem> {
    let gpus = args.place.gpus(&opened.library);
    let mut capacity = Capacity { memory_bytes: machine::memory_for_nodes(), gpus, ..Capacity::default() };
    for (name, amount) in &args.resources {
        let units = u32::try_from(*amount).unwrap_or(u32::MAX);
        match name.as_str() {
            "cpus" => capacity.cpus = units,
            "gpus" => capacity.gpus = units,
            "memory" => capacity.memory_bytes = *amount,
            pool => match opened.plan.pools.get_mut(pool) {
                Some(size) => *size = units.max(1),
                None => {
                    let pools: Vec<&str> = opened.plan.pools.keys().map(String::as_str).collect();
                    let message = format!("there is no resource `{pool}`");
                    let help = match pools.is_empty() {
                        true => "resources are cpus, memory and gpus; the file has no pools".to_owned(),
                        false => {
                            format!("resources are cpus, memory, gpus and the pools of the file: {}", pools.join(", "))
                        }
                    };
                    return Err(Problem::usage("unknown_resource", message).with_help(help));
                }
            },
        }
    }
    Ok(capacity)
}

fn reporter(args: &Args, output: &Output, expectation: Option<Expectation>) -> Result<Box<dyn Reporter>, Problem> {
    let shown = shown(args, output, expectation);
    let Some(path) = &args.events else { return Ok(shown) };
    let sink: Box<dyn std::io::Write + Send> = if path.as_os_str() == "-" {
        Box::new(std::io::stdout())
    } else {
        Box::new(fs_err::File::create(path).map_err(|error| {
            Problem::usage("events", format!("events cannot be written: {error}"))
                .with_help("name a file in a folder that exists and can be written to")
        })?)
    };
    Ok(pddflow_report::tee(vec![shown, pddflow_report::json(sink)]))
}

fn shown(args: &Args, output: &Output, expectation: Option<Expectation>) -> Box<dyn Reporter> {
    let verbosity = match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    if output.json() {
        pddflow_report::json(Box::new(std::io::stdout()))
    } else if output.live() && !args.quiet {
        pddflow_report::terminal(output.error_paint, verbosity, expectation)
    } else {
        pddflow_report::lines(Box::new(std::io::stderr()), output.error_paint, verbosity, expectation)
    }
}

/// Runs, and again while an artifact that is to be shown proves damaged: it is set aside by then, so its node is stale.
fn run_until_whole<'a>(
    opened: &'a Opened,
    (mut settings, folder): (Settings, &'a Path),
    (cancel, factory): (&Cancel, Option<&dyn ExecutorFactory>),
    reporter: &dyn Reporter,
) -> Result<Results<'a>, Problem> {
    let mut repairs = 0;
    loop {
        let tell = |event| reporter.event(&event);
        let summary =
            pddflow_runner::run_on(&opened.plan, (&opened.library, factory), &opened.store, &settings, cancel, &tell)?;
        let cancelled = summary.cancelled;
        match Results::collect(opened, summary, folder) {
            Ok(results) => return Ok(results),
            Err(Unreadable::Repairable(what)) if repairs < MOST_REPAIRS && !cancelled => {
                repairs += 1;
                // These have run.
                settings.force.clear();
                reporter.note(&format!("running again: {what}"));
            }
            Err(Unreadable::Repairable(problem) | Unreadable::Other(problem)) => return Err(problem),
        }
    }
}

fn print_results(args: &Args, output: &Output, results: &Results<'_>, places: &Places) {
    if output.json() {
        for Place { node, folder, files } in &places.nodes {
            output.line(&json!({ "event": "results", "node": node, "folder": folder, "files": files }));
        }
        return;
    }
    for (node, table) in results.tables() {
        let head = if node.point.is_empty() { String::new() } else { format!("### {}\n\n", node.id) };
        output.data(&format!("{head}{table}\n"));
    }
    if !args.quiet {
        output.say(&pddflow_report::closing(&results.summary, &places.nodes, output.error_paint));
    }
}

/// Each failed node as a problem with its place in the pipeline file.
fn failures(opened: &Opened, summary: &Summary, with_output: bool) -> Vec<Problem> {
    let nodes = opened.plan.nodes.iter().zip(&summary.nodes);
    nodes
        .filter(|(node, _)| !node.settings.allow_failure)
        .filter_map(|(node, ended)| {
            let NodeError { code, message, help, causes, output, .. } = ended.error.clone()?;
            let printed = if with_output && !output.is_empty() {
                format!("; it printed:\n{}", output.join("\n"))
            } else {
                String::new()
            };
            let exit = if is_of_the_store(&code) { Exit::Store } else { Exit::NodeFailed };
            let problem =
                Problem::new(exit, code, format!("node {} failed: {message}{printed}", node.id)).with_causes(&causes);
            let problem = match help {
                Some(help) => problem.with_help(help),
                None => problem,
            };
            Some(match fs_err::read_to_string(&node.file) {
                Ok(text) => problem.with_node(&node.file, &text, node.span),
                Err(_) => problem,
            })
        })
        .collect()
}

/// Whether a node failed because of the store and not because of what it does.
fn is_of_the_store(code: &str) -> bool {
    code.starts_with("pddflow::cache::") || code == "pddflow::nodes::store"
}

fn exit(summary: &Summary, failed: &[Problem]) -> Exit {
    if summary.cancelled {
        return Exit::Interrupted;
    }
    match failed {
        [] => Exit::Ok,
        all if all.iter().any(|problem| problem.exit() == Exit::Store) => Exit::Store,
        _ => Exit::NodeFailed,
    }
}
