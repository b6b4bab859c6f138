//! Past runs for commands: which one is meant, and when it was.

use crate::problem::Problem;
use pddflow_cache::Store;
use pddflow_report::{Tone, count};
use pddflow_runner::{PastNode, PastRun, PastState, RunState, named_run, run_ids};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The run that a name means.
pub(crate) fn named(store: &Store, name: &str, pipeline: Option<&str>) -> Result<PastRun, Problem> {
    named_run(store, name, pipeline)?.ok_or_else(|| {
        let problem = Problem::usage("unknown_run", format!("there is no run `{name}` in {}", store.root().display()));
        problem.with_help("`pddflow runs` lists them; a run is named by its id, a tag, `last` or `last~N`")
    })
}

/// The latest runs that `wanted` accepts, the latest first.
pub(crate) fn latest(store: &Store, most: usize, wanted: impl Fn(&PastRun) -> bool) -> Result<Vec<PastRun>, Problem> {
    let mut found = Vec::new();
    for id in run_ids(store)? {
        if found.len() >= most {
            break;
        }
        found.extend(pddflow_runner::past_run(store, &id)?.filter(&wanted));
    }
    Ok(found)
}

/// The moment at which a run began, in the user's time zone.
pub(crate) fn when(run: &PastRun) -> String {
    let moment = i64::try_from(run.unix_milliseconds).ok().and_then(chrono::DateTime::from_timestamp_millis);
    moment
        .map_or_else(String::new, |moment| moment.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The metrics of a node, also of one that was fresh: those are in its record.
pub(crate) fn metrics(store: &Store, node: &PastNode) -> BTreeMap<String, f64> {
    if node.state != PastState::Fresh {
        return node.metrics.clone();
    }
    let record = node.key.and_then(|key| store.record_head(&key).ok().flatten());
    record.map(|record| record.metrics).unwrap_or_default()
}

pub(crate) fn as_json(run: &PastRun) -> Value {
    let [fresh, ran, failed, skipped] = run.counts;
    json!({
        "run": run.id, "pipeline": run.pipeline, "file": run.file, "params": run.params, "tags": run.tags,
        "unix_milliseconds": run.unix_milliseconds, "state": run.state.word(), "seconds": run.seconds,
        "nodes": run.planned, "fresh": fresh, "ran": ran, "failed": failed, "skipped": skipped,
        "warnings": run.warnings,
    })
}

/// How many of its nodes ended in which way.
pub(crate) fn counted(run: &PastRun) -> String {
    let words = ["fresh", "ran", "failed", "skipped"];
    let counts = run.counts.iter().zip(words).filter(|(number, _)| **number > 0);
    let words: Vec<String> = counts.map(|(number, word)| format!("{number} {word}")).collect();
    if words.is_empty() { count(0, "node") } else { words.join(", ") }
}

/// The colour of its state.
pub(crate) fn tone(state: RunState) -> Tone {
    match state {
        RunState::Running => Tone::Busy,
        RunState::Succeeded => Tone::Good,
        RunState::Failed | RunState::Killed => Tone::Bad,
        RunState::Stopped => Tone::Warn,
    }
}
