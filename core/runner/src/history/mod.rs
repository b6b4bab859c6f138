//! Past runs and those that are going on, read from the journals of a store. Reading takes no lock and disturbs nobody.
//!
//! A run is named by its id, by the beginning of its id if only one begins so, by a tag (the latest run with it), or as
//! `last`, `last~1`, `last~2`: the latest, the one before it, and so on.

mod past;

pub use past::{PastJob, PastNode, PastRun, PastState, RunState};

use crate::journal_format::{Entry, JournalLine, NoHead, RunHead, VERSION, read_head};
use pddflow_cache::{KeyUse, Store, StoreError, Uses};
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

/// Older runs are not looked at to learn what is in use.
const MOST_RUNS_FOR_USE: usize = 500;

/// Why a past run cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal was written by another version of the program.
    #[error("the journal of run {run} has format {found}; this program reads format {VERSION}")]
    Version {
        /// The run.
        run: String,
        /// Its format.
        found: u32,
    },
    /// The journal does not say what run it is of, or a line says what no line can say.
    #[error("the journal of run {run} is damaged at line {line}")]
    Damaged {
        /// The run.
        run: String,
        /// The line, from 1.
        line: usize,
    },
}

/// The run with this id; none if there is none, or if it was killed before its journal began.
///
/// # Errors
/// The journal is there but cannot be read.
pub fn past_run(store: &Store, id: &str) -> Result<Option<PastRun>, HistoryError> {
    // Asked before reading: a run that ends in between is then read to its end and does not look killed.
    let running = store.is_running(id);
    let Some(journal) = store.read_journal(id)? else { return Ok(None) };
    let Some(first) = journal.lines.first() else { return Ok(None) };
    let mut run = PastRun::new(head(id, first)?);
    for (at, line) in journal.lines.iter().enumerate().skip(1) {
        let damaged = |_| HistoryError::Damaged { run: id.to_owned(), line: at + 1 };
        run.follow(serde_json::from_str(line).map_err(damaged)?);
    }
    if run.state == RunState::Killed {
        run.without_end(running);
    }
    Ok(Some(run))
}

/// The first line of a run's journal, without reading the rest; none as for [`past_run`].
///
/// # Errors
/// As [`past_run`].
pub fn run_head(store: &Store, id: &str) -> Result<Option<RunHead>, HistoryError> {
    store.first_line(id)?.map(|line| head(id, &line)).transpose()
}

/// A run as lists show it. Of one that came to its end only the first and the last line are read, so that its nodes and
/// plan are left empty.
///
/// # Errors
/// As [`past_run`].
pub fn run_outline(store: &Store, id: &str) -> Result<Option<PastRun>, HistoryError> {
    let Some(head) = run_head(store, id)? else { return Ok(None) };
    let last = store.last_line(id)?.and_then(|line| serde_json::from_str(&line).ok());
    let Some(end @ JournalLine { entry: Entry::End(_), .. }) = last else { return past_run(store, id) };
    let mut run = PastRun::new(head);
    run.follow(end);
    Ok(Some(run))
}

fn head(id: &str, line: &str) -> Result<RunHead, HistoryError> {
    read_head(line).map_err(|error| match error {
        NoHead::Version(found) => HistoryError::Version { run: id.to_owned(), found },
        NoHead::Damaged => HistoryError::Damaged { run: id.to_owned(), line: 1 },
    })
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

/// The id of the run that a name means; see the module's text. `pipeline`, if given, is the name of the only pipeline
/// whose runs are meant. Runs whose journals cannot be read are found by their ids only.
///
/// # Errors
/// The store cannot be read.
pub fn named_run(store: &Store, name: &str, pipeline: Option<&str>) -> Result<Option<String>, StoreError> {
    let ids = run_ids(store)?;
    let mut begin = ids.iter().filter(|id| id.starts_with(name));
    if let (Some(id), None) = (begin.next(), begin.next()) {
        return Ok(Some(id.clone()));
    }
    let back = match name.strip_prefix("last") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('~').and_then(|number| number.parse::<usize>().ok()),
        None => None,
    };
    let mut met = 0;
    for id in ids {
        let Ok(Some(run)) = run_head(store, &id) else { continue };
        if pipeline.is_some_and(|pipeline| run.pipeline != pipeline) {
            continue;
        }
        if id == name || run.tags.iter().any(|tag| tag == name) || back == Some(met) {
            return Ok(Some(id));
        }
        met += 1;
    }
    Ok(None)
}

/// Which records runs used and when, for collecting a store. The last `keep` runs of each pipeline are to be kept with
/// what they used, and so are runs that are going on. A journal that cannot be read protects nothing.
///
/// # Errors
/// The store cannot be read.
pub fn uses(store: &Store, keep: usize) -> Result<Uses, StoreError> {
    let mut uses = Uses::default();
    let mut runs: HashMap<String, usize> = HashMap::new();
    for id in run_ids(store)?.iter().take(MOST_RUNS_FOR_USE) {
        let run = match past_run(store, id) {
            Ok(Some(run)) => run,
            Err(HistoryError::Store(error)) => return Err(error),
            _ => continue,
        };
        let met = runs.entry(run.head.pipeline.clone()).or_default();
        let kept = *met < keep || run.state == RunState::Running;
        *met += 1;
        if kept {
            uses.runs.insert(id.clone());
        }
        let last = Duration::from_millis(run.head.unix_milliseconds).saturating_add(seconds(run.seconds));
        // A moment that no clock can say is not believed.
        let last = UNIX_EPOCH.checked_add(last).unwrap_or(UNIX_EPOCH);
        for key in run.nodes.values().filter_map(|node| node.key) {
            let one = uses.keys.entry(key).or_insert(KeyUse { last, kept });
            *one = KeyUse { last: one.last.max(last), kept: one.kept || kept };
        }
    }
    Ok(uses)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// The moment in an id made by the runner; other ids come last.
fn began(id: &str) -> (u64, String) {
    let moment = id.strip_prefix('r').and_then(|rest| rest.split('-').next()).and_then(|text| text.parse().ok());
    (moment.unwrap_or(0), id.to_owned())
}
