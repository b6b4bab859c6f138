//! `pddflow cache push`: results copied to another place.

use crate::command::cache::transfer::{Drawn, TransferArgs, add_damaged, fresh_key, were};
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::Key;
use pddflow_remote::{Pushed, Remote};
use pddflow_report::{bytes, count};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  pddflow cache push /mnt/shared/results                            everything
  pddflow cache push s3://bucket/results pipelines/quickstart.yaml  the fresh results of a pipeline
  pddflow cache push https://host/x pipelines/quickstart.yaml table a node and everything it needs

For S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for other than Amazon, AWS_ENDPOINT_URL.";

/// Upload results to a remote: a folder, S3 or an HTTP server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    transfer: TransferArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let remote = self.transfer.remote()?;
        let (store, keys) = match self.transfer.opened()? {
            Some(opened) => {
                let keys = fresh_keys(&opened);
                (opened.store, keys)
            }
            None => {
                let store = self.transfer.store()?;
                let keys = store.record_keys()?;
                (store, keys)
            }
        };
        let drawn = Drawn::new(output);
        let pushed = remote.push(&store, &keys, &self.transfer.options(), &|progress| drawn.draw(progress));
        drawn.clear();
        let pushed = pushed?;
        if output.json() {
            output.value(&pushed_json(&pushed, &remote, self.transfer.dry_run));
        } else {
            output.data(&pushed_text(&pushed, &remote, (self.transfer.dry_run, output)));
        }
        Ok(if pushed.damaged.is_empty() { Exit::Ok } else { Exit::Store })
    }
}

/// The keys of the nodes whose results are here.
fn fresh_keys(opened: &Opened) -> Vec<Key> {
    let keys: BTreeSet<Key> = opened.freshness().iter().filter_map(fresh_key).collect();
    keys.into_iter().collect()
}

fn pushed_json(pushed: &Pushed, remote: &Remote, dry_run: bool) -> Value {
    json!({
        "remote": remote.url(), "dry_run": dry_run, "records": pushed.records, "artifacts": pushed.artifacts,
        "bytes": pushed.bytes, "there": pushed.there, "incomplete": pushed.incomplete, "damaged": pushed.damaged,
    })
}

fn pushed_text(pushed: &Pushed, remote: &Remote, (dry_run, output): (bool, &Output)) -> String {
    let verb = if dry_run { "would push" } else { "pushed" };
    let (records, artifacts) = (count(pushed.records, "record"), count(pushed.artifacts, "artifact"));
    let size = bytes(pushed.bytes);
    let mut text =
        format!("{verb} {records}, {artifacts} ({size}) to {}; {} there\n", remote.url(), were(pushed.there));
    if pushed.incomplete > 0 {
        let _ = writeln!(text, "skipped {} without artifacts", count(pushed.incomplete, "record"));
    }
    add_damaged(&mut text, &pushed.damaged, output);
    text
}
