//! The progress of a run: counts, and how far and how fast each running node is.

use crate::arrays;
use crate::expected::{Expected, NodeStage};
use crate::text;
use pddflow_runner::{ArrayProgress, Arrays, RunEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Weight of the newest rate in the running mean; about the last ten reports count.
const NEWEST_WEIGHT: f64 = 0.2;
/// Rates over less time than this are noise.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

/// How far and how fast a running node is.
#[derive(Debug, Clone)]
pub(crate) struct NodeProgress {
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) unit: String,
    pub(crate) loss: Option<f64>,
    /// Units per second, smoothed; none before the second report.
    pub(crate) rate: Option<f64>,
    /// When a line last said so.
    pub(crate) said: Instant,
    began: Instant,
    last: Option<(Instant, u64)>,
}

impl NodeProgress {
    pub(crate) fn new(now: Instant) -> Self {
        Self { done: 0, total: 0, unit: String::new(), loss: None, rate: None, said: now, began: now, last: None }
    }

    pub(crate) fn report(&mut self, now: Instant, (done, total): (u64, u64), unit: &str, loss: Option<f64>) {
        (self.done, self.total, self.loss) = (done, total, loss.or(self.loss));
        if self.unit != unit || self.last.is_some_and(|(_, before)| before > done) {
            // Another phase of the node: its rate says nothing about this one.
            unit.clone_into(&mut self.unit);
            (self.rate, self.last) = (None, None);
        }
        let Some((before, done_before)) = self.last else {
            self.last = Some((now, done));
            return;
        };
        let passed = now.duration_since(before);
        if passed < LEAST_INTERVAL || done == done_before {
            return;
        }
        let newest = (done - done_before) as f64 / passed.as_secs_f64();
        self.rate = Some(self.rate.map_or(newest, |mean| mean + NEWEST_WEIGHT * (newest - mean)));
        self.last = Some((now, done));
    }

    /// Seconds until the node is done, at its present rate.
    pub(crate) fn left(&self) -> Option<f64> {
        let rate = self.rate.filter(|rate| *rate > 0.0)?;
        (self.total > self.done).then(|| (self.total - self.done) as f64 / rate)
    }

    /// `120/500 iterations, 14.2/s, loss 0.3121, 27 s left`, as far as it is known.
    pub(crate) fn words(&self) -> String {
        let mut words = match (self.total, self.unit.as_str()) {
            (0, _) => return String::new(),
            (total, "") => format!("{}/{total}", self.done),
            (total, unit) => format!("{}/{total} {unit}", self.done),
        };
        if let Some(rate) = self.rate {
            words.push_str(&format!(", {}/s", text::rate(rate)));
        }
        if let Some(loss) = self.loss {
            words.push_str(&format!(", loss {}", text::number(loss)));
        }
        if let Some(left) = self.left() {
            words.push_str(&format!(", {} left", text::seconds(left)));
        }
        words
    }
}

/// How often the time left is computed anew.
const LEFT_INTERVAL: Duration = Duration::from_secs(1);

/// Says what is known of the time of a run before it; asked once, when something runs.
pub type Expectation = Box<dyn FnOnce() -> Expected + Send>;

/// The time left of a run.
#[derive(Default)]
struct TimeKeeper {
    expectation: Option<Expectation>,
    expected: Option<Expected>,
    ended: BTreeSet<String>,
    /// What was said last, and when.
    said: Option<(Instant, Option<String>)>,
}

/// The counts of a run and its running nodes.
#[derive(Default)]
pub(crate) struct RunProgress {
    time: TimeKeeper,
    pub(crate) nodes: usize,
    pub(crate) fresh: usize,
    pub(crate) ran: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    pub(crate) running: BTreeMap<String, NodeProgress>,
    /// Nodes that are for a cluster and were not submitted yet.
    pub(crate) queued: BTreeSet<String>,
    /// Those that were submitted, by the arrays that they are in.
    arrays: Arrays,
    /// The moment that the times of the arrays count from: that of the first event.
    clock: Option<Instant>,
}

impl RunProgress {
    /// Of a run whose time is expected to be so.
    pub(crate) fn new(expectation: Option<Expectation>) -> Self {
        Self { time: TimeKeeper { expectation, ..TimeKeeper::default() }, ..Self::default() }
    }

    /// `about 3 min 20 s left`, of a run in which something runs and of whose nodes something is known.
    pub(crate) fn time_words(&mut self, now: Instant) -> Option<String> {
        if self.running.is_empty() {
            return None;
        }
        if let Some((when, words)) = &self.time.said
            && now.duration_since(*when) < LEFT_INTERVAL
        {
            return words.clone();
        }
        if let Some(ask) = self.time.expectation.take() {
            self.time.expected = Some(ask());
        }
        let stage = |node: &str| match self.running.get(node) {
            Some(running) => {
                NodeStage::Running { since: now.duration_since(running.began).as_secs_f64(), left: running.left() }
            }
            None if self.time.ended.contains(node) => NodeStage::Ended,
            None => NodeStage::Waiting,
        };
        let words = self.time.expected.as_ref().and_then(|expected| expected.left(stage)).map(|left| left.to_string());
        self.time.said = Some((now, words.clone()));
        words
    }

    /// Nodes that came to an end.
    pub(crate) fn ended(&self) -> usize {
        self.fresh + self.ran + self.failed + self.skipped
    }

    pub(crate) fn follow(&mut self, event: &RunEvent, now: Instant) {
        let clock = *self.clock.get_or_insert(now);
        self.arrays.follow(event, now.duration_since(clock).as_secs_f64());
        let ended = match event {
            RunEvent::RunStarted { nodes, .. } => {
                self.nodes = *nodes;
                return;
            }
            RunEvent::NodeQueued { node, .. } => {
                self.queued.insert(node.to_string());
                return;
            }
            RunEvent::NodeJob { node, .. } => {
                self.queued.remove(node.as_str());
                return;
            }
            RunEvent::NodeStarted { node, .. } => {
                self.queued.remove(node.as_str());
                self.running.insert(node.to_string(), NodeProgress::new(now));
                return;
            }
            RunEvent::Progress { node, done, total, unit, loss } => {
                if let Some(progress) = self.running.get_mut(node.as_str()) {
                    progress.report(now, (*done, *total), unit, *loss);
                }
                return;
            }
            RunEvent::NodeRetrying { node, .. } => node,
            RunEvent::NodeFresh { node, .. } => {
                self.fresh += 1;
                node
            }
            RunEvent::NodeSkipped { node, .. } => {
                self.skipped += 1;
                node
            }
            RunEvent::NodeFinished { node, seconds, .. } => {
                self.ran += 1;
                if let Some(expected) = &mut self.time.expected {
                    expected.took(node.as_str(), *seconds);
                }
                node
            }
            RunEvent::NodeFailed { node, .. } => {
                self.failed += 1;
                node
            }
            _ => return,
        };
        if !matches!(event, RunEvent::NodeRetrying { .. }) {
            self.time.ended.insert(ended.to_string());
        }
        self.queued.remove(ended.as_str());
        self.running.remove(ended.as_str());
    }

    /// The arrays of which a job waits or runs.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &ArrayProgress> {
        self.arrays.all().iter().filter(|array| array.goes_on())
    }

    /// What is to be said of an array.
    pub(crate) fn array_words(&self, array: &ArrayProgress, now: Instant) -> String {
        let now = self.clock.map_or(0.0, |clock| now.duration_since(clock).as_secs_f64());
        arrays::words(array, now)
    }

    /// `12 queued, 4 running, 3 not yet submitted`, of all arrays together; none of a run without any.
    pub(crate) fn job_words(&self) -> Option<String> {
        let (queued, running) =
            self.arrays().fold((0, 0), |(queued, running), array| (queued + array.queued, running + array.running));
        let numbers = [(queued, "queued"), (running, "running"), (self.queued.len(), "not yet submitted")];
        let words = numbers.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}"));
        (!self.arrays.all().is_empty()).then(|| words.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expected::ExpectedNode;
    use pddflow_runner::pipeline::NodeId;

    #[test]
    fn a_run_says_how_long_it_still_takes() {
        let node = |name: &str, needs: &[usize]| ExpectedNode {
            node: name.to_owned(),
            kind: "k".to_owned(),
            seconds: Some(30.0),
            needs: needs.to_vec(),
        };
        let nodes = vec![node("a", &[]), node("b", &[0])];
        let mut progress = RunProgress::new(Some(Box::new(move || Expected::new(nodes, 2))));
        let (start, key) = (Instant::now(), pddflow_runner::cache::Key::from_bytes([0; 32]));
        let started = |name: &str| RunEvent::NodeStarted { node: NodeId::new(name), key, reasons: Vec::new() };
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(progress.time_words(start), None);
        progress.follow(&started("a"), start);
        assert_eq!(progress.time_words(after(10)).as_deref(), Some("about 50 s left"));
        let (outputs, metrics) = (BTreeMap::new(), BTreeMap::new());
        let finished = RunEvent::NodeFinished { node: NodeId::new("a"), key, seconds: 12.0, outputs, metrics };
        progress.follow(&finished, after(12));
        assert_eq!(progress.time_words(after(12)), None, "nothing runs");
        progress.follow(&started("b"), after(12));
        assert_eq!(progress.time_words(after(22)).as_deref(), Some("about 20 s left"));
    }

    #[test]
    fn the_rate_follows_the_reports() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut progress = NodeProgress::new(start);
        assert_eq!(progress.words(), "");
        progress.report(after(0), (0, 500), "iterations", None);
        assert_eq!(progress.words(), "0/500 iterations");
        progress.report(after(1000), (10, 500), "iterations", Some(0.5));
        assert_eq!(progress.words(), "10/500 iterations, 10.0/s, loss 0.5, 49 s left");
        progress.report(after(2000), (15, 500), "iterations", None);
        assert_eq!(progress.rate, Some(9.0));
        progress.report(after(3000), (1, 20), "epochs", None);
        assert_eq!(progress.rate, None, "another phase begins anew");
    }
}
