//! `pddflow cache show`: one record or artifact.

use crate::args::StoreArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::{Digest, Key, Store};
use pddflow_report::count;
use serde_json::{Value, json};

/// Show a record or an artifact
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key (k:...) or a digest (b3:...), or a prefix of one
    #[arg(value_name = "KEY")]
    name: String,
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        let name = self.name.as_str();
        let keys = store.record_keys()?.into_iter().filter(|key| begins(&key.to_string(), name)).collect::<Vec<_>>();
        let artifacts = store.artifacts()?.into_iter().filter(|one| begins(&one.to_string(), name)).collect::<Vec<_>>();
        match (keys.as_slice(), artifacts.as_slice()) {
            ([key], []) => {
                let record = store.record(key)?.ok_or_else(|| unknown(name))?;
                let parts: serde_json::Map<String, Value> =
                    record.parts.iter().map(|part| (part.name.clone(), part.value.clone())).collect();
                output.value(&json!({
                    "key": key, "parts": parts, "outputs": record.outputs, "metrics": record.metrics,
                    "seconds": record.seconds, "log": record.log, "program": record.program,
                }));
            }
            ([], [digest]) => {
                let made_by: Vec<Key> = makers(&store, digest)?;
                let blob = store.get(digest)?;
                output.value(&json!({ "digest": digest, "bytes": blob.len(), "file": store.artifact_path(digest),
                                      "records": made_by }));
            }
            ([], []) => return Err(unknown(name)),
            _ => {
                let message = format!("{} begin with `{name}`", count(keys.len() + artifacts.len(), "name"));
                return Err(Problem::usage("ambiguous_name", message).with_help("write more of it"));
            }
        }
        Ok(Exit::Ok)
    }
}

fn begins(full: &str, name: &str) -> bool {
    full.starts_with(name) || full.split_once(':').is_some_and(|(_, hex)| !name.is_empty() && hex.starts_with(name))
}

fn makers(store: &Store, digest: &Digest) -> Result<Vec<Key>, Problem> {
    let mut found = Vec::new();
    for key in store.record_keys()? {
        if store.record(&key)?.is_some_and(|record| record.outputs.values().any(|output| output == digest)) {
            found.push(key);
        }
    }
    Ok(found)
}

fn unknown(name: &str) -> Problem {
    Problem::usage("unknown_name", format!("no record or artifact begins with `{name}`"))
        .with_help("`pddflow cache ls` lists the records; `pddflow cache show KEY` names their artifacts")
}
