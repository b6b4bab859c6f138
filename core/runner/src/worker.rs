//! Worker threads: each takes a node, runs it, stores its record, says how it went, and takes the next.
//!
//! They are plain threads and no rayon pool on purpose. A rayon call made on a thread of a pool runs on *that* pool;
//! tensor kernels called from here must reach the global one, or `jobs = 1` would leave them a single core.

use crate::cancel::Cancel;
use crate::context::NodeContext;
use crate::error::{NodeError, RunError};
use crate::event::RunEvent;
use crate::kinds::{Inputs, Kinds, Outputs, base_parts, panic_text};
use crate::lineage::Lineage;
use crate::settings::Settings;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use pddflow_cache::{Digest, Key, KeyPart, LockGuard, Record, RecordHead, Store};
use pddflow_pipeline::PlanNode;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Scope;
use std::time::Instant;

/// Address space, used only as far as a node's recursion goes.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// The length of each artifact of a node.
type Lengths = BTreeMap<String, u64>;

/// What workers say.
pub(crate) enum Message {
    Event(RunEvent),
    /// Asks for an answer once the events so far are written.
    Flush(Sender<()>),
    Done(Box<Done>),
}

/// A node to run.
pub(crate) struct Job<'a> {
    pub(crate) at: usize,
    pub(crate) node: &'a PlanNode,
    pub(crate) key: Key,
    pub(crate) parts: Vec<KeyPart>,
    pub(crate) inputs: Inputs,
    pub(crate) lineage: Option<Lineage>,
    /// The outputs that others use.
    pub(crate) used: Vec<&'a str>,
    /// Tells other processes that the key is being computed; given back when the job is done.
    pub(crate) lock: Option<LockGuard>,
}

/// How a node went.
pub(crate) struct Done {
    pub(crate) at: usize,
    pub(crate) key: Key,
    pub(crate) result: Result<RecordHead, NodeError>,
    /// Artifacts that it could not read.
    pub(crate) lost: Vec<Digest>,
}

/// What all workers share.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) kinds: &'a dyn Kinds,
    pub(crate) store: &'a Store,
    pub(crate) settings: &'a Settings,
    pub(crate) cancel: &'a Cancel,
}

/// The worker threads of a run. They are started when first needed, so that a no-op run starts none, and end when
/// this is dropped.
pub(crate) struct Workers<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    shared: Shared<'env>,
    messages: Sender<Message>,
    jobs: Sender<Job<'env>>,
    waiting: Receiver<Job<'env>>,
    started: usize,
    most: usize,
    busy: usize,
}

impl<'scope, 'env> Workers<'scope, 'env> {
    pub(crate) fn new(scope: &'scope Scope<'scope, 'env>, shared: Shared<'env>, messages: Sender<Message>) -> Self {
        let (jobs, waiting) = unbounded();
        Self { scope, shared, messages, jobs, waiting, started: 0, most: shared.settings.jobs, busy: 0 }
    }

    pub(crate) fn busy(&self) -> usize {
        self.busy
    }

    pub(crate) fn has_room(&self) -> bool {
        self.busy < self.most
    }

    /// Gives a job to a worker. Call only when there is room.
    pub(crate) fn start(&mut self, job: Job<'env>) -> Result<(), RunError> {
        if self.busy == self.started {
            match self.spawn() {
                Ok(()) => self.started += 1,
                Err(error) if self.started == 0 => return Err(RunError::NoWorker(error)),
                // The system has no more threads to give: go on with those there are.
                Err(_) => self.most = self.started,
            }
        }
        self.busy += 1;
        self.jobs.send(job).map_err(|_| RunError::Internal("the workers are gone".to_owned()))
    }

    /// Notes that a worker is free again.
    pub(crate) fn ended(&mut self) {
        self.busy -= 1;
    }

    fn spawn(&self) -> std::io::Result<()> {
        let (shared, messages, waiting) = (self.shared, self.messages.clone(), self.waiting.clone());
        let work = move || {
            while let Ok(job) = waiting.recv() {
                let done = carry_out(shared, job, &messages);
                if messages.send(Message::Done(Box::new(done))).is_err() {
                    return;
                }
            }
        };
        let name = format!("pddflow-worker-{}", self.started + 1);
        std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn_scoped(self.scope, work).map(drop)
    }
}

fn carry_out(shared: Shared<'_>, job: Job<'_>, messages: &Sender<Message>) -> Done {
    let Shared { kinds, store, settings, cancel } = shared;
    let started = Instant::now();
    let (at, key, node) = (job.at, job.key, job.node);
    let tell = |event| tell(messages, event);
    let context = NodeContext::new(store, &node.id, key, cancel, settings.checkpoint_seconds, &tell)
        .with_timeout(node.settings.timeout)
        .with_lineage(job.lineage);
    let result = catch_unwind(AssertUnwindSafe(|| kinds.run(node, &job.inputs, &context)))
        .unwrap_or_else(|payload| Err(panicked(node, panic_text(payload.as_ref()))))
        .and_then(|outputs| check_outputs(&job, outputs, store))
        .and_then(|found| check_unchanged(&job, kinds).map(|()| found));
    let late = context.timed_out() && !cancel.requested();
    let result = result.map_err(|error| if late && error.cancelled { timed_out(node) } else { error });
    let (log, lost) = context.finish();
    let result = result.and_then(|(outputs, lengths)| {
        let head = RecordHead {
            key,
            outputs: outputs.artifacts.into_iter().collect(),
            lengths: lengths.into_iter().collect(),
            metrics: outputs.metrics,
            seconds: started.elapsed().as_secs_f64(),
            log,
            program: settings.program.clone(),
        };
        let record = Record { made_on: kinds.made_on(&job.parts), parts: job.parts, head };
        store.put_record(&record)?;
        Ok(record.head)
    });
    if result.is_ok()
        && let Err(error) = store.clear_checkpoint(&key)
    {
        let text = format!("an old checkpoint stays behind: {error}");
        tell(RunEvent::Warning { node: Some(node.id.clone()), text });
    }
    // Only now: whoever waits for the lock looks for the record next.
    drop(job.lock);
    Done { at, key, result, lost }
}

/// Passes an event on; one that must be written before what comes next waits for that. Fails only when the run itself has
/// been torn down; nobody is left to be told.
fn tell(messages: &Sender<Message>, event: RunEvent) {
    let urgent = matches!(event, RunEvent::NodeInPlugin { .. });
    if messages.send(Message::Event(event)).is_ok() && urgent {
        let (written, answer) = bounded(1);
        if messages.send(Message::Flush(written)).is_ok() {
            let _ = answer.recv();
        }
    }
}

fn panicked(node: &PlanNode, text: &str) -> NodeError {
    let message = format!("`{}` (kind `{}`) panicked: {text}", node.id, node.kind);
    let help = "this is a defect of the program or of a plugin, not of the pipeline; please report it";
    NodeError::new("pddflow::runner::panicked", message).with_help(help)
}

fn timed_out(node: &PlanNode) -> NodeError {
    let seconds = node.settings.timeout.unwrap_or_default().as_secs_f64();
    NodeError::new("pddflow::runner::timeout", format!("`{}` took longer than its timeout of {seconds} s", node.id))
        .with_help("its checkpoint is kept: run again to go on from there, or raise the node's `timeout`")
}

/// A kind's word is not enough: what it names must be in the store, and what others need must be named. Gives the length
/// of each artifact too.
fn check_outputs(job: &Job<'_>, outputs: Outputs, store: &Store) -> Result<(Outputs, Lengths), NodeError> {
    let kind = &job.node.kind;
    if let Some(missing) = job.used.iter().find(|output| !outputs.artifacts.contains_key(**output)) {
        return Err(NodeError::internal(format!("the kind `{kind}` did not give its output `{missing}`")));
    }
    let length = |(output, digest): (&String, &Digest)| {
        let missing = || format!("the kind `{kind}` did not store its output `{output}` (b3:{})", digest.short());
        Ok((output.clone(), store.length(digest).ok_or_else(|| NodeError::internal(missing()))?))
    };
    let lengths = outputs.artifacts.iter().map(length).collect::<Result<Lengths, NodeError>>()?;
    Ok((outputs, lengths))
}

/// The result belongs to the key only if nothing outside the store changed while the node ran.
fn check_unchanged(job: &Job<'_>, kinds: &dyn Kinds) -> Result<(), NodeError> {
    let now = base_parts(job.node, kinds)?;
    match now.iter().find(|part| !job.parts.contains(part)) {
        None => Ok(()),
        Some(part) => {
            let message = format!("`{}` of `{}` changed while the node ran", part.name, job.node.id);
            Err(NodeError::new("pddflow::runner::changed_while_running", message)
                .with_help("the result was not recorded; run again once the file or plugin is complete"))
        }
    }
}
