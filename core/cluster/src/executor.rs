//! [`SlurmFactory`]: gives a run an executor whose nodes become jobs of Slurm.

use crate::batch::Batches;
use crate::head::{Head, Order, Shared};
use crate::options::Options;
use crossbeam_channel::{Sender, unbounded};
use pddflow_cache::Store;
use pddflow_pipeline::PlanNode;
use pddflow_runner::{Executor, ExecutorFactory, Job, Reports, RunError, Stop};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

/// Kinds whose nodes take less time than a job takes to begin; they stay with the head.
const SMALL: [&str; 7] = ["table", "figure", "filter", "classes", "images", "export", "rank"];

/// Whether nodes of a kind stay with the threads of the run.
pub(crate) fn stays(kind: &str, options: &Options) -> bool {
    SMALL.contains(&kind) || options.settings.head.iter().any(|head| head == kind)
}

/// Makes the executor of a run whose nodes become jobs of Slurm, small ones aside.
pub struct SlurmFactory {
    options: Options,
}

impl SlurmFactory {
    /// With these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }
}

impl ExecutorFactory for SlurmFactory {
    fn takes(&self, node: &PlanNode) -> bool {
        !stays(&node.kind, &self.options)
    }

    fn open(&self, run: &str, reports: Reports) -> Result<Box<dyn Executor + '_>, RunError> {
        let store = Store::open(&self.options.site.store).map_err(|error| RunError::NoExecutor(error.to_string()))?;
        let (orders, inbox) = unbounded();
        let shared = Arc::new(Shared::default());
        let batches = Batches::of(&self.options.site.store);
        self.options.invocation.keep(&batches, run);
        let head = Head::new(run, self.options.clone(), (store, batches), (reports, inbox), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("pddflow-slurm".to_owned()).spawn(move || head.carry_out());
        let thread = thread.map_err(RunError::NoWorker)?;
        Ok(Box::new(SlurmExecutor {
            orders: Some(orders),
            thread: Some(thread),
            shared,
            folder: self.options.invocation.folder.clone(),
        }))
    }
}

/// The near end of the thread that talks with Slurm: nothing here waits for an answer of Slurm.
struct SlurmExecutor {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// Where relative folders of works start.
    folder: PathBuf,
}

impl SlurmExecutor {
    fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }
}

impl Executor for SlurmExecutor {
    /// What exceeds the limits of the queue waits here.
    fn room(&self) -> bool {
        true
    }

    fn start(&mut self, mut job: Job) -> Result<(), RunError> {
        self.shared.unsettled.fetch_add(1, Ordering::AcqRel);
        let lost = || RunError::Internal("the thread that talks with Slurm is gone".to_owned());
        job.work = job.work.below(&self.folder);
        self.order(Order::Start(Box::new(job))).then_some(()).ok_or_else(lost)
    }

    /// Jobs wait a short time for others like them, also when no more come.
    fn flush(&mut self) {}

    fn stop(&mut self, how: Stop) {
        self.shared.stopping.store(true, Ordering::Release);
        self.order(Order::Stop(how));
    }

    fn settled(&self) -> bool {
        self.shared.unsettled.load(Ordering::Acquire) == 0
    }
}

impl Drop for SlurmExecutor {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
