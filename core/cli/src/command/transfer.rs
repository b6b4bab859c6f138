//! `pddflow cache push` and `pddflow cache pull`: results copied to and from another place.

use crate::args::PipelineArgs;
use crate::command::plan::first_of;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;
use crate::place;
use crate::problem::Problem;
use crate::store_args::TransferArgs;
use pddflow_cache::{Key, Store};
use pddflow_pipeline::Selection;
use pddflow_remote::{Options, Progress, Pulled, Pushed, Remote};
use pddflow_report::{Tone, bytes, count};
use pddflow_runner::Freshness;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The line that says how far it is changes at most this often.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) fn push(args: &TransferArgs, output: &Output) -> Result<Exit, Problem> {
    let remote = Remote::open(&args.url, &place::s3_variables())?;
    let (store, keys) = match opened(args)? {
        Some(opened) => {
            let keys = fresh_keys(&opened);
            (opened.store, keys)
        }
        None => {
            let store = store(args)?;
            let keys = store.record_keys()?;
            (store, keys)
        }
    };
    let drawn = Drawn::new(output);
    let pushed = remote.push(&store, &keys, &options(args), &|progress| drawn.draw(progress));
    drawn.clear();
    let pushed = pushed?;
    if output.json() {
        output.value(&pushed_json(&pushed, &remote, args.dry_run));
    } else {
        output.data(&pushed_text(&pushed, &remote, (args.dry_run, output)));
    }
    Ok(if pushed.damaged.is_empty() { Exit::Ok } else { Exit::Store })
}

pub(crate) fn pull(args: &TransferArgs, output: &Output) -> Result<Exit, Problem> {
    let remote = Remote::open(&args.url, &place::s3_variables())?;
    let drawn = Drawn::new(output);
    let transfer = Transfer { remote: &remote, options: options(args), drawn: &drawn };
    let pulled = match opened(args)? {
        Some(opened) => transfer.pull_needed(&opened),
        None => transfer.pull_all(&store(args)?),
    };
    drawn.clear();
    let (pulled, lacking) = pulled?;
    if output.json() {
        output.value(&pulled_json(&pulled, &lacking, (&remote, args.dry_run)));
    } else {
        output.data(&pulled_text(&pulled, &lacking, (&remote, args.dry_run, output)));
    }
    Ok(if pulled.damaged.is_empty() { Exit::Ok } else { Exit::Store })
}

fn options(args: &TransferArgs) -> Options {
    Options { at_once: args.at_once, dry_run: args.dry_run }
}

/// The pipeline, if one is named.
fn opened(args: &TransferArgs) -> Result<Option<Opened>, Problem> {
    let Some(file) = &args.file else { return Ok(None) };
    let pipeline = PipelineArgs { file: file.clone(), set: args.set.clone(), profile: args.profile.clone() };
    let selection = Selection { until: args.nodes.clone(), only: Vec::new() };
    Opened::new(&pipeline, &args.place)?.chosen(&selection).map(Some)
}

/// The store, which need not exist.
fn store(args: &TransferArgs) -> Result<Store, Problem> {
    Ok(Store::open(&place::store_root(args.place.cache_dir.as_deref()))?)
}

/// The keys of the nodes whose results are here.
fn fresh_keys(opened: &Opened) -> Vec<Key> {
    let keys: BTreeSet<Key> = opened.freshness().iter().filter_map(fresh_key).collect();
    keys.into_iter().collect()
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

fn fresh_key(state: &Freshness) -> Option<Key> {
    if let Freshness::Fresh { key, .. } = state { Some(*key) } else { None }
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

/// The line that says how far it is.
struct Drawn<'a> {
    output: &'a Output,
    last: Mutex<Option<Instant>>,
}

impl<'a> Drawn<'a> {
    fn new(output: &'a Output) -> Self {
        Self { output, last: Mutex::new(None) }
    }

    fn draw(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = last.is_some_and(|last| last.elapsed() < REDRAW_INTERVAL);
        if !soon {
            *last = Some(Instant::now());
            let (artifacts, all) = (progress.artifacts, count(progress.all_artifacts, "artifact"));
            let (done, total) = (bytes(progress.bytes), bytes(progress.all_bytes));
            self.output.redraw(&format!("{artifacts} of {all}, {done} of {total}"));
        }
    }

    fn clear(&self) {
        if self.last.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            self.output.redraw("");
        }
    }
}

fn pushed_json(pushed: &Pushed, remote: &Remote, dry_run: bool) -> Value {
    json!({
        "remote": remote.url(), "dry_run": dry_run, "records": pushed.records, "artifacts": pushed.artifacts,
        "bytes": pushed.bytes, "there": pushed.there, "incomplete": pushed.incomplete, "damaged": pushed.damaged,
    })
}

fn pulled_json(pulled: &Pulled, lacking: &[String], (remote, dry_run): (&Remote, bool)) -> Value {
    json!({
        "remote": remote.url(), "dry_run": dry_run, "records": pulled.records.len(), "artifacts": pulled.artifacts,
        "bytes": pulled.bytes, "there": pulled.there, "lacking": lacking, "damaged": pulled.damaged,
    })
}

fn pushed_text(pushed: &Pushed, remote: &Remote, (dry_run, output): (bool, &Output)) -> String {
    let verb = if dry_run { "would push" } else { "pushed" };
    let (records, artifacts) = (count(pushed.records, "record"), count(pushed.artifacts, "artifact"));
    let size = bytes(pushed.bytes);
    let mut text =
        format!("{verb} {records}, {artifacts} ({size}) to {}; {} there\n", remote.url(), were(pushed.there));
    if pushed.incomplete > 0 {
        let _ = writeln!(text, "passed over {} whose artifacts are gone", count(pushed.incomplete, "record"));
    }
    add_damaged(&mut text, &pushed.damaged, output);
    text
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

fn were(number: usize) -> String {
    format!("{} {}", count(number, "record"), if number == 1 { "was" } else { "were" })
}

fn add_damaged(text: &mut String, damaged: &[String], output: &Output) {
    for one in damaged {
        let _ = writeln!(text, "{} {one}", output.paint.tone(Tone::Bad, "damaged"));
    }
}
