//! Plain lines, for files, pipes and CI.

use crate::arrays::array_name;
use crate::paint::{Paint, Tone};
use crate::progress::{Expectation, RunProgress};
use crate::wording::Wording;
use crate::{Reporter, Sink, Verbosity};
use pddflow_runner::{JobState, RunEvent};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A long node says this often how far it is.
const PULSE: Duration = Duration::from_secs(30);
/// More arrays of jobs than this are told as one.
const MOST_ARRAYS: usize = 8;

/// A reporter that writes a line when a node begins, ends, warns or fails, and now and then while it runs.
#[must_use]
pub fn lines(sink: Sink, paint: Paint, verbosity: Verbosity, expectation: Option<Expectation>) -> Box<dyn Reporter> {
    let state = State { sink, progress: RunProgress::new(expectation), said: None };
    Box::new(Lines { wording: Wording { paint, verbosity }, state: Mutex::new(state) })
}

struct Lines {
    wording: Wording,
    state: Mutex<State>,
}

struct State {
    sink: Sink,
    progress: RunProgress,
    /// When a line last told of the jobs.
    said: Option<Instant>,
}

impl Lines {
    /// What is said now and then of long nodes and of arrays of jobs.
    fn pulse(&self, state: &mut State, event: &RunEvent, now: Instant) -> Vec<String> {
        state.progress.follow(event, now);
        if self.wording.verbosity == Verbosity::Quiet {
            return Vec::new();
        }
        if let RunEvent::Progress { node, .. } = event {
            return self.node_pulse(state, node.as_str(), now).into_iter().collect();
        }
        self.job_pulse(state, event, now)
    }

    fn node_pulse(&self, state: &mut State, node: &str, now: Instant) -> Option<String> {
        let progress = state.progress.running.get_mut(node)?;
        if now.duration_since(progress.said) < PULSE {
            return None;
        }
        progress.said = now;
        let words = progress.words();
        let run = state.progress.time_words(now).map(|left| format!("; the run: {left}")).unwrap_or_default();
        Some(self.wording.compose("at", Tone::Faint, node, &format!("{words}{run}")))
    }

    /// A line for each array of which jobs wait or run.
    fn job_pulse(&self, state: &mut State, event: &RunEvent, now: Instant) -> Vec<String> {
        // While an array is being submitted, its jobs are told one after the other.
        let counted = match event {
            RunEvent::NodeJob { state, reason, .. } => *state == JobState::Running || reason.is_some(),
            RunEvent::NodeFinished { .. } => true,
            _ => false,
        };
        if !counted || state.said.is_some_and(|said| now.duration_since(said) < PULSE) {
            return Vec::new();
        }
        let progress = &state.progress;
        let line = |array| {
            let words = progress.array_words(array, now);
            self.wording.compose("array", Tone::Faint, array_name(array), &words)
        };
        let mut lines: Vec<String> = progress.arrays().take(MOST_ARRAYS).map(line).collect();
        let more = progress.arrays().skip(MOST_ARRAYS).count();
        if more > 0 {
            let all = progress.job_words().unwrap_or_default();
            lines.push(self.wording.compose("arrays", Tone::Faint, "", &format!("{more} more; in all {all}")));
        }
        if !lines.is_empty() {
            state.said = Some(now);
        }
        lines
    }
}

impl Reporter for Lines {
    fn event(&self, event: &RunEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pulse = self.pulse(&mut state, event, Instant::now());
        for line in self.wording.line(event).into_iter().chain(pulse) {
            // A reader that went away is no failure of the run.
            let _ = writeln!(state.sink, "{line}");
            let _ = state.sink.flush();
        }
    }

    fn note(&self, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(state.sink, "{text}");
        let _ = state.sink.flush();
    }

    fn finish(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_runner::pipeline::NodeId;
    use pddflow_runner::{NodeError, SkipReason, StaleReason};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// A sink that can be read while it is written.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn events() -> Vec<RunEvent> {
        let node = |name: &str| NodeId::new(name);
        let failure = NodeError::new("pddflow::nodes::x", "the loss is NaN").with_source("log of 0");
        let key = pddflow_runner::cache::Key::from_bytes([0; 32]);
        vec![
            RunEvent::NodeStarted { node: node("data"), key, reasons: vec![StaleReason::NeverRan] },
            RunEvent::Progress { node: node("data"), done: 1, total: 2, unit: "images".into(), loss: None },
            RunEvent::NodeFinished {
                node: node("data"),
                key,
                seconds: 1.25,
                outputs: BTreeMap::new(),
                metrics: BTreeMap::from([("images".to_owned(), 200.0)]),
            },
            RunEvent::Warning { node: None, text: "a record was damaged".into() },
            RunEvent::NodeFailed { node: node("distill"), error: failure },
            RunEvent::NodeSkipped { node: node("table"), because: SkipReason::NeedsFailed { node: node("distill") } },
        ]
    }

    fn told(verbosity: Verbosity) -> String {
        told_of(&events(), verbosity)
    }

    fn told_of(events: &[RunEvent], verbosity: Verbosity) -> String {
        let sink = Shared::default();
        let reporter = lines(Box::new(sink.clone()), Paint::plain(), verbosity, None);
        events.iter().for_each(|event| reporter.event(event));
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_node_is_told() {
        insta::assert_snapshot!(told(Verbosity::Normal), @r"
        run     data  never ran
        done    data  1.2 s, images 200
        warning a record was damaged
        failed  distill  the loss is NaN: log of 0
        skipped table  needs distill, which failed
        ");
    }

    #[test]
    fn quiet_tells_only_what_went_wrong() {
        insta::assert_snapshot!(told(Verbosity::Quiet), @r"
        warning a record was damaged
        failed  distill  the loss is NaN: log of 0
        skipped table  needs distill, which failed
        ");
    }

    #[test]
    fn each_array_of_jobs_has_a_line_now_and_then() {
        let key = pddflow_runner::cache::Key::from_bytes([0; 32]);
        let job = |array: u32, task: u32, state, reason: Option<&str>| RunEvent::NodeJob {
            node: NodeId::new(&format!("train[{array}{task}]")),
            job: format!("{array}_{task}"),
            batch: Some(format!("r1-{array}")),
            state,
            host: None,
            reason: reason.map(str::to_owned),
            output: "out".into(),
        };
        let mut events = Vec::new();
        for array in 1..=10 {
            for task in 1..=2 {
                events.push(RunEvent::NodeQueued { node: NodeId::new(&format!("train[{array}{task}]")), key });
            }
        }
        events.push(RunEvent::NodeQueued { node: NodeId::new("other"), key });
        // While jobs are submitted nothing is said: their number is not known yet.
        events.extend(
            (1..=10)
                .flat_map(|array| (1..=2).map(move |task| (array, task)))
                .map(|(array, task)| job(array, task, JobState::Queued, None)),
        );
        events.push(job(2, 1, JobState::Running, None));
        events.push(job(2, 2, JobState::Running, None));
        let text = told_of(&events, Verbosity::Normal);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("array")).collect();
        assert_eq!(lines.len(), 9, "{text}");
        assert_eq!(lines[0], "array   1 train  2 queued, 0 of 2 finished");
        assert_eq!(lines[1], "array   2 train  1 queued, 1 running, 0 of 2 finished");
        assert_eq!(lines[8], "arrays  2 more; in all 19 queued, 1 running, 1 not yet submitted");
        assert_eq!(told_of(&events, Verbosity::Quiet), "");
    }

    #[test]
    fn json_has_one_event_a_line() {
        let sink = Shared::default();
        let reporter = crate::json(Box::new(sink.clone()));
        events().iter().for_each(|event| reporter.event(event));
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let names: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["node_started", "progress", "node_finished", "warning", "node_failed", "node_skipped"]);
    }
}
