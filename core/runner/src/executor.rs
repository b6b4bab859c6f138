//! [`Executor`]: who carries out nodes that are ready. Threads of this process are one ([`crate::threads`]), a cluster is
//! another; what schedules nodes knows neither.

use crate::error::{NodeError, RunError};
use crate::event::RunEvent;
use crate::work_format::Work;
use crossbeam_channel::{Sender, bounded};
use pddflow_cache::{Digest, LockGuard, RecordHead};
use pddflow_pipeline::{PlanNode, Resources};

/// Carries out nodes. Every job that it takes it answers once with [`Reports::done`].
pub trait Executor {
    /// Whether it takes one more job now.
    fn room(&self) -> bool;

    /// Whether a job begins to compute as soon as it is taken; if not, [`Reports::began`] says when.
    fn begins_at_once(&self) -> bool {
        false
    }

    /// Takes a job; only asked when there is room. The job may begin at once or wait for others like it.
    ///
    /// # Errors
    /// No job can be carried out at all: the run ends. Must not wait for anything that reports.
    fn start(&mut self, job: Job) -> Result<(), RunError>;

    /// One of its jobs has been answered, and what follows from that is known.
    fn answered(&mut self) {}

    /// No more work is ready for now: what is held back to be submitted together is submitted.
    fn flush(&mut self);

    /// Whether all jobs that it has go on without this process.
    fn settled(&self) -> bool {
        false
    }

    /// The run is to end. Later calls are never milder.
    fn stop(&mut self, how: Stop);
}

/// How a run ends early, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// A node failed: what has not begun is given back as [`NodeError::cancelled`], what runs may end.
    Waiting,
    /// As `Waiting`; what runs writes a checkpoint and is given back too.
    Checkpoint,
    /// Everything is given back at once.
    Now,
}

/// Makes an executor for those nodes of a run that do not stay with the threads of this process.
pub trait ExecutorFactory: Sync {
    /// Whether a node is for this executor.
    fn takes(&self, node: &PlanNode) -> bool;

    /// The executor for a run.
    ///
    /// # Errors
    /// There can be none: the run does not take place.
    fn open(&self, run: &str, reports: Reports) -> Result<Box<dyn Executor + '_>, RunError>;
}

/// A node to compute, as an executor gets it.
pub struct Job {
    /// The node's place in the plan, by which answers name it.
    pub at: usize,
    /// What to compute.
    pub work: Work,
    /// What it needs while it runs.
    pub resources: Resources,
    /// Numbers of the graphics processors of this machine that are the node's while it runs.
    pub gpus: Vec<u32>,
    /// Failures of the node so far in this run.
    pub failures: u32,
    /// Tells other processes that the key is being computed; to be dropped once the record is stored.
    pub lock: Option<LockGuard>,
}

/// How a job ended.
pub struct Ended {
    /// Its record, which the store has, or why there is none; [`NodeError::cancelled`] if the node may run another time.
    pub result: Result<RecordHead, NodeError>,
    /// Artifacts that could not be read.
    pub lost: Vec<Digest>,
}

/// What executors say.
pub(crate) enum Message {
    Event(RunEvent),
    /// Asks for an answer once the events so far are written.
    Flush(Sender<()>),
    /// The job of the node at this place began.
    Began(usize),
    Done(usize, Box<Ended>),
}

/// The way from an executor back to the run. Nothing here fails: after the end of the run nobody listens.
#[derive(Clone)]
pub struct Reports(pub(crate) Sender<Message>);

impl Reports {
    /// Passes an event on; one that must be written before what comes next waits for that.
    pub fn event(&self, event: RunEvent) {
        let urgent = matches!(event, RunEvent::NodeInPlugin { .. });
        if self.0.send(Message::Event(event)).is_ok() && urgent {
            let (written, answer) = bounded(1);
            if self.0.send(Message::Flush(written)).is_ok() {
                let _ = answer.recv();
            }
        }
    }

    /// The job of the node at this place of the plan has begun to compute. Saying so again is fine.
    pub fn began(&self, at: usize) {
        let _ = self.0.send(Message::Began(at));
    }

    /// The job has ended. Whether anybody listened.
    pub fn done(&self, at: usize, ended: Ended) -> bool {
        self.0.send(Message::Done(at, Box::new(ended))).is_ok()
    }
}
