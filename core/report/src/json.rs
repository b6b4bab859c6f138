//! Events as JSON lines, for programs.

use crate::{Reporter, Sink};
use pddflow_runner::RunEvent;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

/// The JSON schema of the lines, with the version that the first of them has.
pub const EVENTS_SCHEMA: &str = include_str!("events.schema.json");
/// The version of the schema.
const VERSION: u32 = 1;

/// A reporter that writes each event as one line of JSON.
///
/// Every line is flushed, so that a reader is never behind. A reader that went away is no failure of the run.
#[must_use]
pub fn json(sink: Sink) -> Box<dyn Reporter> {
    Box::new(Json { sink: Mutex::new(sink) })
}

struct Json {
    sink: Mutex<Sink>,
}

fn line_of(event: &RunEvent) -> serde_json::Result<Vec<u8>> {
    if !matches!(event, RunEvent::RunStarted { .. }) {
        return serde_json::to_vec(event);
    }
    let mut first = serde_json::to_value(event)?;
    first["version"] = VERSION.into();
    serde_json::to_vec(&first)
}

impl Reporter for Json {
    fn event(&self, event: &RunEvent) {
        let Ok(mut line) = line_of(event) else { return };
        line.push(b'\n');
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.write_all(&line);
        let _ = sink.flush();
    }

    /// A program does not watch.
    fn note(&self, _text: &str) {}

    fn finish(&self) {}
}
