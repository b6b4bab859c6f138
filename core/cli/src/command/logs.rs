//! `pddflow logs`: the log of a node.

use crate::args::NodeArgs;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::past;
use crate::problem::Problem;
use pddflow_report::Tone;
use pddflow_runner::{PastRun, PastState};
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
        let has_run = |run: &PastRun| {
            let node = run.nodes.get(name);
            node.is_some_and(|node| matches!(node.state, PastState::Ran | PastState::Failed | PastState::Begun))
        };
        let run = match &self.run {
            Some(run) => Some(past::named(&opened.store, run, Some(pipeline))?),
            None => past::latest(&opened.store, 1, |run| run.pipeline == pipeline && has_run(run))?.into_iter().next(),
        };
        let past = run.as_ref().and_then(|run| run.nodes.get(name));
        let fresh = past.is_none_or(|node| node.state == PastState::Fresh);
        // What a fresh node said when it ran is in its record.
        let key = past.and_then(|node| node.key).or_else(|| opened.store.last_key_of(pipeline, name));
        let record = if fresh { key.and_then(|key| opened.store.record_head(&key).ok().flatten()) } else { None };
        let mut lines = past.map(|node| node.log.clone()).unwrap_or_default();
        lines.extend(record.into_iter().flat_map(|record| record.log));
        let failure = past.and_then(|node| node.failure.as_ref());
        if output.json() {
            let run = run.as_ref().map(|run| run.id.as_str());
            output.value(&json!({ "node": name, "run": run, "lines": lines, "error": failure }));
            return Ok(Exit::Ok);
        }
        let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if let Some(failure) = failure {
            let _ = writeln!(text, "{} {failure}", output.paint.tone(Tone::Bad, "failed:"));
        }
        if text.is_empty() {
            output.note(&format!("{name} has no log{}", if run.is_none() { ": it never ran" } else { "" }));
        }
        output.data(&text);
        Ok(Exit::Ok)
    }
}
