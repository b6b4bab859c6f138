//! Past runs and the one that is going on, read from the journals of a store. Reading takes no lock and disturbs nobody.
//!
//! A run is named by its id, by the beginning of its id if only one begins so, by a tag (the latest run with it), or as
//! `last`, `last~1`, `last~2`: the latest, the one before it, and so on.

use crate::error::NodeFailure;
use crate::reason::StaleReason;
use pddflow_cache::{Key, KeyUse, Store, StoreError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, UNIX_EPOCH};

/// Older runs are not looked at to learn what is in use.
const MOST_RUNS_FOR_USE: usize = 500;

/// A run as its journal tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// Its id.
    pub id: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The pipeline file as it was given.
    pub file: String,
    /// The pipeline's parameters.
    pub params: Map<String, Value>,
    /// The axes of its sweep with their values, if it was one.
    pub sweep: Vec<(String, Vec<Value>)>,
    /// Names that the user gave it.
    pub tags: Vec<String>,
    /// When it began: milliseconds since 1970, UTC.
    pub unix_milliseconds: u64,
    /// Nodes of the plan.
    pub planned: usize,
    /// How it ended, or that it has not.
    pub state: RunState,
    /// Nodes so far: fresh, ran, failed, skipped.
    pub counts: [usize; 4],
    /// Seconds from its beginning to the last that is known of it.
    pub seconds: f64,
    /// What is known of each node.
    pub nodes: BTreeMap<String, PastNode>,
    /// What it warned of that was about no node.
    pub warnings: Vec<String>,
}

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It is going on.
    Running,
    /// Every node has its result.
    Succeeded,
    /// A node failed.
    Failed,
    /// It was asked to stop.
    Stopped,
    /// Its process ended without a word.
    Killed,
}

/// A node of a past run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PastNode {
    /// Where it is.
    pub state: PastState,
    /// Its key, once known.
    pub key: Option<Key>,
    /// Seconds since the run's beginning at which it began.
    pub began: f64,
    /// How long it ran, if it did to its end.
    pub seconds: Option<f64>,
    /// Final metrics, if it ran; those of a fresh node are in its record.
    pub metrics: BTreeMap<String, f64>,
    /// Why it ran.
    pub reasons: Vec<StaleReason>,
    /// What it said, with warnings.
    pub log: Vec<String>,
    /// Why it failed.
    pub failure: Option<NodeFailure>,
    /// The last that is known of how far it is: done, of all, unit.
    pub progress: Option<(u64, u64, String)>,
}

/// Where a node of a past run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PastState {
    /// Its result was there.
    Fresh,
    /// It began; in a run that is over, it did not end.
    #[default]
    Begun,
    /// It ran.
    Ran,
    /// It failed.
    Failed,
    /// It was not run, or was stopped.
    Skipped,
}

impl RunState {
    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
        }
    }
}

impl PastState {
    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Begun => "begun",
            Self::Ran => "ran",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The run with this id; none if there is none, or if its journal does not say what run it is of.
///
/// # Errors
/// The journal is there but cannot be read.
pub fn past_run(store: &Store, id: &str) -> Result<Option<PastRun>, StoreError> {
    // Asked before reading: a run that ends in between is then read to its end and no victim of a kill.
    let running = store.is_running(id);
    let Some(journal) = store.read_journal(id)? else { return Ok(None) };
    let lines = journal.lines.iter().filter_map(|line| serde_json::from_str(line).ok());
    let mut run = None;
    for line in lines {
        follow(id, &mut run, &line);
    }
    if let Some(run) = &mut run
        && run.state == RunState::Killed
    {
        count(run);
        if running {
            run.state = RunState::Running;
        }
    }
    Ok(run)
}

/// Ids of all runs, the latest first.
///
/// # Errors
/// The folder is there but cannot be read.
pub fn run_ids(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut ids = store.runs()?;
    ids.sort_by_cached_key(|id| std::cmp::Reverse(began(id)));
    Ok(ids)
}

/// The run that a name means; see the module's text. `pipeline`, if given, is the name of the only pipeline whose runs
/// are meant.
///
/// # Errors
/// A journal cannot be read.
pub fn named_run(store: &Store, name: &str, pipeline: Option<&str>) -> Result<Option<PastRun>, StoreError> {
    let ids = run_ids(store)?;
    let ours = |run: &PastRun| pipeline.is_none_or(|pipeline| run.pipeline == pipeline);
    let back = match name.strip_prefix("last") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('~').and_then(|number| number.parse::<usize>().ok()),
        None => None,
    };
    let mut begin = ids.iter().filter(|id| id.starts_with(name));
    if let (Some(id), None) = (begin.next(), begin.next()) {
        return past_run(store, id);
    }
    let mut met = 0;
    for id in &ids {
        let Some(run) = begun_run(store, id)?.filter(ours) else { continue };
        if run.id == name || run.tags.iter().any(|tag| tag == name) || back == Some(met) {
            return past_run(store, id);
        }
        met += 1;
    }
    Ok(None)
}

/// What the first line of a run's journal says: all but how it went.
fn begun_run(store: &Store, id: &str) -> Result<Option<PastRun>, StoreError> {
    let line = store.first_line(id)?.and_then(|line| serde_json::from_str(&line).ok());
    let mut run = None;
    line.iter().for_each(|line| follow(id, &mut run, line));
    // A journal that begins otherwise is damaged; its run is known by what follows.
    run.map_or_else(|| past_run(store, id), |run| Ok(Some(run)))
}

/// Which records runs used and when, for collecting a store. Those of the last `keep` runs of each pipeline are to be
/// kept, and those of runs that are going on.
///
/// # Errors
/// A journal cannot be read.
pub fn used_keys(store: &Store, keep: usize) -> Result<HashMap<Key, KeyUse>, StoreError> {
    let mut used: HashMap<Key, KeyUse> = HashMap::new();
    let mut runs: HashMap<String, usize> = HashMap::new();
    for id in run_ids(store)?.iter().take(MOST_RUNS_FOR_USE) {
        let Some(run) = past_run(store, id)? else { continue };
        let met = runs.entry(run.pipeline.clone()).or_default();
        let kept = *met < keep || run.state == RunState::Running;
        *met += 1;
        let last = Duration::from_millis(run.unix_milliseconds).saturating_add(seconds(run.seconds));
        // A moment that no clock can say is not believed.
        let last = UNIX_EPOCH.checked_add(last).unwrap_or(UNIX_EPOCH);
        for key in run.nodes.values().filter_map(|node| node.key) {
            let one = used.entry(key).or_insert(KeyUse { last, kept });
            *one = KeyUse { last: one.last.max(last), kept: one.kept || kept };
        }
    }
    Ok(used)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// The moment in an id made by the runner; other ids come last.
fn began(id: &str) -> (u64, String) {
    let moment = id.strip_prefix('r').and_then(|rest| rest.split('-').next()).and_then(|text| text.parse().ok());
    (moment.unwrap_or(0), id.to_owned())
}

fn follow(id: &str, run: &mut Option<PastRun>, line: &Value) {
    let Some(run) = run else {
        *run = (line["event"] == "run_started").then(|| started(id, line));
        return;
    };
    run.seconds = line["at"].as_f64().unwrap_or(run.seconds).max(run.seconds);
    match (line["event"].as_str(), line["node"].as_str()) {
        (Some("run_finished"), _) => finished(run, line),
        (Some("warning"), None) => run.warnings.extend(line["text"].as_str().map(str::to_owned)),
        (Some(event), Some(node)) => {
            let at = run.seconds;
            let node = run.nodes.entry(node.to_owned()).or_default();
            follow_node(node, event, line, at);
        }
        _ => {}
    }
}

fn started(id: &str, line: &Value) -> PastRun {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    PastRun {
        id: id.to_owned(),
        pipeline: text("pipeline"),
        file: text("file"),
        params: line["params"].as_object().cloned().unwrap_or_default(),
        sweep: read(&line["sweep"]).unwrap_or_default(),
        tags: read(&line["tags"]).unwrap_or_default(),
        unix_milliseconds: line["unix_milliseconds"].as_u64().unwrap_or_default(),
        planned: read(&line["nodes"]).unwrap_or_default(),
        state: RunState::Killed,
        counts: [0; 4],
        seconds: 0.0,
        nodes: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

fn finished(run: &mut PastRun, line: &Value) {
    let number = |name: &str| read(&line[name]).unwrap_or_default();
    run.counts = ["fresh", "ran", "failed", "skipped"].map(number);
    run.seconds = line["seconds"].as_f64().unwrap_or(run.seconds);
    run.state = match (line["cancelled"].as_bool(), run.counts) {
        (Some(true), _) => RunState::Stopped,
        (_, [_, _, 0, 0]) => RunState::Succeeded,
        _ => RunState::Failed,
    };
}

fn follow_node(node: &mut PastNode, event: &str, line: &Value, at: f64) {
    if let Some(key) = read(&line["key"]) {
        node.key = Some(key);
    }
    match event {
        "node_fresh" => node.state = PastState::Fresh,
        "node_started" => {
            (node.state, node.began) = (PastState::Begun, at);
            node.reasons = read(&line["reasons"]).unwrap_or_default();
        }
        "node_finished" => {
            node.state = PastState::Ran;
            node.seconds = line["seconds"].as_f64();
            node.metrics = metrics(&line["metrics"]);
        }
        "node_failed" => {
            node.state = PastState::Failed;
            node.failure = read(&line["error"]);
        }
        "node_skipped" => node.state = PastState::Skipped,
        "log" => node.log.extend(line["text"].as_str().map(str::to_owned)),
        "warning" => node.log.extend(line["text"].as_str().map(|text| format!("warning: {text}"))),
        "progress" => {
            let number = |name: &str| line[name].as_u64().unwrap_or_default();
            let unit = line["unit"].as_str().unwrap_or_default().to_owned();
            node.progress = Some((number("done"), number("total"), unit));
        }
        _ => {}
    }
}

/// Counts what has come to an end in a run without a last line, which would say it.
fn count(run: &mut PastRun) {
    let states = [PastState::Fresh, PastState::Ran, PastState::Failed, PastState::Skipped];
    run.counts = [0; 4];
    for node in run.nodes.values() {
        if let Some(at) = states.iter().position(|state| *state == node.state) {
            run.counts[at] += 1;
        }
    }
}

/// Numbers that are not finite are null in a journal, and left out.
fn metrics(value: &Value) -> BTreeMap<String, f64> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}
