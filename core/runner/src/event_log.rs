//! [`EventLog`]: passes events on, and writes them into the journal of the run and the logs of its nodes.

use crate::event::RunEvent;
use crate::journal_format::{Entry, JournalLine, RunHead, planned_nodes};
use crate::node_log::NodeLogs;
use pddflow_cache::{JournalWriter, Key, StoreError};
use pddflow_pipeline::{NodeId, Plan};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The progress of a node is noted so often, for those who ask about a run that is going on.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct EventLog<'a> {
    events: &'a dyn Fn(RunEvent),
    journal: Option<JournalWriter>,
    /// None without a journal.
    logs: Option<NodeLogs<'a>>,
    started: Instant,
    /// When the progress of each running node was last noted.
    noted: HashMap<NodeId, Instant>,
    /// Fresh nodes that the journal does not name yet.
    fresh: BTreeMap<String, Key>,
}

impl<'a> EventLog<'a> {
    /// A log that writes into a journal, with the logs of nodes, if there is one.
    pub(crate) fn new(events: &'a dyn Fn(RunEvent), files: Option<(JournalWriter, NodeLogs<'a>)>) -> Self {
        let (journal, logs) = files.unzip();
        Self { events, journal, logs, started: Instant::now(), noted: HashMap::new(), fresh: BTreeMap::new() }
    }

    /// Seconds since the run began.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Writes what the run is about.
    pub(crate) fn begin(&mut self, head: RunHead, plan: &Plan) {
        if self.journal.is_some() {
            self.write(Entry::Run(Box::new(head)));
            self.write(Entry::Plan(planned_nodes(plan)));
        }
    }

    pub(crate) fn tell(&mut self, event: RunEvent) {
        if self.journal.is_some() {
            self.note(&event);
        }
        self.keep_log(|logs| log(logs, &event));
        if matches!(event, RunEvent::NodeStarted { .. }) {
            // Should the process be killed now, or native code end it, the journal says what ran.
            self.flush();
        }
        (self.events)(event);
    }

    fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::NodeFresh { node, record } => {
                self.fresh.insert(node.to_string(), record.key);
            }
            RunEvent::Progress { node, .. } if !self.is_due(node) => {}
            event => {
                if let Some(entry) = Entry::of(event) {
                    self.write_fresh();
                    self.write(entry);
                }
                if matches!(event, RunEvent::Progress { .. }) {
                    self.flush();
                }
            }
        }
    }

    fn is_due(&mut self, node: &NodeId) -> bool {
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
        self.write_fresh();
        self.with_journal(JournalWriter::flush);
        self.keep_log(NodeLogs::flush);
    }

    /// Makes the journal survive a loss of power.
    pub(crate) fn sync(&mut self) {
        self.with_journal(JournalWriter::sync);
    }

    /// Logs that cannot be written are given up; the run goes on.
    fn keep_log(&mut self, keep: impl FnOnce(&mut NodeLogs<'a>) -> Result<(), StoreError>) {
        if let Some(logs) = &mut self.logs
            && let Err(error) = keep(logs)
        {
            self.logs = None;
            self.warn(format!("what nodes print is no longer kept: {error}"));
        }
    }

    fn write_fresh(&mut self) {
        if !self.fresh.is_empty() {
            let fresh = std::mem::take(&mut self.fresh);
            self.write(Entry::Fresh(fresh));
        }
    }

    fn write(&mut self, entry: Entry) {
        let at = (self.seconds() * 1e3).round() / 1e3;
        if let Ok(line) = serde_json::to_string(&JournalLine { at, entry }) {
            self.with_journal(|journal| journal.line(&line));
        }
    }

    /// A journal that cannot be written is given up; the run goes on.
    fn with_journal(&mut self, write: impl FnOnce(&mut JournalWriter) -> Result<(), StoreError>) {
        let Some(journal) = &mut self.journal else { return };
        if let Err(error) = write(journal) {
            self.journal = None;
            let text = format!("the journal of this run ends here: {error}");
            (self.events)(RunEvent::Warning { node: None, text });
        }
    }
}

/// Keeps what a node says, and the reasons why it is tried again.
fn log(logs: &mut NodeLogs<'_>, event: &RunEvent) -> Result<(), StoreError> {
    match event {
        RunEvent::Log { node, text } => logs.line(node, text),
        RunEvent::Warning { node: Some(node), text } => logs.line(node, &format!("warning: {text}")),
        RunEvent::NodeRetrying { node, attempt, of, error, .. } => {
            logs.line(node, &format!("failed, retry {attempt} of {of} follows: {error}"));
        }
        RunEvent::NodeFinished { node, .. }
        | RunEvent::NodeFailed { node, .. }
        | RunEvent::NodeSkipped { node, .. } => {
            return logs.end(node);
        }
        _ => {}
    }
    Ok(())
}
