//! [`EventLog`]: passes events on, and writes those worth keeping into the journal.
//!
//! A journal line is the event as JSON with `at`, the seconds since the start of the run, as its first member. Left
//! out to keep journals small: points of curves, most of the progress, and what a fresh node's record says anyway.

use crate::event::RunEvent;
use pddflow_cache::JournalWriter;
use pddflow_pipeline::NodeId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The progress of a node is noted so often, for those who ask about a run that is going on.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct EventLog<'a> {
    events: &'a dyn Fn(RunEvent),
    journal: Option<JournalWriter>,
    started: Instant,
    /// When the progress of each running node was last noted.
    noted: HashMap<NodeId, Instant>,
}

impl<'a> EventLog<'a> {
    pub(crate) fn new(events: &'a dyn Fn(RunEvent), journal: Option<JournalWriter>) -> Self {
        Self { events, journal, started: Instant::now(), noted: HashMap::new() }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn tell(&mut self, event: RunEvent) {
        if self.journal.is_some()
            && self.is_noted(&event)
            && let Some(line) = line(&event, self.seconds())
        {
            self.write(|journal| journal.line(&line));
            if matches!(event, RunEvent::Progress { .. }) {
                self.flush();
            }
        }
        (self.events)(event);
    }

    fn is_noted(&mut self, event: &RunEvent) -> bool {
        let RunEvent::Progress { node, .. } = event else { return true };
        let now = Instant::now();
        let noted = self.noted.entry(node.clone()).or_insert(now);
        let due = now.duration_since(*noted) >= PROGRESS_INTERVAL;
        if due {
            *noted = now;
        }
        due
    }

    pub(crate) fn warn(&mut self, text: String) {
        self.tell(RunEvent::Warning { node: None, text });
    }

    /// Lets other processes read what was told so far.
    pub(crate) fn flush(&mut self) {
        self.write(JournalWriter::flush);
    }

    /// Makes the journal survive a loss of power.
    pub(crate) fn sync(&mut self) {
        self.write(JournalWriter::sync);
    }

    /// A journal that cannot be written is given up; the run goes on.
    fn write(&mut self, write: impl FnOnce(&mut JournalWriter) -> Result<(), pddflow_cache::StoreError>) {
        let Some(journal) = &mut self.journal else { return };
        if let Err(error) = write(journal) {
            self.journal = None;
            (self.events)(RunEvent::Warning {
                node: None,
                text: format!("the journal of this run ends here: {error}"),
            });
        }
    }
}

fn line(event: &RunEvent, seconds: f64) -> Option<String> {
    let json = match event {
        RunEvent::Metric { .. } => return None,
        RunEvent::NodeFresh { node, record } => {
            let name = serde_json::Value::from(node.to_string());
            format!("{{\"event\":\"node_fresh\",\"node\":{name},\"key\":\"{}\"}}", record.key)
        }
        other => serde_json::to_string(other).ok()?,
    };
    Some(format!("{{\"at\":{seconds:.3},{}", json.strip_prefix('{')?))
}
