//! [`perform`]: computes one node, checks what its kind says, and stores the record. The same in every process that works on
//! a store.

use crate::cancel::Cancel;
use crate::context::{NodeContext, Said};
use crate::error::NodeError;
use crate::event::RunEvent;
use crate::executor::Ended;
use crate::key::is_reserved;
use crate::kinds::{Kinds, Outputs, base_parts, panic_text};
use crate::lineage::Lineage;
use crate::work_format::Work;
use pddflow_cache::{Digest, Key, KeyPart, Record, RecordHead, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// The code of work that is refused because its key would be another one.
const OTHER_KEY: &str = "pddflow::runner::other_key";

/// The length of each artifact of a node.
type Lengths = BTreeMap<String, u64>;

/// What work is done with.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The kinds.
    pub kinds: &'a dyn Kinds,
    /// Where inputs are and results go.
    pub store: &'a Store,
    /// Asks the work to end early.
    pub cancel: &'a Cancel,
    /// Name and version of the program, for the record.
    pub program: &'a str,
    /// Numbers of the graphics processors that the node has to itself; none where it asks for none, or where the surroundings
    /// show it only its own.
    pub gpus: &'a [u32],
}

/// Computes a node and stores its record; `tell` hears its events. With it, how many checkpoints the node stored.
pub fn perform(work: &Work, bench: Bench<'_>, tell: &(dyn Fn(RunEvent) + Sync)) -> (Ended, u32) {
    let Bench { kinds, store, cancel, program, gpus } = bench;
    let started = Instant::now();
    let key = work.key;
    let context = NodeContext::new(store, &work.node, key, cancel, work.checkpoint_interval, tell)
        .with_timeout(work.timeout)
        .with_gpus(gpus)
        .with_lineage(work.growing.clone());
    let run = || catch_unwind(AssertUnwindSafe(|| kinds.run(work.task(), &work.inputs, &context)));
    // Before the work too: its checkpoints belong to the key.
    let result = check_unchanged(work, kinds, "since the run was planned")
        .and_then(|()| run().unwrap_or_else(|payload| Err(panicked(work, panic_text(payload.as_ref())))))
        .and_then(|outputs| check_outputs(work, outputs, store))
        .and_then(|found| check_unchanged(work, kinds, "while the node ran").map(|()| found));
    let late = context.timed_out() && !cancel.requested();
    let has_checkpoint = || store.checkpoint(&key).is_ok_and(|found| found.is_some());
    let result =
        result.map_err(|error| if late && error.cancelled { timed_out(work, has_checkpoint()) } else { error });
    let Said { log, lost, checkpoints, end } = context.finish();
    let result = result.and_then(|(outputs, lengths)| {
        let head = RecordHead {
            key,
            outputs: outputs.artifacts.into_iter().collect(),
            lengths: lengths.into_iter().collect(),
            metrics: outputs.metrics,
            seconds: started.elapsed().as_secs_f64(),
            log,
            program: program.to_owned(),
        };
        let record = Record { made_on: kinds.made_on(&work.parts), parts: work.parts.clone(), head };
        store.put_record(&record)?;
        Ok(record.head)
    });
    if result.is_ok() {
        let warn = |text: String| tell(RunEvent::Warning { node: Some(work.node.clone()), text });
        if let Err(error) = store.clear_checkpoint(&key) {
            warn(format!("an old checkpoint stays behind: {error}"));
        }
        if let (Some(Lineage { key, wanted, .. }), Some(end)) = (&work.growing, end)
            && let Err(error) = store.put_state(key, *wanted, &end)
        {
            warn(format!("going further will mean starting over: {}", NodeError::from(error)));
        }
    }
    (Ended { result, lost }, checkpoints)
}

fn panicked(work: &Work, text: &str) -> NodeError {
    let message = format!("`{}` (kind `{}`) panicked: {text}", work.node, work.kind);
    let help = "this is a defect of the program or of a plugin, not of the pipeline; please report it";
    NodeError::new("pddflow::runner::panicked", message).with_help(help)
}

fn timed_out(work: &Work, has_checkpoint: bool) -> NodeError {
    let seconds = work.timeout.unwrap_or_default().as_secs_f64();
    NodeError::new("pddflow::runner::timeout", format!("`{}` took longer than its timeout of {seconds} s", work.node))
        .with_help(match has_checkpoint {
            true => "its checkpoint is kept: run again to go on from there, or raise the node's `timeout`",
            false => "raise the node's `timeout`; it left no checkpoint to go on from",
        })
}

/// Why work must not be computed here: its key would be made of something else. None if its key is the same here.
#[must_use]
pub fn refusal(work: &Work, kinds: &dyn Kinds) -> Option<NodeError> {
    let here = match base_parts(work.task(), kinds) {
        Ok(parts) => parts,
        Err(error) => return Some(error),
    };
    let there = |name: &str| work.parts.iter().find(|part| part.name == name);
    let other = here.iter().find(|part| there(&part.name) != Some(part)).map(|part| {
        let asked = there(&part.name).map_or_else(|| "no part of it".to_owned(), |part| part.value.to_string());
        format!("`{}` is {} here and {asked} where the job was made", part.name, part.value)
    });
    let known = |part: &&KeyPart| is_reserved(&part.name) || here.iter().any(|known| known.name == part.name);
    let unknown = work.parts.iter().find(|part| !known(part));
    let unknown = unknown.map(|part| format!("`{}` is no part of the key here", part.name));
    let parts: Vec<(&str, &Value)> = work.parts.iter().map(|part| (part.name.as_str(), &part.value)).collect();
    let broken = (Key::of(&parts).ok() != Some(work.key)).then(|| "its parts make another key".to_owned());
    let why = other.or(unknown).or(broken)?;
    let message = format!("`{}` would be computed under another key: {why}", work.node);
    Some(NodeError::new(OTHER_KEY, message).with_help(
        "use the same build and the same plugins on every machine, and `--instructions` that all of them have",
    ))
}

/// A kind's word is not enough: what it names must be in the store, and what others need must be named. Gives the length
/// of each artifact too.
fn check_outputs(work: &Work, outputs: Outputs, store: &Store) -> Result<(Outputs, Lengths), NodeError> {
    let kind = &work.kind;
    if let Some(missing) = work.used.iter().find(|output| !outputs.artifacts.contains_key(*output)) {
        return Err(NodeError::internal(format!("the kind `{kind}` did not give its output `{missing}`")));
    }
    let length = |(output, digest): (&String, &Digest)| {
        let missing = || format!("the kind `{kind}` did not store its output `{output}` (b3:{})", digest.short());
        Ok((output.clone(), store.length(digest).ok_or_else(|| NodeError::internal(missing()))?))
    };
    let lengths = outputs.artifacts.iter().map(length).collect::<Result<Lengths, NodeError>>()?;
    Ok((outputs, lengths))
}

/// The result belongs to the key only if nothing outside the store changed, `when` in words.
fn check_unchanged(work: &Work, kinds: &dyn Kinds, when: &str) -> Result<(), NodeError> {
    let now = base_parts(work.task(), kinds)?;
    match now.iter().find(|part| !work.parts.contains(part)) {
        None => Ok(()),
        Some(part) => {
            let message = format!("`{}` of `{}` changed {when}", part.name, work.node);
            Err(NodeError::new("pddflow::runner::changed_while_running", message)
                .with_help("the result was not recorded; run again once the file or plugin is complete"))
        }
    }
}
