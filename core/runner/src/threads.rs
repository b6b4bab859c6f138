//! [`Threads`]: the executor of this process. Each thread takes a node, computes it, says how it went, and takes the next.
//!
//! They are plain threads and no rayon pool on purpose. A rayon call made on a thread of a pool runs on *that* pool;
//! tensor kernels called from here must reach the global one, or `jobs = 1` would leave them a single core.

use crate::error::RunError;
use crate::executor::{Executor, Job, Reports, Stop};
use crate::perform::{Bench, perform};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::thread::Scope;

/// Address space, used only as far as a node's recursion goes.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// The worker threads of a run. They are started when first needed, so that a no-op run starts none, and end when
/// this is dropped.
pub(crate) struct Threads<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    bench: Bench<'env>,
    reports: Reports,
    jobs: Sender<Job>,
    waiting: Receiver<Job>,
    started: usize,
    most: usize,
    /// Jobs that were taken and not answered.
    busy: usize,
}

impl<'scope, 'env> Threads<'scope, 'env> {
    pub(crate) fn new(scope: &'scope Scope<'scope, 'env>, bench: Bench<'env>, reports: Reports, most: usize) -> Self {
        let (jobs, waiting) = unbounded();
        Self { scope, bench, reports, jobs, waiting, started: 0, most, busy: 0 }
    }

    fn spawn(&self) -> std::io::Result<()> {
        let (bench, reports, waiting) = (self.bench, self.reports.clone(), self.waiting.clone());
        let work = move || {
            while let Ok(Job { at, work, gpus, lock, .. }) = waiting.recv() {
                let (ended, _) = perform(&work, Bench { gpus: &gpus, ..bench }, &|event| reports.event(event));
                // Only now: whoever waits for the lock looks for the record next.
                drop(lock);
                if !reports.done(at, ended) {
                    return;
                }
            }
        };
        let name = format!("pddflow-worker-{}", self.started + 1);
        std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn_scoped(self.scope, work).map(drop)
    }
}

impl Executor for Threads<'_, '_> {
    fn room(&self) -> bool {
        self.busy < self.most
    }

    fn begins_at_once(&self) -> bool {
        true
    }

    fn start(&mut self, job: Job) -> Result<(), RunError> {
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

    fn answered(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    fn flush(&mut self) {}

    /// Nodes ask by themselves whether the run is to end.
    fn stop(&mut self, _: Stop) {}
}
