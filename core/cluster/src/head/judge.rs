//! What Slurm says of tasks, and what follows for those that ended without a word.

use super::tracked::{Place, Tracked};
use super::{Head, SLOWEST_POLL};
use crate::batch::Claim;
use crate::done_format::Outcome;
use crate::slurm::fate::Fate;
use crate::slurm::queue::{End, Line, Queue, State, is_hopeless};
use pddflow_cache::{Digest, Key};
use pddflow_runner::{Ended, NodeError, RunEvent, Stop};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Answers in a row that do not list a task before it is lost.
const MISSED_POLLS: u32 = 3;
/// How often a task may be lost, or come no further within its time.
const MOST_LOSSES: u32 = 3;

impl Head {
    /// Asks Slurm once for all batches.
    pub(super) fn poll(&mut self) {
        let batches: BTreeSet<String> = self.tracked.values().filter_map(Tracked::batch).map(str::to_owned).collect();
        if batches.is_empty() {
            self.poll_due = Instant::now() + self.options.settings.poll;
            return;
        }
        self.fates.clear();
        let asked = self.slurm.queue(batches.iter().map(String::as_str));
        let changed = match asked {
            Ok(queue) => {
                if std::mem::take(&mut self.silent) {
                    self.warn("Slurm answers again".to_owned());
                }
                self.cancel_doubles(&queue, &batches);
                self.judge_all(&queue)
            }
            Err(said) => {
                if !std::mem::replace(&mut self.silent, true) {
                    self.warn(format!("Slurm does not say where jobs are ({said}); they go on, and it is asked again"));
                }
                false
            }
        };
        let usual = self.options.settings.poll;
        // What has ended is to be listed once at least.
        let remembers = self.slurm.config().remembers.map_or(SLOWEST_POLL, |remembers| remembers / 2);
        let slowest = SLOWEST_POLL.min(remembers).max(usual);
        let wanted = changed || self.stopping.is_some() || self.tracked.values().any(Tracked::is_leaving);
        self.poll_wait = if wanted { usual } else { (2 * self.poll_wait).min(slowest) };
        self.poll_due = Instant::now() + self.poll_wait;
        if self.stopping.is_some() {
            self.signal_all();
        }
    }

    /// A batch that was submitted twice, because Slurm denied the first time, keeps its first job.
    fn cancel_doubles(&self, queue: &Queue, batches: &BTreeSet<String>) {
        for batch in batches {
            let ids: BTreeSet<u64> = queue.ids(batch).filter_map(|id| id.parse().ok()).collect();
            let doubles: Vec<String> = ids.iter().skip(1).map(u64::to_string).collect();
            if !doubles.is_empty() {
                self.slurm.cancel(&["--quiet"], &doubles);
            }
        }
    }

    /// Whether anything has changed.
    fn judge_all(&mut self, queue: &Queue) -> bool {
        let keys: Vec<Key> = self.tracked.keys().copied().collect();
        let mut changed = false;
        for key in keys {
            let Some(tracked) = self.tracked.get_mut(&key) else { continue };
            let Place::Batch { claim, .. } = &tracked.place else { continue };
            let claim = claim.clone();
            match queue.line(&claim.batch, claim.task).cloned() {
                Some(line) => changed |= self.listed(&key, &claim, &line),
                None => changed |= self.missing(&key, &claim),
            }
        }
        changed
    }

    fn listed(&mut self, key: &Key, claim: &Claim, line: &Line) -> bool {
        let Some(tracked) = self.tracked.get_mut(key) else { return false };
        let Place::Batch { seen, .. } = &mut tracked.place else { return false };
        seen.missed = 0;
        let named = seen.id.as_ref() != Some(&line.id);
        seen.id = Some(line.id.clone());
        match line.state {
            State::Running => {
                seen.gone = None;
                let new = !seen.running;
                self.settled(key);
                self.begun(key, &line.host);
                if named && !new {
                    self.tell(key);
                }
                new
            }
            State::Queued => {
                seen.gone = None;
                let new = named || seen.running || seen.reason != line.reason;
                seen.running = false;
                seen.host.clear();
                let hopeless = seen.reason != line.reason && is_hopeless(&line.reason);
                line.reason.clone_into(&mut seen.reason);
                self.settled(key);
                if hopeless && let Some(tracked) = self.tracked.get(key) {
                    let (id, task, reason) = (&line.id, claim.task, &line.reason);
                    let text = format!(
                        "its job {id}_{task} waits and will not start by itself, says Slurm: {reason}; change `resources:` or \
                         `cluster:` of the pipeline, or the job with `scontrol update`"
                    );
                    let node = Some(tracked.job.work.node.clone());
                    self.reports.event(RunEvent::Warning { node, text });
                }
                if new {
                    self.tell(key);
                }
                new
            }
            State::Ended(end) => {
                let since = *seen.gone.get_or_insert_with(Instant::now);
                self.ended(key, claim, Some((end, line)), since)
            }
        }
    }

    /// The queue does not list a task.
    fn missing(&mut self, key: &Key, claim: &Claim) -> bool {
        let lost_after = self.options.settings.lost;
        let Some(tracked) = self.tracked.get_mut(key) else { return false };
        let Place::Batch { seen, .. } = &mut tracked.place else { return false };
        seen.missed += 1;
        let since = *seen.gone.get_or_insert_with(Instant::now);
        let lost = seen.missed >= MISSED_POLLS && since.elapsed() >= lost_after;
        let batch = self.batches.batch(&claim.batch);
        batch.refresh();
        if let Some(done) = batch.done(claim.task).filter(|done| done.key == *key) {
            if done.outcome == Outcome::Stopped && self.stopping < Some(Stop::Checkpoint) {
                return self.go_on(key, done.checkpoints > 0);
            }
            if self.heard_the_end(key, done) {
                return true;
            }
        }
        if !lost {
            return false;
        }
        self.lost(key, claim)
    }

    /// Slurm says that a task has ended.
    fn ended(&mut self, key: &Key, claim: &Claim, said: Option<(End, &Line)>, since: Instant) -> bool {
        let batch = self.batches.batch(&claim.batch);
        batch.refresh();
        if let Some(done) = batch.done(claim.task).filter(|done| done.key == *key) {
            let from_outside = said.is_some_and(|(end, _)| end == End::Cancelled);
            match done.outcome {
                Outcome::Stopped if self.stopping < Some(Stop::Checkpoint) && !from_outside => {
                    return self.go_on(key, done.checkpoints > 0);
                }
                Outcome::Stopped if self.stopping < Some(Stop::Checkpoint) => {}
                _ if self.heard_the_end(key, done) => return true,
                _ => {}
            }
        }
        let waited = self.tracked.get(key).is_some_and(|tracked| !tracked.has_begun());
        if self.stopping.is_some() && waited && said.is_some_and(|(end, _)| end == End::Cancelled) {
            self.answer(key, Ended { result: Err(NodeError::cancelled()), lost: Vec::new() });
            return true;
        }
        // Its last words may come later than Slurm's.
        if since.elapsed() < self.patience() {
            return false;
        }
        if let Some(record) = self.new_record(key) {
            self.answer(key, Ended { result: Ok(record), lost: Vec::new() });
            return true;
        }
        let Some((end, line)) = said else { return false };
        match end {
            End::Timeout | End::Preempted => {
                let further = end == End::Preempted || self.came_further(key);
                return self.go_on(key, further);
            }
            End::Node => {
                *self.bad_hosts.entry(line.host.clone()).or_default() += 1;
                return self.lost(key, claim);
            }
            End::Cancelled if self.stopping.is_some() => {
                self.answer(key, Ended { result: Err(NodeError::cancelled()), lost: Vec::new() });
                return true;
            }
            _ => {}
        }
        let failure = self.failure(claim, end, line);
        self.answer(key, Ended { result: Err(failure), lost: Vec::new() });
        true
    }

    /// How long the files of a task may come after Slurm's word.
    fn patience(&self) -> Duration {
        self.options.settings.lost / 8
    }

    fn failure(&self, claim: &Claim, end: End, line: &Line) -> NodeError {
        let batch = self.batches.batch(&claim.batch);
        let (job, word, host) = (format!("{}_{}", line.id, claim.task), &line.word, &line.host);
        let place = if host.is_empty() { String::new() } else { format!(" on {host}") };
        let error = |code: &str, text: String, help: &str| {
            let failure = NodeError::new(format!("pddflow::cluster::{code}"), text).with_help(help);
            batch.with_printed(claim.task, failure)
        };
        match end {
            End::Cancelled => error(
                "cancelled",
                format!("its job {job} was cancelled ({word})"),
                "run again to go on from its checkpoint",
            ),
            End::Memory => error(
                "memory",
                format!("its job {job} took more memory than it had{place}"),
                "raise `resources: { memory: ... }` of the node or of its kind under `cluster:`",
            ),
            _ => error(
                "no_result",
                format!("its job {job} ended ({word}){place} without a result"),
                "what it printed says why; `pddflow logs FILE NODE` shows all of it",
            ),
        }
    }

    /// A task is gone without a word.
    fn lost(&mut self, key: &Key, claim: &Claim) -> bool {
        if let Some(record) = self.new_record(key) {
            self.answer(key, Ended { result: Ok(record), lost: Vec::new() });
            return true;
        }
        if self.stopping.is_some() {
            self.answer(key, Ended { result: Err(NodeError::cancelled()), lost: Vec::new() });
            return true;
        }
        let run = self.run.clone();
        let alive = claim.run() != run && self.pulse.is_alive(&self.store, claim.run());
        let Some(tracked) = self.tracked.get_mut(key) else { return false };
        if alive && !tracked.ours(&run) {
            // Its own head sees the same and submits it again.
            return false;
        }
        let (node, id) = match &tracked.place {
            Place::Batch { seen, .. } => (tracked.job.work.node.clone(), seen.id.clone()),
            Place::Collected { .. } => return false,
        };
        let said = match id.and_then(|id| self.fate(&id, claim.task)) {
            Some(Fate::Alive) => {
                // The queue hides it; it is asked for again when it has not been listed for as long again.
                self.is_there(key);
                return false;
            }
            Some(Fate::Ended(said)) => format!(" (Slurm says: {said})"),
            None => String::new(),
        };
        let Some(tracked) = self.tracked.get_mut(key) else { return false };
        tracked.losses += 1;
        if tracked.losses > MOST_LOSSES {
            let batch = self.batches.batch(&claim.batch);
            let failure =
                NodeError::new("pddflow::cluster::lost", format!("its job vanished {} times{said}", MOST_LOSSES + 1))
                    .with_help(
                        "the administrators of the cluster may know why; run again to go on from its checkpoint",
                    );
            let failure = batch.with_printed(claim.task, failure);
            self.answer(key, Ended { result: Err(failure), lost: Vec::new() });
            return true;
        }
        tracked.collect();
        let text = format!("its job is gone and left no result{said}: it is submitted again");
        self.batches.release(key);
        self.reports.event(RunEvent::Warning { node: Some(node), text });
        true
    }

    /// What Slurm knows of a task beside its queue.
    fn fate(&mut self, id: &str, task: u32) -> Option<Fate> {
        if !self.fates.contains_key(id) {
            let fates = self.slurm.fates(id);
            self.fates.insert(id.to_owned(), fates);
        }
        self.fates.get(id)?.of(task).cloned()
    }

    fn is_there(&mut self, key: &Key) {
        if let Some(Tracked { place: Place::Batch { seen, .. }, .. }) = self.tracked.get_mut(key) {
            (seen.missed, seen.gone) = (0, None);
        }
    }

    /// Tells where the job of a node is.
    fn tell(&self, key: &Key) {
        if let Some(tracked) = self.tracked.get(key)
            && let Place::Batch { claim, .. } = &tracked.place
        {
            self.tell_job(tracked, &self.batches.batch(&claim.batch), claim.task);
        }
    }

    /// A task stopped before its end, and goes on in another job.
    fn go_on(&mut self, key: &Key, further: bool) -> bool {
        let Some(tracked) = self.tracked.get_mut(key) else { return false };
        tracked.idle = if further { 0 } else { tracked.idle + 1 };
        if tracked.idle > MOST_LOSSES {
            let failure = NodeError::new(
                "pddflow::cluster::time",
                format!("came no further within the time limit of its job, {} times", MOST_LOSSES + 1),
            )
            .with_help("raise `resources: { time: ... }`; `time: [1h, 4h]` gives the second attempt more");
            self.answer(key, Ended { result: Err(failure), lost: Vec::new() });
            return true;
        }
        let node = tracked.job.work.node.clone();
        tracked.collect();
        self.batches.release(key);
        self.reports.event(RunEvent::Log { node, text: "its job was stopped; it goes on in another".to_owned() });
        true
    }

    fn settled(&mut self, key: &Key) {
        if let Some(mut tracked) = self.tracked.remove(key) {
            self.settle(&mut tracked);
            self.tracked.insert(*key, tracked);
        }
    }

    /// A record that its job has made; none for a node that runs again, whose earlier record proves nothing.
    fn new_record(&self, key: &Key) -> Option<pddflow_cache::RecordHead> {
        let again = self.tracked.get(key).is_some_and(|tracked| tracked.job.work.again);
        if again { None } else { self.record(key) }
    }

    fn came_further(&self, key: &Key) -> bool {
        let now = self.store.checkpoint(key).ok().flatten().map(|bytes| Digest::of(&bytes));
        self.tracked.get(key).is_some_and(|tracked| now.is_some() && tracked.checkpoint != now)
    }
}
