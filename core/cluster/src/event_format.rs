//! What a task says while it runs: lines of JSON in the file `events/<task>`, appended one by one.

use pddflow_pipeline::NodeId;
use pddflow_runner::{Resumed, RunEvent};
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Most bytes of events that are read of one task at a time.
const MOST_BYTES: u64 = 1 << 20;

/// One line. Numbers that are not finite are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkEvent {
    /// It begins on this machine.
    Began {
        host: String,
    },
    Resumed {
        from: Resumed,
    },
    InPlugin {
        plugin: String,
    },
    Progress {
        done: u64,
        total: u64,
        unit: String,
        loss: Option<f64>,
    },
    Metric {
        name: String,
        step: u64,
        value: Option<f64>,
    },
    Log {
        text: String,
    },
    Warning {
        text: String,
    },
}

impl WorkEvent {
    /// The line of an event; none for those that no task says.
    pub(crate) fn of(event: RunEvent) -> Option<Self> {
        let finite = |value: f64| value.is_finite().then_some(value);
        Some(match event {
            RunEvent::NodeResumed { from, .. } => Self::Resumed { from },
            RunEvent::NodeInPlugin { plugin, .. } => Self::InPlugin { plugin },
            RunEvent::Progress { done, total, unit, loss, .. } => {
                Self::Progress { done, total, unit: unit.into_owned(), loss: loss.and_then(finite) }
            }
            RunEvent::Metric { name, step, value, .. } => Self::Metric { name, step, value: finite(value) },
            RunEvent::Log { text, .. } => Self::Log { text },
            RunEvent::Warning { text, .. } => Self::Warning { text },
            _ => return None,
        })
    }

    /// The event of a node; none for what is no event of a run.
    pub(crate) fn event(self, node: NodeId) -> Option<RunEvent> {
        Some(match self {
            Self::Began { .. } => return None,
            Self::Resumed { from } => RunEvent::NodeResumed { node, from },
            Self::InPlugin { plugin } => RunEvent::NodeInPlugin { node, plugin },
            Self::Progress { done, total, unit, loss } => {
                RunEvent::Progress { node, done, total, unit: unit.into(), loss }
            }
            Self::Metric { name, step, value } => {
                RunEvent::Metric { node, name, step, value: value.unwrap_or(f64::NAN) }
            }
            Self::Log { text } => RunEvent::Log { node, text },
            Self::Warning { text } => RunEvent::Warning { node: Some(node), text },
        })
    }
}

/// The events in the whole lines at the beginning of a text, and how many bytes these take. What is no event is left out.
pub(crate) fn read_events(text: &[u8]) -> (Vec<WorkEvent>, usize) {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
    (lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(), whole)
}

/// The events in a file from a place on, and how many bytes they take; none if there are no more.
pub(crate) fn read_from(path: &Path, from: u64) -> Option<(Vec<WorkEvent>, u64)> {
    let mut file = fs_err::File::open(path).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    let (events, read) = read_events(&bytes);
    let read = u64::try_from(read).ok()?;
    (read > 0).then_some((events, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_those_of_whole_lines() {
        let log = serde_json::to_string(&WorkEvent::Log { text: "a".into() }).unwrap();
        let text = format!("{log}\nno event\n{log}\n{log}");
        let (events, bytes) = read_events(text.as_bytes());
        assert_eq!((events.len(), bytes), (2, text.len() - log.len()));
        assert_eq!(read_events(b"").1, 0);
    }

    #[test]
    fn numbers_that_are_not_finite_come_back() {
        let node = NodeId::new("n");
        let event = RunEvent::Metric { node: node.clone(), name: "loss".into(), step: 3, value: f64::NAN };
        let line = serde_json::to_string(&WorkEvent::of(event).unwrap()).unwrap();
        let back = serde_json::from_str::<WorkEvent>(&line).unwrap().event(node);
        assert!(matches!(back, Some(RunEvent::Metric { value, step: 3, .. }) if value.is_nan()), "{back:?}");
    }
}
