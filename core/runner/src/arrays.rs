//! [`Arrays`]: how far the arrays of jobs of a run are, by what is told of its nodes.

use crate::event::{JobState, RunEvent, SkipReason};
use std::collections::{BTreeSet, HashMap};

/// How far an array of jobs is.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayProgress {
    /// The batch that it was submitted as, which names it for good.
    pub batch: String,
    /// As the cluster calls it, or the batch as long as that is not known.
    pub job: String,
    /// The families of its nodes.
    pub families: BTreeSet<String>,
    /// Jobs that wait.
    pub queued: usize,
    /// Jobs that run.
    pub running: usize,
    /// Jobs that have ended, in whatever way.
    pub finished: usize,
    /// Those of them whose node failed.
    pub failed: usize,
    /// Since when jobs of it run, in seconds of the clock of whoever asks.
    runs_since: Option<f64>,
}

/// The arrays of a run in the order in which they were submitted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrays {
    all: Vec<ArrayProgress>,
    places: HashMap<String, usize>,
    /// The nodes with a job in an array now.
    nodes: HashMap<String, (usize, JobState)>,
}

impl ArrayProgress {
    /// All its jobs so far.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.queued + self.running + self.finished
    }

    /// Whether a job of it waits or runs.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.queued + self.running > 0
    }

    /// Jobs that end per second, since the first one began; none before the first has ended.
    #[must_use]
    pub fn rate(&self, now: f64) -> Option<f64> {
        let passed = now - self.runs_since?;
        (self.finished > 0 && passed > 0.0).then(|| self.finished as f64 / passed)
    }

    /// Seconds until its last job has ended, at this rate.
    #[must_use]
    pub fn left(&self, now: f64) -> Option<f64> {
        let rate = self.rate(now).filter(|_| self.goes_on())?;
        Some((self.queued + self.running) as f64 / rate)
    }

    fn count(&mut self, state: JobState) -> &mut usize {
        match state {
            JobState::Queued => &mut self.queued,
            JobState::Running => &mut self.running,
        }
    }
}

impl Arrays {
    /// The arrays in the order in which they were submitted.
    #[must_use]
    pub fn all(&self) -> &[ArrayProgress] {
        &self.all
    }

    /// Follows what is told of a run, at a moment in seconds.
    pub fn follow(&mut self, event: &RunEvent, now: f64) {
        match event {
            RunEvent::NodeJob { node, job, batch: Some(batch), state, .. } => {
                self.job(node.as_str(), (batch, job), *state, now);
            }
            // Its job goes on.
            RunEvent::NodeSkipped { because: SkipReason::LeftRunning, .. } => {}
            RunEvent::NodeFinished { node, .. } | RunEvent::NodeSkipped { node, .. } => {
                self.ended(node.as_str(), false);
            }
            RunEvent::NodeFailed { node, .. } | RunEvent::NodeRetrying { node, .. } => self.ended(node.as_str(), true),
            _ => {}
        }
    }

    /// Where the job of a node is.
    pub(crate) fn job(&mut self, node: &str, (batch, job): (&str, &str), state: JobState, now: f64) {
        let at = self.place(batch);
        match self.nodes.insert(node.to_owned(), (at, state)) {
            Some((before, old)) if before == at => *self.all[at].count(old) -= 1,
            Some(before) => self.leave(before, false),
            None => {}
        }
        let array = &mut self.all[at];
        *array.count(state) += 1;
        // `12_3` is task 3 of array 12.
        job.rsplit_once('_').map_or(job, |(array, _)| array).clone_into(&mut array.job);
        array.families.insert(node.split('[').next().unwrap_or(node).to_owned());
        if state == JobState::Running {
            array.runs_since.get_or_insert(now);
        }
    }

    /// The job of a node has ended, if it had one.
    pub(crate) fn ended(&mut self, node: &str, failed: bool) {
        if let Some(place) = self.nodes.remove(node) {
            self.leave(place, failed);
        }
    }

    fn place(&mut self, batch: &str) -> usize {
        let Self { all, places, .. } = self;
        *places.entry(batch.to_owned()).or_insert_with(|| {
            all.push(ArrayProgress {
                batch: batch.to_owned(),
                job: batch.to_owned(),
                families: BTreeSet::new(),
                queued: 0,
                running: 0,
                finished: 0,
                failed: 0,
                runs_since: None,
            });
            all.len() - 1
        })
    }

    fn leave(&mut self, (at, state): (usize, JobState), failed: bool) {
        let array = &mut self.all[at];
        *array.count(state) -= 1;
        array.finished += 1;
        array.failed += usize::from(failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(array: &ArrayProgress) -> [usize; 4] {
        [array.queued, array.running, array.finished, array.failed]
    }

    #[test]
    fn an_array_has_its_own_counts_rate_and_time_left() {
        let mut arrays = Arrays::default();
        for (task, node) in ["train[1]", "train[2]", "eval[1]", "eval[2]"].into_iter().enumerate() {
            arrays.job(node, ("r1-1", &format!("12_{task}")), JobState::Queued, 0.0);
        }
        arrays.job("distill[x=1]", ("r1-2", "13_1"), JobState::Queued, 1.0);
        let [first, second] = arrays.all() else { panic!("two arrays") };
        assert_eq!((first.job.as_str(), counts(first), first.left(5.0)), ("12", [4, 0, 0, 0], None));
        assert_eq!(first.families.iter().collect::<Vec<_>>(), ["eval", "train"]);
        assert_eq!((second.job.as_str(), counts(second)), ("13", [1, 0, 0, 0]));
        // The time in the queue says nothing of how fast jobs are.
        arrays.job("train[1]", ("r1-1", "12_0"), JobState::Running, 100.0);
        arrays.job("train[1]", ("r1-1", "12_0"), JobState::Running, 101.0);
        assert_eq!((counts(&arrays.all()[0]), arrays.all()[0].rate(105.0)), ([3, 1, 0, 0], None));
        arrays.ended("train[1]", false);
        arrays.job("eval[1]", ("r1-1", "12_2"), JobState::Running, 110.0);
        arrays.ended("eval[1]", true);
        arrays.ended("data", false);
        let first = &arrays.all()[0];
        assert_eq!((counts(first), first.jobs()), ([2, 0, 2, 1], 4));
        assert_eq!((first.rate(110.0), first.left(110.0)), (Some(0.2), Some(10.0)));
        assert!(first.goes_on());
    }

    #[test]
    fn a_node_that_is_submitted_again_leaves_its_array() {
        let mut arrays = Arrays::default();
        arrays.job("a", ("r1-1", "r1-1_1"), JobState::Queued, 0.0);
        assert_eq!(arrays.all()[0].job, "r1-1");
        // Its number is known later, and it goes back into the queue.
        arrays.job("a", ("r1-1", "7_1"), JobState::Running, 1.0);
        arrays.job("a", ("r1-1", "7_1"), JobState::Queued, 2.0);
        assert_eq!((arrays.all()[0].job.as_str(), counts(&arrays.all()[0])), ("7", [1, 0, 0, 0]));
        arrays.job("a", ("r1-2", "8_1"), JobState::Queued, 3.0);
        assert_eq!((counts(&arrays.all()[0]), counts(&arrays.all()[1])), ([0, 0, 1, 0], [1, 0, 0, 0]));
        assert!(!arrays.all()[0].goes_on() && arrays.all()[0].left(4.0).is_none());
    }
}
