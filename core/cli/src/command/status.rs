//! `pddflow status`: the progress or the outcome of a run.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::past;
use crate::problem::Problem;
use pddflow_cache::Store;
use pddflow_report::{Paint, Tone, number, seconds};
use pddflow_runner::{PastNode, PastRun, PastState, RunState, past_run, run_ids};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// So many of the latest runs are looked through for one that is going on: older ones have ended.
const MOST_LIVING: usize = 50;

const EXAMPLES: &str = "\
Examples:
  pddflow status               the current run, or else the last one
  pddflow status last~2 --json";

/// Show the progress of a running run, or the outcome of a finished one
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The run: its id or a prefix of it, a tag, `last`, `last~1` and so on [default: the current runs, or else the last
    /// one]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let found = match &self.run {
            Some(name) => vec![past::named(&store, name, None)?],
            None => living_or_last(&store)?,
        };
        if output.json() {
            let value = |run: &PastRun| {
                let mut value = past::as_json(run);
                let nodes: Vec<Value> = run.nodes.iter().map(|(name, node)| node_json(name, node)).collect();
                value["per_node"] = Value::Array(nodes);
                value
            };
            output.value(&json!({ "runs": found.iter().map(value).collect::<Vec<_>>() }));
            return Ok(Exit::Ok);
        }
        if found.is_empty() {
            output.data(&format!("no runs in {}\n", store.root().display()));
        }
        found.iter().for_each(|run| output.data(&status_text(run, output.paint)));
        Ok(Exit::Ok)
    }
}

fn living_or_last(store: &Store) -> Result<Vec<PastRun>, Problem> {
    let ids = run_ids(store)?;
    let mut living = Vec::new();
    for id in ids.iter().take(MOST_LIVING).filter(|id| store.is_running(id)) {
        living.extend(past_run(store, id)?);
    }
    if living.is_empty() { past::latest(store, 1, |_| true) } else { Ok(living) }
}

fn status_text(run: &PastRun, paint: Paint) -> String {
    let mut text = format!(
        "{} {} {} for {}, since {}\nrun     {}",
        paint.tone(Tone::Strong, &run.pipeline),
        if run.state == RunState::Running { "is" } else { "has" },
        paint.tone(past::tone(run.state), run.state.word()),
        seconds(run.seconds),
        past::when(run),
        run.id,
    );
    if !run.tags.is_empty() {
        let _ = write!(text, " ({})", run.tags.join(", "));
    }
    let _ = writeln!(text, "\nnodes   {} of {}", past::counted(run), run.planned);
    for (name, node) in &run.nodes {
        if let Some(words) = node_words(run, node) {
            let word = paint.tone(state_tone(node.state), &format!("{:<8}", node_word(run, node)));
            let _ = writeln!(text, "{word}{name}  {words}");
        }
    }
    for warning in &run.warnings {
        let _ = writeln!(text, "{}{warning}", paint.tone(Tone::Warn, "warning "));
    }
    text
}

fn node_word(run: &PastRun, node: &PastNode) -> &'static str {
    match (node.state, run.state) {
        (PastState::Begun, RunState::Running) => "running",
        (PastState::Begun, _) => "cut off",
        (state, _) => state.word(),
    }
}

/// What is worth saying of a node; nothing of one that was fresh.
fn node_words(run: &PastRun, node: &PastNode) -> Option<String> {
    let mut words = match node.state {
        PastState::Fresh | PastState::Skipped => return None,
        PastState::Begun => vec![format!("for {}", seconds(run.seconds - node.began))],
        PastState::Ran => node.seconds.map(seconds).into_iter().collect(),
        PastState::Failed => node.failure.iter().map(ToString::to_string).collect(),
    };
    if let (PastState::Begun, Some((done, total, unit))) = (node.state, &node.progress) {
        words.push(format!("{done}/{total} {unit}"));
    }
    words.extend(node.metrics.iter().map(|(name, value)| format!("{name} {}", number(*value))));
    Some(words.join(", "))
}

fn node_json(name: &str, node: &PastNode) -> Value {
    let progress = node.progress.as_ref();
    let progress = progress.map(|(done, total, unit)| json!({ "done": done, "total": total, "unit": unit }));
    json!({
        "node": name, "state": node.state.word(), "key": node.key, "began": node.began, "seconds": node.seconds,
        "metrics": node.metrics, "reasons": node.reasons, "log": node.log, "error": node.failure,
        "progress": progress,
    })
}

fn state_tone(state: PastState) -> Tone {
    match state {
        PastState::Fresh | PastState::Skipped => Tone::Faint,
        PastState::Begun => Tone::Busy,
        PastState::Ran => Tone::Good,
        PastState::Failed => Tone::Bad,
    }
}
