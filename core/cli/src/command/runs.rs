//! `pddflow runs`: past runs, the latest first.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::past::{self, Latest};
use crate::problem::Problem;
use pddflow_report::{Tone, count};
use pddflow_runner::RunHead;
use serde_json::json;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  pddflow runs
  pddflow runs --tag baseline --limit 5 --json";

/// List past runs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show at most this many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Only runs with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only runs of the pipeline with this name
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Names beyond this push the rest of their line to the right.
const MOST_COLUMNS: usize = 100;

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let wanted = |head: &RunHead| {
            self.tag.as_ref().is_none_or(|tag| head.tags.contains(tag))
                && self.pipeline.as_ref().is_none_or(|pipeline| head.pipeline == *pipeline)
        };
        let latest = Latest::find(&store, self.limit, wanted)?;
        let found = latest.outlines(&store)?;
        if output.json() {
            output.value(&json!({ "runs": found.iter().map(past::as_json).collect::<Vec<_>>() }));
            return Ok(Exit::Ok);
        }
        let mut text = String::new();
        let width = found.iter().map(|run| run.head.pipeline.chars().count()).max().unwrap_or(0).min(MOST_COLUMNS);
        for run in &found {
            let state = output.paint.tone(past::tone(run.state), &format!("{:<10}", run.state.word()));
            let line = format!(
                "{}  {:<width$}  {state}{:<32}  {}  {}",
                past::when(run),
                run.head.pipeline,
                past::counted(run),
                output.paint.tone(Tone::Faint, &run.head.run),
                run.head.tags.join(", ")
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if found.is_empty() {
            let _ = writeln!(text, "no runs in {}", store.root().display());
        }
        output.data(&text);
        if latest.unreadable > 0 {
            let number = count(latest.unreadable, "run");
            output.note(&format!("{number} of another version of pddflow, or with a damaged journal, not shown"));
        }
        Ok(Exit::Ok)
    }
}
