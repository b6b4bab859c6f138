//! `pddflow logs`: what a node printed when it ran.

use crate::args::NodeArgs;
use crate::exit::Exit;
use crate::freshness::first_of;
use crate::opened::Opened;
use crate::output::{Output, one_or_all};
use crate::past::{self, Latest};
use crate::problem::Problem;
use pddflow_pipeline::NodeId;
use pddflow_report::{Tone, count};
use pddflow_runner::{PastJob, PastRun, PastState, RunState, node_log};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  pddflow logs pipelines/quickstart.yaml 'distill[ipc=10]'
  pddflow logs pipelines/quickstart.yaml 'distill[ipc=10]' -f   while it runs
  pddflow logs pipelines/quickstart.yaml distill                all nodes of a family
  pddflow logs pipelines/quickstart.yaml table --run last~1";

/// How often a log that is followed is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(300);

/// Print the log of a node
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    target: NodeArgs,
    /// The run [default: the last one in which the node ran]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Go on printing what the node prints until it ends; waits for a node of a run that goes on
    #[arg(long, short)]
    follow: bool,
}

/// What there is of the log of a node.
struct NodeLog {
    run: Option<PastRun>,
    text: String,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.target.pipeline, &self.target.place)?;
        let nodes = opened.nodes(&self.target.node)?;
        if self.follow {
            return match nodes.as_slice() {
                [node] => self.follow(&opened, node.id.as_str(), output),
                several => {
                    let names: Vec<&NodeId> = several.iter().map(|node| &node.id).collect();
                    let message = format!("`{}` means {}", self.target.node, count(several.len(), "node"));
                    Err(Problem::usage("one_node", message).with_help(format!("follow one of {}", first_of(&names))))
                }
            };
        }
        let mut values = Vec::new();
        for node in &nodes {
            let name = node.id.as_str();
            let NodeLog { run, mut text } = self.log_of(&opened, name)?;
            let past = run.as_ref().and_then(|run| run.nodes.get(name));
            if let Some(job) = past.and_then(|node| node.job.as_ref()) {
                text.push_str(&printed(job, text.is_empty()));
            }
            let failure = past.and_then(|node| node.failure.as_ref());
            if output.json() {
                let run = run.as_ref().map(|run| run.head.run.as_str());
                let lines: Vec<&str> = text.lines().collect();
                values.push(json!({ "node": name, "run": run, "lines": lines, "error": failure }));
                continue;
            }
            if let Some(failure) = failure {
                let _ = writeln!(text, "{} {failure}", output.paint.tone(Tone::Bad, "failed:"));
            }
            if text.is_empty() {
                output.note(&format!("{name} printed nothing{}", if run.is_none() { ": it never ran" } else { "" }));
            } else if nodes.len() > 1 {
                text = format!("{}\n{text}", output.paint.tone(Tone::Strong, &format!("==> {name}")));
            }
            output.data(&text);
        }
        if output.json() {
            output.value(&one_or_all(values));
        }
        Ok(Exit::Ok)
    }

    fn log_of(&self, opened: &Opened, name: &str) -> Result<NodeLog, Problem> {
        let pipeline = opened.plan.name.as_str();
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
        Ok(NodeLog { run, text })
    }

    /// Prints what is there and what comes, until the node or its run ends.
    fn follow(&self, opened: &Opened, name: &str, output: &Output) -> Result<Exit, Problem> {
        let (store, pipeline) = (&opened.store, opened.plan.name.as_str());
        let living = Latest::find(store, 1, |head| head.pipeline == pipeline && store.is_running(&head.run))?.ids.pop();
        let id = match &self.run {
            Some(run) => Some(past::named(store, run, Some(pipeline))?.head.run),
            None => living.or(past::last_run_of(store, pipeline, name)?.map(|run| run.head.run)),
        };
        let Some(id) = id else {
            output.note(&format!("{name} printed nothing: it never ran"));
            return Ok(Exit::Ok);
        };
        let mut printed = 0;
        loop {
            // Asked before the log is read, so that nothing that came before the end is missed.
            let run = past::named(store, &id, None)?;
            let node = run.nodes.get(name);
            let goes_on = run.state == RunState::Running
                && node.is_none_or(|node| {
                    matches!(node.state, PastState::Waiting | PastState::Queued | PastState::Running)
                });
            let text = node_log(store, &id, name)?;
            let new = text.get(printed..).unwrap_or_default();
            printed = text.len();
            if output.json() && !new.is_empty() {
                output.line(&json!({ "node": name, "run": id, "lines": new.lines().collect::<Vec<_>>() }));
            } else {
                output.data(new);
            }
            if !goes_on {
                if let Some(failure) = node.and_then(|node| node.failure.as_ref()).filter(|_| !output.json()) {
                    output.data(&format!("{} {failure}\n", output.paint.tone(Tone::Bad, "failed:")));
                }
                return Ok(Exit::Ok);
            }
            std::thread::sleep(FOLLOW_INTERVAL);
        }
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
