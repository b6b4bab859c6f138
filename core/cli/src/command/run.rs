//! `pddflow run`: every node that is stale, then what came out.

use crate::args::{InstructionSet, KeepGoing, RunArgs};
use crate::command::cache;
use crate::exit::Exit;
use crate::interrupt;
use crate::opened::Opened;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use crate::profile;
use crate::results::{Places, Results, Unreadable};
use pddflow_nodes::{Instructions, trace};
use pddflow_report::{Place, Reporter, Verbosity};
use pddflow_runner::{Cancel, Capacity, NodeFailure, Settings, Summary};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Damage that comes back so often is a broken disk, not an accident.
const MOST_REPAIRS: usize = 3;

pub(crate) fn run(args: &RunArgs, output: &Output) -> Result<Exit, Problem> {
    if let Some(set) = args.instructions {
        pddflow_nodes::use_at_most(match set {
            InstructionSet::Baseline => Instructions::Baseline,
            InstructionSet::Avx2 => Instructions::Avx2,
            InstructionSet::Avx512 => Instructions::Avx512,
        });
    }
    let mut opened = Opened::new(&args.pipeline, &args.place)?.select(&args.select)?;
    let capacity = capacity(args, &mut opened)?;
    if let Some(registry) = opened.library.opened_registry() {
        registry.warnings().iter().for_each(|warning| output.note(&format!("warning: {warning}")));
    }
    let settings = Settings {
        jobs: args.jobs.unwrap_or_else(pddflow_runner::cores),
        capacity,
        keep_going: args.keep_going != KeepGoing::Never,
        partial_inputs: args.keep_going == KeepGoing::Always,
        tags: args.tag.clone(),
        program: concat!("pddflow ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..Settings::default()
    };
    let reporter: Arc<dyn Reporter> = Arc::from(reporter(args, output)?);
    let cancel = interrupt::connect(&reporter);
    if args.profile_ops.is_some() {
        trace::start();
    }
    let ended = run_until_whole(&opened, (&settings, &args.results), &cancel, reporter.as_ref());
    reporter.finish();
    if let Some(path) = &args.profile_ops {
        profile::write(path, &trace::stop())?;
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
    print_results(args, output, &results, &places);
    let summary = &results.summary;
    if summary.ran > 0 {
        cache::collect_now_and_then(&opened.store, args, output);
    }
    let failed = failures(&opened, summary);
    failed.iter().for_each(|problem| output.problem(problem));
    Ok(exit(summary, &failed))
}

/// What nodes may use at the same time; sizes of pools go into the plan.
fn capacity(args: &RunArgs, opened: &mut Opened) -> Result<Capacity, Problem> {
    let mut capacity = Capacity::default();
    if opened.plan.nodes.iter().any(|node| node.settings.resources.memory_bytes > 0) {
        capacity.memory_bytes = place::machine_memory().unwrap_or(u64::MAX);
    }
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
                    let help =
                        format!("resources are cpus, memory, gpus and the pools of the file: {}", pools.join(", "));
                    return Err(Problem::usage("unknown_resource", message).with_help(help));
                }
            },
        }
    }
    Ok(capacity)
}

fn reporter(args: &RunArgs, output: &Output) -> Result<Box<dyn Reporter>, Problem> {
    let shown = shown(args, output);
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

fn shown(args: &RunArgs, output: &Output) -> Box<dyn Reporter> {
    let verbosity = if args.quiet { Verbosity::Quiet } else { Verbosity::Normal };
    if output.json() {
        pddflow_report::json(Box::new(std::io::stdout()))
    } else if output.live() && verbosity == Verbosity::Normal {
        pddflow_report::terminal(output.error_paint)
    } else {
        pddflow_report::lines(Box::new(std::io::stderr()), output.error_paint, verbosity)
    }
}

/// Runs, and again while an artifact that is to be shown proves damaged: it is set aside by then, so its node is stale.
fn run_until_whole<'a>(
    opened: &'a Opened,
    (settings, folder): (&Settings, &'a Path),
    cancel: &Cancel,
    reporter: &dyn Reporter,
) -> Result<Results<'a>, Problem> {
    let mut repairs = 0;
    loop {
        let tell = |event| reporter.event(&event);
        let summary = pddflow_runner::run(&opened.plan, &opened.library, &opened.store, settings, cancel, &tell)?;
        let cancelled = summary.cancelled;
        match Results::collect(opened, summary, folder) {
            Ok(results) => return Ok(results),
            Err(Unreadable::Repairable(what)) if repairs < MOST_REPAIRS && !cancelled => {
                repairs += 1;
                reporter.note(&format!("running again: {what}"));
            }
            Err(Unreadable::Repairable(problem) | Unreadable::Other(problem)) => return Err(problem),
        }
    }
}

fn print_results(args: &RunArgs, output: &Output, results: &Results<'_>, places: &Places) {
    if output.json() {
        for Place { node, folder, files } in &places.nodes {
            output.line(&json!({ "event": "results", "node": node, "folder": folder, "files": files }));
        }
        return;
    }
    results.tables().for_each(|table| output.data(&format!("{table}\n")));
    if !args.quiet {
        output.say(&pddflow_report::closing(&results.summary, &places.nodes, output.error_paint));
    }
}

/// Each failed node as a problem with its place in the pipeline file.
fn failures(opened: &Opened, summary: &Summary) -> Vec<Problem> {
    let nodes = opened.plan.nodes.iter().zip(&summary.nodes);
    nodes
        .filter(|(node, _)| !node.settings.allow_failure)
        .filter_map(|(node, ended)| {
            let NodeFailure { code, message, help, causes } = ended.error.clone()?;
            let exit = if is_of_the_store(&code) { Exit::Store } else { Exit::NodeFailed };
            let problem = Problem::new(exit, code, format!("node {} failed: {message}", node.id)).with_causes(causes);
            let problem = match help {
                Some(help) => problem.with_help(help),
                None => problem,
            };
            Some(match fs_err::read_to_string(&node.file) {
                Ok(text) => problem.with_place(&node.file, &text, node.span),
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
