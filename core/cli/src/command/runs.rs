//! `pddflow runs`: past runs, the latest first.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::past;
use crate::problem::Problem;
use pddflow_report::Tone;
use pddflow_runner::PastRun;
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
    /// Number of runs to show
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

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let wanted = |run: &PastRun| {
            self.tag.as_ref().is_none_or(|tag| run.tags.contains(tag))
                && self.pipeline.as_ref().is_none_or(|pipeline| run.pipeline == *pipeline)
        };
        let found = past::latest(&store, self.limit, wanted)?;
        if output.json() {
            output.value(&json!({ "runs": found.iter().map(past::as_json).collect::<Vec<_>>() }));
            return Ok(Exit::Ok);
        }
        let mut text = String::new();
        let width = found.iter().map(|run| run.pipeline.chars().count()).max().unwrap_or(0);
        for run in &found {
            let state = output.paint.tone(past::tone(run.state), &format!("{:<10}", run.state.word()));
            let line = format!(
                "{}  {:<width$}  {state}{:<32}  {}  {}",
                past::when(run),
                run.pipeline,
                past::counted(run),
                output.paint.tone(Tone::Faint, &run.id),
                run.tags.join(", ")
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if found.is_empty() {
            let _ = writeln!(text, "no runs in {}", store.root().display());
        }
        output.data(&text);
        Ok(Exit::Ok)
    }
}
