//! `pddflow cache gc`: removes artifacts, records and journals that no recent run used.

use crate::args::{DEFAULT_SIZE, KEPT_RUNS, StoreArgs, size};
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::{CollectRules, Store};
use pddflow_cluster::{living_head, sweep};
use pddflow_pipeline::duration;
use pddflow_report::{Tone, bytes, count};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// How often a run collects the store.
const COLLECT_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Remove artifacts, records and journals that no recent run used, by size and age
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove the least recently used artifacts until the store is at most this large, such as 500MB or 20GiB
    #[arg(long, value_name = "SIZE", env = "PDDFLOW_CACHE_MAX_SIZE", hide_env_values = true, value_parser = size,
          default_value = DEFAULT_SIZE)]
    max_size: u64,
    /// Remove artifacts, records and journals that were not used for this long, such as 30d or 12h
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "180d")]
    max_age: Duration,
    /// Keep everything that the last N runs of each pipeline used
    #[arg(long, value_name = "N", default_value_t = KEPT_RUNS)]
    keep_runs: usize,
    /// Only print what would be removed
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let store = self.store.open()?;
        if let Some((run, host)) = living_head(&store).filter(|_| !self.dry_run) {
            let message = format!("run {run} on {host} uses the store: nothing is removed");
            return Err(Problem::new(Exit::Store, "pddflow::cli::store_in_use", message)
                .with_help("its jobs may need it; try again when the run has ended"));
        }
        let rules = CollectRules {
            most_bytes: self.max_size,
            most_age: self.max_age,
            dry_run: self.dry_run,
            ..CollectRules::default()
        };
        let uses = pddflow_runner::uses(&store, self.keep_runs)?;
        let done = store.collect(&uses, &rules)?;
        sweep(store.root(), self.max_age, self.dry_run);
        if output.json() {
            let removed: Vec<Value> =
                done.removed.iter().map(|(digest, bytes)| json!({ "digest": digest, "bytes": bytes })).collect();
            output.value(&json!({
                "dry_run": self.dry_run, "artifacts": done.artifacts, "bytes": done.bytes, "kept_bytes": done.kept_bytes,
                "freed_bytes": done.freed(), "removed": removed, "records": done.records, "runs": done.runs,
                "leftovers": done.leftovers, "failures": done.failures,
            }));
            return Ok(Exit::Ok);
        }
        let verb = if self.dry_run { "would remove" } else { "removed" };
        let mut text = format!(
            "{verb} {} ({}), {}, {} and {}; {} of {} are in use by recent runs\n",
            count(done.removed.len(), "artifact"),
            bytes(done.freed()),
            count(done.records, "record"),
            count(done.runs, "journal"),
            count(done.leftovers, "leftover"),
            bytes(done.kept_bytes),
            bytes(done.bytes),
        );
        for failure in &done.failures {
            let _ = writeln!(text, "{} {failure}", output.paint.tone(Tone::Warn, "kept"));
        }
        output.data(&text);
        Ok(Exit::Ok)
    }
}

/// Keeps the store within its limit after a run, once a day. A failure is a warning: the run has succeeded.
pub(crate) fn collect_now_and_then(store: &Store, max_size: u64, output: &Output) {
    if !store.collect_due(COLLECT_INTERVAL) || living_head(store).is_some() {
        return;
    }
    let rules = CollectRules { most_bytes: max_size, ..CollectRules::default() };
    let collected = pddflow_runner::uses(store, KEPT_RUNS).and_then(|uses| store.collect(&uses, &rules));
    match collected.and_then(|done| store.note_collected().map(|()| done)) {
        Ok(done) if !done.removed.is_empty() => {
            let (removed, freed) = (count(done.removed.len(), "artifact"), bytes(done.freed()));
            output.note(&format!("the store was over its limit: {removed} ({freed}) that no recent run used are gone"));
        }
        Ok(_) => {}
        Err(error) => output.note(&format!("warning: the store was not collected: {error}")),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a time with its unit: s, m, h or d, such as 30d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(time("2d"), Ok(Duration::from_secs(172_800)));
        assert!(["", "d", "3"].iter().all(|text| time(text).is_err()));
    }
}
