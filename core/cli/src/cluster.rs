//! A run on a cluster: what its jobs need, and what is said of them.

use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use pddflow_cache::Digest;
use pddflow_cluster::{Invocation, Options, PluginFile, Preview, ProgramFactory, Site, SlurmFactory};
use pddflow_nodes::{Instructions, Registry};
use pddflow_pipeline::Resources;
use pddflow_report::{Tone, count};
use pddflow_runner::{ExecutorFactory as _, Work, ready_work};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A program of Slurm that has not answered after this time will not.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The executor of a run on Slurm.
pub(crate) fn slurm(opened: &Opened) -> Result<SlurmFactory, Problem> {
    options(opened).map(SlurmFactory::new)
}

/// The executor of a run whose nodes are computed by a program.
pub(crate) fn program(opened: &Opened, command: &str) -> Result<ProgramFactory, Problem> {
    Ok(ProgramFactory::new(command, options(opened)?))
}

fn options(opened: &Opened) -> Result<Options, Problem> {
    let here = |error: std::io::Error| Problem::usage("folder", format!("the current folder is not known: {error}"));
    let folder = place::here().map_err(here)?;
    let absolute = |path: &Path| folder.join(path);
    let options = opened.library.options();
    let plugins = opened.library.opened_registry().map(Registry::list).unwrap_or_default();
    let mut files: Vec<PluginFile> = plugins
        .into_iter()
        .map(|plugin| PluginFile { file: absolute(&plugin.file), digest: Digest::from_bytes(plugin.digest) })
        .collect();
    files.sort_by(|one, other| one.file.cmp(&other.file));
    files.dedup();
    let data_dirs: Vec<PathBuf> = options.data_dirs.iter().map(|path| absolute(path)).collect();
    let site = Site {
        store: absolute(opened.store.root()),
        plugins: files,
        data_dirs,
        downloads: absolute(&options.downloads),
        instructions: Instructions::in_use().name().to_owned(),
    };
    Ok(Options {
        site,
        program: place::program().map_err(here)?,
        invocation: Invocation { folder, arguments: place::arguments() },
        without: place::job_variables(),
        settings: opened.plan.cluster.clone(),
        answer_limit: ANSWER_LIMIT,
    })
}

/// Shows what the run would submit first, and what Slurm says to it.
pub(crate) fn show(opened: &Opened, factory: &SlurmFactory, output: &Output) -> Result<Exit, Problem> {
    let ready = ready_work(&opened.plan, &opened.library, &opened.store);
    let nodes = ready.into_iter().filter_map(|(at, work)| Some((opened.plan.nodes.get(at)?, work)));
    let works: Vec<(Work, Resources)> = nodes
        .filter(|(node, _)| factory.takes(node))
        .map(|(node, work)| (work, node.settings.resources.clone()))
        .collect();
    let previews = pddflow_cluster::preview(factory, &works).map_err(|error| {
        let problem = Problem::new(Exit::Pipeline, error.code.clone(), error.to_string());
        match error.help {
            Some(help) => problem.with_help(help),
            None => problem,
        }
    })?;
    let refused = previews.iter().any(|preview| preview.answer.is_err());
    if output.json() {
        let value = |preview: &Preview| {
            let (accepted, said) = match &preview.answer {
                Ok(said) => (true, said),
                Err(said) => (false, said),
            };
            json!({ "nodes": preview.nodes, "sbatch": preview.arguments, "script": preview.script,
                    "jobs": preview.jobs, "accepted": accepted, "said": said })
        };
        output.value(&json!({ "arrays": previews.iter().map(value).collect::<Vec<_>>() }));
    } else {
        previews.iter().for_each(|preview| output.data(&text(preview, output)));
        if previews.is_empty() {
            output.note("nothing to submit: no node for the cluster is ready");
        }
    }
    Ok(if refused { Exit::NodeFailed } else { Exit::Ok })
}

fn text(preview: &Preview, output: &Output) -> String {
    let strong = |text: &str| output.paint.tone(Tone::Strong, text);
    let mut text =
        format!("{} of {}: {}\n", strong("array"), count(preview.nodes.len(), "node"), preview.nodes.join(", "));
    let _ = writeln!(text, "{} {}", strong("sbatch"), preview.arguments.join(" "));
    let _ = writeln!(text, "{}\n{}", strong("script"), preview.script.trim_end());
    let _ = writeln!(text, "{}\n{}", strong("job file"), preview.jobs.trim_end());
    let _ = match &preview.answer {
        Ok(said) => writeln!(text, "{} {said}", output.paint.tone(Tone::Good, "Slurm would take it:")),
        Err(said) => writeln!(text, "{} {said}", output.paint.tone(Tone::Bad, "Slurm would not take it:")),
    };
    text
}
