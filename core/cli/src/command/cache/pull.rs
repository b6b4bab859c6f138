//! `pddflow cache pull`: results copied from another place.

use crate::command::cache::transfer::{Drawn, TransferArgs, add_damaged, fresh_key, were};
use crate::exit::Exit;
use crate::freshness::first_of;
use crate::opened::Opened;
use crate::output::Output;
use crate::problem::Problem;
use pddflow_cache::{Key, Store};
use pddflow_remote::{Options, Pulled, Remote};
use pddflow_report::{bytes, count};
use pddflow_runner::Freshness;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  pddflow cache pull /mnt/shared/results                            everything
  pddflow cache pull s3://bucket/results pipelines/quickstart.yaml  what a pipeline needs
  pddflow cache pull https://host/x pipelines/quickstart.yaml --dry-run

For S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for other than Amazon, AWS_ENDPOINT_URL.";

/// Download results from a remote; checksums are verified
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    transfer: TransferArgs,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let remote = self.transfer.remote()?;
        let drawn = Drawn::new(output);
        let transfer = Transfer { remote: &remote, options: self.transfer.options(), drawn: &drawn };
        let pulled = match self.transfer.opened()? {
            Some(opened) => transfer.pull_needed(&opened),
            None => transfer.pull_all(&self.transfer.store()?),
        };
        drawn.clear();
        let (pulled, lacking) = pulled?;
        if output.json() {
            output.value(&pulled_json(&pulled, &lacking, (&remote, self.transfer.dry_run)));
        } else {
            output.data(&pulled_text(&pulled, &lacking, (&remote, self.transfer.dry_run, output)));
        }
        Ok(if pulled.damaged.is_empty() { Exit::Ok } else { Exit::Store })
    }
}

/// Nodes of a pipeline whose results are neither here nor there.
type Lacking = Vec<String>;

struct Transfer<'a> {
    remote: &'a Remote,
    options: Options,
    drawn: &'a Drawn<'a>,
}

impl Transfer<'_> {
    fn pull(&self, store: &Store, keys: &[Key]) -> Result<Pulled, Problem> {
        Ok(self.remote.pull(store, keys, &self.options, &|progress| self.drawn.draw(progress))?)
    }

    fn pull_all(&self, store: &Store) -> Result<(Pulled, Lacking), Problem> {
        let keys = self.remote.record_keys()?;
        Ok((self.pull(store, &keys)?, Lacking::new()))
    }

    /// Fetches what is stale; that makes keys of nodes after it known, which are fetched next, until nothing comes.
    fn pull_needed(&self, opened: &Opened) -> Result<(Pulled, Lacking), Problem> {
        let mut all = Pulled::default();
        let mut asked: BTreeSet<Key> = BTreeSet::new();
        let mut states = opened.freshness();
        let there = states.iter().filter_map(fresh_key).collect::<BTreeSet<Key>>().len();
        loop {
            let stale: BTreeSet<Key> = states.iter().filter_map(stale_key).collect();
            let keys: Vec<Key> = stale.difference(&asked).copied().collect();
            if keys.is_empty() {
                all.there = there;
                let lacking = lacking(opened, &states, &all);
                return Ok((all, lacking));
            }
            all.add(self.pull(&opened.store, &keys)?);
            asked.extend(keys);
            states = opened.freshness();
        }
    }
}

fn stale_key(state: &Freshness) -> Option<Key> {
    if let Freshness::Stale { key, .. } = state { Some(*key) } else { None }
}

fn lacking(opened: &Opened, states: &[Freshness], pulled: &Pulled) -> Lacking {
    // What would be pulled is not here yet, and does not lack.
    let had = |state: &Freshness| {
        fresh_key(state).is_some() || stale_key(state).is_some_and(|key| pulled.records.contains(&key))
    };
    let pairs = opened.plan.nodes.iter().zip(states);
    pairs.filter(|(_, state)| !had(state)).map(|(node, _)| node.id.to_string()).collect()
}

fn pulled_json(pulled: &Pulled, lacking: &[String], (remote, dry_run): (&Remote, bool)) -> Value {
    json!({
        "remote": remote.url(), "dry_run": dry_run, "records": pulled.records.len(), "artifacts": pulled.artifacts,
        "bytes": pulled.bytes, "there": pulled.there, "lacking": lacking, "damaged": pulled.damaged,
    })
}

fn pulled_text(pulled: &Pulled, lacking: &[String], (remote, dry_run, output): (&Remote, bool, &Output)) -> String {
    let verb = if dry_run { "would pull" } else { "pulled" };
    let (records, artifacts) = (count(pulled.records.len(), "record"), count(pulled.artifacts, "artifact"));
    let size = bytes(pulled.bytes);
    let mut text =
        format!("{verb} {records}, {artifacts} ({size}) from {}; {} here\n", remote.url(), were(pulled.there));
    if !lacking.is_empty() {
        let why = if dry_run { "not there, or known only after what would be pulled" } else { "not there" };
        let _ = writeln!(text, "{why}: {}", first_of(lacking));
    }
    add_damaged(&mut text, &pulled.damaged, output);
    text
}
