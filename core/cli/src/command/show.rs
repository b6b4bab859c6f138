//! `pddflow show`: the result of a node.

use crate::args::NodeArgs;
use crate::describe;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::{Output, one_or_all};
use crate::problem::Problem;
use pddflow_cache::{MadeOn, Record, RecordHead};
use pddflow_pipeline::PlanNode;
use pddflow_report::{Tone, count, seconds};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  pddflow show pipelines/quickstart.yaml table
  pddflow show pipelines/quickstart.yaml 'distill[ipc=10]' --json";

/// Show the result of a node: metrics, artifacts and the parts of its key
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    target: NodeArgs,
}

/// Longer values of a key's parts are cut; `--json` has them whole.
const VALUE_WIDTH: usize = 90;

impl Args {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Problem> {
        let opened = Opened::new(&self.target.pipeline, &self.target.place)?;
        let mut values = Vec::new();
        for (number, (node, head)) in opened.fresh(&self.target.node, output)?.into_iter().enumerate() {
            // Gone since: shown without what its key was made of.
            let whole = opened.store.record(&head.key)?;
            let (parts, made_on) = whole.map(|record| (record.parts, record.made_on)).unwrap_or_default();
            let record = Record { parts, made_on, head: Arc::unwrap_or_clone(head) };
            let outputs = outputs(&opened, node, &record)?;
            if output.json() {
                values.push(as_json(node, &record, &outputs));
                continue;
            }
            let gap = if number == 0 { "" } else { "\n" };
            output.data(&format!("{gap}{}", as_text(node, &record, &outputs, output)));
            describe::tables(&opened, node, &record)?.iter().for_each(|table| output.data(&format!("\n{table}")));
        }
        if output.json() {
            output.value(&one_or_all(values));
        }
        Ok(Exit::Ok)
    }
}

/// One artifact of a node.
struct Shown {
    port: String,
    artifact: String,
    digest: String,
    bytes: usize,
    contents: Vec<Value>,
}

fn outputs(opened: &Opened, node: &PlanNode, record: &RecordHead) -> Result<Vec<Shown>, Problem> {
    let mut shown = Vec::new();
    for (port, digest) in &record.outputs {
        let artifact = opened.artifact(node, port);
        let blob = opened.store.get(digest)?;
        let contents = describe::contents(artifact, &blob)?;
        let (port, artifact, digest) = (port.clone(), artifact.to_owned(), digest.to_string());
        shown.push(Shown { port, artifact, digest, bytes: blob.len(), contents });
    }
    Ok(shown)
}

fn as_json(node: &PlanNode, record: &Record, outputs: &[Shown]) -> Value {
    let outputs: Vec<Value> = outputs
        .iter()
        .map(|one| {
            let Shown { port, artifact, digest, bytes, contents } = one;
            json!({ "port": port, "artifact": artifact, "digest": digest, "bytes": bytes, "contents": contents })
        })
        .collect();
    let parts: serde_json::Map<String, Value> =
        record.parts.iter().map(|part| (part.name.clone(), part.value.clone())).collect();
    json!({
        "node": node.id, "kind": node.kind, "key": record.key, "parts": parts, "outputs": outputs,
        "metrics": record.metrics, "seconds": record.seconds, "log": record.log, "program": record.program,
        "made_on": record.made_on,
    })
}

fn as_text(node: &PlanNode, record: &Record, outputs: &[Shown], output: &Output) -> String {
    let head = |text: &str| output.paint.tone(Tone::Strong, text);
    let mut text = format!("{} ({})\n", head(node.id.as_str()), node.kind);
    let _ = writeln!(text, "key      {}", record.key);
    let _ = writeln!(text, "made by  {} in {}", record.program, seconds(record.seconds));
    if let Some(made_on) = &record.made_on {
        let MadeOn { host, instructions, device, threads, plugins } = made_on;
        let _ = writeln!(text, "made on  {host}: {device}, {instructions}, {}", count(*threads, "thread"));
        for (plugin, version) in plugins {
            let _ = writeln!(text, "with     {plugin} {version}");
        }
    }
    for one in outputs {
        let _ = writeln!(text, "{} {}: {}, {} bytes", head("output"), one.port, one.artifact, one.bytes);
        let _ = writeln!(text, "  {}", output.paint.tone(Tone::Faint, &one.digest));
        describe::lines(&one.contents).iter().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    }
    if !record.metrics.is_empty() {
        let _ = writeln!(text, "{}", head("metrics"));
    }
    for (name, value) in &record.metrics {
        let _ = writeln!(text, "  {name} {value}");
    }
    let _ = writeln!(text, "{}", head("parts of the key"));
    for part in &record.parts {
        let _ = writeln!(text, "  {}: {}", part.name, cut(&part.value.to_string()));
    }
    if !record.log.is_empty() {
        let _ = writeln!(text, "{}\n  {}", head("log"), record.log.join("\n  "));
    }
    text
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_WIDTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
