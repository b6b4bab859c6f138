//! `pddflow runs`, `status` and `logs`: what past runs did, and what one that is going on is at.

use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::past;
use crate::place;
use crate::problem::Problem;
use crate::store_args::{LogsArgs, RunsArgs, StatusArgs, StoreArgs};
use pddflow_cache::Store;
use pddflow_report::{Paint, Tone, count, number, seconds};
use pddflow_runner::{PastNode, PastRun, PastState, RunState, past_run, run_ids};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// So many of the latest runs are looked through for one that is going on: older ones have ended.
const MOST_LIVING: usize = 50;

/// The store that a command without a pipeline is about.
pub(crate) fn open(args: &StoreArgs) -> Result<Store, Problem> {
    Ok(Store::open(&place::store_root(args.cache_dir.as_deref()))?)
}

pub(crate) fn runs(args: &RunsArgs, output: &Output) -> Result<Exit, Problem> {
    let store = open(&args.store)?;
    let wanted = |run: &PastRun| {
        args.tag.as_ref().is_none_or(|tag| run.tags.contains(tag))
            && args.pipeline.as_ref().is_none_or(|pipeline| run.pipeline == *pipeline)
    };
    let found = past::latest(&store, args.limit, wanted)?;
    if output.json() {
        output.value(&json!({ "runs": found.iter().map(past::as_json).collect::<Vec<_>>() }));
        return Ok(Exit::Ok);
    }
    let mut text = String::new();
    let width = found.iter().map(|run| run.pipeline.chars().count()).max().unwrap_or(0);
    for run in &found {
        let state = output.paint.tone(tone(run.state), &format!("{:<10}", run.state.word()));
        let line = format!(
            "{}  {:<width$}  {state}{:<32}  {}  {}",
            past::when(run),
            run.pipeline,
            counted(run),
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

pub(crate) fn status(args: &StatusArgs, output: &Output) -> Result<Exit, Problem> {
    let store = open(&args.store)?;
    let found = match &args.run {
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
        paint.tone(tone(run.state), run.state.word()),
        seconds(run.seconds),
        past::when(run),
        run.id,
    );
    if !run.tags.is_empty() {
        let _ = write!(text, " ({})", run.tags.join(", "));
    }
    let _ = writeln!(text, "\nnodes   {} of {}", counted(run), run.planned);
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

pub(crate) fn logs(args: &LogsArgs, output: &Output) -> Result<Exit, Problem> {
    let opened = Opened::new(&args.pipeline, &args.place)?;
    let (_, node) = opened.node(&args.node)?;
    let (name, pipeline) = (node.id.as_str(), opened.plan.name.as_str());
    let has_run = |run: &PastRun| {
        let node = run.nodes.get(name);
        node.is_some_and(|node| matches!(node.state, PastState::Ran | PastState::Failed | PastState::Begun))
    };
    let run = match &args.run {
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
        output.note(&format!("{name} said nothing{}", if run.is_none() { ": it never ran" } else { "" }));
    }
    output.data(&text);
    Ok(Exit::Ok)
}

fn counted(run: &PastRun) -> String {
    let words = ["fresh", "ran", "failed", "skipped"];
    let counts = run.counts.iter().zip(words).filter(|(number, _)| **number > 0);
    let words: Vec<String> = counts.map(|(number, word)| format!("{number} {word}")).collect();
    if words.is_empty() { count(0, "node") } else { words.join(", ") }
}

fn tone(state: RunState) -> Tone {
    match state {
        RunState::Running => Tone::Busy,
        RunState::Succeeded => Tone::Good,
        RunState::Failed | RunState::Killed => Tone::Bad,
        RunState::Stopped => Tone::Warn,
    }
}

fn state_tone(state: PastState) -> Tone {
    match state {
        PastState::Fresh | PastState::Skipped => Tone::Faint,
        PastState::Begun => Tone::Busy,
        PastState::Ran => Tone::Good,
        PastState::Failed => Tone::Bad,
    }
}
