//! What tasks say themselves: their events while they run, and how they ended.

use super::tracked::{Place, Tracked};
use super::{Head, SLOWEST_LOOK};
use crate::batch::Batch;
use crate::done_format::{Done, Outcome};
use crate::event_format::{WorkEvent, read_from};
use crate::files::refresh;
use pddflow_cache::{Key, RecordHead};
use pddflow_runner::{Ended, JobState, NodeError, RunEvent, Stop};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

impl Head {
    /// Looks which tasks have said how they ended, and hears what the running ones say.
    pub(super) fn look(&mut self) {
        self.look_due = Instant::now() + SLOWEST_LOOK.min(self.options.settings.poll);
        let mut followed: BTreeMap<String, Vec<(u32, Key)>> = BTreeMap::new();
        for (key, tracked) in &self.tracked {
            if let Place::Batch { claim, .. } = &tracked.place {
                followed.entry(claim.batch.clone()).or_default().push((claim.task, *key));
            }
        }
        for (name, tasks) in followed {
            let batch = self.batches.batch(&name);
            // Lists, so that no file is asked for that is not there.
            let (heard, ended) = (batch.heard(), batch.ended());
            for (task, key) in tasks {
                if heard.contains(&task) {
                    self.hear(&key);
                }
                if ended.contains(&task)
                    && let Some(done) = batch.done(task).filter(|done| done.key == key)
                {
                    self.heard_the_end(&key, done);
                }
            }
        }
    }

    /// A task has said how it ended. Whether the job was answered.
    pub(super) fn heard_the_end(&mut self, key: &Key, done: Done) -> bool {
        let Done { outcome, lost, host, .. } = done;
        match outcome {
            Outcome::Recorded => match self.record(key) {
                Some(head) => {
                    self.begun(key, &host);
                    self.hear(key);
                    self.answer(key, Ended { result: Ok(head), lost });
                    true
                }
                // On a network file system it may come later than the word of it.
                None => false,
            },
            Outcome::Failed(error) => {
                self.begun(key, &host);
                self.hear(key);
                self.answer(key, Ended { result: Err(error), lost });
                true
            }
            Outcome::Refused(error) => {
                self.answer(key, Ended { result: Err(error), lost });
                true
            }
            // It may run again at once if Slurm has put it back into the queue.
            Outcome::Stopped if self.stopping >= Some(Stop::Checkpoint) => {
                self.answer(key, Ended { result: Err(NodeError::cancelled()), lost });
                true
            }
            Outcome::Stopped => {
                self.poll_due = self.poll_due.min(Instant::now() + self.options.settings.poll);
                false
            }
        }
    }

    /// The record under a key, if it is whole. Before anything of it is judged missing, its folder is listed: a network file
    /// system may remember for long that a file was not there.
    pub(super) fn record(&self, key: &Key) -> Option<RecordHead> {
        let look = || self.store.look_up(key).ok().flatten();
        let list = |path: PathBuf| path.parent().into_iter().for_each(refresh);
        let found = look().or_else(|| {
            list(self.store.record_path(key));
            look()
        })?;
        if found.missing.is_empty() {
            return Some(found.head);
        }
        for digest in found.missing.iter().filter_map(|output| found.head.outputs.get(output)) {
            list(self.store.artifact_path(digest));
        }
        look().filter(|found| found.missing.is_empty()).map(|found| found.head)
    }

    /// A task runs, on a machine if that is known.
    pub(super) fn begun(&mut self, key: &Key, machine: &str) {
        let Some(tracked) = self.tracked.get_mut(key) else { return };
        let Place::Batch { claim, seen } = &mut tracked.place else { return };
        // Slurm and the machine itself may call it by different names.
        if seen.running && (machine.is_empty() || !seen.host.is_empty()) {
            return;
        }
        seen.running = true;
        seen.reason.clear();
        if !machine.is_empty() {
            machine.clone_into(&mut seen.host);
        }
        let (batch, task, at) = (self.batches.batch(&claim.batch), claim.task, tracked.job.at);
        self.reports.began(at);
        if let Some(tracked) = self.tracked.get(key) {
            self.tell_job(tracked, &batch, task);
        }
    }

    /// Tells where the job of a node is.
    pub(super) fn tell_job(&self, tracked: &Tracked, batch: &Batch, task: u32) {
        let Place::Batch { seen, .. } = &tracked.place else { return };
        let job = format!("{}_{task}", seen.id.as_ref().unwrap_or(&batch.name));
        let some = |text: &String| (!text.is_empty() && text != "None").then(|| text.clone());
        self.reports.event(RunEvent::NodeJob {
            node: tracked.job.work.node.clone(),
            job,
            batch: Some(batch.name.clone()),
            state: if seen.running { JobState::Running } else { JobState::Queued },
            host: some(&seen.host).filter(|_| seen.running),
            reason: some(&seen.reason).filter(|_| !seen.running),
            output: batch.output(&task.to_string()),
        });
    }

    /// Passes on what a task has said since last time.
    fn hear(&mut self, key: &Key) {
        let Some(tracked) = self.tracked.get_mut(key) else { return };
        let Place::Batch { claim, seen } = &mut tracked.place else { return };
        let path = self.batches.batch(&claim.batch).events(claim.task);
        let node = tracked.job.work.node.clone();
        let mut began = None;
        while let Some((events, bytes)) = read_from(&path, seen.read) {
            seen.read += bytes;
            for event in events {
                match event {
                    WorkEvent::Began { host } => began = Some(host),
                    event => event.event(node.clone()).into_iter().for_each(|event| self.reports.event(event)),
                }
            }
        }
        if let Some(host) = began {
            self.begun(key, &host);
        }
    }
}
