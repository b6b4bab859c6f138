//! [`Execution`]: the state of a run, owned by one thread, and the way of a node through it.

use super::elsewhere::Elsewhere;
use crate::cancel::CancelLevel;
use crate::error::{NodeError, RunError};
use crate::event::RunEvent;
use crate::event_log::EventLog;
use crate::executor::{Ended, Executor, ExecutorFactory, Job, Message, Stop};
use crate::freshness::{Assessed, Found, FreshnessChecker};
use crate::graph::Graph;
use crate::queue::{Demand, ReadyQueue};
use crate::reason::StaleReason;
use crate::resources::{Reserved, Shares};
use crate::shared::Shared;
use crate::summary::{Outcome, Summary};
use crate::task::Task;
use crate::work_format::Work;
use crossbeam_channel::Receiver;
use pddflow_cache::{Key, LockGuard, RecordHead};
use pddflow_pipeline::{NodeId, Plan};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the keys of nodes are noted while a run goes on.
const REMEMBER_INTERVAL: Duration = Duration::from_secs(10);

fn not_selected(node: &str) -> NodeError {
    NodeError::new("pddflow::runner::not_selected", format!("`{node}` is needed, has no result, and was not selected"))
        .with_help("run it first, select it too, or use `--until`, which also runs all that is needed")
}

/// How long a run with an executor outside of this process may wait for messages before it looks whether it is to stop.
const LONGEST_WATCH: Duration = Duration::from_millis(100);

/// The executors of a run: the threads of this process, then perhaps another.
pub(super) struct Executors<'scope, 'env> {
    /// Dropped first, so that no executor that ends waits to be heard.
    pub(super) messages: Receiver<Message>,
    pub(super) all: Vec<Box<dyn Executor + 'scope>>,
    /// Says which nodes are for the other one.
    pub(super) factory: Option<&'env dyn ExecutorFactory>,
}

/// Where a node is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    /// In the queue, or the twin of a node that is in the queue or running.
    Ready,
    Running,
    Done(Outcome),
}

/// What is known of a node during a run.
pub(super) struct Node {
    pub(super) stage: Stage,
    /// How many nodes directly before it have no result yet.
    pub(super) missing: usize,
    pub(super) failure: Option<NodeError>,
    /// Why it runs although its record may be there.
    pub(super) forced: Option<Vec<StaleReason>>,
    pub(super) repairs: u8,
    /// Failures that were followed by another attempt.
    pub(super) attempts: u32,
    /// What it waits for and takes while it runs.
    pub(super) demand: Demand,
    /// Numbers of the graphics processors that it has while it runs.
    pub(super) gpus: Vec<u32>,
    /// Why it runs, until its executor says that it has begun.
    pub(super) reasons: Option<(Key, Vec<StaleReason>)>,
    /// The moments at which it last began to run and last got its result; later moments are larger.
    pub(super) began: u64,
    pub(super) ended: u64,
}

pub(super) struct Execution<'scope, 'env> {
    pub(super) plan: &'env Plan,
    pub(super) shared: Shared<'env>,
    pub(super) checker: FreshnessChecker<'env>,
    pub(super) graph: Graph,
    /// Expected time from each node to the end, by which the queue is ordered.
    pub(super) paths: Vec<u64>,
    pub(super) shares: Shares,
    pub(super) log: EventLog<'env>,
    pub(super) executors: Executors<'scope, 'env>,
    /// How executors were last asked to stop.
    pub(super) stopping: Option<Stop>,
    pub(super) nodes: Vec<Node>,
    /// The results so far. While a node runs again, its earlier record stays here.
    pub(super) records: Vec<Option<Arc<RecordHead>>>,
    pub(super) to_assess: BTreeSet<usize>,
    pub(super) ready: ReadyQueue,
    pub(super) jobs: HashMap<usize, (Work, Vec<StaleReason>)>,
    /// The keys that executors are computing, by the node that asked first.
    pub(super) keys: HashMap<usize, Key>,
    /// Keys on their way, with the nodes that wait for another node to make them.
    pub(super) twins: HashMap<Key, Vec<usize>>,
    /// Results of this run, which the checker cannot know.
    pub(super) made: HashMap<Key, Arc<RecordHead>>,
    /// By node that runs again: those that wait for it.
    pub(super) waiting_again: HashMap<usize, Vec<usize>>,
    pub(super) elsewhere: Elsewhere,
    /// Nodes that failed and wait for their next attempt.
    pub(super) sleeping: BinaryHeap<Reverse<(Instant, usize, Key)>>,
    /// When running nodes with a timeout are long over it, with the moment at which they began.
    pub(super) overdue: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    /// The plugin that a node called last.
    pub(super) plugins: HashMap<NodeId, String>,
    pub(super) first_failed: Option<usize>,
    pub(super) moment: u64,
    pub(super) to_remember: Vec<(usize, Key)>,
    pub(super) remembered: Instant,
}

impl<'scope, 'env> Execution<'scope, 'env> {
    pub(super) fn new(
        plan: &'env Plan,
        shared: Shared<'env>,
        (checker, graph): (FreshnessChecker<'env>, Graph),
        log: EventLog<'env>,
        executors: Executors<'scope, 'env>,
    ) -> Self {
        let count = plan.nodes.len();
        let node = |missing| Node {
            stage: Stage::Waiting,
            missing,
            failure: None,
            forced: None,
            repairs: 0,
            attempts: 0,
            demand: Demand::default(),
            gpus: Vec::new(),
            reasons: None,
            began: 0,
            ended: 0,
        };
        let mut nodes: Vec<Node> = graph.before.iter().map(|before| node(before.len())).collect();
        for at in &shared.settings.force {
            if let Some(node) = nodes.get_mut(*at) {
                node.forced = Some(vec![StaleReason::Forced]);
            }
        }
        Self {
            plan,
            shared,
            shares: Shares::new(&shared.settings.capacity, &plan.pools),
            sleeping: BinaryHeap::new(),
            paths: graph.critical_paths(|at| checker.last_seconds(at)),
            nodes,
            records: vec![None; count],
            to_assess: (0..count).filter(|at| graph.before[*at].is_empty()).collect(),
            checker,
            graph,
            log,
            executors,
            stopping: None,
            ready: ReadyQueue::default(),
            jobs: HashMap::new(),
            keys: HashMap::new(),
            twins: HashMap::new(),
            made: HashMap::new(),
            waiting_again: HashMap::new(),
            elsewhere: Elsewhere::default(),
            overdue: BinaryHeap::new(),
            plugins: HashMap::new(),
            first_failed: None,
            moment: 0,
            to_remember: Vec::new(),
            remembered: Instant::now(),
        }
    }

    pub(super) fn carry_out(mut self, id: String) -> Result<Summary, RunError> {
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
            if self.keys.is_empty() && (self.nap().is_none() || self.is_stopping()) {
                break;
            }
            if self.is_detached() {
                break;
            }
            self.pass_stop_on();
            self.hear();
            self.tell_overdue();
            self.ask_again();
        }
        Ok(self.finish(id))
    }

    /// Whether the run is detached: the remaining jobs go on without this process, and nodes that depend on them are deferred.
    fn is_detached(&self) -> bool {
        let elsewhere = |at: &usize| self.nodes[*at].demand.executor > 0;
        self.shared.settings.detach
            && !self.keys.is_empty()
            && self.keys.keys().all(elsewhere)
            && self.sleeping.is_empty()
            && self.executors.all.iter().skip(1).all(|executor| executor.settled())
    }

    /// Waits for messages and handles them until a node is done or none is left.
    fn hear(&mut self) {
        let mut next = self.executors.messages.try_recv().ok();
        if next.is_none() {
            // There is time to write, now that nothing waits.
            if self.remembered.elapsed() >= REMEMBER_INTERVAL {
                self.remember();
            }
            self.log.flush();
            // Cannot be cut off: `executors` hold senders.
            let overdue =
                self.overdue.peek().map(|Reverse((limit, ..))| limit.saturating_duration_since(Instant::now()));
            let watch = (self.executors.all.len() > 1).then_some(LONGEST_WATCH);
            next = match self.nap().into_iter().chain(overdue).chain(watch).min() {
                Some(nap) => self.executors.messages.recv_timeout(nap).ok(),
                None => self.executors.messages.recv().ok(),
            };
        }
        while let Some(message) = next {
            match message {
                Message::Event(event) => {
                    if let RunEvent::NodeInPlugin { node, plugin } = &event {
                        self.plugins.insert(node.clone(), plugin.clone());
                    }
                    self.log.tell(event);
                }
                Message::Flush(written) => {
                    self.log.flush();
                    let _ = written.send(());
                }
                // What comes next starts now, however much other nodes have to say.
                Message::Began(at) => self.begun(at),
                Message::Done(at, ended) => {
                    if let Some(executor) = self.executors.all.get_mut(self.nodes[at].demand.executor) {
                        executor.answered();
                    }
                    return self.done(at, *ended);
                }
            }
            next = self.executors.messages.try_recv().ok();
        }
    }

    /// A node whose inputs are known: fresh, the twin of another, or ready to run.
    pub(super) fn assess(&mut self, at: usize) {
        if self.nodes[at].stage != Stage::Waiting || self.nodes[at].missing > 0 {
            return;
        }
        if self.lacks_a_port(at) {
            return;
        }
        let assessed = match self.checker.assess(at, &self.records) {
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
            self.fail(at, error);
        }
    }

    fn queue(&mut self, at: usize, assessed: &Assessed) -> Result<(), NodeError> {
        let forced = self.nodes[at].forced.clone();
        let reasons = forced.unwrap_or_else(|| self.checker.reasons(at, assessed, &self.records));
        let mut work = self.checker.work(at, assessed.key, &self.records)?;
        // What it is asked to compute again it does not take from a stored state.
        if reasons.contains(&StaleReason::Forced) {
            work.growing = None;
        }
        // Too long for a duration is never.
        let interval = Duration::try_from_secs_f64(self.shared.settings.checkpoint_seconds.max(0.0));
        work.checkpoint_interval = interval.unwrap_or(Duration::MAX);
        work.again = self.nodes[at].forced.is_some();
        self.jobs.insert(at, (work, reasons));
        self.nodes[at].demand = self.demand(at);
        self.twins.insert(assessed.key, Vec::new());
        self.push_ready(at);
        self.nodes[at].stage = Stage::Ready;
        Ok(())
    }

    /// What a node waits for: what its `resources` say, with the memory and the graphics processors that its kind expects where they
    /// say nothing of it.
    /// What an executor outside of this process computes takes nothing of this machine; pools are for the whole run.
    fn demand(&self, at: usize) -> Demand {
        let node = &self.plan.nodes[at];
        let mut resources = node.settings.resources.clone();
        let elsewhere = self.executors.factory.is_some_and(|factory| factory.takes(node));
        if elsewhere {
            (resources.cpus, resources.memory_bytes, resources.gpus) = (0, 0, 0);
        } else {
            let expected = self.shared.kinds.expects(Task::of(node));
            if resources.memory_bytes == 0 {
                resources.memory_bytes = expected.memory_bytes;
            }
            if resources.gpus == 0 {
                resources.gpus = expected.gpus;
            }
        }
        Demand { executor: usize::from(elsewhere), resources }
    }

    fn start_ready(&mut self) -> Result<(), RunError> {
        let mut reserved = Reserved::default();
        self.ready.begin_round();
        while !self.is_stopping() {
            let (executors, shares) = (&self.executors.all, &mut self.shares);
            let has_room = |demand: &Demand| executors.get(demand.executor).is_some_and(|executor| executor.room());
            let mut gpus = Vec::new();
            let take = |demand: &Demand| {
                let given = has_room(demand).then(|| shares.take(&demand.resources, &mut reserved)).flatten();
                given.map(|given| gpus = given).is_some()
            };
            let Some(at) = self.ready.pop(take) else { break };
            self.nodes[at].gpus = gpus;
            let lock = match self.jobs.get(&at).map(|(work, _)| work.key) {
                Some(key) => self.lock(at, key),
                None => None,
            };
            let Some((lock, (work, reasons))) = lock.and_then(|lock| Some((lock, self.jobs.remove(&at)?))) else {
                self.give_back(at);
                continue;
            };
            self.start(at, work, reasons, lock)?;
        }
        self.executors.all.iter_mut().for_each(|executor| executor.flush());
        Ok(())
    }

    fn start(
        &mut self,
        at: usize,
        work: Work,
        reasons: Vec<StaleReason>,
        lock: Option<LockGuard>,
    ) -> Result<(), RunError> {
        self.nodes[at].stage = Stage::Running;
        self.nodes[at].began = self.next_moment();
        let executor = self.nodes[at].demand.executor;
        let lost = || RunError::Internal("a node has no executor".to_owned());
        let at_once = self.executors.all.get(executor).ok_or_else(lost)?.begins_at_once();
        self.nodes[at].reasons = Some((work.key, reasons));
        if at_once {
            self.watch_time(at);
            self.begun(at);
        } else {
            self.log.tell(RunEvent::NodeQueued { node: work.node.clone(), key: work.key });
        }
        let resources = self.plan.nodes[at].settings.resources.clone();
        let gpus = self.nodes[at].gpus.clone();
        let job = Job { at, work, resources, gpus, failures: self.nodes[at].attempts, lock };
        self.keys.insert(at, job.work.key);
        self.executors.all.get_mut(executor).ok_or_else(lost)?.start(job)
    }

    fn give_back(&mut self, at: usize) {
        let gpus = std::mem::take(&mut self.nodes[at].gpus);
        self.shares.give_back(&self.nodes[at].demand.resources, &gpus);
    }

    /// A node has begun to compute.
    fn begun(&mut self, at: usize) {
        if let Some((key, reasons)) = self.nodes[at].reasons.take() {
            let node = self.plan.nodes[at].id.clone();
            self.log.tell(RunEvent::NodeStarted { node, key, reasons });
        }
    }

    /// Tells executors once when the run is to end, and again when it is to end sooner.
    fn pass_stop_on(&mut self) {
        let how = match self.shared.cancel.level() {
            CancelLevel::None if self.is_stopping() => Stop::Waiting,
            CancelLevel::None => return,
            CancelLevel::Stop => Stop::Checkpoint,
            CancelLevel::Now => Stop::Now,
        };
        if self.stopping < Some(how) {
            self.stopping = Some(how);
            self.executors.all.iter_mut().for_each(|executor| executor.stop(how));
        }
    }

    /// Puts a node with a job into the queue.
    pub(super) fn push_ready(&mut self, at: usize) {
        self.ready.push(&self.nodes[at].demand, self.plan.nodes[at].settings.priority, self.paths[at], at);
    }

    pub(super) fn is_stopping(&self) -> bool {
        let failed = self.first_failed.is_some() && !self.shared.settings.keep_going;
        failed || self.shared.cancel.requested()
    }

    fn done(&mut self, at: usize, ended: Ended) {
        let Some(key) = self.keys.remove(&at) else { return };
        self.pass_warnings_on();
        let Ended { result, lost } = ended;
        self.give_back(at);
        let given_back = result.as_ref().is_err_and(|error| error.cancelled) && self.nodes[at].reasons.is_some();
        if !given_back {
            self.begun(at);
        }
        match result {
            Ok(record) => {
                let record = Arc::new(record);
                self.made.insert(key, Arc::clone(&record));
                self.complete(at, Arc::clone(&record), Outcome::Ran);
                for twin in self.twins.remove(&key).unwrap_or_default() {
                    self.complete(twin, Arc::clone(&record), Outcome::Fresh);
                }
            }
            Err(error) if error.cancelled && self.is_stopping() => self.stopped(at, key, !given_back),
            Err(error) if self.repair(at, &lost) => self.release(at, key, &error),
            Err(error) if self.try_again(at, key, &error) => {}
            Err(error) => {
                let twins = self.twins.remove(&key).unwrap_or_default();
                for at in std::iter::once(at).chain(twins) {
                    self.fail(at, error.clone());
                }
            }
        }
    }

    /// A node has its result: those after it come closer.
    pub(super) fn complete(&mut self, at: usize, record: Arc<RecordHead>, outcome: Outcome) {
        self.tell_result(at, &record, outcome);
        if self.checker.last_key(at) != Some(record.key) {
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
        self.log.tell(match outcome {
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

    pub(super) fn fail(&mut self, at: usize, failure: NodeError) {
        let node = self.plan.nodes[at].id.clone();
        self.log.tell(RunEvent::NodeFailed { node, error: failure.clone() });
        self.nodes[at].stage = Stage::Done(Outcome::Failed);
        self.nodes[at].failure = Some(failure);
        if self.plan.nodes[at].settings.allow_failure {
            let text = format!("`{}` may fail: the run goes on without it", self.plan.nodes[at].id);
            self.log.warn(text);
        } else {
            self.first_failed.get_or_insert(at);
        }
        self.go_on_without(at);
    }

    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    pub(super) fn pass_warnings_on(&mut self) {
        for text in self.shared.store.take_warnings() {
            self.log.warn(text);
        }
    }
}
