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
//! | a stop is asked for | nothing starts; running nodes write a checkpoint and return |
//! | an input is damaged or gone | its maker runs again, at most [`repair::MOST_REPAIRS`] times, then the reader |
//! | another process computes the key | the node waits, others go on; then its result is taken, or it runs |
//! | the journal cannot be written | a warning |
//! | the worker panics inside a kind | the node fails |

mod claim;
mod finish;
mod partial;
mod repair;
mod retry;

use crate::cancel::Cancel;
use crate::desk::{Assessed, Desk, Found};
use crate::error::{NodeError, NodeFailure, RunError};
use crate::event::RunEvent;
use crate::graph::{Graph, Ready};
use crate::kinds::Kinds;
use crate::reason::StaleReason;
use crate::resources::{Reserved, Shares};
use crate::settings::Settings;
use crate::summary::{Outcome, Summary};
use crate::teller::Teller;
use crate::worker::{Done, Job, Message, Shared, Workers};
use crossbeam_channel::{Receiver, bounded};
use pddflow_cache::{JournalWriter, Key, RecordHead, Store, StoreErrorKind};
use pddflow_pipeline::Plan;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Messages of workers that may wait; more make them wait instead of filling memory.
const MOST_MESSAGES: usize = 512;
/// Nodes that the queue is looked through for one whose resources are free.
const MOST_HELD: usize = 256;

/// Carries out a plan: runs what is stale, at most `settings.jobs` nodes at the same time, and tells every event on
/// the calling thread. Nodes that fail make no error here; see [`Summary::succeeded`].
///
/// # Errors
/// The run cannot take place at all: no jobs allowed, no thread to be had, an id that cannot be used, a plan that is
/// not in order.
pub fn run(
    plan: &Plan,
    kinds: &dyn Kinds,
    store: &dyn Store,
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
    let mut teller = Teller::new(events, journal);
    teller.tell(RunEvent::RunStarted {
        run: id.clone(),
        pipeline: plan.name.clone(),
        file: plan.file.to_string_lossy().into_owned(),
        params: plan.params.clone(),
        tags: settings.tags.clone(),
        nodes: plan.nodes.len(),
        jobs: settings.jobs,
        unix_milliseconds: unix_milliseconds(),
    });
    warning.into_iter().for_each(|text| teller.warn(text));
    let shared = Shared { kinds, store, settings, cancel };
    let desk = Desk::new(plan, kinds, store).with_partial_inputs(settings.partial_inputs);
    std::thread::scope(|scope| {
        let (sender, messages) = bounded(MOST_MESSAGES);
        let workers = Workers::new(scope, shared, sender);
        let execution = Execution::new(plan, shared, (desk, graph), teller, (workers, messages));
        execution.carry_out(id)
    })
}

/// The journal, or why there is none although one was asked for.
type Opened = (Option<Box<dyn JournalWriter>>, Option<String>);

fn open_journal(store: &dyn Store, settings: &Settings, run: &str) -> Result<Opened, RunError> {
    if !settings.journal {
        return Ok((None, None));
    }
    match store.journal(run) {
        Ok(journal) => Ok((Some(journal), None)),
        Err(source) if *source.kind() == StoreErrorKind::InvalidName => {
            Err(RunError::InvalidRunId { run: run.to_owned(), source })
        }
        Err(error) => Ok((None, Some(format!("this run has no journal: {}", NodeError::from(error).to_failure())))),
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

fn not_selected(node: &str) -> NodeFailure {
    NodeError::new("pddflow::runner::not_selected", format!("`{node}` is needed, has no result, and was not selected"))
        .with_help("run it first, select it too, or use `--until`, which also runs all that is needed")
        .to_failure()
}

/// Where a node is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// In the queue, or the twin of a node that is in the queue or running.
    Ready,
    Running,
    Done(Outcome),
}

/// What is known of a node during a run.
struct Node {
    stage: Stage,
    /// How many nodes directly before it have no result yet.
    missing: usize,
    failure: Option<NodeFailure>,
    /// Why it runs although its record may be there.
    forced: Option<Vec<StaleReason>>,
    repairs: u8,
    /// Failures that were followed by another attempt.
    attempts: u32,
    /// The moments at which it last began to run and last got its result; later moments are larger.
    began: u64,
    ended: u64,
}

struct Execution<'scope, 'env> {
    plan: &'env Plan,
    shared: Shared<'env>,
    desk: Desk<'env>,
    graph: Graph,
    /// Expected time from each node to the end, by which the queue is ordered.
    paths: Vec<u64>,
    shares: Shares,
    teller: Teller<'env>,
    workers: Workers<'scope, 'env>,
    messages: Receiver<Message>,
    nodes: Vec<Node>,
    /// The results so far. While a node runs again, its earlier record stays here.
    records: Vec<Option<Arc<RecordHead>>>,
    to_assess: BTreeSet<usize>,
    ready: Ready,
    jobs: HashMap<usize, (Job<'env>, Vec<StaleReason>)>,
    /// Keys on their way, with the nodes that wait for another node to make them.
    twins: HashMap<Key, Vec<usize>>,
    /// Results of this run, which the desk cannot know.
    made: HashMap<Key, Arc<RecordHead>>,
    /// By node that runs again: those that wait for it.
    waiting_again: HashMap<usize, Vec<usize>>,
    /// Nodes that wait, or waited, for another process; and those of them to ask for again.
    elsewhere: BTreeSet<usize>,
    polled: Vec<usize>,
    /// Nodes that failed and wait for their next attempt.
    sleeping: BinaryHeap<Reverse<(Instant, usize, Key)>>,
    first_failed: Option<usize>,
    moment: u64,
    to_remember: Vec<(usize, Key)>,
}

impl<'scope, 'env> Execution<'scope, 'env> {
    fn new(
        plan: &'env Plan,
        shared: Shared<'env>,
        (desk, graph): (Desk<'env>, Graph),
        teller: Teller<'env>,
        (workers, messages): (Workers<'scope, 'env>, Receiver<Message>),
    ) -> Self {
        let count = plan.nodes.len();
        let node = |missing| Node {
            stage: Stage::Waiting,
            missing,
            failure: None,
            forced: None,
            repairs: 0,
            attempts: 0,
            began: 0,
            ended: 0,
        };
        Self {
            plan,
            shared,
            shares: Shares::new(&shared.settings.capacity, &plan.pools),
            sleeping: BinaryHeap::new(),
            paths: graph.critical_paths(|at| desk.last_seconds(at)),
            nodes: graph.before.iter().map(|before| node(before.len())).collect(),
            records: vec![None; count],
            to_assess: (0..count).filter(|at| graph.before[*at].is_empty()).collect(),
            desk,
            graph,
            teller,
            workers,
            messages,
            ready: Ready::default(),
            jobs: HashMap::new(),
            twins: HashMap::new(),
            made: HashMap::new(),
            waiting_again: HashMap::new(),
            elsewhere: BTreeSet::new(),
            polled: Vec::new(),
            first_failed: None,
            moment: 0,
            to_remember: Vec::new(),
        }
    }

    fn carry_out(mut self, id: String) -> Result<Summary, RunError> {
        self.pass_warnings_on();
        loop {
            while let Some(at) = self.to_assess.pop_first() {
                self.assess(at);
            }
            self.wake();
            self.start_ready()?;
            if !self.to_assess.is_empty() {
                continue;
            }
            if self.workers.busy() == 0 && (self.nap().is_none() || self.is_stopping()) {
                break;
            }
            self.hear();
            self.ask_again();
        }
        Ok(self.finish(id))
    }

    /// Waits for messages and handles them until a node is done or none is left.
    fn hear(&mut self) {
        let mut next = self.messages.try_recv().ok();
        if next.is_none() {
            // There is time to write, now that nothing waits.
            self.remember();
            self.teller.flush();
            // Cannot be cut off: `workers` holds a sender.
            next = match self.nap() {
                Some(nap) => self.messages.recv_timeout(nap).ok(),
                None => self.messages.recv().ok(),
            };
        }
        while let Some(message) = next {
            match message {
                Message::Event(event) => self.teller.tell(event),
                // What comes next starts now, however much other nodes have to say.
                Message::Done(done) => return self.done(*done),
            }
            next = self.messages.try_recv().ok();
        }
    }

    /// A node whose inputs are known: fresh, the twin of another, or ready to run.
    fn assess(&mut self, at: usize) {
        if self.nodes[at].stage != Stage::Waiting || self.nodes[at].missing > 0 {
            return;
        }
        if self.lacks_a_port(at) {
            return;
        }
        let assessed = match self.desk.assess(at, &self.records) {
            Ok(assessed) => assessed,
            Err(failure) => return self.fail(at, failure),
        };
        if self.nodes[at].forced.is_none() {
            if let Some(record) = self.made.get(&assessed.key).cloned() {
                return self.complete(at, record, Outcome::Fresh);
            }
            if let Found::Whole(record) = &assessed.found {
                return self.complete(at, Arc::clone(record), Outcome::Fresh);
            }
        }
        if self.plan.nodes[at].settings.only_if_fresh {
            return self.fail(at, not_selected(self.plan.nodes[at].id.as_str()));
        }
        if let Some(twins) = self.twins.get_mut(&assessed.key) {
            twins.push(at);
            self.nodes[at].stage = Stage::Ready;
            return;
        }
        if let Err(error) = self.queue(at, &assessed) {
            self.fail(at, error.to_failure());
        }
    }

    fn queue(&mut self, at: usize, assessed: &Assessed) -> Result<(), NodeError> {
        let forced = self.nodes[at].forced.clone();
        let reasons = forced.unwrap_or_else(|| self.desk.reasons(at, assessed, &self.records));
        let (key, parts) = (assessed.key, self.desk.parts(at, &self.records));
        let inputs = self.desk.inputs(at, &self.records)?;
        let node = &self.plan.nodes[at];
        let lineage = self.desk.lineage(at, &self.records);
        let job = Job { at, node, key, parts, inputs, lineage, used: self.desk.used(at).to_vec(), claim: None };
        self.jobs.insert(at, (job, reasons));
        self.twins.insert(key, Vec::new());
        self.push_ready(at);
        self.nodes[at].stage = Stage::Ready;
        Ok(())
    }

    fn start_ready(&mut self) -> Result<(), RunError> {
        let (mut reserved, mut held) = (Reserved::default(), Vec::new());
        while self.workers.has_room() && !self.is_stopping() && held.len() < MOST_HELD {
            let Some(at) = self.ready.pop() else { break };
            let Some(key) = self.jobs.get(&at).map(|(job, _)| job.key) else { continue };
            if !self.shares.take(&self.plan.nodes[at].settings.resources, &mut reserved) {
                held.push(at);
                continue;
            }
            let Some(claim) = self.claim(at, key) else {
                self.shares.give_back(&self.plan.nodes[at].settings.resources);
                continue;
            };
            let Some((mut job, reasons)) = self.jobs.remove(&at) else { continue };
            job.claim = claim;
            self.nodes[at].stage = Stage::Running;
            self.nodes[at].began = self.next_moment();
            let node = job.node.id.clone();
            self.teller.tell(RunEvent::NodeStarted { node, key: job.key, reasons });
            self.workers.start(job)?;
        }
        held.into_iter().for_each(|at| self.push_ready(at));
        Ok(())
    }

    fn push_ready(&mut self, at: usize) {
        self.ready.push(self.plan.nodes[at].settings.priority, self.paths[at], at);
    }

    fn is_stopping(&self) -> bool {
        let failed = self.first_failed.is_some() && !self.shared.settings.keep_going;
        failed || self.shared.cancel.requested()
    }

    fn done(&mut self, done: Done) {
        self.workers.ended();
        self.pass_warnings_on();
        let Done { at, key, result, lost } = done;
        self.shares.give_back(&self.plan.nodes[at].settings.resources);
        match result {
            Ok(record) => {
                let record = Arc::new(record);
                self.made.insert(key, Arc::clone(&record));
                self.complete(at, Arc::clone(&record), Outcome::Ran);
                for twin in self.twins.remove(&key).unwrap_or_default() {
                    self.complete(twin, Arc::clone(&record), Outcome::Fresh);
                }
            }
            Err(unfinished) if unfinished.cancelled && self.shared.cancel.requested() => self.stopped(at, key),
            Err(unfinished) if self.repair(at, &lost) => self.release(at, key, &unfinished.failure),
            Err(unfinished) if self.try_again(at, key, &unfinished.failure) => {}
            Err(unfinished) => {
                let twins = self.twins.remove(&key).unwrap_or_default();
                for at in std::iter::once(at).chain(twins) {
                    self.fail(at, unfinished.failure.clone());
                }
            }
        }
    }

    /// A node has its result: those after it come closer.
    fn complete(&mut self, at: usize, record: Arc<RecordHead>, outcome: Outcome) {
        self.tell_result(at, &record, outcome);
        if self.desk.last_key(at) != Some(record.key) {
            self.to_remember.push((at, record.key));
        }
        let earlier = self.records[at].replace(record);
        self.warn_if_different(at, earlier.as_deref());
        let moment = self.next_moment();
        let node = &mut self.nodes[at];
        node.stage = Stage::Done(outcome);
        node.forced = None;
        node.ended = moment;
        let after = self.waiting_again.remove(&at).unwrap_or_else(|| self.graph.after[at].clone());
        for down in after {
            let node = &mut self.nodes[down];
            node.missing = node.missing.saturating_sub(1);
            if node.missing == 0 && node.stage == Stage::Waiting {
                self.to_assess.insert(down);
            }
        }
    }

    fn tell_result(&mut self, at: usize, record: &Arc<RecordHead>, outcome: Outcome) {
        let node = self.plan.nodes[at].id.clone();
        self.teller.tell(match outcome {
            Outcome::Ran => RunEvent::NodeFinished {
                node,
                key: record.key,
                seconds: record.seconds,
                outputs: record.outputs.clone().into_iter().collect(),
                metrics: record.metrics.clone(),
            },
            _ => RunEvent::NodeFresh { node, record: Arc::clone(record) },
        });
    }

    fn fail(&mut self, at: usize, failure: NodeFailure) {
        let node = self.plan.nodes[at].id.clone();
        self.teller.tell(RunEvent::NodeFailed { node, error: failure.clone() });
        self.nodes[at].stage = Stage::Done(Outcome::Failed);
        self.nodes[at].failure = Some(failure);
        if self.plan.nodes[at].settings.allow_failure {
            let text = format!("`{}` may fail: the run goes on without it", self.plan.nodes[at].id);
            self.teller.warn(text);
        } else {
            self.first_failed.get_or_insert(at);
        }
        self.go_on_without(at);
    }

    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    fn pass_warnings_on(&mut self) {
        for text in self.shared.store.take_warnings() {
            self.teller.warn(text);
        }
    }
}
