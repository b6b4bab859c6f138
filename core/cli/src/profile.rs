//! `--profile-ops`: what was computed when, in the trace format that browsers open (`chrome://tracing`, Perfetto).

use crate::problem::Problem;
use pddflow_nodes::trace::{Event, Trace};
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a trace as one JSON object: nodes, iterations and epochs as spans, in which the operations lie.
pub(crate) fn write(path: &Path, trace: &Trace) -> Result<(), Problem> {
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(fs_err::File::create(path)?);
        file.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")?;
        for (number, event) in trace.events.iter().enumerate() {
            file.write_all(if number == 0 { b"" } else { b",\n" })?;
            serde_json::to_writer(&mut file, &as_json(event))?;
        }
        write!(file, "\n],\"otherData\":{{\"dropped_events\":{}}}}}\n", trace.dropped)?;
        file.flush()
    };
    write().map_err(|error| {
        Problem::usage("profile", format!("the profile cannot be written to {}: {error}", path.display()))
    })
}

fn as_json(event: &Event) -> Value {
    let micros = |time: std::time::Duration| time.as_nanos() as f64 / 1e3;
    let (category, arguments) = match event.is_span {
        true => ("span", json!({})),
        false => ("operation", json!({ "shape": event.shape, "bytes": event.bytes, "operations": event.operations })),
    };
    json!({
        "name": event.name, "cat": category, "ph": "X", "pid": 1, "tid": event.thread,
        "ts": micros(event.begin), "dur": micros(event.took), "args": arguments,
    })
}
