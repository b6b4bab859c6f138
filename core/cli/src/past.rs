//! Past runs for commands: which one is meant, when it was, and what became of it.

use crate::problem::Problem;
use pddflow_cache::Store;
use pddflow_report::{Samples, Tone, count};
use pddflow_runner::{
    HistoryError, JobState, PastJob, PastNode, PastRun, PastState, RunHead, RunState, named_run, past_run, run_head,
    run_ids, run_outline,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The run that a name means.
pub(crate) fn named(store: &Store, name: &str, pipeline: Option<&str>) -> Result<PastRun, Problem> {
    let run = match named_run(store, name, pipeline)? {
        Some(id) => past_run(store, &id)?,
        None => None,
    };
    run.ok_or_else(|| {
        let problem = Problem::usage("unknown_run", format!("there is no run `{name}` in {}", store.root().display()));
        problem.with_help("`pddflow runs` lists them; a run is named by its id, a tag, `last` or `last~N`")
    })
}

/// The latest runs of some kind.
pub(crate) struct Latest {
    /// Their ids, the latest first.
    pub(crate) ids: Vec<String>,
    /// How many runs were passed over because their journals cannot be read.
    pub(crate) unreadable: usize,
}

impl Latest {
    /// The latest runs whose first lines `wanted` accepts, at most `most`.
    pub(crate) fn find(store: &Store, most: usize, wanted: impl Fn(&RunHead) -> bool) -> Result<Self, Problem> {
        let mut latest = Self { ids: Vec::new(), unreadable: 0 };
        for id in run_ids(store)? {
            if latest.ids.len() >= most {
                break;
            }
            match run_head(store, &id) {
                Ok(Some(head)) if wanted(&head) => latest.ids.push(id),
                Ok(_) => {}
                Err(HistoryError::Store(error)) => return Err(error.into()),
                Err(_) => latest.unreadable += 1,
            }
        }
        Ok(latest)
    }

    /// The runs with their nodes.
    pub(crate) fn read(&self, store: &Store) -> Result<Vec<PastRun>, Problem> {
        self.each(|id| past_run(store, id))
    }

    /// The runs as lists show them: first and last lines only.
    pub(crate) fn outlines(&self, store: &Store) -> Result<Vec<PastRun>, Problem> {
        self.each(|id| run_outline(store, id))
    }

    fn each(&self, read: impl Fn(&str) -> Result<Option<PastRun>, HistoryError>) -> Result<Vec<PastRun>, Problem> {
        let runs: Result<Vec<_>, HistoryError> = self.ids.iter().filter_map(|id| read(id).transpose()).collect();
        Ok(runs?)
    }
}

/// What the last run of a pipeline was at, if its process ended without ending the run.
pub(crate) fn last_death(store: &Store, pipeline: &str) -> Option<String> {
    let id = Latest::find(store, 1, |head| head.pipeline == pipeline).ok()?.ids.pop()?;
    let run = run_outline(store, &id).ok()??;
    (run.state == RunState::Killed).then(|| death(&run))
}

/// The last run of a pipeline in which a node ran.
pub(crate) fn last_run_of(store: &Store, pipeline: &str, node: &str) -> Result<Option<PastRun>, Problem> {
    for id in Latest::find(store, usize::MAX, |head| head.pipeline == pipeline)?.ids {
        let Some(run) = past_run(store, &id)? else { continue };
        let state = run.nodes.get(node).map(|node| node.state);
        if matches!(state, Some(PastState::Ran | PastState::Failed | PastState::Running | PastState::Queued)) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// The job of a node on a cluster.
pub(crate) fn job_words(node: &PastNode) -> Option<String> {
    let PastJob { job, state, host, reason, jobs, .. } = node.job.as_ref()?;
    let place = match (state, host, reason) {
        (JobState::Running, Some(host), _) => format!(" on {host}"),
        (JobState::Queued, _, Some(reason)) => format!(" waits: {reason}"),
        _ => String::new(),
    };
    let before = if *jobs > 1 { format!(" (its job number {jobs})") } else { String::new() };
    Some(format!("job {job}{place}{before}"))
}

pub(crate) fn job_json(job: &PastJob) -> Value {
    let PastJob { job, state, host, reason, output, jobs } = job;
    json!({ "id": job, "state": state, "host": host, "reason": reason, "output": output, "jobs": jobs })
}

fn death(run: &PastRun) -> String {
    let (mut names, mut plugins) = (Vec::new(), Vec::new());
    for (name, node) in run.nodes.iter().filter(|(_, node)| node.state == PastState::Running) {
        names.push(format!("`{name}`"));
        plugins.extend(node.plugins.iter().map(String::as_str));
    }
    plugins.sort_unstable();
    plugins.dedup();
    let during = if names.is_empty() { String::new() } else { format!(" while {} ran", names.join(", ")) };
    let cause = match plugins.as_slice() {
        [] => "it was killed or out of memory".to_owned(),
        used => format!("a plugin ({}) ended the process, or it was killed or out of memory", used.join(", ")),
    };
    format!("the last run ({}) did not come to its end{during}: {cause}", run.head.run)
}

/// The moment at which a run began, in the user's time zone.
pub(crate) fn when(run: &PastRun) -> String {
    let moment = i64::try_from(run.head.unix_milliseconds).ok().and_then(chrono::DateTime::from_timestamp_millis);
    moment
        .map_or_else(String::new, |moment| moment.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The metrics of a node with a result; those of a fresh one are in its record.
pub(crate) fn metrics(store: &Store, node: &PastNode) -> BTreeMap<String, Samples> {
    let Some(key) = node.key else { return BTreeMap::new() };
    let metrics = match node.state {
        PastState::Ran => node.metrics.clone(),
        PastState::Fresh => store.record_head(&key).ok().flatten().map(|record| record.metrics).unwrap_or_default(),
        _ => BTreeMap::new(),
    };
    metrics.into_iter().map(|(name, value)| (name, Samples::one(key.to_string(), value))).collect()
}

pub(crate) fn as_json(run: &PastRun) -> Value {
    let (head, [fresh, ran, failed, skipped]) = (&run.head, run.counts);
    json!({
        "run": head.run, "pipeline": head.pipeline, "file": head.file, "params": head.params, "sweep": head.sweep,
        "tags": head.tags, "program": head.program, "unix_milliseconds": head.unix_milliseconds,
        "state": run.state.word(), "seconds": run.seconds, "nodes": head.nodes, "fresh": fresh, "ran": ran,
        "failed": failed, "skipped": skipped, "warnings": run.warnings,
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
        RunState::Stopped | RunState::Detached => Tone::Warn,
    }
}
