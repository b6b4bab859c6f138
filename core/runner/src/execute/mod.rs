//! [`run`]: carries out a plan.
//!
//! One thread, the caller's, owns all state and tells all events. It works through nodes as their inputs become known:
//!
//! ```text
//! waiting --all before have results--> assessed --record whole--> done (fresh)
//!                                         |---same key is on its way--> twin of that node, done with it
//!                                         `---else--> ready --worker free--> running --> done (ran) or failed
//! running --could not read an input--> waiting, and the node that made the input runs again
//! ```
//!
//! Which nodes are ready, their keys and their results do not depend on the number of workers or on timing; only the
//! order of what runs at the same time does.
//!
//! | event | what follows |
//! |---|---|
//! | a node with retries left fails | it waits for its time and runs again |
//! | a node fails | its descendants are skipped; without `keep_going` nothing else starts either; running nodes end |
//! | a node fails, `partial_inputs` | those after it that have other artifacts at the port go on without it |
//! | a node is long over its timeout | a warning: what does not react cannot be ended from outside |
//! | a stop is asked for | nothing starts; running nodes write a checkpoint and return |
//! | an input is damaged or gone | its maker runs again, at most [`repair::MOST_REPAIRS`] times, then the reader |
//! | another process computes the key | the node waits, others go on; then its result is taken, or it runs |
//! | the journal cannot be written | a warning |
//! | the worker panics inside a kind | the node fails |

mod elsewhere;
mod execution;
mod finish;
mod lock;
mod overdue;
mod partial;
mod repair;
mod retry;

use crate::cancel::Cancel;
use crate::error::{NodeError, RunError};
use crate::event::RunEvent;
use crate::event_log::EventLog;
use crate::executor::{Executor, ExecutorFactory, Reports};
use crate::freshness::FreshnessChecker;
use crate::graph::Graph;
use crate::journal_format::RunHead;
use crate::kinds::Kinds;
use crate::node_log::NodeLogs;
use crate::perform::Bench;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::summary::Summary;
use crate::threads::Threads;
use crossbeam_channel::bounded;
use execution::{Execution, Executors};
use pddflow_cache::{JournalWriter, Store, StoreErrorKind};
use pddflow_pipeline::Plan;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Messages of workers that may wait; more make them wait instead of filling memory.
const MOST_MESSAGES: usize = 512;

/// Carries out a plan: runs what is stale, at most `settings.jobs` nodes at the same time, and tells every event on
/// the calling thread. Nodes that fail make no error here; see [`Summary::succeeded`].
///
/// # Errors
/// The run cannot take place at all: no jobs allowed, no thread to be had, an id that cannot be used, a plan that is
/// not in order.
pub fn run(
    plan: &Plan,
    kinds: &dyn Kinds,
    store: &Store,
    settings: &Settings,
    cancel: &Cancel,
    events: &dyn Fn(RunEvent),
) -> Result<Summary, RunError> {
    run_on(plan, (kinds, None), store, settings, cancel, events)
}

/// As [`run`], with an executor for some of the nodes besides the threads of this process.
///
/// # Errors
/// As [`run`], and what the executor says.
pub fn run_on(
    plan: &Plan,
    (kinds, factory): (&dyn Kinds, Option<&dyn ExecutorFactory>),
    store: &Store,
    settings: &Settings,
    cancel: &Cancel,
    events: &dyn Fn(RunEvent),
) -> Result<Summary, RunError> {
    if settings.jobs == 0 {
        return Err(RunError::NoJobs);
    }
    let graph = Graph::of(plan)?;
    let id = settings.run.clone().unwrap_or_else(new_run_id);
    let (journal, warning) = open_journal(store, settings, &id)?;
    let mut log = EventLog::new(events, journal.map(|journal| (journal, NodeLogs::new(store, &id))));
    let began = unix_milliseconds();
    log.begin(RunHead::new(plan, &id, (&settings.program, &settings.tags), settings.jobs, began), plan);
    log.tell(RunEvent::RunStarted {
        run: id.clone(),
        pipeline: plan.name.clone(),
        file: plan.file.to_string_lossy().into_owned(),
        params: plan.params.clone(),
        tags: settings.tags.clone(),
        nodes: plan.nodes.len(),
        jobs: settings.jobs,
        unix_milliseconds: began,
    });
    warning.into_iter().for_each(|text| log.warn(text));
    let shared = Shared { kinds, store, settings, cancel };
    let checker = FreshnessChecker::new(plan, kinds, store).with_partial_inputs(settings.partial_inputs);
    std::thread::scope(|scope| {
        let (sender, messages) = bounded(MOST_MESSAGES);
        let reports = Reports(sender);
        let bench = Bench { kinds, store, cancel, program: &settings.program, gpus: &[] };
        let threads = Threads::new(scope, bench, reports.clone(), settings.jobs);
        let mut all: Vec<Box<dyn Executor + '_>> = vec![Box::new(threads)];
        all.extend(factory.map(|factory| factory.open(&id, reports)).transpose()?);
        let executors = Executors { all, factory, messages };
        let execution = Execution::new(plan, shared, (checker, graph), log, executors);
        execution.carry_out(id)
    })
}

/// The journal, or why there is none although one was asked for.
type Opened = (Option<JournalWriter>, Option<String>);

fn open_journal(store: &Store, settings: &Settings, run: &str) -> Result<Opened, RunError> {
    if !settings.journal {
        return Ok((None, None));
    }
    match store.journal(run) {
        Ok(journal) => Ok((Some(journal), None)),
        Err(source) if *source.kind() == StoreErrorKind::InvalidName => {
            Err(RunError::InvalidRunId { run: run.to_owned(), source })
        }
        Err(error) => Ok((None, Some(format!("this run has no journal: {}", NodeError::from(error))))),
    }
}

/// Sorts by time. An id is for people and never enters a key.
fn new_run_id() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("r{}-{}-{count}", unix_milliseconds(), std::process::id())
}

fn unix_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
