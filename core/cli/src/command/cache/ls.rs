//! `pddflow cache ls`: the records of the store.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::{Key, Record};
use pddflow_report::{Tone, bytes, count, seconds};
use serde_json::json;
use std::fmt::Write as _;

/// List records: kind, time and size of each result
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let (mut text, mut values, mut total) = (String::new(), Vec::new(), 0);
        for key in store.record_keys()? {
            let Some(record) = store.record(&key)? else { continue };
            let size: u64 = record.outputs.values().filter_map(|digest| store.length(digest)).sum();
            total += size;
            let missing = record.outputs.values().any(|digest| !store.contains(digest));
            values.push(json!({ "key": key, "kind": kind(&record), "bytes": size, "seconds": record.seconds,
                                "outputs": record.outputs, "missing": missing }));
            let word = if missing { output.paint.tone(Tone::Warn, "  artifacts gone") } else { String::new() };
            let _ = writeln!(
                text,
                "{}{}  {:<12}  {:>10}  {:>10}{word}",
                Key::PREFIX,
                key.short(),
                kind(&record),
                bytes(size),
                seconds(record.seconds)
            );
        }
        let _ = writeln!(text, "{}, {} in {}", count(values.len(), "record"), bytes(total), store.root().display());
        if output.json() {
            output.value(&json!({ "records": values, "bytes": total }));
        } else {
            output.data(&text);
        }
        Ok(Exit::Ok)
    }
}

/// The kind that a record is of: a part of its key.
fn kind(record: &Record) -> &str {
    let part = record.parts.iter().find(|part| part.name == "kind");
    part.and_then(|part| part.value.as_str()).unwrap_or_default()
}
