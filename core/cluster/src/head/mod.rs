//! [`Head`]: the one thread that talks with Slurm, and the way of a job through it.
//!
//! ```text
//! started --claimed by a batch that is there--> followed (submitted by this head or an earlier one)
//!    `--else--> collected --quiet for a while, or enough--> claimed, submitted --> followed
//! followed --its record is there, or it says how it ended--> answered
//!          --it stopped at a checkpoint, or its time was over--> collected again
//!          --neither, and gone from the queue for long--> lost: collected again, a few times
//! ```
//!
//! | what is asked | who answers |
//! |---|---|
//! | is there a result? | the store: its record |
//! | how did a task end? | the task: the file `done/<task>` |
//! | does a task wait or run, and why does it wait? | Slurm: one `squeue` for all batches |
//! | has a task ended without a word? | Slurm, when it says so or when several answers in a row do not list the task |
//!
//! An answer of Slurm that does not come, or that cannot be read, says nothing. Accounting (`sacct`) is only asked what became of
//! a task that is lost.

mod follow;
mod judge;
mod limits;
mod pulse;
mod stop;
mod submit;
mod tracked;

pub(crate) use pulse::{has_process, host, machine};

use crate::batch::{Batches, Claim};
use crate::options::Options;
use crate::slurm::Slurm;
use crate::slurm::fate::Fates;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use limits::Limits;
use pddflow_cache::{Key, Store};
use pddflow_runner::{Ended, Job, NodeError, Reports, RunEvent, Stop};
use pulse::Pulse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tracked::{Place, Tracked};

/// Longest time between two answers of Slurm while nothing changes.
const SLOWEST_POLL: Duration = Duration::from_secs(60);
/// Longest time between two looks for files.
const SLOWEST_LOOK: Duration = Duration::from_secs(1);
/// Shortest time that the thread sleeps.
const STEP: Duration = Duration::from_millis(20);

/// What the head is told.
pub(crate) enum Order {
    Start(Box<Job>),
    Stop(Stop),
}

/// What the executor may ask without waiting.
#[derive(Default)]
pub(crate) struct Shared {
    /// Jobs that would be lost if the process ended now.
    pub(crate) unsettled: AtomicUsize,
    /// Whether an order to stop is on its way, so that nobody waits for the thread to try again what failed.
    pub(crate) stopping: AtomicBool,
}

pub(crate) struct Head {
    run: String,
    options: Options,
    store: Store,
    batches: Batches,
    slurm: Slurm,
    reports: Reports,
    inbox: Receiver<Order>,
    shared: Arc<Shared>,
    tracked: BTreeMap<Key, Tracked>,
    limits: Limits,
    /// Batches so far.
    made: u32,
    stopping: Option<Stop>,
    pulse: Pulse,
    poll_due: Instant,
    poll_wait: Duration,
    look_due: Instant,
    /// Whether Slurm's last answer was none, so that it is told once.
    silent: bool,
    /// How often each machine has failed.
    bad_hosts: HashMap<String, u32>,
    /// What Slurm says of arrays of which tasks seem to be lost, by their ids; asked once between two polls.
    fates: HashMap<String, Fates>,
}

impl Head {
    pub(crate) fn new(
        run: &str,
        options: Options,
        (store, batches): (Store, Batches),
        (reports, inbox): (Reports, Receiver<Order>),
        shared: Arc<Shared>,
    ) -> Self {
        let now = Instant::now();
        Self {
            run: run.to_owned(),
            slurm: Slurm::new(options.without.clone(), options.answer_limit),
            pulse: Pulse::new(&batches, run),
            poll_wait: options.settings.poll,
            options,
            store,
            batches,
            reports,
            inbox,
            shared,
            tracked: BTreeMap::new(),
            limits: Limits::default(),
            made: 0,
            stopping: None,
            poll_due: now,
            look_due: now,
            silent: false,
            bad_hosts: HashMap::new(),
            fates: HashMap::new(),
        }
    }

    /// Follows orders until the executor is dropped.
    pub(crate) fn carry_out(mut self) {
        self.pulse.start();
        loop {
            match self.inbox.recv_timeout(self.rest()) {
                Ok(order) => {
                    self.follow_order(order);
                    while let Ok(order) = self.inbox.try_recv() {
                        self.follow_order(order);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.submit_due();
            if self.look_due <= Instant::now() {
                self.look();
            }
            if self.poll_due <= Instant::now() {
                self.poll();
            }
        }
    }

    fn follow_order(&mut self, order: Order) {
        match order {
            Order::Start(job) => self.take(*job),
            Order::Stop(how) => self.stop(how),
        }
    }

    /// How long nothing is due.
    fn rest(&self) -> Duration {
        if self.tracked.is_empty() {
            return SLOWEST_LOOK;
        }
        let next = [Some(self.look_due), Some(self.poll_due), self.submission_due()];
        let now = Instant::now();
        let rest = next.into_iter().flatten().map(|due| due.saturating_duration_since(now)).min();
        rest.unwrap_or(STEP).clamp(STEP, SLOWEST_LOOK)
    }

    /// Takes a job: one that a batch computes already is followed, any other is collected.
    fn take(&mut self, job: Job) {
        let key = job.work.key;
        if self.stopping.is_some() {
            self.shared.unsettled.fetch_sub(1, Ordering::AcqRel);
            let _ = self.reports.done(job.at, Ended { result: Err(NodeError::cancelled()), lost: Vec::new() });
            return;
        }
        let mut tracked = Tracked::new(job);
        if let Some(claim) = self.batches.claim(&key) {
            let batch = self.batches.batch(&claim.batch);
            let told = batch.done(claim.task);
            // What failed for an earlier run is computed for this one.
            let over = told.is_some_and(|done| !matches!(done.outcome, crate::done_format::Outcome::Stopped));
            let alive = claim.run() != self.run && self.pulse.is_alive(&self.store, claim.run());
            if !over || alive {
                self.follow_claim(&mut tracked, claim, !alive);
                self.settle(&mut tracked);
                self.poll_soon();
            }
            // Else the claim is ours to replace.
        }
        self.tracked.insert(key, tracked);
    }

    /// A job is computed by a batch that is there.
    fn follow_claim(&self, tracked: &mut Tracked, claim: Claim, ours: bool) {
        let id = self.batches.batch(&claim.batch).id();
        tracked.follow(claim, ours);
        if let Place::Batch { seen, .. } = &mut tracked.place {
            seen.id = id;
        }
    }

    /// Answers a job.
    fn answer(&mut self, key: &Key, ended: Ended) {
        let Some(mut tracked) = self.tracked.remove(key) else { return };
        self.settle(&mut tracked);
        if let Place::Batch { claim, .. } = &tracked.place {
            let free = tracked.ours(&self.run) || !self.pulse.is_alive(&self.store, claim.run());
            if free || ended.result.is_ok() {
                self.batches.release(key);
            }
            if ended.result.is_ok() {
                self.batches.batch(&claim.batch).tidy(claim.task);
            }
        }
        drop(tracked.job.lock.take());
        self.reports.done(tracked.job.at, ended);
    }

    /// Notes that a job goes on without this process.
    fn settle(&self, tracked: &mut Tracked) {
        if !std::mem::replace(&mut tracked.settled, true) {
            self.shared.unsettled.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn warn(&self, text: String) {
        self.reports.event(RunEvent::Warning { node: None, text });
    }

    /// Something has changed: Slurm is asked again at the usual pace.
    fn poll_soon(&mut self) {
        self.poll_wait = self.options.settings.poll;
        self.poll_due = self.poll_due.min(Instant::now() + self.poll_wait);
    }
}
