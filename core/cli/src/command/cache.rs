//! `pddflow cache`: what the store holds, whether it is whole, and how it is kept small.

use crate::args::RunArgs;
use crate::command::history::open;
use crate::command::transfer;
use crate::exit::Exit;
use crate::output::Output;
use crate::problem::Problem;
use crate::store_args::{CacheCommand, GcArgs, KEPT_RUNS};
use pddflow_cache::{CollectRules, Digest, Key, Record, Store};
use pddflow_report::{Tone, bytes, count, seconds};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A run collects the store by itself this often.
const COLLECT_INTERVAL: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn cache(command: &CacheCommand, output: &Output) -> Result<Exit, Problem> {
    match command {
        CacheCommand::Ls { store } => ls(&open(store)?, output),
        CacheCommand::Show { name, store } => show(&open(store)?, name, output),
        CacheCommand::Verify { store } => verify(&open(store)?, output),
        CacheCommand::Gc(args) => gc(args, output),
        CacheCommand::Push(args) => transfer::push(args, output),
        CacheCommand::Pull(args) => transfer::pull(args, output),
    }
}

/// The kind that a record is of: a part of its key.
fn kind(record: &Record) -> &str {
    let part = record.parts.iter().find(|part| part.name == "kind");
    part.and_then(|part| part.value.as_str()).unwrap_or_default()
}

fn length(store: &Store, digest: &Digest) -> u64 {
    fs_err::metadata(store.artifact_path(digest)).map_or(0, |metadata| metadata.len())
}

fn ls(store: &Store, output: &Output) -> Result<Exit, Problem> {
    let (mut text, mut values, mut total) = (String::new(), Vec::new(), 0);
    for key in store.record_keys()? {
        let Some(record) = store.record(&key)? else { continue };
        let size: u64 = record.outputs.values().map(|digest| length(store, digest)).sum();
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

fn show(store: &Store, name: &str, output: &Output) -> Result<Exit, Problem> {
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
            let made_by: Vec<Key> = makers(store, digest)?;
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

fn verify(store: &Store, output: &Output) -> Result<Exit, Problem> {
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
            "everything is whole"
        } else {
            "what is damaged is made again by the next run"
        };
        let _ = writeln!(text, "{word}");
        output.data(&text);
    }
    Ok(if found.damaged.is_empty() { Exit::Ok } else { Exit::Store })
}

fn gc(args: &GcArgs, output: &Output) -> Result<Exit, Problem> {
    let store = open(&args.store)?;
    let rules = CollectRules {
        most_bytes: args.max_size,
        most_age: args.max_age,
        dry_run: args.dry_run,
        ..CollectRules::default()
    };
    let used = pddflow_runner::used_keys(&store, args.keep_runs)?;
    let done = store.collect(&used, &rules)?;
    if output.json() {
        let removed: Vec<Value> =
            done.removed.iter().map(|(digest, bytes)| json!({ "digest": digest, "bytes": bytes })).collect();
        output.value(&json!({
            "dry_run": args.dry_run, "artifacts": done.artifacts, "bytes": done.bytes, "kept_bytes": done.kept_bytes,
            "freed_bytes": done.freed(), "removed": removed, "leftovers": done.leftovers, "failures": done.failures,
        }));
        return Ok(Exit::Ok);
    }
    let verb = if args.dry_run { "would remove" } else { "removed" };
    let mut text = format!(
        "{verb} {} ({}) and {}; {} of {} are in use by recent runs\n",
        count(done.removed.len(), "artifact"),
        bytes(done.freed()),
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

/// Keeps the store within its limit after a run, once a day. A failure is told and is none of the run.
pub(crate) fn collect_now_and_then(store: &Store, args: &RunArgs, output: &Output) {
    if !store.collect_due(COLLECT_INTERVAL) {
        return;
    }
    let rules = CollectRules { most_bytes: args.cache_max_size, ..CollectRules::default() };
    let collected = pddflow_runner::used_keys(store, KEPT_RUNS).and_then(|used| store.collect(&used, &rules));
    match collected.and_then(|done| store.note_collected().map(|()| done)) {
        Ok(done) if !done.removed.is_empty() => {
            let (removed, freed) = (count(done.removed.len(), "artifact"), bytes(done.freed()));
            output.note(&format!("the store was over its limit: {removed} ({freed}) that no recent run used are gone"));
        }
        Ok(_) => {}
        Err(error) => output.note(&format!("warning: the store was not collected: {error}")),
    }
}
