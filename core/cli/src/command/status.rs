//! `pddflow status`: the state of a run and of its nodes.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::past::{self, Latest};
use crate::problem::Problem;
use crate::remaining;
use pddflow_cache::Store;
use pddflow_report::{Paint, TimeLeft, Tone, array_name, array_words, count, number, seconds};
use pddflow_runner::{ArrayProgress, PastNode, PastRun, PastState, Resumed, RunState, run_ids};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// So many of the latest runs are looked through for one that is going on: older ones have ended.
const MOST_LIVING: usize = 50;

/// More arrays of jobs than this are only counted.
const MOST_ARRAYS: usize = 20;

/// How often `--watch` looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  pddflow status               the current run, or else the last one
  pddflow status --watch       again every second, until the run ends
  pddflow status last~2 --json";

/// Show the state of a run and of its nodes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The run: its id or a prefix of it, a tag, `last`, `last~1` and so on [default: the current runs, or else the last
    /// one]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Show the state again and again until no run that is shown goes on; with `--json` a line each time
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let mut found = match &self.run {
            Some(name) => vec![past::named(&store, name, None)?],
            None => living_or_last(&store)?,
        };
        loop {
            self.show(&store, &found, output);
            if !self.watch || !found.iter().any(|run| run.state == RunState::Running) {
                return Ok(Exit::Ok);
            }
            std::thread::sleep(WATCH_INTERVAL);
            let ids = found.iter().map(|run| run.head.run.clone()).collect();
            found = Latest { ids, unreadable: 0 }.read(&store)?;
        }
    }

    fn show(&self, store: &Store, found: &[PastRun], output: &Output) {
        if output.json() {
            let value = |run: &PastRun| {
                let mut value = past::as_json(run);
                let nodes: Vec<Value> = run.nodes.iter().map(|(name, node)| node_json(name, node)).collect();
                value["per_node"] = Value::Array(nodes);
                value["arrays"] = run.arrays.all().iter().map(|array| array_json(run, array)).collect();
                value["seconds_left"] = json!(remaining::of_run(store, run).map(|left| left.seconds));
                value
            };
            let value = json!({ "runs": found.iter().map(value).collect::<Vec<_>>() });
            if self.watch {
                output.line(&value);
            } else {
                output.value(&value);
            }
            return;
        }
        let mut text = String::new();
        if found.is_empty() {
            let _ = writeln!(text, "no runs in {}", store.root().display());
        }
        for run in found {
            text.push_str(&status_text(run, remaining::of_run(store, run), output.paint));
        }
        if self.watch { output.screen(&text) } else { output.data(&text) }
    }
}

fn living_or_last(store: &Store) -> Result<Vec<PastRun>, Problem> {
    let ids = run_ids(store)?;
    let living = ids.into_iter().take(MOST_LIVING).filter(|id| store.is_running(id)).collect();
    let living = Latest { ids: living, unreadable: 0 }.read(store)?;
    if living.is_empty() { Latest::find(store, 1, |_| true)?.read(store) } else { Ok(living) }
}

fn status_text(run: &PastRun, left: Option<TimeLeft>, paint: Paint) -> String {
    let state = paint.tone(past::tone(run.state), run.state.word());
    let how = match run.state {
        RunState::Running => {
            let left = left.map(|left| format!(", {left}")).unwrap_or_default();
            format!("is {state}, for {}{left}", seconds(run.seconds))
        }
        RunState::Killed => format!("was {state} after {}", seconds(run.seconds)),
        RunState::Succeeded => format!("{state} in {}", seconds(run.seconds)),
        RunState::Failed | RunState::Stopped | RunState::Detached => format!("{state} after {}", seconds(run.seconds)),
    };
    let pipeline = paint.tone(Tone::Strong, &run.head.pipeline);
    let mut text = format!("{pipeline} {how}, started {}\nrun      {}", past::when(run), run.head.run);
    if !run.head.tags.is_empty() {
        let _ = write!(text, " ({})", run.head.tags.join(", "));
    }
    let _ = writeln!(text, "\nnodes    {} of {}", counted(run), run.head.nodes);
    text.push_str(&arrays_text(run, paint));
    for (name, node) in &run.nodes {
        if let Some(words) = node_words(run, node) {
            let word = paint.tone(node_tone(node.state), &format!("{:<9}", node_word(run, node)));
            let _ = writeln!(text, "{}", format!("{word}{name}  {words}").trim_end());
        }
    }
    for warning in &run.warnings {
        let _ = writeln!(text, "{}{warning}", paint.tone(Tone::Warn, "warning  "));
    }
    text
}

/// The arrays of jobs of a run that goes on.
fn arrays_text(run: &PastRun, paint: Paint) -> String {
    let mut text = String::new();
    if run.state != RunState::Running {
        return text;
    }
    let going_on = || run.arrays.all().iter().filter(|array| array.goes_on());
    for array in going_on().take(MOST_ARRAYS) {
        let name = paint.tone(Tone::Strong, &array_name(array));
        let _ = writeln!(text, "array    {name}  {}", array_words(array, run.seconds));
    }
    let more = going_on().skip(MOST_ARRAYS).count();
    if more > 0 {
        let _ = writeln!(text, "and {} more", count(more, "array"));
    }
    text
}

/// How many nodes came to an end, and of a run that goes on how many run.
fn counted(run: &PastRun) -> String {
    let running = run.nodes.values().filter(|node| node.state == PastState::Running).count();
    let words = past::counted(run);
    match (run.state, running) {
        (RunState::Running, 1..) => format!("{words}, {running} running"),
        _ => words,
    }
}

fn node_word(run: &PastRun, node: &PastNode) -> &'static str {
    match (node.state, run.state) {
        (PastState::Running, RunState::Running) => "running",
        (PastState::Queued | PastState::Running, RunState::Detached) => "left",
        (PastState::Running, _) => "cut off",
        (state, _) => state.word(),
    }
}

/// What is worth saying of a node; nothing of one that was fresh.
fn node_words(run: &PastRun, node: &PastNode) -> Option<String> {
    let mut words = match node.state {
        PastState::Fresh | PastState::Skipped => return None,
        PastState::Waiting if run.state != RunState::Running => return None,
        PastState::Waiting => match &node.failure {
            Some(failure) => vec![format!("for its next attempt: {failure}")],
            None => vec!["for another run that computes it".to_owned()],
        },
        PastState::Queued if run.state != RunState::Running => return past::job_words(node),
        PastState::Queued => Vec::new(),
        PastState::Running if run.state == RunState::Detached => Vec::new(),
        PastState::Running => vec![format!("for {}", seconds(run.seconds - node.began))],
        PastState::Ran => node.seconds.map(seconds).into_iter().collect(),
        PastState::Failed => node.failure.iter().map(ToString::to_string).collect(),
    };
    if node.state == PastState::Running {
        words.extend(node.progress.iter().map(|(done, total, unit)| format!("{done}/{total} {unit}")));
        words
            .extend(node.plugins.iter().filter(|_| run.state == RunState::Killed).map(|plugin| format!("in {plugin}")));
    }
    words.extend(past::job_words(node));
    words.extend(node.resumed.iter().map(|from| match from {
        Resumed::Checkpoint => "continued from its checkpoint".to_owned(),
        Resumed::Shorter { parameter, reached, wanted } => format!("continued from {reached} of {wanted} {parameter}"),
    }));
    words.extend(node.metrics.iter().map(|(name, value)| format!("{name} {}", number(*value))));
    Some(words.join(", "))
}

fn node_json(name: &str, node: &PastNode) -> Value {
    let progress = node.progress.as_ref();
    let progress = progress.map(|(done, total, unit)| json!({ "done": done, "total": total, "unit": unit }));
    json!({
        "node": name, "state": node.state.word(), "key": node.key, "began": node.began, "seconds": node.seconds,
        "metrics": node.metrics, "reasons": node.reasons, "resumed": node.resumed, "plugins": node.plugins,
        "warnings": node.warnings, "error": node.failure, "progress": progress, "job": node.job.as_ref().map(past::job_json),
    })
}

fn array_json(run: &PastRun, array: &ArrayProgress) -> Value {
    let ArrayProgress { batch, job, families, queued, running, finished, failed, .. } = array;
    let per_minute = array.rate(run.seconds).map(|rate| 60.0 * rate);
    json!({
        "id": job, "batch": batch, "families": families, "queued": queued, "running": running, "finished": finished,
        "failed": failed, "per_minute": per_minute, "seconds_left": array.left(run.seconds),
    })
}

fn node_tone(state: PastState) -> Tone {
    match state {
        PastState::Fresh | PastState::Skipped | PastState::Waiting | PastState::Queued => Tone::Faint,
        PastState::Running => Tone::Busy,
        PastState::Ran => Tone::Good,
        PastState::Failed => Tone::Bad,
    }
}
