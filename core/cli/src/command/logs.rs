//! `pddflow logs`: what a node printed when it ran.

use crate::args::NodeArgs;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::past;
use crate::problem::Problem;
use pddflow_report::Tone;
use pddflow_runner::{PastJob, node_log};
use serde_json::json;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  pddflow logs pipelines/quickstart.yaml 'distill[ipc=10]'
  pddflow logs pipelines/quickstart.yaml table --run last~1";

/// Print the log of a node
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    target: NodeArgs,
    /// The run [default: the last one in which the node ran]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.target.pipeline, &self.target.place)?;
        let (_, node) = opened.node(&self.target.node)?;
        let (name, pipeline) = (node.id.as_str(), opened.plan.name.as_str());
        let run = match &self.run {
            Some(run) => Some(past::named(&opened.store, run, Some(pipeline))?),
            None => past::last_run_of(&opened.store, pipeline, name)?,
        };
        let past = run.as_ref().and_then(|run| run.nodes.get(name));
        let mut text = match &run {
            Some(run) => node_log(&opened.store, &run.head.run, name)?,
            None => String::new(),
        };
        // What a fresh node printed when it ran is in its record, and so is what a log that was removed had.
        let key = past.and_then(|node| node.key).or_else(|| opened.store.last_key_of(pipeline, name));
        let key = key.filter(|_| text.is_empty());
        let record = key.and_then(|key| opened.store.record_head(&key).ok().flatten());
        record.iter().flat_map(|record| &record.log).for_each(|line| text.extend([line.as_str(), "\n"]));
        if let Some(job) = past.and_then(|node| node.job.as_ref()) {
            text.push_str(&printed(job, text.is_empty()));
        }
        let failure = past.and_then(|node| node.failure.as_ref());
        if output.json() {
            let run = run.as_ref().map(|run| run.head.run.as_str());
            let lines: Vec<&str> = text.lines().collect();
            output.value(&json!({ "node": name, "run": run, "lines": lines, "error": failure }));
            return Ok(Exit::Ok);
        }
        if let Some(failure) = failure {
            let _ = writeln!(text, "{} {failure}", output.paint.tone(Tone::Bad, "failed:"));
        }
        if text.is_empty() {
            output.note(&format!("{name} printed nothing{}", if run.is_none() { ": it never ran" } else { "" }));
        }
        output.data(&text);
        Ok(Exit::Ok)
    }
}

/// What the job of a node printed besides its log.
fn printed(job: &PastJob, alone: bool) -> String {
    let bytes = fs_err::read(&job.output).unwrap_or_default();
    let output = String::from_utf8_lossy(&bytes);
    match (output.trim().is_empty(), alone) {
        (true, _) => String::new(),
        (false, true) => output.into_owned(),
        (false, false) => format!("printed by job {}:\n{output}", job.job),
    }
}
