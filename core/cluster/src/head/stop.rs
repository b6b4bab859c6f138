//! Stopping a run early: pending jobs are cancelled and running ones write a checkpoint, or all are cancelled at once.

use super::Head;
use super::tracked::Place;
use crate::slurm::script::ranges;
use pddflow_cache::Key;
use pddflow_runner::{Ended, NodeError, Stop};
use std::collections::BTreeMap;
use std::time::Instant;

impl Head {
    pub(super) fn stop(&mut self, how: Stop) {
        self.stopping = self.stopping.max(Some(how));
        let collected: Vec<Key> = self.keys(|place| matches!(place, Place::Collected { .. }));
        self.give_back(&collected);
        // Jobs of another head that lives are its own matter.
        let foreign = self.foreign();
        self.give_back(&foreign);
        self.signal_all();
        if how == Stop::Now {
            let rest = self.keys(|_| true);
            self.give_back(&rest);
        }
        self.poll_wait = self.options.settings.poll;
        self.poll_due = Instant::now() + self.poll_wait;
    }

    /// Tells Slurm what the stop means for the jobs of this head. Again at each poll, since jobs begin meanwhile.
    pub(super) fn signal_all(&mut self) {
        let ids = self.ids();
        if ids.is_empty() {
            return;
        }
        match self.stopping {
            Some(Stop::Now) => self.slurm.cancel(&["--quiet"], &ids),
            Some(how) => {
                self.slurm.cancel(&["--quiet", "--state=PENDING"], &ids);
                if how == Stop::Checkpoint {
                    self.slurm.cancel(&["--quiet", "--batch", "--signal=USR2", "--state=RUNNING"], &ids);
                }
            }
            None => {}
        }
    }

    fn keys(&self, wanted: impl Fn(&Place) -> bool) -> Vec<Key> {
        self.tracked.iter().filter(|(_, tracked)| wanted(&tracked.place)).map(|(key, _)| *key).collect()
    }

    fn foreign(&mut self) -> Vec<Key> {
        let run = self.run.clone();
        let others: Vec<(Key, String)> = self
            .tracked
            .iter()
            .filter(|(_, tracked)| !tracked.ours(&run))
            .filter_map(|(key, tracked)| match &tracked.place {
                Place::Batch { claim, .. } => Some((*key, claim.run().to_owned())),
                Place::Collected { .. } => None,
            })
            .collect();
        others.into_iter().filter(|(_, run)| self.pulse.is_alive(&self.store, run)).map(|(key, _)| key).collect()
    }

    /// The tasks in the queue, by the ids of their jobs: `12_[1-3]`.
    fn ids(&self) -> Vec<String> {
        let mut tasks: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for tracked in self.tracked.values() {
            if let Place::Batch { claim, seen } = &tracked.place
                && let Some(id) = &seen.id
                && seen.gone.is_none()
            {
                tasks.entry(id.clone()).or_default().push(claim.task);
            }
        }
        tasks.into_iter().map(|(id, tasks)| format!("{id}_[{}]", ranges(tasks))).collect()
    }

    fn give_back(&mut self, keys: &[Key]) {
        for key in keys {
            self.answer(key, Ended { result: Err(NodeError::cancelled()), lost: Vec::new() });
        }
    }
}
