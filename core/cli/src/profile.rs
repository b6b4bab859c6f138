//! `--profile-ops`: what was computed when, in the trace format that browsers open (`chrome://tracing`, Perfetto).

use crate::problem::Problem;
use pddflow_nodes::trace::{Event, Kind, Trace};
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// The file that a trace will be written to, made before anything runs so that a bad path is found then.
pub(crate) fn create(path: &Path) -> Result<fs_err::File, Problem> {
    fs_err::File::create(path).map_err(|error| unwritable(&error))
}

/// Writes a trace as one JSON object: nodes, iterations and epochs as spans, in which the operations lie, and in those of a device
/// its launches, uploads and reads.
pub(crate) fn write(file: fs_err::File, trace: &Trace) -> Result<(), Problem> {
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(file);
        file.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")?;
        for (number, event) in trace.events.iter().enumerate() {
            file.write_all(if number == 0 { b"" } else { b",\n" })?;
            serde_json::to_writer(&mut file, &as_json(event))?;
        }
        write!(file, "\n],\"otherData\":{{\"dropped_events\":{}}}}}\n", trace.dropped)?;
        file.flush()
    };
    write().map_err(|error| unwritable(&error))
}

fn unwritable(error: &io::Error) -> Problem {
    Problem::usage("profile", format!("the profile cannot be written: {error}"))
        .with_help("name a file in a folder that exists and can be written to")
}

fn as_json(event: &Event) -> Value {
    let micros = |time: std::time::Duration| time.as_nanos() as f64 / 1e3;
    let arguments = match event.kind {
        Kind::Span => json!({}),
        _ => json!({ "shape": event.shape, "bytes": event.bytes, "operations": event.operations }),
    };
    json!({
        "name": event.name, "cat": event.kind.name(), "ph": "X", "pid": 1, "tid": event.thread,
        "ts": micros(event.begin), "dur": micros(event.took), "args": arguments,
    })
}
