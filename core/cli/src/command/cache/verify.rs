//! `pddflow cache verify`: whether the store is intact.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_report::{Tone, bytes, count, seconds};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Instant;

/// Check the checksum of every artifact; damaged ones are quarantined and recomputed when they are needed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let threads = pddflow_runner::cores();
        let started = Instant::now();
        let found = store.verify(threads)?;
        let took = started.elapsed().as_secs_f64();
        if output.json() {
            output.value(&json!({
                "artifacts": found.artifacts, "bytes": found.bytes, "records": found.records,
                "checkpoints": found.checkpoints, "states": found.states, "journals": found.journals, "cut_short": found.cut_short,
                "damaged": found.damaged, "seconds": took,
            }));
        } else {
            let mut text = format!(
                "{} ({}), {}, {}, {}, {} in {}\n",
                count(found.artifacts, "artifact"),
                bytes(found.bytes),
                count(found.records, "record"),
                count(found.checkpoints, "checkpoint"),
                count(found.states, "state"),
                count(found.journals, "journal"),
                seconds(took),
            );
            for damaged in &found.damaged {
                let _ = writeln!(text, "{} {damaged}", output.paint.tone(Tone::Bad, "damaged"));
            }
            if !found.cut_short.is_empty() {
                let _ = writeln!(text, "runs that were killed: {}", found.cut_short.join(", "));
            }
            let word = if found.damaged.is_empty() {
                "no damage found"
            } else {
                "damaged artifacts are recomputed when a run needs them"
            };
            let _ = writeln!(text, "{word}");
            output.data(&text);
        }
        Ok(if found.damaged.is_empty() { Exit::Ok } else { Exit::Store })
    }
}
