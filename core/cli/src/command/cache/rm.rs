//! `pddflow cache rm`: results removed by key or by node.

use crate::args::{PipelineArgs, PlaceArgs};
use crate::complete;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use clap::ValueHint;
use clap_complete::engine::ArgValueCompleter;
use pddflow_cache::{Key, Store};
use pddflow_cluster::living_head;
use pddflow_report::{Tone, bytes, count};
use pddflow_runner::{Freshness, Kinds as _, Lineage, Task, run_ids};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  pddflow cache rm k:0f3a                    the result with this key
  pddflow cache rm 'eval[*]' table           of nodes of pipeline.yaml in the current folder
  pddflow cache rm dm --pipeline p.yaml -n   only print what would be removed

A node that is removed is computed anew by the next run: what a `train` or `distill` left for longer
ones to go on from goes with it.";

/// Remove results: records, and artifacts that no other record has
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Keys (k:..., or a prefix), or nodes of the pipeline: `distill`, `distill[3]`, `eval[model=*]`
    #[arg(value_name = "KEY|NODE", required = true, add = ArgValueCompleter::new(complete::nodes))]
    names: Vec<String>,
    /// The pipeline that has the nodes [default: `pipeline.yaml` in the current folder]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pipeline: Option<PathBuf>,
    /// Override a parameter of the pipeline. May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Apply a profile of the pipeline
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only print what would be removed
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// So many of the latest runs are looked through for one that is going on.
const MOST_LIVING: usize = 50;

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.place.store.open()?;
        let (keys, nodes): (Vec<&String>, Vec<&String>) =
            self.names.iter().partition(|name| name.starts_with(Key::PREFIX));
        let (mut wanted, mut lineages) = (BTreeSet::new(), BTreeSet::new());
        if !keys.is_empty() {
            let all = store.record_keys()?;
            for name in keys {
                let before = wanted.len();
                wanted.extend(all.iter().filter(|key| key.to_string().starts_with(name.as_str())));
                match wanted.len() - before {
                    0 => {
                        return Err(Problem::usage("unknown_name", format!("no record begins with `{name}`"))
                            .with_help("`pddflow cache ls` lists the records"));
                    }
                    1 => {}
                    several => {
                        let message = format!("{} begin with `{name}`", count(several, "record"));
                        return Err(Problem::usage("ambiguous_name", message).with_help("write more of the key"));
                    }
                }
            }
        }
        if !nodes.is_empty() {
            self.add_keys_of(&nodes, &mut wanted, &mut lineages)?;
        }
        if !self.dry_run {
            refuse_while_running(&store)?;
        }
        let done = store.forget(&wanted, &lineages, self.dry_run)?;
        if output.json() {
            let removed: Vec<Value> =
                done.removed.iter().map(|(digest, bytes)| json!({ "digest": digest, "bytes": bytes })).collect();
            output.value(&json!({
                "dry_run": self.dry_run, "records": done.records, "removed": removed, "freed_bytes": done.freed(),
                "states": done.leftovers,
                "failures": done.failures,
            }));
            return Ok(Exit::Ok);
        }
        let verb = if self.dry_run { "would remove" } else { "removed" };
        let (records, artifacts) = (count(done.records, "record"), count(done.removed.len(), "artifact"));
        let states = match done.leftovers {
            0 => String::new(),
            some => format!(", and {} to go on from", count(some, "state")),
        };
        let mut text = format!("{verb} {records} and {artifacts} ({}){states}\n", bytes(done.freed()));
        for failure in &done.failures {
            let _ = writeln!(text, "{} {failure}", output.paint.tone(Tone::Warn, "kept"));
        }
        output.data(&text);
        Ok(if done.failures.is_empty() { Exit::Ok } else { Exit::Store })
    }

    /// Adds the keys of nodes, those that they have now and those that they had last, and the lineages of both.
    fn add_keys_of(
        &self,
        names: &[&String],
        keys: &mut BTreeSet<Key>,
        lineages: &mut BTreeSet<Key>,
    ) -> Result<(), Problem> {
        let pipeline =
            PipelineArgs { file: self.pipeline.clone(), set: self.set.clone(), profile: self.profile.clone() };
        let opened = Opened::new(&pipeline, &self.place)?;
        let states = opened.freshness();
        for name in names {
            for at in opened.places(name)? {
                let Some(node) = opened.plan.nodes.get(at) else { continue };
                let now = match states.get(at) {
                    Some(Freshness::Fresh { key, .. }) => Some(*key),
                    _ => None,
                };
                let growing = opened.library.growing(Task::of(node));
                for key in now.into_iter().chain(opened.store.last_key_of(&opened.plan.name, node.id.as_str())) {
                    keys.insert(key);
                    let record = opened.store.record(&key)?;
                    let lineage = record.zip(growing.as_ref());
                    lineages.extend(
                        lineage.and_then(|(record, growing)| Lineage::key_of(&record.parts, growing.parameter)),
                    );
                }
            }
        }
        Ok(())
    }
}

/// A run may be about to read what would be removed.
fn refuse_while_running(store: &Store) -> Result<(), Problem> {
    let here = run_ids(store)?.into_iter().take(MOST_LIVING).find(|id| store.is_running(id));
    match here.or_else(|| living_head(store).map(|(run, host)| format!("{run} on {host}"))) {
        None => Ok(()),
        Some(run) => {
            let message = format!("run {run} uses the store: nothing is removed");
            Err(Problem::new(Exit::Store, "pddflow::cli::store_in_use", message)
                .with_help("try again when it has ended; `pddflow status` shows it"))
        }
    }
}
