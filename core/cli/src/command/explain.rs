//! `pddflow explain`: why a node is fresh or stale, part by part; or what differed between two runs.

use crate::args::NodeArgs;
use crate::exit::Exit;
use crate::freshness::words;
use crate::opened::Opened;
use crate::output::{Output, one_or_all};
use crate::past;
use crate::problem::Problem;
use pddflow_cache::Record;
use pddflow_report::{Tone, seconds};
use pddflow_runner::{Explanation, Freshness, PastRun, StaleReason};
use serde_json::{Value, json};
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  pddflow explain pipelines/quickstart.yaml table
  pddflow explain pipelines/quickstart.yaml 'distill[ipc=10]' --set lr=0.1
  pddflow explain pipelines/quickstart.yaml table --between last~1 last";

/// Explain why a node is fresh or stale, or what changed between two runs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    target: NodeArgs,
    /// Compare the keys of the node in two runs
    #[arg(long, num_args = 2, value_names = ["RUN", "RUN"])]
    between: Vec<String>,
}

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.target.pipeline, &self.target.place)?;
        let mut values = Vec::new();
        for at in opened.places(&self.target.node)? {
            let Some(node) = opened.plan.nodes.get(at) else { continue };
            if let [old, new] = self.between.as_slice() {
                values.extend(between(&opened, node.id.as_str(), [old, new], output)?);
                continue;
            }
            let explanation = pddflow_runner::explain(&opened.plan, &opened.library, &opened.store, at);
            let last = past::last_run_of(&opened.store, &opened.plan.name, node.id.as_str())?;
            let last = last.as_ref().and_then(|run| run.nodes.get(node.id.as_str()));
            if output.json() {
                let mut value = as_json(&explanation, &node.kind);
                value["job"] = json!(last.and_then(|node| node.job.as_ref()).map(past::job_json));
                values.push(value);
            } else {
                output.data(&as_text(&explanation, &node.kind, output));
                if let Some(job) = last.and_then(past::job_words) {
                    output.data(&format!("job      {}\n", job.trim_start_matches("job ")));
                }
            }
        }
        if output.json() {
            output.value(&one_or_all(values));
        }
        Ok(Exit::Ok)
    }
}

fn as_text(explanation: &Explanation, kind: &str, output: &Output) -> String {
    let paint = output.paint;
    let (word, tone, reasons) = words(&explanation.state);
    let node = paint.tone(Tone::Strong, explanation.node.as_str());
    let mut text = format!("{node} ({kind}) is {}\n", paint.tone(tone, word));
    let key = match &explanation.state {
        Freshness::Fresh { key, .. } | Freshness::Stale { key, .. } => Some(*key),
        _ => None,
    };
    if let Some(key) = key {
        let _ = writeln!(text, "key      {key}");
    }
    match (&explanation.last, explanation.last_key) {
        (Some(last), _) => {
            let same = if Some(last.key) == key { "made" } else { "before" };
            let _ = writeln!(text, "{same:<8} {} by {} in {}", last.key, last.program, seconds(last.seconds));
        }
        (None, Some(key)) => {
            let _ = writeln!(text, "before   {key}, whose record is gone");
        }
        (None, None) => {}
    }
    let listed = explanation.changes.iter().map(ToString::to_string);
    let shown: Vec<String> = if explanation.changes.is_empty() { reasons } else { listed.collect() };
    for reason in shown {
        let _ = writeln!(text, "{}  {reason}", paint.tone(tone, "because"));
    }
    for (cause, state) in &explanation.causes {
        let (word, tone, reasons) = words(state);
        let cause = paint.tone(Tone::Strong, cause.as_str());
        let _ = writeln!(text, "upstream {cause} is {}: {}", paint.tone(tone, word), reasons.join("; "));
    }
    if !explanation.unchanged.is_empty() {
        let _ = writeln!(text, "{} {}", paint.tone(Tone::Faint, "same    "), explanation.unchanged.join(", "));
    }
    text
}

fn as_json(explanation: &Explanation, kind: &str) -> Value {
    let (state, _, reasons) = words(&explanation.state);
    let cause = |(node, state): &(pddflow_pipeline::NodeId, Freshness)| {
        let (word, _, reasons) = words(state);
        json!({ "node": node, "state": word, "reasons": reasons })
    };
    let parts: serde_json::Map<String, Value> =
        explanation.parts.iter().map(|part| (part.name.clone(), part.value.clone())).collect();
    let mut value = json!({
        "node": explanation.node, "kind": kind, "state": state, "texts": reasons, "changes": explanation.changes,
        "unchanged": explanation.unchanged, "last_key": explanation.last_key, "parts": parts,
        "causes": explanation.causes.iter().map(cause).collect::<Vec<_>>(),
    });
    if let Freshness::Fresh { key, .. } | Freshness::Stale { key, .. } = &explanation.state {
        value["key"] = json!(key);
    }
    value
}

/// What differs between a node in two runs: printed, or with `--json` returned.
fn between(opened: &Opened, node: &str, names: [&String; 2], output: &Output) -> Result<Option<Value>, Problem> {
    let [old, new] = names.map(|name| {
        let run = past::named(&opened.store, name, Some(&opened.plan.name))?;
        let record = record_in(opened, &run, node)?;
        Ok::<_, Problem>((run, record))
    });
    let ((old_run, old), (new_run, new)) = (old?, new?);
    let changes = pddflow_runner::differences(&old, &new);
    if output.json() {
        let side = |run: &PastRun, record: &Record| json!({ "run": run.head.run, "key": record.key });
        let (old, new) = (side(&old_run, &old), side(&new_run, &new));
        return Ok(Some(json!({ "node": node, "old": old, "new": new, "changes": changes })));
    }
    let mut text = String::new();
    for (word, run, record) in [("old", &old_run, &old), ("new", &new_run, &new)] {
        let _ = writeln!(text, "{word:<8} {}, {}, run {}", record.key, past::when(run), run.head.run);
    }
    let changes: Vec<String> = changes.iter().map(StaleReason::to_string).collect();
    let none = vec!["nothing: the key is the same".to_owned()];
    for change in if changes.is_empty() { none } else { changes } {
        let _ = writeln!(text, "{}  {change}", output.paint.tone(Tone::Warn, "changed"));
    }
    output.data(&text);
    Ok(None)
}

/// The record of a node as it was in a run.
fn record_in(opened: &Opened, run: &PastRun, node: &str) -> Result<Record, Problem> {
    let key = run.nodes.get(node).and_then(|node| node.key).ok_or_else(|| {
        let message = format!("in run {} the node {node} had no key", run.head.run);
        Problem::usage("no_key", message).with_help(format!("`pddflow status {}` says how that run went", run.head.run))
    })?;
    opened.store.record(&key)?.ok_or_else(|| {
        let message = format!("run {} began {node} with {key}, which has no record: it did not end", run.head.run);
        Problem::usage("no_record", message).with_help("compare runs in which the node has its result")
    })
}
